"""Are our gradients those of onnx-ad, which has rules of its own for the same operators?

A witness that shares nothing with ours: another author, another table of rules, and a model as its
input. Most cases are those that `cnnspec.grad` is checked with against differences; here both
gradients are computed exactly, so that they agree to what float32 can hold.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from cnnspec import loads
from cnnspec.grad.reverse import RULES, gradients
from cnnspec.grad.rules import shaping
from cnnspec.onnxir.graph import Model, Value
from cnnspec.onnxir.proto import to_proto
from grad.check import Array, Runner, apart, distinct, one_operator, positive
from grad.test_conv_rules import CASES as CONVOLUTIONS
from grad.test_elementwise_rules import CASES as ELEMENTWISE
from grad.test_pool_rules import WINDOWS
from grad.test_shaping_rules import CASES as SHAPING
from grad.test_shaping_rules import REDUCED

onnx_ad = pytest.importorskip("onnx_ad", reason="onnx-ad is not installed; `.[dev]` has it")

Case = tuple[str, Sequence[Array | None], dict[str, Any], dict[str, Any]]


def _convolutions() -> list[Case]:
    found: list[Case] = []
    for c, image, maps, kernel, attributes in CONVOLUTIONS.values():
        groups, given = attributes.get("group", 1), {"kernel_shape": kernel, **attributes}
        x, b = apart((2, c, *image), seed=1), apart((maps,), seed=3)
        w, turned = (maps, c // groups, *kernel), (c, maps // groups, *kernel)
        # By a grouped or transposed kernel onnx-ad has no rule.
        by = {"by": [0, 2]}
        found.append(("Conv", [x, apart(w, seed=2), b], given, by if groups > 1 else {}))
        found.append(("ConvTranspose", [x, apart(turned, seed=2), b], given, by))
    return found


def _pools() -> list[Case]:
    found: list[Case] = []
    for kernel, image, rest in WINDOWS:
        given = {"kernel_shape": kernel, **rest}
        found.append(("MaxPool", [distinct((2, 2, *image))], given, {}))
        for pads in (0, 1):
            with_pads = {**given, "count_include_pad": pads}
            found.append(("AveragePool", [apart((2, 2, *image))], with_pads, {}))
        found.append(("LpPool", [apart((2, 2, *image))], {**given, "p": 3}, {}))
    for image in ((5,), (4, 3), (2, 3, 2)):
        found.append(("GlobalMaxPool", [distinct((2, 2, *image))], {}, {}))
        found.append(("GlobalAveragePool", [apart((2, 2, *image))], {}, {}))
        found.append(("GlobalLpPool", [apart((2, 2, *image))], {"p": 2}, {}))
    factors = np.array([1, 1, 2, 3], np.float32)
    floor = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    x = [apart((2, 2, 4, 3)), None, factors]
    hows = ({"mode": "nearest", **floor}, {"mode": "linear"})
    return [*found, *(("Resize", x, how, {"by": [0]}) for how in hows)]


def _norms() -> list[Case]:
    x, four = apart((3, 4, 5, 2)), [apart((4,), seed=5), apart((4,), seed=6)]
    fixed = [x, *four, apart((4,), seed=7), positive((4,))]
    last = [apart((5, 2), seed=5), apart((5, 2), seed=6)]
    return [
        ("BatchNormalization", fixed, {"epsilon": 1e-3}, {"by": [0, 1, 2]}),
        ("LayerNormalization", [x, *last], {"axis": 2, "epsilon": 1e-2}, {}),
        ("InstanceNormalization", [x, *four], {"epsilon": 1e-2}, {}),
        ("LRN", [x], {"size": 3, "alpha": 0.3, "beta": 0.75, "bias": 2.0}, {}),
        ("GroupNormalization", [x, *four], {"num_groups": 2, "epsilon": 1e-2}, {"opset": 21}),
        ("Softmax", [x], {"axis": 1}, {}),
        ("Softmax", [x], {"axis": -1}, {}),
        ("LogSoftmax", [x], {"axis": 1}, {}),
    ]


def _products() -> list[Case]:
    a, b = apart((4, 3), seed=1), apart((3, 5), seed=2)
    return [
        ("MatMul", [a, b], {}, {}),
        ("MatMul", [apart((2, 1, 4, 3)), apart((5, 3, 2), seed=2)], {}, {}),
        ("Gemm", [a, b, apart((5,), seed=3)], {"alpha": 0.5, "beta": 2.0}, {}),
        ("Gemm", [a.T, b.T, apart((4, 1), seed=3)], {"transA": 1, "transB": 1}, {}),
    ]


def _reductions() -> list[Case]:
    found: list[Case] = []
    for op, x in REDUCED:
        over = [x, np.array([-1, 1])]
        found += [(op, over, {"keepdims": k}, {"by": [0], "opset": 18}) for k in (0, 1)]
    return found


CASES: list[Case] = [
    *((op, x, dict(a), dict(o)) for op, x, a, o in (*ELEMENTWISE, *SHAPING)),
    *(*_convolutions(), *_pools(), *_norms(), *_products(), *_reductions()),
]

FAULTS = (onnx_ad.UnsupportedOperator, Fail, AssertionError)
"""How a case shows that it cannot be compared: refused, no valid model, or another gradient."""


POOLS = (((0, 0, 1, 1), (2, 2)), ((1, 1, 0, 1, 0, 1), (2, 1, 1)))
SHIFTED = {
    "Conv": (
        *(((1, 0, 1, 1), None), ((1, 0, 2, 1), None), ((1, 1, 0, 2), (2, 3))),
        *(((0, 0, 1, 2), None), ((0, 0, 1, 1), (2, 3)), ((1, 0, 1, 1, 1, 0), None)),
    ),
    "AveragePool": POOLS,
    "LpPool": POOLS,
}
"""Pads and strides that it goes wrong with."""


def unlike(case: Case) -> str:
    """Why onnx-ad 0.3.0 has another gradient or none; differences say in each case that it is not
    ours that is wrong. Empty where both have the same."""
    op, inputs, attributes, _ = case
    if (attributes.get("pads"), attributes.get("strides")) in SHIFTED.get(op, ()):
        return "where the padding differs before and behind, its gradient may be shifted"
    if op == "Pad" and attributes.get("mode", "constant") != "constant":
        return "it pads with a constant only"
    if op == "Pad" and inputs[1] is not None and inputs[1].min() < 0:
        return "it makes a model that the runtime refuses where padding takes away"
    if op == "Pad" and len(inputs) == 3 and inputs[2] is not None:
        return "it takes what is padded with for a constant"
    if op == "Slice" and len(inputs) == 5:
        return "it has no steps"
    return ""


OPERATORS = sorted({op for op, *_ in CASES})


@pytest.mark.parametrize("op", OPERATORS)
def test_both_say_the_same(op: str) -> None:
    cases = [case for case in CASES if case[0] == op and not unlike(case)]
    assert cases
    for case in cases:
        compare_case(case)


def test_what_is_unlike_is_still_so() -> None:
    left = [case for case in CASES if unlike(case)]
    assert len(left) == 23
    for case in left:
        with pytest.raises(FAULTS):
            compare_case(case)


def test_every_rule_is_compared() -> None:
    assert set(RULES) - {op for op, *_ in CASES} == set(shaping.FLAT)


def test_a_network() -> None:
    """Of the score of a class by the input, through a small network of what most have."""
    network = loads(
        "network {\n  input 2x9x9 -> conv 4 3x3 pad=1 bias=no -> bn -> relu\n"
        "  add { | conv 4 3x3 pad=1 | } -> maxpool 2x2 -> lrn -> conv 6 3x3 -> tanh\n"
        "  avgpool global -> flatten -> fc 5\n}\n"
    )
    x, classes = apart((3, 2, 9, 9)).astype(np.float32), np.array([4, 0, 2])
    ours = network.gradient("input", seed=1).run({"input": x, "target": classes})["input/gradient"]
    plain = onnx.load_from_string(network.compile(seed=1, batch=3).to_bytes())
    plain = onnx.shape_inference.infer_shapes(plain, data_prop=True)
    score = plain.graph.output[0].name
    adjoint = Runner(onnx_ad.reverse(plain, layout="onnx"), ["adj_input"], "float")
    (theirs,) = adjoint({"input": x, f"adj_{score}": np.eye(5)[classes][..., None]})
    np.testing.assert_allclose(ours, theirs[..., 0], rtol=1e-4, atol=1e-6)


def compare_case(case: Case) -> None:
    op, inputs, attributes, options = case
    floats = [k for k, x in enumerate(inputs) if x is not None and x.dtype.kind == "f"]
    by = options.get("by", floats)
    how = {k: options[k] for k in ("outputs", "loss_of", "opset") if k in options}
    model, loss = one_operator(op, inputs, attributes, by, **how)
    compare(model, loss, {f"x{k}": x for k in by if (x := inputs[k]) is not None})


def compare(model: Model, loss: Value, feeds: dict[str, Array]) -> None:
    theirs = by_onnx_ad(model, loss, feeds)
    answers = gradients(model, loss, list(feeds), 1)
    names = [v.name for v in answers.values() if v is not None]
    ours = dict(zip(feeds, Runner(model, names, "float")(feeds), strict=True))
    for name, dx in theirs.items():
        scale = float(np.abs(dx).max()) + 1e-6
        np.testing.assert_allclose(ours[name], dx, rtol=1e-4, atol=1e-5 * scale)


def by_onnx_ad(model: Model, loss: Value, feeds: dict[str, Array]) -> dict[str, Array]:
    copy = model.with_nodes(model.nodes)
    copy.outputs = [loss]
    proto = onnx.shape_inference.infer_shapes(to_proto(copy), data_prop=True)
    adjoint = onnx_ad.reverse(proto, inputs=list(feeds), layout="onnx")
    run = Runner(adjoint, [f"adj_{name}" for name in feeds], "float")
    found = run({**feeds, f"adj_{loss.name}": np.ones(1)})
    return {name: dx[..., 0] for name, dx in zip(feeds, found, strict=True)}
