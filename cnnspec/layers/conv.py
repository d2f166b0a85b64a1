"""conv: a convolution over 1-D signals, 2-D images or 3-D volumes."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import (
    Layer,
    Sizes,
    View,
    Weight,
    Work,
    dims,
    divisors,
    need_map,
    product,
    times,
)
from cnnspec.layers.window import PADDING, Padding, Window, keep_hint, window
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Many, Whole, axes, choice, flag, of, whole
from cnnspec.vocab.value import Shape

INITS = ("he", "xavier", "lecun", "orthogonal", "normal", "zeros", "ones")


class Conv(Layer):
    """A convolution: every output map is a kernel slid over all input maps, plus a bias.

    What frameworks call convolution is cross-correlation: the kernel is not turned by 180 degrees.
    Input channels are inferred. A map of n pixels becomes one of ⌊(n - kernel + 2·pad)/stride⌋ + 1;
    `pad=same` keeps the size (divided by the stride and rounded up). `groups=in.channels` makes it
    depthwise. `connect` lists for each output map the input maps that it reads, counted from 0, as
    in the third layer of LeNet-5; then there is one kernel for each pair in the list.
    """

    kind = "conv"
    anchors = True
    positional = ("filters", "kernel")

    filters: int = whole("how many maps it makes")
    kernel: Sizes = axes("the window, as in 5x5")
    stride: Sizes = axes("how far the window moves", default=1)
    pad: Padding = of(
        PADDING,
        "zeros around the map: for all sides, each axis, begins and ends, or same/valid",
        default=0,
    )
    dilation: Sizes = axes("distance between the pixels under the window", default=1)
    groups: int = whole("parts that maps are split into, each seen by its own filters", default=1)
    bias: bool = flag("adds a trained number to every map", default=True)
    init: str = choice("how the kernels start", *INITS, default="he")
    connect: tuple[tuple[int, ...], ...] | None = of(
        Many(Many(Whole(0))), "for each output map the input maps that it reads", default=None
    )

    def base_name(self) -> str:
        return f"conv{self.filters}_{dims(self.kernel)}"

    def window(self, x: Shape) -> Window:
        return window("conv", x, self.kernel, self.stride, self.pad, self.dilation)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("conv", x)
        check_groups(x[0], self.filters, self.groups)
        if self.connect is not None:
            self._check_table(self.connect, x[0])
        return (self.filters, *self.window(x).out)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        (x,) = xs
        kernel = self.window(x).kernel
        bias = {"bias": Weight((self.filters,), "zeros")} if self.bias else {}
        if self.connect is not None:
            # One kernel for each pair in the table, in its order.
            pairs, places = self._pairs(x[0]), product(kernel)
            fans = (pairs * places / self.filters, pairs * places / x[0])
            return {"weight": Weight((pairs, *kernel), self.init, fans=fans), **bias}
        return {"weight": Weight((self.filters, x[0] // self.groups, *kernel), self.init), **bias}

    def work(self, y: Shape, *xs: Shape) -> Work:
        (x,) = xs
        places = product(y[1:])
        macs = self._pairs(x[0]) * product(self.window(x).kernel) * places
        return Work(macs, macs + (self.filters * places if self.bias else 0))

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
        kernel = times(w.kernel)
        bias = " + 1" if self.bias else ""
        total = sum(t.size for t in self.weights(x).values())
        if self.connect is not None:
            bias = f" + {self.filters}" if self.bias else ""
            parameters = f"{kernel}·{self._pairs(x[0])}{bias} = {total:,}"
        else:
            parameters = f"({kernel}·{x[0] // self.groups}{bias})·{self.filters} = {total:,}"
        macs = f"{kernel}·{self._pairs(x[0]):,}·{times(y[1:])} = {self.work(y, x).macs:,}"
        return [*w.formulas(), f"parameters {parameters}", f"macs {macs}"]

    def _pairs(self, channels: int) -> int:
        """How many (input map, output map) pairs have a kernel."""
        if self.connect is not None:
            return sum(len(row) for row in self.connect)
        return channels // self.groups * self.filters

    def _check_table(self, table: tuple[tuple[int, ...], ...], channels: int) -> None:
        wrong: str | None = None
        if self.groups != 1:
            wrong = "`connect` and `groups` both say which maps are read"
        elif len(table) != self.filters:
            wrong = f"`connect` has {len(table)} rows for {self.filters} filters"
        elif any(len(set(row)) != len(row) for row in table):
            wrong = "a row of `connect` names an input map twice"
        elif (highest := max(max(row) for row in table)) >= channels:
            wrong = f"`connect` names input map {highest}; there are maps 0 to {channels - 1}"
        if wrong:
            raise Refusal("wrong-table", wrong, param="connect")

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        window = self.window(xs[0].inner)
        return g.op(
            "Conv",
            xs[0],
            self._kernels(g, xs[0].inner[0], w["weight"]),
            w.get("bias"),
            shape=y,
            kernel_shape=window.kernel,
            strides=window.strides,
            pads=window.pads,
            dilations=window.dilations,
            group=self.groups,
        )

    def _kernels(self, g: Builder, channels: int, weight: Value) -> Value:
        """The kernels as ONNX wants them: with a table, zeros where an output map reads nothing."""
        if self.connect is None:
            return weight
        kernel = [n for n in weight.shape[1:] if isinstance(n, int)]
        pairs = [n for row, inputs in enumerate(self.connect) for i in inputs for n in (row, i)]
        empty = (self.filters, channels, *kernel)
        return g.op(
            "ScatterND",
            g.zeros("unconnected", empty),
            g.ints("connect", pairs, (len(pairs) // 2, 2)),
            weight,
            dims=empty,
            part="kernels",
        )


def check_groups(inputs: int, outputs: int, groups: int) -> None:
    """Refuse groups that do not divide the maps that come in and those that go out."""
    for what, n in (("input", inputs), ("output", outputs)):
        if n % groups:
            raise Refusal(
                "indivisible-groups",
                f"{n} {what} channels do not split into {groups} equal groups",
                param="groups",
                hint=f"{n} divides by {divisors(n)}",
            )
