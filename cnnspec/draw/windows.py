"""How much of the input does a layer see: windows on the input, to scale?

Each window is what one pixel in the middle of a layer's output sees. Of an input with more than
two axes the last two are drawn, of a signal its only one.
"""

from collections.abc import Sequence

from cnnspec.draw.letters import fitted
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role, Theme
from cnnspec.report.calls import own_name
from cnnspec.report.facts import Report, Row
from cnnspec.report.units import sizes
from cnnspec.text.record import record
from cnnspec.vocab.value import show_shape

SIZE, SMALL = 12.0, 11.5
WIDE, TOP = 560.0, 34.0
ROOM, TALLEST = 300.0, 300.0
BESIDE = 346.0
"""Where the names stand."""
LINE = 19.0

MOST = 9
"""Windows; of more steps, some are left out."""

TITLE = "What a pixel in the middle sees of the input"

Extent = tuple[float, float]
"""From which pixel of the input to which, along an axis."""


@record
class Window:
    """What a pixel in the middle of a layer's output sees: along y, if there is such an axis, and
    along x."""

    row: Row
    axes: tuple[Extent, ...]


def windows(report: Report, theme: Theme = "auto") -> Figure | None:
    """None for a network in which nothing has a place: a net of flat vectors."""
    found = _thinned(_growing(report))
    size = next((e.shape[1:] for e in report.inputs if len(e.shape) > 1), ())[-2:]
    if not found or not size:
        return None
    place = show_shape(size)
    said = "; ".join(f"{w.row.path} {sizes(w.row.receptive_field or ())} pixels" for w in found)
    f = Figure(WIDE, 0, TITLE, f"Windows on an input of {place}: {said}", theme)
    f.add(f.text(TITLE, 8, 18, size=13, bold=True))
    drawn = _maps if len(size) == 2 else _strips
    f.height = drawn(f, found, tuple((0.0, float(n)) for n in size), f"input {place}")
    return f


def growing(report: Report) -> list[Row]:
    """The layers that see more than any before them."""
    found: list[Row] = []
    most = 1
    for row in report.rows:
        if row.receptive_field and max(row.receptive_field) > most:
            most = max(row.receptive_field)
            found.append(row)
    return found


def _growing(report: Report) -> list[Window]:
    ranks = {len(e.shape) for e in report.inputs}
    return [Window(row, tuple(_extents(row))) for row in growing(report) if len(row.shape) in ranks]


def _extents(row: Row) -> list[Extent]:
    # Whatever has a receptive field has all three.
    seen, jumps, starts = row.receptive_field or (), row.jump or (), row.start or ()
    parts = zip(row.shape[1:], seen, jumps, starts, strict=True)
    found: list[Extent] = []
    for n, size, jump, start in parts:
        first = start + (n // 2) * jump
        found.append((first, first + size))
    return found[-2:]


def _thinned(found: Sequence[Window]) -> Sequence[Window]:
    if len(found) <= MOST:
        return found
    last = len(found) - 1
    return [found[round(i * last / (MOST - 1))] for i in range(MOST)]


def _maps(f: Figure, found: Sequence[Window], size: tuple[Extent, ...], place: str) -> float:
    hulls = [(min(a for a, _ in ends), max(b for _, b in ends)) for ends in _axes(found, size)]
    (top, bottom), (left, right) = hulls
    scale = min(TALLEST / (bottom - top), ROOM / (right - left))
    high = max((bottom - top) * scale, LINE * len(found))

    def corner(axes: tuple[Extent, ...]) -> tuple[float, float, float, float]:
        (y0, y1), (x0, x1) = axes
        at = 16 + (x0 - left) * scale, TOP + (y0 - top) * scale
        return *at, (x1 - x0) * scale, (y1 - y0) * scale

    f.add(_box(f, corner(size), "panel", "line", None))
    for window in reversed(found):
        f.add(_box(f, corner(window.axes), "conv", "curve0", _said(window)))
    # From the largest, whose corner is the highest, downwards: so no two lines cross.
    at = TOP + 12
    for window in reversed(found):
        x, y, w, _ = corner(window.axes)
        at = max(at, min(y + 4, TOP + high - LINE * len(found)))
        points = f"{x + w:.1f},{y:.1f} {BESIDE - 14:.1f},{at - 4:.1f} {BESIDE - 4:.1f},{at - 4:.1f}"
        f.add(node("polyline", points=points, stroke_width=0.8, **f.paint(None, "line")))
        f.add(f.text(fitted(_said(window), WIDE - BESIDE - 6, SIZE), BESIDE, at, size=SIZE))
        at += LINE
    _foot(f, place, found, size, TOP + high)
    return TOP + high + 26


def _strips(f: Figure, found: Sequence[Window], size: tuple[Extent, ...], place: str) -> float:
    ((left, right),) = (
        (min(a for a, _ in ends), max(b for _, b in ends)) for ends in _axes(found, size)
    )
    scale = ROOM / (right - left)
    for k, (axes, text) in enumerate([(size, place), *((w.axes, _said(w)) for w in found)]):
        ((a, b),) = axes
        box = (16 + (a - left) * scale, TOP + k * LINE, max((b - a) * scale, 1.5), LINE - 7)
        f.add(_box(f, box, "panel" if not k else "conv", "line" if not k else "curve0", text))
        words = fitted(text, WIDE - BESIDE - 6, SIZE)
        f.add(f.text(words, BESIDE, TOP + k * LINE + 10, size=SIZE))
    end = TOP + LINE * (len(found) + 1)
    _foot(f, "", found, size, end)
    return end + 24


def _axes(found: Sequence[Window], size: tuple[Extent, ...]) -> list[list[Extent]]:
    """For each axis the input and all windows."""
    return [list(ends) for ends in zip(size, *(w.axes for w in found), strict=True)]


def _said(window: Window) -> str:
    return f"{sizes(window.row.receptive_field or ())} · {own_name(window.row)}"


def _box(
    f: Figure, box: tuple[float, float, float, float], fill: Role, stroke: Role, text: str | None
) -> Element:
    x, y, w, h = box
    tip = None if text is None else node("title")
    if tip is not None:
        tip.text = text
    opacity = 0.3 if fill == "conv" else None
    paint = f.paint(fill, stroke)
    return node("rect", tip, x=x, y=y, width=w, height=h, fill_opacity=opacity, **paint)


def _foot(
    f: Figure, place: str, found: Sequence[Window], size: tuple[Extent, ...], y: float
) -> None:
    """The input's size, and what to think of windows that stick out of it."""
    is_out = any(
        a < low or b > high for w in found for (a, b), (low, high) in zip(w.axes, size, strict=True)
    )
    words = [place, "what sticks out of it lies in the padding" if is_out else ""]
    said = " · ".join(w for w in words if w)
    if said:
        f.add(f.text(fitted(said, WIDE - 24, SMALL), 16, y + 18, size=SMALL, role="soft"))
