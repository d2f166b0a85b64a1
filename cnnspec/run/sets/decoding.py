"""How are many pictures' files read when they are asked for, and which of them are broken?"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from cnnspec.run.pictures import FAULTS, FORMATS, SUFFIXES, read_image
from cnnspec.run.sets.fitting import need_colours, need_size
from cnnspec.run.sets.part import BadData, Indices, Kept
from cnnspec.run.wanted import Array, Fit, Wanted
from cnnspec.settings.data import Pictures
from cnnspec.text.record import record
from cnnspec.vocab.value import Shape

LOOKED_AT = 20_000
"""So many files are opened before training begins, evenly chosen where there are more."""

SHOWN = 3
"""So many broken files are named."""

GREYS = {"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I", "F"}


@record
class File:
    path: Path
    size: int


def files_in(folder: Path) -> list[File]:
    """The pictures in a folder and those below it, in the order of their names."""
    return sorted(_walk(folder), key=lambda f: f.path)


def _walk(folder: Path) -> Iterator[File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path))
            elif entry.name.lower().endswith(SUFFIXES):
                yield File(Path(entry.path), entry.stat().st_size)


def names_of(files: Sequence[File], root: Path) -> bytes:
    """What stands for the content of many files: their names and sizes."""
    return "".join(f"{f.path.relative_to(root).as_posix()} {f.size}\n" for f in files).encode()


class Decoder:
    """The files of pictures, as bytes of one size, channels first."""

    def __init__(self, files: Sequence[File], size: Shape, data: Pictures) -> None:
        self._files = files
        self._data = data
        self._size = size
        self._wanted = Wanted("", size, np.dtype(np.uint8), raw=True)
        self._kept = Kept(len(files), size, np.dtype(np.uint8))

    def __len__(self) -> int:
        return len(self._files)

    def read(self, indices: Indices) -> Array:
        """These pictures; raises `BadData` for one that cannot be read."""
        return self._kept.read(indices, self.decoded)

    def decoded(self, i: int) -> Array:
        path = self._files[i].path
        fit = None if self._data.fit == "exact" else cast("Fit", self._data.fit)
        try:
            return read_image(str(path), self._wanted, fit, strict=fit is None).values
        except ValueError as fault:
            raise BadData(f"{path}: {fault}") from None

    def look(self, i: int) -> None:
        """At the head of a file alone; raises as `decoded` does."""
        path = self._files[i].path
        try:
            with Image.open(path, formats=FORMATS) as image:
                size, mode = image.size, image.mode
        except (*FAULTS, Image.DecompressionBombError) as fault:
            raise BadData(f"{path}: {_reason(fault)}") from None
        have = 1 if mode in GREYS else 3
        takes, height, width = self._size
        need_colours(f"{path} has", have, min(takes, 3), self._data)
        # The camera may have been held upright: width and height are then exchanged.
        if size != (height, width):
            need_size(f"{path} has", size, (width, height), self._data)


def _reason(fault: BaseException) -> str:
    said = str(fault).strip().rstrip(".")
    return "it is no picture that is read here" if "cannot identify" in said else said.lower()


def usable(
    count: int, look: Callable[[int], object], decode: Callable[[int], object], skip_bad: bool
) -> tuple[Indices, tuple[str, ...]]:
    """Which of so many examples can be read, and what is left out.

    Without `skip_bad` the heads of files are looked at, and a broken one raises `BadData`; with it
    every file is decoded.
    """
    asked = np.arange(count) if skip_bad or count <= LOOKED_AT else _evenly(count)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        faults = list(pool.map(partial(_fault, decode if skip_bad else look), asked.tolist()))
    bad = [(i, fault) for i, fault in zip(asked.tolist(), faults, strict=True) if fault]
    if not bad:
        return np.arange(count), ()
    shown = "; ".join(fault for _, fault in bad[:SHOWN]) + ("; …" if len(bad) > SHOWN else "")
    if not skip_bad:
        if len(bad) == 1:
            raise BadData(shown)
        raise BadData(f"{len(bad):,} of {count:,} examples cannot be used: {shown}")
    note = f"{len(bad):,} of {count:,} examples are left out: {shown}"
    return np.setdiff1d(np.arange(count), [i for i, _ in bad]), (note,)


def _evenly(count: int) -> Indices:
    return np.linspace(0, count - 1, LOOKED_AT).astype(np.int64)


def _fault(read: Callable[[int], object], i: int) -> str:
    try:
        read(i)
    except BadData as fault:
        return str(fault)
    return ""
