"""deconv: a transposed convolution, which makes maps larger."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, View, Weight, Work, dims, need_map, per_axis, product
from cnnspec.layers.conv import INITS, check_groups
from cnnspec.layers.window import PADDING, Padding, Sizes, axis_names
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import axes, choice, flag, of, whole
from cnnspec.vocab.value import Shape, show


class Deconv(Layer):
    """A transposed convolution: every input pixel puts a kernel, weighted, onto the output map.

    The size grows to (n - 1)·stride - 2·pad + kernel + output_pad; `pad=same` gives n·stride. It
    is the gradient of a convolution with respect to its input, used to enlarge maps again.
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

    def geometry(self, x: Shape) -> list[tuple[int, int, int, int, int, int]]:
        """For each axis: size, kernel extent, stride, begin, end, output_pad."""
        rank = len(x) - 1
        kernels = per_axis(self.kernel, rank, "kernel", "deconv")
        strides = per_axis(self.stride, rank, "stride", "deconv")
        dilations = per_axis(self.dilation, rank, "dilation", "deconv")
        extras = per_axis(self.output_pad, rank, "output_pad", "deconv")
        found: list[tuple[int, int, int, int, int, int]] = []
        pads = None if isinstance(self.pad, str) else self._pads(self.pad, rank)
        for i, n in enumerate(x[1:]):
            extent = dilations[i] * (kernels[i] - 1) + 1
            if pads is not None:
                begin, end = pads[0][i], pads[1][i]
            elif self.pad == "same":
                # n·stride pixels: what the kernel adds beyond that is cut, the odd one at the end.
                surplus = extent - strides[i]
                begin, end = max(surplus, 0) // 2, max(surplus, 0) - max(surplus, 0) // 2
            else:
                begin = end = 0
            extra = extras[i]
            if self.pad == "same":
                extra += max(strides[i] - extent, 0)
            found.append((n, extent, strides[i], begin, end, extra))
        return found

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("deconv", x)
        check_groups(x[0], self.filters, self.groups)
        sizes: list[int] = []
        for name, (n, extent, stride, begin, end, extra) in zip(
            axis_names(len(x) - 1), self.geometry(x), strict=True
        ):
            out = (n - 1) * stride - begin - end + extent + extra
            if out < 1:
                sum_ = f"({n} - 1)·{stride} - {begin} - {end} + {extent} + {extra}"
                raise Refusal(
                    "kernel-too-large",
                    f"the {name} would be {sum_} = {out}",
                    param="pad",
                    hint="take off less of the border",
                )
            if self.was_given("output_pad") and extra >= max(stride, 2):
                raise Refusal(
                    "wrong-argument",
                    f"an output_pad of {extra} is not less than the stride of {stride}",
                    param="output_pad",
                )
            sizes.append(out)
        return (self.filters, *sizes)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        (x,) = xs
        kernel = per_axis(self.kernel, len(x) - 1, "kernel", "deconv")
        bias = {"bias": Weight((self.filters,), "zeros")} if self.bias else {}
        return {"weight": Weight((x[0], self.filters // self.groups, *kernel), self.init), **bias}

    def work(self, y: Shape, *xs: Shape) -> Work:
        (x,) = xs
        macs = self.weights(x)["weight"].size * product(x[1:])
        return Work(macs, macs + (product(y) if self.bias else 0))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        # An output pixel is reached from every input pixel whose kernel covers it.
        return tuple(
            View(-(-extent // stride), 1 / stride, -((extent - 1 - begin) // stride))
            for _, extent, stride, begin, _, _ in self.geometry(xs[0])
        )

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        lines = [
            f"({n} - 1)·{s} - {b} - {e} + {k}" + (f" + {extra}" if extra else "") + f" = {out}"
            for (n, k, s, b, e, extra), out in zip(self.geometry(x), y[1:], strict=True)
        ]
        if len(set(lines)) > 1:
            names = axis_names(len(x) - 1)
            lines = [f"{name}: {line}" for name, line in zip(names, lines, strict=True)]
        else:
            lines = lines[:1]
        weights = self.weights(x)
        kernel = "·".join(str(k) for k in weights["weight"].shape[2:])
        bias = f" + {self.filters}" if self.bias else ""
        total = sum(w.size for w in weights.values())
        places = "·".join(str(n) for n in x[1:])
        macs = self.work(y, x).macs
        return [
            *lines,
            f"parameters {kernel}·{x[0]}·{self.filters // self.groups}{bias} = {total:,}",
            f"macs {kernel}·{x[0]}·{self.filters // self.groups}·{places} = {macs:,}",
        ]

    def _pads(self, pad: Sizes, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if isinstance(pad, tuple) and len(pad) == 2 * rank:
            return pad[:rank], pad[rank:]
        if isinstance(pad, tuple) and len(pad) != rank:
            raise Refusal(
                "wrong-axes",
                f"`pad` of `deconv` is {show(pad)}; the map has {rank} axes",
                param="pad",
                hint=f"write one number, {rank} (one for each axis) or {2 * rank}",
            )
        both = per_axis(pad, rank, "pad", "deconv")
        return both, both
