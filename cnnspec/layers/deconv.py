"""deconv: a transposed convolution, which makes maps larger."""

from collections.abc import Mapping, Sequence
from math import gcd

from cnnspec.layers.base import (
    Layer,
    Sizes,
    View,
    Weight,
    Work,
    dims,
    need_map,
    per_axis,
    per_side,
    product,
    times,
)
from cnnspec.layers.conv import INITS, check_groups
from cnnspec.layers.window import PADDING, Padding, axis_names, by_axis
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.text.record import record
from cnnspec.vocab.param import axes, choice, flag, of, whole
from cnnspec.vocab.value import Shape


@record
class Spread:
    """How the kernels of a transposed convolution spread along one axis of `n` pixels."""

    n: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    extra: int
    """Pixels added at the end of the output."""

    @property
    def extent(self) -> int:
        """From the first to the last pixel that a kernel covers."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def out(self) -> int:
        return (self.n - 1) * self.stride - self.begin - self.end + self.extent + self.extra

    @property
    def view(self) -> View:
        # Output pixel o is reached from input pixel i by tap t: o + begin = i·stride + t·dilation.
        # Taps that share an o lie stride/gcd(stride, dilation) apart, and the farthest apart of
        # them come from the input pixels farthest apart.
        apart = self.stride // gcd(self.stride, self.dilation)
        taps = (self.kernel - 1) // apart * apart
        start = -((self.extent - 1 - self.begin) // self.stride)
        return View(taps * self.dilation // self.stride + 1, 1 / self.stride, start)

    def formula(self) -> str:
        """`(14 - 1)·2 - 2·0 + 2 = 28`."""
        kernel = (
            str(self.extent) if self.dilation == 1 else f"({self.dilation}·{self.kernel - 1} + 1)"
        )
        pads = f"2·{self.begin}" if self.begin == self.end else f"{self.begin} - {self.end}"
        extra = f" + {self.extra}" if self.extra else ""
        return f"({self.n} - 1)·{self.stride} - {pads} + {kernel}{extra} = {self.out}"


class Deconv(Layer):
    """A transposed convolution: every input pixel puts a kernel, weighted, onto the output map.

    The size grows from n to (n - 1)·stride - 2·pad + kernel + output_pad; `pad=same` gives
    n·stride. It is the gradient of a convolution with respect to its input, and serves to enlarge
    maps again: `deconv 64 2x2 stride=2` doubles them. Where the stride does not divide the kernel,
    some pixels are reached by more kernels than others, which shows as a checkerboard.
    """

    kind = "deconv"
    anchors = True
    positional = ("filters", "kernel")

    filters: int = whole("how many maps it makes")
    kernel: Sizes = axes("the window, as in 2x2")
    stride: Sizes = axes("how far the window moves on the output", default=1)
    pad: Padding = of(PADDING, "pixels taken off the output's border, as for conv", default=0)
    output_pad: Sizes = axes("pixels added at the output's end", least=0, default=0)
    dilation: Sizes = axes("distance between the pixels under the window", default=1)
    groups: int = whole("parts that maps are split into, each seen by its own filters", default=1)
    bias: bool = flag("adds a trained number to every map", default=True)
    init: str = choice("how the kernels start", *INITS, default="he")

    def base_name(self) -> str:
        return f"deconv{self.filters}_{dims(self.kernel)}"

    def spreads(self, x: Shape) -> list[Spread]:
        """One for each spatial axis."""
        rank = len(x) - 1
        kernels = per_axis(self.kernel, rank, "kernel", "deconv")
        strides = per_axis(self.stride, rank, "stride", "deconv")
        dilations = per_axis(self.dilation, rank, "dilation", "deconv")
        extras = per_axis(self.output_pad, rank, "output_pad", "deconv")
        begins, ends = per_side(0 if isinstance(self.pad, str) else self.pad, rank, "pad", "deconv")
        columns = zip(x[1:], kernels, strides, dilations, begins, ends, extras, strict=True)
        plain = [Spread(*values) for values in columns]
        return [_same(s) for s in plain] if self.pad == "same" else plain

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("deconv", x)
        check_groups(x[0], self.filters, self.groups)
        spreads = self.spreads(x)
        for name, spread in zip(axis_names(len(spreads)), spreads, strict=True):
            self._check(name, spread)
        return (self.filters, *(s.out for s in spreads))

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        (x,) = xs
        kernel = per_axis(self.kernel, len(x) - 1, "kernel", "deconv")
        bias = {"bias": Weight((self.filters,), "zeros")} if self.bias else {}
        each = self.filters // self.groups
        # With a stride, only one of so many taps meets an output pixel.
        taps = product(kernel) / product(per_axis(self.stride, len(x) - 1, "stride", "deconv"))
        fans = (x[0] // self.groups * max(taps, 1), each * product(kernel))
        return {"weight": Weight((x[0], each, *kernel), self.init, fans=fans), **bias}

    def work(self, y: Shape, *xs: Shape) -> Work:
        (x,) = xs
        macs = self.weights(x)["weight"].size * product(x[1:])
        return Work(macs, macs + (product(y) if self.bias else 0))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(s.view for s in self.spreads(xs[0]))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        weights = self.weights(x)
        factors = f"{times(weights['weight'].shape[2:])}·{x[0]}·{self.filters // self.groups}"
        bias = f" + {self.filters}" if self.bias else ""
        total = sum(w.size for w in weights.values())
        return [
            *by_axis([s.formula() for s in self.spreads(x)]),
            f"parameters {factors}{bias} = {total:,}",
            f"macs {factors}·{times(x[1:])} = {self.work(y, x).macs:,}",
        ]

    def _check(self, name: str, spread: Spread) -> None:
        if self.pad == "same" and self.was_given("output_pad"):
            raise Refusal(
                "extra-argument",
                "`pad=same` settles the size; `output_pad` has nothing to add",
                param="output_pad",
            )
        # A convolution with this stride makes one size of as many; output_pad says of which.
        if spread.extra >= spread.stride:
            raise Refusal(
                "wrong-size",
                f"an output_pad of {spread.extra} is not smaller than "
                f"the stride of {spread.stride}",
                param="output_pad",
                hint=f"at most {spread.stride - 1} can be added",
            )
        if spread.out < 1:
            most = spread.out + spread.begin + spread.end - 1
            raise Refusal(
                "wrong-size",
                f"the padding takes all of the {name}: {spread.formula()}",
                param="pad",
                hint=f"at most {most} can be taken off, both ends together",
            )

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        spreads = self.spreads(xs[0].inner)
        return g.op(
            "ConvTranspose",
            xs[0],
            w["weight"],
            w.get("bias"),
            shape=y,
            kernel_shape=[s.kernel for s in spreads],
            strides=[s.stride for s in spreads],
            pads=[*(s.begin for s in spreads), *(s.end for s in spreads)],
            dilations=[s.dilation for s in spreads],
            output_padding=[s.extra for s in spreads] if any(s.extra for s in spreads) else None,
            group=self.groups,
        )


def _same(spread: Spread) -> Spread:
    """The padding that makes the output stride times as long; an odd pixel goes to the end."""
    surplus = spread.extent - spread.stride
    off = max(surplus, 0)
    return Spread(
        spread.n,
        spread.kernel,
        spread.stride,
        spread.dilation,
        off // 2,
        off - off // 2,
        max(-surplus, 0),
    )
