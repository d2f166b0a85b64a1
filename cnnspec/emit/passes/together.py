"""Which convolutions are faster over all examples at once than example by example?

ONNX Runtime convolves on the CPU with one product of matrices for each example: kernels by what
lies under them. Many kernels on a small map make a tall product with few columns, and all kernels
are read from memory again for each example. With the examples as one more axis that the window does
not move along, there is one product with the columns of all examples: for 128 kernels of 128
channels on maps of 8x8 it takes two thirds of the time, the two transpositions counted in.

Right for any runtime; worth it where this one computes on a CPU, so it is done where a model is
about to run, and never to one that is exported.
"""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from cnnspec.onnxir.graph import Dims, Draw, Model, Node, Tensor, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAVY = 2**16
"""Numbers of all kernels from which on reading them again and again counts."""

SMALL = 200
"""Places of a map up to which an example has too few columns."""

EXAMPLES_AXIS, DEPTH_AXIS = "together/examples_axis", "together/depth_axis"


def gather_examples(model: Model) -> Model:
    """The model with such convolutions over all examples at once."""
    shapes, gathered = model.known(), model.emptied()
    gathered.tensors.update(_axes())
    gathered.values.update(model.values)
    for node in model.nodes:
        if node.op == "Conv" and _pays(node, shapes):
            _gather(gathered, node, shapes)
        else:
            gathered.nodes.append(node)
    return gathered.with_nodes(gathered.nodes)


def _axes() -> dict[str, Tensor]:
    def one(name: str, axis: int) -> Tensor:
        return Tensor(Value(name, (1,), "int64"), _number(axis))

    return {name: one(name, n) for name, n in ((EXAMPLES_AXIS, 0), (DEPTH_AXIS, 2))}


def _number(n: int) -> Draw:
    def draw() -> "NDArray[Any]":
        import numpy as np

        return np.array([n], np.int64)

    return draw


def _pays(node: Node, shapes: dict[str, Value]) -> bool:
    x, w, y = (shapes[name] for name in (*node.inputs[:2], node.outputs[0]))
    if len(x.shape) != 4 or node.attributes.get("group", 1) != 1 or x.shape[0] == 1:
        return False
    kernels = [n for n in w.shape if isinstance(n, int)]
    is_heavy = len(kernels) == 4 and kernels[0] * prod(kernels[1:]) >= HEAVY
    return is_heavy and len(y.inner) == 3 and prod(y.inner[1:]) <= SMALL


def _gather(model: Model, node: Node, shapes: dict[str, Value]) -> None:
    x, w, y = (shapes[name] for name in (*node.inputs[:2], node.outputs[0]))

    def op(kind: str, part: str, dims: Dims, *inputs: str, **attributes: tuple[int, ...]) -> str:
        value = Value(f"{y.name}/together/{part}", dims)
        model.values[value.name] = value
        name = f"{node.name}/together/{part}"
        model.nodes.append(Node(kind, inputs, (value.name,), attributes, name, node.source))
        return value.name

    n, c, *sizes = x.shape
    turned = op("Transpose", "turned", (c, n, *sizes), x.name, perm=(1, 0, 2, 3))
    image = op("Unsqueeze", "image", (1, c, n, *sizes), turned, EXAMPLES_AXIS)
    o, _, *taps = w.shape
    kernels = op("Unsqueeze", "kernels", (o, c, 1, *taps), w.name, DEPTH_AXIS)
    _, _, *places = y.shape
    maps = op(
        "Conv",
        "maps",
        (1, o, n, *places),
        *(image, kernels, *node.inputs[2:]),
        **_with_depth(node),
    )
    apart = op("Squeeze", "apart", (o, n, *places), maps, EXAMPLES_AXIS)
    back = {"perm": (1, 0, 2, 3)}
    model.nodes.append(Node("Transpose", (apart,), node.outputs, back, node.name, node.source))


def _with_depth(node: Node) -> Mapping[str, tuple[int, ...]]:
    """What is said of the window, with an axis before the others along which it is of one place."""
    found = {
        key: tuple(int(n) for n in said)
        for key, said in node.attributes.items()
        if not isinstance(said, int | float | str)
    }
    made = {key: (1, *numbers) for key, numbers in found.items() if key != "pads"}
    if "pads" in found:
        top, left, bottom, right = found["pads"]
        made["pads"] = (0, top, left, 0, bottom, right)
    return made
