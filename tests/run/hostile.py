"""Files that are broken, foreign, or made to do harm; for tests."""

import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import save

SEED = 20


def tensors() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(SEED)
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "fc.weight": (2, 4), "fc.bias": (2,)}
    return {name: draw.normal(size=n).astype(np.float32) for name, n in shapes.items()}


def safetensors_bytes() -> bytes:
    return save(tensors(), {"made": "for a test"})


def npz_bytes(*, compressed: bool = False, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **(arrays or tensors()))  # type: ignore[arg-type]
    return file.getvalue()


def model(held: Sequence[TensorProto] | None = None) -> onnx.ModelProto:
    """A convolution, a pool, a dense layer, with its tensors."""
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["a"], name="conv"),
        helper.make_node("GlobalAveragePool", ["a"], ["b"], name="pool"),
        helper.make_node("Flatten", ["b"], ["c"], name="flatten"),
        helper.make_node("Gemm", ["c", "fc.weight", "fc.bias"], ["y"], name="fc", transB=1),
    ]
    held = held or [onnx.numpy_helper.from_array(x, name) for name, x in tensors().items()]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        held,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def onnx_bytes() -> bytes:
    return model().SerializeToString(deterministic=True)


def good() -> dict[str, bytes]:
    return {
        "safetensors": safetensors_bytes(),
        "npz": npz_bytes(),
        "packed.npz": npz_bytes(compressed=True),
        "onnx": onnx_bytes(),
    }


def truncated(data: bytes, count: int) -> Iterator[bytes]:
    """The beginning, of every length near the ends and of some between."""
    near = [*range(20), *range(len(data) - 30, len(data))]
    step = max(1, len(data) // count)
    yield from (data[:n] for n in sorted({*near, *range(0, len(data), step)}) if n >= 0)


def flipped(data: bytes, count: int, seed: int = SEED) -> Iterator[bytes]:
    """One to four bytes changed, most of them where the claims are."""
    draw = random.Random(seed)
    for _ in range(count):
        bad = bytearray(data)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(bad) if draw.random() < 0.5 else min(len(bad), 400))
            at = at if draw.random() < 0.5 else len(bad) - 1 - at
            bad[at] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256), bad[at] ^ 1))
        yield bytes(bad)


def noise(count: int, seed: int = SEED) -> Iterator[bytes]:
    """Random bytes, bare and after the bytes by which a kind is known."""
    draw = random.Random(seed)
    magics = (
        b"",
        b"PK\x03\x04",
        b"\x08\x08",
        b"\x80\x02",
        b"\x10\0\0\0\0\0\0\0{",
        b"\x93NUMPY\1\0",
    )
    for i in range(count):
        yield magics[i % len(magics)] + draw.randbytes(draw.randint(1, 600))


# ── safetensors and npz ────────────────────────────────────────────────────────────────────────


def safetensors_of(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def claim(shape: Sequence[int], begin: int = 0, end: int = 16, dtype: str = "F32") -> bytes:
    said = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    return safetensors_of({"w": said}, bytes(16))


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, data)
    return file.getvalue()


def npy(shape: str, data: bytes = b"", descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


def bomb(size: int = 2**29) -> bytes:
    """Half a gigabyte of zeros in half a megabyte, honest about it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        member = archive.open("w.npy", "w")
        member.write(npy(f"({size // 4},)"))
        for _ in range(size // 2**24):
            member.write(bytes(2**24))
        member.close()
    return file.getvalue()


class Payload:
    """What a pickle can do: here it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def pickles(target: Path) -> dict[str, bytes]:
    """Checkpoints whose loading would make the file `target`."""
    data = pickle.dumps(Payload(target), 2)
    objects = io.BytesIO()
    np.save(objects, np.array([Payload(target)], dtype=object), allow_pickle=True)
    return {
        "bare.pkl": data,
        "old.pt": pickle.dumps(0x1950A86A20F9469CFC6C, 2) + data,
        "new.pt": zipped("archive/data.pkl", data),
        "objects.npz": zipped("w.npy", objects.getvalue()),
        "objects.npy": objects.getvalue(),
    }


# ── ONNX ───────────────────────────────────────────────────────────────────────────────────────


def with_dims(dims: Sequence[int], data: bytes = bytes(16)) -> bytes:
    tensor = TensorProto(name="conv.weight", data_type=TensorProto.FLOAT, dims=dims, raw_data=data)
    return model([tensor]).SerializeToString()


def beside(location: str, dims: Sequence[int] = (4, 3, 3, 3), **said: int | str) -> bytes:
    """A model whose first tensor lies in another file."""
    proto = model()
    (tensor,) = (t for t in proto.graph.initializer if t.name == "conv.weight")
    tensor.ClearField("raw_data")
    tensor.dims[:] = dims
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **said}.items():
        tensor.external_data.add(key=key, value=str(value))
    return proto.SerializeToString()


def varint(n: int) -> bytes:
    head = bytes([n & 127 | (128 if n > 127 else 0)])
    return head + varint(n >> 7) if n > 127 else head


def part(number: int, data: bytes) -> bytes:
    """A field of a protobuf that holds bytes."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def nested(depth: int) -> bytes:
    """Graphs in nodes in graphs."""
    graph = b""
    for _ in range(depth):
        attribute = part(1, b"body") + part(6, graph) + b"\xa0\x01\x05"
        graph = part(1, part(4, b"Loop") + part(5, attribute)) + part(2, b"g")
    return b"\x08\x08" + part(7, graph) + part(8, b"\x10\x11")


def crowded(number: int, count: int) -> bytes:
    """A graph of many empty parts, two bytes each."""
    return b"\x08\x08" + part(7, part(2, b"g") + part(number, b"") * count) + part(8, b"\x10\x11")
