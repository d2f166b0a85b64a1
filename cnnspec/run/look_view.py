"""How is an input seen by people: its channels first, in which range, as a picture or a signal?"""

import csv
from collections.abc import Iterator
from itertools import islice
from math import inf, isfinite, isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.arrays import items_of
from cnnspec.run.inputs import Item, items, reason
from cnnspec.run.wanted import Fit, Wanted
from cnnspec.text.record import record

Array = NDArray[np.float32]

TABLES = (".csv", ".tsv", ".txt")
"""Files with numbers as text, an item a row; or one item a number a row."""

SQUARE = 64
"""A vector of at least so many numbers, and of a square of them, is a picture, as in a perceptron
for digits."""

LONGEST = 2**26
"""Bytes of a table."""


@record
class View:
    """An input as people see it."""

    name: str
    shape: tuple[int, ...]
    """Channels, then places."""
    is_last: bool
    """Does the network take the channels last?"""
    taken: tuple[int, ...]
    """The shape in which the network takes one."""
    low: float
    high: float
    """What its numbers can be; infinite where nobody knows."""
    is_whole: bool

    @property
    def places(self) -> tuple[int, ...]:
        return self.shape[1:]

    @property
    def is_picture(self) -> bool:
        return len(self.shape) > 2

    @property
    def units(self) -> str:
        """In what its numbers are."""
        if not isfinite(self.high):
            return "in the units of the input, whose numbers have no known limits"
        whole = "whole numbers" if self.is_whole else "numbers"
        return f"in the units of the input, which takes {whole} from {self.low:g} to {self.high:g}"

    def seen(self, x: NDArray[Any]) -> Array:
        """From how the network takes it; one, or several along an axis in front."""
        ahead = x.shape[: x.ndim - len(self.taken)]
        x = x.astype(np.float32)
        if self.is_last:
            x = np.moveaxis(x, -1, len(ahead))
        return np.ascontiguousarray(x).reshape(*ahead, *self.shape)

    def given(self, x: Array) -> Array:
        """As the network takes it; the runtime makes whole numbers of them where it wants these."""
        ahead = x.shape[: x.ndim - len(self.shape)]
        x = np.moveaxis(x, len(ahead), -1) if self.is_last else x
        x = np.rint(x) if self.is_whole else x
        return np.ascontiguousarray(x).reshape(*ahead, *self.taken)

    def shown(self, x: Array) -> Array:
        """From 0 to 1, for a picture of it."""
        low, high = self.low, self.high
        if not isfinite(low + high):
            low, high = float(np.nanmin(x)), float(np.nanmax(x))
        return ((x - low) / ((high - low) or 1)).clip(0, 1)


def view(wanted: Wanted, x: NDArray[Any], limits: tuple[float, float] | None = None) -> View:
    """How one input is seen; `limits` are those of the data, where they are known."""
    is_last = wanted.layout == "hwc" and x.ndim > 1
    shape = (x.shape[-1], *x.shape[:-1]) if is_last else x.shape
    if len(shape) == 1:
        n = shape[0]
        side = isqrt(n)
        shape = (1, side, side) if n >= SQUARE and side * side == n else (1, n)
    low, high = limits or _limits(wanted, x, len(shape) > 2)
    return View(wanted.name, shape, is_last, x.shape, low, high, wanted.dtype.kind in "iu")


def _limits(wanted: Wanted, x: NDArray[Any], is_picture: bool) -> tuple[float, float]:
    if wanted.raw or wanted.dtype == np.uint8:
        return 0.0, 255.0
    # Numbers of an array may be anything; those of pictures are parts of white.
    if is_picture and x.size and 0 <= float(x.min()) <= float(x.max()) <= 1:
        return 0.0, 1.0
    return -inf, inf


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def read_item(
    path: str, wants: list[Wanted], which: int | None, *, fit: Fit | None, strict: bool
) -> Item:
    """One item of a file; of several the first, or the one with a number from 0. Raises
    `ValueError`, which says in a clause what is wrong."""
    is_table = path.lower().endswith(TABLES)
    found = _rows(path, wants) if is_table else items([path], wants, fit=fit, strict=strict)
    chosen = next(islice(found, which or 0, None), None)
    if chosen is None:
        raise ValueError(f"it has no item {which}")
    if chosen.fault is not None:
        raise ValueError(chosen.fault)
    return chosen


def _rows(path: str, wants: list[Wanted]) -> Iterator[Item]:
    if len(wants) > 1:
        names = ", ".join(f"`{w.name}`" for w in wants)
        raise ValueError(f"the network takes {names}, which only an npz file can hold")
    x = _table(path)
    (want,) = wants
    # A number a row is one item, unless the network takes single numbers.
    x = x.reshape(1, -1) if x.shape[1] == 1 and want.size != (1,) else x
    if len(want.size) == 2 and want.size[0] == 1:
        x = x[:, None]
    found = items_of(x, want)
    n = len(found)
    for k in range(n):
        yield Item(path if n == 1 else f"{path}[{k}]", {want.name: found[k]}, siblings=n)


def _table(path: str) -> NDArray[np.float32]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read(LONGEST + 1)
    except OSError as fault:
        raise ValueError(reason(fault)) from None
    except UnicodeDecodeError as fault:
        raise ValueError(f"its byte {fault.start:,} is not UTF-8") from None
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} letters")
    rows = [row for row in csv.reader(text.splitlines(), delimiter=_between(text)) if any(row)]
    numbers = [[_number(cell) for cell in row if cell.strip()] for row in rows]
    # A row of words at the top says what the columns are.
    if numbers and all(n is None for n in numbers[0]):
        rows, numbers = rows[1:], numbers[1:]
    if not numbers:
        raise ValueError("it holds no numbers")
    for k, row in enumerate(numbers):
        bad = next((c for c, n in zip(rows[k], row, strict=False) if n is None), None)
        if bad is not None:
            raise ValueError(f"its row {k + 1} has `{bad.strip()[:40]}`, which is no number")
        if len(row) != len(numbers[0]):
            raise ValueError(f"its row {k + 1} has {len(row)} numbers, the first {len(numbers[0])}")
    return np.array(numbers, np.float32)


def _between(text: str) -> str:
    first = text.split("\n", 1)[0]
    return next((c for c in (",", ";", "\t") if c in first), " ")


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
