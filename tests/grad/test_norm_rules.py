"""Do the rules for normalisation and softmax say what finite differences say?"""

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from grad import check
from grad.check import Array, apart, check_rule, positive


@pytest.fixture(autouse=True)
def _mixed_types(monkeypatch: pytest.MonkeyPatch):
    # LayerNormalization answers 1/√var in single precision whatever it takes, which the runtime
    # says in its own way: then the differences are in double, and the rule in single.
    monkeypatch.setattr(check, "NOT_THERE", (*check.NOT_THERE, Fail))


def weights(c: int) -> tuple[Array, Array]:
    return apart((c,), seed=5), apart((c,), seed=6)


# ── over the batch ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sizes", [(), (5,), (4, 3), (2, 3, 2), (1, 1)])
@pytest.mark.parametrize("examples", [1, 3])
def test_fixed_statistics(examples: int, sizes: tuple[int, ...]):
    x = apart((examples, 4, *sizes))
    inputs = [x, *weights(4), apart((4,), seed=7), positive((4,))]
    check_rule("BatchNormalization", inputs, {"epsilon": 1e-3}, batch=[0])


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5), (1, 4, 4, 3), (3, 4, 4, 3), (2, 3, 2, 3, 2)])
def test_statistics_of_the_batch(shape: tuple[int, ...]):
    c = shape[1]
    inputs = [apart(shape), *weights(c), apart((c,)), positive((c,))]
    attributes = {"epsilon": 1e-3, "momentum": 0.0, "training_mode": 1}
    check_rule(
        "BatchNormalization",
        inputs,
        attributes,
        by=[0, 1, 2],
        outputs=3,
        batch=[0],
    )


# ── within each example ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((3, 5), 1), ((3, 5), -1), ((1, 4, 3), 1), ((3, 4, 2, 3), 1), ((2, 3, 4), 2)],
)
@pytest.mark.parametrize("has_bias", [True, False])
def test_layer_norm(shape: tuple[int, ...], axis: int, has_bias: bool):
    over = shape[axis:]
    inputs = [apart(shape), apart(over, seed=5), *([apart(over, seed=6)] if has_bias else [])]
    attributes = {"axis": axis, "epsilon": 1e-2}
    check_rule("LayerNormalization", inputs, attributes, batch=[0])


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 2, 4, 3), (2, 3, 2, 3, 2)])
def test_instance_norm(shape: tuple[int, ...], opset: int):
    inputs = [apart(shape), *weights(shape[1])]
    check_rule("InstanceNormalization", inputs, {"epsilon": 1e-2}, batch=[0], opset=opset)


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("sizes", [(5,), (4, 3), (2, 3, 2)])
def test_group_norm(groups: int, sizes: tuple[int, ...]):
    # Both the runtime and the reference work it out in single precision: so the differences in
    # double are those of the definition.
    inputs = [apart((2, 6, *sizes)), *weights(6)]
    attributes = {"num_groups": groups, "epsilon": 1e-2}
    found = check_rule("GroupNormalization", inputs, attributes, batch=[0], opset=21, dtype="float")
    u = weights_of_loss(inputs[0].shape)

    def loss(xs: list[Array]) -> float:
        return float(np.sum(u * by_group(xs[0], xs[1], xs[2], groups)))

    for k, dx in enumerate(found):
        assert dx is not None
        v = np.random.default_rng(k).uniform(-1, 1, dx.shape)
        after, before = (
            loss([x + s * 1e-5 * v if i == k else x for i, x in enumerate(inputs)]) for s in (1, -1)
        )
        scale = float(np.sum(abs(dx * v)))
        assert np.sum(dx * v) == pytest.approx((after - before) / 2e-5, abs=1e-5 * scale)


def by_group(x: Array, scale: Array, bias: Array, groups: int) -> Array:
    parts = x.reshape(len(x), groups, -1)
    apart = parts - parts.mean(2, keepdims=True)
    normal = (apart / np.sqrt(parts.var(2, keepdims=True) + 1e-2)).reshape(x.shape)
    column = (-1, *(1 for _ in x.shape[2:]))
    return scale.reshape(column) * normal + bias.reshape(column)


# ── over neighbouring channels ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("size", "channels"), [(1, 3), (3, 7), (5, 7), (5, 2), (9, 3)])
def test_response_norm(size: int, channels: int):
    # The reference of onnx 1.23 sums over as many channels as there are examples.
    x = apart((3, channels, 3, 2))
    attributes = {"size": size, "alpha": 0.9, "beta": 0.75, "bias": 1.5}
    (dx,) = check_rule("LRN", [x], attributes, batch=[0], dtype="float")
    assert dx is not None
    np.testing.assert_allclose(dx, response_by_loops(x, size, 0.9, 0.75, 1.5), rtol=1e-4, atol=1e-5)


def response_by_loops(x: Array, size: int, alpha: float, beta: float, k: float) -> Array:
    """The gradient of Σ u·y, channel by channel from the definition."""
    u = weights_of_loss(x.shape)
    n, c = x.shape[:2]
    below, above = (size - 1) // 2, size // 2
    near = [[-below <= j - i <= above for j in range(c)] for i in range(c)]
    s = k + alpha / size * np.einsum("ij,njhw->nihw", np.array(near, float), x**2)
    dx = np.zeros(x.shape)
    for b, i, j in np.ndindex(n, c, c):
        slope = -2 * alpha * beta / size * x[b, i] * x[b, j] * s[b, i] ** (-beta - 1) * near[i][j]
        dx[b, j] += u[b, i] * (slope + (i == j) * s[b, i] ** -beta)
    return dx


def weights_of_loss(shape: tuple[int, ...]) -> Array:
    """The u of the loss Σ u·y that is checked."""
    rng = np.random.default_rng(100)
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)


# ── to shares of 1 ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("opset", [13, 17])
def test_softmax(op: str, axis: int, opset: int):
    check_rule(op, [apart((3, 4, 5))], {"axis": axis}, batch=[0], opset=opset)
