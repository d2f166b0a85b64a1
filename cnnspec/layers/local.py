"""local: a convolution whose kernels are others at every place."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Sizes, View, Weight, Work, dims, need_map, product, times
from cnnspec.layers.conv import INITS
from cnnspec.layers.window import PADDING, Padding, Window, keep_hint, window
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.vocab.param import axes, choice, flag, of, whole
from cnnspec.vocab.value import Shape


class Local(Layer):
    """A locally connected layer: like `conv`, but every place has kernels and biases of its own.

    It suits pictures in which each place has its own meaning, such as aligned faces (DeepFace), and
    has as many times the parameters of a convolution as its output has places. The weights are kept
    place by place, row after row: (places, filters, numbers under the window), the last in the
    order of a convolution's kernel. There is one bias for each output place and map.
    """

    kind = "local"
    anchors = True
    positional = ("filters", "kernel")

    filters: int = whole("how many maps it makes")
    kernel: Sizes = axes("the window, as in 5x5")
    stride: Sizes = axes("how far the window moves", default=1)
    pad: Padding = of(PADDING, "zeros around the map, as for conv", default=0)
    bias: bool = flag("adds a trained number to every output", default=True)
    init: str = choice("how the kernels start", *INITS, default="he")

    def base_name(self) -> str:
        return f"local{self.filters}_{dims(self.kernel)}"

    def window(self, x: Shape) -> Window:
        return window("local", x, self.kernel, self.stride, self.pad)

    def shape(self, *xs: Shape) -> Shape:
        need_map("local", xs[0])
        return (self.filters, *self.window(xs[0]).out)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        (x,) = xs
        w = self.window(x)
        places, inputs = product(w.out), x[0] * product(w.kernel)
        bias = {"bias": Weight((self.filters, *w.out), "zeros")} if self.bias else {}
        fans = (inputs, self.filters * product(w.kernel))
        weight = Weight((places, self.filters, inputs), self.init, fans=fans)
        return {"weight": weight, **bias}

    def work(self, y: Shape, *xs: Shape) -> Work:
        macs = self.weights(*xs)["weight"].size
        return Work(macs, macs + (product(y) if self.bias else 0))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return self.window(xs[0]).views

    def dropped(self, *xs: Shape) -> Sequence[int]:
        return () if self.pad == "valid" else self.window(xs[0]).dropped

    def keep_hint(self, *xs: Shape) -> str | None:
        return keep_hint(self.pad, self.window(xs[0]))

    def sees_only_padding(self, *xs: Shape) -> bool:
        return self.window(xs[0]).sees_only_padding

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        w = self.window(x)
        kernel, places = times(w.kernel), times(y[1:])
        bias = " + 1" if self.bias else ""
        total = sum(t.size for t in self.weights(x).values())
        return [
            *w.formulas(),
            f"parameters ({kernel}·{x[0]}{bias})·{self.filters}·{places} = {total:,}",
            f"macs {kernel}·{x[0]}·{self.filters}·{places} = {self.work(y, x).macs:,}",
        ]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        x = xs[0].inner
        window = self.window(x)
        size, places = x[0] * product(window.kernel), product(window.out)
        # One output map for each number under the window, which a kernel of one 1 picks.
        picks = g.op(
            "Conv",
            xs[0],
            g.picks("picks", x[0], window.kernel),
            shape=(size, *window.out),
            part="windows",
            kernel_shape=window.kernel,
            strides=window.strides,
            pads=window.pads,
            group=x[0],
        )
        rows = g.op(
            "Reshape", picks, g.ints("rows", (0, size, places)), shape=(size, places), part="rowed"
        )
        # Y[p] = W[p] X[p], one product for each place p: (filters, size) times (size, batch).
        by_place = g.op(
            "Transpose", rows, dims=(places, size, g.batch), part="by_place", perm=(2, 1, 0)
        )
        filters = (places, self.filters, g.batch)
        sums = g.op("MatMul", w["weight"], by_place, dims=filters, part="sums")
        back = g.op("Transpose", sums, shape=(self.filters, places), part="back", perm=(2, 1, 0))
        shape = g.ints("shape", (0, *y))
        if "bias" not in w:
            return g.op("Reshape", back, shape, shape=y)
        return g.op("Add", g.op("Reshape", back, shape, shape=y, part="maps"), w["bias"], shape=y)
