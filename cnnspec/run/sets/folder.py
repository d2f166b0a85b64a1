"""How is a folder read that has a folder of pictures for each class?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnspec.run.sets.decoding import Decoder, File, files_in, names_of, usable
from cnnspec.run.sets.part import Arrays, BadData, Found, Indices, digest_of
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.settings.sets import Folder

PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}


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
    notes: list[str] = []
    names = b""
    for part, place in places.items():
        sources[part], listed, said = _read(place, classes, data, wanted, skip_bad)
        names += names_of(listed, root)
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
    found = {
        part: root / name
        for part, names in PARTS.items()
        for name in names
        if (root / name).is_dir()
    }
    return found if "train" in found else {"train": root}


def _below(place: Path) -> list[str]:
    return sorted(p.name for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))


def _read(
    place: Path, classes: Sequence[str], data: Folder, wanted: Wanted, skip_bad: bool
) -> "tuple[Labelled, list[File], tuple[str, ...]]":
    new = [name for name in _below(place) if name not in classes]
    if new:
        raise BadData(f"{place} has a class `{new[0]}`, which has no examples for training")
    files: list[File] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        inside = files_in(place / name) if (place / name).is_dir() else []
        files += inside
        labels += [label] * len(inside)
    if not files:
        raise BadData(f"no folder in {place} has a picture")
    decoder = Decoder(files, size_of(wanted), data)
    keep, notes = usable(len(files), decoder.look, decoder.decoded, skip_bad)
    return Labelled(wanted.name, decoder, np.array(labels), keep), files, notes


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
