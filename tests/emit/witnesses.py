"""What does each layer compute? By plain loops of NumPy in double precision, from its docstring.

Nothing here is taken from the package: sizes, windows and sums are worked out again. A formula
takes its inputs, each with the batch in front, and the layer's weights by name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product as combinations
from math import ceil, erf, floor
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

Array = np.ndarray
Weights = Mapping[str, Array]
Formula = Callable[[list[Array], Weights], Array]


# ── running ────────────────────────────────────────────────────────────────────────────────────


def session(proto: onnx.ModelProto, *, is_optimised: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # Errors are raised as well; said twice they only fill the page.
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = (
        level.ORT_ENABLE_ALL if is_optimised else level.ORT_DISABLE_ALL
    )
    data = proto.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run(
    proto: onnx.ModelProto, feeds: Mapping[str, Array], *, is_optimised: bool = True
) -> list[Array]:
    ys = session(proto, is_optimised=is_optimised).run(None, dict(feeds))
    return [np.asarray(y) for y in ys]


def apart(a: Array, b: Array, least: float = 1e-6) -> float:
    """The largest difference, by the largest size of a number in the first, or by `least`."""
    assert a.shape == b.shape, f"{a.shape} is not {b.shape}"
    if not a.size:
        return 0.0
    size = max(float(np.abs(a).max()), least)
    return float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max()) / size


# ── windows ────────────────────────────────────────────────────────────────────────────────────


def same(n: int, extent: int, stride: int) -> tuple[int, int]:
    """The padding with which as many windows fit as strides begin inside the map."""
    total = max(0, (ceil(n / stride) - 1) * stride + extent - n)
    return total // 2, total - total // 2


def _each(value: int | Sequence[int], rank: int) -> list[int]:
    return [value] * rank if isinstance(value, int) else list(value)


def _padding(
    pad: Any, sizes: Sequence[int], extents: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Pixels before and behind each axis."""
    rank = len(sizes)
    if pad == "same":
        return [same(*of) for of in zip(sizes, extents, strides, strict=True)]
    numbers = _each(pad, rank)
    ends = numbers[rank:] or numbers[:rank]
    return list(zip(numbers[:rank], ends, strict=True))


def _spots(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilations: Sequence[int],
    *,
    is_ceil: bool = False,
) -> list[list[list[int]]]:
    """For each axis and window the positions under it, 0 being the first real pixel."""
    found: list[list[list[int]]] = []
    for n, k, s, (begin, end), d in zip(sizes, kernel, strides, padding, dilations, strict=True):
        room = begin + n + end - (d * (k - 1) + 1)
        count = (ceil(room / s) if is_ceil else floor(room / s)) + 1
        starts = [o * s - begin for o in range(count)]
        if is_ceil:
            # Rounding up makes no window that begins behind the map's last pixel.
            starts = [at for at in starts if at < n]
        found.append([[at + t * d for t in range(k)] for at in starts])
    return found


def conv(
    stride: Any = 1, pad: Any = 0, dilation: Any = 1, groups: int = 1, connect: Any = None
) -> Formula:
    """y[o, p] = b[o] + Σ W[o, i, t]·x[i, p·s + t·d] over the maps i of o's group and the taps t."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        weight, rank = w["weight"], x.ndim - 2
        filters = len(weight)
        if connect is not None:
            filters = len(connect)
            full = np.zeros((filters, x.shape[1], *weight.shape[1:]))
            pairs = [(o, i) for o, row in enumerate(connect) for i in row]
            for kernel, (o, i) in zip(weight, pairs, strict=True):
                full[o, i] = kernel
            weight = full
        kernel = weight.shape[2:]
        padded, spots = _windows(x, kernel, stride, pad, dilation)
        y = np.zeros((len(x), filters, *map(len, spots)))
        each_in, each_out = x.shape[1] // groups, filters // groups
        for place, patch in _patches(padded, spots):
            for o in range(filters):
                first = o // each_out * each_in
                part = patch[:, first : first + each_in]
                y[(slice(None), o, *place)] = (part * weight[o]).reshape(len(x), -1).sum(1)
        return y + _column(w, "bias", rank)

    return formula


def _column(w: Weights, name: str, rank: int) -> Array:
    """One number for each channel, standing before its maps; 0 where there is no such weight."""
    return w[name].reshape(-1, *[1] * rank) if name in w else np.zeros(1)


def _windows(
    x: Array, kernel: Sequence[int], stride: Any, pad: Any, dilation: Any = 1
) -> tuple[Array, list[list[list[int]]]]:
    """The map with zeros around it, and where each window reads of that."""
    rank = x.ndim - 2
    strides, dilations = _each(stride, rank), _each(dilation, rank)
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    padding = _padding(pad, x.shape[2:], extents, strides)
    spots = _spots(x.shape[2:], kernel, strides, padding, dilations)
    moved = [
        [[at + begin for at in window] for window in axis]
        for axis, (begin, _) in zip(spots, padding, strict=True)
    ]
    return np.pad(x, [(0, 0), (0, 0), *padding]), moved


def _patches(
    x: Array, spots: Sequence[Sequence[Sequence[int]]]
) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Each window's place and what it sees."""
    for place in combinations(*(range(len(axis)) for axis in spots)):
        rows = [axis[i] for axis, i in zip(spots, place, strict=True)]
        yield place, x[(slice(None), slice(None), *np.ix_(*rows))]


def deconv(
    kernel: Any,
    stride: Any = 1,
    pad: Any = 0,
    output_pad: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Formula:
    """Every input pixel puts a kernel, weighted, onto the output map."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        weight, rank = w["weight"], x.ndim - 2
        kernels, strides = _each(kernel, rank), _each(stride, rank)
        extras, dilations = _each(output_pad, rank), _each(dilation, rank)
        extents = [d * (k - 1) + 1 for k, d in zip(kernels, dilations, strict=True)]
        spread = [(n - 1) * s + e for n, s, e in zip(x.shape[2:], strides, extents, strict=True)]
        if pad == "same":
            cut = [max(e - s, 0) for e, s in zip(extents, strides, strict=True)]
            padding = [(c // 2, c - c // 2) for c in cut]
            sizes = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
        else:
            padding = _padding(pad, x.shape[2:], extents, strides)
            columns = zip(spread, padding, extras, strict=True)
            sizes = [n - b - e + extra for n, (b, e), extra in columns]
        each_in, each_out = x.shape[1] // groups, weight.shape[1]
        room = [max(n, b + m) for n, (b, _), m in zip(spread, padding, sizes, strict=True)]
        y = np.zeros((len(x), groups * each_out, *room))
        for place in np.ndindex(*x.shape[2:]):
            at = tuple(
                slice(i * s, i * s + e, d)
                for i, s, e, d in zip(place, strides, extents, dilations, strict=True)
            )
            for i, o in combinations(range(x.shape[1]), range(each_out)):
                pixel = x[(slice(None), i, *place)].reshape(-1, *[1] * rank)
                to = i // each_in * each_out + o
                y[(slice(None), to, *at)] += pixel * weight[i, o]
        kept = tuple(slice(b, b + m) for (b, _), m in zip(padding, sizes, strict=True))
        return y[(slice(None), slice(None), *kept)] + _column(w, "bias", rank)

    return formula


def local(kernel: Sequence[int], stride: Any = 1, pad: Any = 0) -> Formula:
    """Like a convolution, but every place has kernels and biases of its own."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        weight = w["weight"]  # (places, filters, numbers under the window)
        padded, spots = _windows(x, kernel, stride, pad)
        y = np.zeros((len(x), weight.shape[1], *map(len, spots)))
        for k, (place, patch) in enumerate(_patches(padded, spots)):
            y[(slice(None), slice(None), *place)] = patch.reshape(len(x), -1) @ weight[k].T
        return y + w["bias"] if "bias" in w else y

    return formula


# ── pools ──────────────────────────────────────────────────────────────────────────────────────


def pool(
    how: Callable[[Array], Array],
    kernel: Any,
    stride: Any = None,
    pad: Any = 0,
    *,
    is_ceil: bool = False,
    counts_pad: bool = False,
) -> Formula:
    """`how` of the real pixels under each window, or of those and the padding's zeros."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        rank = x.ndim - 2
        kernels = _each(kernel, rank)
        strides = kernels if stride is None else _each(stride, rank)
        padding = _padding(pad, x.shape[2:], kernels, strides)
        spots = _spots(x.shape[2:], kernels, strides, padding, [1] * rank, is_ceil=is_ceil)
        if counts_pad:
            # The padding is there, what hangs over its end is not.
            x = np.pad(x, [(0, 0), (0, 0), *padding])
            spots = [
                [[at + b for at in window] for window in axis]
                for axis, (b, _) in zip(spots, padding, strict=True)
            ]
        real = [
            [[at for at in window if 0 <= at < n] for window in axis]
            for axis, n in zip(spots, x.shape[2:], strict=True)
        ]
        return _pooled(x, real, how)

    return formula


def adaptive(how: Callable[[Array], Array], *to: int) -> Formula:
    """Window i of m over n pixels goes from ⌊i·n/m⌋ up to ⌈(i+1)·n/m⌉."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        spots = [
            [list(range(floor(i * n / m), ceil((i + 1) * n / m))) for i in range(m)]
            for n, m in zip(x.shape[2:], to, strict=True)
        ]
        return _pooled(x, spots, how)

    return formula


def _pooled(
    x: Array, spots: Sequence[Sequence[Sequence[int]]], how: Callable[[Array], Array]
) -> Array:
    y = np.zeros((*x.shape[:2], *map(len, spots)))
    for place, patch in _patches(x, spots):
        y[(slice(None), slice(None), *place)] = how(patch.reshape(*patch.shape[:2], -1))
    return y


def largest(x: Array) -> Array:
    return x.max(-1)


def mean(x: Array) -> Array:
    return x.mean(-1)


def norm(p: float) -> Callable[[Array], Array]:
    return lambda x: (np.abs(x) ** p).sum(-1) ** (1 / p)


def subsampling(kernel: Any, stride: Any = None, *, is_mean: bool = False) -> Formula:
    def formula(xs: list[Array], w: Weights) -> Array:
        rank = xs[0].ndim - 2
        how = mean if is_mean else lambda x: x.sum(-1)
        y = pool(how, kernel, stride)(xs, w)
        return y * _column(w, "coefficient", rank) + _column(w, "bias", rank)

    return formula


# ── norms ──────────────────────────────────────────────────────────────────────────────────────


def batchnorm(eps: float = 1e-5) -> Formula:
    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        rank = x.ndim - 2
        normal = (x - _column(w, "mean", rank)) / np.sqrt(_column(w, "var", rank) + eps)
        return _line(normal, w)

    return formula


def _line(x: Array, w: Weights) -> Array:
    """scale·x + bias, channel by channel, of what there is."""
    rank = x.ndim - 2
    scaled = x * _column(w, "scale", rank) if "scale" in w else x
    return scaled + _column(w, "bias", rank)


def _normal(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    apart = x - x.mean(axes, keepdims=True)
    return apart / np.sqrt((apart**2).mean(axes, keepdims=True) + eps)


def layernorm(*, over_channels: bool = False, eps: float = 1e-5) -> Formula:
    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        if over_channels:
            return _line(_normal(x, (1,), eps), w)
        normal = _normal(x, tuple(range(1, x.ndim)), eps)
        return normal * w.get("scale", np.ones(1)) + w.get("bias", np.zeros(1))

    return formula


def groupnorm(groups: int, eps: float = 1e-5) -> Formula:
    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        parts = np.split(x, groups, axis=1)
        axes = tuple(range(1, x.ndim))
        return _line(np.concatenate([_normal(p, axes, eps) for p in parts], 1), w)

    return formula


def instancenorm(eps: float = 1e-5) -> Formula:
    return lambda xs, w: _line(_normal(xs[0], tuple(range(2, xs[0].ndim)), eps), w)


def lrn(size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> Formula:
    """The sum goes over `size` channels around each; of an even size, the odd one is above."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        y = np.empty_like(x)
        for c in range(x.shape[1]):
            low, high = max(0, c - (size - 1) // 2), c + size // 2 + 1
            y[:, c] = x[:, c] / (k + alpha / size * (x[:, low:high] ** 2).sum(1)) ** beta
        return y

    return formula


def l2norm(eps: float = 1e-12) -> Formula:
    return lambda xs, w: xs[0] / np.maximum(np.sqrt((xs[0] ** 2).sum(1, keepdims=True)), eps)


# ── number by number ───────────────────────────────────────────────────────────────────────────


def each(function: Callable[[Array], Array]) -> Formula:
    return lambda xs, w: function(xs[0])


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def gelu(x: Array) -> Array:
    return x / 2 * (1 + np.vectorize(erf)(x / np.sqrt(2)))


def gelu_tanh(x: Array) -> Array:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x: Array, axes: tuple[int, ...] = (1,)) -> Array:
    shares = np.exp(x - x.max(axes, keepdims=True))
    return shares / shares.sum(axes, keepdims=True)


def prelu(xs: list[Array], w: Weights) -> Array:
    (x,) = xs
    return np.where(x > 0, x, x * _column(w, "slope", x.ndim - 2))


def trained_line(xs: list[Array], w: Weights) -> Array:
    return _line(xs[0], w)


# ── order and size ─────────────────────────────────────────────────────────────────────────────


def pixelshuffle(r: int) -> Formula:
    """Channel c·r·r + i·r + j gives row i and column j of every block of map c."""

    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        rank = x.ndim - 2
        y = np.empty((len(x), x.shape[1] // r**rank, *(n * r for n in x.shape[2:])))
        for c in range(y.shape[1]):
            for k, offsets in enumerate(combinations(range(r), repeat=rank)):
                at = tuple(slice(i, None, r) for i in offsets)
                y[(slice(None), c, *at)] = x[:, c * r**rank + k]
        return y

    return formula


def pixelunshuffle(r: int) -> Formula:
    def formula(xs: list[Array], w: Weights) -> Array:
        (x,) = xs
        rank = x.ndim - 2
        y = np.empty((len(x), x.shape[1] * r**rank, *(n // r for n in x.shape[2:])))
        for c in range(x.shape[1]):
            for k, offsets in enumerate(combinations(range(r), repeat=rank)):
                at = tuple(slice(i, None, r) for i in offsets)
                y[:, c * r**rank + k] = x[(slice(None), c, *at)]
        return y

    return formula


def channelshuffle(groups: int) -> Formula:
    """A table with a row for each group, read column by column."""

    def formula(xs: list[Array], w: Weights) -> Array:
        each = xs[0].shape[1] // groups
        order = [row * each + column for column in range(each) for row in range(groups)]
        return xs[0][:, order]

    return formula


def nearest(*to: int) -> Formula:
    """Pixel i of m is a copy of pixel ⌊i·n/m⌋ of n."""

    def formula(xs: list[Array], w: Weights) -> Array:
        y = xs[0]
        for axis, m in enumerate(to, 2):
            y = np.take(y, [i * y.shape[axis] // m for i in range(m)], axis)
        return y

    return formula


def linear(*to: int) -> Formula:
    """Pixel i of m lies at (i + 1/2)·n/m - 1/2 between two of n; at the border the edge is
    repeated."""

    def formula(xs: list[Array], w: Weights) -> Array:
        y = xs[0]
        for axis, m in enumerate(to, 2):
            n = y.shape[axis]
            at = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
            low = np.floor(at).astype(int)
            high = np.minimum(low + 1, n - 1)
            share = (at - low).reshape(-1, *[1] * (y.ndim - axis - 1))
            y = np.take(y, low, axis) * (1 - share) + np.take(y, high, axis) * share
        return y

    return formula


def reshape(*size: int) -> Formula:
    return lambda xs, w: xs[0].reshape(len(xs[0]), *size)
