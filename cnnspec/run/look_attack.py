"""How little has to change in an input until the network says something else?

Changes of at most ε in any number of the input (L∞), which stays within the range that it can have.
FGSM (Goodfellow and others, 2015) takes one step, all numbers by ε with the sign of the loss's
slope; PGD (Madry and others, 2018) takes many small ones. Both give an upper bound: a smaller
change that nobody looked for may do as well.
"""

from collections.abc import Iterator
from math import inf, isfinite
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnspec.text.record import record

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Kind = Literal["fgsm", "pgd"]

RUNGS = 40
"""Sizes that FGSM tries from a thousandth of the most up, before it looks between two of them."""

HALVINGS = 18
"""So often a gap between two rungs is halved: to 1e-6 of the size."""

NEAR = 0.01
"""PGD, which is costly, looks for the smallest ε to this share of it."""

MOST_TRIES = 16
STRIDE = 2.5
"""A step of PGD is so many times ε over the number of steps."""


class Asked(Protocol):
    """A network, one input of which is changed."""

    def scores(self, x: Array) -> Floats:
        """Of the classes; of one number, that which speaks for yes."""
        ...

    def slope(self, x: Array, direction: Floats) -> Array:
        """Of the scores, each times its direction, by the input."""
        ...


@record
class Range:
    """What the numbers of an input can be."""

    low: float = -inf
    high: float = inf
    is_whole: bool = False


@record
class Attack:
    """What was found."""

    kind: Kind
    eps: float | None
    """The largest change of a number; none where nothing flips the answer up to `most`."""
    most: float
    steps: int
    x: Array | None
    """The input that is taken for something else."""
    before: int
    after: int | None
    why: str = ""
    """Why nothing was found, where it is not for want of size."""


def attack(asked: Asked, x: Array, kind: Kind, most: float, steps: int, within: Range) -> Attack:
    """The smallest change, up to `most`, by which the answer becomes another."""
    so = said(asked.scores(x))
    one_step = _Fgsm(asked, x, so, within)
    found = one_step.smallest(most)
    if kind == "pgd" and one_step.is_possible:
        found = _Pgd(asked, x, so, within, steps).smallest(most, found)
    count = steps if kind == "pgd" else 1
    if found is None:
        why = "" if one_step.is_possible else "the slope of the loss is 0 everywhere"
        return Attack(kind, None, most, count, None, so, None, why)
    eps = float(np.abs(found.astype(np.float64) - x).max())
    return Attack(kind, eps, most, count, found, so, said(asked.scores(found)))


def said(scores: Floats) -> int:
    """The class; of one number 1 for yes."""
    return int(scores.argmax()) if len(scores) > 1 else int(scores[0] > 0)


def uphill(scores: Floats, so: int) -> Floats:
    """The slope of the cross entropy by the scores, in a scale in which it never vanishes.

    L = -log softmax(z)[c]   ⇒   dL/dz = softmax(z) - 1[c]
    """
    if len(scores) == 1:
        return np.array([-1.0 if so == 1 else 1.0])
    e = np.exp(scores - scores.max())
    # Without the class itself: where it is all but certain, 1 - p would be 0.
    e[so] = 0
    total = e.sum()
    others = e / total if total > 0 else np.where(np.arange(len(e)) == so, 0, 1 / (len(e) - 1))
    others[so] = -1
    return others


class _Fgsm:
    def __init__(self, asked: Asked, x: Array, so: int, within: Range) -> None:
        self._asked, self._x, self._so, self._within = asked, x, so, within
        slope = asked.slope(x, uphill(asked.scores(x), so))
        self._sign = np.sign(np.nan_to_num(slope))
        self.is_possible = bool(self._sign.any())

    def at(self, eps: float) -> Array:
        return _within(self._x + np.float32(eps) * self._sign, self._within)

    def flips(self, eps: float) -> bool:
        return said(self._asked.scores(self.at(eps))) != self._so

    def smallest(self, most: float) -> Array | None:
        """Up the rungs to the first that flips it, then back between that and the one below."""
        if not self.is_possible:
            return None
        low = 0.0
        for high in _rungs(most, is_whole=self._within.is_whole):
            if self.flips(high):
                return self.at(high if self._within.is_whole else self._between(low, high))
            low = high
        return None

    def _between(self, low: float, high: float) -> float:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.flips(middle) else (middle, high)
        return high


class _Pgd:
    def __init__(self, asked: Asked, x: Array, so: int, within: Range, steps: int) -> None:
        self._asked, self._x, self._so, self._within = asked, x, so, within
        self._steps = steps

    def at(self, eps: float) -> Array | None:
        """An input within ε that is taken for something else, if the steps lead to one."""
        x = self._x
        stride = np.float32(STRIDE * eps / self._steps)
        for _ in range(self._steps):
            slope = self._asked.slope(x, uphill(self._asked.scores(x), self._so))
            x = x + stride * np.sign(np.nan_to_num(slope))
            x = np.clip(x, self._x - np.float32(eps), self._x + np.float32(eps))
            x = np.clip(x, self._within.low, self._within.high).astype(np.float32)
            tried = _within(x, self._within)
            if said(self._asked.scores(tried)) != self._so:
                return tried
        return None

    def smallest(self, most: float, known: Array | None) -> Array | None:
        """Halved between what does not and what does; never worse than what is known."""
        best = self.at(most) if known is None else known
        low = 0.0
        for _ in range(MOST_TRIES if best is not None else 0):
            assert best is not None, "there is one to start from"
            high = float(np.abs(best - self._x).max())
            gap = 1.0 if self._within.is_whole else NEAR * high
            if high - low <= gap:
                break
            middle = (low + high) / 2
            middle = float(int(middle)) if self._within.is_whole else middle
            found = self.at(middle)
            low, best = (middle, best) if found is None else (low, found)
        return best


def _within(x: Array, within: Range) -> Array:
    x = np.clip(x, within.low, within.high)
    return (np.rint(x) if within.is_whole else x).astype(np.float32)


def _rungs(most: float, *, is_whole: bool) -> Iterator[float]:
    if is_whole:
        yield from map(float, range(1, int(most) + 1))
        return
    for k in range(RUNGS + 1):
        yield most * 2 ** ((k - RUNGS) / 4)


def need_eps(eps: float | None, within: Range, x: Array) -> float:
    """The most that is tried: what is wished for, or a quarter of the range."""
    if eps is not None:
        return eps
    low, high = within.low, within.high
    if not (isfinite(low) and isfinite(high)):
        low, high = float(x.min()), float(x.max())
    return ((high - low) or 1.0) / 4
