"""How is a file of NumPy arrays read, with examples and their targets?"""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from cnnspec.run.arrays import FAULTS
from cnnspec.run.sets.part import BadData, Found, Held, digest_of
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.settings import sets
from cnnspec.settings.base import Targets

MAPPED = 1 << 26
"""Arrays of more bytes are mapped from the file, where it is not compressed."""


def read_npz(data: sets.Arrays, folder: Path, wants: Sequence[Wanted]) -> Found:
    """The arrays for each input, and the targets."""
    path = folder / Path(data.path).expanduser()
    try:
        with zipfile.ZipFile(path) as file:
            held = {
                info.filename.removesuffix(".npy"): info
                for info in file.infolist()
                if info.filename.endswith(".npy")
            }
            return _found(_Reading(path, file, held, data, wants))
    except FileNotFoundError:
        raise BadData(f"there is no file {path}") from None
    except FAULTS as fault:
        raise BadData(f"{path} cannot be unpacked: {str(fault) or type(fault).__name__}") from None


class _Reading:
    def __init__(
        self,
        path: Path,
        file: zipfile.ZipFile,
        held: dict[str, zipfile.ZipInfo],
        data: sets.Arrays,
        wants: Sequence[Wanted],
    ) -> None:
        self.path, self.file, self.held = path, file, held
        self.data, self.wants = data, wants

    def inputs(self, part: str) -> dict[str, Array] | None:
        """The examples of a part for each input, or none where it has none."""
        if len(self.wants) == 1:
            bases = {self.wants[0].name: (self.data.x, self.wants[0].name, "images")}
        else:
            bases = {w.name: (w.name,) for w in self.wants}
        found: dict[str, Array] = {}
        for w in self.wants:
            name = self._name(bases[w.name], "x", part)
            if name is None:
                if part:
                    return None
                raise BadData(self._missing(bases[w.name][0]))
            found[w.name] = self._fitting(name, self.array(name), w)
        return found

    def targets(self, part: str) -> Array:
        name = self._name((self.data.y, "labels"), "y", part)
        if name is None:
            raise BadData(self._missing(self.data.y + part))
        return self.array(name)

    def _name(self, bases: Sequence[str], usual: str, part: str) -> str | None:
        asked = [base + part for base in bases] + ([usual + part] if part else [])
        return next((name for name in asked if name in self.held), None)

    def _missing(self, name: str) -> str:
        names = ", ".join(f"`{n}`" for n in list(self.held)[:8]) or "none"
        return f"{self.path} has no array `{name}`; its arrays: {names}"

    def array(self, name: str) -> Array:
        info = self.held[name]
        if info.compress_type == zipfile.ZIP_STORED and info.file_size > MAPPED:
            return _mapped(self.path, info)
        with self.file.open(info) as member:
            try:
                return cast("Array", np.lib.format.read_array(member, allow_pickle=False))
            except ValueError as fault:
                said = str(fault).lower().rstrip(".")
                raise BadData(f"array `{name}` of {self.path} cannot be read: {said}") from None

    def _fitting(self, name: str, x: Array, wanted: Wanted) -> Array:
        size = wanted.size
        if x.dtype.kind not in "biuf":
            raise BadData(f"array `{name}` of {self.path} has {x.dtype.name}, no plain numbers")
        if x.dtype.kind == "f" and x.nbytes <= MAPPED and not np.isfinite(x).all():
            first = int(np.argwhere(~np.isfinite(x))[0][0])
            raise BadData(f"example {first} in array `{name}` of {self.path} has no finite number")
        if x.shape[1:] == size or (x.ndim > 1 and _alike(x.shape[1:], size)):
            return x.reshape(len(x), *(n or 0 for n in size))
        raise BadData(
            f"array `{name}` of {self.path} is {show_size(x.shape)}, the input takes "
            f"Nx{show_size(size)}"
        )


def _alike(have: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Is the one the other without its single channel, or a flat vector of as many numbers?"""
    flat = len(wanted) == 1 and math.prod(have) == wanted[0]
    return flat or (wanted[0] == 1 and tuple(have) == tuple(wanted[1:]))


def _mapped(path: Path, info: zipfile.ZipInfo) -> Array:
    """An array that stays in its file."""
    with open(path, "rb") as file:
        # The local header's name and extra field may be of other lengths than in the directory.
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
        file.seek(sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2)), 1)
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read(file)
        order = "F" if is_fortran else "C"
        return np.memmap(path, dtype, "r", file.tell(), shape, order)


def _found(reading: _Reading) -> Found:
    x = reading.inputs("")
    assert x is not None, "what training has not is refused"
    y = reading.targets("")
    gives = _given(reading, y)
    parts = {"validation": "_val", "test": "_test"}
    sources = {"train": _source(reading, x, y, gives)}
    for name, ending in parts.items():
        more = reading.inputs(ending)
        if more is not None:
            sources[name] = _source(reading, more, reading.targets(ending), gives)
    infos = sorted((i.filename, i.file_size, i.CRC) for i in reading.held.values())
    digest = digest_of(repr(infos).encode())
    return Found(
        sources["train"],
        gives,
        digest,
        validation=sources.get("validation"),
        test=sources.get("test"),
    )


def _given(reading: _Reading, y: Array) -> Targets:
    told = reading.data.targets_given()
    is_whole = y.dtype.kind in "iu"
    if told is not None:
        if told in ("classes", "masks") and not is_whole:
            raise BadData(
                f"`targets={told}` takes whole numbers; {reading.path} has {y.dtype.name}"
            )
        return told
    if is_whole and y.ndim == 1:
        return "classes"
    spatial = reading.wants[0].size[1:]
    if is_whole and spatial and y.shape[1:] == spatial:
        return "masks"
    return "pictures" if y.ndim == 4 else "numbers"


def _source(reading: _Reading, x: dict[str, Array], y: Array, gives: Targets) -> Held:
    for name, inputs in x.items():
        if len(inputs) != len(y):
            raise BadData(
                f"{reading.path} has {len(inputs):,} examples for `{name}` and {len(y):,} targets"
            )
    if gives == "classes" and y.ndim != 1:
        raise BadData(f"classes in {reading.path} are {show_size(y.shape)}, not one an example")
    if gives == "numbers" and y.ndim == 1:
        y = y[:, None]
    if gives == "classes" and len(y) and int(y.min()) < 0:
        raise BadData(f"{reading.path} has a class {int(y.min())}; classes count from 0")
    return Held(x, y, are_classes=gives == "classes")
