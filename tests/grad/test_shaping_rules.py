"""Are the gradients of operators that move numbers, or make one of many, right?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from cnnspec.grad.rules import reduce, shaping
from grad.check import Array, apart, check_rule, distinct, positive

X = apart((2, 3, 4), seed=1)
MAP = apart((2, 3, 5, 6), seed=2)

Options = Mapping[str, Any]
Case = tuple[str, list[Array | None], Options, Options]


def ints(*numbers: int) -> Array:
    return np.array(numbers, np.int64)


FIRST: Options = {"by": [0]}
OPEN: Options = {"by": [0], "batch": [0]}

CASES: list[Case] = [
    ("Reshape", [X, ints(4, 6)], {}, FIRST),
    ("Reshape", [X, ints(0, -1)], {}, OPEN),
    ("Reshape", [X, ints(-1)], {}, FIRST),
    ("Flatten", [MAP], {}, {"batch": [0]}),
    ("Flatten", [MAP], {"axis": 3}, {}),
    ("Flatten", [MAP], {"axis": 0}, {}),
    ("Squeeze", [X[:, :1, :, None], ints(1, -1)], {}, OPEN),
    ("Squeeze", [X[:1]], {}, {}),
    ("Unsqueeze", [X, ints(0, -1)], {}, OPEN),
    ("Transpose", [X], {}, {"batch": [0]}),
    ("Transpose", [MAP], {"perm": (0, 3, 1, 2)}, {"batch": [0]}),
    ("Transpose", [X], {"perm": (2, 0, 1)}, {}),
    ("Expand", [X[:, :1], ints(2, 3, 4)], {}, FIRST),
    ("Expand", [X[0], ints(2, 1, 3, 1)], {}, FIRST),
    ("Expand", [X[:1], ints(1, 1)], {}, FIRST),
    ("Tile", [X, ints(1, 2, 3)], {}, OPEN),
    ("Concat", [X, X[:, :2], X[:, 1:]], {"axis": 1}, {"batch": [0, 1, 2]}),
    ("Concat", [X, X], {"axis": -1}, {}),
    ("Concat", [X, X[:1]], {"axis": 0}, {}),
    ("Concat", [X], {"axis": 0}, {}),
    ("Split", [X, ints(1, 3)], {"axis": 2}, {**OPEN, "outputs": 2, "loss_of": (0, 1)}),
    ("Split", [X, ints(1, 1, 2)], {"axis": -1}, {**OPEN, "outputs": 3, "loss_of": (1,)}),
    ("Split", [X], {"axis": 2}, {"outputs": 2, "loss_of": (1, 0)}),
    ("Split", [X], {"axis": 1, "num_outputs": 3}, {"outputs": 3, "loss_of": (2,), "opset": 18}),
    ("Slice", [MAP, ints(1), ints(4), ints(2)], {}, OPEN),
    ("Slice", [MAP, ints(1, -4), ints(2**63 - 1, -1), ints(2, -1)], {}, OPEN),
    ("Slice", [X, ints(0, 1), ints(9, 2)], {}, FIRST),
    ("Slice", [MAP, ints(0, 1), ints(5, 6), ints(2, 3), ints(2, 3)], {}, OPEN),
    ("Slice", [MAP, ints(-1), ints(-(2**63)), ints(3), ints(-1)], {}, OPEN),
    ("Slice", [MAP, ints(4, 1), ints(0, 4), ints(3, 2), ints(-2, 1)], {}, OPEN),
    ("Pad", [MAP, ints(0, 0, 1, 2, 0, 0, 3, 0)], {}, OPEN),
    ("Pad", [MAP, ints(0, 0, -1, 2, 0, 0, 3, -2)], {}, OPEN),
    ("Pad", [MAP, ints(0, 0, 1, 2, 0, 0, 3, 0), np.array(0.5)], {}, {"by": [0, 2]}),
    ("Pad", [MAP, ints(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "reflect"}, OPEN),
    ("Pad", [MAP, ints(0, 1, 0, 0, 0, 2, 0, 0)], {"mode": "reflect"}, FIRST),
    ("Pad", [MAP, ints(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "edge"}, OPEN),
    ("Pad", [MAP, ints(0, 2, 0, 0, 0, 3, 0, 0)], {"mode": "edge"}, OPEN),
    ("Pad", [MAP, ints(0, 0, 1, 2, 0, 0, 3, 4)], {"mode": "wrap"}, {**OPEN, "opset": 19}),
    ("Pad", [MAP, ints(1, 2, 3, 0), None, ints(2, -1)], {}, {**OPEN, "opset": 18}),
    ("Gather", [MAP, ints(2, 0, 1)], {"axis": 1}, OPEN),
    ("Gather", [MAP, ints(0, 0, 1, 1, 2, 2, 3, 3, 4, 4)], {"axis": 2}, OPEN),
    ("Gather", [MAP, ints(0, 1, 2, 2, 3, 4, 4, -1, 0)], {"axis": -1}, OPEN),
    ("Gather", [MAP, ints(0, 1, 2, 1, 2, 3).reshape(2, 3)], {"axis": 3}, OPEN),
    ("Gather", [MAP, np.array(1, np.int64)], {"axis": 1}, OPEN),
    ("Gather", [X, ints(1, 1, 0)], {}, FIRST),
    ("Gather", [X, ints(1, 1, 0)], {"axis": 0}, OPEN),
    ("GatherElements", [X, np.array([[[0, 2, 1, 0]], [[1, 1, 0, 2]]])], {"axis": 1}, FIRST),
    ("GatherND", [X, np.array([[0, 1], [1, 2], [0, 1]])], {}, FIRST),
    ("ScatterND", [X, np.array([[0, 1], [1, 2]]), X[0, :2]], {}, {"by": [0, 2]}),
    (
        "ScatterND",
        [X, np.array([[0, 1], [0, 1]]), X[0, :2]],
        {"reduction": "add"},
        {"by": [0, 2]},
    ),
    (
        "ScatterElements",
        [X, np.array([[[0, 2, 1, 0]], [[1, 1, 0, 2]]]), X[:, :1]],
        {"axis": 1},
        {"by": [0, 2]},
    ),
    ("DepthToSpace", [apart((2, 12, 3, 2))], {"blocksize": 2, "mode": "CRD"}, {"batch": [0]}),
    ("DepthToSpace", [apart((2, 18, 3, 2))], {"blocksize": 3}, {"batch": [0]}),
    ("SpaceToDepth", [apart((2, 3, 4, 6))], {"blocksize": 2}, {"batch": [0]}),
    ("Where", [X > 0.3, X, apart((3, 1), seed=3)], {}, {"by": [1, 2]}),
    ("Where", [X[:, :1] > 0.3, apart((4,), seed=3), X], {}, {"by": [1, 2]}),
]

REDUCED: list[tuple[str, Array]] = [
    ("ReduceSum", X),
    ("ReduceMean", X),
    ("ReduceMax", distinct((2, 3, 4))),
    ("ReduceMin", distinct((2, 3, 4))),
    ("ReduceL1", X),
    ("ReduceL2", X),
    ("ReduceSumSquare", X),
    ("ReduceLogSum", positive((2, 3, 4))),
    ("ReduceLogSumExp", X),
]


def title(case: Case) -> str:
    op, inputs, attributes, options = case
    words = [op]
    for x in inputs:
        if x is None:
            words.append("none")
        elif x.dtype.kind == "i" and x.size < 9:
            words.append(",".join(str(n) if -99 < n < 99 else "end" for n in x.reshape(-1)))
        else:
            words.append("x".join(map(str, x.shape)))
    words += [f"{k}={v}".replace(" ", "") for k, v in {**attributes, **options}.items()]
    return " ".join(words)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_the_rule_says_what_differences_say(case: Case) -> None:
    op, inputs, attributes, options = case
    check_rule(op, inputs, attributes, **options)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [None, (1,), (-1, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize(("op", "x"), REDUCED, ids=[op for op, _ in REDUCED])
def test_a_reduction_says_what_differences_say(
    op: str, x: Array, opset: int, axes: tuple[int, ...] | None, keepdims: int
) -> None:
    if op == "ReduceSum" or opset >= 18:
        inputs, over = [x, None if axes is None else ints(*axes)], {}
    else:
        inputs, over = [x], {} if axes is None else {"axes": axes}
    options = {"by": [0], "batch": [0], "opset": opset}
    check_rule(op, inputs, {**over, "keepdims": keepdims}, **options)


def test_a_reduction_of_nothing() -> None:
    inputs: list[Array | None] = [X, None]
    check_rule("ReduceSum", inputs, {"noop_with_empty_axes": 1}, by=[0])


def test_every_rule_has_a_case() -> None:
    assert {op for op, *_ in CASES} == set(shaping.RULES) - set(shaping.FLAT)
    assert {op for op, _ in REDUCED} == set(reduce.RULES)


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_who_is_as_large_gets_an_equal_share(op: str) -> None:
    x = np.array([[1.0, 1.0, 1.0, 1.0], [2.0, 3.0, 2.0, 3.0]])
    (dx,) = check_rule(op, [x], {"axes": (1,)}, rtol=np.inf)
    assert dx is not None
    share = [0, 0.5, 0, 0.5] if op == "ReduceMax" else [0.5, 0, 0.5, 0]
    total = dx.sum(axis=1, keepdims=True)
    assert np.allclose(dx / total, [[0.25] * 4, share])


def test_the_length_of_nothing_has_a_gradient_of_0() -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    (dx,) = check_rule("ReduceL2", [x], {"axes": (1,)}, rtol=np.inf)
    assert dx is not None
    assert dx[0].tolist() == [0, 0]
    assert dx[1, 0] / dx[1, 1] == pytest.approx(3 / 4)


def test_what_is_gathered_twice_adds_up() -> None:
    (dx,) = check_rule("Gather", [X, ints(1, 1, 1)], {"axis": 1}, by=[0])
    assert dx is not None
    assert np.all(dx[:, [0, 2]] == 0)
    assert np.all(dx[:, 1] != 0)


def test_a_mean_over_an_open_batch_divides_by_what_is_given() -> None:
    (dx,) = check_rule("ReduceMean", [X], {"axes": (0,)}, batch=[0])
    (fixed,) = check_rule("ReduceMean", [X], {"axes": (0,)})
    assert dx is not None
    assert fixed is not None
    assert np.allclose(dx, fixed)


FLAT_CASES: list[Case] = [
    ("Floor", [X], {}, {}),
    ("Ceil", [X], {}, {}),
    ("Round", [X], {}, {}),
    ("Sign", [X], {}, {}),
]


@pytest.mark.parametrize("case", FLAT_CASES, ids=title)
def test_a_step_has_no_gradient_on_purpose(case: Case) -> None:
    op, inputs, attributes, options = case
    check_rule(op, inputs, attributes, without=[0], **options)
