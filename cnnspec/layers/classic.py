"""subsampling, rbf: the layers of LeNet-5 (1998) that later networks left behind."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import (
    Layer,
    Sizes,
    View,
    Weight,
    Work,
    need_map,
    need_vector,
    product,
    times,
)
from cnnspec.layers.codes import CODES
from cnnspec.layers.pool import unmerged
from cnnspec.layers.window import Window, window
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import axes, choice, whole
from cnnspec.vocab.value import Shape


class Subsampling(Layer):
    """LeNet-5's trained pooling: each window's sum times a coefficient, plus a bias.

    One coefficient and one bias for each map; the stride is the window's size unless given. The
    coefficient starts such that the layer begins as the mean of the window. An activation follows,
    in the paper the scaled tangent: `subsampling 2x2 -> scaledtanh`. (LeCun et al., 1998)
    """

    kind = "subsampling"
    positional = ("kernel",)

    kernel: Sizes = axes("the window, as in 2x2")
    stride: Sizes | None = axes("how far the window moves; by default its own size", default=None)
    how: str = choice("what the coefficient multiplies", "sum", "mean", default="sum")

    def window(self, x: Shape) -> Window:
        stride = self.kernel if self.stride is None else self.stride
        return window("subsampling", x, self.kernel, stride, can_pad=False)

    def shape(self, *xs: Shape) -> Shape:
        need_map("subsampling", xs[0])
        return (xs[0][0], *self.window(xs[0]).out)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        (x,) = xs
        start = 1.0 if self.how == "mean" else 1 / product(self.window(x).kernel)
        coefficient = Weight((x[0],), "constant", value=start)
        return {"coefficient": coefficient, "bias": Weight((x[0],), "zeros")}

    def work(self, y: Shape, *xs: Shape) -> Work:
        return Work(0, (product(self.window(xs[0]).kernel) + 1) * product(y))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return self.window(xs[0]).views

    def dropped(self, *xs: Shape) -> Sequence[int]:
        return self.window(xs[0]).dropped

    def keep_hint(self, *xs: Shape) -> str | None:
        return self.window(xs[0]).crop_hint()

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        w = self.window(xs[0])
        connections = self.work(y, *xs).connections
        return [
            *w.formulas(),
            f"parameters (1 + 1)·{y[0]} = {2 * y[0]:,}",
            f"connections ({times(w.kernel)} + 1)·{times(y)} = {connections:,}",
        ]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        window = self.window(xs[0].inner)
        if self.how == "sum":
            # A depthwise convolution whose kernel is the coefficient at every place.
            kernel = (y[0], 1, *window.kernel)
            column = g.by_channel(w["coefficient"], len(kernel))
            spread = g.op("Expand", column, g.ints("size", kernel), dims=kernel, part="spread")
            return g.op(
                "Conv",
                xs[0],
                spread,
                w["bias"],
                shape=y,
                kernel_shape=window.kernel,
                strides=window.strides,
                group=y[0],
            )
        means = g.op(
            "AveragePool",
            unmerged(g, xs[0]),
            shape=y,
            part="means",
            kernel_shape=window.kernel,
            strides=window.strides,
        )
        scaled = g.op("Mul", means, g.by_channel(w["coefficient"], len(y)), part="scaled")
        return g.op("Add", scaled, g.by_channel(w["bias"], len(y)))


class Rbf(Layer):
    """LeNet-5's output: the squared distance of its 84 inputs to a fixed code for each class.

    The codes are pictures of the digits, 7 by 12, black 1 and white -1, so that similar digits have
    similar codes. They are drawn in the manner of the paper's and are not the paper's own. The
    smallest distance wins. Nothing of it is trained. (LeCun et al., 1998)
    """

    kind = "rbf"
    positional = ("units",)

    units: int = whole("how many classes, at most the ten digits", most=len(CODES), default=10)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_vector("rbf", x)
        if x[0] != len(CODES[0]):
            raise Refusal(
                "wrong-size",
                f"a code has 7·12 = {len(CODES[0])} numbers; {x[0]} reach `rbf`",
                hint=f"put `fc {len(CODES[0])}` before it",
            )
        return (self.units,)

    @property
    def is_global(self) -> bool:
        return True

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return {"codes": Weight((self.units, len(CODES[0])), "codes", trained=False)}

    def work(self, y: Shape, *xs: Shape) -> Work:
        return Work(0, xs[0][0] * self.units)

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"connections {xs[0][0]}·{self.units} = {xs[0][0] * self.units:,}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        size = xs[0].inner[0]
        one = g.op("Unsqueeze", xs[0], g.ints("axis", (1,)), shape=(1, size), part="one")
        apart = g.op("Sub", one, w["codes"], shape=(*y, size), part="apart")
        return g.reduce("ReduceSumSquare", apart, (2,), shape=y, keepdims=0)
