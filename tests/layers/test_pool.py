"""Pools: windows, the whole map, and as many windows as asked."""

import random

import pytest

from cnnspec.layers.base import View, Work
from cnnspec.layers.pool import AvgPool, LpPool, MaxPool, Pool
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape


def test_the_stride_is_the_window_unless_given() -> None:
    assert MaxPool(kernel=(2, 2)).shape((16, 10, 10)) == (16, 5, 5)
    assert MaxPool(kernel=(3, 3), stride=2).shape((32, 142, 142)) == (32, 70, 70)
    assert MaxPool(kernel=(3, 3), stride=2, ceil=True).shape((32, 142, 142)) == (32, 71, 71)
    assert AvgPool(kernel=2).shape((1, 9)) == (1, 4)
    assert LpPool(kernel=2).shape((1, 4, 4, 4)) == (1, 2, 2, 2)


def test_a_global_pool_sees_the_whole_map() -> None:
    pool, x = AvgPool(kernel="global"), (2048, 7, 7)
    y = pool.shape(x)
    assert y == (2048, 1, 1)
    assert pool.is_global
    assert pool.work(y, x) == Work(0, 2048 * 49)
    assert list(pool.sums(y, x)) == [
        "one window over all 7·7 = 49 pixels",
        "connections 2,048·7·7 = 100,352",
    ]
    assert AvgPool(to=1).is_global
    assert not AvgPool(kernel=7).is_global


def windows(n: int, m: int) -> list[range]:
    return [range(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def test_adaptive_windows_laid_out_one_by_one() -> None:
    for n in range(1, 40):
        for m in range(1, n + 1):
            pool, x, y = AvgPool(to=m), (3, n), (3, m)
            assert pool.shape(x) == y
            widths = [len(w) for w in windows(n, m)]
            assert pool.work(y, x).connections == 3 * sum(widths)
            assert pool.views(y, x) == (View(max(widths), n / m, 0),)
            if m == 1:
                continue
            spread = " or ".join(str(k) for k in sorted({-(-n // m), max(widths)}))
            assert pool.sums(y, x)[0] == f"{n} pixels in {m} windows of {spread}"
            assert set(range(n)) == {p for w in windows(n, m) for p in w}


def test_an_adaptive_pool_that_divides_is_an_ordinary_one() -> None:
    x = (8, 14, 21)
    adaptive, ordinary = AvgPool(to=7), AvgPool(kernel=(2, 3))
    assert (y := adaptive.shape(x)) == ordinary.shape(x)
    assert adaptive.views(y, x) == ordinary.views(y, x)
    assert adaptive.work(y, x) == ordinary.work(y, x)


def test_pixels_that_no_window_reads() -> None:
    x = (8, 26, 27)
    assert MaxPool(kernel=(4, 4)).dropped(x) == (2, 3)
    assert MaxPool(kernel=(4, 4)).keep_hint(x) == (
        "ceil=yes reads them; ceil=no leaves them out on purpose"
    )
    assert not any(MaxPool(kernel=(4, 4), ceil=True).dropped(x))
    assert not any(MaxPool(kernel=(4, 4), ceil=False).dropped(x))
    assert not any(MaxPool(kernel=(4, 4), pad="valid").dropped(x))
    assert not any(MaxPool(to=5).dropped(x))


def test_ceil_reads_what_would_be_dropped() -> None:
    seen = 0
    for _ in range(1000):
        kernel, stride = random.randint(1, 5), random.randint(1, 5)
        pad, x = random.randint(0, kernel - 1), (1, random.randint(1, 20))
        try:
            dropped = MaxPool(kernel=kernel, stride=stride, pad=pad).dropped(x)
        except Refusal:
            continue
        seen += any(dropped)
        # Asked of the window: a pool whose `ceil` was written reports nothing.
        up = MaxPool(kernel=kernel, stride=stride, pad=pad, ceil=True).window(x)
        assert not any(up.dropped)
    assert seen > 50


def refused(pool: Pool, x: Shape = (4, 8, 8)) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as caught:
        pool.shape(x)
    return caught.value.code, caught.value.param


def test_one_of_window_global_and_to() -> None:
    assert refused(MaxPool()) == ("missing-argument", None)
    assert refused(MaxPool(kernel=2, to=4)) == ("extra-argument", "kernel")
    assert refused(MaxPool(kernel="global", to=4)) == ("extra-argument", "kernel")
    assert refused(MaxPool(kernel="global", stride=2)) == ("extra-argument", "stride")
    assert refused(MaxPool(to=4, ceil=False)) == ("extra-argument", "ceil")
    assert refused(MaxPool(to=(4, 4, 4))) == ("wrong-axes", "to")
    assert refused(MaxPool(kernel=2), (784,)) == ("wrong-rank", None)
    assert refused(MaxPool(kernel=9)) == ("kernel-too-large", "kernel")
    assert refused(MaxPool(to=9)) == ("wrong-size", "to")


def test_a_window_without_a_pixel_has_no_largest_one() -> None:
    pool = MaxPool(kernel=2, pad=2)
    assert refused(pool) == ("wrong-size", "pad")
    with pytest.raises(Refusal) as caught:
        pool.shape((4, 8, 8))
    assert caught.value.message == (
        "some windows of `maxpool` hold no pixel: along the height the padding is 2 wide, "
        "the window 2"
    )
    assert MaxPool(kernel=2, pad=1).shape((4, 8, 8)) == (4, 5, 5)


def test_with_ceil_a_window_may_hang_over_the_end() -> None:
    assert refused(MaxPool(kernel=3, stride=2), (1, 2, 2)) == ("kernel-too-large", "kernel")
    assert MaxPool(kernel=3, stride=2, ceil=True).shape((1, 2, 2)) == (1, 1, 1)
    assert refused(MaxPool(kernel=3, ceil=True, stride=2), (1, 1)) == ("kernel-too-large", "kernel")
