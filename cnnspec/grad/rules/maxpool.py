"""Which pixel was the largest of a window, or of a whole map, and gets all of the gradient?

Of equal ones it is the first, row by row, as in PyTorch.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import inf, prod

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.pool import Windows, times, windows_of
from cnnspec.onnxir.graph import Dims, DType, Value
from cnnspec.text.record import record

SCATTER_ADDS = 16
"""The first opset in which several numbers may be scattered to one place."""


def max_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    windows = windows_of(n)
    assert not n.whole("storage_order", 0), "indices go along the rows"
    closely = all(s <= k for s, k in zip(windows.strides, windows.kernel, strict=True))
    if closely and set(windows.dilations) == {1}:
        return (_axis_by_axis(g, dy, n.input(0), n.y[0], windows),)
    return (_of_places(g, dy, n, windows),)


def _axis_by_axis(g: Adjoint, dy: Value, x: Value, y: Value, windows: Windows) -> Value:
    """The largest along the rows, then the largest of these, and back the same way.

    Of equal numbers the first in the window, row by row, gets the gradient: it lies in the first of
    the rows that have one, and is the first there. Asking the operator for places takes thirty
    times as long as the maximum alone, and adding to places is slow as well.
    """
    along: list[Along] = []
    sides = zip(windows.kernel, windows.count, windows.image, strict=True)
    axes = [axis for axis, (k, m, n) in enumerate(sides) if (k, m) != (1, n)]
    for axis in reversed(axes):
        along.append(_larger(g, x, axis, windows, y if axis == axes[0] else None))
        x = along[-1].largest
    for maximum in reversed(along):
        dy = _to_winners(g, dy, maximum)
    return dy


@record
class Along:
    """The maximum along one axis. With a stride of s, tap t of window j is pixel s·j + t - begin:
    of every s-th pixel from `first` on, number j + `shift`."""

    x: Value
    axis: int
    taps: int
    stride: int
    begin: int
    largest: Value
    wins: tuple[Value, ...]
    """For each tap but the first: 1 where one before it is as large, otherwise 0."""

    def shift(self, tap: int) -> int:
        return (tap - self.begin) // self.stride

    def first(self, tap: int) -> int:
        return (tap - self.begin) % self.stride


def _size(x: Value, axis: int) -> int:
    size = x.shape[axis]
    assert isinstance(size, int)
    return size


def _larger(g: Adjoint, x: Value, axis: int, windows: Windows, y: Value | None) -> Along:
    """Along one axis; along the last one to go, the maximum is the result that there is."""
    s, k, m = windows.strides[axis], windows.kernel[axis], windows.count[axis]
    begin, axis = windows.begins[axis], axis + 2
    least = g.scalar("least", -inf)
    phases = _phases(g, x, axis, s, least)
    taps: list[Value] = []
    for t in range(k):
        shift, first = divmod(t - begin, s)
        taps.append(_moved(g, phases[first], axis, -shift, m, least))
    largest, wins = taps[0], list[Value]()
    for tap in taps[1:]:
        is_ahead = g.op("GreaterOrEqual", largest, tap, dtype="bool", part="is_ahead")
        wins.append(g.op("Cast", is_ahead, dtype="float", part="ahead", to=1))
        if y is None or tap != taps[-1]:
            largest = g.op("Max", largest, tap, part="largest")
    if y is None:
        y = _shaped(g, largest, (*x.shape[:axis], m, *x.shape[axis + 1 :]))
    return Along(x, axis, k, s, begin, y, tuple(wins))


def _to_winners(g: Adjoint, dy: Value, a: Along) -> Value:
    axis, s, n = a.axis, a.stride, _size(a.x, a.axis)
    pixels = -(-n // s)
    shares: list[Value] = []
    dy = _shaped(g, dy, a.wins[0].shape) if a.wins else dy
    for wins in reversed(a.wins):
        ahead = g.op("Mul", dy, wins, part="to_ahead")
        shares.append(g.op("Sub", dy, ahead, part="to_tap"))
        dy = ahead
    shares.append(dy)
    phases: list[Value] = []
    for first in range(s):
        taps = [(t, share) for t, share in enumerate(reversed(shares)) if a.first(t) == first]
        moved = [_moved(g, share, axis, a.shift(t), pixels) for t, share in taps]
        phases.append(moved[0] if len(moved) == 1 else g.op("Sum", *moved, part="phase"))
    if s == 1:
        return phases[0]
    dims = _split(a.x.shape, axis, pixels, s)
    joined = g.op("Concat", *phases, dims=dims, part="joined", axis=axis + 1)
    whole = _shaped(g, joined, (*a.x.shape[:axis], s * pixels, *a.x.shape[axis + 1 :]))
    return _moved(g, whole, axis, 0, n)


def _phases(g: Adjoint, x: Value, axis: int, stride: int, fill: Value) -> Sequence[Value]:
    """Every so many-th pixel of an axis, from the first on, from the second on, …"""
    if stride == 1:
        return [x]
    pixels = -(-_size(x, axis) // stride)
    whole = _moved(g, x, axis, 0, stride * pixels, fill)
    apart = _shaped(g, whole, _split(x.shape, axis, pixels, stride))
    one = (*apart.shape[: axis + 1], 1, *apart.shape[axis + 2 :])
    results: list[tuple[str, Dims, DType]] = [(f"phase{k}", one, x.dtype) for k in range(stride)]
    ones = g.ints("ones", (1,) * stride)
    return g.ops("Split", apart, ones, results=results, axis=axis + 1)


def _split(dims: Dims, axis: int, size: int, by: int) -> Dims:
    return (*dims[:axis], size, by, *dims[axis + 1 :])


def _moved(g: Adjoint, x: Value, axis: int, by: int, size: int, fill: Value | None = None) -> Value:
    """An axis moved so many pixels towards its end, and brought to a size."""
    end = size - by - _size(x, axis)
    if not by and not end:
        return x
    dims = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    if by <= 0 and end <= 0:
        limits = (("from", -by), ("to", size - by), ("along", axis))
        return g.op("Slice", x, *(g.ints(part, (k,)) for part, k in limits), dims=dims, part="some")
    pads = [0] * 2 * len(x.shape)
    pads[axis], pads[axis + len(x.shape)] = by, end
    return g.op("Pad", x, g.ints("pads", pads), fill, dims=dims, part="moved")


def _shaped(g: Adjoint, x: Value, dims: Dims) -> Value:
    if x.shape == dims:
        return x
    sizes = [n if isinstance(n, int) else -1 for n in dims]
    return g.op("Reshape", x, g.ints("dims", sizes), dims=dims, part="shaped")


def _of_places(g: Adjoint, dy: Value, n: Use, windows: Windows) -> Value:
    """Any windows: the place of each largest number, to which the gradient is added."""
    x = n.input(0)
    _, places = g.ops(
        "MaxPool",
        x,
        results=[("largest", dy.shape, x.dtype), ("places", dy.shape, "int64")],
        **n.node.attributes,
    )
    passes = [-(-r // s) for r, s in zip(windows.reach, windows.strides, strict=True)]
    empty = _empty(g, x)
    if prod(passes) == 1 or g.opset >= SCATTER_ADDS:
        reduction = None if prod(passes) == 1 else "add"
        found = _scattered(g, empty, places, dy, reduction)
    else:
        # Windows so far apart that they share no pixel are scattered at once.
        parts = [_every(g, places, dy, starts, passes) for starts in _starts(windows, passes)]
        scattered = [_scattered(g, empty, some, what, None) for some, what in parts]
        found = g.op("Sum", *scattered)
    return g.op("Reshape", found, g.ints("image", (-1, *x.inner)), dims=x.shape, part="image")


def _empty(g: Adjoint, x: Value) -> Value:
    """As many zeros as x has numbers, in a row."""
    row = (times(x.shape[0], prod(x.inner)),)
    flat = g.op("Reshape", x, g.ints("row", (-1,)), dims=row, part="numbers")
    size = g.op("Shape", flat, dims=(1,), dtype="int64", part="size")
    return g.op("Expand", g.scalar("zero", 0), size, dims=row, part="zeros")


def _scattered(g: Adjoint, empty: Value, places: Value, dy: Value, reduction: str | None) -> Value:
    row = (times(dy.shape[0], prod(dy.inner)),)
    flat = g.ints("row", (-1,))
    where = g.op("Reshape", places, flat, dims=row, part="where")
    what = g.op("Reshape", dy, flat, dims=row, part="what")
    return g.op(
        "ScatterElements", empty, where, what, part="scattered", axis=0, reduction=reduction
    )


def _starts(windows: Windows, passes: Sequence[int]) -> list[tuple[int, ...]]:
    firsts = [range(min(p, m)) for p, m in zip(passes, windows.count, strict=True)]
    return list(product(*firsts))


def _every(
    g: Adjoint, places: Value, dy: Value, starts: Sequence[int], steps: Sequence[int]
) -> tuple[Value, Value]:
    """Every so many-th window along each axis, from a first one on."""
    ends = dy.inner[1:]
    dims = tuple(-(-(m - a) // s) for m, a, s in zip(ends, starts, steps, strict=True))
    axes = range(2, len(dy.shape))
    parts = (("from", starts), ("to", ends), ("along", axes), ("by", steps))
    numbers = [g.ints(part, tuple(values)) for part, values in parts]
    shape = (*dy.shape[:2], *dims)
    return (
        g.op("Slice", places, *numbers, dims=shape, part="some_places"),
        g.op("Slice", dy, *numbers, dims=shape, part="some"),
    )


def global_max_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    # The first of the largest in each map gets it all.
    x = n.input(0)
    c, *sizes = x.inner
    places = prod(sizes)
    long, one = (x.shape[0], c, places), (x.shape[0], c, 1)
    maps = g.op("Reshape", x, g.ints("long", (0, c, places)), dims=long, part="maps")
    largest = g.op("ArgMax", maps, dims=one, dtype="int64", part="largest", axis=2, keepdims=1)
    every = g.ints("places", range(places))
    wins = g.op("Equal", every, largest, dims=long, dtype="bool", part="wins")
    share = g.op("Cast", wins, dims=long, dtype="float", part="share", to=1)
    flat = g.op("Reshape", dy, g.ints("one", (0, c, 1)), dims=one, part="by_map")
    there = g.op("Mul", flat, share, part="there")
    return (g.op("Reshape", there, g.ints("image", (0, c, *sizes)), dims=x.shape, part="image"),)


RULES: Mapping[str, Rule] = {"MaxPool": max_pool, "GlobalMaxPool": global_max_pool}
