"""Does a network do for maps of other sizes, and which edges change with them?

Found by trying: the network is lowered for its own size and for larger ones. Where operators,
weights and constants come out the same, the graph is one for all of them, and the sizes that
differ become words. Where they do not, what differs is the reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnspec.emit.options import CannotCompile
from cnnspec.layers.window import axis_names
from cnnspec.model.graph import Facts, Graph, Node
from cnnspec.onnxir.graph import Model, Tensor, Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape, show_shape

STEPS = (1, 2, 4, 8, 16, 32, 64)
"""By how much sizes may have to go at a time: 16 where a net halves its maps four times."""

STEP_KEY = "cnnspec.size_step"

Lowered = Callable[[Graph], Model]


def with_free_sizes(graph: Graph, lowered: Lowered) -> Model:
    """The model with words for the sizes of maps. Raises `CannotCompile` with the reason."""
    if not any(len(n.shape or ()) > 1 for n in graph.inputs):
        raise CannotCompile("no input is a map, so no size can be left open")
    model = lowered(graph)
    reason = ""
    for step in STEPS:
        graphs, reason = _resized(graph, step)
        if not graphs:
            continue
        others = [lowered(g) for g in graphs]
        reason = next((r for o in others if (r := _difference(model, o))), "")
        if not reason:
            _name_sizes(graph, model, others)
            model.metadata[STEP_KEY] = str(step)
            return model
    raise CannotCompile(f"its size cannot be left open: {reason}")


def _resized(graph: Graph, step: int) -> tuple[list[Graph], str]:
    """The network on larger inputs: each axis alone, then all by different amounts."""
    rank = max(len(n.shape or ()) for n in graph.inputs) - 1
    alone = [tuple(step * (i == k) for i in range(rank)) for k in range(rank)]
    together = tuple(step * (k + 2) for k in range(rank))
    # Far enough that no rounding down hides the difference.
    far = tuple(step * (100 + k) for k in range(rank))
    found: list[Graph] = []
    for more in (*alone, together, far):
        try:
            found.append(_on_inputs(graph, more))
        except Refusal as refusal:
            return [], refusal.message
    return found, ""


def _on_inputs(graph: Graph, more: tuple[int, ...]) -> Graph:
    nodes: list[Node] = []
    for node in graph.nodes:
        assert node.facts is not None
        xs = [_shape(nodes[i]) for i in node.inputs]
        y = node.layer.shape(*xs) if xs else _larger(node.facts.shape, more)
        facts = Facts(y, node.layer.weights(*xs) if xs else {}, node.facts.work)
        nodes.append(replace(node, facts=facts))
    return replace(graph, nodes=nodes)


def _shape(node: Node) -> Shape:
    assert node.facts is not None
    return node.facts.shape


def _larger(shape: Shape, more: tuple[int, ...]) -> Shape:
    if len(shape) == 1:
        return shape
    return (shape[0], *(n + m for n, m in zip(shape[1:], more, strict=False)))


def _difference(model: Model, other: Model) -> str:
    """Why two sizes need two graphs, or nothing."""
    one, two = (show_shape(m.inputs[0].inner) for m in (model, other))
    for name, tensor in model.tensors.items():
        there = other.tensors.get(name)
        if there is None or not _are_alike(tensor, there):
            layer = _layer_of(tensor)
            if tensor.is_weight and there is not None:
                shapes = f"{show_shape(tensor.shape)} at {one}, {show_shape(there.shape)} at {two}"
                return f"`{layer}` has other weights for other sizes, {shapes}"
            return f"`{layer}` is written for one size"
    for a, b in zip(model.nodes, other.nodes, strict=False):
        if (a.op, a.name, dict(a.attributes)) != (b.op, b.name, dict(b.attributes)):
            return f"`{a.name.split('/')[0]}` is written for one size"
    return "" if len(model.nodes) == len(other.nodes) else "other sizes need other operators"


def _layer_of(tensor: Tensor) -> str:
    """`fc10` of its `fc10.weight`, or of a constant `fc10/shape`."""
    path = tensor.name.split("/")[0]
    return path.rpartition(".")[0] if tensor.is_weight else path


def _are_alike(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return one.is_weight or bool((one.draw() == other.draw()).all())


def _name_sizes(graph: Graph, model: Model, others: Sequence[Model]) -> None:
    """Words for the sizes that are not the same in all."""
    names = _axis_words(graph, model, others)

    def named(value: Value, shapes: Sequence[Any]) -> Value:
        dims = [
            sizes[0]
            if len(set(sizes)) == 1
            else names.setdefault(sizes, _word(names, sizes, value, axis))
            for axis, sizes in enumerate(zip(value.shape, *shapes, strict=True))
        ]
        return Value(value.name, tuple(dims), value.dtype)

    model.inputs = [
        named(v, [o.inputs[i].shape for o in others]) for i, v in enumerate(model.inputs)
    ]
    model.values = {
        name: named(v, [o.values[name].shape for o in others]) for name, v in model.values.items()
    }
    model.outputs = [model.values[v.name] for v in model.outputs]


def _axis_words(
    graph: Graph, model: Model, others: Sequence[Model]
) -> dict[tuple[int | str, ...], str]:
    """For the sizes of the first map that enters, by how they come out in all networks: their
    names, and those of their fractions and multiples."""
    first = next(n for n in graph.inputs if len(n.shape or ()) > 1)
    place = [v.name for v in model.inputs].index(first.path)
    rank = len(_shape(first)) - 1
    raw = [m.inputs[place].shape[1:] for m in (model, *others)]
    # Of an image with the channels last, these stand at the end.
    spatial = [s[1:] if s[0] == _shape(first)[0] else s[:-1] for s in raw]
    found: dict[tuple[int | str, ...], str] = {}
    for axis, word in enumerate(axis_names(rank)):
        sizes = [int(s[axis]) for s in spatial]
        found[tuple(sizes)] = word
        for k in (2, 4, 8, 16, 32, 64):
            found.setdefault(tuple(-(-n // k) for n in sizes), f"{word}_over_{k}")
            found.setdefault(tuple(n * k for n in sizes), f"{word}_times_{k}")
    return found


def _word(names: Mapping[Any, str], sizes: object, value: Value, axis: int) -> str:
    if sizes in names:
        return names[sizes]
    letters = "".join(c if c.isalnum() else "_" for c in value.name)
    return f"{letters}_axis{axis}"
