"""How far apart are two models? In what they say, in how often they are right, in how long they
take."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.text.record import record

Array = NDArray[Any]

ROUNDS = 20
"""How often each model runs, at most."""

FEWEST = 3
"""How often even where that takes longer than `SECONDS`."""

SECONDS = 2.0
"""How long all runs of one model may take together."""


@record
class Deviation:
    """The largest difference between two results, and where it is."""

    output: str
    absolute: float
    relative: float
    """As a share of the largest number that the first one has there."""


def deviation(a: Mapping[str, Array], b: Mapping[str, Array]) -> Deviation:
    """The output in which `b` is farthest from `a`, relative to the numbers of `a`.

    Both have the same outputs. Where one of two numbers is infinite or none, and the other is not
    the same, they are infinitely far apart.
    """
    assert a.keys() == b.keys(), f"outputs {sorted(a)} are compared with {sorted(b)}"
    found = [_between(name, x, b[name]) for name, x in a.items()]
    return max(found, key=lambda d: d.relative)


def _between(output: str, a: Array, b: Array) -> Deviation:
    if a.shape != b.shape:
        raise ValueError(f"the output `{output}` is {_show(a.shape)} and {_show(b.shape)}")
    x, y = a.astype(np.float64), b.astype(np.float64)
    # Infinity minus itself is no number.
    with np.errstate(invalid="ignore"):
        gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    gap = np.nan_to_num(gap, nan=np.inf, posinf=np.inf)
    absolute = float(gap.max(initial=0.0))
    size = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
    relative = absolute / size if size else float("inf") if absolute else 0.0
    return Deviation(output, absolute, relative)


def classes(y: Array) -> NDArray[np.int64]:
    """The class of each item, or of each of its pixels: the largest along the axis of classes.

    Whole numbers are classes already.
    """
    if y.dtype.kind in "iu" or y.ndim < 2:
        return y.astype(np.int64)
    return y.argmax(1).astype(np.int64)


def agreement(a: Array, b: Array) -> float:
    """The share of items that two outputs put into the same class."""
    return float((classes(a) == classes(b)).mean())


def accuracy(y: Array, labels: NDArray[np.integer[Any]]) -> float:
    """The share of items that an output puts into the class that they are of."""
    said = classes(y)
    # A classifier without a last dense layer leaves maps of 1x1.
    said = said.reshape(labels.shape) if said.size == labels.size else said
    if said.shape != labels.shape:
        raise ValueError(f"labels of shape {_show(labels.shape)} for {_show(said.shape)} classes")
    return float((said == labels).mean())


def latencies(
    runs: Sequence[Callable[[], object]], *, rounds: int = ROUNDS, seconds: float = SECONDS
) -> list[float]:
    """The median time of each run in seconds.

    The runs take turns, so that whatever else the machine does falls on all of them.
    """
    for run in runs:  # The first run allocates.
        run()
    times: list[list[float]] = [[] for _ in runs]
    for done in range(rounds):
        for run, kept in zip(runs, times, strict=True):
            before = perf_counter()
            run()
            kept.append(perf_counter() - before)
        if done + 1 >= FEWEST and max(map(sum, times), default=0.0) > seconds:
            break
    return [median(kept) for kept in times]


def _show(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
