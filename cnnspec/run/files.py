# pyright: basic
"""What kind of file is this, and is it what it claims?

A file may come from anywhere. Nothing here unpickles, and no number that a file claims is believed
before it is held against the bytes that are there.
"""

import codecs
import math
import mmap
import ntpath
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Literal

import onnx
from google.protobuf.message import DecodeError

Kind = Literal["onnx", "safetensors", "npz", "npy", "image", "spec", "unknown"]

LARGEST = 2**31 - 1
"""Bytes of a protobuf."""

MOST_FIELDS = 150_000
"""Fields of a protobuf, the numbers of tensors not counted. One of 201 layers has
30,000; from a few megabytes of empty ones a parser makes gigabytes."""

DEEPEST = 60
"""Messages in messages; each graph in a graph is three of them. Protobuf itself stops at 100."""

MOST_AXES = 64
"""NumPy's own limit."""

HEAD = 2**16
"""Bytes in which a file shows what it is."""

IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")

ZIPS = (b"PK\x03\x04", b"PK\x05\x06")

PICKLE = "which is a pickle and may run code; with safetensors it can be saved as plain numbers"

FOREIGN = (
    (0, b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46", f"a PyTorch checkpoint, {PICKLE}"),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        "an HDF5 file, as of Keras, and no safetensors, npz or ONNX",
    ),
    (0, b"GGUF", "a GGUF file, and no safetensors, npz or ONNX"),
    (0, b"\x1f\x8b", "compressed with gzip; unpacked it may be readable"),
    (4, b"TFL3", "a model of TensorFlow Lite, and no ONNX"),
    (4, b"ORTM", "a model in the format of ONNX Runtime alone, and no ONNX"),
    (257, b"ustar", "a tar archive; unpacked it may be readable"),
)
"""Where in a file, which bytes, and what it then is."""

PACKED = (
    (b"data.pkl", f"a PyTorch checkpoint, {PICKLE}"),
    (b".weights.h5", "a model of Keras, and no safetensors, npz or ONNX"),
    (b"word/document", "a text document"),
)
"""What is in an archive, and what it then is."""

# Which fields of a message hold which messages; all others hold numbers or text.
MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "text", 14: "text", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "text", 4: "text"},
    "graph": dict.fromkeys((11, 12, 13), "value")
    | {1: "node", 5: "tensor", 14: "annotation", 15: "sparse tensor", 16: "text"},
    "node": {5: "attribute", 9: "text"},
    "attribute": dict.fromkeys((22, 23), "sparse tensor")
    | {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type"},
    "function": {7: "node", 9: "text", 11: "attribute", 12: "value", 14: "text"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "text"},
    "annotation": {2: "text"},
    "value": {2: "type", 4: "text"},
    "type": {1: "tensor type", 4: "element", 5: "map", 8: "tensor type", 9: "element"},
    "tensor type": {2: "shape"},
    "shape": {1: "dimension"},
    "dimension": {},
    "element": {1: "type"},
    "map": {2: "type"},
    "text": {},
}

TEXTS: dict[str, tuple[int, ...]] = {
    "model": (2, 3, 4),
    "graph": (2,),
    "node": (1, 2, 3, 4, 7, 8),
    "attribute": (1, 21),
    "function": (1, 4, 5, 6, 10, 13),
    "tensor": (8,),
    "annotation": (1,),
    "value": (1,),
    "dimension": (2,),
    "text": (1, 2),
}
"""Which fields are text. The parser takes any bytes for it, and then gives bytes."""

WIDTHS = {1: 8, 5: 4}
"""Bytes of the wire types of a fixed size."""

T = onnx.TensorProto
KNOWN_TYPES = frozenset(T.DataType.values()) - {T.UNDEFINED}
BITS: dict[int, int] = {
    **dict.fromkeys((T.FLOAT, T.INT32, T.UINT32), 32),
    **dict.fromkeys((T.DOUBLE, T.INT64, T.UINT64, T.COMPLEX64), 64),
    **dict.fromkeys((T.FLOAT16, T.BFLOAT16, T.INT16, T.UINT16), 16),
    **dict.fromkeys((T.INT8, T.UINT8, T.BOOL), 8),
    **dict.fromkeys((T.FLOAT8E4M3FN, T.FLOAT8E4M3FNUZ, T.FLOAT8E5M2, T.FLOAT8E5M2FNUZ), 8),
    **dict.fromkeys((T.INT4, T.UINT4, T.FLOAT4E2M1), 4),
    T.COMPLEX128: 128,
}

LISTS: dict[int, str] = {
    **dict.fromkeys((T.FLOAT, T.COMPLEX64), "float_data"),
    **dict.fromkeys((T.DOUBLE, T.COMPLEX128), "double_data"),
    **dict.fromkeys((T.UINT32, T.UINT64), "uint64_data"),
    T.INT64: "int64_data",
    T.STRING: "string_data",
}
"""Which list of a tensor holds its numbers where they are not raw; `int32_data` for all others."""


class BadFile(ValueError):
    """A file that is not what it claims, or not what is asked for; one line that names it."""

    def __init__(self, path: "str | os.PathLike[str]", clause: str) -> None:
        super().__init__(f"{printable(os.fspath(path), 500)}: {clause}")


def printable(text: str, most: int = 120) -> str:
    """Text out of a file as a part of a line: without line ends and the codes of terminals."""
    whole = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in whole)


def size_of(path: "str | os.PathLike[str]") -> int:
    """The bytes of a file that can be read and has any; else `BadFile`."""
    try:
        # Neither a pipe nor a device is opened: that could wait for ever.
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise BadFile(path, "a folder, not a file")
        if not stat.S_ISREG(found.st_mode):
            raise BadFile(path, "not a plain file")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as fault:
        if isinstance(fault, BadFile):
            raise
        clause = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise BadFile(path, clause[:1].lower() + clause[1:]) from None
    if not found.st_size:
        raise BadFile(path, "empty, 0 bytes")
    return found.st_size


def kind_of(path: "str | os.PathLike[str]") -> Kind:
    """What a file is by its content, whatever it is called.

    Raises `BadFile` for one that cannot be read, and for a format that is known but not read.
    """
    size = size_of(path)
    with open(path, "rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, size - HEAD))
        tail = file.read(HEAD)
    for at, magic, clause in FOREIGN:
        if head.startswith(magic, at):
            raise BadFile(path, clause)
    if head.startswith(ZIPS):
        for inside, clause in PACKED:
            if inside in head or inside in tail:
                raise BadFile(path, clause)
        return "npz"
    if _is_pickle(head, tail):
        raise BadFile(path, f"a pickle, {PICKLE.removeprefix('which is a pickle and ')}")
    return _kind_by_head(head, size)


def _is_pickle(head: bytes, tail: bytes) -> bool:
    """The opcodes PROTO, of versions 2 to 5, and at the end STOP."""
    return head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5 and tail.endswith(b".")


def _kind_by_head(head: bytes, size: int) -> Kind:
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    if head.startswith(IMAGES) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP"):
        return "image"
    if _is_text(head):
        return "spec"
    return "onnx" if _is_model(head, size) else "unknown"


def _is_text(head: bytes) -> bool:
    # Where the file goes on, its last character may be cut in two here.
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head, len(head) < HEAD)
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\n\r\t\f\ufeff" for c in text)


def _is_model(head: bytes, size: int) -> bool:
    """Are the first fields those of a model? A file that is cut off is still told what it was."""
    numbers: list[int] = []
    with suppress(ValueError):
        numbers.extend(number for number, _, _ in _fields(head, 0, size))
    known = {*range(1, 9), 14, 20, 25, 26}
    return (bool(numbers) and numbers[0] == 1 and set(numbers) <= known) or (
        7 in numbers and set(numbers) <= known
    )


# ── protobuf ───────────────────────────────────────────────────────────────────────────────────


def read_onnx(path: "str | os.PathLike[str]") -> onnx.ModelProto:
    """The model in a file, without the numbers that lie beside it; else `BadFile`.

    Where it is a legitimate model, all that its tensors claim is there, in its own folder.
    """
    size = size_of(path)
    if kind_of(path) not in ("onnx", "unknown"):
        raise BadFile(path, f"no ONNX file; it seems to be of the kind {kind_of(path)}")
    if size > LARGEST:
        raise BadFile(path, f"{size:,} bytes, more than the {LARGEST:,} an ONNX file can have")
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _skim(data)
            model = onnx.ModelProto.FromString(data[:])
        _check(path, model)
    except BadFile:
        raise
    except UnicodeDecodeError:
        raise BadFile(path, "no ONNX file: a name in it is not UTF-8") from None
    except DecodeError:
        raise BadFile(path, "no ONNX file: it is no protobuf of a model") from None
    except OSError as fault:
        raise BadFile(path, (fault.strerror or str(fault)).lower()) from None
    except ValueError as fault:
        raise BadFile(path, f"no readable ONNX file: {fault}") from None
    return model


def _skim(data: "mmap.mmap | bytes") -> None:
    """Are the messages whole, not too many and not too deep? Asked before they are parsed."""
    stack = [("model", _fields(data, 0, len(data)))]
    count = 0
    while stack:
        kind, fields = stack[-1]
        for number, start, end in fields:
            count += 1
            if end >= 0 and number in TEXTS.get(kind, ()):
                data[start:end].decode()
            inner = MESSAGES[kind].get(number)
            if inner is not None and end >= 0:
                stack.append((inner, _fields(data, start, end, inner)))
                break
        else:
            stack.pop()
        if count > MOST_FIELDS:
            raise ValueError(f"it has more than {MOST_FIELDS:,} fields")
        if len(stack) > DEEPEST:
            raise ValueError(f"its graphs are nested deeper than {DEEPEST} messages")


def _fields(
    data: "mmap.mmap | bytes", at: int, end: int, kind: str = "model"
) -> Iterator[tuple[int, int, int]]:
    """The number, beginning and end of each field of a message; the end is -1 for plain numbers.

    Raises `ValueError` where it is cut off or no protobuf.
    """
    while at < end:
        key, at = _varint(data, at, end)
        number, wire = key >> 3, key & 7
        if wire == 2:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise ValueError(
                    f"it is cut off or broken: a part of a {kind} claims {length:,} bytes, "
                    f"{end - at:,} are there"
                )
            yield number, at, at + length
            at += length
            continue
        if wire == 0:
            _, at = _varint(data, at, end)
        elif wire in WIDTHS and end - at >= WIDTHS[wire]:
            at += WIDTHS[wire]
        else:
            raise ValueError(f"it is cut off or broken in a {kind} at byte {at:,}")
        yield number, at, -1


def _varint(data: "mmap.mmap | bytes", at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError(f"it is cut off or broken at byte {at:,}")


# ── models ─────────────────────────────────────────────────────────────────────────────────────


def _check(path: "str | os.PathLike[str]", model: onnx.ModelProto) -> None:
    if not model.HasField("graph") or not model.opset_import:
        lacking = "a graph" if not model.HasField("graph") else "the version of its operators"
        raise BadFile(path, f"no ONNX model: it is a protobuf without {lacking}")
    folder = os.path.dirname(os.path.abspath(path))
    is_external = False
    for graph in _graphs(model):
        for tensor in _tensors(graph):
            _check_tensor(tensor, folder)
            is_external |= tensor.data_location == T.EXTERNAL
    try:
        # Only of a path the checker knows in which folder the numbers are.
        onnx.checker.check_model(os.path.abspath(path) if is_external else model)
    except Exception as fault:
        # The checker's own errors, and whatever else its C++ throws at a model made to break it.
        raise BadFile(path, f"not a valid ONNX model: {_first(str(fault))}") from None


def _first(said: str) -> str:
    """The checker's message without its context and line ends."""
    text = " ".join(said.partition("==> Context")[0].split()).rstrip(".")
    return printable(text, 300) or "the checker of the onnx package fails on it"


Nodes = onnx.GraphProto | onnx.FunctionProto


def _graphs(model: onnx.ModelProto) -> Iterator[Nodes]:
    """All that has nodes: the graph, those in it, and functions."""
    waiting: list[Nodes] = [model.graph, *model.functions]
    for training in model.training_info:
        waiting += [training.initialization, training.algorithm]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for a in node.attribute:
                waiting += [*([a.g] if a.HasField("g") else []), *a.graphs]


def _tensors(graph: Nodes) -> Iterator[onnx.TensorProto]:
    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
        yield from _parts(graph.sparse_initializer)
    for node in graph.node:
        for a in node.attribute:
            if a.HasField("t"):
                yield a.t
            if a.HasField("sparse_tensor"):
                yield from _parts([a.sparse_tensor])
            yield from a.tensors
            yield from _parts(a.sparse_tensors)


def _parts(sparse: "Iterable[onnx.SparseTensorProto]") -> Iterator[onnx.TensorProto]:
    for tensor in sparse:
        # A runtime makes it dense.
        if _count(tensor.values.name, tensor.dims) > LARGEST:
            shape = "x".join(map(str, tensor.dims))
            raise ValueError(f"its sparse tensor `{printable(tensor.values.name)}` claims {shape}")
        yield from (tensor.values, tensor.indices)


def _check_tensor(tensor: onnx.TensorProto, folder: str) -> None:
    """Are the numbers there that its sizes claim?"""
    count = _count(tensor.name, tensor.dims)
    bits = BITS.get(tensor.data_type)
    size = None if bits is None else -(-count * bits // 8)
    name = printable(tensor.name)
    if tensor.data_type not in KNOWN_TYPES:
        raise ValueError(f"its tensor `{name}` is of type {tensor.data_type}, which ONNX has not")
    if tensor.data_location == T.EXTERNAL:
        if size is None:
            raise ValueError(f"its tensor `{name}` of type {tensor.data_type} lies in another file")
        _check_external(name, {e.key: e.value for e in tensor.external_data}, size, folder)
    elif tensor.HasField("raw_data"):
        if size is not None and len(tensor.raw_data) != size:
            raise ValueError(_unlike(name, tensor.dims, size, len(tensor.raw_data), "bytes"))
    else:
        _check_list(name, tensor, count)


def _check_list(name: str, tensor: onnx.TensorProto, count: int) -> None:
    if tensor.data_type in (T.COMPLEX64, T.COMPLEX128):
        count *= 2
    elif BITS.get(tensor.data_type) == 4:
        count = -(-count // 2)
    held = len(getattr(tensor, LISTS.get(tensor.data_type, "int32_data")))
    if tensor.data_type in BITS and held != count:
        raise ValueError(_unlike(name, tensor.dims, count, held, "numbers"))


def _count(name: str, dims: "Iterable[int]") -> int:
    sizes = list(dims)
    if len(sizes) > MOST_AXES:
        raise ValueError(f"its tensor `{printable(name)}` claims {len(sizes):,} axes")
    # An empty tensor, too, may not claim more along its other axes than NumPy can count.
    if any(n < 0 for n in sizes) or math.prod(max(n, 1) for n in sizes) >= 2**56:
        shape = "x".join(map(str, sizes))
        raise ValueError(f"its tensor `{printable(name)}` claims the shape {shape}")
    return math.prod(sizes)


def _unlike(name: str, dims: "Iterable[int]", wanted: int, held: int, what: str) -> str:
    shape = "x".join(map(str, dims)) or "a single number"
    return f"its tensor `{name}`, {shape}, takes {wanted:,} {what}, {held:,} are there"


def _check_external(name: str, said: dict[str, str], size: int, folder: str) -> None:
    place = external(said.get("location", ""), folder)
    shown = printable(said.get("location", ""))
    if place is None:
        raise ValueError(
            f"its tensor `{name}` lies in `{shown}`, which is not inside the model's folder"
        )
    try:
        found = os.stat(place)
    except (OSError, ValueError):
        raise ValueError(f"its tensor `{name}` lies in `{shown}`, which is not there") from None
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"its tensor `{name}` lies in `{shown}`, which is not a plain file")
    offset = _whole(name, said.get("offset", "0"))
    length = _whole(name, said.get("length", str(size)))
    if length != size or offset + length > found.st_size:
        raise ValueError(
            f"its tensor `{name}` takes {size:,} bytes; of `{shown}` it claims {length:,} from "
            f"{offset:,} on, and there are {found.st_size:,}"
        )


def external(location: str, folder: str) -> str | None:
    """The path of a file beside a model, links followed; none if it is not inside the folder."""
    parts = location.replace("\\", "/").split("/")
    on_windows, _ = ntpath.splitdrive(location)
    if not location or location[0] in "/\\" or on_windows or ".." in parts or "\0" in location:
        return None
    root = os.path.realpath(folder)
    place = os.path.realpath(os.path.join(root, location))
    return place if os.path.commonpath([root, place]) == root and place != root else None


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"its tensor `{name}` begins or ends at `{printable(text, 40)}`")
    return int(text)
