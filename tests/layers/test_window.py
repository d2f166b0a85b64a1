"""Window arithmetic against the lectures' numbers and against windows laid out one by one."""

import random

import pytest

from cnnspec.layers.base import View
from cnnspec.layers.conv import Conv
from cnnspec.layers.window import Axis, window
from cnnspec.text.diagnostic import Refusal


@pytest.mark.parametrize(
    ("n", "kernel", "pad", "stride", "out"),
    [(7, 3, 0, 1, 5), (7, 3, 0, 2, 3), (7, 3, 1, 1, 7), (32, 5, 0, 1, 28)],
)
def test_sizes_of_the_lectures(n: int, kernel: int, pad: int, stride: int, out: int) -> None:
    assert window("conv", (1, n, n), kernel, stride, pad).out == (out, out)


def test_the_lectures_layer_of_six_5x5x3() -> None:
    layer, x = Conv(filters=6, kernel=(5, 5)), (3, 32, 32)
    weights = layer.weights(x)
    assert layer.shape(x) == (6, 28, 28)
    assert weights["weight"].size // 6 == 75
    assert sum(w.size for w in weights.values()) == 456
    assert list(layer.sums((6, 28, 28), x)) == [
        "(32 - 5 + 2·0)/1 + 1 = 28",
        "parameters (5·5·3 + 1)·6 = 456",
        "macs 5·5·18·28·28 = 352,800",
    ]


def places(a: Axis) -> list[list[int]]:
    """The pixels under each window, the padding's left out, window by window.

    All that fit; rounded up, one more may hang over the end, but none begins behind the map.
    """
    found: list[list[int]] = []
    first = -a.begin
    over = a.stride - 1 if a.ceil else 0
    while first + a.extent <= a.n + a.end + over and (first < a.n or not a.ceil):
        taps = range(first, first + a.extent, a.dilation)
        found.append([p for p in taps if 0 <= p < a.n])
        first += a.stride
    return found


def drawn(most: int = 9) -> Axis:
    r = random.randint
    n, kernel, stride, dilation = r(1, most), r(1, 5), r(1, 5), r(1, 3)
    if random.random() < 0.4:
        # Only pools round up, and their padding is smaller than the window.
        return Axis(n, kernel, stride, 1, r(0, kernel - 1), r(0, kernel - 1), ceil=True)
    return Axis(n, kernel, stride, dilation, r(0, 4), r(0, 4), ceil=False)


def test_windows_counted_one_by_one() -> None:
    for _ in range(4000):
        a = drawn()
        assert max(a.out, 0) == len(places(a)), a


def test_dropped_pixels_counted_one_by_one() -> None:
    for _ in range(4000):
        a = drawn(20)
        windows = places(a)
        if a.dilation > 1 or not windows:
            continue
        # What no window reads beyond the gap that a large stride leaves behind each of them.
        last = -a.begin + (len(windows) - 1) * a.stride
        missed = [p for p in range(a.n) if p >= last + max(a.kernel, a.stride)]
        assert a.dropped == len(missed), a
        assert not any(p in w for p in missed for w in windows)


def test_windows_in_the_padding_counted_one_by_one() -> None:
    for _ in range(4000):
        a = drawn()
        windows = places(a)
        if windows and a.dilation == 1:
            assert a.sees_only_padding == any(not w for w in windows), a


def test_a_formula_says_what_comes_out() -> None:
    axis = Axis(10, 3, 2, 1, 0, 0, ceil=False)
    assert axis.formula() == "⌊(10 - 3 + 2·0)/2⌋ + 1 = 4"
    assert Axis(10, 3, 2, 1, 0, 0, ceil=True).formula() == "⌈(10 - 3 + 2·0)/2⌉ + 1 = 5"
    assert Axis(9, 3, 1, 2, 2, 1, ceil=False).formula() == "(9 - (2·2 + 1) + 2 + 1)/1 + 1 = 8"
    # Rounding up, a window that would begin in the padding at the end is none.
    assert Axis(2, 1, 3, 1, 1, 1, ceil=True).formula() == "(2 - 1 + 2·1)/3 + 1 - 1 = 1"
    assert Axis(2, 1, 3, 1, 1, 1, ceil=False).formula() == "(2 - 1 + 2·1)/3 + 1 = 2"


def test_same_keeps_the_size() -> None:
    for _ in range(500):
        n, kernel, stride = random.randint(1, 20), random.randint(1, 7), random.randint(1, 4)
        w = window("conv", (1, n), kernel, stride, "same", random.randint(1, 3))
        (axis,) = w.axes
        assert w.out == (-(-n // stride),)
        assert axis.end - axis.begin in (0, 1)
        assert axis.dropped == 0


def test_axes_are_said_by_name_where_they_differ() -> None:
    w = window("conv", (1, 28, 14), (3, 5), 1, (1, 0, 1, 0))
    assert w.formulas() == ["height: (28 - 3 + 2·1)/1 + 1 = 28", "width: (14 - 5 + 2·0)/1 + 1 = 10"]
    assert w.pads == (1, 0, 1, 0)
    assert w.views == (View(3, 1, -1), View(5, 1, 0))


def refusal(layer: Conv, *x: int) -> Refusal:
    with pytest.raises(Refusal) as caught:
        layer.shape(x)
    return caught.value


def test_a_kernel_larger_than_its_padded_map() -> None:
    found = refusal(Conv(filters=1, kernel=7, pad=1, stride=2), 1, 8, 3)
    assert found.code == "kernel-too-large"
    assert found.message == "a kernel of 7 is larger than the padded width of 3 + 1 + 1 = 5"
    assert found.notes == ("the size would be (3 - 7 + 2·1)/2 + 1 = 0",)
    assert found.hint == "pad=2 or a kernel of at most 5 fits"
    assert Conv(filters=1, kernel=7, pad=2, stride=2).shape((1, 8, 3)) == (1, 3, 1)


def test_hints_of_kernels_that_are_too_large_are_true() -> None:
    for _ in range(300):
        n, kernel = random.randint(1, 6), random.randint(1, 9)
        pads, dilation = (random.randint(0, 2), random.randint(0, 2)), random.randint(1, 3)
        if n + sum(pads) >= dilation * (kernel - 1) + 1:
            continue
        with pytest.raises(Refusal) as caught:
            window("conv", (1, n), kernel, 1, pads, dilation)
        hint = caught.value.hint or ""
        pad, fits = hint.removeprefix("pad=").split(" or a kernel of at most ")
        most = int(fits.removesuffix(" fits"))
        window("conv", (1, n), kernel, 1, int(pad), dilation)
        window("conv", (1, n), most, 1, pads, dilation)
        with pytest.raises(Refusal):
            window("conv", (1, n), most + 1, 1, pads, dilation)


def test_arguments_of_another_rank() -> None:
    found = refusal(Conv(filters=1, kernel=(3, 3)), 1, 24)
    assert found.code == "wrong-axes"
    assert found.message == "`kernel` of `conv` has 2 numbers, 3x3; the map has one axis"
    assert found.hint == "write one number for all axes"
    found = refusal(Conv(filters=1, kernel=3, pad=(1, 2, 3)), 1, 9, 9)
    assert found.message == "`pad` of `conv` has 3 numbers, 1x2x3; the map has 2 axes"
    assert found.hint == "write one number, 2 (one for each axis) or 4 (begins, then ends)"


def test_a_vector_has_no_place_for_a_window() -> None:
    found = refusal(Conv(filters=1, kernel=3), 784)
    assert found.code == "wrong-rank"
    assert "a flat vector of 784 reaches it" in found.message


def test_hints_about_dropped_pixels_are_true() -> None:
    seen = 0
    for _ in range(2000):
        n, kernel, stride = random.randint(2, 30), random.randint(1, 6), random.randint(2, 6)
        pad = random.choice((0, 0, 1, 2, "same"))
        layer, x = Conv(filters=1, kernel=kernel, stride=stride, pad=pad), (1, n)
        try:
            y = layer.shape(x)
        except Refusal:
            continue
        if not any(layer.dropped(x)):
            continue
        seen += 1
        hint = layer.keep_hint(x)
        assert hint
        assert hint.startswith("pad=same reads them; ")
        assert not any(Conv(filters=1, kernel=kernel, stride=stride, pad="same").dropped(x))
        if pad == 0:
            assert hint.endswith("pad=valid leaves them out on purpose")
            assert Conv(filters=1, kernel=kernel, stride=stride, pad="valid").shape(x) == y
        else:
            # `crop (0, d)` before it changes nothing but that nothing is dropped.
            (dropped,) = layer.dropped(x)
            assert f"`crop (0, {dropped})` before it" in hint
            assert layer.shape((1, n - dropped)) == y
            assert not any(layer.dropped((1, n - dropped)))
    assert seen > 50
