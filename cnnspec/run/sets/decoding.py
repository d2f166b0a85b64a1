"""How are many pictures' files read when they are asked for, and which of them are broken?"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image

from cnnspec.run.pictures import FAULTS, FORMATS, MOST_PIXELS, SUFFIXES, be_quiet, read_image
from cnnspec.run.sets.fitting import need_colours, need_size
from cnnspec.run.sets.part import BadData, Indices, Kept
from cnnspec.run.wanted import Array, Fit, Wanted
from cnnspec.settings.data import Pictures
from cnnspec.text.record import record
from cnnspec.vocab.value import Shape, listing

LOOKED_AT = 20_000
"""So many files are opened before training begins, evenly chosen where there are more."""

UNREAD = (
    *(".heic", ".heif", ".avif", ".jp2", ".svg", ".psd", ".exr", ".dcm"),
    *(".dng", ".cr2", ".nef", ".arw", ".npy"),
)
"""How the names of pictures end that are not read here."""

SHOWN = 3
"""So many broken files are named."""

GREYS = {"1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N", "I", "F"}


@record
class File:
    path: Path
    size: int


def files_in(folder: Path) -> list[File]:
    """The pictures in a folder and those below it, in the order of their names."""
    return listed(folder)[0]


def listed(folder: Path) -> tuple[list[File], list[File]]:
    """The pictures in a folder and those below it, and apart from them those of other formats."""
    files = sorted(_walk(folder, frozenset()), key=lambda f: f.path)
    unread = [f for f in files if f.path.name.lower().endswith(UNREAD)]
    return [f for f in files if not f.path.name.lower().endswith(UNREAD)], unread


def unread_note(files: Sequence[File], folder: Path) -> list[str]:
    """A note of what is not read."""
    if not files:
        return []
    ends = sorted({f.path.suffix.lower() for f in files})
    count = "1 file" if len(files) == 1 else f"{len(files):,} files"
    left, read = ("is" if len(many) == 1 else "are" for many in (files, ends))
    return [f"{count} in {folder} {left} left out: {listing(ends, 'and')} {read} not read here"]


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[File]:
    told = folder.stat()
    this = (told.st_dev, told.st_ino)
    if this in above:
        # A link leads back to where it lies in.
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), above | {this})
            elif entry.name.lower().endswith((*SUFFIXES, *UNREAD)):
                yield File(Path(entry.path), _size(entry))


def _size(entry: "os.DirEntry[str]") -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        # That a link leads nowhere is told with all else that cannot be read.
        return 0


def names_of(files: Sequence[File], root: Path) -> bytes:
    """What stands for the content of many files: their names and sizes."""
    return "".join(f"{f.path.relative_to(root).as_posix()} {f.size}\n" for f in files).encode()


class Decoder:
    """The files of pictures, as bytes of one size, channels first."""

    def __init__(
        self, files: Sequence[File], size: Shape, data: Pictures, who: str = "the input takes"
    ) -> None:
        self._files = files
        self._data = data
        self.size = size
        self._who = who
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
        with opened(path) as image:
            size, mode = image.size, image.mode
        have = 1 if mode in GREYS else 3
        takes, height, width = self.size
        need_colours(f"{path} has", have, min(takes, 3), self._data, self._who)
        # The camera may have been held upright: width and height are then exchanged.
        if size != (height, width):
            need_size(f"{path} has", size, (width, height), self._data, self._who)


@contextmanager
def opened(path: Path) -> Generator[Image.Image, None, None]:
    """A picture's file, of which the head is read; what is wrong with it raises `BadData`."""
    be_quiet()
    try:
        image = Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError:
        raise BadData(f"{path}: it claims more than {MOST_PIXELS:,} pixels") from None
    except FAULTS as fault:
        raise BadData(f"{path}: {_reason(fault)}") from None
    with image:
        if image.width * image.height > MOST_PIXELS:
            claimed = f"{image.width:,}x{image.height:,}"
            raise BadData(f"{path}: it claims {claimed} pixels, more than {MOST_PIXELS:,}")
        yield image


def _reason(fault: BaseException) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror.lower()
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
        # Not all has been read.
        most = "" if len(bad) == count else "at least "
        raise BadData(f"{most}{len(bad):,} of {count:,} examples cannot be used: {shown}")
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
