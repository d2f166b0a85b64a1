# pyright: basic
"""Where do weights come from, and do they fit?

From safetensors, npz and ONNX files, by name. Nothing is unpickled, and of a file only the tensors
that are asked for are read.
"""

import json
import math
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TypeGuard

import numpy as np
import onnx
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from cnnspec.run.files import BadFile, external, kind_of, printable, read_onnx, size_of
from cnnspec.text.record import record
from cnnspec.text.suggest import nearest

Floats = NDArray[np.float32]
Stored = NDArray[np.generic]
FilePath = str | os.PathLike[str]

LONGEST_HEADER = 2**22
"""Bytes of a safetensors header, or of an archive's list: enough for some ten thousand tensors."""

MOST_ARRAYS = 10_000
"""In an npz file: each is opened to see its shape."""

SHOWN = 10
"""Of a list of names; after these it says how many more there are."""

STORED = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}
"""The types that weights can have, and as what NumPy reads them: it has no bfloat16."""

MOST_HINTS = 200
"""Names among which a misspelt one is looked for."""

FEW, LONGEST_MAP = 3, 2**20
"""Tensors in the same order by chance, and lines that are shown; bytes of a map."""

ENDS, LONG = re.compile(rb"PK\x05\x06"), re.compile(rb"PK\x06\x06")
"""What begins the end of an archive's list, and that of one with long numbers."""

SAFETENSORS: dict[str, str] = dict(zip(("F64", "F32", "F16", "BF16"), STORED, strict=True))

T = onnx.TensorProto
ONNX: dict[int, str] = dict(zip((T.DOUBLE, T.FLOAT, T.FLOAT16, T.BFLOAT16), STORED, strict=True))

# An encrypted member is a RuntimeError.
ZIP_FAULTS = (OSError, EOFError, RuntimeError, ValueError, ArithmeticError, struct.error)
ZIP_FAULTS = (*ZIP_FAULTS, zlib.error, zipfile.BadZipFile)


class Mismatch(ValueError):
    """Weights that are not those of the network; the text lists what differs, line by line."""


@record
class Tensor:
    """One tensor of a file, whose numbers are read when they are asked for."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    load: Callable[[], Stored]
    """The numbers as they are stored; bfloat16 as whole numbers of 16 bits."""
    is_spare: bool = False
    """May it be left over in silence? So may constants and counts, which are no weights."""

    def read(self) -> Floats:
        """The numbers in single precision; `BadFile` if they cannot be had."""
        x = self.load()
        if self.dtype == "bfloat16":
            # The upper half of a single: the same sign and exponent, 7 of 23 bits after the point.
            x = (x.astype(np.uint32) << 16).view(np.float32)
        # What single precision cannot hold becomes infinite.
        with np.errstate(all="ignore"):
            return np.ascontiguousarray(x, np.float32).reshape(self.shape)

    def shaped(self, shape: tuple[int, ...]) -> "Tensor":
        return Tensor(self.name, shape, self.dtype, self.load, self.is_spare)


Tensors = Mapping[str, Tensor]


def read_weights(path: FilePath) -> Tensors:
    """The tensors of a safetensors, npz or ONNX file by name; `BadFile` if it is none of these."""
    match kind := kind_of(path):
        case "safetensors":
            return {t.name: t for t in _of_safetensors(path)}
        case "npz":
            return _of_npz(path)
        case "onnx":
            return _of_onnx(path)
        case "npy":
            raise BadFile(path, "one array without a name; weights are in an npz file, by names")
        case _:
            what = {"image": "a picture", "spec": "text"}.get(kind, "unknown or broken")
            raise BadFile(path, f"{what}; weights are in a safetensors, npz or ONNX file")


def _at(path: FilePath, offset: int, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(size)
    except OSError as fault:
        raise BadFile(path, (fault.strerror or str(fault)).lower()) from None
    if len(data) < size:
        raise BadFile(path, f"{len(data):,} of {size:,} bytes from {offset:,} on are there")
    return data


def _check_shape(path: FilePath, name: str, shape: Sequence[int]) -> None:
    # An empty array, too, may not claim more along its other axes than NumPy can count.
    if len(shape) > 64 or any(n < 0 for n in shape) or math.prod(n or 1 for n in shape) >= 2**56:
        raise BadFile(path, f"its tensor `{printable(name)}` claims the shape {_show(shape[:65])}")


# ── safetensors ────────────────────────────────────────────────────────────────────────────────


def _of_safetensors(path: FilePath) -> Iterator[Tensor]:
    """The library checks the file; where the numbers are is then read from its header."""
    size = size_of(path)
    length = int.from_bytes(_at(path, 0, 8), "little")
    if length > size - 8:
        raise BadFile(path, f"its header claims {length:,} bytes, {size - 8:,} are there")
    if length > LONGEST_HEADER:
        raise BadFile(path, f"its header has {length:,} bytes, more than {LONGEST_HEADER:,}")
    text = _at(path, 8, length)
    try:
        with safe_open(path, framework="numpy"):
            header = json.loads(text, object_pairs_hook=_unique)
    except (SafetensorError, OSError, ValueError, RecursionError) as fault:
        said = printable(" ".join(str(fault).split()), 200)
        raise BadFile(path, f"a broken safetensors file: {said}") from None
    header.pop("__metadata__", None)
    for name, said in header.items():
        yield _entry(path, name, said, 8 + length)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of a name that is there twice the library may have looked at the other one.
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"of {len(pairs):,} names {len(found):,} differ")
    return found


def _entry(path: FilePath, name: str, said: Mapping[str, object], base: int) -> Tensor:
    shape, places = said.get("shape"), said.get("data_offsets")
    if not _are_counts(shape) or not _are_counts(places) or len(places) != 2:
        raise BadFile(path, f"a broken safetensors file at its tensor `{printable(name)}`")
    begin, end = places
    _check_shape(path, name, shape)
    called = str(said.get("dtype"))
    dtype = SAFETENSORS.get(called)
    if dtype is None:
        return _no_floats(path, name, shape, called)
    if end - begin != math.prod(shape) * np.dtype(STORED[dtype]).itemsize:
        claim = f"{_show(shape)} {dtype}"
        raise BadFile(path, f"its tensor `{printable(name)}`, {claim}, has {end - begin:,} bytes")

    def load() -> Stored:
        return np.frombuffer(_at(path, base + begin, end - begin), STORED[dtype])

    return Tensor(name, tuple(shape), dtype, load)


def _are_counts(x: object) -> TypeGuard[list[int]]:
    return isinstance(x, list) and all(type(n) is int and n >= 0 for n in x)


def _no_floats(path: FilePath, name: str, shape: Sequence[int], dtype: str) -> Tensor:
    """Shapes, counts of batches and the like: there, but no weight."""
    dtype = printable(dtype.lower(), 40)

    def load() -> Stored:
        raise BadFile(path, f"its tensor `{printable(name)}` holds {dtype}, no real numbers")

    return Tensor(name, tuple(shape), dtype, load, is_spare=True)


# ── npz ────────────────────────────────────────────────────────────────────────────────────────


def _of_npz(path: FilePath) -> Tensors:
    found: dict[str, Tensor] = {}
    try:
        _check_list(path)
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".npy")]
            if len(members) > MOST_ARRAYS:
                raise BadFile(path, f"{len(members):,} arrays, more than {MOST_ARRAYS:,}")
            for member in members:
                tensor = _member(path, archive, member)
                if tensor.name in found:
                    raise BadFile(path, f"two arrays are called `{printable(tensor.name)}`")
                found[tensor.name] = tensor
    except BadFile:
        raise
    except ZIP_FAULTS as fault:
        raise BadFile(path, f"it cannot be unpacked: {_said(fault)}") from None
    return found


def _said(fault: BaseException) -> str:
    text = printable(" ".join(str(fault).split()), 200)
    return text[:1].lower() + text[1:] or type(fault).__name__


def _check_list(path: FilePath) -> None:
    """Is the archive's list of a size to be read? `zipfile` reads it whole, whatever it is."""
    size = size_of(path)
    tail = _at(path, max(0, size - 2**16 - 100), min(size, 2**16 + 100))
    claims = [int.from_bytes(tail[m.start() + 12 :][:4], "little") for m in ENDS.finditer(tail)]
    claims += [int.from_bytes(tail[m.start() + 40 :][:8], "little") for m in LONG.finditer(tail)]
    if max(claims, default=0) > LONGEST_HEADER and min(size, *claims) > LONGEST_HEADER:
        raise BadFile(path, f"its list of arrays has more than {LONGEST_HEADER:,} bytes")


def _member(path: FilePath, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Tensor:
    name = member.filename.removesuffix(".npy")
    shown = printable(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # The others unpack a few bytes into any number at once.
        raise BadFile(path, f"its array `{shown}` is packed in another way than NumPy packs")
    with archive.open(member) as file:
        try:
            shape, is_fortran, dtype, length = _header(file)
        except ValueError as fault:
            raise BadFile(path, f"its array `{shown}`: {fault}") from None
    _check_shape(path, name, shape)
    size = math.prod(shape) * dtype.itemsize
    if size != member.file_size - length:
        claim = f"{_show(shape)} {dtype.name}, takes {size:,} bytes"
        held = member.file_size - length
        raise BadFile(path, f"its array `{shown}`, {claim}, {held:,} are there")
    if dtype.kind != "f" or dtype.itemsize > 8:
        return _no_floats(path, name, shape, dtype.name)

    def load() -> Stored:
        data = _unpacked(path, member.filename, length, size)
        return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")

    return Tensor(name, shape, dtype.name, load)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """The shape, the order, the type, and the bytes before the numbers."""
    try:
        version = np.lib.format.read_magic(file)
        # Later versions are for records alone.
        read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, is_fortran, dtype = read[version[0]](file)
    except ZIP_FAULTS[:2]:
        raise
    except Exception as fault:
        # NumPy parses Python's notation here, and what it meets there has no common base.
        raise ValueError(f"its header is not that of an npy file: {_said(fault)[:80]}") from None
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which only a pickle can carry, and may run code")
    if dtype.names is not None or dtype.subdtype is not None:
        raise ValueError("it holds records, no plain numbers")
    return shape, is_fortran, dtype, file.tell()


def _unpacked(path: FilePath, name: str, length: int, size: int) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as file:
            file.read(length)
            data = file.read(size)
            # At its end the sum of its bytes is checked.
            more = file.read(1)
    except ZIP_FAULTS as fault:
        raise BadFile(path, f"it cannot be unpacked: {_said(fault)}") from None
    if len(data) < size or more:
        raise BadFile(path, f"its array `{printable(name)}` has not the length that it claims")
    return data


# ── ONNX ───────────────────────────────────────────────────────────────────────────────────────


def _of_onnx(path: FilePath) -> Tensors:
    """The initializers of the outermost graph."""
    model = read_onnx(path)
    is_ours = any(p.key.startswith("cnnspec.") for p in model.metadata_props)
    return {t.name: _initializer(path, t, is_ours) for t in model.graph.initializer}


def _initializer(path: FilePath, proto: onnx.TensorProto, is_ours: bool) -> Tensor:
    name, shape = proto.name, tuple(proto.dims)
    dtype = ONNX.get(proto.data_type)
    if dtype is None:
        return _no_floats(path, name, shape, T.DataType.Name(proto.data_type))
    # Single numbers are limits, exponents and the like; constants of ours have a layer's path.
    is_spare = not shape or (is_ours and "/" in name)
    return Tensor(name, shape, dtype, lambda: _numbers(path, proto, dtype), is_spare)


def _numbers(path: FilePath, proto: onnx.TensorProto, dtype: str) -> Stored:
    if proto.data_location == T.EXTERNAL:
        said = {e.key: e.value for e in proto.external_data}
        place = external(said["location"], os.path.dirname(os.path.abspath(path)))
        if place is None:
            raise BadFile(path, f"its tensor `{printable(proto.name)}` lies elsewhere by now")
        size = math.prod(proto.dims) * np.dtype(STORED[dtype]).itemsize
        return np.frombuffer(_at(place, int(said.get("offset", "0")), size), STORED[dtype])
    if proto.HasField("raw_data"):
        return np.frombuffer(proto.raw_data, STORED[dtype])
    match dtype:
        case "float64":
            return np.array(proto.double_data, np.float64)
        case "float32":
            return np.array(proto.float_data, np.float32)
        case _:  # of 16 bits, each in a whole number
            return np.array(proto.int32_data, np.int32).astype(np.uint16).view(STORED[dtype])


# ── names ──────────────────────────────────────────────────────────────────────────────────────


@record
class Rename:
    """A line of a map; `*` stands for the same text on both sides."""

    theirs: str
    ours: str
    line: int

    def of(self, name: str) -> str | None:
        """Our name for one of theirs, if the line is about it."""
        first, *others = self.theirs.split("*")
        if not others:
            return self.ours if name == first else None
        *middle, last = others
        at, end = len(first), len(name) - len(last)
        if end < at or not (name.startswith(first) and name.endswith(last)):
            return None
        carried: list[str] = []
        # Each star but the last takes as little as it can.
        for part in middle:
            place = name.find(part, at, end)
            if place < 0:
                return None
            carried.append(name[at:place])
            at = place + len(part)
        pieces = self.ours.split("*")
        return "".join(a + b for a, b in zip(pieces, [*carried, name[at:end], ""], strict=True))


def read_map(source: "FilePath | Iterable[tuple[str, str]]") -> Sequence[Rename]:
    """The lines `theirs = ours` of a file, or pairs; `BadFile` with the line that is none."""
    if not isinstance(source, str | os.PathLike):
        return [_rename("the map", a, "=", b, i) for i, (a, b) in enumerate(source, 1)]
    size = size_of(source)
    if size > LONGEST_MAP:
        raise BadFile(source, f"{size:,} bytes, more than the {LONGEST_MAP:,} a map can have")
    try:
        lines = _at(source, 0, size).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as fault:
        raise BadFile(source, f"no map: byte {fault.start:,} is not UTF-8") from None
    bare = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    parts = [line.partition("->" if "->" in line else "=") for line in bare]
    return [_rename(source, *p, i) for i, p in enumerate(parts, 1) if any(p)]


def _rename(path: FilePath, theirs: str, arrow: str, ours: str, i: int) -> Rename:
    theirs, ours = theirs.strip(), ours.strip()
    if not (arrow and theirs and ours):
        line = " ".join(x for x in (theirs, arrow, ours) if x)
        raise BadFile(path, f"line {i}: `{printable(line)}` is not `theirs = ours`")
    if theirs.count("*") != ours.count("*"):
        a, b = theirs.count("*"), ours.count("*")
        raise BadFile(path, f"line {i}: {a} `*` before the {arrow}, {b} after it")
    return Rename(theirs, ours, i)


def _renamed(found: Tensors, renames: Sequence[Rename]) -> dict[str, Tensor]:
    """The tensors by our names. The first line that is about a name counts."""
    ours: dict[str, Tensor] = {}
    idle = {r.line: r for r in renames}
    for name, tensor in found.items():
        known = ((r.line, r.of(name)) for r in renames)
        line, called = next((x for x in known if x[1] is not None), (0, None))
        idle.pop(line, None)
        called = name if called is None else called
        if called in ours:
            both = f"`{printable(ours[called].name)}` and `{printable(name)}`"
            raise Mismatch(f"{both} are both to be `{printable(called)}`")
        ours[called] = tensor
    if idle:
        rename = next(iter(idle.values()))
        called = f"`{printable(rename.theirs)}`{_hint(rename.theirs, found)}"
        raise Mismatch(f"line {rename.line} of the map: no tensor is called {called}")
    return ours


# ── fitting ────────────────────────────────────────────────────────────────────────────────────

Shapes = Mapping[str, tuple[int, ...]]


class Matched(dict[str, Tensor]):
    """The tensors of a network by our names, and what was left."""

    def __init__(self, wanted: Shapes, ours: Tensors) -> None:
        pairs = {name: ours[name] for name in wanted if name in ours}
        fitting = {name: t for name, t in pairs.items() if _fits(t, wanted[name])}
        super().__init__({name: t.shaped(wanted[name]) for name, t in fitting.items()})
        self.missing = [name for name in wanted if name not in ours]
        self.extra = [name for name, t in ours.items() if name not in wanted and not t.is_spare]
        self.misshapen = [name for name in pairs if name not in fitting]


def match(
    wanted: Shapes, found: Tensors, renames: Sequence[Rename] = (), *, strict: bool = True
) -> Matched:
    """The tensor for each weight; their shapes may differ by axes of size 1.

    Unless they are those of the file, all and no others, it raises `Mismatch` if it is `strict`.
    """
    ours = _renamed(found, renames)
    matched = Matched(wanted, ours)
    if strict and (matched.missing or matched.extra or matched.misshapen):
        raise Mismatch(_differences(wanted, ours, matched))
    return matched


def _fits(tensor: Tensor, shape: tuple[int, ...]) -> bool:
    return tensor.dtype in STORED and _squeezed(tensor.shape) == _squeezed(shape)


def _squeezed(shape: Sequence[int]) -> list[int]:
    return [n for n in shape if n != 1]


def _differences(wanted: Shapes, ours: Tensors, matched: Matched) -> str:
    extra = {name: ours[name] for name in matched.extra}
    missing, misshapen = matched.missing, matched.misshapen
    counts = f"{len(missing):,} missing, {len(misshapen):,} of another shape"
    lines = [f"of {len(wanted):,} weights {counts}; {len(extra):,} extra"]

    def lacking(name: str) -> str:
        # Only a tensor of the same shape can be meant.
        near = [other for other, t in extra.items() if _fits(t, wanted[name])]
        return f"{name} {_show(wanted[name])}{_hint(name, near)}"

    lines += _listed("missing", missing, lacking)
    lines += _listed("extra", matched.extra, lambda x: f"{printable(x)} {_show(extra[x].shape)}")
    lines += _listed("misshapen", misshapen, lambda x: _unlike(x, wanted[x], ours[x]))
    return "\n".join([*lines, *_mappable({x: wanted[x] for x in missing}, extra)])


def _listed(title: str, names: Sequence[str], show: Callable[[str], str]) -> list[str]:
    if not names:
        return []
    more = [f"    and {len(names) - SHOWN:,} more"] if len(names) > SHOWN else []
    return [f"  {title}:", *(f"    {show(name)}" for name in names[:SHOWN]), *more]


def _unlike(name: str, shape: Sequence[int], tensor: Tensor) -> str:
    is_real = tensor.dtype in STORED
    held = _show(tensor.shape) if is_real else f"{tensor.dtype}, no real numbers"
    return f"{name} {_show(shape)}: the file has {held}"


def _mappable(missing: Shapes, extra: Tensors) -> Iterator[str]:
    """If theirs are ours in the same order under other names, how would a map begin?"""
    pairs = list(zip(missing.items(), extra.items(), strict=False))
    agree = len(missing) == len(extra) and all(_fits(t, n) for (_, n), (_, t) in pairs)
    if agree and len(pairs) >= FEW:
        yield f"  hint: all {len(pairs):,} agree in order and shape; a map would begin"
        yield from (f"    {printable(theirs)} = {ours}" for (ours, _), (theirs, _) in pairs[:FEW])


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, list(known)[:MOST_HINTS])
    return "" if near is None else f" (did you mean `{printable(near)}`?)"


def _show(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
