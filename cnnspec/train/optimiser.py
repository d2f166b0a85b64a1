"""How does a weight follow its gradient? Each optimizer as operators.

The formulas are those of `settings/optimizer.py`; what is remembered from step to step are values
that enter the step and leave it.
"""

from collections.abc import Callable, Mapping
from math import log
from typing import NamedTuple

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.settings.optimizer import (
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RmsProp,
)


class Moment(NamedTuple):
    """What a step is given besides the gradient: the learning rate, and how many steps there have
    been with this one, both numbers of the graph."""

    lr: Value
    steps: Value


Slots = Mapping[str, Value]
"""What is remembered of one weight."""

Update = tuple[Value, Slots]


def slots(optimizer: Optimizer) -> Mapping[str, float]:
    """What an optimizer remembers for each number of a weight, and what it starts at."""
    match optimizer:
        case Adam():
            return {"mean": 0.0, "square": 0.0}
        case RmsProp():
            found = {"square": 0.0}
            if optimizer.centered:
                found["mean"] = 0.0
            if optimizer.momentum:
                found["velocity"] = 0.0
            return found
        case Adadelta():
            return {"square": 0.0, "change": 0.0}
        case Adagrad():
            return {"square": optimizer.start}
        case Momentum() | Nesterov():
            return {"velocity": 0.0}
        case _:
            return {}


def update(
    g: Builder, optimizer: Optimizer, w: Value, dw: Value, held: Slots, now: Moment, *, decays: bool
) -> Update:
    """The weight after the step, and what is remembered then."""
    pull = optimizer.weight_decay if decays else 0.0
    if pull and isinstance(optimizer, AdamW):
        shrink = g.op("Mul", now.lr, g.scalar("decay", pull), part="pull")
        w = g.op("Sub", w, g.op("Mul", w, shrink, part="decayed"), part="shorter")
    elif pull:
        dw = g.op("Add", dw, g.op("Mul", w, g.scalar("decay", pull), part="pull"), part="pulled")
    return _rule(optimizer)(g, optimizer, w, dw, held, now)


def _rule(optimizer: Optimizer) -> Callable[..., Update]:
    for kind, rule in RULES.items():
        if isinstance(optimizer, kind):
            return rule
    return _sgd


def _sgd(g: Builder, o: Optimizer, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    return _moved(g, w, dw, now), {}


def _momentum(g: Builder, o: Momentum, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # v ← m·v + g, or m·v + (1 - m)·g; w ← w - lr·v
    if o.damped:
        dw = g.op("Mul", dw, g.scalar("share", 1 - o.momentum), part="damped")
    v = _kept(g, held["velocity"], o.momentum, dw, "velocity")
    return _moved(g, w, v, now), {"velocity": v}


def _nesterov(g: Builder, o: Nesterov, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # v ← m·v + g; w ← w - lr·(g + m·v)
    v = _kept(g, held["velocity"], o.momentum, dw, "velocity")
    ahead = _kept(g, v, o.momentum, dw, "ahead")
    return _moved(g, w, ahead, now), {"velocity": v}


def _adagrad(g: Builder, o: Adagrad, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # s ← s + g²; w ← w - lr·g/(√s + eps)
    s = g.op("Add", held["square"], g.op("Mul", dw, dw, part="squared"), part="square")
    return _moved(g, w, _over_root(g, dw, s, o.eps), now), {"square": s}


def _adadelta(g: Builder, o: Adadelta, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # s ← rho·s + (1 - rho)·g²; d = g·√(u + eps)/√(s + eps); u ← rho·u + (1 - rho)·d²; w ← w - lr·d
    s = _mean_square(g, held["square"], o.rho, dw, "square")
    eps = g.scalar("eps", o.eps)
    below = g.op("Sqrt", g.op("Add", s, eps, part="s_eps"), part="root_s")
    above = g.op("Sqrt", g.op("Add", held["change"], eps, part="u_eps"), part="root_u")
    d = g.op("Mul", dw, g.op("Div", above, below, part="ratio"), part="d")
    u = _mean_square(g, held["change"], o.rho, d, "change")
    return _moved(g, w, d, now), {"square": s, "change": u}


def _rmsprop(g: Builder, o: RmsProp, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # s ← rho·s + (1 - rho)·g²; centred: s less the square of the mean gradient
    s = _mean_square(g, held["square"], o.rho, dw, "square")
    after: dict[str, Value] = {"square": s}
    spread = s
    if o.centered:
        after["mean"] = _mean(g, held["mean"], o.rho, dw, "mean")
        off = g.op("Mul", after["mean"], after["mean"], part="mean_squared")
        # Rounding can take it below 0, where there is no root.
        spread = g.op("Relu", g.op("Sub", s, off, part="centred"), part="spread")
    d = _over_root(g, dw, spread, o.eps)
    if o.momentum:
        d = after["velocity"] = _kept(g, held["velocity"], o.momentum, d, "velocity")
    return _moved(g, w, d, now), after


def _adam(g: Builder, o: Adam, w: Value, dw: Value, held: Slots, now: Moment) -> Update:
    # m ← b1·m + (1 - b1)·g; s ← b2·s + (1 - b2)·g²
    # w ← w - lr·(m/(1 - b1^t))/(√(s/(1 - b2^t)) + eps) = w - rate·m/(√s + eps·√(1 - b2^t))
    m = _mean(g, held["mean"], o.beta1, dw, "mean")
    s = _mean_square(g, held["square"], o.beta2, dw, "square")
    free1 = _less_power(g, o.beta1, now.steps, "free1")
    free2 = _less_power(g, o.beta2, now.steps, "free2")
    root = g.op("Sqrt", free2, part="root_free2")
    rate = g.op("Mul", now.lr, g.op("Div", root, free1, part="correction"), part="rate")
    eps = g.op("Mul", root, g.scalar("eps", o.eps), part="eps_free")
    below = g.op("Add", g.op("Sqrt", s, part="root"), eps, part="below")
    d = g.op("Div", m, below, part="direction")
    moved = g.op("Sub", w, g.op("Mul", d, rate, part="move"), part="next")
    return moved, {"mean": m, "square": s}


RULES: Mapping[type[Optimizer], Callable[..., Update]] = {
    Adam: _adam,
    RmsProp: _rmsprop,
    Adadelta: _adadelta,
    Adagrad: _adagrad,
    Nesterov: _nesterov,
    Momentum: _momentum,
}


def _moved(g: Builder, w: Value, d: Value, now: Moment) -> Value:
    return g.op("Sub", w, g.op("Mul", d, now.lr, part="move"), part="next")


def _kept(g: Builder, held: Value, share: float, x: Value, part: str) -> Value:
    """share·held + x."""
    kept = g.op("Mul", held, g.scalar(f"{part}_share", share), part=f"{part}_kept")
    return g.op("Add", kept, x, part=part)


def _mean(g: Builder, held: Value, rho: float, x: Value, part: str) -> Value:
    """rho·held + (1 - rho)·x."""
    new = g.op("Mul", x, g.scalar(f"{part}_new_share", 1 - rho), part=f"{part}_new")
    return _kept(g, held, rho, new, part)


def _mean_square(g: Builder, held: Value, rho: float, x: Value, part: str) -> Value:
    return _mean(g, held, rho, g.op("Mul", x, x, part=f"{part}_of"), part)


def _over_root(g: Builder, x: Value, s: Value, eps: float) -> Value:
    below = g.op("Add", g.op("Sqrt", s, part="root"), g.scalar("eps", eps), part="below")
    return g.op("Div", x, below, part="over_root")


def _less_power(g: Builder, base: float, exponent: Value, part: str) -> Value:
    """1 - base^t, in which float32 would lose four digits where base is 0.999 and t small."""
    # With h = tanh(a/2): 1 - e^-a = 2·h/(1 + h); here a = -t·ln base, where 0 is taken for 1e-30.
    a = -log(max(base, 1e-30))
    h = g.op("Mul", exponent, g.scalar(f"{part}_half_rate", a / 2), part=f"{part}_half")
    h = g.op("Tanh", h, part=f"{part}_tanh")
    twice = g.op("Add", h, h, part=f"{part}_twice")
    return g.op("Div", twice, g.op("Add", h, g.scalar("one", 1), part=f"{part}_below"), part=part)
