"""input: what the network is given."""

from cnnspec.layers.base import Layer
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, Many, Number, choice, of
from cnnspec.vocab.value import Shape


class Input(Layer):
    """What the network is given: channels first, then one to three axes; one number is a flat vector.

    `scale`, `mean` and `std` say how the raw values are prepared: (x·scale - mean)/std, with one number for
    all channels or one for each. They become part of the exported model, which then takes raw
    values; `type=uint8 layout=hwc` lets it take the bytes of an image file as they are.
    """

    kind = "input"
    anchors = True
    positional = ("size",)

    size: int | tuple[int, ...] = of(Axes(1), "channels and axes, as in 3x224x224")
    scale: float = of(Number(), "what raw values are multiplied with", default=1)
    mean: tuple[float, ...] | None = of(
        Many(Number()), "what is taken away, for each channel", default=None
    )
    std: tuple[float, ...] | None = of(
        Many(Number(above=0)), "what is divided by, for each channel", default=None
    )
    type: str = choice("what raw values are", "float", "uint8", default="float")
    layout: str = choice("the order of the axes of raw values", "chw", "hwc", default="chw")

    def base_name(self) -> str:
        return "input"

    def shape(self, *xs: Shape) -> Shape:
        shape = (self.size,) if isinstance(self.size, int) else self.size
        if len(shape) > 4:
            raise Refusal(
                "wrong-rank",
                f"an input has channels and at most three axes; here are {len(shape) - 1} axes",
                param="size",
            )
        for name in ("mean", "std"):
            values = self.value(name)
            if isinstance(values, tuple) and len(values) not in (1, shape[0]):  # pyright: ignore[reportUnknownArgumentType]
                raise Refusal(
                    "wrong-axes",
                    f"`{name}` has {len(values)} numbers for {shape[0]} channels",  # pyright: ignore[reportUnknownArgumentType]
                    param=name,
                    hint="write one number, or one for each channel",
                )
        return shape
