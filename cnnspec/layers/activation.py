"""The activations: what is done to every number by itself, or to those of a pixel together?"""

from collections.abc import Mapping, Sequence
from math import pi, sqrt

from cnnspec.layers.base import Layer, Weight, need_map, product
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice, flag, number
from cnnspec.vocab.value import Shape, show


class Activation(Layer):
    """Base of what keeps the shape and belongs to the unit before it."""

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]


# ── rectifiers ─────────────────────────────────────────────────────────────────────────────────


class Relu(Activation):
    """The rectifier: y = max(0, x).

    `relu max=6` also has an upper end: y = min(max(0, x), 6), known as ReLU6.
    """

    kind = "relu"

    max: float | None = number("the upper end, if there is one", above=0, default=None)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        if self.max is None:
            return g.op("Relu", xs[0])
        return g.op("Clip", xs[0], g.scalar("min", 0), g.scalar("max", self.max))


class Leaky(Activation):
    """The leaky rectifier: y = x above 0, slope·x below. (Maas et al., 2013)"""

    kind = "leaky"
    positional = ("slope",)

    slope: float = number("the slope below 0", least=0, default=0.01)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("LeakyRelu", xs[0], alpha=float(self.slope))


class Prelu(Activation):
    """The rectifier with a trained slope: y = x above 0, slope·x below.

    There is one slope for each channel; with `shared=yes` one for all. (He et al., 2015)
    """

    kind = "prelu"

    shared: bool = flag("has one slope for all channels", default=False)
    init: float = number("what the slopes start at", default=0.25)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        size = (1,) if self.shared else xs[0][:1]
        return {"slope": Weight(size, "constant", value=self.init)}

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        n = self.weights(*xs)["slope"].size
        return [f"parameters 1·{n:,} = {n:,}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("PRelu", xs[0], g.by_channel(w["slope"], len(y)))


class Elu(Activation):
    """The exponential rectifier: y = x above 0, alpha·(e^x - 1) below. (Clevert et al., 2015)"""

    kind = "elu"

    alpha: float = number("how far below 0 it goes", above=0, default=1)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Elu", xs[0], alpha=float(self.alpha))


class Selu(Activation):
    """The self-normalising rectifier: y = 1.0507·x above 0, 1.0507·1.6733·(e^x - 1) below.

    (Klambauer et al., 2017)
    """

    kind = "selu"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Selu", xs[0])


# ── smooth rectifiers ──────────────────────────────────────────────────────────────────────────


class Gelu(Activation):
    """x times the normal distribution's share below it: y = x·Φ(x) = x/2·(1 + erf(x/√2)).

    `gelu tanh` is the usual approximation: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). (Hendrycks &
    Gimpel, 2016)
    """

    kind = "gelu"
    positional = ("form",)

    form: str = choice("exact or approximated", "exact", "tanh", default="exact")

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if g.opset >= 20:
            return g.op("Gelu", x, approximate="tanh" if self.form == "tanh" else None)
        if self.form == "exact":
            inner = g.op("Div", x, g.scalar("root2", sqrt(2)), part="inner")
            share = g.op("Erf", inner, part="share")
        else:
            cube = g.op("Pow", x, g.scalar("three", 3), part="cube")
            bent = g.op("Mul", cube, g.scalar("bend", 0.044715), part="bent")
            sums = g.op("Add", x, bent, part="sum")
            inner = g.op("Mul", sums, g.scalar("root", sqrt(2 / pi)), part="inner")
            share = g.op("Tanh", inner, part="share")
        doubled = g.op(
            "Mul", x, g.op("Add", share, g.scalar("one", 1), part="sides"), part="doubled"
        )
        return g.op("Mul", doubled, g.scalar("half", 0.5))


class Silu(Activation):
    """x times its sigmoid, also called swish: y = x/(1 + e^-x)."""

    kind = "silu"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Mul", xs[0], g.op("Sigmoid", xs[0], part="sigmoid"))


class Mish(Activation):
    """A smooth rectifier: y = x·tanh(log(1 + e^x)). (Misra, 2019)"""

    kind = "mish"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if g.opset >= 18:
            return g.op("Mish", x)
        return g.op("Mul", x, g.op("Tanh", g.op("Softplus", x, part="softplus"), part="tanh"))


class HardSwish(Activation):
    """Swish in straight lines: y = x·min(max(0, x + 3), 6)/6. (Howard et al., 2019)"""

    kind = "hswish"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if g.opset >= 14:
            return g.op("HardSwish", x)
        return g.op("Mul", x, g.op("HardSigmoid", x, part="gate", alpha=1 / 6, beta=0.5))


class Softplus(Activation):
    """A smooth rectifier: y = log(1 + e^x)."""

    kind = "softplus"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Softplus", xs[0])


# ── with two ends ──────────────────────────────────────────────────────────────────────────────


class Sigmoid(Activation):
    """The logistic function: y = 1/(1 + e^-x), from 0 to 1."""

    kind = "sigmoid"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Sigmoid", xs[0])


class HardSigmoid(Activation):
    """The sigmoid in straight lines: y = min(max(0, x + 3), 6)/6. (Howard et al., 2019)"""

    kind = "hsigmoid"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("HardSigmoid", xs[0], alpha=1 / 6, beta=0.5)


class Tanh(Activation):
    """The hyperbolic tangent: y = (e^x - e^-x)/(e^x + e^-x), from -1 to 1."""

    kind = "tanh"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Tanh", xs[0])


class ScaledTanh(Activation):
    """LeCun's tangent: y = a·tanh(b·x).

    With a = 1.7159 and b = 2/3 it takes 1 to 1 and -1 to -1. (LeCun et al., 1998)
    """

    kind = "scaledtanh"

    a: float = number("the amplitude", above=0, default=1.7159)
    b: float = number("the factor inside", above=0, default=2 / 3)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        inner = g.op("Mul", xs[0], g.scalar("b", self.b), part="inner")
        return g.op("Mul", g.op("Tanh", inner, part="tanh"), g.scalar("a", self.a))


class Clip(Activation):
    """The number, kept between two ends: y = min(max(low, x), high)."""

    kind = "clip"
    positional = ("low", "high")

    low: float = number("the lower end")
    high: float = number("the upper end")

    def shape(self, *xs: Shape) -> Shape:
        if self.low >= self.high:
            raise Refusal(
                "wrong-argument",
                f"the lower end of `clip`, {show(self.low)}, is not below the upper end, "
                f"{show(self.high)}",
                param="low",
            )
        return xs[0]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Clip", xs[0], g.scalar("low", self.low), g.scalar("high", self.high))


# ── probabilities ──────────────────────────────────────────────────────────────────────────────


class Softmax(Activation):
    """Probabilities: y = e^x/Σ e^x, over the channels of each pixel, or over a flat vector.

    With `axis=pixels` the sum goes over the pixels of each map.
    """

    kind = "softmax"

    axis: str = choice("what sums to 1", "channels", "pixels", default="channels")

    def shape(self, *xs: Shape) -> Shape:
        if self.axis == "pixels":
            need_map(f"{self.kind} axis=pixels", xs[0])
        return xs[0]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        op = "LogSoftmax" if self.kind == "logsoftmax" else "Softmax"
        if self.axis == "channels" or len(y) == 2:
            return g.op(op, x, axis=1 if self.axis == "channels" else 2)
        # Over several axes at once: written as one.
        places = product(y[1:])
        row = g.op("Reshape", x, g.ints("row", (0, 0, -1)), shape=(y[0], places), part="rows")
        row = g.op(op, row, part="shares", axis=2)
        return g.op("Reshape", row, g.ints("shape", (0, *y)), shape=y)


class LogSoftmax(Softmax):
    """The logarithms of softmax's probabilities: y = x - log Σ e^x."""

    kind = "logsoftmax"


# ── arithmetic ─────────────────────────────────────────────────────────────────────────────────


class Abs(Activation):
    """The number without its sign: y = |x|."""

    kind = "abs"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Abs", xs[0])


class Square(Activation):
    """The number times itself: y = x²."""

    kind = "square"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Mul", xs[0], xs[0])


class Sqrt(Activation):
    """The square root: y = √max(0, x)."""

    kind = "sqrt"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Sqrt", g.op("Relu", xs[0], part="positive"))


class Exp(Activation):
    """The exponential function: y = e^x."""

    kind = "exp"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Exp", xs[0])


class Log(Activation):
    """The natural logarithm: y = log max(eps, x)."""

    kind = "log"

    eps: float = number("the least number that it is taken of", above=0, default=1e-12)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Log", g.op("Clip", xs[0], g.scalar("eps", self.eps), part="positive"))


class Affine(Activation):
    """A straight line with fixed numbers: y = mul·x + add."""

    kind = "affine"

    mul: float = number("the factor", default=1)
    add: float = number("the offset", default=0)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if self.mul != 1:
            x = g.op("Mul", x, g.scalar("mul", self.mul), part="product" if self.add else "")
        return g.op("Add", x, g.scalar("add", self.add)) if self.add else x
