"""Which layers' results leave a model, and what is put behind the last?"""

from collections.abc import Sequence

from cnnspec.emit.options import CannotCompile, Options
from cnnspec.model.graph import Graph, Node
from cnnspec.onnxir.graph import Model, Value
from cnnspec.onnxir.graph import Node as Operator
from cnnspec.settings.loss import DISTANCES
from cnnspec.text.suggest import did_you_mean

SOFTMAX = ("softmax", "logsoftmax")


def ends_of(graph: Graph, options: Options) -> list[int]:
    """The nodes whose values are the model's outputs: the network's own, or where it is cut off,
    and what else was asked for."""
    if options.until is not None:
        if options.head != "as-is":
            raise CannotCompile("a network that is cut off has no head")
        own = [_find(graph, options.until).index]
    else:
        main, *others = graph.leaving
        own = [_end_of_head(graph, main.node, options), *(o.node for o in others)]
    return [*own, *(_find(graph, name).index for name in options.outputs)]


def _end_of_head(graph: Graph, end: int, options: Options) -> int:
    """Before the probabilities, where these are not wanted."""
    node = graph.nodes[end]
    if options.head == "none" and node.layer.kind in SOFTMAX:
        return node.inputs[0]
    return end


def _find(graph: Graph, name: str) -> Node:
    """The layer of a path; or the last of a block that was given this name."""
    if (node := graph.find(name)) is not None:
        return node
    inside = [n for n in graph.nodes if n.path.startswith(f"{name}.")]
    if inside:
        return inside[-1]
    paths = [n.path for n in graph.nodes]
    few = f"its layers are {', '.join(paths)}" if len(paths) <= 12 else "`report` lists them"
    raise CannotCompile(f"there is no layer `{name}`", did_you_mean(name, paths) or few)


def with_head(graph: Graph, model: Model, options: Options) -> Model:
    """The model with what was asked for behind its first output."""
    last = graph.nodes[graph.main.node].layer.kind
    if options.head == "softmax" and last not in SOFTMAX:
        first = model.outputs[0]
        _follow(model, "Softmax", replace_name(first, "softmax"), {"axis": 1})
    if options.head == "labels":
        first = model.outputs[0]
        op = "ArgMin" if last == DISTANCES else "ArgMax"
        label = Value("label", (first.shape[0], *first.shape[2:]), "int64")
        _follow(model, op, label, {"axis": 1, "keepdims": 0})
    return model


def replace_name(value: Value, name: str) -> Value:
    return Value(name, value.shape, value.dtype)


def _follow(model: Model, op: str, result: Value, attributes: dict[str, int]) -> None:
    first = model.outputs[0]
    name, n = result.name, 1
    while name in model.values or any(v.name == name for v in model.inputs):
        n += 1
        name = f"{result.name}_{n}"
    made = replace_name(result, name)
    model.nodes.append(Operator(op, (first.name,), (name,), attributes, name))
    model.values[name] = made
    # What was an output beside it stays one only if it was asked for by name.
    model.outputs[0] = made


def label_count(model: Model) -> Sequence[int]:
    """How many classes each output tells apart."""
    return [n for v in model.outputs for n in v.shape[1:2] if isinstance(n, int)]
