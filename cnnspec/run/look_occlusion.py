"""What of an answer is lost where a patch hides a part of the input?

(Zeiler and Fergus, 2014.) The patch has the mean of the input, channel by channel, and slides by
half of its size, or where that takes too long by its whole size.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cnnspec.text.record import record

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Ask = Callable[[Array], Floats]
"""From inputs, channels first, to a number for each."""

PARTS = 7
"""Without a wish the patch is so often as wide as a side goes into."""

MOST = 600
"""Patches that overlap; where there would be more, they lie side by side."""

TOGETHER = 16
"""Inputs that are asked about at a time."""


@record
class Occlusion:
    """By how much a number falls where a place is hidden."""

    drop: Array
    """At each place the mean of the patches that hide it; below zero where it rises."""
    size: tuple[int, ...]
    step: tuple[int, ...]
    count: int
    """How many patches there were."""
    whole: float
    """The number where nothing is hidden."""
    lowest: float
    """The least with a patch."""


def occlusion(ask: Ask, x: Array, size: Sequence[int]) -> Occlusion:
    """`x` is one input, channels first; `size` that of the patch, an axis each."""
    places = x.shape[1:]
    size = tuple(min(k, n) for k, n in zip(size, places, strict=True))
    step = tuple(max(1, k // 2) for k in size)
    (whole,) = ask(x[None]).tolist()
    patches = list(_patches(places, size, step))
    if len(patches) > MOST:
        step = size
        patches = list(_patches(places, size, step))
    mean = x.reshape(len(x), -1).mean(1).reshape(-1, *(1 for _ in places))
    total, covered = np.zeros(places), np.zeros(places)
    lowest = whole
    for k in range(0, len(patches), TOGETHER):
        group = patches[k : k + TOGETHER]
        hidden = np.repeat(x[None], len(group), 0)
        for one, patch in zip(hidden, group, strict=True):
            one[(slice(None), *patch)] = mean
        for value, patch in zip(ask(hidden).tolist(), group, strict=True):
            total[patch] += whole - value
            covered[patch] += 1
            lowest = min(lowest, value)
    drop = (total / covered).astype(np.float32)
    return Occlusion(drop, size, step, len(patches), whole, lowest)


def usual(places: Sequence[int]) -> tuple[int, ...]:
    """The size of the patch where none is wished for."""
    return tuple(max(1, round(n / PARTS)) for n in places)


def _patches(
    places: Sequence[int], size: Sequence[int], step: Sequence[int]
) -> Iterator[tuple[slice, ...]]:
    """From border to border: the last along an axis ends where the input does."""
    starts = [
        sorted({*range(0, n - k + 1, s), n - k}) for n, k, s in zip(places, size, step, strict=True)
    ]
    for corner in product(*starts):
        yield tuple(slice(a, a + k) for a, k in zip(corner, size, strict=True))
