"""How far apart are two models? In what they say, in how often they are right, in how long they
take."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.examples import Examples
from cnnspec.run.wanted import Session
from cnnspec.text.record import record

Array = NDArray[Any]

BATCH = 16

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


class Gap:
    """The deviation of one output, over batches that follow one another."""

    def __init__(self) -> None:
        self._gap = self._size = 0.0

    def add(self, a: Array, b: Array) -> None:
        assert a.shape == b.shape, f"{_show(a.shape)} is compared with {_show(b.shape)}"
        x, y = a.astype(np.float64), b.astype(np.float64)
        # Infinity minus itself is no number.
        with np.errstate(invalid="ignore"):
            gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
        gap = np.nan_to_num(gap, nan=np.inf, posinf=np.inf)
        self._gap = max(self._gap, float(gap.max(initial=0.0)))
        self._size = max(self._size, float(np.abs(x[np.isfinite(x)]).max(initial=0.0)))

    def deviation(self, output: str) -> Deviation:
        relative = self._gap / self._size if self._size else float("inf") if self._gap else 0.0
        return Deviation(output, self._gap, relative)


def deviation(a: Mapping[str, Array], b: Mapping[str, Array]) -> Deviation:
    """The output in which `b` is farthest from `a`, relative to the numbers of `a`.

    Both have the same outputs in the same shapes. Where one of two numbers is infinite or none, and
    the other is not the same, they are infinitely far apart.
    """
    return _farthest(_add({}, a, b))


def _add(gaps: dict[str, Gap], a: Mapping[str, Array], b: Mapping[str, Array]) -> Mapping[str, Gap]:
    assert a.keys() == b.keys(), f"outputs {sorted(a)} are compared with {sorted(b)}"
    for name, x in a.items():
        gaps.setdefault(name, Gap()).add(x, b[name])
    return gaps


def _farthest(gaps: Mapping[str, Gap]) -> Deviation:
    found = [gap.deviation(name) for name, gap in gaps.items()]
    return max(found, key=lambda d: d.relative)


def has_classes(y: Array) -> bool:
    """Is it a number for each of several classes, or the number of the class?"""
    return y.dtype.kind in "iu" or (y.ndim >= 2 and y.shape[1] > 1)


def classes(y: Array) -> NDArray[np.int64]:
    """The class of each item, or of each of its pixels: the largest along the axis of classes.

    Whole numbers are classes already.
    """
    if y.dtype.kind in "iu" or y.ndim < 2:
        return y.astype(np.int64)
    return y.argmax(1).astype(np.int64)


def is_right(y: Array, labels: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Of each item, or of each of its pixels: does the output put it into the class that it is of?

    Raises `ValueError` where there are more labels than classes, or fewer.
    """
    said = classes(y)
    # A classifier without a last dense layer leaves maps of 1x1.
    said = said.reshape(labels.shape) if said.size == labels.size else said
    if said.shape != labels.shape:
        raise ValueError(f"labels of shape {_show(labels.shape)} for {_show(said.shape)} classes")
    return said == labels


def accuracy(y: Array, labels: NDArray[np.integer[Any]]) -> float:
    """The share of items that an output puts into the class that they are of."""
    return float(is_right(y, labels).mean())


def agreement(a: Array, b: Array) -> float:
    """The share of items that two outputs put into the same class."""
    return float((classes(a) == classes(b)).mean())


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


@record
class Comparison:
    """What two models do with the same examples."""

    count: int
    deviation: Deviation
    agreement: float | None
    """The share of classes that are the same, of items or of their pixels; None without classes."""
    accuracies: tuple[float, float] | None
    """None where the examples have no labels."""


def compare(a: Session, b: Session, examples: Examples) -> Comparison:
    """Both models on all examples; classes are those of the first output."""
    gaps: dict[str, Gap] = {}
    same: list[Array] = []
    right: list[tuple[Array, Array]] = []
    head = a.outputs[0].name
    count = 0
    for feeds, n, labels in examples.batches(BATCH):
        xs, ys = ({name: y[:n] for name, y in s.run(feeds).items()} for s in (a, b))
        _add(gaps, xs, ys)
        if has_classes(xs[head]):
            same.append((classes(xs[head]) == classes(ys[head])).ravel())
        if labels is not None:
            right.append((is_right(xs[head], labels).ravel(), is_right(ys[head], labels).ravel()))
        count += n
    accuracies = (_share([r for r, _ in right]), _share([r for _, r in right])) if right else None
    return Comparison(count, _farthest(gaps), _share(same) if same else None, accuracies)


def _share(found: Sequence[Array]) -> float:
    return float(np.concatenate(found).mean())


def _show(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
