"""Where on the page are maps, their words, and the lines that lead past them?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cnnspec.draw.letters import width
from cnnspec.draw.volume_place import Edge, Place, rows
from cnnspec.draw.volume_shapes import Glyph, Rect, Scale, glyph
from cnnspec.draw.volume_stages import Stage
from cnnspec.draw.volume_window import window
from cnnspec.draw.volume_words import SIZE, Captions, Line
from cnnspec.model.graph import Graph

MARGIN = 34
GAP = 48.0
"""Between a map and the next, for the lines of the window and its size."""

LEAD = 18
"""From one line of letters to the next."""

TRACK = 15
"""From an arc to one above it."""

SPARE = 800
"""Narrower figures are spread out."""

NARROWEST = 124
"""For words below a map, however small it is."""


@dataclass(slots=True, eq=False)
class Spot:
    """A stage on the page."""

    glyph: Glyph
    lines: list[Line]
    row: int = 0
    x: float = 0
    """The left edge of its drawing."""
    y: float = 0
    """Its axis."""
    words: float = 0
    """On which its first line of words stands."""

    @property
    def middle(self) -> float:
        return self.x + self.glyph.width / 2

    @property
    def right(self) -> float:
        return self.x + self.glyph.width

    @property
    def top(self) -> float:
        return self.y + self.glyph.top

    @property
    def entry(self) -> Rect:
        return self.glyph.entry.moved(self.x, self.y)

    @property
    def exit(self) -> Rect:
        return self.glyph.exit.moved(self.x, self.y)

    @property
    def room(self) -> float:
        """What it takes in its column."""
        return max(self.glyph.width, self.words_width)

    @property
    def words_width(self) -> float:
        return max((width(t, SIZE, bold=b) for t, b in self.lines), default=0)


@dataclass(slots=True, eq=False)
class Band:
    """A row of columns."""

    columns: range
    bottom: float = 0


@dataclass(slots=True, eq=False)
class Layout:
    place: Place
    spots: list[Spot]
    bands: list[Band]
    width: float
    height: float = 0
    arcs: dict[tuple[int, Edge], float] = field(default_factory=dict[tuple[int, Edge], float])
    """How high an arc runs in a row."""
    gutters: dict[Edge, int] = field(default_factory=dict[Edge, int])
    """Of lines that go from one row to another, which track they have between rows."""

    def gap(self, column: int) -> float:
        """Where lines go up and down to the right of a column; -1 is left of the first."""
        ends = [s.middle + s.room / 2 for s in self._in_column(column)]
        starts = [s.middle - s.room / 2 for s in self._in_column(column + 1)]
        bands = [b for b in self.bands if column in b.columns and column + 1 in b.columns]
        if bands:
            return (max(ends) + min(starts)) / 2
        return max(ends) + 14 if ends else min(starts) - 14

    def before(self, column: int) -> float:
        """Where lines go up and down to the left of a column."""
        if any(b.columns.start == column for b in self.bands):
            return min(s.middle - s.room / 2 for s in self._in_column(column)) - 14
        return self.gap(column - 1)

    def after(self, column: int) -> float:
        if any(b.columns.stop - 1 == column for b in self.bands):
            return max(s.middle + s.room / 2 for s in self._in_column(column)) + 14
        return self.gap(column)

    def _in_column(self, column: int) -> list[Spot]:
        return [s for s, c in zip(self.spots, self.place.column, strict=True) if c == column]


def layout(
    graph: Graph,
    stages: Sequence[Stage],
    found: Place,
    captions: Captions,
    scale: Scale,
    room: float,
    top: float,
) -> Layout:
    """In as few rows as the room holds, from `top` downwards."""
    spots = [_spot(stage, captions, scale) for stage in stages]
    labels = [window(graph, stage) for stage in stages]
    pitches = _pitches(found, spots, [width(w.words, SIZE) if w else 0 for w in labels])
    sides = zip([*pitches[:1], *pitches], [*pitches, *pitches[-1:]], strict=True)
    halves = [(a + b) / 2 for a, b in sides] or [0.0]
    cut = rows(halves, found.crossings(), room - 2 * MARGIN)
    made = Layout(found, spots, [Band(columns) for columns in cut], 0)
    if sum(halves) < SPARE:
        # A small net need not be cramped.
        pitches = [p * min(1.6, SPARE / sum(halves)) for p in pitches]
    for k, band in enumerate(made.bands):
        _across(made, k, band, pitches)
    for edge in found.edges:
        if edge.way != "arc" and spots[edge.source].row != spots[edge.target].row:
            made.gutters[edge] = len(made.gutters)
    for k in range(len(made.bands)):
        top = _down(made, k, top)
    made.width = max(s.middle + s.room / 2 for s in spots) + MARGIN
    made.height = top
    return made


def _spot(stage: Stage, captions: Captions, scale: Scale) -> Spot:
    found = glyph(stage.shapes, scale, framed=bool(stage.block))
    return Spot(found, captions.lines(stage, max(NARROWEST, found.width)))


def _pitches(found: Place, spots: Sequence[Spot], labels: Sequence[float]) -> list[float]:
    """From the middle of each column to the middle of the next."""
    n = found.columns
    drawn, written, busy, gaps = [0.0] * n, [0.0] * n, [False] * n, [GAP] * n
    for spot, c, label in zip(spots, found.column, labels, strict=True):
        drawn[c] = max(drawn[c], spot.glyph.width)
        written[c] = max(written[c], spot.words_width)
        gaps[c] = max(gaps[c], label + 12)
    for edge in found.edges:
        if edge.way == "lane":
            busy[found.column[edge.source]] = True
            busy[found.column[edge.target] - 1] = True
    pitches: list[float] = []
    for c in range(n - 1):
        tight = (drawn[c] + drawn[c + 1]) / 2 + gaps[c + 1], (written[c] + written[c + 1]) / 2 + 16
        full = [max(drawn[k], written[k]) for k in (c, c + 1)]
        pitches.append(max(*tight, sum(full) / 2 + 22) if busy[c] else max(tight))
    return pitches


def _across(made: Layout, row: int, band: Band, pitches: Sequence[float]) -> None:
    columns = made.place.column
    members = [(s, c) for s, c in zip(made.spots, columns, strict=True) if c in band.columns]
    first = max(s.room for s, c in members if c == band.columns.start) / 2
    for spot, c in members:
        spot.row = row
        middle = MARGIN + first + sum(pitches[band.columns.start : c])
        spot.x = middle - spot.glyph.width / 2


# ── downwards ──────────────────────────────────────────────────────────────────────────────────


def _down(made: Layout, row: int, top: float) -> float:
    """Give the row its lanes; returns where the next one begins."""
    band = made.bands[row]
    spots = [k for k, s in enumerate(made.spots) if s.row == row]
    lanes = {made.place.lane[k] for k in spots}
    lanes |= {e.lane for e in made.place.edges if e.way == "lane" and _runs_in(made, e, row)}
    step = _step(made, spots)
    for lane in sorted(lanes):
        members = [k for k in spots if made.place.lane[k] == lane]
        top = _lane(made, row, lane, members, top, step) + 15
    gutters = sum(1 for e in made.gutters if made.spots[e.source].row <= row)
    band.bottom = top
    return top + (14 + 9 * gutters if row < len(made.bands) - 1 else 0)


def _runs_in(made: Layout, edge: Edge, row: int) -> bool:
    return made.spots[edge.source].row == row == made.spots[edge.target].row


def _step(made: Layout, members: Sequence[int]) -> float:
    """How far a level of a U is below the one above: by the height of the middle one of the maps,
    which may be of any size."""
    heights = sorted(made.spots[k].glyph.bottom - made.spots[k].glyph.top for k in members)
    return 84 + 0.75 * heights[len(heights) // 2]


def _lane(
    made: Layout, row: int, lane: int, members: Sequence[int], top: float, step: float
) -> float:
    place = made.place
    least = min((place.level[k] for k in members), default=0)
    for k in members:
        made.spots[k].y = step * (place.level[k] - least)
    highest = _arcs(made, row, lane, members)
    axis = top - min([highest, *(made.spots[k].top for k in members), 0.0])
    for (r, edge), y in list(made.arcs.items()):
        if r == row and edge.lane == lane:
            made.arcs[r, edge] = y + axis
    for k in members:
        made.spots[k].y += axis
    return max(_words(made, members), default=axis + 12)


def _words(made: Layout, members: Sequence[int]) -> Iterator[float]:
    """Stand words on one line below all maps of a level; tells where they end."""
    for level in sorted({made.place.level[k] for k in members}):
        spots = [made.spots[k] for k in members if made.place.level[k] == level]
        first = max(s.y + s.glyph.bottom for s in spots) + 22
        for spot in spots:
            spot.words = first
            yield first + LEAD * (len(spot.lines) - 1) + 4


def _arcs(made: Layout, row: int, lane: int, members: Sequence[int]) -> float:
    """Give each arc of a lane its height above all that it leads over; tells the highest."""
    columns = made.bands[row].columns
    place = made.place
    # Two for each column: one arc may end where another begins.
    sky = [0.0] * (2 * len(columns))
    for k in members:
        c = place.column[k] - columns.start
        sky[2 * c] = sky[2 * c + 1] = made.spots[k].top
    found = [e for e in place.edges if e.way == "arc" and e.lane == lane]
    for edge in sorted(found, key=lambda e: place.column[e.target] - place.column[e.source]):
        first = max(2 * (place.column[edge.source] - columns.start) + 1, 0)
        last = min(2 * (place.column[edge.target] - columns.start), len(sky) - 1)
        if first <= last:
            y = min(sky[first : last + 1]) - TRACK
            made.arcs[row, edge] = y
            sky[first : last + 1] = [y] * (last + 1 - first)
    return min(sky)
