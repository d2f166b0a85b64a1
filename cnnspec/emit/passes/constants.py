"""Which operators work on weights alone? They are worked out when the file is written.

What only changes the shape of a weight keeps its name: `relu.slope` stays that with the axes that
an engine wants behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnnspec.onnxir.graph import Model, Node, Tensor, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fold_constants(model: Model) -> Model:
    """The model without operators whose operands are all known."""
    uses = {name: len(nodes) for name, nodes in model.consumers().items()}
    tensors, renamed, kept = dict(model.tensors), dict[str, str](), list[Node]()
    for node in model.nodes:
        inputs = [renamed.get(name, name) for name in node.inputs]
        known = [tensors[name] for name in inputs if name in tensors]
        if node.op not in RULES or len(known) < len(inputs):
            kept.append(_taking(node, inputs))
            continue
        held = known[WEIGHT_AT[node.op]]
        name = held.name if uses.get(held.name) == 1 else node.outputs[0]
        value = model.values[node.outputs[0]]
        tensors[name] = _folded(node, known, Value(name, value.shape, value.dtype), held.is_weight)
        renamed[node.outputs[0]] = name
    folded = model.with_nodes(kept)
    taken = {name for node in kept for name in node.inputs}
    folded.tensors = {name: t for name, t in tensors.items() if name in taken}
    return folded


def _taking(node: Node, inputs: Sequence[str]) -> Node:
    return Node(node.op, tuple(inputs), node.outputs, node.attributes, node.name, node.source)


def _folded(node: Node, operands: Sequence[Tensor], value: Value, is_weight: bool) -> Tensor:
    rule = RULES[node.op]
    return Tensor(value, lambda: rule([t.draw() for t in operands]), is_weight)


def _reshape(xs: "Sequence[NDArray[Any]]") -> "NDArray[Any]":
    return xs[0].reshape([int(n) for n in xs[1]])


def _expand(xs: "Sequence[NDArray[Any]]") -> "NDArray[Any]":
    import numpy as np

    return np.broadcast_to(xs[0], [int(n) for n in xs[1]])


def _scatter(xs: "Sequence[NDArray[Any]]") -> "NDArray[Any]":
    data = xs[0].copy()
    data[tuple(xs[1].T)] = xs[2]
    return data


RULES: "Mapping[str, Callable[[Sequence[NDArray[Any]]], NDArray[Any]]]" = {
    "Reshape": _reshape,
    "Expand": _expand,
    "ScatterND": _scatter,
}

WEIGHT_AT: Mapping[str, int] = {"Reshape": 0, "Expand": 0, "ScatterND": 2}
"""Which operand is the weight."""
