"""How do the gradients of kernels come of products of matrices, tap by tap?

    dw[o,c,t] = Σ_{n,j} dy[n,o,j]·x[n,c,s·j + d·t - p]

For each tap t that is, example by example, a product of matrices over the places j. As one
convolution it would have a window as large as the maps and only as many results as there are
weights: a GPU's convolution works each of them out in one place, one number after the other, and
leaves nearly all of its processors idle. Products of many examples keep them busy.
"""

from itertools import product
from math import prod

from cnnspec.grad.base import Adjoint
from cnnspec.grad.rules.slide import Slide
from cnnspec.onnxir.graph import Value


def by_taps(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """From an image that ends where the last window does, and the maps' gradient."""
    (*outer, wide), groups, maps = slide.kernel, slide.group, dy.inner[0]
    each, places = x.inner[0] // groups, prod(slide.maps)
    beside = _columns(g, slide, _padded(g, slide, x))
    long = g.op(
        "Reshape",
        dy,
        g.ints("by_group", (0, groups, maps // groups, places)),
        shape=(groups, maps // groups, places),
        part="long",
    )
    shape = (groups, places, maps // groups)
    turned = g.op("Transpose", long, shape=shape, part="turned", perm=(0, 1, 3, 2))
    found = [
        _of_tap(g, slide, beside, turned, taps) for taps in product(*(range(k) for k in outer))
    ]
    dims = (len(found), *found[0].shape[1:])
    all_taps = g.op("Concat", *found, dims=dims, part="all_taps", axis=0)
    # [taps of the outer axes, g, taps of the last, c, o] becomes [g, o, c, all taps]
    rank = len(outer)
    apart = (*outer, groups, wide, each, maps // groups)
    split = g.op("Reshape", all_taps, g.ints("apart", apart), dims=apart, part="split")
    perm = (rank, rank + 3, rank + 2, *range(rank), rank + 1)
    kernels = tuple(apart[axis] for axis in perm)
    swapped = g.op("Transpose", split, dims=kernels, part="kernels_by_group", perm=perm)
    dims = (maps, each, *slide.kernel)
    return g.op("Reshape", swapped, g.ints("kernel", dims), dims=dims, part="kernels")


def _padded(g: Adjoint, slide: Slide, x: Value) -> Value:
    if not any(slide.pads):
        return x
    rank = len(slide.kernel)
    begins, ends = slide.pads[:rank], slide.pads[rank:]
    sizes = zip(x.inner[1:], begins, ends, strict=True)
    shape = (x.inner[0], *(size + begin + end for size, begin, end in sizes))
    pads = g.ints("pads", (0, 0, *begins, 0, 0, *ends))
    return g.op("Pad", x, pads, shape=shape, part="padded")


def _columns(g: Adjoint, slide: Slide, x: Value) -> Value:
    """By group, what the taps of the last axis see, for each its own channels."""
    groups, (channels, *sizes), wide = slide.group, x.inner, slide.kernel[-1]
    shape = (groups, channels // groups, *sizes)
    grouped = g.op("Reshape", x, g.ints("groups", (0, *shape)), shape=shape, part="grouped")
    seen = [_seen(g, slide, grouped, len(sizes) - 1, tap) for tap in range(wide)]
    shape = (groups, wide * channels // groups, *sizes[:-1], slide.maps[-1])
    return g.op("Concat", *seen, shape=shape, part="beside", axis=2)


def _seen(g: Adjoint, slide: Slide, x: Value, axis: int, tap: int) -> Value:
    """What a tap of one axis of the image sees as the window moves along it."""
    step, count = slide.strides[axis], slide.maps[axis]
    start = tap * slide.dilations[axis]
    at = axis + 3
    limits = (("from", start), ("to", start + step * (count - 1) + 1), ("on", at), ("by", step))
    numbers = [g.ints(part, (n,)) for part, n in limits]
    dims = (*x.shape[:at], count, *x.shape[at + 1 :])
    return g.op("Slice", x, *numbers, dims=dims, part="seen")


def _of_tap(g: Adjoint, slide: Slide, x: Value, dy: Value, taps: tuple[int, ...]) -> Value:
    for axis, tap in enumerate(taps):
        x = _seen(g, slide, x, axis, tap)
    groups, rows, *sizes = x.inner
    long = g.ints("seen_long", (0, groups, rows, prod(sizes)))
    under = g.op("Reshape", x, long, shape=(groups, rows, prod(sizes)), part="under")
    columns = dy.inner[-1]
    each = g.op("MatMul", under, dy, shape=(groups, rows, columns), part="each")
    return g.reduce(
        "ReduceSum", each, (0,), dims=(1, groups, rows, columns), keepdims=1, part="tap"
    )
