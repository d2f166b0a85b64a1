"""Where do pixels come from when a picture is shifted, turned or scaled?"""

import math
import threading
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from cnnspec.run.wanted import Array
from cnnspec.text.record import record
from cnnspec.vocab.value import Shape

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

Sum = tuple[Floats, Floats]

BLOCK = 65536
"""As many numbers at a time, which stay near the processor."""

SMALL = 4096
"""Bytes of a map whose rows are so short that to copy one takes little longer than to find it."""

ROOMS = threading.local()
"""Memory that is used again: to ask for it each time costs more than the work itself."""


@record
class Movement:
    """What comes in from outside, and whether there is something between two pixels."""

    fill: str
    """`zeros`, `edge` or `mirror`."""
    outside: int = 0
    """What `zeros` puts there."""
    between: bool = True


def flipped(x: Array, axis: int) -> Array:
    """Mirrored along an axis."""
    return np.ascontiguousarray(np.flip(x, axis))


def shifted(x: Array, offsets: Places, how: Movement) -> Array:
    """Moved by so many whole pixels, each example by its own: n examples, an offset an axis."""
    if how.fill == "zeros" and how.outside == 0 and x[0, 0].nbytes <= SMALL:
        return _shifted_in_line(x, offsets)
    border = [int(b) for b in np.abs(offsets).max(0)]
    wide = _padded(x, border, how)
    # Each picture of the old size that the wider one has, by where it begins.
    windows = as_strided(
        wide,
        (len(x), *(2 * b + 1 for b in border), *x.shape[1:]),
        (wide.strides[0], *wide.strides[2:], *wide.strides[1:]),
        writeable=False,
    )
    return windows[(np.arange(len(x)), *(np.asarray(border) - offsets).T)]


def _shifted_in_line(x: Array, offsets: Places) -> Array:
    """Moved along all the numbers of a map as they lie in a line, with zeros before and behind.

    So a map is copied whole. What has come round the end of a row is then set to zero, byte by
    byte, as the zeros of all types are zeros in every byte.
    """
    n, c, *sizes = x.shape
    area = math.prod(sizes)
    steps = sum(offsets[:, axis] * math.prod(sizes[axis + 1 :]) for axis in range(len(sizes)))
    border = int(np.abs(steps).max())
    line = np.zeros((n, c, border + area + border), x.dtype)
    line[:, :, border : border + area] = x.reshape(n, c, area)
    of_example, of_map, of_number = line.strides
    windows = as_strided(
        line,
        (n, 2 * border + 1, c, area),
        (of_example, of_number, of_map, of_number),
        writeable=False,
    )
    y = np.ascontiguousarray(windows[np.arange(n), border - steps])
    there = y.view(np.uint8)
    for axis in range(1, len(sizes)):
        by = np.clip(offsets[:, axis], -sizes[axis], sizes[axis])
        most = int(np.abs(by).max())
        there &= _inner(most, axis, tuple(sizes), x.itemsize)[by + most, None]
    return y.reshape(x.shape)


@lru_cache(16)
def _inner(most: int, axis: int, sizes: Shape, itemsize: int) -> NDArray[np.uint8]:
    """For each offset along an axis, from -most to most, a map of bytes: 255 where what is there
    comes from inside, 0 elsewhere."""
    places = np.arange(sizes[axis]) - np.arange(-most, most + 1)[:, None]
    inner = np.where((places >= 0) & (places < sizes[axis]), 255, 0).astype(np.uint8)
    shape = len(inner), *(n if k == axis else 1 for k, n in enumerate(sizes))
    whole = np.broadcast_to(inner.reshape(shape), (len(inner), *sizes)).reshape(len(inner), -1)
    return np.repeat(whole, itemsize, -1)


def _padded(x: Array, border: list[int], how: Movement) -> Array:
    if how.fill != "zeros":
        widths = [(0, 0), (0, 0), *((b, b) for b in border)]
        return np.pad(x, widths, "edge" if how.fill == "edge" else "symmetric")
    sizes = [n + 2 * b for n, b in zip(x.shape[2:], border, strict=True)]
    wide = np.full((*x.shape[:2], *sizes), how.outside, x.dtype)
    inner = tuple(slice(b, b + n) for b, n in zip(border, x.shape[2:], strict=True))
    wide[(slice(None), slice(None), *inner)] = x
    return wide


def rotated(x: Array, angles: Floats, how: Movement) -> Array:
    """Turned around the middle of the last two axes.

    A pixel at (i, j) from the middle was at (i·cos - j·sin, i·sin + j·cos).
    """
    i, top = _from_middle(x.shape[-2])
    j, left = _from_middle(x.shape[-1])
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    rows = (i * cos + top)[:, :, None], (-j * sin)[:, None, :]
    columns = (i * sin + left)[:, :, None], (j * cos)[:, None, :]
    flat = x.reshape(len(x), -1, *x.shape[-2:])
    return _sampled(flat, rows, columns, how).reshape(x.shape)


def scaled(x: Array, factors: Floats, how: Movement) -> Array:
    """Made larger by its factor around the middle."""
    if x.ndim == 4:
        i, top = _from_middle(x.shape[2])
        j, left = _from_middle(x.shape[3])
        rows = (i / factors[:, None] + top)[:, :, None], np.zeros((len(x), 1, 1), np.float32)
        columns = (j / factors[:, None] + left)[:, None, :], np.zeros((len(x), 1, 1), np.float32)
        return _sampled(x, rows, columns, how)
    for axis in range(2, x.ndim):
        i, middle = _from_middle(x.shape[axis])
        line = i / factors[:, None] + middle
        x = np.moveaxis(_along_last(np.moveaxis(x, axis, -1), line, how), -1, axis)
    return np.ascontiguousarray(x)


def _from_middle(n: int) -> tuple[Floats, np.float32]:
    """Where each pixel of a line is, counted from its middle; and where that is."""
    middle = np.float32((n - 1) / 2)
    return np.arange(n, dtype=np.float32) - middle, middle


def _sampled(x: Array, rows: Sum, columns: Sum, how: Movement) -> Array:
    """The numbers at places between the pixels; a place is a sum of two lines."""
    y = np.empty(x.shape, np.float32 if how.between else x.dtype)
    border = _border(rows, x.shape[2], how), _border(columns, x.shape[3], how)
    step = max(BLOCK // x[0].size, 1)
    for k in range(0, len(x), step):
        part = slice(k, k + step)
        _block(x[part], _cut(rows, part), _cut(columns, part), border, how, y[part])
    return y


def _cut(lines: Sum, part: slice) -> Sum:
    return lines[0][part], lines[1][part]


def _block(
    x: Array,
    rows: Sum,
    columns: Sum,
    border: tuple[int, int],
    how: Movement,
    y: NDArray[Any],
) -> None:
    n, c, height, width = x.shape
    top, left = border
    # One more at the end: all four neighbours are always there.
    tall, stride = height + 2 * top + 1, width + 2 * left + 1
    wide = _room("wide", (n, c, tall, stride), y.dtype)
    wide.fill(how.outside)
    wide[:, :, top : top + height, left : left + width] = x
    flat = wide.reshape(-1)
    whole = np.dtype(np.int32 if flat.size < 2**31 else np.int64)
    size = (n, 1, height, width)
    i, below = _whole("rows", size, rows, top, how, whole)
    j, right = _whole("columns", size, columns, left, how, whole)
    i *= stride
    i += j
    first = np.arange(n * c, dtype=whole).reshape(n, c, 1, 1) * (tall * stride)
    first += top * stride + left
    places = _room("places", x.shape, np.dtype(np.intp))
    # Widened after the sum: to add narrow numbers takes half the time.
    places[...] = np.add(i, first, out=_room("narrow", x.shape, whole))
    flat.take(places, out=y, mode="clip")
    if not how.between:
        return
    other = _room("other", x.shape, y.dtype)
    lower = _room("lower", x.shape, y.dtype)
    flat[1:].take(places, out=other, mode="clip")
    _approach(y, other, right)
    flat[stride:].take(places, out=lower, mode="clip")
    flat[stride + 1 :].take(places, out=other, mode="clip")
    _approach(lower, other, right)
    _approach(y, lower, below)


def _border(lines: Sum, n: int, how: Movement) -> int:
    """How many pixels there are on each side of a picture: 1, to which what is further out is
    brought; or with zeros that are near as many as are asked for, which takes less time."""
    if how.fill != "zeros":
        return 1
    # Lines are straight: nothing is further out than the corners.
    corners = _ends(lines[0]) + _ends(lines[1])
    most = math.ceil(max(-corners.min(), corners.max() - (n - 1)))
    return most if 1 < most <= max(n // 4, 4) else 1


def _ends(lines: Floats) -> Floats:
    return lines[:, [0, -1]][:, :, [0, -1]]


def _whole(
    name: str, size: tuple[int, ...], lines: Sum, border: int, how: Movement, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], Floats]:
    """The pixels before some places, and how far behind them the places are."""
    places = _room(name, size, np.dtype(np.float32))
    np.add(lines[0][:, None], lines[1][:, None], out=places)
    if border == 1:
        _inside(places, size[2 if name == "rows" else 3], how.fill)
    first = _room(f"{name} before", size, np.dtype(np.float32))
    whole = _room(f"{name} whole", size, dtype)
    (np.floor if how.between else np.rint)(places, out=first)
    np.copyto(whole, first, casting="unsafe")
    places -= first
    return whole, places


def _approach(a: Floats, b: Floats, share: Floats) -> None:
    """a + share·(b - a), written over both."""
    b -= a
    b *= share
    a += b


def _room(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Memory of this thread under that name, whatever is in it."""
    size = math.prod(shape) * dtype.itemsize
    rooms = vars(ROOMS)
    if name not in rooms or len(rooms[name]) < size:
        rooms[name] = np.empty(size, np.uint8)
    return rooms[name][:size].view(dtype).reshape(shape)


def _inside(places: Floats, n: int, fill: str) -> None:
    """Bring places to the next in the picture, or with zeros to the next in a border of 1."""
    if fill == "mirror":
        # Mirrored at the outer sides of the first and the last pixel, as often as need be.
        places += np.float32(0.5)
        places %= np.float32(2 * n)
        places -= np.float32(n)
        np.abs(places, out=places)
        np.subtract(np.float32(n - 0.5), places, out=places)
    low, high = (-1, n) if fill == "zeros" else (0, n - 1)
    np.maximum(places, np.float32(low), out=places)
    np.minimum(places, np.float32(high), out=places)


def _along_last(x: Array, places: Floats, how: Movement) -> Array:
    n, length = len(x), x.shape[-1]
    lines = np.ascontiguousarray(x).reshape(n, -1, length)
    _inside(places, length, how.fill)
    dtype = np.float32 if how.between else x.dtype
    wide = np.full((n, lines.shape[1], length + 3), how.outside, dtype)
    wide[:, :, 1:-2] = lines
    before = np.floor(places) if how.between else np.rint(places)
    i = before.astype(np.intp) + 1
    first = np.take_along_axis(wide, i[:, None], -1)
    if how.between:
        first += (np.take_along_axis(wide, i[:, None] + 1, -1) - first) * (places - before)[:, None]
    return first.reshape(x.shape)
