"""How is a file of NumPy arrays read, with examples and their targets?"""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnspec.run.arrays import FAULTS
from cnnspec.run.sets import members
from cnnspec.run.sets.members import read_member
from cnnspec.run.sets.part import MOST, BadData, Found, Held, digest_of
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.settings import sets
from cnnspec.settings.base import Targets

HIGHEST = int(np.iinfo(np.int64).max)
"""As which classes are counted."""


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
            found[w.name] = self._fitting(name, self._array(name), w)
        return found

    def targets(self, part: str) -> tuple[str, Array]:
        """What the array of targets is called, and what is in it: words as text, all else as it
        is, yes and no as 1 and 0."""
        name = self._name((self.data.y, "labels"), "y", part)
        if name is None:
            raise BadData(self._missing(self.data.y + part))
        y = self._array(name)
        if not y.ndim:
            raise BadData(f"`{name}` of {self.path} is one number; targets are one an example")
        if y.dtype.kind == "S":
            return name, np.char.decode(y.astype(np.bytes_), "utf-8", "replace")
        return name, y.astype(np.uint8) if y.dtype.kind == "b" else y

    def need_none(self, part: str) -> None:
        """Raise `BadData` for targets of a part that has no examples."""
        name = self._name((self.data.y, "labels"), "y", part)
        if name is not None:
            missing = self.wants[0].name if len(self.wants) > 1 else self.data.x
            raise BadData(f"{self.path} has `{name}` and no examples for it, as `{missing}{part}`")

    def _name(self, bases: Sequence[str], usual: str, part: str) -> str | None:
        asked = [base + part for base in bases] + ([usual + part] if part else [])
        return next((name for name in asked if name in self.held), None)

    def _missing(self, name: str) -> str:
        names = ", ".join(f"`{n}`" for n in list(self.held)[:8]) or "none"
        return f"{self.path} has no array `{name}`; its arrays: {names}"

    def _array(self, name: str) -> Array:
        return read_member(self.path, self.file, self.held[name])

    def _fitting(self, name: str, x: Array, wanted: Wanted) -> Array:
        size = wanted.size
        if x.dtype.kind not in "biuf":
            raise BadData(f"array `{name}` of {self.path} has {x.dtype.name}, no plain numbers")
        _finite(x, f"in array `{name}` of {self.path}", "example")
        if x.shape[1:] == size or (x.ndim > 1 and _alike(x.shape[1:], size)):
            return x.reshape(len(x), *(n or 0 for n in size))
        is_last = len(size) > 1 and x.shape[1:] == (*size[1:], size[0])
        raise BadData(
            f"array `{name}` of {self.path} is {show_size(x.shape)}, the input takes "
            f"Nx{show_size(size)}{', channels first' if is_last else ''}"
        )


def _alike(have: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Is the one the other without its single channel, or a flat vector of as many numbers?"""
    flat = len(wanted) == 1 and math.prod(have) == wanted[0]
    return flat or (wanted[0] == 1 and tuple(have) == tuple(wanted[1:]))


def _finite(x: Array, where: str, what: str) -> None:
    """Raise `BadData` for what is not finite as it is computed with."""
    # To look through all of a large file takes longer than to begin; a step says what it meets.
    if x.dtype.kind != "f" or x.nbytes > members.MAPPED:
        return
    most = min(MOST, float(np.finfo(x.dtype.name).max))
    bad = np.argwhere(~(np.abs(x) <= most))
    if len(bad):
        number = float(x[tuple(bad[0])])
        much = ", more than single precision holds" if math.isfinite(number) else ""
        raise BadData(f"{what} {int(bad[0][0]):,} {where} has {number:g}{much}")


def _found(reading: _Reading) -> Found:
    x = reading.inputs("")
    assert x is not None, "what training has not is refused"
    _, y = reading.targets("")
    names = _names(reading, y)
    gives = "classes" if names is not None else _given(reading, y)
    parts = {"train": _source(reading, x, _numbered(y, names), gives)}
    for part in ("validation", "test"):
        ending = "_test" if part == "test" else "_val"
        more = reading.inputs(ending)
        if more is None:
            reading.need_none(ending)
        else:
            name, theirs = reading.targets(ending)
            _same_kind(reading, y, name, theirs, names, gives)
            parts[part] = _source(reading, more, _numbered(theirs, names), gives)
    infos = sorted((i.filename, i.file_size, i.CRC) for i in reading.held.values())
    return Found(
        parts["train"],
        gives,
        digest_of(repr(infos).encode()),
        names,
        validation=parts.get("validation"),
        test=parts.get("test"),
    )


# ── what targets are ────────────────────────────────────────────────────────────────────────────


def _names(reading: _Reading, y: Array) -> tuple[str, ...] | None:
    """The names of the classes, where targets are words."""
    if y.dtype.kind != "U":
        return None
    told = reading.data.targets_given()
    if told not in (None, "classes"):
        raise BadData(f"the targets in {reading.path} are text, and `targets={told}` takes numbers")
    if y.ndim != 1:
        shape = show_size(y.shape)
        raise BadData(f"the targets in {reading.path} are text, {shape}, not one an example")
    names = tuple(map(str, np.unique(y)))
    blank = next((name for name in names if not name.strip()), None)
    if blank is not None:
        first = int(np.argmax(y == blank))
        raise BadData(f"target {first:,} in {reading.path} is an empty text")
    return names


def _numbered(y: Array, names: Sequence[str] | None) -> Array:
    return y if names is None else np.searchsorted(np.array(names), y)


def _same_kind(
    reading: _Reading,
    train: Array,
    name: str,
    y: Array,
    names: Sequence[str] | None,
    gives: Targets,
) -> None:
    """Raise `BadData` for targets of a part that are not like those for training."""
    is_text = names is not None
    whole_alone = gives in ("classes", "masks") and not is_text
    if is_text != (y.dtype.kind == "U") or (whole_alone and y.dtype.kind not in "iu"):
        raise BadData(
            f"the targets in {reading.path} are {_called(train)}, and those in `{name}` "
            f"{_called(y)}"
        )
    if names is not None and len(new := np.setdiff1d(y, np.array(names))):
        raise BadData(
            f"`{name}` in {reading.path} has a class `{new[0]}`, which has no examples for training"
        )


def _called(y: Array) -> str:
    return "text" if y.dtype.kind == "U" else y.dtype.name


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
    # What has a place for each place of the input moves with it.
    return "pictures" if y.ndim == 4 or (spatial and y.shape[2:] == spatial) else "numbers"


def _source(reading: _Reading, x: dict[str, Array], y: Array, gives: Targets) -> Held:
    for name, inputs in x.items():
        if len(inputs) != len(y):
            raise BadData(
                f"{reading.path} has {len(inputs):,} examples for `{name}` and {len(y):,} targets"
            )
    if y.dtype.kind not in "iuf":
        raise BadData(f"the targets in {reading.path} are {y.dtype.name}, no plain numbers")
    _finite(y, f"in {reading.path}", "target")
    if gives == "classes":
        _countable(reading, y)
    if gives == "numbers" and y.ndim == 1:
        y = y[:, None]
    spatial = reading.wants[0].size[1:]
    if gives == "masks" and y.shape[1:] == (1, *spatial):
        # With the axis of channels that pictures have.
        y = y[:, 0]
    return Held(x, y, are_classes=gives == "classes")


def _countable(reading: _Reading, y: Array) -> None:
    if y.ndim != 1:
        raise BadData(f"classes in {reading.path} are {show_size(y.shape)}, not one an example")
    low, high = int(y.min(initial=0)), int(y.max(initial=0))
    if low < 0:
        raise BadData(f"{reading.path} has a class {low}; classes count from 0")
    if high > HIGHEST:
        raise BadData(f"{reading.path} has a class {high}; the highest possible one is {HIGHEST}")
