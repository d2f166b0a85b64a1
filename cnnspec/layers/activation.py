"""The activations: functions of one number, and softmax."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Weight
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice, flag, number
from cnnspec.vocab.value import Shape


class Activation(Layer):
    """Base of what is applied to every number by itself and keeps the shape."""

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]


class Sigmoid(Activation):
    """The logistic function: 1/(1 + e^-x), from 0 to 1."""

    kind = "sigmoid"


class Tanh(Activation):
    """The hyperbolic tangent: from -1 to 1."""

    kind = "tanh"


class ScaledTanh(Activation):
    """LeCun's tangent: a·tanh(b·x), with a = 1.7159 and b = 2/3, so that f(±1) = ±1."""

    kind = "scaledtanh"

    a: float = number("the amplitude", above=0, default=1.7159)
    b: float = number("the slope at 0, over the amplitude", above=0, default=2 / 3)


class Relu(Activation):
    """The rectifier: max(0, x); `relu max=6` also has an upper end (ReLU6)."""

    kind = "relu"

    max: float | None = number("the upper end", above=0, default=None)


class Leaky(Activation):
    """The leaky rectifier: x above 0, slope·x below."""

    kind = "leaky"
    positional = ("slope",)

    slope: float = number("the slope below 0", least=0, default=0.01)


class Prelu(Activation):
    """The leaky rectifier with a trained slope, one for each channel or one for all. (He et al.,
    2015)"""

    kind = "prelu"

    shared: bool = flag("has one slope for all channels", default=False)
    init: float = number("what the slopes start at", default=0.25)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return {"slope": Weight((1 if self.shared else xs[0][0],), "constant", value=self.init)}

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"parameters {self.weights(*xs)['slope'].size:,}"]


class Elu(Activation):
    """The exponential rectifier: x above 0, alpha·(e^x - 1) below."""

    kind = "elu"

    alpha: float = number("minus the lower end", above=0, default=1)


class Selu(Activation):
    """The self-normalising rectifier: 1.0507·elu(x) with alpha = 1.6733."""

    kind = "selu"


class Gelu(Activation):
    """x·Φ(x), with the normal distribution's Φ; `gelu tanh` is the usual approximation."""

    kind = "gelu"
    positional = ("form",)

    form: str = choice("exact or approximated", "exact", "tanh", default="exact")


class Silu(Activation):
    """x·sigmoid(x), also called swish."""

    kind = "silu"


class HardSwish(Activation):
    """x·min(max(0, x + 3), 6)/6: swish in straight lines."""

    kind = "hswish"


class HardSigmoid(Activation):
    """min(max(0, x + 3), 6)/6: the sigmoid in straight lines."""

    kind = "hsigmoid"


class Softplus(Activation):
    """log(1 + e^x): a smooth rectifier."""

    kind = "softplus"


class Mish(Activation):
    """x·tanh(softplus(x))."""

    kind = "mish"


class Abs(Activation):
    """The number without its sign."""

    kind = "abs"


class Square(Activation):
    """x²."""

    kind = "square"


class Sqrt(Activation):
    """√max(x, 0)."""

    kind = "sqrt"


class Exp(Activation):
    """e^x."""

    kind = "exp"


class Log(Activation):
    """log max(x, eps), the natural logarithm."""

    kind = "log"

    eps: float = number("the least number that it is taken of", above=0, default=1e-12)


class Affine(Activation):
    """mul·x + add, with fixed numbers."""

    kind = "affine"

    mul: float = number("the factor", default=1)
    add: float = number("the offset", default=0)


class Clip(Activation):
    """The number, kept between two ends."""

    kind = "clip"
    positional = ("low", "high")

    low: float = number("the lower end")
    high: float = number("the upper end")

    def shape(self, *xs: Shape) -> Shape:
        if self.low >= self.high:
            raise Refusal(
                "wrong-argument",
                f"the lower end {self.low:g} is not below the upper end {self.high:g}",
                param="low",
            )
        return xs[0]


class Softmax(Activation):
    """Probabilities: e^x over its sum, over the channels at each place or over a flat vector."""

    kind = "softmax"


class LogSoftmax(Activation):
    """The logarithms of softmax's probabilities."""

    kind = "logsoftmax"
