"""Are curves, bars and confusions drawn where their numbers are, with nothing on anything else?"""

from math import inf, log10, nan
from xml.etree import ElementTree

import numpy as np
import pytest

from calls import by_hash_seed
from cnnspec.draw.chart import Bar, Curve, Mark, Words, bars, chart, scale_for, signal
from cnnspec.draw.confusion import confusion
from cnnspec.draw.svg import Figure
from cnnspec.draw.theme import CURVES
from cnnspec.draw.ticks import linear, logarithmic, short, written
from conftest import Golden
from draw.boxes import outside, overlaps, texts

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script> \"&]]>\n\u202e"


def curve(name: str, *ys: float, role: int = 0) -> Curve:
    return Curve(name, [(float(k + 1), y) for k, y in enumerate(ys)], CURVES[role])


def is_legible(figure: Figure) -> None:
    svg = figure.svg()
    assert overlaps(svg) == []
    assert outside(svg) == []
    root = ElementTree.fromstring(svg)
    for tag in ("title", "desc"):
        found = root.find(f"{SVG}{tag}")
        assert found is not None
        assert found.text


# ── ticks ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.91, 0.98, [0.92, 0.94, 0.96, 0.98]),
        (0, 2.4, [0, 0.5, 1, 1.5, 2]),
        (-3e-5, 2e-5, [-3e-5, -2e-5, -1e-5, 0, 1e-5, 2e-5]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert linear(low, high, 5).ticks == pytest.approx(ticks, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_ticks_lie_within_and_are_told_apart(seed: int) -> None:
    draw = np.random.default_rng(seed)
    low, high = sorted((10 ** draw.uniform(-6, 6, 2)).tolist())
    for axis in (linear(low, high, 5), logarithmic(low, high, 6)):
        assert 0 < len(axis.ticks) <= 12 or axis.scale == "log"
        assert all(-1e-6 <= axis.share(t) <= 1 + 1e-6 for t in axis.ticks)
        said = [short(t) for t in axis.ticks] if axis.scale == "log" else written(axis.ticks)
        assert len(set(said)) == len(said), said


def test_an_axis_of_one_value_has_room() -> None:
    assert linear(1, 1, 5, whole=True).ticks == [1]
    assert linear(0.5, 0.5, 5).share(0.5) == pytest.approx(0.5)


def test_the_share_of_a_log_axis() -> None:
    axis = logarithmic(1e-3, 1, 6)
    assert axis.share(10**-1.5) == pytest.approx((-1.5 + 3) / 3)
    assert [log10(t) for t in axis.ticks] == pytest.approx([-3, -2, -1, 0])
    assert logarithmic(2.1, 2.4, 6).ticks == pytest.approx([2.1, 2.15, 2.2, 2.25, 2.3, 2.35, 2.4])
    assert logarithmic(0.05, 3, 6).ticks == pytest.approx([0.05, 0.1, 0.2, 0.5, 1, 2])


@pytest.mark.parametrize(
    ("ys", "scale"),
    [
        ([2.3, 1, 0.5], "linear"),
        ([2.3, 0.1, 0.02, 0.01], "log"),
        ([0.1, 0.09, 0.07, 0.05, 0.03, 1e-9], "linear"),  # only its end is far below
        ([1, 0, 5], "linear"),
        ([nan, inf], "linear"),
    ],
)
def test_a_log_scale_where_much_is_far_below(ys: list[float], scale: str) -> None:
    assert scale_for(ys) == scale


# ── curves ─────────────────────────────────────────────────────────────────────────────────────

TWO = (curve("training", 2.3, 0.9, 0.5, 0.41), curve("validation", 1.2, 0.7, 0.5, 0.52, role=1))


def test_golden(golden: Golden) -> None:
    golden("curves.svg", chart(TWO, Words("loss"), mark=Mark(3, "best: epoch 3")).svg())
    golden("confusion.svg", confusion([[8, 1], [0, 4]], ["cat", "dog"], "Confusion").svg())


def ends_of(figure: Figure) -> list[tuple[float, float]]:
    """The last point of each path."""
    paths = ElementTree.fromstring(figure.svg()).findall(f"{SVG}path")
    pairs = [p.get("d", "").replace("M", "L").split("L")[-1].split() for p in paths]
    return [(float(x), float(y)) for x, y in pairs]


def test_larger_values_stand_higher() -> None:
    (_, low), (_, high) = ends_of(chart(TWO, Words("loss")))
    assert high < low


@pytest.mark.parametrize(
    "curves",
    [
        TWO,
        [curve("one", 0.5)],
        [curve("flat", 0.5, 0.5, 0.5)],
        [curve("gaps", 1, nan, 3, inf, 2, 4)],
        [curve("nothing", nan, nan)],
        [],
        [curve("huge", 1e30, 1e-30)],
        [curve("same a", 1, 2), curve("same b", 1, 2, role=1), curve("same c", 1, 2, role=2)],
        [curve(f"runs/a long name of a run number {k}", *range(k, k + 5)) for k in range(12)],
        [curve("long", *range(1, 5001))],
        [curve(HOSTILE, 1, 2)],
    ],
    ids=lambda c: c[0].name[:10] if c else "none",
)
@pytest.mark.parametrize("size", [(380.0, 260.0), (560.0, 300.0)])
def test_charts_are_legible(curves: list[Curve], size: tuple[float, float]) -> None:
    for mark in (None, Mark(1, "best: epoch 1"), Mark(4, "best: epoch 4")):
        is_legible(chart(curves, Words("a title"), mark=mark, size=size))


def test_a_place_tells_all_its_values() -> None:
    svg = chart(TWO, Words("accuracy", percent=True)).svg()
    assert "epoch 2 · training 90.00% · validation 70.00%" in svg


def test_of_many_places_some_tell() -> None:
    svg = chart([curve("long", *range(1, 5001))], Words("x")).svg()
    assert svg.count('class="tip"') <= 150


def test_text_stays_text() -> None:
    words = Words(HOSTILE, across=HOSTILE)
    for figure in (
        chart([curve(HOSTILE, 1, 2)], words, mark=Mark(1, HOSTILE)),
        bars([Bar(HOSTILE, 1, HOSTILE)], words),
        signal([[1, 2]], HOSTILE),
        confusion([[1, 1], [1, 1]], [HOSTILE, "b"], HOSTILE),
    ):
        svg = figure.svg()
        tags = {e.tag for e in ElementTree.fromstring(svg).iter()}
        assert f"{SVG}script" not in tags
        assert "\u202e" not in svg


def test_bars_are_as_long_as_their_values() -> None:
    figure = bars([Bar("a", 1, "1"), Bar("b", 0.5, "0.5"), Bar("c", nan, "?")], Words("w"))
    is_legible(figure)
    rects = ElementTree.fromstring(figure.svg()).findall(f"{SVG}rect")
    one, half, none = (float(r.get("width", 0)) for r in rects)
    assert half == pytest.approx(one / 2, rel=0.02)
    assert none == 1


# ── confusion ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("n", "size"),
    [*((n, size) for n in (2, 3, 10, 30, 31) for size in (1, 50_000)), (100, 50_000), (200, 1)],
)
def test_confusions_are_legible(n: int, size: int) -> None:
    draw = np.random.default_rng(n)
    matrix = (draw.integers(0, 3, (n, n)) + 1234 * np.eye(n, dtype=int)) * size
    labels = [f"the class with the long name {k}" for k in range(n)]
    figure = confusion(matrix.tolist(), labels, "Confusion")
    is_legible(figure)
    svg = figure.svg()
    assert svg.count("<rect") == np.count_nonzero(matrix) + 1
    shown = {box.text for box in texts(svg)}
    assert (f"{int(matrix[0, 0]):,}" in shown) == (n <= 30 and size == 1)
    assert f"0  {labels[0]} taken for 1  {labels[1]}" in svg or not matrix[0, 1]


PRINT = """
from cnnspec.draw.chart import *
from cnnspec.draw.confusion import confusion
print(chart([Curve("a", [(1, .5), (2, .25)], "curve0")], Words("t"), mark=Mark(2, "m")).svg())
print(confusion([[3, 1], [1, 2]], ["x", "y"], "t").svg())
"""


def test_the_same_bytes_in_every_process() -> None:
    assert len(by_hash_seed("-c", PRINT)) == 1
