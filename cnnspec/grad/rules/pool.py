"""How does the mean or the norm of a window, or of a whole map, change with its pixels?

Also when pixels are copied or interpolated, which is the same the other way round.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from math import floor, prod

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.elementwise import step
from cnnspec.onnxir.graph import Value
from cnnspec.text.record import record


@record
class Windows:
    """The windows of a pool, axis by axis."""

    image: tuple[int, ...]
    count: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Pixels from the first to the last that a window sees."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilations, self.kernel, strict=True))

    @property
    def is_tiling(self) -> bool:
        """Does every pixel lie in one window, and is there nothing else in them?"""
        sides = zip(self.image, self.count, self.kernel, self.strides, strict=True)
        fits = all(n == m * k and k == s for n, m, k, s in sides)
        return fits and not any((*self.begins, *self.ends))

    def seen(self, axis: int, *, with_padding: bool) -> list[int]:
        """How many pixels each window along an axis has."""
        n, begin, end = self.image[axis], self.begins[axis], self.ends[axis]
        low, high = (-begin, n + end) if with_padding else (0, n)
        starts = [i * self.strides[axis] - begin for i in range(self.count[axis])]
        taps = [t * self.dilations[axis] for t in range(self.kernel[axis])]
        return [sum(low <= start + t < high for t in taps) for start in starts]


def windows_of(n: Use) -> Windows:
    assert n.word("auto_pad", "NOTSET") == "NOTSET", "the padding is in numbers"
    kernel = n.wholes("kernel_shape")
    assert kernel is not None, f"`{n.node.name}` has no window"
    rank = len(kernel)
    once = (1,) * rank
    pads = n.wholes("pads") or (0,) * 2 * rank
    return Windows(
        n.input(0).inner[1:],
        n.y[0].inner[1:],
        kernel,
        n.wholes("strides") or once,
        n.wholes("dilations") or once,
        pads[:rank],
        pads[rank:],
    )


def times(n: int | str, factor: int) -> int | str:
    """A size so many times as large; of an open one, a word of its own."""
    return n * factor if isinstance(n, int) else f"{n}*{factor}"


# ── the mean ───────────────────────────────────────────────────────────────────────────────────


def average_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y[j] = 1/count[j]·Σ_{i in window j} x[i]  ⇒  dx[i] = Σ_{j: i in window j} dy[j]/count[j]
    assert not n.whole("ceil_mode", 0), "what hangs over the end is in the padding"
    windows = windows_of(n)
    counts = [
        windows.seen(axis, with_padding=bool(n.whole("count_include_pad", 0)))
        for axis in range(len(windows.kernel))
    ]
    alike = all(len(set(along)) == 1 for along in counts)
    size = prod(along[0] for along in counts)
    if windows.is_tiling:
        return (_tiled(g, dy, n.input(0), windows, 1 / size),)
    if alike:
        return (_spread(g, dy, n.input(0), windows, 1 / size),)
    shares = g.floats("shares", [1 / prod(ns) for ns in product(*counts)], windows.count)
    return (_spread(g, g.op("Mul", dy, shares, part="shared"), n.input(0), windows, 1),)


def _tiled(g: Adjoint, dy: Value, x: Value, windows: Windows, factor: float) -> Value:
    """Every pixel of a window gets the window's number times a factor."""
    share = dy if factor == 1 else g.op("Mul", dy, g.scalar("factor", factor), part="each")
    return g.op(
        "Resize",
        share,
        None,
        g.floats("scales", (1, 1, *windows.kernel)),
        dims=x.shape,
        part="tiles",
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _spread(g: Adjoint, dy: Value, x: Value, windows: Windows, factor: float) -> Value:
    """Every pixel gets the sum over its windows, times a factor."""
    pads = zip((*windows.begins, *windows.ends), windows.kernel * 2, strict=True)
    plain = {1} == {*windows.strides, *windows.dilations} and len(windows.kernel) <= 3
    if plain and all(pad < k for pad, k in pads):
        return _sums(g, dy, x, windows, factor * prod(windows.kernel))
    # One map at a time, as there is one kernel for all of them.
    c, *sizes = x.inner
    many = times(x.shape[0], c)
    alone = g.op(
        "Reshape",
        dy,
        g.ints("alone", (-1, 1, *windows.count)),
        dims=(many, 1, *windows.count),
        part="alone",
    )
    columns = zip(windows.strides, windows.count, windows.reach, windows.begins, sizes, strict=True)
    ends = [s * (m - 1) + r - b - n for s, m, r, b, n in columns]
    kernel = (1, 1, *windows.kernel)
    weights = g.floats("window", (factor,) * prod(kernel), kernel)
    found = g.op(
        "ConvTranspose",
        alone,
        weights,
        dims=(many, 1, *sizes),
        part="spread",
        kernel_shape=windows.kernel,
        strides=windows.strides,
        dilations=windows.dilations,
        pads=(*windows.begins, *(max(end, 0) for end in ends)),
        output_padding=[max(-end, 0) for end in ends],
    )
    return g.op("Reshape", found, g.ints("image", (-1, c, *sizes)), dims=x.shape, part="image")


def _sums(g: Adjoint, dy: Value, x: Value, windows: Windows, factor: float) -> Value:
    """With a stride of 1, the sum over a pixel's windows is that of a window of the gradient."""
    pads = zip((*windows.begins, *windows.ends), windows.kernel * 2, strict=True)
    means = g.op(
        "AveragePool",
        dy,
        dims=x.shape,
        part="means",
        kernel_shape=windows.kernel,
        pads=[k - 1 - pad for pad, k in pads],
        count_include_pad=1,
    )
    return g.op("Mul", means, g.scalar("factor", factor), part="sums")


def global_average_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    sizes = n.input(0).inner[1:]
    shares = g.floats("shares", (1 / prod(sizes),) * prod(sizes), sizes)
    return (g.op("Mul", dy, shares),)


# ── the p-norm ─────────────────────────────────────────────────────────────────────────────────


def lp_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y[j] = (Σ_i |x[i]|^p)^(1/p)  ⇒  dx[i] = sign(x[i])·|x[i]|^(p-1)·Σ_j dy[j]·y[j]^(1-p)
    assert not n.whole("ceil_mode", 0), "what hangs over the end is in the padding"
    windows, p, x = windows_of(n), n.whole("p", 2), n.input(0)
    share = _share(g, dy, n.y[0], p)
    spread = _tiled if windows.is_tiling else _spread
    return (g.op("Mul", _signed_power(g, x, p), spread(g, share, x, windows, 1), part="image"),)


def global_lp_pool(g: Adjoint, dy: Value, n: Use) -> Grads:
    p = n.whole("p", 2)
    return (g.op("Mul", _signed_power(g, n.input(0), p), _share(g, dy, n.y[0], p), part="image"),)


def _share(g: Adjoint, dy: Value, y: Value, p: int) -> Value:
    """dy·y^(1-p). Where y = 0, so is every x that it meets, and any number does for it."""
    if p == 1:
        return dy
    none = g.op("Sub", g.scalar("one", 1), step(g, y), part="is_zero")
    safe = g.op("Add", y, none, part="safe")
    if p == 2:
        return g.op("Div", dy, safe, part="share")
    return g.op("Mul", dy, g.op("Pow", safe, g.scalar("less", 1 - p)), part="share")


def _signed_power(g: Adjoint, x: Value, p: int) -> Value:
    """sign(x)·|x|^(p-1)."""
    if p == 2:
        return x
    sign = g.op("Sign", x)
    if p == 1:
        return sign
    return g.op("Mul", sign, g.op("Pow", g.op("Abs", x), g.scalar("less", p - 1)))


# ── pixels copied and interpolated ─────────────────────────────────────────────────────────────


def resize(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Along an axis y = A·x with a fixed matrix, so dx = Aᵀ·dy.
    x, y = n.input(0), n.y[0]
    scales = _scales(n)
    sides = list(zip(x.inner[1:], y.inner[1:], scales, strict=True))
    mode = n.word("mode", "nearest"), n.word("coordinate_transformation_mode", "half_pixel")
    assert mode in (("nearest", "asymmetric"), ("linear", "half_pixel")), f"Resize by {mode}"
    if mode[0] == "nearest":
        assert n.word("nearest_mode", "round_prefer_floor") == "floor", "nearest is the one below"
        if all(m % size == 0 and scale == m // size for size, m, scale in sides):
            return (_blocks(g, dy, x),)
    for axis, (size, m, scale) in reversed(list(enumerate(sides, 2))):
        if size != m:
            reads = _nearest if mode[0] == "nearest" else _between
            dy = _along(g, dy, x.shape[0], axis, size, [reads(i, size, scale) for i in range(m)])
    return (dy,)


def _scales(n: Use) -> list[float]:
    """How many times larger each spatial axis becomes."""
    if n.has(2) and n.input(2).shape != (0,):
        return [float(s) for s in n.constant(2).reshape(-1)[2:]]
    pairs = zip(n.input(0).inner[1:], n.y[0].inner[1:], strict=True)
    return [m / size for size, m in pairs]


def _blocks(g: Adjoint, dy: Value, x: Value) -> Value:
    """The sum of each block of copies."""
    factors = [m // n for n, m in zip(x.inner[1:], dy.inner[1:], strict=True)]
    means = g.op(
        "AveragePool", dy, dims=x.shape, part="means", kernel_shape=factors, strides=factors
    )
    return g.op("Mul", means, g.scalar("copies", prod(factors)), part="sums")


def _nearest(i: int, size: int, scale: float) -> dict[int, float]:
    """What pixel i is made of: pixels and their weights."""
    return {min(floor(i / scale), size - 1): 1.0}


def _between(i: int, size: int, scale: float) -> dict[int, float]:
    place = min(max((i + 0.5) / scale - 0.5, 0.0), size - 1.0)
    below = min(floor(place), size - 1)
    above = min(below + 1, size - 1)
    if above == below:
        return {below: 1.0}
    return {below: 1 - (place - below), above: place - below}


def _along(
    g: Adjoint,
    dy: Value,
    examples: int | str,
    axis: int,
    size: int,
    reads: Sequence[Mapping[int, float]],
) -> Value:
    """The gradient of an axis, of which each pixel was made of `reads`."""
    dims = (examples, *dy.shape[1:axis], size, *dy.shape[axis + 1 :])
    m, rest = len(reads), dy.inner[axis:]
    if not rest:
        weights = [made.get(k, 0.0) for made in reads for k in range(size)]
        return g.op("MatMul", dy, g.floats("weights", weights, (m, size)), dims=dims)
    weights = [made.get(k, 0.0) for k in range(size) for made in reads]
    matrix = g.floats("weights", weights, (size, m))
    if len(rest) == 1:
        return g.op("MatMul", matrix, dy, dims=dims)
    ahead, behind = dy.inner[: axis - 1], prod(rest)
    flat = g.ints("planes", (0, *ahead, m, behind))
    planes = g.op("Reshape", dy, flat, shape=(*ahead, m, behind), part="planes")
    found = g.op("MatMul", matrix, planes, shape=(*ahead, size, behind))
    back = g.ints("back", (0, *ahead, size, *rest))
    return g.op("Reshape", found, back, dims=dims, part="volume")


RULES: Mapping[str, Rule] = {
    "AveragePool": average_pool,
    "GlobalAveragePool": global_average_pool,
    "LpPool": lp_pool,
    "GlobalLpPool": global_lp_pool,
    "Resize": resize,
}
