"""The augmentations: what is done to training examples at random."""

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import Axes, choice, number, of, whole


class Augmentation(Word):
    """Base of the augmentations; each has random numbers of its own."""


class Flip(Augmentation):
    """Mirrored, every second time: `flip` left and right, `flip height` up and down."""

    kind = "flip"
    positional = ("axis",)

    axis: str = choice("along which axis", "width", "height", "length", default="width")
    chance: float = number("how often", above=0, most=1, default=0.5)


class Crop(Augmentation):
    """A border of zeros is put around, and a part of the old size cut out anywhere."""

    kind = "crop"
    positional = ("pad",)

    pad: int | tuple[int, ...] = of(Axes(1), "how wide the border is")


class Shift(Augmentation):
    """Moved by up to so many pixels, in every direction."""

    kind = "shift"
    positional = ("by",)

    by: int | tuple[int, ...] = of(Axes(0), "at most so many pixels, for all axes or each")


class Rotate(Augmentation):
    """Turned by up to so many degrees, either way."""

    kind = "rotate"
    positional = ("degrees",)

    degrees: float = number("at most so many degrees", above=0, most=180)


class Zoom(Augmentation):
    """Made larger or smaller by up to a share: `scale 0.1` is from 0.9 to 1.1."""

    kind = "scale"
    positional = ("by",)

    by: float = number("at most this share", above=0, below=1)


class Brightness(Augmentation):
    """Brighter or darker by up to a share of the range."""

    kind = "brightness"
    positional = ("by",)

    by: float = number("at most this share", above=0, most=1)


class Contrast(Augmentation):
    """More or less contrast, by up to a share."""

    kind = "contrast"
    positional = ("by",)

    by: float = number("at most this share", above=0, most=1)


class Noise(Augmentation):
    """Normally distributed noise added, with a deviation given as a share of the range."""

    kind = "noise"
    positional = ("by",)

    by: float = number("the deviation", above=0, most=1)


class Cutout(Augmentation):
    """A square set to 0 anywhere. (DeVries & Taylor, 2017)"""

    kind = "cutout"
    positional = ("size",)

    size: int = whole("its side in pixels")


class Mixup(Augmentation):
    """Two examples and their labels mixed. (Zhang et al., 2017)"""

    kind = "mixup"
    positional = ("alpha",)

    alpha: float = number("of the beta distribution of their shares", above=0, default=0.2)


AUGMENTATIONS = table(Flip, Crop, Shift, Rotate, Zoom, Brightness, Contrast, Noise, Cutout, Mixup)
