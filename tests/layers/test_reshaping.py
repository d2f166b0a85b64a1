"""Layers without weights that move numbers about: sizes, what they refuse, what a pixel sees."""

import random
from math import floor

import pytest

from cnnspec.layers import KINDS
from cnnspec.layers.base import View, Work
from cnnspec.layers.frame import Crop, Pad, Slice
from cnnspec.layers.reduce import Reduce
from cnnspec.layers.reshaping import Flatten, Permute, Reshape
from cnnspec.layers.shuffle import ChannelShuffle, PixelShuffle, PixelUnshuffle
from cnnspec.layers.source import Input
from cnnspec.layers.upsample import Upsample
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape


def refused(kind: str, x: Shape | None = None, **given: object) -> tuple[str, str, str | None]:
    """Code, message and hint with which a layer refuses."""
    with pytest.raises(Refusal) as caught:
        KINDS[kind](**given).shape(*([] if x is None else [x]))
    return caught.value.code, caught.value.message, caught.value.hint


def test_input() -> None:
    assert Input(size=(3, 224, 224)).shape() == (3, 224, 224)
    assert Input(size=784).shape() == (784,)
    assert Input(size=(3, 8, 8), mean=(0.5,), std=(1.0, 2.0, 3.0)).shape() == (3, 8, 8)
    assert refused("input", size=(1, 28, 28), mean=(0.1, 0.2, 0.3)) == (
        "wrong-axes",
        "`mean` has 3 numbers; the input has one channel",
        "write one number for all channels",
    )
    assert refused("input", size=(3, 8), std=(0.1, 0.2))[2] == (
        "write one number for all channels, or 3, one for each"
    )
    assert refused("input", size=(1, 2, 3, 4, 5))[0] == "wrong-rank"
    assert refused("input", size=784, layout="hwc")[0] == "wrong-rank"


def test_flatten() -> None:
    assert Flatten().shape((16, 5, 5)) == (400,)
    assert list(Flatten().sums((400,), (16, 5, 5))) == ["16·5·5 = 400"]
    assert Flatten().shape((400,)) == (400,)


def test_reshape() -> None:
    assert Reshape(size=(16, 5, 5)).shape((400,)) == (16, 5, 5)
    assert Reshape(size=400).shape((16, 5, 5)) == (400,)
    assert refused("reshape", (400,), size=(15, 5, 5)) == (
        "wrong-size",
        "15x5x5 has 15·5·5 = 375 numbers, what reaches `reshape` has 400 numbers",
        "16x5x5 would fit",
    )
    assert refused("reshape", (401,), size=(15, 5, 5))[2] is None
    assert refused("reshape", (32,), size=(2, 2, 2, 2, 2))[0] == "wrong-rank"


def test_permute() -> None:
    assert Permute(order=(1, 2, 0)).shape((3, 8, 9)) == (8, 9, 3)
    assert refused("permute", (3, 8, 9), order=(0, 1)) == (
        "wrong-axes",
        "`order` is [0, 1], which does not name each position of 3x8x9 once",
        "its positions are 0, 1, 2",
    )
    assert refused("permute", (3, 8, 9), order=(0, 1, 1))[0] == "wrong-axes"


def test_shuffles() -> None:
    assert PixelShuffle(factor=2).shape((12, 5, 6)) == (3, 10, 12)
    assert PixelShuffle(factor=3).shape((6, 5)) == (2, 15)
    assert PixelShuffle(factor=2).shape((8, 1, 1, 1)) == (1, 2, 2, 2)
    assert PixelUnshuffle(factor=2).shape((3, 10, 12)) == (12, 5, 6)
    assert ChannelShuffle(groups=4).shape((8, 5)) == (8, 5)
    assert refused("pixelshuffle", (10, 5, 5), factor=2) == (
        "indivisible-groups",
        "10 channels do not split into groups of 2·2 = 4",
        "12 channels do",
    )
    assert refused("pixelshuffle", (10, 5), factor=3)[1] == (
        "10 channels do not split into groups of 3"
    )
    assert refused("pixelunshuffle", (1, 6, 9), factor=2) == (
        "indivisible-groups",
        "a width of 9 does not split into blocks of 2",
        "9 divides by 1, 3, 9",
    )
    assert refused("channelshuffle", (10, 5), groups=3)[0] == "indivisible-groups"
    for x in ((12, 4, 6), (8, 2, 2, 2), (5, 4)):
        unshuffled = PixelUnshuffle(factor=2).shape(x)
        assert PixelShuffle(factor=2).shape(unshuffled) == x


def test_what_shuffles_see() -> None:
    assert PixelShuffle(factor=2).views((3, 4), (6, 2)) == (View(1, 1 / 2, 0),)
    assert PixelUnshuffle(factor=2).views((6, 2), (3, 4)) == (View(2, 2, 0),)


def test_pad() -> None:
    x = (3, 8, 9)
    assert Pad(size=1).shape(x) == (3, 10, 11)
    assert Pad(size=(1, 2)).shape(x) == (3, 10, 13)
    assert Pad(size=(0, 0, 1, 2)).shape(x) == (3, 9, 11)
    assert Pad(size=(1, 2)).views((3, 10, 13), x) == (View(1, 1, -1), View(1, 1, -2))
    assert list(Pad(size=(0, 0, 1, 2)).sums((3, 9, 11), x)) == [
        "height: 8 + 0 + 1 = 9",
        "width: 9 + 0 + 2 = 11",
    ]
    assert refused("pad", (3, 4, 9), size=4, mode="reflect") == (
        "wrong-size",
        "a height of 4 has 3 to mirror beside its edge; the border is 4 wide",
        "mode=edge repeats the edge as often as needed",
    )
    assert refused("pad", x, size=1, mode="edge", fill=2.0)[0] == "extra-argument"
    assert refused("pad", x, size=(1, 2, 3))[0] == "wrong-axes"


def test_crop() -> None:
    x = (3, 8, 9)
    assert Crop(size=1).shape(x) == (3, 6, 7)
    assert Crop(size=(0, 0, 1, 2)).shape(x) == (3, 7, 7)
    assert Crop(to=4).shape(x) == (3, 4, 4)
    # Of five surplus columns two go at the left and three at the right.
    assert Crop(to=4).sides(x) == ((2, 2), (2, 3))
    assert Crop(to=4).views((3, 4, 4), x) == (View(1, 1, 2), View(1, 1, 2))
    assert refused("crop", x, to=(9, 9)) == (
        "wrong-size",
        "a height of 9 cannot be cut out of a height of 8",
        "`pad` makes maps larger",
    )
    assert refused("crop", x, size=4) == (
        "wrong-size",
        "4 + 4 pixels cannot be taken off a height of 8",
        "at most 7 can",
    )
    assert refused("crop", x)[0] == "missing-argument"
    assert refused("crop", x, size=1, to=4)[0] == "extra-argument"


def test_slice() -> None:
    x = (24, 8, 9)
    assert Slice(**{"from": 0, "to": 12}).shape(x) == (12, 8, 9)
    assert Slice(**{"from": 12}).shape(x) == (12, 8, 9)
    assert Slice(**{"from": 2, "to": 3, "axis": "width"}).shape(x) == (24, 8, 1)
    assert Slice(**{"from": 3}).shape((10,)) == (7,)
    part = Slice(**{"from": 2, "axis": "height"})
    assert part.views((24, 6, 9), x) == (View(1, 1, 2), View(1, 1, 0))
    code, message, hint = refused("slice", x, **{"from": 0, "to": 58})
    assert (code, message) == ("wrong-size", "from 0 up to 58 is no part of 24 channels")
    assert hint == "it begins before it ends, and ends at 24 at the latest"
    assert refused("slice", x, **{"from": 8, "axis": "height"})[1] == (
        "from 8 up to 8 is no part of a height of 8"
    )
    assert refused("slice", x, **{"from": 0, "axis": "depth"})[1] == "a map of 24x8x9 has no depth"


def test_upsample() -> None:
    x = (3, 8, 9)
    assert Upsample(factor=2).shape(x) == (3, 16, 18)
    assert Upsample(factor=(1, 3)).shape(x) == (3, 8, 27)
    assert Upsample(to=(20, 9)).shape(x) == (3, 20, 9)
    assert refused("upsample", x, to=(20, 8)) == (
        "wrong-size",
        "a width of 9 is larger already than 8",
        "`avgpool to=…` makes maps smaller",
    )
    assert refused("upsample", x)[0] == "missing-argument"
    assert refused("upsample", x, factor=2, to=16)[0] == "extra-argument"
    assert refused("upsample", (784,), factor=2)[0] == "wrong-rank"


def test_what_an_upsampled_pixel_sees() -> None:
    for _ in range(200):
        n = random.randint(2, 12)
        m = n + random.randint(1, 20)
        (nearest,) = Upsample(to=m).views((1, m), (1, n))
        assert nearest == View(1, n / m, 0)
        (linear,) = Upsample(to=m, mode="linear").views((1, m), (1, n))
        left = [floor((i + 1 / 2) * n / m - 1 / 2) for i in range(m)]
        assert (linear.extent, linear.step, linear.start) == (2, n / m, left[0])


def test_reduce() -> None:
    x = (64, 7, 9)
    assert Reduce(how="mean").shape(x) == (1, 7, 9)
    assert Reduce(how="max", axis="height").shape(x) == (64, 1, 9)
    assert Reduce(how="sum", axis="space").shape(x) == (64, 1, 1)
    assert Reduce(how="l2").shape((10,)) == (1,)
    assert Reduce(how="mean").work((1, 7, 9), x) == Work(0, 64 * 7 * 9)
    assert Reduce(how="mean").views((1, 7, 9), x) == ()
    along = Reduce(how="max", axis="height")
    assert along.views((64, 1, 9), x) == (View(7, 1, 0), View(1, 1, 0))
    assert Reduce(how="sum", axis="space").is_global
    assert refused("reduce", (10,), how="sum", axis="space")[0] == "wrong-rank"
    assert refused("reduce", x, how="sum", axis="length")[0] == "wrong-axes"
