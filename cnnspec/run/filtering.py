"""What comes out of a whole picture when a kernel slides over it?

The same as `cnnspec.sliding`, in floating point and for many windows at once: one product of the
whole map for each weight, a strip of rows at a time, so that what is added up stays in the cache.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from cnnspec.layers.window import Axis, Window
from cnnspec.run.planes import Floats
from cnnspec.sliding.slide import Operation

CELLS = 1 << 17
"""Of the output in a strip."""


def filtered(
    x: Floats,
    operation: Operation,
    window: Window,
    weights: Sequence[Sequence[Sequence[float]]],
    divisor: float = 1,
    bias: float = 0,
) -> Floats:
    """The output's rows; `weights` are those of each channel, as they lie on the map."""
    down, right = window.axes
    y = np.empty((down.out, right.out))
    many = max(1, CELLS // right.out)
    for first in range(0, down.out, many):
        last = min(first + many, down.out)
        y[first:last] = _strip(x, operation, (down, right), weights, (first, last))
    return y if operation in ("max", "avg") else y / divisor + bias


def _strip(
    x: Floats,
    operation: Operation,
    axes: tuple[Axis, Axis],
    weights: Sequence[Sequence[Sequence[float]]],
    rows: tuple[int, int],
) -> Floats:
    down, right = axes
    if operation == "max":
        found = [part for _, part in _seen(x[0], -np.inf, axes, rows)]
        return np.maximum.reduce(found)
    y = np.zeros((rows[1] - rows[0], right.out))
    for channel, plane in zip(x, weights, strict=True):
        for (a, b), part in _seen(channel, 0.0, axes, rows):
            if plane[a][b]:
                y += part * plane[a][b]
    if operation == "avg":
        y /= np.outer(_counts(down)[rows[0] : rows[1]], _counts(right))
    return y


def _seen(
    channel: Floats, padding: float, axes: tuple[Axis, Axis], rows: tuple[int, int]
) -> "Iterator[tuple[tuple[int, int], Floats]]":
    """What each cell of the window shows, in all of its places in a strip."""
    down, right = axes
    first, last = rows
    top = first * down.stride - down.begin
    bottom = (last - 1) * down.stride - down.begin + down.extent
    held = channel[max(0, top) : max(0, bottom)]
    above = min(max(0, -top), bottom - top)
    below = bottom - top - above - len(held)
    padded = np.pad(held, ((above, below), (right.begin, right.end)), constant_values=padding)
    high, wide = (last - first - 1) * down.stride + 1, (right.out - 1) * right.stride + 1
    for a, b in product(range(down.kernel), range(right.kernel)):
        i, j = a * down.dilation, b * right.dilation
        yield (a, b), padded[i : i + high : down.stride, j : j + wide : right.stride]


def _counts(axis: Axis) -> Floats:
    """How many pixels of the map each place of the window shows, along one axis."""
    first = np.arange(axis.out)[:, None] * axis.stride - axis.begin
    places = first + np.arange(axis.kernel) * axis.dilation
    return ((places >= 0) & (places < axis.n)).sum(1).astype(np.float64)
