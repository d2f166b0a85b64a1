"""How does a checked network become a graph of ONNX operators?"""

from collections.abc import Callable, Iterable, Sequence
from os.path import basename
from typing import TYPE_CHECKING, Any

from cnnspec.layers.base import Weight
from cnnspec.model.graph import Graph, Node
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Draw, Model, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

WeightSource = Callable[[str, Weight], "NDArray[Any]"]
"""From a weight's name and what is known of it to its numbers."""


def lower(
    graph: Graph,
    ends: Sequence[int],
    opset: int,
    weights: WeightSource,
    batch: int | str = BATCH,
    *,
    is_dynamic: bool = False,
) -> Model:
    """The part of a network that these nodes rest on, with them as outputs."""
    model = Model(graph.name, opset)
    g = Builder(model, batch, is_dynamic=is_dynamic)
    made = lower_into(g, graph, ends, weights)
    for end in dict.fromkeys(ends):
        g.output(_as_output(g, graph.nodes[end], made[end]))
    return model.with_nodes(model.nodes)


def lower_into(
    g: Builder,
    graph: Graph,
    ends: Sequence[int],
    weights: WeightSource,
    is_frozen: Callable[[Node], bool] | None = None,
) -> dict[int, Value]:
    """The values of the nodes that these rest on. Where nothing is said of frozen layers, nothing
    is trained; frozen ones do as they will when training is over."""
    made: dict[int, Value] = {}
    for node in needed(graph, ends):
        g.is_training = is_frozen is not None and not is_frozen(node)
        with g.layer(node.path, place(node)):
            made[node.index] = _lowered(g, node, [made[i] for i in node.inputs], weights)
    return made


def needed(graph: Graph, ends: Iterable[int]) -> list[Node]:
    """The nodes that these rest on, and they themselves, in the network's order."""
    wanted, found = list(ends), set[int]()
    while wanted:
        index = wanted.pop()
        if index not in found:
            found.add(index)
            wanted += graph.nodes[index].inputs
    return [n for n in graph.nodes if n.index in found]


def place(node: Node) -> str:
    """Where in the spec a node stands: `lenet5.cnn:7:3: conv 6 5x5 pad=2`.

    The file without its folder, so that a model does not tell where it was made.
    """
    source, span = node.span.source, node.span
    line, column = source.position(span.start)
    return f"{basename(source.name)}:{line}:{column}: {node.layer.text()}"


def _lowered(g: Builder, node: Node, xs: list[Value], weights: WeightSource) -> Value:
    assert node.facts is not None, f"`{node.path}` has no shape"
    held = {
        key: g.weight(f"{node.owner}.{key}", w.shape, _draw(weights, f"{node.owner}.{key}", w))
        for key, w in node.facts.weights.items()
    }
    y = node.layer.lower(g, node.facts.shape, xs, held)
    assert y.inner == node.facts.shape, f"`{node.path}` makes {y.shape}, not {node.facts.shape}"
    return y


def _draw(weights: WeightSource, name: str, weight: Weight) -> Draw:
    return lambda: weights(name, weight)


def _as_output(g: Builder, node: Node, value: Value) -> Value:
    """What enters cannot leave under the same name, nor one value as two outputs."""
    outputs = {v.name for v in g.model.outputs}
    if value.name in outputs or any(v.name == value.name for v in g.model.inputs):
        part = "" if node.inputs else "output"
        with g.layer(node.path, place(node)):
            return g.op("Identity", value, part=part)
    return value
