"""What examples is a model measured on?"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cnnspec.run.arrays import FAULTS, ZIPS, Items, items_of
from cnnspec.run.inputs import Item, batches, items, listed, stacked
from cnnspec.run.wanted import Array, Arrays, Wanted
from cnnspec.text.record import record

PICTURES = ("x", "images")
"""How the inputs may be called in an npz file, beside the name of the network's input."""

LABELS = ("y", "labels")

DRAWN = 16
"""How many examples are drawn where none are given."""

OPEN = 64
"""The length of an axis that may have any, in those: the next multiple of the network's step."""

Given = ArrayLike | Mapping[str, ArrayLike] | str | os.PathLike[str]

Labelled = tuple[Item, Any]
"""What a network takes once, and its class, or classes, or none."""

Batch = tuple[dict[str, Array], int, NDArray[np.int64] | None]


@record
class Examples:
    """Inputs, and what they are of where that is known."""

    wants: Sequence[Wanted]
    source: Callable[[], Iterator[Labelled]]
    """Each item with its label, anew at each call: not all of them fit into memory."""
    is_drawn: bool = False

    def batches(self, n: int) -> Iterator[Batch]:
        """What the network takes, how many items of it count, and their labels.

        A network of a fixed batch is given that many, the last item repeated.
        """
        labels: list[Any] = []
        found = self._items(labels)
        for group in batches(found, self.wants, n):
            ys, labels[: len(group)] = labels[: len(group)], []
            known = None if any(y is None for y in ys) else np.asarray(ys, np.int64)
            yield stacked(group, self.wants), len(group), known

    def _items(self, labels: list[Any]) -> Iterator[Item]:
        for item, label in self.source():
            if item.fault is not None:
                raise ValueError(f"{item.name}: {item.fault}")
            labels.append(label)
            yield item


def read_examples(
    path: "str | os.PathLike[str]", wants: Sequence[Wanted], classes: Sequence[str] = ()
) -> Examples:
    """The examples in a file of arrays or in a folder. Raises `ValueError` and `OSError`.

    An npz file has the inputs as `x`, `images` or by the input's name, and may have classes as `y`
    or `labels`. In a folder, each folder of pictures may be a class.
    """
    name = os.fspath(path)
    if os.path.isdir(name):
        return _of_folder(name, wants, classes)
    with open(name, "rb") as file:
        is_npz = file.read(len(ZIPS[0])) in ZIPS
    if is_npz:
        try:
            return _of_arrays(_unpacked(name), wants)
        except ValueError as fault:
            raise ValueError(f"{name}: {fault}") from None
    found = Examples(wants, lambda: ((item, None) for item in items([name], wants)))
    return _checked(found, name)


def as_examples(given: Given, wants: Sequence[Wanted], classes: Sequence[str] = ()) -> Examples:
    """What is given as a path, as an array, or as arrays called as in an npz file."""
    if isinstance(given, str | os.PathLike):
        return read_examples(given, wants, classes)
    if isinstance(given, Mapping):
        return _of_arrays({name: np.asarray(x) for name, x in given.items()}, wants)
    return _of_arrays({PICTURES[0]: np.asarray(given)}, wants)


def draw_examples(wants: Sequence[Wanted], step: int = 1, seed: int = 0) -> Examples:
    """Noise: of the values of pictures where the network takes such, otherwise normal."""
    rng = np.random.default_rng(seed)
    length = -(-OPEN // step) * step

    def draw(w: Wanted) -> Array:
        shape = (DRAWN, *(n or length for n in w.shape))
        if w.dtype.kind in "iu" or w.raw:
            return rng.integers(0, 256 if w.dtype.itemsize > 1 or w.raw else 128, shape)
        return rng.random(shape) if w.picture else rng.standard_normal(shape)

    drawn = {w.name: draw(w).astype(w.dtype) for w in wants}
    found = _of_arrays(drawn, wants)
    return Examples(wants, found.source, is_drawn=True)


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────


def _unpacked(name: str) -> dict[str, Array]:
    try:
        with open(name, "rb") as file, np.load(file, allow_pickle=False) as held:
            return {key: held[key] for key in held.files}
    except (*FAULTS, KeyError) as fault:
        raise ValueError(f"it cannot be unpacked: {fault}") from None


def _of_arrays(held: Mapping[str, Array], wants: Sequence[Wanted]) -> Examples:
    columns = [items_of(_named(held, w, wants), w) for w in wants]
    n = len(columns[0])
    for w, column in zip(wants, columns, strict=True):
        if len(column) != n:
            raise ValueError(
                f"there are {n:,} items for `{wants[0].name}` and {len(column):,} for `{w.name}`"
            )
    labels = _labels(held, wants, n)
    return Examples(wants, lambda: _rows(columns, labels, wants))


def _rows(
    columns: Sequence[Items], labels: Array | None, wants: Sequence[Wanted]
) -> Iterator[Labelled]:
    for i in range(len(columns[0])):
        arrays: Arrays = {w.name: x[i] for w, x in zip(wants, columns, strict=True)}
        yield Item(f"example {i}", arrays), None if labels is None else labels[i]


def _named(held: Mapping[str, Array], wanted: Wanted, wants: Sequence[Wanted]) -> Array:
    others = [name for name in held if name not in LABELS]
    usual = [name for name in PICTURES if name in held] if len(wants) == 1 else []
    only = others if len(wants) == len(others) == 1 else []
    for name in (wanted.name, *usual, *only):
        if name in held:
            return held[name]
    names = ", ".join(f"`{name}`" for name in list(held)[:5]) or "none"
    raise ValueError(f"it has no array `{wanted.name}`; its arrays: {names}")


def _labels(held: Mapping[str, Array], wants: Sequence[Wanted], n: int) -> Array | None:
    names = {w.name for w in wants}
    name = next((name for name in LABELS if name in held and name not in names), None)
    if name is None:
        return None
    y = held[name]
    if y.dtype.kind not in "iu":
        raise ValueError(f"its `{name}` are {y.dtype.name}; classes are whole numbers")
    if y.ndim == 0 or len(y) != n:
        raise ValueError(f"it has {y.size:,} labels for {n:,} items")
    return y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y


# ── folders ─────────────────────────────────────────────────────────────────────────────────────


def _of_folder(folder: str, wants: Sequence[Wanted], classes: Sequence[str]) -> Examples:
    listing = listed([folder])
    if listing.faults:
        raise ValueError(f"{listing.faults[0].name}: {listing.faults[0].fault}")
    if not listing.files:
        raise ValueError(f"{folder}: there is no picture or array")
    numbers = _numbers(folder, listing.files, classes)

    def source() -> Iterator[Labelled]:
        for file in listing.files:
            label = numbers.get(_class_of(folder, file))
            yield from ((item, label) for item in items([file], wants))

    return _checked(Examples(wants, source), folder)


def _class_of(folder: str, file: str) -> str:
    """The folder within the folder; nothing for a file beside those."""
    parts = Path(os.path.relpath(file, folder)).parts
    return parts[0] if len(parts) > 1 else ""


def _numbers(folder: str, files: Sequence[str], classes: Sequence[str]) -> Mapping[str, int]:
    """The class that each folder stands for: the one so called, or else in the order of names."""
    names = sorted({_class_of(folder, file) for file in files})
    if "" in names:
        return {}
    if set(names) <= set(classes):
        return {name: classes.index(name) for name in names}
    return {name: i for i, name in enumerate(names)}


def _checked(examples: Examples, name: str) -> Examples:
    """Read the first item: what is wrong with all of them is known before the work."""
    first = next(examples.source(), None)
    if first is None:
        raise ValueError(f"{name}: it holds no items")
    if first[0].fault is not None:
        raise ValueError(f"{first[0].name}: {first[0].fault}")
    return examples
