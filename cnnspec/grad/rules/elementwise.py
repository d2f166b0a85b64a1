"""Operators that go number by number: y = f(x), so dx = dy·f'(x)."""

from collections.abc import Mapping
from math import pi, sqrt

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.onnxir.graph import Value

STEEP = 1e38
"""max(0, min(1, STEEP·x)) is 1 above 0 and 0 elsewhere: a step in two passes over memory, where
comparing, casting and choosing take more (and `Where` and `Sign` are slow kernels)."""

LEAST = 1e-19
"""The root of the smallest normal float32."""


def step(g: Adjoint, x: Value) -> Value:
    """1 where x > 0, otherwise 0."""
    return g.op("HardSigmoid", x, part="step", alpha=STEEP, beta=0.0)


def between(g: Adjoint, x: Value, low: float, high: float) -> Value:
    """1 where low < x < high, otherwise 0."""
    above = step(g, g.op("Sub", x, g.scalar("low", low)))
    below = step(g, g.op("Sub", g.scalar("high", high), x))
    return g.op("Mul", above, below, part="between")


# ── arithmetic ─────────────────────────────────────────────────────────────────────────────────


def add(g: Adjoint, dy: Value, n: Use) -> Grads:
    return [dy for _ in n.x]


def sub(g: Adjoint, dy: Value, n: Use) -> Grads:
    return dy, g.op("Neg", dy)


def mul(g: Adjoint, dy: Value, n: Use) -> Grads:
    a, b = n.input(0), n.input(1)
    if a.name == b.name:
        # y = x², once for both.
        return g.op("Mul", g.op("Mul", dy, a), g.scalar("two", 2)), None
    return g.op("Mul", dy, b), g.op("Mul", dy, a)


def div(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = a/b ⇒ da = dy/b, db = -dy·a/b² = -(dy/b)·y
    da = g.op("Div", dy, n.input(1))
    return da, g.op("Neg", g.op("Mul", da, n.y[0]))


def power(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = x^p with a fixed p ⇒ dx = dy·p·x^(p-1). For p from 0 to 1 it is as steep at 0 as a root,
    # and not infinite for the same reason.
    x, p = n.input(0), n.input(1)
    if n.is_constant(1) and all(0 < k < 1 for k in n.constant(1).flat):
        x = g.op("Max", x, g.scalar("least", LEAST))
    less = g.op("Sub", p, g.scalar("one", 1))
    slope = g.op("Mul", p, g.op("Pow", x, less))
    return g.op("Mul", dy, slope), None


def mean(g: Adjoint, dy: Value, n: Use) -> Grads:
    share = g.op("Mul", dy, g.scalar("share", 1 / len(n.x)))
    return [share for _ in n.x]


def extreme(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Where several are the largest (smallest), each gets an equal share.
    hits = [
        g.op("Cast", g.op("Equal", n.input(i), n.y[0], dtype="bool"), dtype="float", to=1)
        for i in range(len(n.x))
    ]
    count = g.op("Sum", *hits)
    share = g.op("Div", dy, count)
    return [g.op("Mul", share, hit) for hit in hits]


def neg(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Neg", dy),)


def absolute(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Mul", dy, g.op("Sign", n.input(0))),)


def square_root(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = √x ⇒ dx = dy/2y. At 0 it is steep but not infinite: a rectifier before it has a slope of 0
    # there, and 0·∞ is no number.
    y = g.op("Max", n.y[0], g.scalar("least", LEAST))
    return (g.op("Div", g.op("Mul", dy, g.scalar("half", 0.5)), y),)


def exponential(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Mul", dy, n.y[0]),)


def logarithm(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Div", dy, n.input(0)),)


def erf(g: Adjoint, dy: Value, n: Use) -> Grads:
    # d erf(x) = 2/√π·e^(-x²)
    bell = g.op("Exp", g.op("Neg", g.op("Mul", n.input(0), n.input(0))))
    return (g.op("Mul", dy, g.op("Mul", bell, g.scalar("two_over_root_pi", 2 / sqrt(pi)))),)


def clip(g: Adjoint, dy: Value, n: Use) -> Grads:
    # 1 inside, 0 outside; at the ends, where both are right, 0.
    x = n.input(0)
    inside: Value | None = None
    for end, is_low in zip(n.x[1:], (True, False), strict=False):
        if end is not None:
            apart = g.op("Sub", x, end) if is_low else g.op("Sub", end, x)
            here = step(g, apart)
            inside = here if inside is None else g.op("Mul", inside, here)
    return (dy if inside is None else g.op("Mul", dy, inside),)


def cast(g: Adjoint, dy: Value, n: Use) -> Grads:
    x = n.input(0)
    codes = {"float": 1, "float16": 10, "double": 11}
    return (g.op("Cast", dy, dtype=x.dtype, to=codes[x.dtype]) if x.dtype in codes else None,)


def identity(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (dy,)


# ── activations ────────────────────────────────────────────────────────────────────────────────


def relu(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Mul", dy, step(g, n.y[0])),)


def leaky(g: Adjoint, dy: Value, n: Use) -> Grads:
    # slope + (1 - slope)·[x > 0]
    slope = n.number("alpha", 0.01)
    above = g.op("Mul", step(g, n.input(0)), g.scalar("rise", 1 - slope))
    return (g.op("Mul", dy, g.op("Add", above, g.scalar("slope", slope))),)


def prelu(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = max(0, x) + slope·min(0, x)
    x, slope = n.input(0), n.input(1)
    above = step(g, x)
    below = g.op("Sub", g.scalar("one", 1), above)
    dx = g.op("Mul", dy, g.op("Add", above, g.op("Mul", below, slope)))
    return dx, g.op("Mul", dy, g.op("Mul", x, below))


def elu(g: Adjoint, dy: Value, n: Use) -> Grads:
    # above 0: 1; below: alpha·e^x = y + alpha
    return (_curved(g, dy, n, 1.0, n.number("alpha", 1)),)


def selu(g: Adjoint, dy: Value, n: Use) -> Grads:
    alpha, gamma = n.number("alpha", 1.67326319217681884765625), n.number("gamma", 1.0507009983)
    return (_curved(g, dy, n, gamma, alpha * gamma),)


def _curved(g: Adjoint, dy: Value, n: Use, above: float, below: float) -> Value:
    """dy·(above where x > 0, otherwise y + below)."""
    up = step(g, n.input(0))
    down = g.op("Sub", g.scalar("one", 1), up)
    bend = g.op("Mul", down, g.op("Add", n.y[0], g.scalar("below", below)))
    slope = g.op("Add", g.op("Mul", up, g.scalar("above", above)), bend)
    return g.op("Mul", dy, slope)


def sigmoid(g: Adjoint, dy: Value, n: Use) -> Grads:
    y = n.y[0]
    return (g.op("Mul", dy, g.op("Mul", y, g.op("Sub", g.scalar("one", 1), y))),)


def tanh(g: Adjoint, dy: Value, n: Use) -> Grads:
    y = n.y[0]
    return (g.op("Mul", dy, g.op("Sub", g.scalar("one", 1), g.op("Mul", y, y))),)


def softplus(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (g.op("Mul", dy, g.op("Sigmoid", n.input(0))),)


def hard_sigmoid(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = max(0, min(1, alpha·x + beta))
    inside = between(g, n.y[0], 0, 1)
    return (g.op("Mul", dy, g.op("Mul", inside, g.scalar("alpha", n.number("alpha", 0.2)))),)


def hard_swish(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = x·h, h = max(0, min(1, x/6 + 1/2)) ⇒ dx = dy·(h + x/6·[0 < h < 1])
    x = n.input(0)
    gate = g.op("HardSigmoid", x, part="gate", alpha=1 / 6, beta=0.5)
    ramp = g.op("Mul", g.op("Mul", x, g.scalar("sixth", 1 / 6)), between(g, gate, 0, 1))
    return (g.op("Mul", dy, g.op("Add", gate, ramp)),)


def mish(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = x·t, t = tanh(softplus(x)) ⇒ dx = dy·(t + x·(1 - t²)·sigmoid(x))
    x = n.input(0)
    t = g.op("Tanh", g.op("Softplus", x))
    rest = g.op("Sub", g.scalar("one", 1), g.op("Mul", t, t))
    slope = g.op("Mul", g.op("Mul", x, rest), g.op("Sigmoid", x))
    return (g.op("Mul", dy, g.op("Add", t, slope)),)


def gelu(g: Adjoint, dy: Value, n: Use) -> Grads:
    x = n.input(0)
    if n.word("approximate", "none") == "none":
        # y = x·Φ(x) ⇒ dx = dy·(Φ + x·φ), φ = e^(-x²/2)/√(2π)
        erf = g.op("Erf", g.op("Mul", x, g.scalar("root_half", sqrt(0.5))))
        half = g.scalar("half", 0.5)
        share = g.op("Add", g.op("Mul", erf, half), half, part="share")
        bell = g.op("Exp", g.op("Mul", g.op("Mul", x, x), g.scalar("minus_half", -0.5)))
        density = g.op("Mul", bell, g.scalar("height", 1 / sqrt(2 * pi)))
        return (g.op("Mul", dy, g.op("Add", share, g.op("Mul", x, density))),)
    # y = x/2·(1 + t), t = tanh(u), u = c·(x + k·x³) ⇒ y' = (1 + t)/2 + x/2·(1 - t²)·c·(1 + 3k·x²)
    c, k = sqrt(2 / pi), 0.044715
    square = g.op("Mul", x, x)
    one, half = g.scalar("one", 1), g.scalar("half", 0.5)
    bent = g.op("Add", g.op("Mul", square, g.scalar("bend", c * k)), g.scalar("c", c))
    t = g.op("Tanh", g.op("Mul", x, bent))
    inner = g.op("Add", g.op("Mul", square, g.scalar("bend3", 3 * c * k)), g.scalar("c", c))
    steep = g.op("Mul", g.op("Sub", one, g.op("Mul", t, t)), g.op("Mul", x, inner))
    slope = g.op("Mul", g.op("Add", g.op("Add", t, one), steep), half)
    return (g.op("Mul", dy, slope),)


RULES: Mapping[str, Rule] = {
    "Add": add,
    "Sum": add,
    "Sub": sub,
    "Mul": mul,
    "Div": div,
    "Pow": power,
    "Mean": mean,
    "Max": extreme,
    "Min": extreme,
    "Neg": neg,
    "Abs": absolute,
    "Sqrt": square_root,
    "Exp": exponential,
    "Log": logarithm,
    "Erf": erf,
    "Clip": clip,
    "Cast": cast,
    "Identity": identity,
    "Relu": relu,
    "LeakyRelu": leaky,
    "PRelu": prelu,
    "Elu": elu,
    "Selu": selu,
    "Sigmoid": sigmoid,
    "Tanh": tanh,
    "Softplus": softplus,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": hard_swish,
    "Mish": mish,
    "Gelu": gelu,
}
