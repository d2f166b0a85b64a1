"""The augmentations: what is done to training examples at random?

Each has random numbers of its own, so that adding one does not change the others. Where the target
is a mask or a picture, what moves pixels is done to both alike.
"""

from typing import ClassVar

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import Axes, choice, number, of, whole


class Augmentation(Word):
    """Base of the augmentations."""

    elsewhere: ClassVar = {"p": "chance", "probability": "chance"}

    least_rank: ClassVar[int] = 0
    """How many axes besides the channels an example must have: 2 for what only pictures can do."""

    moves_pixels: ClassVar[bool] = False
    """Must a mask or a picture that is the target be moved with the example?"""

    is_of_batches: ClassVar[bool] = False
    """Does it mix the finished examples of a batch?"""

    chance: float = number("how often it is done", above=0, most=1, default=1)


class Moving(Augmentation):
    """Base of what moves pixels and has to make up those that come in from outside."""

    elsewhere: ClassVar = {"fill_mode": "fill", "padding_mode": "fill"}
    least_rank = 1
    moves_pixels = True

    fill: str = choice(
        "what comes in from outside: zeros, the nearest pixel, or the picture's mirror image",
        "zeros",
        "edge",
        "mirror",
        default="zeros",
    )


class Flip(Augmentation):
    """Mirrored, every second time: left and right, or along another axis."""

    kind = "flip"
    positional = ("axis",)
    least_rank = 1
    moves_pixels = True

    axis: str | None = choice(
        "along which axis, otherwise along the last",
        "width",
        "height",
        "depth",
        "length",
        default=None,
    )
    chance: float = number("how often it is done", above=0, most=1, default=0.5)


class Crop(Moving):
    """A border is put around, and a part of the old size cut out anywhere."""

    kind = "crop"
    positional = ("pad",)
    elsewhere: ClassVar = {"padding": "pad"}

    pad: int | tuple[int, ...] = of(Axes(0), "how wide the border is, for all axes or for each")


class Shift(Moving):
    """Moved by whole pixels, at most so many in every direction."""

    kind = "shift"
    positional = ("by",)

    by: int | tuple[int, ...] = of(Axes(0), "how many pixels at most, for all axes or for each")


class Rotate(Moving):
    """Turned around its middle, at most so many degrees to either side."""

    kind = "rotate"
    positional = ("degrees",)
    least_rank = 2

    degrees: float = number("how many degrees at most", above=0, most=180)


class Zoom(Moving):
    """Made larger or smaller around its middle: `scale 0.1` by a factor from 0.9 to 1.1."""

    kind = "scale"
    positional = ("by",)

    by: float = number("how far from 1 the factor is at most", above=0, below=1)


class Brightness(Augmentation):
    """Made brighter or darker, by at most a share of the range."""

    kind = "brightness"
    positional = ("by",)

    by: float = number("the share at most", above=0, most=1)


class Contrast(Augmentation):
    """Moved away from its mean or towards it: `contrast 0.2` by a factor from 0.8 to 1.2."""

    kind = "contrast"
    positional = ("by",)

    by: float = number("how far from 1 the factor is at most", above=0, most=1)


class Noise(Augmentation):
    """Normally distributed noise added to every number; targets stay clean."""

    kind = "noise"
    positional = ("by",)
    elsewhere: ClassVar = {"std": "by", "stddev": "by", "sigma": "by"}

    by: float = number("its deviation, as a share of the range", above=0, most=1)


class Cutout(Augmentation):
    """A square anywhere set to 0. (DeVries & Taylor, 2017)"""

    kind = "cutout"
    positional = ("size",)
    least_rank = 1

    size: int = whole("its side in pixels")


class Mixup(Augmentation):
    """Two examples mixed, and their targets likewise: λ·a + (1 - λ)·b. (Zhang et al., 2017)

    λ is drawn from the distribution Beta(alpha, alpha). It stands last: what it mixes is finished.
    """

    kind = "mixup"
    positional = ("alpha",)
    is_of_batches = True

    alpha: float = number("the larger, the more even the shares", above=0, default=0.2)


AUGMENTATIONS = table(Flip, Crop, Shift, Rotate, Zoom, Brightness, Contrast, Noise, Cutout, Mixup)

ELSEWHERE = {
    "mirror": "flip",
    "hflip": "flip",
    "vflip": "flip",
    "horizontal_flip": "flip",
    "random_flip": "flip",
    "random_crop": "crop",
    "translate": "shift",
    "rotation": "rotate",
    "random_rotation": "rotate",
    "zoom": "scale",
    "gaussian_noise": "noise",
    "erase": "cutout",
    "random_erasing": "cutout",
}
