"""Which pixel was the largest of a window, or of a whole map, and gets all of the gradient?

Of equal ones it is the first, row by row, as in PyTorch.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.elementwise import STEEP
from cnnspec.grad.rules.pool import Windows, times, windows_of
from cnnspec.onnxir.graph import Dims, DType, Value
from cnnspec.text.record import record

SCATTER_ADDS = 16
"""The first opset in which several numbers may be scattered to one place."""


def max_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    windows = windows_of(n)
    assert not n.whole("storage_order", 0), "indices go along the rows"
    sides = zip(windows.kernel, windows.strides, windows.reach, strict=True)
    covered = [m * k for m, k in zip(windows.count, windows.kernel, strict=True)]
    fits = all(size <= n for size, n in zip(covered, windows.image, strict=True))
    if fits and not any(windows.begins) and all(k == s == r for k, s, r in sides):
        return (_of_tiles(g, dy, n.input(0), windows, covered),)
    return (_of_places(g, dy, n, windows),)


# ── windows side by side ───────────────────────────────────────────────────────────────────────


@record
class Along:
    """The maximum along one axis, of pixels that are taken apart by their places in the window."""

    before: Dims
    axis: int
    wins: tuple[Value, ...]
    """For each place but the first: 1 where one before it is as large, otherwise 0."""


def _of_tiles(
    g: Adjoint, dy: Value, image: Value, windows: Windows, covered: Sequence[int]
) -> Value:
    """The largest along the rows, then the largest of these, and back the same way.

    Of equal numbers the first in the window, row by row, gets the gradient: it lies in the first of
    the rows that have one, and is the first there. Asking the operator for places takes thirty
    times as long as the maximum alone, and this a third of that; where windows overlap, it takes as
    long.
    """
    x = _covered(g, image, covered)
    axes = [axis for axis, k in enumerate(windows.kernel, 2) if k > 1]
    along: list[Along] = []
    for axis in reversed(axes):
        pixels = _apart(g, x, axis, windows.kernel[axis - 2])
        # The very last maximum would be the operator's result.
        largest, wins = _compared(g, pixels, all_of_them=axis != axes[0])
        along.append(Along(x.shape, axis, wins))
        if axis != axes[0]:
            dims = (*x.shape[:axis], windows.count[axis - 2], *x.shape[axis + 1 :])
            x = _shaped(g, largest, dims)
    for maximum in reversed(along):
        dy = _to_winners(g, dy, maximum)
    if dy.shape == image.shape:
        return dy
    left = [n - size for n, size in zip(windows.image, covered, strict=True)]
    pads = g.ints("pads", (0, 0, *(0 for _ in left), 0, 0, *left))
    return g.op("Pad", dy, pads, dims=image.shape, part="image")


def _compared(
    g: Adjoint, pixels: Sequence[Value], *, all_of_them: bool
) -> tuple[Value, tuple[Value, ...]]:
    """The largest of them, or of all but the last; where those before one are as large."""
    largest, wins = pixels[0], list[Value]()
    for k, pixel in enumerate(pixels[1:], 1):
        # max(0, min(1, STEEP·x + 1)) is 0 below 0 and 1 elsewhere: a comparison and a cast take
        # three times as long.
        lead = g.op("Sub", largest, pixel, part="lead")
        wins.append(g.op("HardSigmoid", lead, part="ahead", alpha=STEEP, beta=1.0))
        if all_of_them or k < len(pixels) - 1:
            largest = g.op("Max", largest, pixel, part="largest")
    return largest, tuple(wins)


def _covered(g: Adjoint, x: Value, sizes: Sequence[int]) -> Value:
    """The image without the last pixels, which are in no window."""
    if x.inner[1:] == tuple(sizes):
        return x
    limits = (("from", [0] * len(sizes)), ("to", sizes), ("along", range(2, len(x.shape))))
    numbers = [g.ints(part, tuple(values)) for part, values in limits]
    return g.op("Slice", x, *numbers, dims=(*x.shape[:2], *sizes), part="covered")


def _to_winners(g: Adjoint, dy: Value, a: Along) -> Value:
    dy = _shaped(g, dy, a.wins[0].shape)
    shares: list[Value] = []
    for wins in reversed(a.wins):
        ahead = g.op("Mul", dy, wins, part="to_ahead")
        shares.append(g.op("Sub", dy, ahead, part="to_pixel"))
        dy = ahead
    shares.append(dy)
    k = len(shares)
    dims = (*dy.shape[: a.axis + 1], k, *dy.shape[a.axis + 2 :])
    joined = g.op("Concat", *reversed(shares), dims=dims, part="joined", axis=a.axis + 1)
    return _shaped(g, joined, a.before)


def _apart(g: Adjoint, x: Value, axis: int, k: int) -> Sequence[Value]:
    """Every k-th pixel of an axis, from the first on, from the second on, …"""
    size = x.shape[axis]
    assert isinstance(size, int)
    split = _shaped(g, x, (*x.shape[:axis], size // k, k, *x.shape[axis + 1 :]))
    one = (*split.shape[: axis + 1], 1, *split.shape[axis + 2 :])
    results: list[tuple[str, Dims, DType]] = [(f"pixel{t}", one, x.dtype) for t in range(k)]
    return g.ops("Split", split, g.ints("ones", (1,) * k), results=results, axis=axis + 1)


def _shaped(g: Adjoint, x: Value, dims: Dims) -> Value:
    sizes = [n if isinstance(n, int) else -1 for n in dims]
    return g.op("Reshape", x, g.ints("dims", sizes), dims=dims, part="shaped")


# ── any windows ────────────────────────────────────────────────────────────────────────────────


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


# ── whole maps ─────────────────────────────────────────────────────────────────────────────────


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
