"""bn, ln, gn, instancenorm, lrn, l2norm, scale: how are values brought to one measure?"""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Weight, divisors, need_map, product, times
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice, flag, number, whole
from cnnspec.vocab.value import Shape


class Norm(Layer):
    """Base of the layers that keep the shape and may have trained factors and offsets."""

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        weights = self.weights(*xs).values()
        return [
            f"{what} {len(found)}·{times(found[0].shape)} = {sum(w.size for w in found):,}"
            for what, found in (
                ("parameters", [w for w in weights if w.trained]),
                ("running statistics", [w for w in weights if not w.trained]),
            )
            if found
        ]


def _affine(size: tuple[int, ...]) -> dict[str, Weight]:
    return {"scale": Weight(size, "ones"), "bias": Weight(size, "zeros")}


class BatchNorm(Norm):
    """Batch normalisation: y = scale·(x - mean)/√(var + eps) + bias, channel by channel.

    In training, mean and variance are those of the batch over all its pixels, and running ones are
    kept: running ← (1 - momentum)·running + momentum·batch. Afterwards the running ones serve, so
    that an image's result does not hang on its company. A bias before it has no effect; write
    `conv … bias=no -> bn`. (Ioffe & Szegedy, 2015)
    """

    kind = "bn"

    eps: float = number("added to the variance", above=0, default=1e-5)
    momentum: float = number(
        "the share of the new batch in the running statistics", above=0, most=1, default=0.1
    )
    affine: bool = flag("has a trained scale and bias for each channel", default=True)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        size = (xs[0][0],)
        running = {
            "mean": Weight(size, "zeros", trained=False),
            "var": Weight(size, "ones", trained=False),
        }
        return {**(_affine(size) if self.affine else {}), **running}

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        scale = w.get("scale") or g.ones("ones", y[:1])
        bias = w.get("bias") or g.zeros("zeros", y[:1])
        if g.is_training:
            return self._of_batch(g, xs[0], scale, bias, w)
        return g.op(
            "BatchNormalization", xs[0], scale, bias, w["mean"], w["var"], epsilon=float(self.eps)
        )

    def _of_batch(
        self, g: Builder, x: Value, scale: Value, bias: Value, w: Mapping[str, Value]
    ) -> Value:
        """Normalised by the batch's own mean and variance, which the running ones follow."""
        # With momentum 0 the operator's second and third results are those of the batch alone. Its
        # kernel writes them over the operands that it takes for running ones, even if these are
        # shared: so it gets numbers of its own, which are worked out anew each time.
        first = [n for n, _ in enumerate(x.shape) if n != 1]
        limits = [g.ints(part, [end] * len(first)) for part, end in (("from", 0), ("to", 1))]
        ones = tuple(1 if n in first else size for n, size in enumerate(x.shape))
        numbers = g.op("Slice", x, *limits, g.ints("first", first), dims=ones, part="pixel")
        numbers = g.op("Reshape", numbers, g.ints("channels", (-1,)), dims=scale.shape, part="any")
        y, mean, var = g.ops(
            "BatchNormalization",
            x,
            scale,
            bias,
            g.op("Neg", numbers, part="any_mean"),
            g.op("Abs", numbers, part="any_var"),
            results=[
                ("", x.shape, x.dtype),
                ("batch_mean", scale.shape, x.dtype),
                ("batch_var", scale.shape, x.dtype),
            ],
            epsilon=float(self.eps),
            momentum=0.0,
            training_mode=1,
        )
        # Of n numbers: the variance around their own mean is too small by (n - 1)/n.
        n = g.op("Mul", g.examples(), g.scalar("places", product(x.inner[1:])), part="n")
        less = g.op("Sub", n, g.scalar("one", 1), part="n_less_1")
        rest = g.op("Max", less, g.scalar("least", 1), part="rest")
        spread = g.op("Mul", var, g.op("Div", n, rest, part="widening"), part="spread")
        self._follow(g, w["mean"], mean, "mean")
        self._follow(g, w["var"], spread, "var")
        return y

    def _follow(self, g: Builder, running: Value, batch: Value, part: str) -> None:
        # (1 - m)·running + m·batch = running + m·(batch - running)
        before = g.updates.get(running.name, running)
        apart = g.op("Sub", batch, before, part=f"{part}_apart")
        part_way = g.op("Mul", apart, g.scalar("momentum", self.momentum), part=f"{part}_move")
        g.updates[running.name] = g.op("Add", before, part_way, part=f"{part}_next")


class LayerNorm(Norm):
    """Layer normalisation: y = scale·(x - mean)/√(var + eps) + bias over all numbers of an example.

    Scale and bias have one number for each of them. With `axes=channels` every pixel is normalised
    by itself over its channels, with one scale and bias for each channel, as in ConvNeXt. (Ba et
    al., 2016)
    """

    kind = "ln"

    axes: str = choice("over what mean and variance are taken", "all", "channels", default="all")
    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias", default=True)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        if not self.affine:
            return {}
        return _affine(xs[0] if self.axes == "all" else xs[0][:1])

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if self.axes == "all" or len(y) == 1:
            return self._normalise(g, x, w, y)
        # The operator wants the channels last.
        rank = len(x.shape)
        last = [0, *range(2, rank), 1]
        turned = tuple(x.shape[a] for a in last)
        x = g.op("Transpose", x, dims=turned, part="turned", perm=last)
        x = self._normalise(g, x, w, y[:1], part="normalised")
        return g.op("Transpose", x, shape=y, perm=[0, rank - 1, *range(1, rank - 1)])

    def _normalise(
        self, g: Builder, x: Value, w: Mapping[str, Value], over: Shape, part: str = ""
    ) -> Value:
        """Over the last axes, those of `over`."""
        first = len(x.shape) - len(over)
        if g.opset >= 17:
            scale = w.get("scale") or g.ones("ones", over)
            return g.op(
                "LayerNormalization",
                x,
                scale,
                w.get("bias"),
                part=part,
                axis=first,
                epsilon=float(self.eps),
            )
        return by_moments(
            g, x, range(first, len(x.shape)), self.eps, w.get("scale"), w.get("bias"), part
        )


class GroupNorm(Norm):
    """Group normalisation: y = scale·(x - mean)/√(var + eps) + bias over each group of channels.

    Mean and variance are those of one example, over the group's channels and all pixels; scale and
    bias have one number for each channel. (Wu & He, 2018)
    """

    kind = "gn"
    positional = ("groups",)

    groups: int = whole("how many groups the channels split into")
    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias for each channel", default=True)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if x[0] % self.groups:
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into {self.groups} equal groups",
                param="groups",
                hint=f"{x[0]} divides by {divisors(x[0])}",
            )
        return x

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return _affine(xs[0][:1]) if self.affine else {}

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if g.opset >= 21:
            scale = w.get("scale") or g.ones("ones", y[:1])
            bias = w.get("bias") or g.zeros("zeros", y[:1])
            return g.op(
                "GroupNormalization",
                x,
                scale,
                bias,
                num_groups=self.groups,
                epsilon=float(self.eps),
            )
        # One long map for each group.
        long = (self.groups, product(y) // self.groups)
        grouped = g.op(
            "Reshape", x, g.ints("groups", (0, self.groups, -1)), shape=long, part="grouped"
        )
        ones = g.ones("ones", (self.groups,))
        zeros = g.zeros("zeros", (self.groups,))
        even = g.op(
            "InstanceNormalization", grouped, ones, zeros, part="even", epsilon=float(self.eps)
        )
        back = "" if not self.affine else "normalised"
        whole = g.op("Reshape", even, g.ints("shape", (0, *y)), shape=y, part=back)
        if not self.affine:
            return whole
        scaled = g.op("Mul", whole, g.by_channel(w["scale"], len(y)), part="scaled")
        return g.op("Add", scaled, g.by_channel(w["bias"], len(y)))


class InstanceNorm(Norm):
    """Instance normalisation: y = (x - mean)/√(var + eps) over each map of each example by itself.

    (Ulyanov, Vedaldi & Lempitsky, 2016)
    """

    kind = "instancenorm"

    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias for each channel", default=False)

    def shape(self, *xs: Shape) -> Shape:
        need_map("instancenorm", xs[0])
        return xs[0]

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return _affine(xs[0][:1]) if self.affine else {}

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        scale = w.get("scale") or g.ones("ones", y[:1])
        bias = w.get("bias") or g.zeros("zeros", y[:1])
        return g.op("InstanceNormalization", xs[0], scale, bias, epsilon=float(self.eps))


class LocalResponseNorm(Norm):
    """Local response normalisation: y = x/(k + alpha/size·Σ x²)^beta over neighbouring channels.

    The sum goes over the `size` channels around each one; of an even size, the odd one is above.
    The original AlexNet's is `lrn 5 alpha=5e-4 k=2`: the paper's alpha of 1e-4 is not divided by
    the size of 5, here it is, as in Caffe and in ONNX. (Krizhevsky et al., 2012)
    """

    kind = "lrn"
    positional = ("size",)

    size: int = whole("over how many channels the squares are summed", default=5)
    alpha: float = number("the weight of the squares' mean", above=0, default=1e-4)
    beta: float = number("the power", above=0, default=0.75)
    k: float = number("the constant that is added", above=0, default=1)

    def shape(self, *xs: Shape) -> Shape:
        need_map("lrn", xs[0])
        return xs[0]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if self.size % 2 and len(y) == 3:
            alpha, beta = float(self.alpha), float(self.beta)
            return g.op("LRN", x, size=self.size, alpha=alpha, beta=beta, bias=float(self.k))
        # Engines have the operator for images and an odd size. The sum over neighbours is a
        # convolution of 1 pixel whose weights are a band around the diagonal.
        below, above = (self.size - 1) // 2, self.size // 2
        c = y[0]
        band = [
            self.alpha / self.size * (-below <= i - o <= above) for o in range(c) for i in range(c)
        ]
        kernel = g.floats("band", band, (c, c, *(1 for _ in y[1:])))
        squares = g.op("Mul", x, x, part="squares")
        constant = g.floats("k", (self.k,) * c)
        sums = g.op("Conv", squares, kernel, constant, part="sums", kernel_shape=[1] * (len(y) - 1))
        return g.op("Div", x, g.op("Pow", sums, g.scalar("beta", self.beta), part="power"))


class L2Norm(Norm):
    """Length normalisation: y = x/max(√(Σ x²), eps), over the channels of each pixel.

    A flat vector is divided by its own length. `l2norm -> scale init=20` is the layer of SSD.
    """

    kind = "l2norm"

    eps: float = number("the least length that is divided by", above=0, default=1e-12)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        length = g.reduce("ReduceL2", x, (1,), shape=(1, *y[1:]), part="length", keepdims=1)
        least = g.op("Clip", length, g.scalar("eps", self.eps), part="least")
        return g.op("Div", x, least)


class Scale(Norm):
    """A trained factor for each channel: y = scale·x, with `bias=yes` y = scale·x + bias.

    `scale init=1e-6` is LayerScale, `scale bias=yes` what Caffe calls Scale, and
    `scale shared=yes init=0` the single factor of ReZero.
    """

    kind = "scale"

    init: float = number("what the factors start at", default=1)
    bias: bool = flag("adds a trained number to every channel", default=False)
    shared: bool = flag("has one factor (and bias) for all channels", default=False)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        size = (1,) if self.shared else xs[0][:1]
        bias = {"bias": Weight(size, "zeros")} if self.bias else {}
        return {"scale": Weight(size, "constant", value=self.init), **bias}

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        last = "scaled" if self.bias else ""
        scaled = g.op("Mul", xs[0], g.by_channel(w["scale"], len(y)), part=last)
        return g.op("Add", scaled, g.by_channel(w["bias"], len(y))) if self.bias else scaled


def by_moments(
    g: Builder,
    x: Value,
    axes: Sequence[int],
    eps: float,
    scale: Value | None,
    bias: Value | None,
    part: str,
) -> Value:
    """y = scale·(x - mean)/√(var + eps) + bias in plain operators."""
    ones = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    mean = g.reduce("ReduceMean", x, axes, dims=ones, part="mean", keepdims=1)
    apart = g.op("Sub", x, mean, dims=x.shape, part="apart")
    squares = g.op("Mul", apart, apart, part="squares")
    var = g.reduce("ReduceMean", squares, axes, dims=ones, part="var", keepdims=1)
    above = g.op("Add", var, g.scalar("eps", eps), part="above")
    deviation = g.op("Sqrt", above, part="deviation")
    steps = [(op, w) for op, w in (("Mul", scale), ("Add", bias)) if w is not None]
    y = g.op("Div", apart, deviation, part="normal" if steps else part)
    for k, (op, w) in enumerate(steps, 1):
        y = g.op(op, y, w, part=part if k == len(steps) else "scaled")
    return y
