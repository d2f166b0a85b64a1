"""How is shown what is done from one map to the next, and which values go elsewhere?

A window is drawn on the map that it slides over, with lines to the one place of the next map that
it makes; where a layer makes maps larger, from one place to the window that it makes. A fully
connected layer is a wedge between all and all.
"""

from collections.abc import Iterator, Sequence

from cnnspec.draw.letters import width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.volume_layout import Layout, Spot
from cnnspec.draw.volume_place import Edge
from cnnspec.draw.volume_shapes import Rect, points
from cnnspec.draw.volume_stages import Stage
from cnnspec.draw.volume_window import Window, window
from cnnspec.draw.volume_words import SIZE
from cnnspec.model.graph import Graph

Point = tuple[float, float]

SEEN = (0.6, 0.3)
"""Where on a map the window lies, as shares of its width and height."""

STEEP = 0.35
"""Of a line: beyond, words do not lie along it."""


# ── to the next map ────────────────────────────────────────────────────────────────────────────


def step(figure: Figure, graph: Graph, stage: Stage, one: Spot, other: Spot) -> Iterator[Element]:
    """What leads from a map to the next on its lane."""
    found = window(graph, stage)
    if found is not None:
        yield from _slid(figure, found, one.exit, other.entry)
        middle = (one.right + other.x) / 2
        if found.words and width(found.words, SIZE) <= other.x - one.right + 6:
            yield _label(figure, found, one, other, middle)
    elif not _is_full(stage):
        yield from arrow(figure, [(one.right + 3, one.y), (other.x - 3, other.y)])


def wedges(figure: Figure, stages: Sequence[Stage], on: Layout) -> Iterator[Element]:
    """What lies under the maps."""
    for edge in on.place.edges:
        one, other = on.spots[edge.source], on.spots[edge.target]
        if edge.way == "near" and one.row == other.row and _is_full(stages[edge.target]):
            yield from _wedge(figure, one.exit, other.entry)


def _slid(figure: Figure, found: Window, one: Rect, other: Rect) -> Iterator[Element]:
    """The window, and lines from its corners to a place."""
    of, to = (other, one) if found.grows else (one, other)
    seen = _seen(found, of)
    at = (to.x + SEEN[0] * to.w, to.y + SEEN[1] * to.h)
    mark = figure.paint(None, "mark")
    for y in (seen.y, seen.bottom):
        corner = seen.x if found.grows else seen.right
        yield node(
            "path", d=f"M{corner:.2f} {y:.2f}L{at[0]:.2f} {at[1]:.2f}", stroke_width=0.9, **mark
        )
    inside = figure.paint("mark", "mark") | {"fill-opacity": "0.18"}
    yield node("rect", x=seen.x, y=seen.y, width=seen.w, height=seen.h, stroke_width=1.4, **inside)
    yield node("circle", cx=at[0], cy=at[1], r=2.2, **figure.paint("mark"))


def _seen(found: Window, of: Rect) -> Rect:
    """The window on a map, no smaller than can be seen."""
    w, h = (min(max(s * n, 4), n) for s, n in ((found.across, of.w), (found.down, of.h)))
    x = min(max(of.x + SEEN[0] * of.w - w / 2, of.x), of.right - w)
    y = min(max(of.y + SEEN[1] * of.h - h / 2, of.y), of.bottom - h)
    return Rect(x, y, w, h)


def _label(figure: Figure, found: Window, one: Spot, other: Spot, middle: float) -> Element:
    """The size of the window, above the lines that lead away from it."""
    of, to = (other.entry, one.exit) if found.grows else (one.exit, other.entry)
    seen = _seen(found, of)
    start = (seen.x if found.grows else seen.right, seen.y)
    end = (to.x + SEEN[0] * to.w, to.y + SEEN[1] * to.h)
    slope = (end[1] - start[1]) / (end[0] - start[0])
    y = start[1] + slope * (middle - start[0]) - 6
    if abs(slope) < STEEP:
        return figure.text(found.words, middle, y, size=SIZE, anchor="middle")
    # On the side of the line on which it lies above it.
    side = 5 if slope > 0 else -5
    anchor = "start" if slope > 0 else "end"
    return figure.text(found.words, middle + side, y, size=SIZE, anchor=anchor)


def _is_full(stage: Stage) -> bool:
    """Does each number of the vector see all that comes in?"""
    return not stage.block and stage.maker.layer.kind in ("fc", "rbf")


def _wedge(figure: Figure, one: Rect, other: Rect) -> Iterator[Element]:
    corners = [
        (one.right, one.y),
        (other.x, other.y),
        (other.x, other.bottom),
        (one.right, one.bottom),
    ]
    pale = figure.paint("dense") | {"fill-opacity": "0.35"}
    yield node("polygon", points=points(corners), **pale)
    edge = figure.paint(None, "line")
    for k in (0, 3):
        (ax, ay), (bx, by) = corners[k], corners[1 if k == 0 else 2]
        yield node("path", d=f"M{ax:.2f} {ay:.2f}L{bx:.2f} {by:.2f}", stroke_width=0.8, **edge)


# ── elsewhere ──────────────────────────────────────────────────────────────────────────────────


def wires(figure: Figure, graph: Graph, stages: Sequence[Stage], on: Layout) -> Iterator[Element]:
    """All lines of a figure."""
    for edge in on.place.edges:
        one, other = on.spots[edge.source], on.spots[edge.target]
        if edge.way == "arc":
            for line, ends in _arc(on, edge, one, other):
                yield from arrow(figure, line, has_head=ends)
        elif one.row != other.row:
            yield from arrow(figure, _around(on, edge, one, other))
        elif edge.way == "lane":
            yield from arrow(figure, _along(on, edge, one, other))
        else:
            yield from step(figure, graph, stages[edge.target], one, other)


def _arc(on: Layout, edge: Edge, one: Spot, other: Spot) -> Iterator[tuple[list[Point], bool]]:
    """Up, across and down; over several rows in as many pieces."""
    a, b = one.middle + 5, other.middle - 5
    for row in range(one.row, other.row + 1):
        y = on.arcs[row, edge]
        start = [(a, one.top), (a, y)] if row == one.row else [(8.0, y)]
        end = [(b, y), (b, other.top - 2)] if row == other.row else [(on.width - 8, y)]
        yield [*start, *end], row == other.row


def _along(on: Layout, edge: Edge, one: Spot, other: Spot) -> list[Point]:
    """Down from the one, or up to the other, in the gap beside it."""
    a, b = on.place.column[edge.source], on.place.column[edge.target]
    x = on.after(a) if edge.lane == on.place.lane[edge.target] else on.before(b)
    y = _beside(edge, on, other)
    return [(one.right + 3, one.y), (x, one.y), (x, y), (other.x - 3, y)]


def _beside(edge: Edge, on: Layout, other: Spot) -> float:
    """Where a branch from a lane below comes in: under what comes along the lane itself."""
    is_from_below = on.place.lane[edge.source] > on.place.lane[edge.target]
    return other.y + (0.3 * other.entry.h if is_from_below else 0)


def _around(on: Layout, edge: Edge, one: Spot, other: Spot) -> list[Point]:
    """From one row to another: down beside the one, between the rows, and down beside the other."""
    a, b = on.after(on.place.column[edge.source]), on.before(on.place.column[edge.target])
    track = 9 * on.gutters[edge]
    leave = on.bands[one.row].bottom + 4 + track
    enter = on.bands[other.row - 1].bottom + 4 + track
    left = 6.0 + 2 * (on.gutters[edge] % 6)
    between = [] if leave == enter else [(left, leave), (left, enter)]
    turn: list[Point] = [(a, one.y), (a, leave), *between, (b, enter), (b, other.y)]
    return [(one.right + 3, one.y), *turn, (other.x - 3, other.y)]


def arrow(figure: Figure, way: Sequence[Point], *, has_head: bool = True) -> Iterator[Element]:
    """A line with rounded corners and, at its end, a head."""
    (ax, ay), (bx, by) = way[-2], way[-1]
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1
    ux, uy = (bx - ax) / length, (by - ay) / length
    stop = (bx - 5 * ux, by - 5 * uy) if has_head else (bx, by)
    yield node(
        "path", d=_rounded([*way[:-1], stop]), stroke_width=1.3, **figure.paint(None, "line")
    )
    if has_head:
        base = (bx - 8 * ux, by - 8 * uy)
        corners = [(bx, by), (base[0] - 4 * uy, base[1] + 4 * ux)]
        corners += [(base[0] + 4 * uy, base[1] - 4 * ux)]
        yield node("polygon", points=points(corners), **figure.paint("line"))


def _rounded(way: Sequence[Point]) -> str:
    """A path whose corners are arcs."""
    parts = [f"M{way[0][0]:.2f} {way[0][1]:.2f}"]
    for before, at, after in zip(way, way[1:], way[2:], strict=False):
        a, b = _towards(at, before), _towards(at, after)
        parts.append(f"L{a[0]:.2f} {a[1]:.2f}Q{at[0]:.2f} {at[1]:.2f} {b[0]:.2f} {b[1]:.2f}")
    return "".join([*parts, f"L{way[-1][0]:.2f} {way[-1][1]:.2f}"])


def _towards(at: Point, other: Point) -> Point:
    length = ((other[0] - at[0]) ** 2 + (other[1] - at[1]) ** 2) ** 0.5
    share = min(6, length / 2) / length if length else 0
    return at[0] + share * (other[0] - at[0]), at[1] + share * (other[1] - at[1])
