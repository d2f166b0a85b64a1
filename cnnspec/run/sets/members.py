"""How is one array of an npz file read, whatever its header claims?"""

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from cnnspec.run.files import printable
from cnnspec.run.sets.part import BadData
from cnnspec.run.wanted import Array, show_size
from cnnspec.text.record import record

MAPPED = 1 << 26
"""Arrays of more bytes are mapped from the file, where it is not compressed."""

MAGIC = b"\x93NUMPY"


@record
class Head:
    """What an array says of itself before its numbers."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    length: int
    """Bytes up to the first number."""


def read_member(path: Path, file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    """The array: in memory, or mapped from the file where it is large. Raises `BadData`."""
    try:
        with file.open(info) as member:
            head = _head(member)
            _fits(head, info.file_size - head.length)
            order = "F" if head.is_fortran else "C"
            if info.compress_type == zipfile.ZIP_STORED and info.file_size > MAPPED:
                start = _start(path, info) + head.length
                return np.memmap(path, head.dtype, "r", start, head.shape, order)
            return np.ndarray(head.shape, head.dtype, member.read(), order=order)
    except ValueError as fault:
        name = info.filename.removesuffix(".npy")
        said = printable(str(fault).partition("\n")[0].rstrip("."))
        raise BadData(f"array `{name}` of {path} cannot be read: {said}") from None


def _head(member: IO[bytes]) -> Head:
    magic = member.read(8)
    if len(magic) < 8 or not magic.startswith(MAGIC):
        raise ValueError("it does not begin as an npy file does")
    match magic[6]:
        case 1:
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
        case 2:
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(member)
        case version:
            raise ValueError(f"it is of npy version {version}, which holds no plain numbers")
    return Head(tuple(shape), is_fortran, dtype, member.tell())


def _fits(head: Head, left: int) -> None:
    if head.dtype.hasobject:
        raise ValueError("it holds objects of Python, which are a pickle and may run code")
    if any(n < 0 for n in head.shape):
        raise ValueError(f"its header claims the shape {show_size(head.shape)}")
    size = math.prod(head.shape) * head.dtype.itemsize
    if size != left:
        raise ValueError(f"its header claims {size:,} bytes of numbers, {left:,} are there")


def _start(path: Path, info: zipfile.ZipInfo) -> int:
    """Where the member's first byte lies in the file."""
    with open(path, "rb") as file:
        # The local header's name and extra field may be of other lengths than in the directory.
        file.seek(info.header_offset + 26)
        lengths = file.read(4)
        file.seek(sum(int.from_bytes(lengths[i : i + 2], "little") for i in (0, 2)), 1)
        return file.tell()
