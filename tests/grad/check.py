"""Does a gradient rule say what finite differences say?

`check_rule` builds a model of one operator, takes the gradient of loss = Σ u·y with fixed random u,
runs it in ONNX Runtime, and compares <dx, v> with (loss(x + hv) - loss(x - hv)) / 2h for a random
direction v of each input.
"""

from collections.abc import Mapping, Sequence
from math import erf
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NotImplemented_

from cnnspec.grad.reverse import gradients
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Dims, DType, Model, Node, Tensor, Value
from cnnspec.onnxir.proto import to_proto

Array = np.ndarray[Any, Any]

DTYPES: dict[str, DType] = {
    "float32": "float",
    "float64": "double",
    "int64": "int64",
    "int32": "int32",
    "bool": "bool",
}

WIDER: dict[DType, DType] = {"float": "double"}
FLOAT, DOUBLE = 1, 11

# (step of the differences, tolerance). In double the difference is wrong by about h² = 1e-10; a
# float32 has 24 bits, so that one gradient of some hundred sums is right to about 1e-5, and
# differences of float32 sums with h = 1e-2 to about 1e-7/1e-2·√n + h² = 1e-4.
STEPS = {"double": 1e-5, "float": 1e-2}
RTOL = {("double", "double"): 1e-6, ("double", "float"): 1e-4, ("float", "float"): 1e-3}


def check_rule(
    op: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    by: Sequence[int] | None = None,
    without: Sequence[int] = (),
    outputs: int = 1,
    loss_of: Sequence[int] = (0,),
    opset: int = 17,
    dtype: str = "double",
    batch: Sequence[int] = (),
    rtol: float | None = None,
    seed: int = 0,
) -> list[Array | None]:
    """Checks the gradients of an operator and answers them.

    by: the inputs to differentiate by, all of float where not said; the others are constants.
    without: those of `by` for which no gradient is expected.
    loss_of: the outputs that the loss is taken of.
    dtype: `double` takes differences in double (of onnx's reference where the runtime has no such
    kernel), `float` those of the runtime in float32.
    batch: the inputs whose first axis is symbolic.
    """
    if by is None:
        by = [k for k, x in enumerate(inputs) if x is not None and x.dtype.kind == "f"]
    model, loss = one_operator(op, inputs, attributes or {}, by, outputs, loss_of, opset, batch)
    feeds = {f"x{k}": x for k in by if (x := inputs[k]) is not None}
    expected = {f"x{k}": k not in without for k in by}
    found = check_model(model, loss, feeds, expected, dtype=dtype, rtol=rtol, seed=seed)
    return [found[f"x{k}"] for k in by]


def check_model(
    model: Model,
    loss: Value,
    feeds: Mapping[str, Array],
    expected: Mapping[str, bool] | None = None,
    *,
    dtype: str = "double",
    rtol: float | None = None,
    seed: int = 0,
) -> dict[str, Array | None]:
    """Checks the gradients of a scalar of a model by inputs, and answers them. `expected` says
    which of them there are; all where not said."""
    forward = Runner(model, [loss.name], dtype)
    batch = next((n for v in model.inputs for n in v.shape if isinstance(n, str)), 1)
    answers = gradients(model, loss, list(feeds), batch)
    model.verify()
    for name in feeds:
        is_there = expected is None or expected[name]
        assert (answers[name] is not None) == is_there, f"the gradient of {name}: {answers[name]}"
    there = {name: v for name, v in answers.items() if v is not None}
    if not there:
        return dict.fromkeys(feeds)
    for name, v in there.items():
        x = next(i for i in model.inputs if i.name == name)
        assert (v.shape, v.dtype) == (x.shape, x.dtype), f"{v} is the gradient of {x}"
    backward = Runner(model, [v.name for v in there.values()], dtype, is_strict=True)
    made = dict(zip(there, backward(feeds), strict=True))
    tolerance = RTOL[dtype, backward.dtype] if rtol is None else rtol
    for name, dx in made.items():
        assert dx.shape == feeds[name].shape
        compare(forward, feeds, name, dx, STEPS[dtype], tolerance, seed)
    return {name: made.get(name) for name in feeds}


def compare(
    forward: "Runner",
    feeds: Mapping[str, Array],
    name: str,
    dx: Array,
    h: float,
    rtol: float,
    seed: int,
) -> None:
    x = np.asarray(feeds[name], np.float64)
    v = np.random.default_rng(seed + 1).uniform(-1, 1, x.shape)
    after, before = (float(forward({**feeds, name: x + s * h * v})[0]) for s in (1, -1))
    by_steps = (after - before) / (2 * h)
    by_rule = float(np.sum(dx.astype(np.float64) * v))
    scale = float(np.sum(np.abs(dx * v))) + abs(by_steps)
    assert abs(by_rule - by_steps) <= rtol * (scale + 1e-2), (
        f"{name}: {by_rule} by the rule, {by_steps} by differences"
    )


# ── models ─────────────────────────────────────────────────────────────────────────────────────


def one_operator(
    op: str,
    inputs: Sequence[Array | None],
    attributes: Mapping[str, Any],
    by: Sequence[int],
    outputs: int = 1,
    loss_of: Sequence[int] = (0,),
    opset: int = 17,
    batch: Sequence[int] = (),
) -> tuple[Model, Value]:
    """A model of an operator and a loss."""
    model = Model("one", opset)
    g = Builder(model, BATCH if batch else 1)
    xs: list[Value | None] = []
    for k, x in enumerate(inputs):
        xs.append(None if x is None else _entered(model, k, x, k in by, k in batch))
    results = _results(model, op, xs, attributes, outputs, inputs)
    with g.layer("y", "one.cnn:1:1"):
        ys = g.ops(op, *xs, results=results, **attributes)
    sample = Runner(model, [y.name for y in ys], "float")(_given(model, inputs))
    with g.layer("loss", ""):
        return model, weighted_sum(g, [(ys[k], sample[k].shape) for k in loss_of])


def weighted_sum(g: Builder, ys: Sequence[tuple[Value, tuple[int, ...]]]) -> Value:
    """Σ u·y with random u of which none is near 0."""
    total: Value | None = None
    for k, (y, shape) in enumerate(ys):
        rng = np.random.default_rng(100 + k)
        u = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        part = g.op("Mul", y, g.floats("u", u.reshape(-1).tolist(), shape), dims=y.shape, part="uy")
        s = g.op("ReduceSum", part, dims=(), part="sum", keepdims=0)
        total = s if total is None else g.op("Add", total, s, part="total")
    assert total is not None
    return total


def _entered(model: Model, k: int, x: Array, is_input: bool, is_open: bool) -> Value:
    dtype = "float" if x.dtype.kind == "f" else DTYPES[x.dtype.name]
    value = Value(f"x{k}", (BATCH, *x.shape[1:]) if is_open else x.shape, dtype)
    if is_input:
        model.inputs.append(value)
    else:
        model.tensors[value.name] = Tensor(value, lambda: x)
    return value


def _given(model: Model, inputs: Sequence[Array | None]) -> dict[str, Array]:
    by_name = {f"x{k}": x for k, x in enumerate(inputs) if x is not None}
    return {v.name: by_name[v.name] for v in model.inputs}


def _results(
    model: Model,
    op: str,
    xs: Sequence[Value | None],
    attributes: Mapping[str, Any],
    outputs: int,
    inputs: Sequence[Array | None],
) -> list[tuple[str, Dims, DType]]:
    """The parts, shapes and types of the outputs, as onnx infers them; sizes that it leaves open
    are those of a run."""
    names = tuple(f"y{k}" for k in range(outputs))
    taken = tuple(x.name if x is not None else "" for x in xs)
    probe = Model("probe", model.opset, list(model.inputs), tensors=dict(model.tensors))
    probe.nodes.append(Node(op, taken, names, dict(attributes), "probe"))
    proto = to_proto(probe)
    proto.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True, strict_mode=True)
    made = Runner(proto, list(names), "float")(_given(model, inputs))
    results: list[tuple[str, Dims, DType]] = []
    for k, (info, y) in enumerate(zip(inferred.graph.output, made, strict=True)):
        dims = info.type.tensor_type.shape.dim
        open_ = [d.dim_param for d in dims] if len(dims) == y.ndim else [""] * y.ndim
        shape = tuple(BATCH if word == BATCH else n for word, n in zip(open_, y.shape, strict=True))
        results.append((f"y{k}" if k else "", shape, DTYPES[y.dtype.name]))
    return results


# ── running ────────────────────────────────────────────────────────────────────────────────────


class Runner:
    """Runs a model for some of its values: in double where asked for and the runtime can."""

    def __init__(
        self,
        model: Model | onnx.ModelProto,
        outputs: Sequence[str],
        dtype: str,
        *,
        is_strict: bool = False,
    ) -> None:
        """`is_strict`: in the runtime in any case, if need be in float32."""
        self.outputs = list(outputs)
        self.dtype = dtype
        wide = widened(model) if dtype == "double" and isinstance(model, Model) else model
        try:
            self._run = _in_runtime(_asked(wide, outputs))
        except NOT_THERE:
            if dtype == "float":
                raise
            if is_strict:
                self.dtype = "float"
                self._run = _in_runtime(_asked(model, outputs))
            else:
                self._run = ReferenceEvaluator(_asked(wide, outputs), new_ops=[Erf]).run

    def __call__(self, feeds: Mapping[str, Array]) -> list[Array]:
        wanted = np.float64 if self.dtype == "double" else np.float32
        given = {
            k: np.asarray(x, wanted if x.dtype.kind == "f" else x.dtype) for k, x in feeds.items()
        }
        return [np.asarray(y) for y in self._run(self.outputs, given)]


NOT_THERE = (NotImplemented_, InvalidGraph, Fail)
"""How the runtime says that it has no kernel; that there is one in float32 is looked at after."""


class Erf(OpRun):
    """The reference's own gives float32 for double."""

    def _run(self, x: Array) -> tuple[Array]:  # type: ignore[override]
        return (np.vectorize(erf, otypes="d")(x).astype(x.dtype),)


def _in_runtime(proto: onnx.ModelProto) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    made = ort.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    return made.run


def _asked(model: Model | onnx.ModelProto, outputs: Sequence[str]) -> onnx.ModelProto:
    """The model with these values as its outputs."""
    if isinstance(model, onnx.ModelProto):
        return model
    known = {**{v.name: v for v in model.inputs}, **model.values}
    known |= {name: t.value for name, t in model.tensors.items()}
    asked = Model(
        model.name,
        model.opset,
        model.inputs,
        [known[name] for name in dict.fromkeys(outputs)],
        model.nodes,
        model.tensors,
        model.values,
    )
    return to_proto(asked)


def widened(model: Model) -> Model:
    """The same model with double for float, constants and casts too."""

    def wide(v: Value) -> Value:
        return Value(v.name, v.shape, WIDER.get(v.dtype, v.dtype))

    def cast(n: Node) -> Node:
        if n.op != "Cast" or n.attributes["to"] != FLOAT:
            return n
        return Node(n.op, n.inputs, n.outputs, {"to": DOUBLE}, n.name, n.source)

    return Model(
        model.name,
        model.opset,
        [wide(v) for v in model.inputs],
        [wide(v) for v in model.outputs],
        [cast(n) for n in model.nodes],
        {k: Tensor(wide(t.value), t.draw, t.is_weight) for k, t in model.tensors.items()},
        {k: wide(v) for k, v in model.values.items()},
    )


# ── numbers ────────────────────────────────────────────────────────────────────────────────────


def apart(shape: Sequence[int], kinks: Sequence[float] = (0,), seed: int = 0) -> Array:
    """Numbers between -2 and 2 that stay off the places where a function has a kink."""
    x = np.random.default_rng(seed).uniform(-2, 2, shape)
    for kink in kinks:
        x = np.where(abs(x - kink) < 0.05, kink + np.where(x < kink, -0.1, 0.1), x)
    return x


def distinct(shape: Sequence[int], seed: int = 0) -> Array:
    """Numbers of which no two are near each other, so that the largest stays the largest."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(np.linspace(-2, 2, size)).reshape(shape)


def positive(shape: Sequence[int], seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(0.3, 2, shape)
