"""Do weights follow their gradients as the optimizer's formula says?

A linear network with a squared loss, whose gradient is known; the formulas are written again here,
in float64, from their papers. The rate is another one in each step.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from stepping import Array, Stepping

from cnnspec.settings.optimizer import OPTIMIZERS

STEPS, BATCH = 20, 5

# One rounding of float32 is 6e-8 of a number. Twenty steps make about ten each, most of which are
# averaged out; roots halve them, and division by a small root carries them over as they are.
RELATIVE = 2e-5

NETWORK = """network {{ input 4 -> fc 3 }}
train {{
  loss mse
  optimizer {optimizer}
}}"""


def rate(step: int) -> float:
    return 0.05 * (1 + np.sin(step)) + 0.01


def batches() -> Iterator[tuple[Array, Array]]:
    rng = np.random.default_rng(5)
    for _ in range(STEPS):
        yield rng.normal(size=(BATCH, 4)), rng.integers(0, 3, BATCH)


def gradients(w: Array, b: Array, x: Array, y: Array) -> tuple[Array, Array]:
    # loss = Σ (x·wᵀ + b - y)²/(n·k)
    dz = 2 * (x @ w.T + b - np.eye(3)[y]) / (BATCH * 3)
    return dz.T @ x, dz.sum(0)


Rule = Callable[[Array, Array, float], Array]
"""The weight after its gradient at a rate; it remembers what it needs."""


def sgd() -> Rule:
    return lambda w, g, lr: w - lr * g


def momentum(m: float = 0.9, share: float = 1.0) -> Rule:
    v = 0.0

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal v
        v = m * v + share * g
        return w - lr * v

    return rule


def nesterov(m: float = 0.9) -> Rule:
    v = 0.0

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal v
        v = m * v + g
        return w - lr * (g + m * v)

    return rule


def adagrad(start: float = 0.0, eps: float = 1e-10) -> Rule:
    s = start

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal s
        s = s + g**2
        return w - lr * g / (np.sqrt(s) + eps)

    return rule


def adadelta(rho: float = 0.9, eps: float = 1e-6) -> Rule:
    s = u = 0.0

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal s, u
        s = rho * s + (1 - rho) * g**2
        d = g * np.sqrt(u + eps) / np.sqrt(s + eps)
        u = rho * u + (1 - rho) * d**2
        return w - lr * d

    return rule


def rmsprop(
    rho: float = 0.9, eps: float = 1e-8, m: float | None = None, *, centered: bool = False
) -> Rule:
    s = mean = v = 0.0

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal s, mean, v
        s = rho * s + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        spread = s - mean**2 if centered else s
        d = g / (np.sqrt(spread) + eps)
        v = d if m is None else m * v + d
        return w - lr * v

    return rule


def adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, pull: float = 0.0) -> Rule:
    m = s = 0.0
    t = 0

    def rule(w: Array, g: Array, lr: float) -> Array:
        nonlocal m, s, t
        t += 1
        m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g**2
        w = w - lr * pull * w
        return w - lr * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)

    return rule


CASES: dict[str, tuple[Callable[[], Rule], float]] = {
    "sgd": (sgd, 0),
    "sgd weight_decay=0.2": (sgd, 0.2),
    "momentum": (momentum, 0),
    "momentum momentum=0.5 weight_decay=0.1": (lambda: momentum(0.5), 0.1),
    "momentum damped=yes": (lambda: momentum(share=1 - 0.9), 0),
    "nesterov": (nesterov, 0),
    "nesterov momentum=0.7 weight_decay=0.1": (lambda: nesterov(0.7), 0.1),
    "adagrad": (adagrad, 0),
    "adagrad start=0.1 eps=0.01 weight_decay=0.1": (lambda: adagrad(0.1, 0.01), 0.1),
    "adadelta": (adadelta, 0),
    "adadelta rho=0.8 eps=0.001 weight_decay=0.1": (lambda: adadelta(0.8, 0.001), 0.1),
    "rmsprop": (rmsprop, 0),
    "rmsprop rho=0.7 eps=0.01 weight_decay=0.1": (lambda: rmsprop(0.7, 0.01), 0.1),
    "rmsprop momentum=0.6": (lambda: rmsprop(m=0.6), 0),
    "rmsprop centered=yes eps=0.01": (lambda: rmsprop(eps=0.01, centered=True), 0),
    "rmsprop centered=yes momentum=0.6 eps=0.01": (
        lambda: rmsprop(eps=0.01, m=0.6, centered=True),
        0,
    ),
    "adam": (adam, 0),
    "adam beta1=0.8 beta2=0.9 eps=0.01 weight_decay=0.1": (lambda: adam(0.8, 0.9, 0.01), 0.1),
    "adamw": (lambda: adam(pull=0.01), 0),
    "adamw weight_decay=0.3": (lambda: adam(pull=0.3), 0),
    "adamw weight_decay=0": (adam, 0),
}


def test_every_optimizer_is_here() -> None:
    assert {case.split()[0] for case in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps(case: str) -> None:
    make, pull = CASES[case]
    steps = Stepping(NETWORK.format(optimizer=case))
    w, b = (steps.kept[f"fc3.{key}"].astype(float) for key in ("weight", "bias"))
    of_w, of_b = make(), make()
    for t, (x, y) in enumerate(batches()):
        steps.do({"input": x, "target": y}, rate(t))
        lr = float(np.float32(rate(t)))
        dw, db = gradients(w, b, x.astype(np.float32).astype(float), y)
        w, b = of_w(w, dw + pull * w, lr), of_b(b, db + pull * b, lr)
        close(steps, w, b)


def close(steps: Stepping, w: Array, b: Array) -> None:
    for key, wanted in (("weight", w), ("bias", b)):
        within = RELATIVE * np.abs(wanted).max()
        np.testing.assert_allclose(steps.kept[f"fc3.{key}"], wanted, rtol=0, atol=within)


@pytest.mark.parametrize("word", ["sgd", "adamw"])
@pytest.mark.parametrize("decay", ["all", "weights"])
def test_what_decays(word: str, decay: str) -> None:
    steps = Stepping(NETWORK.format(optimizer=f"{word} weight_decay=0.5 decay={decay}"))
    plain = Stepping(NETWORK.format(optimizer=f"{word} weight_decay=0"))
    bias = np.array([1.0, -2.0, 3.0], np.float32)
    steps.kept["fc3.bias"] = plain.kept["fc3.bias"] = bias
    x, y = next(batches())
    for each in (steps, plain):
        each.do({"input": x, "target": y}, 0.1)
    pulled = {
        key: plain.kept[f"fc3.{key}"] - steps.kept[f"fc3.{key}"] for key in ("weight", "bias")
    }
    start = Stepping(NETWORK.format(optimizer="sgd")).kept["fc3.weight"]
    # Whether it is added to the gradient or taken off the weight: lr·weight_decay·w.
    np.testing.assert_allclose(pulled["weight"], 0.05 * start, rtol=0, atol=1e-6)
    expected = 0.05 * bias if decay == "all" else 0 * bias
    np.testing.assert_allclose(pulled["bias"], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("a", [0, 0.5, 0.9])
def test_damped_momentum_in_differences_of_weights(a: float) -> None:
    # W(t+1) = W(t) + a·(W(t) - W(t-1)) - (1 - a)·lr·g, at one rate
    steps = Stepping(NETWORK.format(optimizer=f"momentum momentum={a} damped=yes"))
    lr = float(np.float32(0.1))
    w, b = (steps.kept[f"fc3.{key}"].astype(float) for key in ("weight", "bias"))
    w_before, b_before = w, b
    for x, y in batches():
        steps.do({"input": x, "target": y}, lr)
        dw, db = gradients(w, b, x.astype(np.float32).astype(float), y)
        w, w_before = w + a * (w - w_before) - (1 - a) * lr * dw, w
        b, b_before = b + a * (b - b_before) - (1 - a) * lr * db, b
        close(steps, w, b)


def test_the_first_step_of_adam_is_as_long_as_the_rate() -> None:
    steps = Stepping(NETWORK.format(optimizer="adam"))
    before = dict(steps.kept)
    x, y = next(batches())
    steps.do({"input": x, "target": y}, 0.25)
    moved = np.abs(steps.kept["fc3.weight"] - before["fc3.weight"])
    np.testing.assert_allclose(moved, 0.25, rtol=1e-5)
