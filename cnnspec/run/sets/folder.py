"""How is a folder read that has a folder of pictures for each class?"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cnnspec.run.sets.decoding import (
    Decoder,
    File,
    files_in,
    listed,
    names_of,
    unread_note,
    usable,
)
from cnnspec.run.sets.part import Arrays, BadData, Found, Indices, digest_of
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.settings.sets import Folder
from cnnspec.vocab.value import listing

PARTS = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folders of the parts are called, in small letters or capitals; `set` may follow."""

CALLED = {"train": "training", "validation": "validation", "test": "test"}

NO_CLASS = (".", "__MACOSX")
"""How the folders begin that systems leave behind."""


def read_folder(data: Folder, folder: Path, wanted: Wanted, *, skip_bad: bool) -> Found:
    """The pictures of each class, in parts where there are folders for them."""
    root = folder / Path(data.path).expanduser()
    if not root.is_dir():
        raise BadData(f"there is no folder {root}")
    places = _parts(root)
    classes = _below(places["train"])
    if not classes:
        raise BadData(f"{places['train']} has no folders, which would be the classes")
    sources: dict[str, Labelled] = {}
    notes = [*_unused(root, places), *_untold(places["train"], classes)]
    names = b""
    for part, place in places.items():
        sources[part], files, said = _read(place, classes, data, wanted, skip_bad)
        names += names_of(files, root)
        notes += said
    return Found(
        sources["train"],
        "classes",
        digest_of(names),
        tuple(classes),
        sources.get("validation"),
        sources.get("test"),
        tuple(notes),
    )


def _parts(root: Path) -> dict[str, Path]:
    """The folder of each part; the whole where there is none for training."""
    below = _below(root)
    named = {part: [name for name in below if _part(name) == part] for part in PARTS}
    there = {part: names for part, names in named.items() if names}
    if "train" not in there:
        if below and sum(map(len, there.values())) == len(below):
            parts = listing([CALLED[part] for part in there], "and")
            raise BadData(f"{root} has folders for {parts} alone, {_quoted(below)}")
        # A class may be called as a part is.
        return {"train": root}
    for part, names in there.items():
        if len(names) > 1:
            raise BadData(f"{root} has {len(names)} folders for {CALLED[part]}, {_quoted(names)}")
    return {part: root / name for part, (name,) in there.items()}


def _quoted(names: Sequence[str]) -> str:
    """The first of them, where there are many."""
    quoted = [f"`{name}`" for name in names]
    return listing(quoted, "and") if len(quoted) < 4 else f"{', '.join(quoted[:3])}, …"


def _part(name: str) -> str | None:
    """`training_set` is for training."""
    word = name.lower().removesuffix("set").rstrip("_- ")
    return next((part for part, names in PARTS.items() if word in names), None)


def _below(place: Path) -> list[str]:
    with os.scandir(place) as entries:
        folders = [entry.name for entry in entries if entry.is_dir()]
    return sorted(name for name in folders if not name.startswith(NO_CLASS))


def _unused(root: Path, places: Mapping[str, Path]) -> list[str]:
    """A note of what lies beside the parts."""
    used = {place.name for place in places.values()}
    more = [name for name in _below(root) if name not in used]
    if root in places.values() or not more:
        return []
    if len(more) == 1:
        return [f"the folder `{more[0]}` in {root} is not used: it has no name of a part"]
    return [f"the folders {_quoted(more)} in {root} are not used: they have no names of parts"]


def _untold(place: Path, classes: Sequence[str]) -> list[str]:
    """A note where what is taken for a class may be a part, or a fold: each has the same in it."""
    inside = _below(place / classes[0]) if len(classes) > 1 else []
    if len(inside) < 2 or not all(_below(place / name) == inside for name in classes[1:]):
        return []
    return [
        f"the classes are {_quoted(classes)}; the folders {_quoted(inside)} in each of them are "
        "not told apart"
    ]


def _read(
    place: Path, classes: Sequence[str], data: Folder, wanted: Wanted, skip_bad: bool
) -> "tuple[Labelled, list[File], tuple[str, ...]]":
    new = [name for name in _below(place) if name not in classes]
    new = [name for name in new if files_in(place / name)]
    if new:
        raise BadData(f"{place} has a class `{new[0]}`, which has no examples for training")
    files: list[File] = []
    labels: list[int] = []
    unread: list[File] = []
    for label, name in enumerate(classes):
        inside, others = listed(place / name) if (place / name).is_dir() else ([], [])
        files += inside
        labels += [label] * len(inside)
        unread += others
    left_out = unread_note(unread, place)
    if not files:
        raise BadData("; ".join([f"no folder in {place} has a picture", *left_out]))
    decoder = Decoder(files, size_of(wanted), data)
    keep, notes = usable(len(files), decoder.look, decoder.decoded, skip_bad)
    return Labelled(wanted.name, decoder, np.array(labels), keep), files, (*left_out, *notes)


def size_of(wanted: Wanted) -> tuple[int, int, int]:
    """Channels, height and width of a picture for the input."""
    picture = wanted.picture
    if picture is None or picture[1] is None or picture[2] is None:
        raise BadData(f"the input takes {show_size(wanted.size)}, which is no picture")
    return picture[0], picture[1], picture[2]


class Labelled:
    """Pictures with a class for each."""

    def __init__(self, name: str, decoder: Decoder, labels: Indices, keep: Indices) -> None:
        self._name, self._decoder, self._keep = name, decoder, keep
        self._labels = labels[keep]

    @property
    def names(self) -> Sequence[str]:
        return (self._name,)

    @property
    def labels(self) -> Indices | None:
        return self._labels

    def __len__(self) -> int:
        return len(self._keep)

    def inputs(self, indices: Indices) -> Arrays:
        return {self._name: self._decoder.read(self._keep[indices])}

    def targets(self, indices: Indices) -> Array:
        return self._labels[indices]
