"""What of values in blocks is cut, joined and shaped anew without bringing its axes in order?"""

from collections.abc import Mapping

from cnnspec.emit.passes.blocks import Blocks, Rule, wholes
from cnnspec.onnxir.graph import Dims, DType, Node, Value


def reshape(b: Blocks, node: Node) -> bool:
    x, y = b.value(node.inputs[0]), b.value(node.outputs[0])
    if not b.has_only(x.name) or not b.fits(y.name) or x.shape[:2] != y.shape[:2]:
        return False
    # All behind the channels stays in its order.
    dims = y.shape if len(y.shape) == 4 else b.apart(y)
    shape = b.g.ints("blocked_shape", (0, *(n for n in dims[1:] if isinstance(n, int))))
    b.hold(y.name, b.g.op("Reshape", b.blocked(x.name), shape, dims=dims, part="blocked"))
    return True


def transpose(b: Blocks, node: Node) -> bool:
    """The channels last, which the runtime does on the way out of blocks."""
    x, y = b.value(node.inputs[0]), b.value(node.outputs[0])
    rank = len(x.shape)
    if not b.has_only(x.name) or wholes(node, "perm") != (0, *range(2, rank), 1):
        return False
    held, (c, *_) = b.with_four_axes(x.name), x.inner
    said = {"channels": c, "channels_last": 1}
    if rank == 4:
        b.own("ReorderOutput", held, dims=y.shape, said=said)
    else:
        dims = (held.shape[0], *held.inner[1:], c)
        last = b.own("ReorderOutput", held, dims=dims, part="channels_last", said=said)
        b.g.op("Reshape", last, b.g.ints("shape", (0, *y.inner)), dims=y.shape)
    b.hold_plain(y.name)
    return True


def split(b: Blocks, node: Node) -> bool:
    x = node.inputs[0]
    axis = _axis(b, node, x)
    sizes = b.numbers(node.inputs[1]) if len(node.inputs) > 1 else None
    if sizes is None or axis < 1 or not b.has_only(x) or not all(map(b.fits, node.outputs)):
        return False
    held = _seen(b, x, axis)
    results: list[tuple[str, Dims, DType]] = [
        (f"blocked_{k}", _dims(b, name, axis), "float") for k, name in enumerate(node.outputs)
    ]
    made = b.g.ops("Split", held, b.g.ints("blocked_sizes", sizes), results=results, axis=axis)
    for name, value in zip(node.outputs, made, strict=True):
        _hold(b, name, value, axis)
    return True


def concat(b: Blocks, node: Node) -> bool:
    y = node.outputs[0]
    axis = _axis(b, node, y)
    if axis < 1 or not all(map(b.fits, (*node.inputs, y))) or not b.is_worth(node.inputs):
        return False
    held = [_seen(b, name, axis) for name in node.inputs]
    value = b.g.op("Concat", *held, dims=_dims(b, y, axis), part="blocked", axis=axis)
    _hold(b, y, value, axis)
    return True


def cut(b: Blocks, node: Node) -> bool:
    """Some of the examples, rows or columns."""
    x, y = node.inputs[0], node.outputs[0]
    axes = b.numbers(node.inputs[3]) if len(node.inputs) > 3 else None
    if axes is None or 1 in axes or min(axes) < 0 or not b.has_only(x) or not b.fits(y):
        return False
    given = [b.plain(name) for name in node.inputs[1:]]
    value = b.g.op("Slice", _seen(b, x, 2), *given, dims=_dims(b, y, 2), part="blocked")
    _hold(b, y, value, 2)
    return True


def pad(b: Blocks, node: Node) -> bool:
    """More rows or columns."""
    x, y = node.inputs[0], node.outputs[0]
    sizes = b.numbers(node.inputs[1])
    if sizes is None or len(node.inputs) > 3 or not b.has_only(x) or not b.fits(y):
        return False
    rank = len(b.value(x).shape)
    begins, ends = sizes[:rank], sizes[rank:]
    if any((*begins[:2], *ends[:2])):
        return False
    pads = b.g.ints("blocked_pads", (*begins, 0, *ends, 0))
    given = [_seen(b, x, 2), pads, *(b.plain(name) for name in node.inputs[2:])]
    value = b.g.node("Pad", given, node.attributes, dims=_dims(b, y, 2), part="blocked")
    _hold(b, y, value, 2)
    return True


def _axis(b: Blocks, node: Node, like: str) -> int:
    """Along which axis it goes; 0 where that is one of the channels that blocks have elsewhere."""
    axis, rank = node.attributes.get("axis", 0), len(b.value(like).shape)
    assert isinstance(axis, int)
    axis %= rank
    return 0 if axis == 1 and rank != 4 else axis


def _seen(b: Blocks, name: str, axis: int) -> Value:
    """A value in blocks, such that the axis is where the model has it."""
    return b.blocked(name) if axis == 1 else b.opened(name)


def _dims(b: Blocks, name: str, axis: int) -> Dims:
    value = b.value(name)
    return value.shape if axis == 1 else b.apart(value)


def _hold(b: Blocks, name: str, value: Value, axis: int) -> None:
    if axis == 1:
        b.hold(name, value)
    else:
        b.close(name, value)


SHAPING: Mapping[str, Rule] = {
    "Reshape": reshape,
    "Transpose": transpose,
    "Split": split,
    "Concat": concat,
    "Slice": cut,
    "Pad": pad,
}
