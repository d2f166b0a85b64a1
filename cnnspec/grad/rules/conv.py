"""How does a convolution's result change with its image and with its kernels?

With image axis i, map axis j and tap t (Conv-11, one axis; more go alike):

    y[n,o,j] = Σ_{c,t} x[n,c,s·j + d·t - p]·w[o,c,t] + b[o]
    dx[n,c,i] = Σ_{o,t} dy[n,o,j]·w[o,c,t] where s·j + d·t - p = i     a transposed convolution
    dw[o,c,t] = Σ_{n,j} dy[n,o,j]·x[n,c,s·j + d·t - p]                 a convolution over n and j

In dw examples take the place of channels, s is the distance of the taps, and d how far the window
moves. ConvTranspose is dx with the names changed: its result is an image, what it takes are maps.
"""

from collections.abc import Mapping
from math import prod

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.conv_taps import by_taps
from cnnspec.grad.rules.slide import Slide
from cnnspec.onnxir.graph import Dims, Value

FEW_TAPS = 32
"""Numbers under a window up to which copying them all is cheaper than a second convolution."""

ENOUGH_MAPS = 16
"""Maps from which on a convolution works out a full vector of them at a time."""


def conv(g: Adjoint, dy: Value, n: Use) -> Grads:
    x, w = n.input(0), n.input(1)
    slide = _slide(n, x, dy)
    grads = [_by_image(g, slide, dy, w, x.shape), _by_kernel(g, slide, x, dy)]
    return [*grads, _by_bias(g, dy)] if n.has(2) else grads


def transposed(g: Adjoint, dy: Value, n: Use) -> Grads:
    x, w = n.input(0), n.input(1)
    assert "output_shape" not in n.node.attributes, "the padding says how large the result is"
    slide = _slide(n, dy, x)
    dx = g.op(
        "Conv",
        _reached(g, slide, dy),
        w,
        dims=x.shape,
        kernel_shape=slide.kernel,
        strides=slide.strides,
        dilations=slide.dilations,
        pads=slide.pads,
        group=slide.group,
    )
    grads = [dx, _by_kernel(g, slide, dy, x)]
    return [*grads, _by_bias(g, dy)] if n.has(2) else grads


def _slide(n: Use, image: Value, maps: Value) -> Slide:
    assert n.word("auto_pad", "NOTSET") == "NOTSET", "the padding is in numbers"
    rank = len(image.inner) - 1
    once = (1,) * rank
    return Slide(
        image.inner[1:],
        maps.inner[1:],
        n.input(1).inner[1:],
        n.wholes("strides") or once,
        n.wholes("dilations") or once,
        (n.wholes("pads") or (0,) * 2 * rank)[:rank],
        n.whole("group", 1),
    )


# ── by the bias ────────────────────────────────────────────────────────────────────────────────


def _by_bias(g: Adjoint, dy: Value) -> Value:
    axes = (0, *range(2, len(dy.shape)))
    return g.reduce("ReduceSum", dy, axes, dims=dy.shape[1:2], keepdims=0, part="bias")


# ── by the image ───────────────────────────────────────────────────────────────────────────────


def _by_image(g: Adjoint, slide: Slide, dy: Value, w: Value, image: Dims) -> Value:
    if _turns(slide, w, image):
        return _with_turned_kernels(g, slide, dy, w, image)
    # What rounding down left over belongs to the end.
    fits = zip(slide.ends, slide.pads[len(slide.ends) :], strict=True)
    return g.op(
        "ConvTranspose",
        dy,
        w,
        dims=image,
        part="image",
        kernel_shape=slide.kernel,
        strides=slide.strides,
        dilations=slide.dilations,
        pads=slide.pads,
        output_padding=[given - needed for needed, given in fits],
        group=slide.group,
    )


def _turns(slide: Slide, w: Value, image: Dims) -> bool:
    """Is a convolution with turned kernels right, and faster than the transposed one?"""
    maps, channels = w.shape[0], image[1]
    assert isinstance(maps, int)
    assert isinstance(channels, int)
    pads = zip((*slide.begins, *slide.ends), slide.reach * 2, strict=True)
    if not slide.moves_by_one or any(pad > reach for pad, reach in pads):
        return False
    if slide.group == 1:
        return channels >= max(maps / 2, ENOUGH_MAPS)
    return slide.group == channels == maps


def _with_turned_kernels(g: Adjoint, slide: Slide, dy: Value, w: Value, image: Dims) -> Value:
    # s = 1: dx[n,c,i] = Σ_{o,t} dy[n,o,i + p - d·t]·w[o,c,t], and with t = k - 1 - u
    #                  = Σ_{o,u} dy[n,o,i + d·u - (d·(k - 1) - p)]·w[o,c,k - 1 - u]
    pads = zip((*slide.begins, *slide.ends), slide.reach * 2, strict=True)
    turned = _flipped(g, w)
    return g.op(
        "Conv",
        dy,
        _swapped(g, turned) if slide.group == 1 else turned,
        dims=image,
        part="image",
        kernel_shape=slide.kernel,
        dilations=slide.dilations,
        pads=[reach - pad for pad, reach in pads],
        group=slide.group,
    )


def _flipped(g: Adjoint, w: Value) -> Value:
    """The taps of all axes from last to first."""
    axes = [a for a, k in enumerate(w.shape) if a >= 2 and k != 1]
    if not axes:
        return w
    ends = ((-1, "from"), (-1 - max(w.inner), "to"))
    limits = [g.ints(part, [end] * len(axes)) for end, part in ends]
    steps = g.ints("back", [-1] * len(axes))
    return g.op("Slice", w, *limits, g.ints("taps", axes), steps, part="flipped")


def _swapped(g: Adjoint, x: Value) -> Value:
    """The first two axes in the other order."""
    dims = (x.shape[1], x.shape[0], *x.shape[2:])
    perm = (1, 0, *range(2, len(dims)))
    return g.op("Transpose", x, dims=dims, part="swapped", perm=perm)


# ── by the kernels ─────────────────────────────────────────────────────────────────────────────


def _by_kernel(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """From an image and the maps' gradient; also from an image's gradient and the maps."""
    if slide.group == 1 and set(slide.kernel) == {1} and not any(slide.pads):
        return _of_points(g, slide, x, dy)
    if slide.group == 1 and _is_small(slide, x):
        return _of_windows(g, slide, x, dy)
    x = _reached(g, slide, x)
    if g.for_gpu:
        return by_taps(g, slide, x, dy)
    if slide.group == 1 and slide.dilations[-1] == 1:
        return _of_rows(g, slide, x, dy)
    return _of_maps(g, slide, x, dy)


def _reached(g: Adjoint, slide: Slide, x: Value) -> Value:
    """The image without the last pixels of an axis, where no window reaches them."""
    over = [(a, n + e) for a, (n, e) in enumerate(zip(slide.image, slide.ends, strict=True), 2)]
    over = [(a, n) for a, n in over if n < slide.image[a - 2]]
    if not over:
        return x
    return _sliced(g, x, over, [1] * len(over))


def _sliced(g: Adjoint, x: Value, ends: list[tuple[int, int]], steps: list[int]) -> Value:
    """Every so many-th number of some axes up to an end."""
    dims = list(x.shape)
    for (axis, end), step in zip(ends, steps, strict=True):
        dims[axis] = -(-end // step)
    axes, stops = [a for a, _ in ends], [end for _, end in ends]
    parts = (("from", [0] * len(ends)), ("to", stops), ("along", axes), ("by", steps))
    numbers = [g.ints(part, values) for part, values in parts]
    return g.op("Slice", x, *numbers, dims=tuple(dims), part="reached")


def _of_points(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """Kernels of one pixel: a product of matrices for each example, summed over them."""
    rank = len(slide.kernel)
    if not slide.moves_by_one or any(slide.ends):
        reach = [s * (m - 1) + 1 for s, m in zip(slide.strides, slide.maps, strict=True)]
        x = _sliced(g, x, list(enumerate(reach, 2)), list(slide.strides))
    return _products(g, _long(g, dy), _long(g, x), (1,) * rank)


def _long(g: Adjoint, x: Value) -> Value:
    """All pixels of a map in a row."""
    channels, *sizes = x.inner
    long = g.ints("long", (0, channels, prod(sizes)))
    return g.op("Reshape", x, long, shape=(channels, prod(sizes)), part="long")


def _products(g: Adjoint, dy: Value, x: Value, kernel: tuple[int, ...]) -> Value:
    """w[o,c] = Σ_{n,j} dy[n,o,j]·x[n,c,j], with axes for the taps."""
    (o, places), (c, _) = dy.inner, x.inner
    turned = g.op("Transpose", x, shape=(places, c), part="turned", perm=(0, 2, 1))
    each = g.op("MatMul", dy, turned, shape=(o, c), part="each")
    total = g.reduce("ReduceSum", each, (0,), dims=(o, c), keepdims=0, part="total")
    return g.op(
        "Reshape", total, g.ints("kernel", (o, c, *kernel)), dims=(o, c, *kernel), part="kernels"
    )


def _is_small(slide: Slide, x: Value) -> bool:
    """A window of few numbers on an image, as in a network's first layer."""
    plain = slide.moves_by_one and set(slide.dilations) == {1}
    return len(slide.kernel) == 2 and plain and x.inner[0] * prod(slide.kernel) <= FEW_TAPS


def _of_windows(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """What lies under each tap copied out, then a product of matrices for each example."""
    (high, wide), (rows, columns) = slide.kernel, slide.maps
    c, maps = x.inner[0], dy.inner[0]
    height = rows + high - 1
    if any(slide.pads):
        (top, left, bottom, right) = slide.pads
        pads = g.ints("pads", (0, 0, top, left, 0, 0, bottom, right))
        x = g.op("Pad", x, pads, shape=(c, height, columns + wide - 1), part="padded")
    shifted = [_columns(g, x, k, columns) for k in range(wide)]
    beside = g.op("Concat", *shifted, shape=(wide * c, height, columns), part="beside", axis=1)
    # [n, (v,c), u, (i,j)]: pixel (i + u, j + v) of channel c
    reads = g.ints("rows", [u + i for u in range(high) for i in range(rows)], (high, rows))
    under = g.op(
        "Gather", beside, reads, shape=(wide * c, high, rows, columns), part="under", axis=2
    )
    taps, places = wide * c * high, rows * columns
    under = g.op(
        "Reshape", under, g.ints("taps", (0, taps, places)), shape=(taps, places), part="taps_first"
    )
    turned = g.op("Transpose", _long(g, dy), shape=(places, maps), part="turned", perm=(0, 2, 1))
    each = g.op("MatMul", under, turned, shape=(taps, maps), part="each")
    total = g.reduce("ReduceSum", each, (0,), dims=(taps, maps), keepdims=0, part="total")
    apart = (wide, c, high, maps)
    split = g.op("Reshape", total, g.ints("apart", apart), dims=apart, part="split")
    dims = (maps, c, high, wide)
    return g.op("Transpose", split, dims=dims, part="kernels", perm=(3, 1, 2, 0))


def _columns(g: Adjoint, x: Value, start: int, count: int) -> Value:
    limits = [g.ints(part, (k,)) for part, k in (("from", start), ("to", start + count), ("on", 3))]
    return g.op("Slice", x, *limits, dims=(*x.shape[:3], count), part="shifted")


def _of_rows(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """One convolution, with the channels of a pixel side by side in the rows of the image.

    Its window moves over the channels, then over the pixels: so what it copies are long runs.
    """
    c, maps, rank = x.inner[0], dy.inner[0], len(slide.kernel)
    last = (0, *range(2, rank + 2), 1)
    (*sizes, width) = x.inner[1:]
    inside = g.op("Transpose", x, shape=(*sizes, width, c), part="channels_last", perm=last)
    image = (1, x.shape[0], *sizes, width * c)
    row = g.op(
        "Reshape", inside, g.ints("image", (1, -1, *sizes, width * c)), dims=image, part="rows"
    )
    (*kernel, wide), (*steps, step), (*moves, _) = slide.kernel, slide.strides, slide.dilations
    found = g.op(
        "Conv",
        row,
        _swapped(g, dy),
        dims=(1, maps, *kernel, wide * c),
        part="found",
        kernel_shape=slide.maps,
        dilations=(*steps, step * c),
        strides=(*moves, 1),
        pads=[p * (c if a % rank == rank - 1 else 1) for a, p in enumerate(slide.pads)],
    )
    apart = (maps, *slide.kernel, c)
    split = g.op("Reshape", found, g.ints("apart", apart), dims=apart, part="split")
    perm = (0, rank + 1, *range(1, rank + 1))
    return g.op("Transpose", split, dims=(maps, c, *slide.kernel), part="kernels", perm=perm)


def _of_maps(g: Adjoint, slide: Slide, x: Value, dy: Value) -> Value:
    """One convolution, with channels as examples and examples as channels; for any groups."""
    (c, *sizes), maps, rank, groups = x.inner, dy.inner[0], len(slide.kernel), slide.group
    each = c // groups
    examples = x.shape[0]
    many = examples * groups if isinstance(examples, int) else f"{examples}*{groups}"
    # [n, (g,c)] becomes [c, (g,n)]
    split = g.op(
        "Reshape",
        x,
        g.ints("groups", (0, groups, each, *sizes)),
        shape=(groups, each, *sizes),
        part="grouped",
    )
    turned = g.op(
        "Transpose",
        split,
        dims=(each, groups, examples, *sizes),
        part="channels_first",
        perm=(2, 1, 0, *range(3, rank + 3)),
    )
    image = g.op(
        "Reshape",
        turned,
        g.ints("image", (each, -1, *sizes)),
        dims=(each, many, *sizes),
        part="image_of_channels",
    )
    found = g.op(
        "Conv",
        image,
        _swapped(g, dy),
        dims=(each, maps, *slide.kernel),
        part="found",
        kernel_shape=slide.maps,
        dilations=slide.strides,
        strides=slide.dilations,
        pads=slide.pads,
        group=groups,
    )
    return _swapped(g, found)


RULES: Mapping[str, Rule] = {"Conv": conv, "ConvTranspose": transposed}
