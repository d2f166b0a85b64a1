# pyright: basic
"""How does any ONNX model come to be open: what each layer makes of an input, and slopes by it?

For one input of a known size. With that, sizes are known everywhere, and all that does not hang on
the numbers of the input is a constant, which the runtime is asked for. What is left is a graph as
ours are, whoever wrote it, and can be differentiated as these are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference, version_converter

from cnnspec.grad.reverse import NoGradient, gradients
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import NUMPY_NAMES, Attribute, DType, Model, Node, Tensor, Value
from cnnspec.onnxir.opset import NEWEST, OLDEST
from cnnspec.onnxir.proto import TYPES
from cnnspec.run.files import BadFile, read_onnx
from cnnspec.run.model import CompiledModel
from cnnspec.run.session import Session, open_session
from cnnspec.text.record import record

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]
Shape = tuple[int, ...]

DIRECTION = "/direction"
"""The input that says how much each number of the answer counts for the score."""

SLOPE = "/slope"

SIZES = ("Shape", "Size")
"""Operators that take of a value nothing but its size."""

ONLY_PASSED = ("Identity", "Cast", "Dropout")
"""Operators between a last softmax and the output that change nothing."""

SOFT = ("Softmax", "LogSoftmax", "Sigmoid")

LARGEST = 2**31 - 2**24
"""Bytes of a model whose inside is looked at."""

DTYPES: Mapping[int, DType] = {code: dtype for dtype, code in TYPES.items()}


class CannotSlope(ValueError):
    """Why there are no slopes, in a clause."""


@record
class Step:
    """An operator that hangs on the input: its outputs are values of the graph."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_model(path: str) -> onnx.ModelProto:
    """The model in a file with all its numbers, also those in files beside it."""
    proto = read_onnx(path)
    held = sum(_bytes(t) for t in proto.graph.initializer)
    if held > LARGEST:
        raise BadFile(path, f"its weights have {held:,} bytes; those of at most {LARGEST:,} fit")
    # Where these lie was checked: in the folder of the model, and large enough.
    onnx.load_external_data_for_model(proto, _folder(path))
    return proto


def _opset(proto: onnx.ModelProto) -> int:
    return next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0)


def _raised(proto: onnx.ModelProto) -> onnx.ModelProto:
    """An older model as one of the oldest opset that is known here, where onnx can tell how."""
    if not 0 < _opset(proto) < OLDEST:
        return proto
    try:
        return version_converter.convert_version(proto, OLDEST)
    except (version_converter.ConvertError, RuntimeError, ValueError):
        return proto


def _bytes(tensor: onnx.TensorProto) -> int:
    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return tensor.ByteSize()
    return int(np.prod(tensor.dims)) * np.dtype(numpy_type(tensor.data_type)).itemsize


def numpy_type(code: int) -> np.dtype[Any]:
    return np.dtype(helper.tensor_dtype_to_np_dtype(code))


def _folder(path: str) -> str:
    from os.path import abspath, dirname

    return dirname(abspath(path))


class Opened:
    """A model with all its values laid open, for inputs of the sizes of `feeds`."""

    def __init__(self, proto: onnx.ModelProto, feeds: Arrays) -> None:
        self._proto = proto = _raised(proto)
        self._feeds = feeds
        self._graph = proto.graph
        self.opset = _opset(proto)
        self.output = proto.graph.output[0].name
        self.steps = list(self._hanging())
        self._infos = self._inferred()
        self._sessions: dict[tuple[str, ...], Session] = {}
        self._makers = {name: step for step in self.steps for name in step.outputs}

    # ── what it makes ──────────────────────────────────────────────────────────────────────────

    def shape(self, name: str) -> Shape | None:
        """With the batch; none where it takes a run to know it."""
        return self._infos.get(name, (None, 0))[0]

    def is_real(self, name: str) -> bool:
        """Are its numbers real ones, as far as is known?"""
        code = self._infos.get(name, (None, 0))[1]
        return DTYPES.get(code) in ("float", "float16", "double", None)

    def values(self, feeds: Arrays, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """What these values of the graph are for inputs."""
        key = tuple(dict.fromkeys(names))
        if key not in self._sessions:
            self._sessions[key] = open_session(self._with_outputs(key).SerializeToString(), "cpu")
        found = self._sessions[key].run(dict(feeds), key)
        for name, x in found.items():
            if not isinstance(x, np.ndarray):
                raise ValueError(f"`{name}` is no array of numbers")
        return {name: _single(found[name]) for name in key}

    @property
    def last(self) -> str:
        """The value before a last softmax, which would hide what speaks for a class behind what
        speaks against the others."""
        end = self.output
        while (step := self._makers.get(end)) is not None and step.op in ONLY_PASSED:
            end = step.inputs[0]
        step = self._makers.get(end)
        return step.inputs[0] if step is not None and step.op in SOFT else self.output

    @property
    def last_op(self) -> str:
        """The operator that makes the answer."""
        end = self.output
        while (step := self._makers.get(end)) is not None and step.op in ONLY_PASSED:
            end = step.inputs[0]
        step = self._makers.get(end)
        return "" if step is None else step.op

    def weight(self, name: str) -> NDArray[Any] | None:
        """The numbers of a tensor of the model."""
        found = next((t for t in self._graph.initializer if t.name == name), None)
        return None if found is None else _single(numpy_helper.to_array(found))

    def attribute(self, name: str, key: str) -> Any:
        """What an operator, by one of its outputs, says of itself."""
        node = next(n for n in self._graph.node if name in n.output)
        return next((helper.get_attribute_value(a) for a in node.attribute if a.name == key), None)

    def _with_outputs(self, names: Sequence[str]) -> onnx.ModelProto:
        proto = onnx.ModelProto()
        proto.CopyFrom(self._proto)
        given = {o.name: o for o in self._graph.output}
        del proto.graph.output[:]
        # The runtime knows the types itself.
        proto.graph.output.extend(given.get(n) or onnx.ValueInfoProto(name=n) for n in names)
        return proto

    def _hanging(self) -> Iterator[Step]:
        hang = set(self._feeds)
        for k, node in enumerate(self._graph.node):
            taken = (*node.input, *_taken_within(node))
            if node.op_type not in SIZES and any(name in hang for name in taken):
                hang.update(node.output)
                name = node.name or f"{node.op_type}_{k}"
                yield Step(node.op_type, name, taken, tuple(filter(None, node.output)))

    def _inferred(self) -> dict[str, tuple[Shape | None, int]]:
        proto = onnx.ModelProto()
        proto.CopyFrom(self._proto)
        # What the file claims of sizes is about any input; this is about one.
        del proto.graph.value_info[:]
        for info in proto.graph.input:
            if info.name in self._feeds:
                sizes = self._feeds[info.name].shape
                # Bytes of a picture as real numbers, which have slopes; who takes them makes these
                # of them anyway.
                is_bytes = _type_of(info) == onnx.TensorProto.UINT8
                kind = onnx.TensorProto.FLOAT if is_bytes else _type_of(info)
                info.CopyFrom(helper.make_tensor_value_info(info.name, kind, list(sizes)))
        for info in proto.graph.output:
            info.type.tensor_type.ClearField("shape")
        try:
            found = shape_inference.infer_shapes(proto, data_prop=True).graph
        except (shape_inference.InferenceError, ValueError):
            return {}
        return {
            i.name: (_sizes(i), _type_of(i))
            for i in (*found.input, *found.value_info, *found.output)
        }

    # ── how it changes ─────────────────────────────────────────────────────────────────────────

    def sloped(self, by: Sequence[str], *, is_distance: bool) -> "Sloped":
        """The same with slopes by inputs and other values. Raises `CannotSlope`."""
        model = self._model()
        known = model.known()
        before = known.get(self.last)
        if before is None:
            raise CannotSlope("its answer does not hang on its input")
        model.outputs = [known[self.output]]
        g = Builder(model, self._count)
        direction = Value(DIRECTION, before.shape)
        model.inputs.append(direction)
        with g.layer("/score", ""):
            z = before
            if before.dtype != "float":
                z = g.op("Cast", z, dtype="float", part="real", to=TYPES["float"])
            if is_distance:
                z = g.op("Neg", z, part="nearness")
            chosen = g.op("Mul", z, direction, part="chosen")
            score = g.op("ReduceSum", chosen, dims=(), keepdims=0)
        try:
            found = gradients(model, score, list(by), self._count)
        except NoGradient as fault:
            raise CannotSlope(str(fault)) from None
        except (AssertionError, KeyError):
            # The rules are written for graphs of ours, and assert what these are.
            raise CannotSlope("its graph is built in a way that is not known here") from None
        names: list[str] = []
        for name in by:
            dx = found[name]
            if dx is None:
                why = "other than by whole numbers" if self._is_quantised else ""
                raise CannotSlope(f"the answer does not hang on `{name}` {why}".rstrip())
            with g.layer(f"{name}{SLOPE}", ""):
                real = g.op("Cast", dx, dtype="float", to=TYPES["float"])
            names.append(real.name)
            g.output(real)
        return Sloped(CompiledModel(model.living()).session("cpu"), names, by, before.shape)

    @property
    def _is_quantised(self) -> bool:
        return any(step.op == "QuantizeLinear" for step in self.steps)

    @property
    def _count(self) -> int:
        return next(iter(self._feeds.values())).shape[0]

    def _model(self) -> Model:
        """What hangs on the input, as a graph of ours."""
        if not OLDEST <= self.opset <= NEWEST:
            raise CannotSlope(
                f"it is of opset {self.opset}; those of {OLDEST} to {NEWEST} are known"
            )
        for node in self._graph.node:
            if any(a.HasField("g") or a.graphs for a in node.attribute):
                raise CannotSlope(f"it has a graph within a graph, at `{_named(node)}`")
        model = Model(self._graph.name or "model", self.opset)
        for name, x in self._feeds.items():
            if not self.is_real(name):
                raise CannotSlope(f"`{name}` takes whole numbers, which have no slope")
            dtype = DTYPES[self._infos[name][1]] if name in self._infos else _dtype(x, name)
            model.inputs.append(Value(name, x.shape, dtype))
        for value, draw in self._constants():
            model.tensors[value.name] = Tensor(value, draw)
        model.values = self._values()
        nodes = {name: n for n in self._graph.node for name in n.output}
        used: set[str] = set()
        for k, step in enumerate(self.steps):
            node = nodes[step.outputs[0]]
            if node.domain not in ("", "ai.onnx"):
                raise CannotSlope(f"`{_named(node)}` is no operator of the standard")
            name = step.name if step.name not in used else f"{step.name}_{k}"
            used.add(name)
            model.nodes.append(_as_ours(node, name))
        return model

    def _constants(self) -> Iterator[tuple[Value, Any]]:
        """All that steps take and do not make; the runtime works it out."""
        made = {name for step in self.steps for name in step.outputs} | set(self._feeds)
        wanted = {name for step in self.steps for name in step.inputs if name} - made
        held = {t.name: t for t in self._graph.initializer if t.name in wanted}
        for name, tensor in held.items():
            x = numpy_helper.to_array(tensor)
            yield Value(name, x.shape, _dtype(x, name)), (lambda x=x: x)
        left = sorted(wanted - held.keys())
        if left:
            for name, x in self._asked(left).items():
                yield Value(name, x.shape, _dtype(x, name)), (lambda x=x: x)

    def _values(self) -> dict[str, Value]:
        names = [name for step in self.steps for name in step.outputs]
        unknown = [n for n in names if self.shape(n) is None]
        shapes = self._asked(unknown) if unknown else {}
        found: dict[str, Value] = {}
        for name in names:
            if name in shapes:
                found[name] = Value(name, shapes[name].shape, _dtype(shapes[name], name))
            else:
                dtype = DTYPES.get(self._infos[name][1])
                if dtype is None:
                    raise CannotSlope(f"`{name}` has numbers of a type that is not known here")
                found[name] = Value(name, self._infos[name][0] or (), dtype)
        return found

    def _asked(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        # The runtime's optimiser would put constants in the place of outputs, and stumble over it.
        model = self._with_outputs(names).SerializeToString()
        return open_session(model, "cpu", optimise=False).run(dict(self._feeds), names)


class Sloped:
    """How a score changes with inputs and layers: the sum of the answer's numbers before a last
    softmax, each times its direction."""

    def __init__(
        self,
        session: Session,
        outputs: Sequence[str],
        by: Sequence[str],
        shape: Sequence[int | str],
    ) -> None:
        self._session, self._outputs, self._by = session, outputs, by
        self.shape = tuple(int(n) for n in shape)

    def slopes(self, feeds: Arrays, direction: NDArray[Any], by: Sequence[str]) -> dict[str, Array]:
        names = [self._outputs[self._by.index(name)] for name in by]
        whole = np.broadcast_to(np.asarray(direction, np.float32), self.shape)
        found = self._session.run({**feeds, DIRECTION: whole}, names)
        return dict(zip(by, found.values(), strict=True))


# ── parts ───────────────────────────────────────────────────────────────────────────────────────


def _taken_within(node: onnx.NodeProto) -> Iterator[str]:
    """What graphs within an operator may take from around it."""
    for a in node.attribute:
        for graph in (a.g, *a.graphs):
            for inner in graph.node:
                yield from (*inner.input, *_taken_within(inner))


def _as_ours(node: onnx.NodeProto, name: str) -> Node:
    inputs, outputs = tuple(node.input), tuple(filter(None, node.output))
    if node.op_type == "Dropout":
        # It leaves nothing out of a network that is not trained.
        return Node("Identity", inputs[:1], outputs[:1], {}, name)
    attributes = {a.name: _attribute(a, name) for a in node.attribute}
    return Node(node.op_type, inputs, outputs, attributes, name)


def _attribute(a: onnx.AttributeProto, name: str) -> Attribute:
    value = helper.get_attribute_value(a)
    match value:
        case bytes():
            return value.decode()
        case int() | float():
            return value
        case _ if a.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
            return tuple(value)
        case _:
            raise CannotSlope(f"`{name}` has an attribute of a kind that is not known here")


def _named(node: onnx.NodeProto) -> str:
    return node.name or next(iter(node.output), node.op_type)


def _dtype(x: NDArray[Any], name: str) -> DType:
    found: DType | None = next((d for d in TYPES if NUMPY_NAMES[d] == x.dtype.name), None)
    if found is None:
        raise CannotSlope(f"`{name}` has numbers of a type that is not known here")
    return found


def _single(x: NDArray[Any]) -> NDArray[Any]:
    return x.astype(np.float32) if x.dtype.kind == "f" and x.dtype != np.float32 else x


def _type_of(info: onnx.ValueInfoProto) -> int:
    return info.type.tensor_type.elem_type


def _sizes(info: onnx.ValueInfoProto) -> Shape | None:
    if not info.type.tensor_type.HasField("shape"):
        return None
    dims = info.type.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") for d in dims) else None
