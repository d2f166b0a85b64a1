# pyright: basic
"""What is an operator made of?

The ONNX standard says of many operators what others do the same: its function body. Where no rule
says how to differentiate an operator, the nodes of its body stand for it, and the walk goes through
those.
"""

import re
from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper, inliner, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from cnnspec.onnxir.graph import Attribute, Dims, DType, Model, Node, Tensor, Value
from cnnspec.onnxir.opset import NEWEST
from cnnspec.onnxir.proto import TYPES, numbers, without_tensors

SMALL = 1024
"""Constants with more numbers than this say nothing about a shape."""

TRIED = ((2, 5, 7, 11), (3, 13, 17, 19))
"""Sizes to try for sizes that are open, where a shape is not to be had otherwise."""

DTYPES: dict[int, DType] = {code: dtype for dtype, code in TYPES.items()}


def unfold(model: Model, node: Node, known: Container[str]) -> list[Node]:
    """The nodes that stand for this one, with their values and constants in the model; the node
    itself where it is known or has no body."""
    if node.op in known:
        return [node]
    body = _body(model, node)
    if body is None:
        return [node]
    steps = _Body(model, node, body).nodes()
    return [inner for step in steps for inner in unfold(model, step, known)]


# ── bodies ─────────────────────────────────────────────────────────────────────────────────────


def _body(model: Model, node: Node) -> onnx.ModelProto | None:
    """A model of the operator alone, unfolded; none where the standard has no body for it."""
    for opset in range(model.opset, NEWEST + 1):
        # A body may be written for a newer opset only. It does as well if neither the operator nor
        # any of those in the body has changed since.
        if not _is_same(node.op, model.opset, opset):
            return None
        alone = _alone(model, node, opset)
        made = inliner.inline_selected_functions(
            alone, [("", node.op)], inline_schema_functions=True
        )
        if [n.op_type for n in made.graph.node] == [node.op]:
            continue
        ops = {n.op_type for n in made.graph.node} - {"Constant"}
        is_plain = not any(a.HasField("g") for n in made.graph.node for a in n.attribute)
        if is_plain and all(_is_same(op, model.opset, opset) for op in ops):
            return made
    return None


def _is_same(op: str, opset: int, newer: int) -> bool:
    """Is it the same operator in both opsets?"""
    try:
        schemas = [defs.get_schema(op, n, "") for n in (opset, newer)]
    except defs.SchemaError:
        return False
    return schemas[0].since_version == schemas[1].since_version


def _alone(model: Model, node: Node, opset: int) -> onnx.ModelProto:
    values = {v.name: v for v in model.inputs} | dict(model.values)
    values |= {name: t.value for name, t in model.tensors.items()}
    taken = [values[n] for n in dict.fromkeys(node.inputs) if n]
    alone = Model(
        "alone",
        model.opset,
        [v for v in taken if not _is_small(model, v.name)],
        [values[n] for n in node.outputs],
        [node],
        values={n: values[n] for n in node.outputs},
    )
    proto = without_tensors(alone)
    proto.opset_import[0].version = opset
    # The inliner takes only what the node says itself, not what the standard says otherwise.
    said = defs.get_schema(node.op, opset, "").attributes
    defaults = [a.default_value for name, a in said.items() if name not in node.attributes]
    proto.graph.node[0].attribute.extend(a for a in defaults if a.name)
    for v in taken:
        if _is_small(model, v.name):
            array = numbers(model.tensors[v.name])
            proto.graph.initializer.append(numpy_helper.from_array(array, v.name))
            shape = helper.make_tensor_value_info(v.name, TYPES[v.dtype], array.shape)
            proto.graph.value_info.append(shape)
    return proto


def _is_small(model: Model, name: str) -> bool:
    tensor = model.tensors.get(name)
    return tensor is not None and not tensor.is_weight and int(np.prod(tensor.shape)) <= SMALL


class _Body:
    """The nodes of a body in the model's own form."""

    def __init__(self, model: Model, node: Node, proto: onnx.ModelProto) -> None:
        self.model = model
        self.node = node
        self.proto = proto
        self.proto.opset_import[0].version = model.opset
        self.constants: dict[str, np.ndarray] = {}
        self.names = {name: name for name in (*node.inputs, *node.outputs)}

    def nodes(self) -> list[Node]:
        self._likes_cast()
        steps = [n for n in self.proto.graph.node if not self._is_constant(n)]
        steps = self._needed(steps)
        shapes = _shapes(self.proto)
        for step in steps:
            for name in (*step.input, *step.output):
                if name and name not in self.names:
                    self.names[name] = self._entered(name, shapes)
        return [self._own(step) for step in steps]

    def _likes_cast(self) -> None:
        """CastLike, which only its second input's type matters to, becomes Cast."""
        inferred = shape_inference.infer_shapes(self.proto)
        types = {v.name: v.type.tensor_type.elem_type for v in _infos(inferred)}
        types |= {t.name: t.data_type for t in self.proto.graph.initializer}
        for n in self.proto.graph.node:
            if n.op_type == "CastLike":
                to = types[n.input[1]]
                del n.input[1]
                n.op_type = "Cast"
                del n.attribute[:]
                n.attribute.append(helper.make_attribute("to", to))

    def _is_constant(self, n: onnx.NodeProto) -> bool:
        """Is a node's result the same in any case? It is kept then."""
        if not all(not name or name in self.constants for name in n.input):
            return False
        given = {name: self.constants[name] for name in n.input if name}
        made = ReferenceEvaluator(n, opsets={"": NEWEST}).run(None, given)
        self.constants |= {
            name: np.asarray(y) for name, y in zip(n.output, made, strict=False) if name
        }
        return True

    def _needed(self, steps: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """Those that the operator's outputs hang on."""
        wanted = set(self.node.outputs)
        found: list[onnx.NodeProto] = []
        for step in reversed(steps):
            if wanted & set(step.output):
                wanted |= set(step.input)
                found.append(step)
        return found[::-1]

    def _entered(self, name: str, shapes: "dict[str, tuple[Dims, DType]]") -> str:
        """A value or constant of the body as one of the model, under the operator's name."""
        base = f"{self.node.outputs[0]}/{re.sub(r'__[0-9]+$', '', name)}"
        own, n = base, 1
        while own in self.model.values or own in self.model.tensors:
            n += 1
            own = f"{base}_{n}"
        array = self.constants.get(name)
        if array is None:
            self.model.values[own] = Value(own, *shapes[name])
        else:
            dtype = DTYPES[helper.np_dtype_to_tensor_dtype(array.dtype)]
            self.model.tensors[own] = Tensor(Value(own, array.shape, dtype), lambda: array)
        return own

    def _own(self, step: onnx.NodeProto) -> Node:
        attributes: dict[str, Attribute] = {}
        for a in step.attribute:
            value = helper.get_attribute_value(a)
            assert not isinstance(value, onnx.TensorProto), f"{step.op_type} holds a tensor"
            attributes[a.name] = value.decode() if isinstance(value, bytes) else value
        outputs = tuple(self.names[n] if n else "" for n in step.output)
        is_last = outputs[0] == self.node.outputs[0]
        return Node(
            step.op_type,
            tuple(self.names[n] if n else "" for n in step.input),
            outputs,
            attributes,
            self.node.name if is_last else outputs[0],
            self.node.source,
        )


# ── shapes ─────────────────────────────────────────────────────────────────────────────────────


def _infos(proto: onnx.ModelProto) -> Iterator[onnx.ValueInfoProto]:
    yield from proto.graph.input
    yield from proto.graph.value_info
    yield from proto.graph.output


def _shapes(proto: onnx.ModelProto) -> "dict[str, tuple[Dims, DType]]":
    """Shape and type of each value: as onnx infers them, or from a run where it cannot."""
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    words = _words(proto)
    found: dict[str, tuple[Dims, DType]] = {}
    for info in _infos(inferred):
        tensor = info.type.tensor_type
        dims: Dims = tuple(
            d.dim_value if d.HasField("dim_value") else d.dim_param for d in tensor.shape.dim
        )
        if tensor.HasField("shape") and all(isinstance(n, int) or n in words for n in dims):
            found[info.name] = dims, DTYPES[tensor.elem_type]
    names = {name for n in proto.graph.node for name in n.output if name}
    return found if names <= found.keys() else {**_tried(inferred, words), **found}


def _words(proto: onnx.ModelProto) -> list[str]:
    """The names of the sizes that are open."""
    dims = [d for v in proto.graph.input for d in v.type.tensor_type.shape.dim]
    return list(dict.fromkeys(d.dim_param for d in dims if d.dim_param))


def _tried(proto: onnx.ModelProto, words: Sequence[str]) -> "dict[str, tuple[Dims, DType]]":
    """Shapes by running the body with two sizes for each that is open. What is the same in both is
    fixed; what grows with one of them is it, or a multiple of it."""
    first, second = (dict(zip(words, sizes, strict=False)) for sizes in TRIED)
    found: dict[str, tuple[Dims, DType]] = {}
    for name, a, b in zip(_names(proto), _run(proto, first), _run(proto, second), strict=True):
        dims = tuple(
            _size(n, m, first, second) for n, m in zip(np.shape(a), np.shape(b), strict=True)
        )
        found[name] = dims, DTYPES[helper.np_dtype_to_tensor_dtype(np.asarray(a).dtype)]
    return found


def _size(n: int, m: int, first: dict[str, int], second: dict[str, int]) -> int | str:
    if n == m:
        return n
    for word, size in first.items():
        if n * second[word] == m * size and n % size == 0:
            return word if n == size else f"{word}*{n // size}"
    return f"{n}|{m}"


def _names(proto: onnx.ModelProto) -> list[str]:
    return [name for n in proto.graph.node for name in n.output if name]


def _run(proto: onnx.ModelProto, sizes: dict[str, int]) -> "list[np.ndarray]":
    """All values of the body, for inputs of ones."""
    given = {}
    for v in proto.graph.input:
        tensor = v.type.tensor_type
        shape = [sizes[d.dim_param] if d.dim_param else d.dim_value for d in tensor.shape.dim]
        given[v.name] = np.ones(shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    whole = onnx.ModelProto()
    whole.CopyFrom(proto)
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in _names(proto))
    with np.errstate(all="ignore"):
        made: Any = ReferenceEvaluator(whole).run(None, given)
    return made
