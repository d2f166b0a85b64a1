"""How does a file become what a network takes?"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import IO

import numpy as np

from cnnspec.run.arrays import LARGEST, NPY, ZIPS, read_array, read_arrays
from cnnspec.run.pictures import SUFFIXES, read_image
from cnnspec.run.wanted import Array, Arrays, Fit, Wanted
from cnnspec.text.record import record

KNOWN = (*SUFFIXES, ".npy", ".npz")
"""What is read in a folder; a file that is named is read whatever it is called."""

STDIN = "<stdin>"


@record
class Listing:
    """The files that the words of a call mean."""

    files: Sequence[str]
    passed_over: int
    """Files in folders that are neither pictures nor arrays by their names."""
    faults: "Sequence[Item]"
    """Folders that cannot be read."""


@record
class Item:
    """What a network takes once, or why there is nothing to take."""

    name: str
    arrays: Arrays
    fault: str | None = None
    resized_from: tuple[int, int] | None = None
    siblings: int = 1
    """How many items the file has, this one included."""
    is_first: bool = True
    """Is it the first of them?"""


def listed(paths: Iterable[str]) -> Listing:
    """Every file that is meant, those of folders in the order of their names.

    Hidden files and folders are left out; links to folders are not followed.
    """
    files: list[str] = []
    faults: list[Item] = []
    passed_over = 0
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            files.append(path)
            continue
        inside = list(_inside(path, faults))
        known = [file for file in inside if file.lower().endswith(KNOWN)]
        files += known
        passed_over += len(inside) - len(known)
    return Listing(files, passed_over, faults)


def _inside(folder: str, faults: list[Item]) -> Iterator[str]:
    def note(fault: OSError) -> None:
        faults.append(Item(str(fault.filename), {}, reason(fault)))

    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield os.path.join(place, name)


def items(
    files: Iterable[str],
    wants: Sequence[Wanted],
    *,
    stdin: IO[bytes] | None = None,
    fit: Fit | None = None,
    strict: bool = False,
) -> Iterator[Item]:
    """Each item of each file; of a file that cannot be read one that says why."""
    for file in files:
        name = STDIN if file == "-" else file
        try:
            yield from _items(name, stdin if file == "-" else None, wants, fit, strict)
        except OSError as fault:
            yield Item(name, {}, reason(fault))
        except ValueError as fault:
            yield Item(name, {}, str(fault))


def reason(fault: OSError) -> str:
    if isinstance(fault, FileNotFoundError):
        return "there is no such file"
    return (fault.strerror or str(fault)).lower()


def _items(
    name: str, stdin: IO[bytes] | None, wants: Sequence[Wanted], fit: Fit | None, strict: bool
) -> Iterator[Item]:
    if stdin is not None:
        yield from _read(name, None, BytesIO(_all(stdin)), wants, fit, strict)
        return
    with open(name, "rb") as file:
        # A pipe, as the shell's `<(…)` gives one, can be read only once and from its beginning.
        is_plain = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        source = file if is_plain else BytesIO(_all(file))
        yield from _read(name, name if is_plain else None, source, wants, fit, strict)


def _all(file: IO[bytes]) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    return data


def _read(
    name: str,
    path: str | None,
    file: IO[bytes],
    wants: Sequence[Wanted],
    fit: Fit | None,
    strict: bool,
) -> Iterator[Item]:
    head = file.read(len(NPY))
    file.seek(0)
    if not head:
        raise ValueError("it is empty")
    if head.startswith(ZIPS):
        columns = read_arrays(file, wants)
    elif len(wants) > 1:
        raise ValueError(f"the network takes {_names(wants)}, which only an npz file can hold")
    elif head.startswith(NPY):
        columns = [read_array(path, file, wants[0])]
    else:
        picture = read_image(file, wants[0], fit, strict=strict)
        yield Item(name, {wants[0].name: picture.values}, None, picture.resized_from)
        return
    n = len(columns[0])
    for i in range(n):
        called = name if n == 1 else f"{name}[{i}]"
        try:
            arrays = {w.name: column[i] for w, column in zip(wants, columns, strict=True)}
        except ValueError as fault:
            yield Item(called, {}, str(fault), None, n, i == 0)
        else:
            yield Item(called, arrays, None, None, n, i == 0)


def _names(wants: Sequence[Wanted]) -> str:
    return ", ".join(f"`{w.name}`" for w in wants)


def batches(found: Iterable[Item], wants: Sequence[Wanted], n: int) -> Iterator[list[Item]]:
    """Items that go through the network together; one without numbers stands alone.

    Where the network fixes how many there are, it is that many at most, otherwise `n`. Items of
    different sizes, for a network that takes any, do not share a batch.
    """
    n = next((w.batch for w in wants if w.batch), n)
    group: list[Item] = []
    for item in found:
        if group and (item.fault or len(group) == n or _shapes(item) != _shapes(group[0])):
            yield group
            group = []
        group.append(item)
        if item.fault:
            yield group
            group = []
    if group:
        yield group


def _shapes(item: Item) -> list[tuple[int, ...]]:
    return [x.shape for x in item.arrays.values()]


def stacked(group: Sequence[Item], wants: Sequence[Wanted]) -> dict[str, Array]:
    """The items of a batch as the network takes them.

    Where it fixes how many there are, the last is repeated to make up that number.
    """
    n = next((w.batch for w in wants if w.batch), len(group))
    filled = [*group, *[group[-1]] * (n - len(group))]
    return {w.name: np.stack([item.arrays[w.name] for item in filled]) for w in wants}
