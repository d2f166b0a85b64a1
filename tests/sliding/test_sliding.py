"""Are the exercises right: the lectures' numbers by hand, any window against ONNX Runtime?"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cnnspec.api import loads
from cnnspec.layers.window import window
from cnnspec.run.filtering import filtered
from cnnspec.sliding.examples import EXAMPLES, example
from cnnspec.sliding.kernels import DOCS, SAME, Kernel, kernel, named, written
from cnnspec.sliding.matrix import is_written, planes
from cnnspec.sliding.numbers import is_whole_truth, number, show
from cnnspec.sliding.sentences import sentences
from cnnspec.sliding.slide import Operation, Slide


def slide(
    operation: Operation,
    x: Sequence[Any],
    k: Kernel,
    *,
    stride: Any = 1,
    pad: Any = 0,
    dilation: Any = 1,
    bias: int = 0,
) -> Slide:
    shape = (len(x), len(x[0]), len(x[0][0]))
    w = window("conv", shape, k.size, stride, pad, dilation)
    names = [f"channel {i}" for i in range(1, len(x) + 1)]
    return Slide(operation, lambda c, i, j: x[c][i][j], names, w, k, bias)


def pool(operation: Operation, x: Any, size: int, stride: int, pad: int = 0) -> Slide:
    return slide(operation, [x], Kernel("", [[[1] * size] * size]), stride=stride, pad=pad)


# ── worked examples of the lectures' slides, their slips put right ─────────────────────────────


def test_the_lectures_sharpened_picture() -> None:
    x = planes(
        "60 113 56 139 85; 73 121 54 84 128; 131 99 70 129 127; 80 57 115 69 134; "
        "104 126 123 95 130"
    )
    found = slide("correlation", x, kernel("sharpen"), pad=1)
    assert found.output() == [
        [114, 328, -26, 470, 158],
        [53, 266, -61, -30, 344],
        [403, 116, -47, 295, 244],
        [108, -135, 256, -128, 344],
        [314, 346, 279, 153, 421],
    ]
    (said,) = sentences(found, found.step(0, 0))
    assert said == ("0·0 + 0·(-1) + 0·0 + 0·(-1) + 60·5 + 113·(-1) + 0·0 + 73·(-1) + 121·0 = 114")


def test_the_lectures_position_in_three_colours() -> None:
    x = planes(
        "0 0 0; 0 156 155; 0 153 154 | 0 0 0; 0 167 166; 0 164 165|0 0 0;0 163 162;0 160 161"
    )
    k = kernel("-1 -1 1; 0 1 -1; 0 1 1 | 1 0 0; 1 -1 -1; 1 0 -1 | 0 1 1; 0 1 0; 1 -1 1")
    found = slide("correlation", x, k, bias=1)
    step = found.step(0, 0)
    assert [p.total for p in step.parts] == [308, -498, 164]
    assert step.total == -25
    assert sentences(found, step)[-1] == "together: 308 - 498 + 164 + bias 1 = -25"


# The slide turns its kernels: what comes out is convolution proper.
MAPS = planes(
    "6 3 4 6 2; 7 4 4 6 1; 2 6 2 2 7; 4 3 7 7 2; 5 4 1 7 3 |"
    "5 5 1 7 3; 4 0 3 1 5; 4 3 0 0 2; 2 6 1 7 3; 3 7 6 5 5 |"
    "6 5 2 3 6; 3 7 0 2 4; 2 6 4 0 6; 1 3 0 3 5; 1 1 0 1 4"
)
FILTER = "-1 1 1; 1 1 2; 0 -2 1 | -1 1 -1; -1 1 2; -1 -1 1 | -1 -1 1; 1 -2 2; 2 -1 2"
ANSWER = [
    [0, 34, 39, 23, 35],
    [-12, 27, 48, 7, 28],
    [-2, 20, 28, 28, 5],
    [-1, 27, 41, 39, 17],
    [-6, 15, 34, 18, 35],
]


def test_the_lectures_filter_of_three_channels_is_turned() -> None:
    assert slide("convolution", MAPS, kernel(FILTER), pad=1, bias=1).output() == ANSWER
    turned = kernel(FILTER).turned()
    assert slide("correlation", MAPS, turned, pad=1, bias=1).output() == ANSWER
    assert slide("correlation", MAPS, kernel(FILTER), pad=1, bias=1).output() != ANSWER


def test_the_lectures_second_filter() -> None:
    k = kernel("-1 -2 1; 1 1 2; -2 2 2 | -2 -2 -2; -2 1 0; 0 -2 0 | 0 -2 0; 2 -1 -1; -2 1 -2")
    assert slide("convolution", MAPS, k, pad=1).output() == [
        [-24, -18, -16, -7, -8],
        [-10, -43, -12, -12, -6],
        [-26, -3, -60, -10, -16],
        [-60, -20, -27, -45, 4],
        [-8, -3, 5, 17, 28],
    ]


def test_the_lectures_pool() -> None:
    (x,) = planes("2 2 2 0; 2 5 2 1; 2 2 2 0; 0 1 0 0")
    assert pool("max", x, 2, 2).output() == [[5, 2], [2, 2]]
    assert pool("avg", x, 2, 2).output() == [
        [Fraction(11, 4), Fraction(5, 4)],
        [Fraction(5, 4), Fraction(1, 2)],
    ]


@pytest.mark.parametrize(
    ("n", "k", "pad", "stride", "out"),
    [(7, 3, 0, 1, 5), (7, 3, 0, 2, 3), (7, 3, 1, 1, 7), (32, 5, 0, 1, 28)],
)
def test_the_lectures_sizes(n: int, k: int, pad: int, stride: int, out: int) -> None:
    ones = Kernel("", [[[1] * k] * k])
    assert slide("correlation", [[[1] * n] * n], ones, pad=pad, stride=stride).out == (out, out)


def test_an_impulse_shows_what_is_turned() -> None:
    k = kernel("1 2 3; 4 5 6; 7 8 9")
    x = example("impulse")
    middle = [row[1:4] for row in slide("convolution", x, k, pad=1).output()[1:4]]
    assert middle == k.planes[0]
    other = [row[1:4] for row in slide("correlation", x, k, pad=1).output()[1:4]]
    assert other == k.turned().planes[0]


# ── against ONNX Runtime, through a network of one layer ───────────────────────────────────────


def compiled(layer: str, x: np.ndarray, weights: dict[str, np.ndarray] | None = None) -> np.ndarray:
    size = "x".join(map(str, x.shape))
    net = loads(f"network One {{\n  input {size}\n  {layer}\n}}\n")
    made = net.compile(weights=weights) if weights else net.compile()
    (y,) = made.run(x[None].astype(np.float32)).values()
    return np.asarray(y)[0, 0]


CASES = [
    # channels, height, width, kernel, stride, pad, dilation
    (1, 7, 7, (3, 3), (1, 1), "valid", (1, 1)),
    (1, 8, 9, (3, 3), (2, 2), 1, (1, 1)),
    (1, 9, 8, (2, 3), (2, 1), "same", (1, 1)),
    (3, 9, 11, (3, 3), (1, 2), (2, 1), (2, 3)),
    (2, 6, 6, (4, 2), (3, 2), "same", (1, 1)),
    (1, 5, 5, (5, 5), (1, 1), 2, (1, 1)),
]


def show_pad(pad: Any) -> str:
    return f"({pad[0]}, {pad[1]})" if isinstance(pad, tuple) else str(pad)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("operation", ["correlation", "convolution"])
def test_a_network_of_one_layer_gives_the_same(operation: Operation, case: Any) -> None:
    c, h, w, size, stride, pad, dilation = case
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 10, (c, h, w))
    weights = rng.integers(-5, 6, (c, *size))
    found = slide(
        operation,
        x.tolist(),
        Kernel("", weights.tolist()),
        stride=stride,
        pad=pad,
        dilation=dilation,
        bias=4,
    )
    laid = weights[:, ::-1, ::-1] if operation == "convolution" else weights
    layer = (
        f"conv 1 {size[0]}x{size[1]} stride={stride[0]}x{stride[1]} pad={show_pad(pad)} "
        f"dilation={dilation[0]}x{dilation[1]} as k"
    )
    by_runtime = compiled(layer, x, {"k.weight": laid[None], "k.bias": np.array([4])})
    # Whole numbers this small are exact in single precision.
    assert np.array_equal(np.array(found.output(), float), by_runtime)
    at_once = filtered(x.astype(float), operation, found.window, laid.astype(float).tolist(), 1, 4)
    assert np.array_equal(at_once, by_runtime)


@pytest.mark.parametrize("kind", ["max", "avg"])
@pytest.mark.parametrize(("size", "stride", "pad"), [(2, 2, 0), (3, 2, 1), (3, 1, 2), (2, 3, 1)])
def test_pools_are_those_of_the_language(kind: Operation, size: int, stride: int, pad: int) -> None:
    x = np.random.default_rng(5).integers(-20, 20, (1, 9, 10))
    layer = f"{kind}pool {size}x{size} stride={stride} pad={pad}"
    by_runtime = compiled(layer, x)
    found = pool(kind, x[0].tolist(), size, stride, pad)
    assert np.allclose(np.array(found.output(), float), by_runtime, rtol=1e-6)
    at_once = filtered(x.astype(float), kind, found.window, [[[1.0] * size] * size])
    assert np.allclose(at_once, by_runtime, rtol=1e-6)


def test_strips_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(7).integers(0, 255, (2, 40, 33)).astype(float)
    k = np.random.default_rng(8).integers(-3, 4, (2, 5, 4)).astype(float).tolist()
    w = window("conv", x.shape, (5, 4), (3, 1), (7, 2), 2)
    whole = filtered(x, "correlation", w, k, 3, 1)
    largest = filtered(x[:1], "max", window("maxpool", (1, 40, 33), 5, 2, 2), k)
    monkeypatch.setattr("cnnspec.run.filtering.CELLS", 50)
    assert np.array_equal(filtered(x, "correlation", w, k, 3, 1), whole)
    again = filtered(x[:1], "max", window("maxpool", (1, 40, 33), 5, 2, 2), k)
    assert np.array_equal(again, largest)


# ── numbers, matrices, kernels ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", Fraction(-1, 2)),
        ("1/9", Fraction(1, 9)),
        (".5e1", 5),
        ("−2", -2),
        ("4/2", 2),
    ],
)
def test_numbers_are_exact(text: str, value: Fraction | int) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "`x` is no number"),
        ("nan", "`nan` is no number to count with"),
        ("-Inf", "`-Inf` is no number to count with"),
        ("1/0", "`1/0` divides by zero"),
        ("1/x", "`1/x` is no fraction such as 1/9"),
        ("1e99", "`1e99` is too large"),
        ("1e-99", "`1e-99` is too small"),
        ("1e999999999", "`1e999999999` is no number"),
        ("9" * 41, f"`{'9' * 40}…` is no number of at most 40 letters"),
        ("", "`` is no number"),
        ("٣", "`٣` is no number"),
    ],
)
def test_what_is_no_number(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        number(text)


@pytest.mark.parametrize(
    ("value", "text", "is_true"),
    [
        (12, "12", True),
        (Fraction(5, 2), "2.5", True),
        (Fraction(1, 9), "0.1111", False),
        (Fraction(-2, 3), "-0.6667", False),
        (Fraction(1, 30000), "3.333e-05", False),
        (Fraction(3, 3), "1", True),
        (10**15, "1e+15", True),
    ],
)
def test_numbers_are_shown(value: Any, text: str, is_true: bool) -> None:
    assert (show(value), is_whole_truth(value)) == (text, is_true)


@pytest.mark.parametrize(
    "text",
    ["1 2; 3 4", "1,2\n3,4\n", "1, 2;3, 4;", "[[1, 2], [3, 4]]", "[[1 2]\n [3 4]]", "1\t2\n\n3\t4"],
)
def test_ways_to_write_a_matrix(text: str) -> None:
    assert planes(text) == [[[1, 2], [3, 4]]]
    assert is_written(text)


def test_channels() -> None:
    two = [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert planes("1 2; 3 4 | 5 6; 7 8") == two
    assert planes("[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]") == two


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'it is empty; a matrix is written as "1 2 3; 4 5 6"'),
        ("1 2; 3", "row 2 has 1 number, row 1 has 2; all rows of a matrix have as many"),
        ("1 2; 3 x", "row 2, column 2: `x` is no number"),
        ("1,,2", "row 1, column 2: there is no number between the commas"),
        ("1 2 | 3", "channel 2 is 1x1, channel 1 is 1x2"),
        ("1 2 |", "channel 2, there is no number"),
    ],
)
def test_what_is_no_matrix(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        planes(text)


def test_names_are_no_matrices() -> None:
    assert not [name for name in (*DOCS, *SAME, *EXAMPLES) if is_written(name)]


def test_kernels_by_name() -> None:
    assert {k.name for k in named()} == set(DOCS)
    for k in named():
        assert DOCS[k.name]
        assert all(len(row) == k.size[1] for row in k.planes[0])
        again = kernel(written(k))
        assert (again.planes, again.divisor) == (k.planes, k.divisor)
    totals = {k.name: k.total for k in named()}
    keep = {"identity", "shift", "box", "gauss", "gauss5", "sharpen", "emboss"}
    assert {name for name, total in totals.items() if total == 1} == keep
    assert {name for name, total in totals.items() if total == 0} == set(DOCS) - keep
    assert all(kernel(other).name == name for other, name in SAME.items())
    for name in EXAMPLES:
        assert example(name)


@pytest.mark.parametrize(
    "text", ["1/9 1/9; 2/9 1/9", "(1 1; 2 1)/9", "1/9 * [1 1; 2 1]", "[[1,1],[2,1]]/9"]
)
def test_ninths(text: str) -> None:
    k = kernel(text)
    assert (k.planes, k.divisor) == ([[[1, 1], [2, 1]]], 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sobelx", "no kernel is called `sobelx`; did you mean `sobel-x`?"),
        ("frobnicate", "no kernel is called `frobnicate`; --list shows those that have one"),
        ("1 2; 3", "the kernel: row 2 has 1 number"),
        ("(1 2)/0", "the kernel: `/0` divides by zero"),
        ("0/1 * (1 2)", "the kernel: `0/1` makes all of it zero"),
    ],
)
def test_what_is_no_kernel(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        kernel(text)


def test_sums_are_divided_and_said_to_be_rounded() -> None:
    found = slide("correlation", planes("1 2; 3 5"), kernel("(1 1; 1 1)/3"), bias=-1)
    assert sentences(found, found.step(0, 0)) == [
        "(1·1 + 2·1 + 3·1 + 5·1)/3 - bias 1 = 11/3 - bias 1 ≈ 2.6667"
    ]
    assert found.output() == [[Fraction(8, 3)]]
