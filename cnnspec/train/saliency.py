"""How would the score of a class change with each number of an input, or of a layer's maps?

A network with gradients beside its outputs: what saliency maps, Grad-CAM and adversarial examples
are made of. The score is what stands before a last softmax, which would hide what speaks for a
class behind what speaks against the others.
"""

from collections.abc import Sequence

from cnnspec.emit.lower import WeightSource, lower_into
from cnnspec.emit.options import CannotCompile
from cnnspec.grad.reverse import gradients
from cnnspec.layers.source import Input
from cnnspec.model.graph import Graph, Node
from cnnspec.onnxir.builder import OWN, Builder
from cnnspec.onnxir.graph import BATCH, Model, Value
from cnnspec.settings.loss import DISTANCES
from cnnspec.text.suggest import did_you_mean
from cnnspec.train.loss import Case, one_hot

TARGET = "target"
"""The input with the class that is asked about, one for each example."""

GRADIENT = "/gradient"
"""The end of the name of an output with a gradient."""

VALUE = "/value"
"""The end of the name of an output with what a layer makes."""

SOFT = ("softmax", "logsoftmax", "sigmoid")


def with_gradient(graph: Graph, name: str, weights: WeightSource, opset: int) -> Model:
    """The network with one more input, `target`, and one more output, `name/gradient`.

    Raises `CannotCompile` for what is no input of floating-point numbers.
    """
    node = next((n for n in graph.inputs if n.path == name), None)
    if node is None:
        names = ", ".join(f"`{n.path}`" for n in graph.inputs)
        raise CannotCompile(f"there is no input `{name}`; there is {names}")
    if is_whole(node):
        raise CannotCompile(f"`{name}` takes whole numbers, which have no gradient")
    return with_gradients(graph, [name], weights, opset)


def with_gradients(
    graph: Graph,
    names: Sequence[str],
    weights: WeightSource,
    opset: int,
    *,
    shown: Sequence[str] = (),
) -> Model:
    """The same for several inputs and layers at once. The first output is the network's answer;
    then come the gradients in their order, then the values of the layers in `shown`, as
    `name/value`. Of an input of whole numbers it is the gradient by what they become, channels
    first. Raises `CannotCompile` for a layer that is not there or has no gradient."""
    end = graph.nodes[graph.main.node]
    before = end.inputs[0] if end.layer.kind in SOFT else end.index
    asked = [_found(graph, name) for name in names]
    extra = [_found(graph, name) for name in shown]
    model = Model(graph.name, opset)
    g = Builder(model)
    g.reserved = frozenset({TARGET})
    values = lower_into(g, graph, [end.index, before, *(n.index for n in extra)], weights)
    wanted = [_differentiable(model, node, values.get(node.index)) for node in asked]
    g.output(values[end.index])
    score = _score(g, values[before], is_distance=end.layer.kind == DISTANCES)
    found = gradients(model, score, list(dict.fromkeys(v.name for v in wanted)), BATCH)
    for node, value in zip(asked, wanted, strict=True):
        dx = found[value.name]
        if dx is None:
            raise CannotCompile(f"the output does not hang on `{node.path}`")
        with g.layer(f"{node.path}{GRADIENT}", ""):
            g.output(g.op("Identity", dx))
    for node in extra:
        with g.layer(f"{node.path}{VALUE}", ""):
            g.output(g.op("Identity", values[node.index]))
    done = model.living()
    done.verify()
    return done


def _found(graph: Graph, name: str) -> Node:
    node = graph.find(name)
    if node is None:
        hint = did_you_mean(name, [n.path for n in graph.nodes]) or "`report` lists them"
        raise CannotCompile(f"there is no layer `{name}`", hint)
    return node


def is_whole(node: Node) -> bool:
    """Is it an input of whole numbers?"""
    return isinstance(node.layer, Input) and node.layer.type == "uint8"


def _differentiable(model: Model, node: Node, value: Value | None) -> Value:
    if value is None:
        raise CannotCompile(f"the output does not hang on `{node.path}`")
    if node.inputs or is_whole(node):
        return value
    return next(v for v in model.inputs if v.name.removesuffix(OWN) == node.path)


def _score(g: Builder, z: Value, *, is_distance: bool) -> Value:
    """The sum over the batch of each example's score for its class: the examples do not meet, so
    that each gets its own gradient."""
    target = Value(TARGET, (z.shape[0], *z.shape[2:]), "int64")
    g.model.inputs.append(target)
    with g.layer("score", ""):
        if is_distance:
            z = g.op("Neg", z, part="nearness")
        chosen = g.op("Mul", z, one_hot(g, Case(z, "scores", target)), part="chosen")
        return g.reduce("ReduceSum", chosen, range(len(z.shape)), dims=(), keepdims=0)
