"""How do numbers look as curves, as bars, as a signal?

Drawn here rather than by a library, which would cost half a second to load and could not follow a
reader from light to dark: a page of a training run is written anew after each epoch.
"""

from collections.abc import Sequence
from itertools import groupby
from math import isfinite

from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import CURVES, Role, Theme
from cnnspec.draw.ticks import Axis, Scale, linear, logarithmic, short, written
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record

SIZE, SMALL = 12.0, 11.5

MOST_LABELS = 4
"""Of more curves a legend says the names: their ends lie too close together."""

MOST_TIPS = 150
"""Places with a tip; of more, only some have one."""

STEEP = 30.0
"""A log scale shows positive numbers of which the largest is so many times a quarter of them."""

Point = tuple[float, float]


@record
class Curve:
    """What changes with what; a value that is not finite is a gap."""

    name: str
    points: Sequence[Point]
    role: Role
    is_dashed: bool = False


@record
class Mark:
    """A place that is pointed at, with what is there."""

    x: float
    text: str


@record
class Words:
    """What a chart says beside its curves."""

    title: str
    across: str = "epoch"
    """What is on the axis from left to right."""
    percent: bool = False
    note: str = ""
    """More for those who cannot see it."""


def chart(
    curves: Sequence[Curve],
    words: Words,
    *,
    mark: Mark | None = None,
    scale: Scale | None = None,
    size: tuple[float, float] = (560, 300),
    whole: bool = True,
    theme: Theme = "auto",
) -> Figure:
    """Curves over one axis. Without `scale` the numbers decide; `whole` says that the values across
    are whole numbers, as epochs are."""
    return _Chart(curves, words, mark, scale, size, whole, theme).figure


def scale_for(values: Sequence[float]) -> Scale:
    """Logarithmic for positive numbers of which many are far below the largest."""
    known = sorted(v for v in values if isfinite(v))
    if not known or known[0] <= 0:
        return "linear"
    return "log" if known[-1] > STEEP * known[len(known) // 4] else "linear"


class _Chart:
    def __init__(
        self,
        curves: Sequence[Curve],
        words: Words,
        mark: Mark | None,
        scale: Scale | None,
        size: tuple[float, float],
        whole: bool,
        theme: Theme,
    ) -> None:
        self.curves, self.words, self.mark = curves, words, mark
        self.figure = Figure(*size, words.title, _description(curves, words), theme)
        xs = [x for c in curves for x, y in c.points if isfinite(y)]
        ys = [y for c in curves for _, y in c.points if isfinite(y)]
        if not ys:
            self._nothing()
            return
        self.y = _upwards(ys, scale or ("linear" if words.percent else scale_for(ys)), words)
        self.is_named = len(curves) <= MOST_LABELS
        self._frame(size)
        self.x = linear(min(xs), max(xs), int((self.right - self.left) / 60), whole=whole)
        self._grid()
        self._marked()
        for curve in curves:
            self._curve(curve)
        self._names() if self.is_named else self._legend(draw=True)
        self._tips(sorted(set(xs)))

    def _nothing(self) -> None:
        f = self.figure
        f.add(
            f.text(self.words.title, 8, 18, size=13, bold=True),
            f.text("nothing to show yet", 8, 44, size=SIZE, role="soft"),
        )

    def _frame(self, size: tuple[float, float]) -> None:
        """Where the curves have their room."""
        self.labels = _labels(self.y, self.words)
        self.left = 14 + max((width(t, SMALL) for t in self.labels), default=0)
        names = [width(fitted(c.name, 0.3 * size[0], SIZE), SIZE) for c in self.curves]
        self.right = size[0] - (14 + max(names) if self.is_named else 12)
        self.top = 46.0 if self.mark is not None else 32.0
        self.bottom = size[1] - 40
        if not self.is_named:
            self.figure.height += self._legend(draw=False)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.left + (self.right - self.left) * self.x.share(x),
            self.bottom - (self.bottom - self.top) * self.y.share(y),
        )

    def _grid(self) -> None:
        f, words = self.figure, self.words
        f.add(f.text(fitted(words.title, f.width - 16, 13, bold=True), 8, 18, size=13, bold=True))
        for tick, label in zip(self.y.ticks, self.labels, strict=True):
            y = self.at(self.x.low, tick)[1]
            f.add(
                _line(f, self.left, y, self.right, y, "faint"),
                f.text(label, self.left - 6, y + 4, size=SMALL, anchor="end", role="soft"),
            )
        end = -1e9
        for tick, label in zip(self.x.ticks, written(self.x.ticks), strict=True):
            x, half = self.at(tick, self.y.low)[0], width(label, SMALL) / 2
            if x - half > end + 6:
                f.add(
                    _line(f, x, self.bottom, x, self.bottom + 4, "line"),
                    f.text(label, x, self.bottom + 17, size=SMALL, anchor="middle", role="soft"),
                )
                end = x + half
        f.add(_line(f, self.left, self.bottom, self.right, self.bottom, "line"))
        middle = (self.left + self.right) / 2
        kind = " · logarithmic upwards" if self.y.scale == "log" else ""
        said = f"{words.across}{kind}"
        f.add(f.text(said, middle, self.bottom + 33, size=SMALL, anchor="middle", role="soft"))

    def _marked(self) -> None:
        f, mark = self.figure, self.mark
        if mark is None or not self.x.low <= mark.x <= self.x.high:
            return
        x = self.at(mark.x, self.y.low)[0]
        f.add(_line(f, x, self.top - 4, x, self.bottom, "line", stroke_dasharray="2 3"))
        half = width(mark.text, SMALL) / 2
        middle = min(max(x, half + 4), f.width - half - 4)
        f.add(f.text(mark.text, middle, self.top - 8, size=SMALL, anchor="middle", role="soft"))

    def _curve(self, curve: Curve) -> None:
        f = self.figure
        pieces = [
            [self.at(*p) for p in piece]
            for is_there, piece in groupby(curve.points, key=lambda p: isfinite(p[1]))
            if is_there
        ]
        path = " ".join(_path(piece) for piece in pieces if len(piece) > 1)
        if path:
            f.add(
                node(
                    "path",
                    d=path,
                    stroke_width=2,
                    stroke_linejoin="round",
                    stroke_dasharray="5 3" if curve.is_dashed else None,
                    **f.paint(None, curve.role),
                )
            )
        for x, y in (piece[0] for piece in pieces if len(piece) == 1):
            f.add(node("circle", cx=x, cy=y, r=3, **f.paint(curve.role)))
        x, y = next((p for p in reversed(curve.points) if isfinite(p[1])), (self.x.high, 0.0))
        if x < self.x.high:
            # It ends before others do: its name stands at the border.
            cx, cy = self.at(x, y)
            f.add(node("circle", cx=cx, cy=cy, r=3, **f.paint(curve.role)))
        best = self.mark.x if self.mark is not None else None
        for x, y in curve.points:
            if x == best and isfinite(y):
                cx, cy = self.at(x, y)
                ring = f.paint("paper", curve.role)
                f.add(node("circle", cx=cx, cy=cy, r=4, stroke_width=2, **ring))

    def _names(self) -> None:
        """The name of each curve at its end, moved where two would overlap."""
        f, ends = self.figure, list[tuple[float, Curve]]()
        for curve in self.curves:
            known = [p for p in curve.points if isfinite(p[1])]
            if known:
                ends.append((self.at(*known[-1])[1], curve))
        for y, curve in _apart(ends, 1.25 * SIZE, self.top + 6, self.bottom):
            name = fitted(curve.name, f.width - self.right - 10, SIZE)
            f.add(f.text(name, self.right + 8, y + 4, size=SIZE, role=curve.role))

    def _legend(self, *, draw: bool) -> float:
        """Names below the chart, row after row; how high all of them are."""
        f, x, y = self.figure, 14.0, 0.0
        for curve in self.curves:
            name = fitted(curve.name, f.width - 60, SIZE)
            wide = 24 + width(name, SIZE) + 18
            if x + wide > f.width and x > 14:
                x, y = 14.0, y + 19
            if draw:
                line = self.bottom + 54 + y
                dash = "5 3" if curve.is_dashed else None
                f.add(
                    _line(f, x, line, x + 18, line, curve.role, width=3, stroke_dasharray=dash),
                    f.text(name, x + 24, line + 4, size=SIZE),
                )
            x += wide
        return y + 22

    def _tips(self, xs: Sequence[float]) -> None:
        """What the curves say at a place, told where the pointer rests."""
        f = self.figure
        xs = xs[:: -(-len(xs) // MOST_TIPS)]
        known = [(c.name, dict(c.points)) for c in self.curves]
        for k, x in enumerate(xs):
            before = (xs[k - 1] + x) / 2 if k else self.x.low
            after = (xs[k + 1] + x) / 2 if k + 1 < len(xs) else self.x.high
            left, right = self.at(before, self.y.low)[0], self.at(after, self.y.low)[0]
            said = [f"{name} {_said(ys[x], self.words)}" for name, ys in known if x in ys]
            tip = node("title")
            tip.text = safe(" · ".join([f"{self.words.across} {short(x)}", *said]))
            f.add(
                node(
                    "rect",
                    tip,
                    x=left,
                    y=self.top,
                    width=max(1.0, right - left),
                    height=self.bottom - self.top,
                    class_="tip",
                    fill="none",
                    pointer_events="all",
                )
            )


def _upwards(ys: Sequence[float], scale: Scale, words: Words) -> Axis:
    """The axis of the values, with a little room above and below."""
    low, high = min(ys), max(ys)
    if scale == "log":
        return logarithmic(low / 1.15, high * 1.15, 6)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    bottom, top = low - room, high + room
    if low >= 0 and (low < 0.4 * high or bottom < 0):
        bottom = 0.0
    if words.percent:
        bottom, top = max(0.0, bottom), min(1.0, top) if high <= 1 else top
    return linear(bottom, top, 5)


def _labels(axis: Axis, words: Words) -> list[str]:
    """What stands at the ticks of an axis upwards."""
    if axis.scale == "log" and not words.percent:
        return [short(tick) for tick in axis.ticks]
    return written(axis.ticks, percent=words.percent)


def _description(curves: Sequence[Curve], words: Words) -> str:
    said = [f"{c.name} {_span(c, words)}" for c in curves]
    note = [words.note] if words.note else []
    return ". ".join([f"Curves by {words.across}: {'; '.join(said)}", *note])


def _span(curve: Curve, words: Words) -> str:
    known = [p for p in curve.points if isfinite(p[1])]
    if not known:
        return "without values"
    (x0, y0), (x1, y1) = known[0], known[-1]
    start = f"{_said(y0, words)} at {short(x0)}"
    return start if len(known) == 1 else f"from {start} to {_said(y1, words)} at {short(x1)}"


def _said(y: float, words: Words) -> str:
    return f"{y:.2%}" if words.percent and isfinite(y) else short(y)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _line(
    f: Figure,
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    role: Role,
    *,
    width: float | None = None,
    stroke_dasharray: str | None = None,
) -> Element:
    return node(
        "line",
        x1=x1,
        y1=y1,
        x2=x2,
        y2=y2,
        stroke_width=width,
        stroke_dasharray=stroke_dasharray,
        **f.paint(None, role),
    )


def _apart(
    ends: Sequence[tuple[float, Curve]], gap: float, top: float, bottom: float
) -> list[tuple[float, Curve]]:
    """The same from the top down, none nearer to the next than `gap`, all between the limits."""
    placed: list[tuple[float, Curve]] = []
    at = top - gap
    for y, curve in sorted(ends, key=lambda e: e[0]):
        at = max(y, at + gap)
        placed.append((at, curve))
    limit = bottom
    for k in range(len(placed) - 1, -1, -1):
        y, curve = placed[k]
        placed[k] = (min(y, limit), curve)
        limit = placed[k][0] - gap
    return placed


# ── bars ────────────────────────────────────────────────────────────────────────────────────────


@record
class Bar:
    """A name, how long its bar is, and what is written beside it."""

    name: str
    value: float
    text: str
    role: Role = "curve0"


def bars(
    rows: Sequence[Bar],
    words: Words,
    *,
    wide: float = 560,
    most: float | None = None,
    theme: Theme = "auto",
) -> Figure:
    """A bar for each row, from the left; `most` is what a bar of full length stands for."""
    high = 24.0
    said = "; ".join(f"{r.name} {r.text}" for r in rows)
    f = Figure(wide, 34 + high * len(rows), words.title, f"Bars: {said}", theme)
    f.add(f.text(fitted(words.title, wide - 16, 13, bold=True), 8, 18, size=13, bold=True))
    names = [fitted(r.name, 0.35 * wide, SIZE) for r in rows]
    left = 16 + max((width(n, SIZE) for n in names), default=0)
    room = wide - left - 16 - max((width(r.text, SIZE) for r in rows), default=0)
    top = most or max((r.value for r in rows if isfinite(r.value)), default=0.0) or 1.0
    for k, (name, row) in enumerate(zip(names, rows, strict=True)):
        y = 30 + k * high
        share = min(1.0, max(0.0, row.value / top)) if isfinite(row.value) else 0.0
        f.add(
            f.text(name, left - 8, y + 15, size=SIZE, anchor="end"),
            node(
                "rect",
                x=left,
                y=y + 3,
                width=max(1.0, room * share),
                height=high - 8,
                rx=2,
                **f.paint(row.role),
            ),
            f.text(row.text, left + max(1.0, room * share) + 6, y + 15, size=SIZE, role="soft"),
        )
    return f


# ── a signal ────────────────────────────────────────────────────────────────────────────────────


def signal(
    channels: Sequence[Sequence[float]],
    title: str,
    *,
    size: tuple[float, float] = (220, 72),
    span: tuple[float, float] | None = None,
    theme: Theme = "auto",
) -> Figure:
    """Small lines without axes, one for each channel."""
    known = [v for c in channels for v in c if isfinite(v)]
    low, high = span or (min(known, default=0.0), max(known, default=1.0))
    if high <= low:
        low, high = low - 1, high + 1
    said = f"{len(channels)} x {max(map(len, channels), default=0)} values from {short(low)} to "
    f = Figure(*size, title, said + short(high), theme)
    f.add(node("rect", x=0, y=0, width=size[0], height=size[1], rx=3, **f.paint("panel")))
    room = size[1] - 10
    for k, values in enumerate(channels):
        step = (size[0] - 8) / max(1, len(values) - 1)
        points = [
            (4 + i * step, 5 + room * (high - min(max(v, low), high)) / (high - low))
            for i, v in enumerate(values)
            if isfinite(v)
        ]
        if len(points) > 1:
            role = CURVES[k % len(CURVES)]
            f.add(node("path", d=_path(points), stroke_width=1.5, **f.paint(None, role)))
    return f
