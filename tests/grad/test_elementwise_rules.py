"""Are the gradients of operators that go number by number right?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from cnnspec.grad.rules import elementwise
from grad.check import Array, apart, check_rule, distinct, positive

A, B = apart((2, 3, 4), seed=1), apart((2, 3, 4), seed=2)
ROW, COLUMN = apart((4,), seed=3), apart((3, 1), seed=4)
SOME = positive((2, 3, 4))

X = apart((2, 3, 4), (-3, -1, 0, 1, 3), seed=5) * 2.5
"""From -5 to 5, off the kinks of the activations at 0, ±2.5 and ±3."""

Options = Mapping[str, Any]


def number(x: float) -> Array:
    return np.array(x, np.float32)


Case = tuple[str, list[Array | None], Options, Options]

PAIRS: list[list[Array | None]] = [
    [A, B],
    [A, ROW],
    [COLUMN, A],
    [ROW, COLUMN],
    [A, number(0.5)],
    [A[:1], B],
]

CASES: list[Case] = [
    *[(op, inputs, {}, {}) for op in ("Add", "Sub", "Mul") for inputs in PAIRS],
    ("Div", [A, SOME], {}, {}),
    ("Div", [A, positive((3, 1))], {}, {}),
    ("Div", [ROW, SOME], {}, {}),
    ("Sum", [A], {}, {}),
    ("Sum", [A, ROW, COLUMN, B], {}, {}),
    ("Mean", [A], {}, {}),
    ("Mean", [A, ROW, B], {}, {}),
    ("Max", [distinct((2, 3, 4))], {}, {}),
    ("Max", [distinct((3, 4), 1), distinct((3, 4), 2) + 0.05, distinct((3, 4), 3) + 0.11], {}, {}),
    ("Max", [distinct((3, 4), 1), distinct((4,), 2) + 0.05], {}, {}),
    ("Min", [distinct((3, 1), 1), distinct((2, 1, 4), 2) + 0.05], {}, {}),
    ("Pow", [SOME, number(0.75)], {}, {"by": [0]}),
    ("Pow", [A, number(3)], {}, {"by": [0]}),
    ("Pow", [A, number(2)], {}, {"by": [0]}),
    ("Pow", [SOME, number(-0.5)], {}, {"by": [0]}),
    ("Neg", [A], {}, {}),
    ("Abs", [A], {}, {}),
    ("Sqrt", [SOME], {}, {}),
    ("Exp", [A], {}, {}),
    ("Log", [SOME], {}, {}),
    ("Erf", [A], {}, {}),
    ("Clip", [apart((2, 9), (-1, 1)), number(-1), number(1)], {}, {"by": [0]}),
    ("Clip", [apart((2, 9), (-1, 1)), None, number(1)], {}, {"by": [0]}),
    ("Clip", [apart((2, 9), (-1, 1)), number(-1)], {}, {"by": [0]}),
    ("Clip", [A], {}, {}),
    ("Cast", [A], {"to": 1}, {}),
    ("Identity", [A], {}, {}),
    ("Relu", [X], {}, {}),
    ("LeakyRelu", [X], {}, {}),
    ("LeakyRelu", [X], {"alpha": 0.3}, {}),
    ("LeakyRelu", [X], {"alpha": 1.5}, {}),
    ("PRelu", [A, ROW], {}, {}),
    ("PRelu", [A, COLUMN], {}, {}),
    ("PRelu", [A, number(0.25)], {}, {}),
    ("Elu", [X], {}, {}),
    ("Elu", [X], {"alpha": 0.5}, {}),
    ("Selu", [X], {}, {}),
    ("Selu", [X], {"alpha": 1.5, "gamma": 1.25}, {}),
    ("Sigmoid", [X], {}, {}),
    ("Tanh", [X], {}, {}),
    ("Softplus", [X], {}, {}),
    ("HardSigmoid", [X], {}, {}),
    ("HardSigmoid", [X], {"alpha": 1 / 6, "beta": 0.5}, {}),
    ("HardSwish", [X], {}, {}),
    ("Mish", [X], {}, {"opset": 18}),
    ("Gelu", [X], {}, {"opset": 20, "dtype": "float"}),
    ("Gelu", [X], {"approximate": "tanh"}, {"opset": 20}),
]


def title(case: Case) -> str:
    op, inputs, attributes, _ = case
    shapes = ["none" if x is None else "x".join(map(str, x.shape)) or f"{x:g}" for x in inputs]
    return f"{op} {' '.join(shapes)} {' '.join(map(str, attributes.values()))}".strip()


@pytest.mark.parametrize("case", CASES, ids=title)
def test_the_rule_says_what_differences_say(
    case: Case,
) -> None:
    op, inputs, attributes, options = case
    check_rule(op, inputs, attributes, **options)


def test_every_rule_has_a_case() -> None:
    assert {op for op, *_ in CASES} == set(elementwise.RULES)


@pytest.mark.parametrize("op", ["Relu", "Sigmoid", "Softplus", "HardSwish", "Elu"])
def test_with_an_open_batch(op: str) -> None:
    check_rule(op, [X], batch=[0])


@pytest.mark.parametrize("op", ["Add", "Mul", "Sub"])
def test_a_weight_meets_an_open_batch(op: str) -> None:
    check_rule(op, [A, COLUMN], batch=[0])


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_who_is_as_large_gets_an_equal_share(op: str) -> None:
    """With the loss y0 - y1, of which the first is shared by two and the second by three."""
    same = np.array([1.0, 2.0])
    other = np.array([1.0, 2.0])
    third = np.array([0.0, 2.0]) if op == "Max" else np.array([3.0, 2.0])
    answers = shares(op, [same, other, third])
    total = sum(answers)
    assert np.allclose(answers[0] / total, [1 / 2, 1 / 3])
    assert np.allclose(answers[1] / total, [1 / 2, 1 / 3])
    assert np.allclose(answers[2] / total, [0, 1 / 3])


def shares(op: str, inputs: list[Array]) -> list[Array]:
    """The gradients at a place where differences have no answer."""
    answers = check_rule(op, inputs, rtol=np.inf)
    return [dx for dx in answers if dx is not None]


@pytest.mark.parametrize("op", ["Relu", "LeakyRelu", "HardSwish", "Abs", "Elu", "Selu"])
def test_at_a_kink_the_answer_is_a_number(op: str) -> None:
    (dx,) = shares(op, [np.array([0.0, -0.0, 3.0, -3.0])])
    assert np.isfinite(dx).all()


@pytest.mark.parametrize("op", ["Softplus", "Sigmoid", "Tanh", "Elu", "Selu"])
def test_far_out_the_answer_is_a_number(op: str) -> None:
    (dx,) = shares(op, [np.array([-80.0, 80.0])])
    assert np.isfinite(dx).all()


def test_a_square_is_taken_once() -> None:
    """Mul with the same value on both sides: one product, and one factor 2."""
    from cnnspec.grad.reverse import gradients
    from cnnspec.onnxir.builder import Builder
    from cnnspec.onnxir.graph import Model

    model = Model("square", 17)
    g = Builder(model, 1)
    with g.layer("x", ""):
        x = g.input((3,))
    with g.layer("y", ""):
        y = g.op("Mul", x, x)
    with g.layer("loss", ""):
        loss = g.op("ReduceSum", y, dims=(), keepdims=0)
    before = len(model.nodes)
    gradients(model, loss, ["x"], 1)
    assert [n.op for n in model.nodes[before:]].count("Mul") == 2
    assert "Sum" not in [n.op for n in model.nodes]
    assert not any(n.op == "Add" for n in model.nodes)
