"""Transposed convolutions: sizes, padding, and from where an output pixel is reached."""

import random

import pytest

from cnnspec.layers.base import Work
from cnnspec.layers.conv import Conv
from cnnspec.layers.deconv import Deconv, Spread
from cnnspec.text.diagnostic import Refusal


def test_it_doubles_maps() -> None:
    layer, x = Deconv(filters=64, kernel=(2, 2), stride=2), (128, 32, 32)
    y = layer.shape(x)
    assert y == (64, 64, 64)
    assert layer.weights(x)["weight"].shape == (128, 64, 2, 2)
    assert layer.work(y, x) == Work(128 * 64 * 4 * 1024, 128 * 64 * 4 * 1024 + 64 * 64 * 64)
    assert list(layer.sums(y, x)) == [
        "(32 - 1)·2 - 2·0 + 2 = 64",
        "parameters 2·2·128·64 + 64 = 32,832",
        "macs 2·2·128·64·32·32 = 33,554,432",
    ]


def test_it_undoes_the_size_of_a_convolution() -> None:
    # A convolution with stride s makes the same of s sizes; output_pad says which it was.
    for _ in range(1000):
        n, k, s = random.randint(1, 30), random.randint(1, 6), random.randint(1, 4)
        p, d = random.randint(0, 3), random.randint(1, 3)
        try:
            small = Conv(filters=1, kernel=k, stride=s, pad=p, dilation=d).shape((1, n))
        except Refusal:
            continue
        again = {
            Deconv(filters=1, kernel=k, stride=s, pad=p, dilation=d, output_pad=extra).shape(small)
            for extra in range(s)
            if (small[1] - 1) * s - 2 * p + d * (k - 1) + 1 + extra > 0
        }
        assert (1, n) in again


def test_same_multiplies_the_size() -> None:
    for kernel in range(1, 7):
        for stride in range(1, 6):
            for dilation in (1, 2):
                layer = Deconv(
                    filters=1, kernel=kernel, stride=stride, dilation=dilation, pad="same"
                )
                assert layer.shape((1, 5)) == (1, 5 * stride)


def test_where_an_output_pixel_is_reached_from() -> None:
    for _ in range(500):
        kernel, stride = random.randint(1, 6), random.randint(1, 5)
        dilation, begin = random.randint(1, 4), random.randint(0, 4)
        spread = Spread(50, kernel, stride, dilation, begin, 0, 0)
        reached: dict[int, set[int]] = {}
        for pixel in range(-50, 50):
            for tap in range(kernel):
                reached.setdefault(pixel * stride + tap * dilation - begin, set()).add(pixel)
        widths = [max(p) - min(p) + 1 for o, p in reached.items() if 0 <= o < 40]
        assert spread.view.extent == max(widths), spread
        assert spread.view.step == 1 / stride
        if dilation == 1 and 0 in reached:
            assert spread.view.start == min(reached[0]), spread


def refused(layer: Deconv, *x: int) -> Refusal:
    with pytest.raises(Refusal) as caught:
        layer.shape(x)
    return caught.value


def test_padding_that_leaves_nothing() -> None:
    found = refused(Deconv(filters=1, kernel=2, pad=1), 1, 1, 1)
    assert (found.code, found.param) == ("wrong-size", "pad")
    assert found.message == "the padding takes all of the height: (1 - 1)·1 - 2·1 + 2 = 0"
    assert found.hint == "at most 1 can be taken off, both ends together"
    assert Deconv(filters=1, kernel=2, pad=(1, 1, 0, 0)).shape((1, 1, 1)) == (1, 1, 1)


def test_output_pad_stays_below_the_stride() -> None:
    found = refused(Deconv(filters=1, kernel=3, stride=2, output_pad=2), 1, 8)
    assert (found.code, found.param) == ("wrong-size", "output_pad")
    assert found.message == "an output_pad of 2 is not smaller than the stride of 2"
    assert Deconv(filters=1, kernel=3, stride=2, output_pad=1).shape((1, 8)) == (1, 18)
    found = refused(Deconv(filters=1, kernel=3, stride=2, pad="same", output_pad=1), 1, 8)
    assert (found.code, found.param) == ("extra-argument", "output_pad")


def test_groups_divide_both_sides() -> None:
    found = refused(Deconv(filters=6, kernel=2, groups=4), 8, 4, 4)
    assert found.message == "6 output channels do not split into 4 equal groups"
    assert found.hint == "6 divides by 1, 2, 3, 6"
