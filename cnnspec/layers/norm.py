"""bn, ln, gn, instancenorm, lrn, l2norm, scale: values brought to one measure."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Weight, need_map
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice, flag, number, whole
from cnnspec.vocab.value import Shape


class Norm(Layer):
    """Base of the layers that keep the shape and have a factor and an offset for each channel."""

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        weights = self.weights(*xs)
        trained = [w.size for w in weights.values() if w.trained]
        running = [w.size for w in weights.values() if not w.trained]
        lines = [f"parameters {len(trained)}·{trained[0]} = {sum(trained):,}"] if trained else []
        if running:
            lines.append(f"running statistics {len(running)}·{running[0]} = {sum(running):,}")
        return lines


def _affine(size: tuple[int, ...]) -> dict[str, Weight]:
    return {"scale": Weight(size, "ones"), "bias": Weight(size, "zeros")}


class BatchNorm(Norm):
    """Batch normalisation: y = scale·(x - mean)/√(var + eps) + bias, channel by channel.

    In training, mean and variance are those of the batch, and running ones are kept, moving by `momentum`
    towards each batch's; afterwards the running ones serve. (Ioffe & Szegedy, 2015)
    """

    kind = "bn"

    eps: float = number("added to the variance", above=0, default=1e-5)
    momentum: float = number("the share of the new batch", above=0, most=1, default=0.1)
    affine: bool = flag("has a trained scale and bias", default=True)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        size = (xs[0][0],)
        running = {
            "mean": Weight(size, "zeros", trained=False),
            "var": Weight(size, "ones", trained=False),
        }
        return {**(_affine(size) if self.affine else {}), **running}


class LayerNorm(Norm):
    """Layer normalisation: each sample brought to mean 0 and variance 1, over all its numbers.

    With `axes=channels` every place is normalised on its own over the channels, as in ConvNeXt. (Ba et al., 2016)
    """

    kind = "ln"

    axes: str = choice("over what", "all", "channels", default="all")
    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias", default=True)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        if not self.affine:
            return {}
        return _affine(xs[0] if self.axes == "all" else (xs[0][0],))


class GroupNorm(Norm):
    """Group normalisation: each sample normalised over groups of channels. (Wu & He, 2018)"""

    kind = "gn"
    positional = ("groups",)

    groups: int = whole("how many groups the channels split into")
    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias", default=True)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if x[0] % self.groups:
            divisors = [str(d) for d in range(1, min(x[0], 4096) + 1) if x[0] % d == 0]
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into {self.groups} equal groups",
                param="groups",
                hint=f"{x[0]} divides by {', '.join(divisors[:12])}",
            )
        return x

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return _affine((xs[0][0],)) if self.affine else {}


class InstanceNorm(Norm):
    """Instance normalisation: each map of each sample on its own. (Ulyanov et al., 2016)"""

    kind = "instancenorm"

    eps: float = number("added to the variance", above=0, default=1e-5)
    affine: bool = flag("has a trained scale and bias", default=False)

    def shape(self, *xs: Shape) -> Shape:
        need_map("instancenorm", xs[0])
        return xs[0]

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return _affine((xs[0][0],)) if self.affine else {}


class LocalResponseNorm(Norm):
    """Local response normalisation: y = x / (k + alpha/size · Σ x²)^beta, over neighbouring channels.

    AlexNet's is `lrn 5 alpha=5e-4 k=2`: the paper's alpha of 1e-4 is not divided by the size.
    (Krizhevsky et al., 2012)
    """

    kind = "lrn"
    positional = ("size",)

    size: int = whole("over how many channels", default=5)
    alpha: float = number("the weight of the squares' mean", above=0, default=1e-4)
    beta: float = number("the power", above=0, default=0.75)
    k: float = number("the constant", above=0, default=1)

    def shape(self, *xs: Shape) -> Shape:
        need_map("lrn", xs[0])
        return xs[0]


class L2Norm(Norm):
    """The channels at each place, or a flat vector, divided by their length: √(Σ x²)."""

    kind = "l2norm"

    eps: float = number("the least length", above=0, default=1e-12)


class Scale(Norm):
    """A trained factor for each channel; with `bias=yes` an offset too (LayerScale, Caffe's Scale)."""

    kind = "scale"

    init: float = number("what the factors start at", default=1)
    bias: bool = flag("adds a trained number to every channel", default=False)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        size = (xs[0][0],)
        bias = {"bias": Weight(size, "zeros")} if self.bias else {}
        return {"scale": Weight(size, "constant", value=self.init), **bias}
