"""dropout, droppath: what is left out at random, in training only?"""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer
from cnnspec.layers.source import FLOAT
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.vocab.param import flag, number
from cnnspec.vocab.value import Shape


class Dropout(Layer):
    """In training y = x·b/(1 - rate), where each b is 0 with the chance `rate`, else 1; then y = x.

    With `channels=yes` whole maps are left out (spatial dropout). (Srivastava et al., 2014; Tompson
    et al., 2015)
    """

    kind = "dropout"
    positional = ("rate",)

    rate: float = number("the share that is left out", least=0, below=1, default=0.5)
    channels: bool = flag("leaves out whole channels rather than single numbers", default=False)

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        if not g.is_training or not self.rate:
            return xs[0]
        return left_out(g, xs[0], self.rate, 2 if self.channels else len(xs[0].shape))


class DropPath(Layer):
    """In training y = x·b/(1 - rate) with one b for each whole example; afterwards y = x.

    At the end of a residual branch it skips the branch at random (stochastic depth). (Huang et al.,
    2016)
    """

    kind = "droppath"
    positional = ("rate",)

    rate: float = number("the share of examples that are left out", least=0, below=1, default=0.1)

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return left_out(g, xs[0], self.rate, 1) if g.is_training and self.rate else xs[0]


def left_out(g: Builder, x: Value, rate: float, axes: int) -> Value:
    """x·b/(1 - rate), with a random b of 0 or 1 for each place on the first axes."""
    dims = (*x.shape[:axes], *(1 for _ in x.shape[axes:]))
    kept = g.op("Cast", g.chance(dims, 1 - rate), dtype="float", part="kept", to=FLOAT)
    scaled = g.op("Mul", kept, g.scalar("scale", 1 / (1 - rate)), part="mask")
    return g.op("Mul", x, scaled)
