"""How do lines run between boxes: straight down, along a channel between two layers, or through a
gutter to the top of the next column?"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnspec.draw.layered import INSET, Layers, Link, Spot

TRACK = 8.0
"""Between lines that run side by side."""

STRAIGHT, ABOVE, BELOW = 20.0, 10.0, 15.0
"""Between layers without a bend, above the first track and below the last, where tips need room."""

GUTTER = 16.0
SAME = 0.01
PORTS = 13.0

Point = tuple[float, float]


@dataclass(slots=True, eq=False)
class Run:
    """A value between two layers."""

    value: int
    upper: Spot
    start: float
    ends: list[tuple[Spot, float]] = field(default_factory=list[tuple[Spot, float]])

    @property
    def low(self) -> float:
        return min([self.start, *(x for _, x in self.ends)])

    @property
    def high(self) -> float:
        return max([self.start, *(x for _, x in self.ends)])

    @property
    def bends(self) -> bool:
        return self.high - self.low > SAME


@dataclass(slots=True, eq=False)
class Climb:
    """A value on its way to the next column, as far as the foot of the gutter."""

    run: Run
    points: list[Point]


@dataclass(slots=True, eq=False)
class Piece:
    """A drawn line, and the spot at its end."""

    value: int
    points: list[Point]
    end: Spot


@dataclass(slots=True, eq=False)
class Routed:
    """Spots with their places, and the lines between them."""

    width: float
    height: float
    pieces: list[Piece]


def routed(made: Layers, columns: Sequence[tuple[range, float]]) -> Routed:
    """The whole figure of some layers in columns, each with its width."""
    pieces: list[Piece] = []
    left, height = 0.0, 0.0
    climbs: list[Climb] = []
    for rows, wide in columns:
        for row in rows:
            for spot in made.rows[row]:
                spot.x += left
        top = _enter(climbs, made.rows[rows.start], pieces)
        bottom = _column(made, rows, top, pieces)
        left += wide
        if rows.stop < len(made.rows):
            runs = _runs(made, made.links[rows.stop - 1], is_break=True)
            climbs = _leave(runs, bottom, left)
            bottom += ABOVE + TRACK * (len(climbs) - 1)
            left += 2 * GUTTER + TRACK * (len(climbs) - 1)
        height = max(height, bottom)
    return Routed(left, height, pieces)


# ── within a column ────────────────────────────────────────────────────────────────────────────


def _column(made: Layers, rows: range, top: float, pieces: list[Piece]) -> float:
    y = top
    for row in rows:
        tall = max(s.height for s in made.rows[row])
        for spot in made.rows[row]:
            spot.y = y + (tall - spot.height) / 2
            if spot.is_line:
                spot.y, spot.height = y, tall
        y += tall
        if row + 1 < rows.stop:
            is_flat = tall == 0 or all(s.height == 0 for s in made.rows[row + 1])
            y = _channel(_runs(made, made.links[row]), y, made.rows[row + 1], pieces, flat=is_flat)
    return y


def _runs(made: Layers, links: Sequence[Link], *, is_break: bool = False) -> list[Run]:
    """Where each value leaves the upper layer and enters the lower."""
    runs: dict[tuple[int, Spot], Run] = {}
    for link in links:
        key = (link.value, link.upper)
        if key not in runs:
            below = [] if is_break else [k for k in made.below[link.upper] if k.value == link.value]
            runs[key] = Run(link.value, link.upper, _leaving(link.upper, link.value, below))
        x = link.lower.x + link.lower.into(link.value)
        runs[key].ends.append((link.lower, x))
    if not is_break:
        _enter_boxes(list(runs.values()))
    return list(runs.values())


def _leaving(upper: Spot, value: int, below: Sequence[Link]) -> float:
    """The middle of a box, or what makes the line straight."""
    middle = upper.x + upper.out_of(value)
    if upper.outs is not None or upper.is_line or upper.width == 0:
        return middle
    fixed = [
        link.lower.x + link.lower.into(value)
        for link in below
        if link.lower.ins is not None or link.lower.is_line or link.lower.width == 0
    ]
    fixed = [x for x in fixed if upper.spans(x)]
    if fixed and (len(below) == 1 or min(abs(x - middle) for x in fixed) < PORTS):
        return min(fixed, key=lambda x: abs(x - middle))
    return middle


def _enter_boxes(runs: Sequence[Run]) -> None:
    """Where lines enter boxes that leave it open: straight below where they come from if that is
    over the box, side by side if they are several."""
    entered: dict[Spot, list[Run]] = {}
    for run in runs:
        for spot, _ in run.ends:
            if spot.ins is None and not spot.is_line and spot.width > 0:
                entered.setdefault(spot, []).append(run)
    for spot, found in entered.items():
        found.sort(key=lambda r: r.start)
        middle = spot.x + spot.width / 2
        wanted = [run.start for run in found]
        if len(found) == 1 and not spot.spans(wanted[0]):
            wanted = [middle]
        for run, place in zip(found, ports(spot, wanted), strict=True):
            # Rather a little past the inset than a bend of half a pixel.
            x = run.start if abs(place - run.start) < 1 else place
            run.ends = [(s, x if s is spot else at) for s, at in run.ends]


def ports(spot: Spot, wanted: Sequence[float]) -> list[float]:
    """Places along the border of a box, in order, near to where they are wanted."""
    inset = min(INSET, spot.width / 2)
    low, high = spot.x + inset, spot.x + spot.width - inset
    gap = min(PORTS, (high - low) / max(1, len(wanted) - 1))
    places = [min(max(x, low), high) for x in wanted]
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    limit = high
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], limit)
        limit = places[i] - gap
    return places


def _channel(
    runs: Sequence[Run], top: float, lower: Sequence[Spot], pieces: list[Piece], *, flat: bool
) -> float:
    """Lines between two layers, each value on a track of its own; the answer is where the lower
    layer begins."""
    tracks = _tracks([run for run in runs if run.bends])
    tall = STRAIGHT * (0.5 if flat else 1)
    if tracks:
        tall = ABOVE + TRACK * max(tracks.values()) + BELOW
    below = top + tall
    deepest = max(s.height for s in lower)
    for run in runs:
        y = top + ABOVE + TRACK * tracks[run] if run in tracks else 0.0
        start = (run.start, _foot(run.upper))
        for spot, x in run.ends:
            end = (x, below if spot.is_line else below + (deepest - spot.height) / 2)
            bend = [(run.start, y), (x, y)] if abs(x - run.start) > SAME else []
            pieces.append(Piece(run.value, [start, *bend, end], spot))
    return below


def _foot(spot: Spot) -> float:
    """From where a line goes on: a line passes through its layer."""
    return spot.y if spot.is_line else spot.y + spot.height


def _tracks(runs: Sequence[Run]) -> dict[Run, int]:
    """Which run is above which: as few crossings as comparing two at a time gives."""
    wins = {
        run: sum(_cost(run, other) < _cost(other, run) for other in runs if other is not run)
        for run in runs
    }
    found: dict[Run, int] = {}
    for run in sorted(runs, key=lambda r: (-wins[r], r.low)):
        above = [
            track
            for other, track in found.items()
            if run.low <= other.high + TRACK and other.low <= run.high + TRACK
        ]
        found[run] = max(above, default=-1) + 1
    return found


def _cost(above: Run, below: Run) -> int:
    """How often two runs cross if one lies above the other; lying on each other counts more."""
    cost = 0
    for _, x in above.ends:
        cost += below.low < x < below.high
        cost += 20 * (abs(x - below.start) < TRACK / 2)
    return cost + (above.low < below.start < above.high)


# ── from a column to the next ──────────────────────────────────────────────────────────────────


def _leave(runs: Sequence[Run], bottom: float, right: float) -> list[Climb]:
    """Down, and to the right into the gutter, the rightmost innermost."""
    climbs: list[Climb] = []
    for rank, run in enumerate(sorted(runs, key=lambda r: -r.start)):
        y, x = bottom + ABOVE + TRACK * rank, right + GUTTER + TRACK * rank
        start = (run.start, _foot(run.upper))
        climbs.append(Climb(run, [start, (run.start, y), (x, y)]))
    return climbs


def _enter(climbs: Sequence[Climb], row: Sequence[Spot], pieces: list[Piece]) -> float:
    """Up the gutter and down into the first layer of the next column; where that layer begins."""
    if not climbs:
        return 0.0
    _enter_in_order([climb.run for climb in climbs])
    top = TRACK * (len(climbs) - 1) + BELOW
    tall = max(s.height for s in row)
    for rank, climb in enumerate(climbs):
        x, y = climb.points[-1][0], top - BELOW - TRACK * rank
        for spot, end in climb.run.ends:
            below = top if spot.is_line else top + (tall - spot.height) / 2
            points = [*climb.points, (x, y), (end, y), (end, below)]
            pieces.append(Piece(climb.run.value, points, spot))
    return top


def _enter_in_order(runs: Sequence[Run]) -> None:
    """Into boxes that leave it open side by side, the innermost on the left."""
    entered: dict[Spot, list[Run]] = {}
    for run in runs:
        run.ends = [(s, s.x + s.into(run.value)) for s, _ in run.ends]
        for spot, _ in run.ends:
            if spot.ins is None and not spot.is_line and spot.width > 0:
                entered.setdefault(spot, []).append(run)
    for spot, found in entered.items():
        middle = spot.x + spot.width / 2
        start = middle - PORTS * (len(found) - 1) / 2
        places = ports(spot, [start + PORTS * i for i in range(len(found))])
        for run, x in zip(found, places, strict=True):
            run.ends = [(s, x if s is spot else at) for s, at in run.ends]
