"""input: what the network is given."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Sizes, count, need_rank
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.text.record import record
from cnnspec.vocab.param import Axes, Many, Number, choice, number, of
from cnnspec.vocab.value import Shape

FLOAT = 1
"""How `Cast` calls single precision."""


@record
class Extent(Axes):
    """The size of a value: channels and spatial axes, or the length of a flat vector."""

    def describe(self) -> str:
        return "whole numbers of at least 1, channels first, as in 3x224x224, or one alone"


SIZE = Extent()


def extent(size: Sizes) -> Shape:
    """The shape that a size of this type means."""
    return (size,) if isinstance(size, int) else size


class Input(Layer):
    """What the network is given: channels, then up to three axes; one number is a flat vector.

    `input 3x224x224` takes colour images, `input 1x24` series of one channel, `input 1x16x32x32`
    volumes, `input 784` flat vectors; the batch is not part of it. A network may have several
    inputs, which then have names: `input 3x64x64 as left`.

    `scale`, `mean` and `std` say how the raw values are prepared: (x·scale - mean)/std, with one
    number for all channels or one for each. They become part of the exported model, which then
    takes raw values; `type=uint8 layout=hwc` lets it take the bytes of an image file as they are.
    The size is written channels first even then.
    """

    kind = "input"
    anchors = True
    positional = ("size",)

    size: Sizes = of(SIZE, "channels, then the sizes of the axes, as in 3x224x224")
    scale: float = number("what raw values are multiplied with", default=1)
    mean: tuple[float, ...] | None = of(
        Many(Number()), "what is taken away, for all channels or each", default=None
    )
    std: tuple[float, ...] | None = of(
        Many(Number(above=0)), "what is divided by, for all channels or each", default=None
    )
    type: str = choice("what raw values are", "float", "uint8", default="float")
    layout: str = choice(
        "where the channels of raw values stand: first or last", "chw", "hwc", default="chw"
    )

    def base_name(self) -> str:
        return "input"

    def shape(self, *xs: Shape) -> Shape:
        x = extent(self.size)
        need_rank("an input", x, "size")
        if self.layout == "hwc" and len(x) == 1:
            raise Refusal(
                "wrong-rank",
                "a flat vector has no axes that channels could stand behind",
                param="layout",
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in (1, x[0]):
                raise Refusal(
                    "wrong-axes",
                    f"`{name}` has {len(values)} numbers; the input has {count(x[0], 'channel')}",
                    param=name,
                    hint="write one number for all channels"
                    + (f", or {x[0]}, one for each" if x[0] > 1 else ""),
                )
        return x

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        raw = (*y[1:], y[0]) if self.layout == "hwc" else y
        x = g.input(raw, "uint8" if self.type == "uint8" else "float")
        if self.layout == "hwc":
            # Before the cast, while a number is one byte.
            x = g.op(
                "Transpose", x, shape=y, part="channels_first", perm=[0, len(y), *range(1, len(y))]
            )
        if self.type == "uint8":
            x = g.op("Cast", x, dtype="float", part="float", to=FLOAT)
        factors, offsets = self.line(y[0])
        if any(f != 1 for f in factors):
            x = g.op("Mul", x, g.channels("factors", factors, len(y)), part="scaled")
        if any(offsets):
            x = g.op("Add", x, g.channels("offsets", offsets, len(y)), part="centred")
        return x

    def line(self, channels: int) -> tuple[list[float], list[float]]:
        """What raw values are multiplied with, and what is added then, for each channel.

        (x·scale - mean)/std = x·(scale/std) - mean/std.
        """
        means = self._each(self.mean, channels, 0)
        stds = self._each(self.std, channels, 1)
        return [self.scale / s for s in stds], [-m / s for m, s in zip(means, stds, strict=True)]

    @staticmethod
    def _each(numbers: tuple[float, ...] | None, channels: int, otherwise: float) -> list[float]:
        if numbers is None:
            return [otherwise] * channels
        return list(numbers) * channels if len(numbers) == 1 else list(numbers)
