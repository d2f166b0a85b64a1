"""The activations: what is done to every number by itself, or to those of a pixel together?"""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Weight, need_map
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


class Leaky(Activation):
    """The leaky rectifier: y = x above 0, slope·x below. (Maas et al., 2013)"""

    kind = "leaky"
    positional = ("slope",)

    slope: float = number("the slope below 0", least=0, default=0.01)


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


class Elu(Activation):
    """The exponential rectifier: y = x above 0, alpha·(e^x - 1) below. (Clevert et al., 2015)"""

    kind = "elu"

    alpha: float = number("how far below 0 it goes", above=0, default=1)


class Selu(Activation):
    """The self-normalising rectifier: y = 1.0507·x above 0, 1.0507·1.6733·(e^x - 1) below.

    (Klambauer et al., 2017)
    """

    kind = "selu"


# ── smooth rectifiers ──────────────────────────────────────────────────────────────────────────


class Gelu(Activation):
    """x times the normal distribution's share below it: y = x·Φ(x) = x/2·(1 + erf(x/√2)).

    `gelu tanh` is the usual approximation: x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). (Hendrycks &
    Gimpel, 2016)
    """

    kind = "gelu"
    positional = ("form",)

    form: str = choice("exact or approximated", "exact", "tanh", default="exact")


class Silu(Activation):
    """x times its sigmoid, also called swish: y = x/(1 + e^-x)."""

    kind = "silu"


class Mish(Activation):
    """A smooth rectifier: y = x·tanh(log(1 + e^x)). (Misra, 2019)"""

    kind = "mish"


class HardSwish(Activation):
    """Swish in straight lines: y = x·min(max(0, x + 3), 6)/6. (Howard et al., 2019)"""

    kind = "hswish"


class Softplus(Activation):
    """A smooth rectifier: y = log(1 + e^x)."""

    kind = "softplus"


# ── with two ends ──────────────────────────────────────────────────────────────────────────────


class Sigmoid(Activation):
    """The logistic function: y = 1/(1 + e^-x), from 0 to 1."""

    kind = "sigmoid"


class HardSigmoid(Activation):
    """The sigmoid in straight lines: y = min(max(0, x + 3), 6)/6. (Howard et al., 2019)"""

    kind = "hsigmoid"


class Tanh(Activation):
    """The hyperbolic tangent: y = (e^x - e^-x)/(e^x + e^-x), from -1 to 1."""

    kind = "tanh"


class ScaledTanh(Activation):
    """LeCun's tangent: y = a·tanh(b·x).

    With a = 1.7159 and b = 2/3 it takes 1 to 1 and -1 to -1. (LeCun et al., 1998)
    """

    kind = "scaledtanh"

    a: float = number("the amplitude", above=0, default=1.7159)
    b: float = number("the factor inside", above=0, default=2 / 3)


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


class LogSoftmax(Softmax):
    """The logarithms of softmax's probabilities: y = x - log Σ e^x."""

    kind = "logsoftmax"


# ── arithmetic ─────────────────────────────────────────────────────────────────────────────────


class Abs(Activation):
    """The number without its sign: y = |x|."""

    kind = "abs"


class Square(Activation):
    """The number times itself: y = x²."""

    kind = "square"


class Sqrt(Activation):
    """The square root: y = √max(0, x)."""

    kind = "sqrt"


class Exp(Activation):
    """The exponential function: y = e^x."""

    kind = "exp"


class Log(Activation):
    """The natural logarithm: y = log max(eps, x)."""

    kind = "log"

    eps: float = number("the least number that it is taken of", above=0, default=1e-12)


class Affine(Activation):
    """A straight line with fixed numbers: y = mul·x + add."""

    kind = "affine"

    mul: float = number("the factor", default=1)
    add: float = number("the offset", default=0)
