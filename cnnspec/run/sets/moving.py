"""Where do pixels come from when a picture is shifted, turned or scaled?"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.wanted import Array
from cnnspec.text.record import record

Floats = NDArray[np.float32]
Places = NDArray[np.int64]

BLOCK = 9216
"""As many numbers at a time: their places have less than 128 KiB, beyond which glibc asks the
system for memory each time, which costs three times as much as the work itself."""

MODES = {"edge": "edge", "mirror": "symmetric"}


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
    border = [int(b) for b in np.abs(offsets).max(0)]
    sizes = x.shape[2:]
    wide = _padded(x, border, how)
    y = np.empty_like(x)
    starts = (np.asarray(border) - offsets).tolist()
    for i, begin in enumerate(starts):
        part = tuple(slice(b, b + n) for b, n in zip(begin, sizes, strict=True))
        y[i] = wide[(i, slice(None), *part)]
    return y


def _padded(x: Array, border: list[int], how: Movement) -> Array:
    if how.fill != "zeros":
        return np.pad(x, [(0, 0), (0, 0), *((b, b) for b in border)], MODES[how.fill])  # pyright: ignore[reportArgumentType, reportCallIssue]
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

    def places(part: slice) -> tuple[Floats, Floats]:
        cos, sin = np.cos(angles[part])[:, None], np.sin(angles[part])[:, None]
        rows = (i * cos + top)[:, :, None] - (j * sin)[:, None, :]
        return rows, (i * sin + left)[:, :, None] + (j * cos)[:, None, :]

    flat = x.reshape(len(x), -1, *x.shape[-2:])
    return _sampled(flat, places, how).reshape(x.shape)


def scaled(x: Array, factors: Floats, how: Movement) -> Array:
    """Made larger by its factor around the middle."""
    if x.ndim == 4:
        i, top = _from_middle(x.shape[2])
        j, left = _from_middle(x.shape[3])

        def places(part: slice) -> tuple[Floats, Floats]:
            rows, columns = i / factors[part, None] + top, j / factors[part, None] + left
            shape = (len(rows), len(i), len(j))
            return (
                np.broadcast_to(rows[:, :, None], shape),
                np.broadcast_to(columns[:, None, :], shape),
            )

        return _sampled(x, places, how)
    for axis in range(2, x.ndim):
        i, middle = _from_middle(x.shape[axis])
        line = i / factors[:, None] + middle
        x = np.moveaxis(_along_last(np.moveaxis(x, axis, -1), line, how), -1, axis)
    return np.ascontiguousarray(x)


def _from_middle(n: int) -> tuple[Floats, np.float32]:
    """Where each pixel of a line is, counted from its middle; and where that is."""
    middle = np.float32((n - 1) / 2)
    return np.arange(n, dtype=np.float32) - middle, middle


def _sampled(x: Array, places: Callable[[slice], tuple[Floats, Floats]], how: Movement) -> Array:
    """The numbers at places between the pixels, which are told for some examples at a time."""
    y = np.empty(x.shape, np.float32 if how.between else x.dtype)
    step = max(BLOCK // x[0].size, 1)
    for k in range(0, len(x), step):
        part = slice(k, k + step)
        y[part] = _block(x[part], *places(part), how)
    return y


def _block(x: Array, rows: Floats, columns: Floats, how: Movement) -> Array:
    """The numbers at places between the pixels: n×c×h×w at n×h×w."""
    n, c, height, width = x.shape
    rows, columns = _inside(rows, height, how.fill), _inside(columns, width, how.fill)
    # One pixel before the first and two after the last: all four neighbours are always there.
    stride, plane = width + 3, (height + 3) * (width + 3)
    dtype = np.float32 if how.between else x.dtype
    wide = np.full((n, c, height + 3, stride), how.outside, dtype)
    wide[:, :, 1:-2, 1:-2] = x
    flat = wide.reshape(-1)
    if how.between:
        i, j = np.floor(rows), np.floor(columns)
    else:
        i, j = np.rint(rows), np.rint(columns)
    # Whole numbers of this size are exact in single precision; NumPy is slow in mixing types.
    places = (i * np.float32(stride) + j).astype(np.int32).astype(np.intp)
    places = places[:, None] + (np.arange(n * c) * plane).reshape(n, c, 1, 1)
    if not how.between:
        return flat.take(places)
    below, right = (rows - i)[:, None], (columns - j)[:, None]
    upper = _between(flat.take(places), flat[1:].take(places), right)
    lower = _between(flat[stride:].take(places), flat[stride + 1 :].take(places), right)
    return _between(upper, lower, below)


def _between(a: Floats, b: Floats, share: Floats) -> Floats:
    """a + share·(b - a), written over both."""
    b -= a
    b *= share
    a += b
    return a


def _inside(places: Floats, n: int, fill: str) -> Floats:
    """Places as they count in a padded picture, where the first pixel is number 1."""
    if fill == "mirror":
        # Mirrored at the outer sides of the first and the last pixel, as often as need be.
        places = np.abs((places + np.float32(0.5)) % np.float32(2 * n) - n)
        places = np.float32(n - 0.5) - places
    low, high = (-1, n) if fill == "zeros" else (0, n - 1)
    places = np.clip(places, np.float32(low), np.float32(high))
    places += np.float32(1)
    return places


def _along_last(x: Array, places: Floats, how: Movement) -> Array:
    n, length = len(x), x.shape[-1]
    lines = np.ascontiguousarray(x).reshape(n, -1, length)
    places = _inside(places, length, how.fill)
    dtype = np.float32 if how.between else x.dtype
    wide = np.full((n, lines.shape[1], length + 3), how.outside, dtype)
    wide[:, :, 1:-2] = lines
    i = (places if how.between else np.rint(places)).astype(np.intp)
    first = np.take_along_axis(wide, i[:, None], -1)
    if how.between:
        first += (np.take_along_axis(wide, i[:, None] + 1, -1) - first) * (places - i)[:, None]
    return first.reshape(x.shape)
