"""How does an npy or npz file become items of the size that a network takes?"""

import ast
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.pictures import from_bytes
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.text.record import record

NPY = b"\x93NUMPY"
ZIPS = (b"PK\x03\x04", b"PK\x05\x06")

LARGEST = 2**31
"""Bytes of an array that has to be in memory as a whole: one in an npz, or on standard input."""

LONGEST_HEADER = 10_000
"""NumPy's own limit, below which `literal_eval` is safe."""

USUAL = "x"
"""The array that is meant where an npz holds several and none is called as the input is."""

FAULTS = (
    OSError,
    EOFError,
    RuntimeError,  # an encrypted member, or a compression that this Python lacks
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


@record
class Header:
    """What an npy file says of itself before its numbers."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    is_fortran: bool
    length: int
    """Bytes up to the first number."""

    @property
    def size(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_array(path: str | None, file: IO[bytes], wanted: Wanted) -> "Items":
    """The items in an npy file; with a path, they come from the disk when they are asked for.

    Raises `ValueError`, which says in a clause what is wrong.
    """
    length = file.seek(0, 2)
    file.seek(0)
    header = _header(file)
    _fits(header, length - header.length)
    order = "F" if header.is_fortran else "C"
    if path is not None and header.size:
        x = np.memmap(path, header.dtype, "r", header.length, header.shape, order)
        return items_of(x, wanted)
    return items_of(_numbers(file, header), wanted)


def read_plain(file: IO[bytes]) -> Array:
    """The array in an npy file as it is, whatever its size; raises as `read_array` does."""
    length = file.seek(0, 2)
    file.seek(0)
    header = _header(file)
    _fits(header, length - header.length)
    return _numbers(file, header)


def read_arrays(file: IO[bytes], wants: Sequence[Wanted]) -> "list[Items]":
    """The items in an npz file, for each input; raises as `read_array` does.

    An array is known by the name of its input. For a network of one input it may also be the only
    one, or be called `x`.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            held = {
                info.filename.removesuffix(".npy"): info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
            found = [items_of(_member(archive, _named(held, w, wants)), w) for w in wants]
    except FAULTS as fault:
        raise ValueError(f"it cannot be unpacked: {str(fault) or type(fault).__name__}") from None
    counts = {w.name: len(x) for w, x in zip(wants, found, strict=True)}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{n:,} for `{name}`" for name, n in counts.items())
        raise ValueError(f"it holds different numbers of items: {shown}")
    return found


def _named(
    held: Mapping[str, zipfile.ZipInfo], wanted: Wanted, wants: Sequence[Wanted]
) -> zipfile.ZipInfo:
    if wanted.name in held:
        return held[wanted.name]
    if len(wants) == 1 and (len(held) == 1 or USUAL in held):
        return held[USUAL] if USUAL in held else next(iter(held.values()))
    names = ", ".join(f"`{name}`" for name in list(held)[:5]) or "none"
    more = ", …" if len(held) > 5 else ""
    raise ValueError(f"it has no array `{wanted.name}`; its arrays: {names}{more}")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    name = info.filename.removesuffix(".npy")
    try:
        with archive.open(info) as file:
            header = _header(file)
            _fits(header, info.file_size - header.length)
            return _numbers(file, header)
    except ValueError as fault:
        raise ValueError(f"its array `{name}`: {fault}") from None


def _header(file: IO[bytes]) -> Header:
    magic = file.read(8)
    if len(magic) < 8 or not magic.startswith(NPY):
        raise ValueError("it is cut off, or no npy file")
    version = magic[6]
    if version not in (1, 2):
        raise ValueError(f"it is of npy version {version}, which holds no plain numbers")
    width = 2 if version == 1 else 4
    n = int.from_bytes(file.read(width), "little")
    if n > LONGEST_HEADER:
        raise ValueError(f"its header claims {n:,} bytes, more than {LONGEST_HEADER:,}")
    text = file.read(n)
    if len(text) < n:
        raise ValueError(f"it is cut off in its header, after {8 + width + len(text):,} bytes")
    dtype, shape, is_fortran = _parsed(text)
    return Header(dtype, shape, is_fortran, 8 + width + n)


def _parsed(text: bytes) -> tuple[np.dtype[np.generic], tuple[int, ...], bool]:
    fields = _literal(text)
    descr, is_fortran = fields.get("descr"), fields.get("fortran_order")
    shape = fields.get("shape")
    if isinstance(descr, list):
        raise ValueError("it holds records, no plain numbers")
    if not (isinstance(descr, str) and isinstance(shape, tuple) and isinstance(is_fortran, bool)):
        raise ValueError("its header is not that of an npy file")
    lengths = cast("tuple[object, ...]", shape)
    # `bool`s are whole numbers to Python and to nobody else.
    if not all(type(n) is int and 0 <= n < 2**63 for n in lengths):
        raise ValueError("its header is not that of an npy file")
    return _numeric(descr), cast("tuple[int, ...]", lengths), is_fortran


def _literal(text: bytes) -> Mapping[str, object]:
    try:
        found: object = ast.literal_eval(text.decode("latin-1").strip())
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _numeric(descr: str) -> np.dtype[np.generic]:
    try:
        dtype = np.dtype(descr)
    except TypeError:
        raise ValueError(f"it holds values of type {descr!r}, which is none of NumPy's") from None
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds values of type {dtype.name}, no plain numbers")
    return dtype


def _fits(header: Header, left: int) -> None:
    if header.size > left:
        raise ValueError(
            f"its header claims {header.size:,} bytes of numbers, {max(left, 0):,} are there"
        )


def _numbers(file: IO[bytes], header: Header) -> Array:
    if header.size > LARGEST:
        raise ValueError(f"it holds {header.size:,} bytes of numbers, more than {LARGEST:,}")
    data = file.read(header.size)
    if len(data) < header.size:
        raise ValueError(f"it is cut off: {len(data):,} of {header.size:,} bytes are there")
    x = np.frombuffer(data, header.dtype)
    return x.reshape(header.shape, order="F" if header.is_fortran else "C")


def items_of(x: Array, wanted: Wanted) -> "Items":
    """One item or several in an array, each as the network takes it."""
    shape = wanted.shape
    # A single channel goes without saying: 28x28 is 1x28x28, and so is one of a thousand of them.
    one = -1 if wanted.layout == "hwc" else 0
    bare = shape[:-1] if one else shape[1:]
    if _matches(x.shape, shape):
        x = x[None]
    elif not _matches(x.shape[1:], shape):
        if len(shape) < 2 or wanted.size[0] != 1:
            raise ValueError(_unlike(x.shape, shape))
        if _matches(x.shape, bare):
            x = x[None]
        elif not _matches(x.shape[1:], bare):
            raise ValueError(_unlike(x.shape, shape))
        x = np.expand_dims(x, -1 if one else 1)
    if not len(x):
        raise ValueError("it holds no items")
    return Items(x, wanted)


class Items:
    """The items of a batch, each converted when it is asked for, which may raise `ValueError`."""

    def __init__(self, x: Array, wanted: Wanted) -> None:
        self._x, self._wanted = x, wanted

    def __len__(self) -> int:
        return len(self._x)

    def __getitem__(self, i: int) -> Array:
        return _converted(np.asarray(self._x[i]), self._wanted)

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))


def _converted(x: Array, wanted: Wanted) -> Array:
    """Bytes are the values of a picture's file; other numbers are taken as they are.

    Raises `ValueError` for numbers that the input's type cannot hold.
    """
    if x.dtype == np.uint8 and wanted.picture is not None:
        return from_bytes(x, wanted)
    if wanted.dtype.kind in "iu":
        _need_whole(x.astype(np.float64), np.iinfo(wanted.dtype.name))
    # What half precision cannot hold becomes infinite, as it would in the network.
    with np.errstate(over="ignore"):
        return x.astype(wanted.dtype)


def _need_whole(x: NDArray[np.float64], limits: np.iinfo[Any]) -> None:
    least, most = float(x.min()), float(x.max())
    if not limits.min <= least <= most <= limits.max or bool(np.any(x != np.rint(x))):
        raise ValueError(
            f"its values, {least:,g} to {most:,g}, are not whole numbers from "
            f"{limits.min:,} to {limits.max:,}, which the network takes"
        )


def _matches(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        (n == w) if w is not None else n > 0 for n, w in zip(shape, wanted, strict=True)
    )


def _unlike(shape: Sequence[int], wanted: Sequence[int | None]) -> str:
    return (
        f"its shape is {show_size(shape)}, the network takes {show_size(wanted)} "
        f"or Nx{show_size(wanted)}"
    )
