"""Do compiled networks give the numbers that lectures print, and LeNet-5 those of its paper's sums?

A lecture's convolution turns its kernels by 180 degrees before they slide; `conv` does not, so it
is given them turned already. All these numbers are whole and small: single precision is exact.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnspec.emit.compile import compile_graph, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.layers.codes import CODES
from cnnspec.onnxir.proto import to_proto
from emit import witnesses as by
from emit.witnesses import Array
from nets import build, build_file

LECTURES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "lectures.json").read_text(encoding="utf-8")
)

TRUE = LECTURES["conv2d_two_filters"]


def answer(body: str, x: Any, **weights: Any) -> Array:
    """What one example becomes; weights are those of the layer called `it`."""
    graph = build(f"network {{\n  input {'x'.join(map(str, np.shape(x)))}\n  {body}\n}}")
    given = {
        f"it.{name}": partial(np.asarray, numbers, np.float32) for name, numbers in weights.items()
    }
    assert set(given) == set(wanted_weights(graph))
    proto = to_proto(compile_graph(graph, Options(), given))
    (y,) = by.run(proto, {"input": np.array([x], np.float32)})
    return y[0]


def turned(kernels: Any) -> Array:
    return np.asarray(kernels)[..., ::-1, ::-1]


def test_a_convolution_of_two_filters() -> None:
    kernels, bias = turned(TRUE["kernels"]), TRUE["bias"]
    y = answer("conv 2 3x3 pad=1 as it", TRUE["input"], weight=kernels, bias=bias)
    np.testing.assert_array_equal(y, TRUE["output"])
    assert y[0, 2, 3] == 28, "where the slide has 48"
    y = answer("conv 2 3x3 pad=1 as it -> relu", TRUE["input"], weight=kernels, bias=bias)
    np.testing.assert_array_equal(y, TRUE["output_relu"])


def test_what_each_channel_adds_to_it() -> None:
    # In groups each output map sees one input map; here first map 1 by both kernels, then map 2, …
    kernels = turned(TRUE["kernels"]).swapaxes(0, 1).reshape(6, 1, 3, 3)
    y = answer("conv 6 3x3 pad=1 groups=3 bias=no as it", TRUE["input"], weight=kernels)
    sums = np.asarray(TRUE["per_channel_sums"]).swapaxes(0, 1).reshape(6, 5, 5)
    np.testing.assert_array_equal(y, sums)


def test_kernels_are_not_turned() -> None:
    y = answer("conv 2 3x3 pad=1 as it", TRUE["input"], weight=TRUE["kernels"], bias=TRUE["bias"])
    assert not np.array_equal(y, TRUE["output"])


def test_sharpening() -> None:
    given = LECTURES["sharpen_pad1"]
    (y,) = answer("conv 1 3x3 pad=1 bias=no as it", [given["input"]], weight=[[given["kernel"]]])
    assert y[0, 0] == given["first_output_on_slide"]
    np.testing.assert_array_equal(y, given["output"])


def test_one_place_of_a_colour_image() -> None:
    given = LECTURES["rgb_one_position"]
    patch, kernels = given["padded_patch"], given["kernels"]
    y = answer("conv 1 3x3 as it", patch, weight=[kernels], bias=[given["bias"]])
    assert y.reshape(-1).tolist() == [given["output"]]
    each = np.asarray(kernels)[:, None]
    y = answer("conv 3 3x3 groups=3 bias=no as it", patch, weight=each)
    assert y.reshape(-1).tolist() == given["per_channel_sums"]


def test_pooling() -> None:
    given = LECTURES["maxpool_2x2"]
    (y,) = answer("maxpool 2x2", [given["input"]])
    np.testing.assert_array_equal(y, given["output"])


@pytest.mark.parametrize(
    "given", LECTURES["output_sizes"], ids=lambda g: "-".join(map(str, g.values()))
)
def test_sizes(given: dict[str, int]) -> None:
    n, kernel, stride = given["input"], given["kernel"], given["stride"]
    body = f"conv 1 {kernel}x{kernel} pad={given['pad']} stride={stride} bias=no as it"
    y = answer(body, np.ones((1, n, n)), weight=np.ones((1, 1, kernel, kernel)))
    assert y.shape == (1, given["output"], given["output"])


def test_softmax() -> None:
    given = LECTURES["softmax"]
    y = answer("exp -> reduce sum", given["logits"])
    assert y[0] == pytest.approx(given["exp_sum"], abs=given["tolerance"])
    y = answer("softmax", given["logits"])
    # As printed, to four digits.
    assert y.tolist() == pytest.approx(given["probabilities"], abs=given["tolerance"])
    assert y.sum() == pytest.approx(1)


# ── LeNet-5 of 1998 ────────────────────────────────────────────────────────────────────────────


def test_lenet5_of_1998() -> None:
    """Its trained subsampling, its table of connections and its output of distances."""
    graph = build_file("specs/lenet5_1998.cnn")
    # A spread that keeps the tangents away from their ends, so that every layer is felt.
    random = np.random.default_rng(5)
    weights = {
        name: random.normal(0, 0.2, shape).astype(np.float32)
        for name, shape in wanted_weights(graph).items()
        if name != "output.codes"
    }
    x = random.normal(size=(2, 1, 32, 32)).astype(np.float32)
    given = {name: partial(np.asarray, w) for name, w in weights.items()}
    options = Options(outputs=("S2", "C3", "S4"))
    y, s2, c3, s4 = by.run(to_proto(compile_graph(graph, options, given)), {"input": x})
    assert y.shape == (2, 10)

    doubles = {name: np.asarray(w, np.float64) for name, w in weights.items()}
    found = lenet(x.astype(np.float64), doubles)
    # Seven layers of single precision; each sum is of at most 400 products.
    for name, z in (("S2", s2), ("C3", c3), ("S4", s4), ("output", y)):
        assert by.apart(found[name], z) < 1e-5, name


TABLE_1 = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""
"""Table I of the paper: a row for each map of S2, a column for each map of C3 that reads it."""


def table() -> list[list[int]]:
    rows = [line.split() for line in TABLE_1.split("\n") if line.strip()]
    return [[i for i, row in enumerate(rows) if row[o] == "X"] for o in range(16)]


def test_table_1_is_in_the_spec() -> None:
    graph = build_file("specs/lenet5_1998.cnn")
    c3 = graph.find("C3")
    assert c3 is not None
    connect = c3.layer.value("connect")
    assert connect == tuple(map(tuple, table()))


def lenet(x: Array, w: dict[str, Array]) -> dict[str, Array]:
    """Its values by loops, with a dense kernel for each map of C3, zero where nothing is read."""

    def conv(name: str, x: Array, weight: Array | None = None) -> Array:
        kernels = w[f"{name}.weight"] if weight is None else weight
        return by.conv()([x], {"weight": kernels, "bias": w[f"{name}.bias"]})

    def subsampling(name: str, x: Array) -> Array:
        sums = sum(x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1))
        column = {k: w[f"{name}.{k}"].reshape(-1, 1, 1) for k in ("coefficient", "bias")}
        return sums * column["coefficient"] + column["bias"]

    def squash(x: Array) -> Array:
        return 1.7159 * np.tanh(2 / 3 * x)

    full = np.zeros((16, 6, 5, 5))
    pairs = [(o, i) for o, row in enumerate(table()) for i in row]
    for kernel, (o, i) in zip(w["C3.weight"], pairs, strict=True):
        full[o, i] = kernel
    s2 = subsampling("S2", squash(conv("C1", x)))
    c3 = conv("C3", squash(s2), full)
    s4 = subsampling("S4", squash(c3))
    c5 = squash(conv("C5", squash(s4))).reshape(len(x), -1)
    f6 = squash(c5 @ w["F6.weight"].T + w["F6.bias"])
    y = ((f6[:, None] - np.asarray(CODES)) ** 2).sum(2)
    return {"S2": s2, "C3": c3, "S4": s4, "output": y}
