"""Does an operator without a rule get its gradient from what it is made of?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from cnnspec.grad import reverse
from cnnspec.grad.reverse import NoGradient, gradients
from cnnspec.grad.rules import RULES
from cnnspec.grad.unfold import unfold
from grad.check import Array, apart, check_rule, one_operator

X = apart((2, 6, 4), (-3, -1, 0, 1, 3), seed=5) * 2.5
SCALE, BIAS = apart((4,), seed=1), apart((4,), seed=2)
BY_CHANNEL = apart((6,), seed=3), apart((6,), seed=4)

Options = Mapping[str, Any]
Case = tuple[str, list[Array | None], Options, Options]

# Where double is asked for, some operators are worked out in float32 all the same: Gelu by the
# reference, Shrink and group norm by the runtime.
BOTH: list[Case] = [
    ("Softplus", [X], {}, {"opset": 18}),
    ("Softplus", [X], {}, {}),
    ("Elu", [X], {"alpha": 0.5}, {"opset": 18}),
    ("Selu", [X], {}, {"opset": 18}),
    ("Relu", [X], {}, {"opset": 18}),
    ("LeakyRelu", [X], {"alpha": 0.2}, {}),
    ("PRelu", [X, SCALE], {}, {}),
    ("HardSigmoid", [X], {}, {"opset": 18}),
    ("HardSwish", [X], {}, {}),
    ("Mish", [X], {}, {"opset": 18}),
    ("Gelu", [X], {}, {"opset": 20, "dtype": "float"}),
    ("Gelu", [X], {"approximate": "tanh"}, {"opset": 20}),
    ("Clip", [X, np.array(-2.6), np.array(2.6)], {}, {"by": [0]}),
    ("Softmax", [X], {"axis": 1}, {}),
    ("Softmax", [X], {}, {"opset": 18}),
    ("LogSoftmax", [X], {"axis": 1}, {}),
    ("LayerNormalization", [X, SCALE, BIAS], {}, {}),
    ("LayerNormalization", [X, SCALE, BIAS], {"epsilon": 0.1}, {"opset": 18}),
    ("GroupNormalization", [X, *BY_CHANNEL], {"num_groups": 2}, {"opset": 21, "dtype": "float"}),
    ("ReduceL1", [X, np.array([1])], {}, {"opset": 18, "by": [0]}),
    ("ReduceL2", [X, np.array([1])], {}, {"opset": 18, "by": [0]}),
    ("ReduceSumSquare", [X, np.array([1])], {"keepdims": 0}, {"opset": 18, "by": [0]}),
    ("ReduceLogSumExp", [X, np.array([1])], {"keepdims": 0}, {"opset": 18, "by": [0]}),
]

ONLY_UNFOLDED: list[Case] = [
    ("Softsign", [X], {}, {}),
    ("Celu", [X], {"alpha": 2.0}, {"dtype": "float"}),
    ("ThresholdedRelu", [X], {"alpha": 2.5}, {}),
    ("Shrink", [X], {"lambd": 2.5}, {"dtype": "float"}),
    ("MeanVarianceNormalization", [X], {"axes": (0, 2)}, {"dtype": "float"}),
]


def title(case: Case) -> str:
    op, _, attributes, options = case
    words = [f"{k}={v}".replace(" ", "") for k, v in {**attributes, **options}.items()]
    return " ".join((op, *words))


def without(monkeypatch: pytest.MonkeyPatch, op: str) -> None:
    monkeypatch.setattr(reverse, "RULES", {k: r for k, r in RULES.items() if k != op})


@pytest.mark.parametrize("case", BOTH, ids=title)
def test_the_rule_says_what_the_body_says(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    op, inputs, attributes, options = case
    by_rule = check_rule(op, inputs, attributes, **options, batch=[0])
    without(monkeypatch, op)
    unfolded = check_rule(op, inputs, attributes, **options, batch=[0])
    for a, b in zip(by_rule, unfolded, strict=True):
        assert a is not None
        assert b is not None
        assert np.allclose(a, b, rtol=1e-4, atol=1e-4 if options.get("dtype") else 1e-5)


@pytest.mark.parametrize("case", ONLY_UNFOLDED, ids=title)
def test_what_has_no_rule_is_unfolded(
    case: Case,
) -> None:
    op, inputs, attributes, options = case
    assert op not in RULES
    check_rule(op, inputs, attributes, **options, batch=[0])


def test_the_body_stands_under_the_layer() -> None:
    model, loss = one_operator("Softsign", [X], {}, [0])
    gradients(model, loss, ["x0"], 1)
    model.verify()
    assert [n.op for n in model.nodes[:3]] == ["Abs", "Add", "Div"]
    assert all(n.name == "y" or n.name.startswith("y/") for n in model.nodes[:3])
    assert {n.source for n in model.nodes[:3]} == {"one.cnn:1:1"}
    assert model.nodes[2].outputs == ("y",)


def test_what_has_a_rule_stays() -> None:
    model, loss = one_operator("LayerNormalization", [X, SCALE, BIAS], {}, [0])
    gradients(model, loss, ["x0"], 1)
    assert model.nodes[0].op == "LayerNormalization"


def test_what_the_scalar_does_not_hang_on_stays() -> None:
    model, loss = one_operator("Softsign", [X], {}, [0])
    before = list(model.nodes)
    gradients(model, loss, ["another"], 1)
    assert model.nodes[: len(before)] == before


def test_what_has_no_body_stays() -> None:
    model, _ = one_operator("CumSum", [X, np.array(1)], {}, [0])
    assert unfold(model, model.nodes[0], ()) == model.nodes[:1]


def test_without_rule_and_body_the_layer_is_named() -> None:
    model, loss = one_operator("CumSum", [X, np.array(1)], {}, [0])
    with pytest.raises(NoGradient) as failure:
        gradients(model, loss, ["x0"], 1)
    assert str(failure.value) == (
        "nothing says how to differentiate CumSum, which `y` (one.cnn:1:1) needs"
    )
    assert failure.value.node.op == "CumSum"


def test_without_a_rule_for_what_it_is_made_of_the_layer_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reverse, "RULES", {k: RULES[k] for k in ("Mul", "ReduceSum", "Add")})
    model, loss = one_operator("Softsign", [X], {}, [0])
    with pytest.raises(NoGradient, match=r"Div, which `y` \(one.cnn:1:1\) needs"):
        gradients(model, loss, ["x0"], 1)
