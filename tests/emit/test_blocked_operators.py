"""Does each rule for blocks keep to what its operator says, or leave it as it is?

Operators as another program than ours might write them too: with axes counted from behind, or with
what is usual left unsaid.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from cnnspec.emit.passes.spelled import spell_out
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Dims, Model, Tensor, Value
from emit.blocking import B, C, agree, blocked, told

H, W = 9, 8
MAPS = (BATCH, C, H, W)


class Graph:
    """`a` and `b` are two convolutions' maps, which lie in blocks until somebody takes them in
    plain form: so what is done in blocks comes first."""

    def __init__(self, opset: int = 17) -> None:
        self.model = Model("operators", opset, [Value("x", (BATCH, 3, H, W))])
        self.g = Builder(self.model)
        self.a, self.b = (self.conv(name, self.model.inputs[0]) for name in "ab")

    def weight(self, name: str, *shape: int) -> Value:
        numbers = 0.5 + np.random.default_rng(len(self.model.tensors)).random(shape, np.float32)
        self.model.tensors[name] = Tensor(Value(name, shape), lambda: numbers, is_weight=True)
        return self.model.tensors[name].value

    def conv(self, path: str, x: Value) -> Value:
        w = self.weight(f"{path}.weight", C, x.inner[0], 3, 3)
        return self.op(path, "Conv", x, w, pads=(1,) * 4, dims=(BATCH, C, *x.inner[1:]))

    def op(self, path: str, op: str, *inputs: Value | None, **given: Any) -> Value:
        with self.g.layer(path, ""):
            return self.g.op(op, *inputs, **given)

    def ints(self, *numbers: int) -> Value:
        with self.g.layer("constant", ""):
            return self.g.ints("ints", numbers)

    def agrees(self, *outputs: Value) -> Counter[str]:
        """The outputs are the same in blocks; how often there is each of the runtime's own."""
        self.model.outputs.extend(outputs)
        self.model.verify()
        return agree(self.model, "Conv", "ReorderOutput")


# ── shapes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("axis", [2, 3, -1, 1])
def test_a_slice(axis: int) -> None:
    m = Graph()
    dims = list(MAPS)
    dims[axis] = 3
    limits = (m.ints(1), m.ints(4), m.ints(axis))
    m.agrees(m.op("y", "Slice", m.a, *limits, dims=tuple(dims)))


def test_slices_with_less_and_more_said() -> None:
    m = Graph()
    corner, far = m.ints(0, 0, 1, 1), m.ints(*(99,) * 4)
    half = m.ints(1, 1, 1, 2)
    back = (m.ints(-1), m.ints(-99), m.ints(3), m.ints(-1))
    axes = m.op("axes", "Identity", m.ints(3), dtype="int64")
    m.agrees(
        m.op("back", "Slice", m.a, *back, dims=MAPS),
        m.op("example", "Slice", m.a, m.ints(0), m.ints(1), m.ints(0), dims=(1, C, H, W)),
        m.op("unsaid", "Slice", m.a, corner, far, dims=(BATCH, C, H - 1, W - 1)),
        m.op("steps", "Slice", m.a, corner, far, None, half, dims=(BATCH, C, H - 1, W // 2)),
        m.op("made", "Slice", m.a, m.ints(1), m.ints(4), axes, dims=(BATCH, C, H, 3)),
    )


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_padding(mode: str) -> None:
    m = Graph()
    wide, less = m.ints(0, 0, 1, 2, 0, 0, 0, 3), m.ints(0, 0, 1, -2, 0, 0, 0, 3)
    channels = m.ints(0, 3, 0, 0, 0, B - 3, 0, 0)
    m.agrees(
        m.op("wide", "Pad", m.a, wide, dims=(BATCH, C, H + 1, W + 5), mode=mode),
        m.op("less", "Pad", m.a, less, dims=(BATCH, C, H + 1, W + 1), mode=mode),
        m.op("channels", "Pad", m.a, channels, dims=(BATCH, C + B, H, W), mode=mode),
    )


def test_padding_along_axes() -> None:
    m = Graph(18)
    sizes, axes = m.ints(0, 0, 1, 2), m.ints(2, 3)
    m.agrees(
        m.op("y", "Pad", m.a, m.ints(1, 1), None, m.ints(3), dims=(BATCH, C, H, W + 2)),
        m.op("z", "Pad", m.b, sizes, None, axes, dims=(BATCH, C, H + 1, W + 2)),
    )


def parts(m: Graph, sizes: Sequence[int], axis: int, *given: Value, **said: int) -> list[Value]:
    dims = [[*MAPS] for _ in sizes]
    for shape, n in zip(dims, sizes, strict=True):
        shape[axis] = n
    results: list[tuple[str, Dims, Any]] = [
        (f"part{k}", tuple(shape), "float") for k, shape in enumerate(dims)
    ]
    with m.g.layer("split", ""):
        return list(m.g.ops("Split", m.a, *given, results=results, axis=axis, **said))


@pytest.mark.parametrize(
    ("sizes", "axis"), [((B, B), 1), ((B + 4, B - 4), 1), ((3, 5), -1), ((4, 5), 2)]
)
def test_a_split(sizes: tuple[int, int], axis: int) -> None:
    m = Graph()
    first, second = parts(m, sizes, axis, m.ints(*sizes))
    m.agrees(first, m.op("y", "Tanh", second))


def test_splits_without_sizes() -> None:
    m = Graph()
    m.agrees(*parts(m, (B, B), 1))
    m = Graph(18)
    m.agrees(*parts(m, (5, 4), 2, num_outputs=2))


def test_joining_constants() -> None:
    m = Graph()
    one, other = m.weight("one", 1, B, H, W), m.weight("other", 1, C, H, W)
    joined = m.op("joined", "Concat", one, one, dims=(1, C, H, W), axis=1)
    total = m.op("total", "Add", m.a, joined)
    both = m.op("both", "Concat", m.a, total, dims=(BATCH, 2 * C, H, W), axis=-3)
    examples = m.op("examples", "Concat", other, m.a, dims=("more", C, H, W), axis=0)
    m.agrees(joined, both, examples)


def test_other_ranks() -> None:
    m = Graph()
    line = m.op("line", "Reshape", m.a, m.ints(0, 0, -1), dims=(BATCH, C, H * W))
    bent = m.op("bent", "Tanh", line)
    volume = m.op("volume", "Reshape", bent, m.ints(0, 0, 3, 3, W), dims=(BATCH, C, 3, 3, W))
    m.agrees(
        m.op("last", "Transpose", bent, dims=(BATCH, H * W, C), perm=(0, 2, 1)),
        m.op("deep", "Transpose", volume, dims=(BATCH, 3, 3, W, C), perm=(0, 2, 3, 4, 1)),
        m.op("turned", "Transpose", m.a, dims=(BATCH, C, W, H), perm=(0, 1, 3, 2)),
        m.op("reversed", "Transpose", bent, dims=(H * W, C, BATCH)),
        m.op("joined", "Concat", bent, line, dims=(BATCH, 2 * C, H * W), axis=1),
        m.op("longer", "Concat", volume, volume, dims=(BATCH, C, 3, 6, W), axis=3),
        m.op("halved", "Mul", volume, m.weight("half", 1, 1, 1, 1, 1)),
    )


# ── windows ────────────────────────────────────────────────────────────────────────────────────


def test_convolutions_with_less_and_more_said() -> None:
    m = Graph()
    small, wide = m.weight("small", C, C, 1, 1), m.weight("wide", C, C, 3, 3)
    m.agrees(
        m.op("small", "Conv", m.a, small),
        m.op("wide", "ConvTranspose", m.a, wide, dims=(BATCH, C, H + 2, W + 2)),
        m.op("same", "Conv", m.a, wide, auto_pad="SAME_UPPER"),
        m.op("sized", "ConvTranspose", m.b, wide, output_shape=(H, W)),
    )


def test_kernels_that_are_worked_out() -> None:
    m = Graph()
    kernels = m.op("kernels", "Identity", m.weight("w", C, C, 3, 3))
    m.agrees(m.op("y", "Conv", m.a, m.op("bent", "Relu", kernels), pads=(1,) * 4))


@pytest.mark.parametrize("said", [{"auto_pad": "SAME_UPPER", "strides": (2, 2)}, {}])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pools(op: str, said: dict[str, Any]) -> None:
    m = Graph()
    dims = (BATCH, C, 5, 4) if said else (BATCH, C, H - 1, W - 1)
    m.agrees(m.op("y", op, m.a, dims=dims, kernel_shape=(2, 2), **said))


@pytest.mark.parametrize(("op", "opset"), [("MaxPool", 17), ("AveragePool", 19)])
def test_pools_of_distant_places(op: str, opset: int) -> None:
    m = Graph(opset)
    dims = (BATCH, C, H - 4, W - 4)
    m.agrees(m.op("y", op, m.a, dims=dims, kernel_shape=(3, 3), dilations=(2, 2)))


@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"])
@pytest.mark.parametrize("opset", [13, 18])
def test_reductions(op: str, opset: int) -> None:
    m, made = Graph(opset), list[Value]()
    for axes in ((2, 3), (0, 2, 3), (-1, -2), (3, 2), (1,), (3,)):
        there = [axis % 4 for axis in axes]
        for keeps in (0, 1):
            dims = [1 if a in there else n for a, n in enumerate(MAPS) if keeps or a not in there]
            with m.g.layer(f"{axes}{keeps}", ""):
                made.append(m.g.reduce(op, m.a, axes, dims=tuple(dims), keepdims=keeps))
    m.agrees(*made, m.op("all", op, m.a, dims=(1, 1, 1, 1)))


# ── number by number ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"])
def test_with_a_constant(op: str) -> None:
    m, made = Graph(), list[Value]()
    x = m.op("x1", "Add", m.op("x0", "Sigmoid", m.a), m.weight("some"))
    shapes = ((C, 1, 1), (1, C, 1, 1), (1, 1, 1), (1,), (), (W,), (H, 1), (C, H, W), (1, C, H, W))
    for shape in shapes:
        k = m.weight(f"k{shape}", *shape)
        made.append(m.op(f"y{shape}", op, x, k, dims=MAPS))
        made.append(m.op(f"z{shape}", op, k, x, dims=MAPS))
    m.agrees(*made)


def test_of_one_and_of_three() -> None:
    m = Graph()
    one, each = m.weight("one", 1), m.weight("each", C, 1, 1)
    m.agrees(
        m.op("alone", "Max", m.a),
        m.op("with_one", "Max", m.a, m.b, one),
        m.op("with_each", "Min", m.a, m.b, each),
        m.op("twice", "Add", m.a, m.a),
        m.op("nothing", "Clip", m.a),
        m.op("above", "Clip", m.a, None, m.weight("high")),
        m.op("below", "Clip", m.b, m.weight("low")),
    )


# ── with the convolution ───────────────────────────────────────────────────────────────────────


def test_what_is_seen_elsewhere_is_not_done_twice() -> None:
    m = Graph()
    bent = m.op("bent", "Relu", m.a)
    total = m.op("total", "Add", m.conv("c", bent), m.b)
    assert m.agrees(m.a, bent, total)["Conv"] == 3


def test_a_sum_behind_a_rectifier() -> None:
    m = Graph()
    m.agrees(m.op("y", "Add", m.op("bent", "Relu", m.a), m.op("other", "Tanh", m.b)))


def test_sums_and_rectifiers_one_after_the_other() -> None:
    m = Graph()
    total = m.op("total", "Add", m.a, m.b)
    more = m.op("more", "Relu", m.op("again", "Add", total, m.conv("c", m.model.inputs[0])))
    twice = m.op("twice", "Relu", more)
    m.agrees(m.op("y", "Add", twice, m.conv("d", m.model.inputs[0])))


def test_a_normalisation_that_has_a_sum_behind_it() -> None:
    m = Graph()
    row = [m.weight(name, C) for name in ("scale", "bias", "mean", "var")]
    y = m.op("normal", "BatchNormalization", m.a, *row, epsilon=1e-3)
    m.agrees(m.op("y", "Relu", m.op("total", "Add", m.b, y)))


# ── names ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("part", ["blocked", "kernels", "flat_kernels", "shape"])
def test_a_value_that_is_called_like_a_part_of_another(part: str) -> None:
    m = Graph()
    with m.g.layer("c", ""):
        early = m.g.op("Sigmoid", m.a, part=part)
    made = m.conv("c", early)
    with m.g.layer("c", ""):
        late = m.g.op("Tanh", early, part=f"{part}/{part}")
    m.agrees(made, late, m.op("y", "Softmax", early, axis=1))


def test_a_value_that_is_called_like_a_part_of_a_normalisation() -> None:
    model = Model("names", 17, [Value("x", (BATCH, 4, 3, 3))])
    g = Builder(model)
    with g.layer("scale", ""):
        row = g.floats("row", (1, 2, 3, 4))
    results: list[tuple[str, Dims, Any]] = [("", (BATCH, 4, 3, 3), "float")]
    results += [(name, (4,), "float") for name in ("mean", "var")]
    said = {"training_mode": 1, "momentum": 0.0, "epsilon": 1e-5}
    with g.layer("bn", ""):
        made = g.ops("BatchNormalization", model.inputs[0], *[row] * 4, results=results, **said)
        model.outputs += [*made, *(g.op("Neg", made[0], part=p) for p in ("around", "scaled"))]
    found, wanted = told(spell_out(model)), told(model)
    for name, y in wanted.items():
        np.testing.assert_allclose(found[name], y, rtol=1e-4, atol=1e-5, err_msg=name)


PUT: tuple[Callable[[Model], Model], ...] = (blocked, spell_out)


@pytest.mark.parametrize("put", PUT)
def test_what_is_given_stays_as_it_was(put: Callable[[Model], Model]) -> None:
    m = Graph()
    m.model.outputs.append(m.op("y", "Relu", m.a))
    before = [*m.model.nodes], dict(m.model.tensors), dict(m.model.values)
    put(m.model)
    assert before == (m.model.nodes, m.model.tensors, m.model.values)
