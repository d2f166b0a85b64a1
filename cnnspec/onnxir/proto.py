# pyright: basic
"""How does a model become the bytes of an ONNX file?

The file is written tensor by tensor: of the weights only one lies in memory at a time, and the
bytes of each are written once. For that the lengths are worked out before; all else is made by the
protobufs of the onnx package.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import onnx
from onnx import helper

from cnnspec.onnxir.graph import NUMPY_NAMES, Dims, DType, Model, Node, Tensor, Value
from cnnspec.onnxir.opset import ir_version
from cnnspec.version import VERSION
from cnnspec.writing import replacing, replacing_all

LARGEST = 2**31 - 1
"""Bytes of a protobuf."""

ROOM = 2**24
"""Bytes for all but the tensors."""

ALIGNED = 4096
"""External tensors begin at multiples of this, so that a runtime can map them into memory."""

INLINE = 1024
"""Smaller tensors stay in the model's file even when the others do not."""

TYPES: dict[DType, int] = {
    "float": onnx.TensorProto.FLOAT,
    "float16": onnx.TensorProto.FLOAT16,
    "double": onnx.TensorProto.DOUBLE,
    "int8": onnx.TensorProto.INT8,
    "uint8": onnx.TensorProto.UINT8,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "bool": onnx.TensorProto.BOOL,
}

# Fields of ModelProto, GraphProto and TensorProto whose payload follows their length.
GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9


def to_proto(model: Model) -> onnx.ModelProto:
    """The whole model in memory."""
    proto = without_tensors(model)
    for tensor in model.tensors.values():
        held = proto.graph.initializer.add()
        held.CopyFrom(_header(tensor))
        held.raw_data = numbers(tensor).tobytes()
    return proto


def write(model: Model, file: IO[bytes], sidecar: "Sidecar | None" = None) -> None:
    """The model's file; with a sidecar, all but small tensors go there."""
    proto = without_tensors(model)
    graph = proto.graph.SerializeToString(deterministic=True)
    proto.ClearField("graph")
    heads = [(t, _head(t, sidecar)) for t in model.tensors.values()]
    sizes = [len(head) + (0 if _is_external(t, sidecar) else t.bytes) for t, head in heads]
    length = len(graph) + sum(len(_prefix(INITIALIZER, n)) + n for n in sizes)
    file.write(proto.SerializeToString(deterministic=True))
    file.write(_prefix(GRAPH, length) + graph)
    for (tensor, head), size in zip(heads, sizes, strict=True):
        file.write(_prefix(INITIALIZER, size) + head)
        if sidecar is not None and _is_external(tensor, sidecar):
            sidecar.write(tensor)
        else:
            file.write(numbers(tensor).data)


class Sidecar:
    """The file beside a model that holds its large tensors."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name = name
        self._file = file
        self._planned = 0

    def place(self, tensor: Tensor) -> int:
        """Where the next tensor begins."""
        offset = -(-self._planned // ALIGNED) * ALIGNED
        self._planned = offset + tensor.bytes
        return offset

    def write(self, tensor: Tensor) -> None:
        gap = -self._file.tell() % ALIGNED
        self._file.write(b"\0" * gap)
        self._file.write(numbers(tensor).data)


def save(model: Model, path: "str | os.PathLike[str]", *, is_external: bool = False) -> list[Path]:
    """Write the model's file, and one beside it for the weights where it is asked for or the model
    is too large for one. A failure leaves what was there before."""
    target = Path(path)
    beside = target.with_name(f"{target.name}.data")
    if not is_external and model.bytes <= LARGEST - ROOM:
        with replacing(target) as file:
            write(model, file)
        return [target]
    # The weights appear first: a model without them is worse than weights without a model.
    with replacing_all([target, beside]) as (file, data):
        write(model, file, Sidecar(beside.name, data))
    return [target, beside]


# ── parts ──────────────────────────────────────────────────────────────────────────────────────


def without_tensors(model: Model) -> onnx.ModelProto:
    """The model but for the numbers of its tensors."""
    graph = onnx.GraphProto(name=model.name)
    graph.input.extend(_info(v) for v in model.inputs)
    graph.output.extend(_info(v) for v in model.outputs)
    graph.node.extend(_node(n) for n in model.nodes)
    ends = {v.name for v in model.outputs}
    graph.value_info.extend(_info(v) for name, v in model.values.items() if name not in ends)
    proto = onnx.ModelProto(
        ir_version=ir_version(model.opset),
        producer_name="cnnspec",
        producer_version=VERSION,
        opset_import=[
            helper.make_opsetid("", model.opset),
            *(
                helper.make_opsetid(name, 1)
                for name in sorted({n.domain for n in model.nodes})
                if name
            ),
        ],
        graph=graph,
    )
    for key, text in sorted(model.metadata.items()):
        proto.metadata_props.add(key=key, value=text)
    return proto


def numbers(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers as they are written."""
    drawn = np.asarray(tensor.draw(), np.dtype(NUMPY_NAMES[tensor.value.dtype]), order="C")
    assert drawn.shape == tensor.shape, f"`{tensor.name}` is {drawn.shape}, not {tensor.shape}"
    return drawn if np.little_endian else drawn.byteswap()


def _info(value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, TYPES[value.dtype], _dims(value.shape))


def _dims(shape: Dims) -> list[int | str]:
    return list(shape)


def _node(node: Node) -> onnx.NodeProto:
    proto = onnx.NodeProto(
        op_type=node.op,
        name=node.name,
        doc_string=node.source,
        input=node.inputs,
        output=node.outputs,
    )
    if node.domain:
        proto.domain = node.domain
    proto.attribute.extend(
        helper.make_attribute(k, list(v) if isinstance(v, list | tuple | range) else v)
        for k, v in sorted(node.attributes.items())
    )
    return proto


def _header(tensor: Tensor) -> onnx.TensorProto:
    return onnx.TensorProto(
        name=tensor.name, data_type=TYPES[tensor.value.dtype], dims=tensor.shape
    )


def _is_external(tensor: Tensor, sidecar: Sidecar | None) -> bool:
    return sidecar is not None and tensor.bytes >= INLINE


def _head(tensor: Tensor, sidecar: Sidecar | None) -> bytes:
    """A TensorProto up to its numbers, or whole where they are elsewhere."""
    header = _header(tensor)
    if sidecar is None or not _is_external(tensor, sidecar):
        return header.SerializeToString(deterministic=True) + _prefix(RAW_DATA, tensor.bytes)
    header.data_location = onnx.TensorProto.EXTERNAL
    place = {"location": sidecar.name, "offset": sidecar.place(tensor), "length": tensor.bytes}
    for key, value in place.items():
        header.external_data.add(key=key, value=str(value))
    return header.SerializeToString(deterministic=True)


def _prefix(field: int, length: int) -> bytes:
    """What stands before a payload in a protobuf: the field, then the length."""
    return bytes((*_varint(field << 3 | 2), *_varint(length)))


def _varint(n: int) -> Iterator[int]:
    while n > 0x7F:
        yield n & 0x7F | 0x80
        n >>= 7
    yield n


def shapes_of(infos: Iterable[onnx.ValueInfoProto]) -> dict[str, list[int | str]]:
    """The shapes that a model claims of its values."""
    return {
        i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in infos
    }
