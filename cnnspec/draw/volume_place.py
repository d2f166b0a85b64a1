"""In which column and on which lane does each map of a network stand?

The trunk, the way to the main output on which the maps are largest, runs along lane 0; each branch
has a lane below it, reserved from where it leaves to where it comes back. Columns are the longest
ways from the input.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log2
from typing import Literal

from cnnspec.draw.volume_shapes import is_map
from cnnspec.draw.volume_stages import Stage
from cnnspec.layers.base import product

Way = Literal["near", "arc", "lane"]
"""To the next map on the lane; above what lies between; along a lane to or from another one."""


@dataclass(frozen=True, slots=True)
class Edge:
    source: int
    target: int
    way: Way
    lane: int
    """Along which it runs."""


@dataclass(slots=True, eq=False)
class Place:
    """Of every stage of a network."""

    column: list[int]
    lane: list[int]
    level: list[int]
    """How far down it stands in a U, in which each halving of the maps is a step; otherwise 0."""
    edges: list[Edge] = field(default_factory=list[Edge])

    @property
    def columns(self) -> int:
        return 1 + max(self.column)

    def crossings(self) -> list[int]:
        """For each column how many edges, the one to the next map of the trunk left out, go on to
        the right of it."""
        found = [0] * self.columns
        for edge in self.edges:
            if edge.way != "near" or edge.lane:
                for c in range(self.column[edge.source], self.column[edge.target]):
                    found[c] += 1
        return found


def place(stages: Sequence[Stage], main: int) -> Place:
    """`main` is the stage at which the trunk ends."""
    found = Place(_columns(stages), [-1] * len(stages), [0] * len(stages))
    takers = _takers(stages)
    trunk = _trunk(stages, main, found.column)
    for k in trunk:
        found.lane[k] = 0
    lanes = _Lanes(found, stages, takers)
    while -1 in found.lane:
        lanes.add(_branch(stages, takers, found))
    found.edges = [e for k in range(len(stages)) for e in _edges(stages, found, lanes.age, k)]
    _bend(stages, found, trunk)
    return found


def _columns(stages: Sequence[Stage]) -> list[int]:
    column: list[int] = []
    for stage in stages:
        column.append(1 + max((column[s] for s in stage.sources), default=-1))
    return column


def _takers(stages: Sequence[Stage]) -> list[list[int]]:
    takers: list[list[int]] = [[] for _ in stages]
    for k, stage in enumerate(stages):
        for s in stage.sources:
            takers[s].append(k)
    return takers


def _trunk(stages: Sequence[Stage], main: int, column: Sequence[int]) -> list[int]:
    """From the main output back, at each merge along the larger maps, then the longer way."""
    way = [main]
    while sources := stages[way[-1]].sources:
        made_of = [s for s in sources if s not in stages[way[-1]].joins] or list(sources)
        way.append(max(made_of, key=lambda s: (product(stages[s].shape), column[s])))
    return way[::-1]


def _branch(stages: Sequence[Stage], takers: Sequence[list[int]], found: Place) -> list[int]:
    """The first way, in the order of the text, whose end goes to placed maps only, or nowhere."""
    waiting = [k for k, lane in enumerate(found.lane) if lane < 0]
    way = [next(k for k in waiting if all(found.lane[t] >= 0 for t in takers[k]))]
    while True:
        before = [s for s in stages[way[-1]].sources if found.lane[s] < 0]
        if not before:
            return way[::-1]
        way.append(max(before, key=lambda s: found.column[s]))


class _Lanes:
    """Gives branches their lanes."""

    def __init__(self, found: Place, stages: Sequence[Stage], takers: Sequence[list[int]]) -> None:
        self._found = found
        self._stages = stages
        self._takers = takers
        self._taken: list[list[tuple[int, int]]] = []
        """For each lane below the trunk the columns that are taken."""
        self.age = [0] * len(stages)
        """When its branch was placed: the later one has room for the edges between two."""

    def add(self, way: Sequence[int]) -> None:
        self._pull(way)
        first, last = self._reach(way)
        lane = 1 + next(
            (k for k, taken in enumerate(self._taken) if _is_free(taken, first, last)),
            len(self._taken),
        )
        if lane > len(self._taken):
            self._taken.append([])
        self._taken[lane - 1].append((first, last))
        for k in way:
            self._found.lane[k] = lane
            self.age[k] = 1 + max(self.age)

    def _pull(self, way: Sequence[int]) -> None:
        """A branch that begins with an input of its own stands as far to the right as it can."""
        column = self._found.column
        if any(self._found.lane[s] >= 0 for k in way for s in self._stages[k].sources):
            return
        ends = [column[t] for k in way for t in self._takers[k] if t not in way]
        if ends and len(way) == 1 + column[way[-1]]:
            shift = min(ends) - 1 - column[way[-1]]
            for k in way:
                column[k] += max(0, shift)

    def _reach(self, way: Sequence[int]) -> tuple[int, int]:
        column, lane = self._found.column, self._found.lane
        first, last = column[way[0]], column[way[-1]]
        for k in way:
            starts = [column[s] + 1 for s in self._stages[k].sources if lane[s] >= 0]
            ends = [column[t] - 1 for t in self._takers[k] if lane[t] >= 0]
            first, last = min([first, *starts]), max([last, *ends])
        return first, last


def _is_free(taken: Sequence[tuple[int, int]], first: int, last: int) -> bool:
    return all(last < a or b < first for a, b in taken)


def _edges(stages: Sequence[Stage], found: Place, age: Sequence[int], k: int) -> Iterator[Edge]:
    stage, lane = stages[k], found.lane
    for s in stage.sources:
        if lane[s] != lane[k]:
            yield Edge(s, k, "lane", lane[s] if age[s] > age[k] else lane[k])
        else:
            yield Edge(s, k, "near" if _is_near(found, s, k) else "arc", lane[k])
    for s in stage.joins:
        # Around the map itself: what its layer takes is added to what it makes.
        if lane[s] == lane[k] and _is_near(found, s, k):
            yield Edge(s, k, "arc", lane[k])


def _is_near(found: Place, source: int, target: int) -> bool:
    """Does no map stand between two of a lane?"""
    lane, column = found.lane, found.column
    return not any(
        lane[j] == lane[target] and column[source] < column[j] < column[target]
        for j in range(len(lane))
    )


def _bend(stages: Sequence[Stage], found: Place, trunk: Sequence[int]) -> None:
    """Levels by resolution where the maps shrink and grow again, and arcs lead across."""
    if not all(is_map(stages[k].shape) for k in trunk):
        return
    sides = {k: max(stages[k].shape[1:]) for k in trunk}
    level = {k: round(log2(max(sides.values()) / n)) for k, n in sides.items()}
    across = [e for e in found.edges if e.way == "arc" and e.source in level]
    deepest = max(level.values())
    if level[trunk[-1]] < deepest and any(_is_bridge(e, level, found.column) for e in across):
        for k in trunk:
            found.level[k] = level[k]


def _is_bridge(edge: Edge, level: dict[int, int], column: Sequence[int]) -> bool:
    if edge.target not in level or level[edge.source] != level[edge.target]:
        return False
    between = range(column[edge.source], column[edge.target])
    return any(level[k] > level[edge.source] for k in level if column[k] in between)


# ── rows ───────────────────────────────────────────────────────────────────────────────────────


def rows(widths: Sequence[float], crossings: Sequence[int], room: float) -> list[range]:
    """The columns in as few rows as the room allows, equally wide, cut where few edges cross.

    `widths[c]` is what column c takes with the gap to its right.
    """
    n = len(widths)
    # Rows first, then how uneven they are and what they cut.
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]
    for end in range(1, n + 1):
        options: list[tuple[int, float, int]] = []
        wide = 0.0
        for start in range(end - 1, -1, -1):
            wide += widths[start]
            if wide > room and start < end - 1:
                break
            cut = 0.06 * crossings[end - 1] if end < n else 0
            before = best[start]
            options.append((before[0] + 1, before[1] + (wide / room) ** 2 + cut, start))
        best.append(min(options))
    cuts, at = [n], n
    while at:
        at = best[at][2]
        cuts.append(at)
    cuts.reverse()
    return [range(a, b) for a, b in pairwise(cuts)]
