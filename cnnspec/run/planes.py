"""How does a file become channels of numbers on which a kernel can slide?"""

from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.arrays import NPY, read_plain
from cnnspec.run.pictures import read_image
from cnnspec.run.wanted import Wanted
from cnnspec.text.record import record

Floats = NDArray[np.float64]
"""Channels, height, width."""

Colours = Literal["grey", "rgb"]

NAMES: dict[Colours, tuple[str, ...]] = {"grey": ("grey",), "rgb": ("red", "green", "blue")}

MOST_CHANNELS = 16
"""Of an array: more are no exercise, and are rather rows in the wrong place."""

MOST = 1e60
"""As for numbers that are written: products of larger ones may be beyond a float's reach."""


@record
class Planes:
    """Numbers, how their channels are called, and whether they are a picture's 0 to 255."""

    values: Floats
    channels: tuple[str, ...]
    is_picture: bool


def read_planes(data: bytes, colours: Colours | None) -> Planes:
    """An npy file's array or a picture, in grey unless colours are asked for.

    Raises `ValueError`, which says in a clause what is wrong.
    """
    if data.startswith(NPY):
        if colours is not None:
            raise ValueError("an array has the channels that it has; --channels is for pictures")
        return _of_array(np.asarray(read_plain(BytesIO(data))))
    chosen = colours or "grey"
    size = (len(NAMES[chosen]), None, None)
    wanted = Wanted("picture", size, np.dtype(np.float32), raw=True)
    found = read_image(BytesIO(data), wanted).values
    return Planes(np.asarray(found, np.float64), NAMES[chosen], True)


def digit(k: int) -> Planes:
    """One of the digits that come along."""
    from cnnspec.run.sets.embedded import digits

    images = digits()
    if not 0 <= k < len(images):
        raise ValueError(f"there are digits:0 to digits:{len(images) - 1}")
    return Planes(images[k][None].astype(np.float64), NAMES["grey"], True)


def _of_array(x: NDArray[np.generic]) -> Planes:
    shape = "x".join(map(str, x.shape)) or "a single number"
    if x.ndim not in (2, 3) or not x.size:
        raise ValueError(f"it holds {shape}; a matrix has rows and columns, perhaps of channels")
    if x.ndim == 3 and x.shape[0] not in (1, 3) and x.shape[2] in (1, 3):
        x = np.moveaxis(x, 2, 0)
    values = np.asarray(x if x.ndim == 3 else x[None], np.float64)
    if len(values) > MOST_CHANNELS:
        raise ValueError(f"it holds {shape}; the channels stand first, at most {MOST_CHANNELS}")
    odd = np.argwhere(~(np.abs(values) < MOST))
    if len(odd):
        channel, row, column = odd[0].tolist()
        said = f"{float(values[channel, row, column]):g}"
        raise ValueError(f"row {row + 1}, column {column + 1}: `{said}` is no number to count with")
    names = tuple(f"channel {k}" for k in range(1, len(values) + 1))
    return Planes(values, names, x.dtype == np.uint8)
