"""In which layers, in which order and where along them do boxes lie that take each other's values?

After Sugiyama, Tagawa and Toda (1981): each box lies below all that it takes from; a value that
passes by layers has a place of its own in each of them, so that no line crosses a box; the order
in a layer follows the neighbours' mean, and so do the places, by the least squares that the order
allows.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SEP, LANE = 22.0, 13.0
"""Between boxes, and between a line and whatever is beside it."""

INSET = 11.0
"""From the corner of a box to the nearest line that enters or leaves."""

ORDER_ROUNDS, PLACE_ROUNDS = 8, 24
STILL = 0.05
"""Pixels by which nothing moves any more."""

NEAR = 40.0
"""How far a line may lean to be made straight."""


@dataclass(slots=True, eq=False)
class Spot:
    """A box, a point on the border of the frame around all, or the place of a line in a layer."""

    width: float
    height: float
    ins: dict[int, float] | None = None
    """Where each value enters, from the left; none where it may enter anywhere."""
    outs: dict[int, float] | None = None
    is_line: bool = False
    is_entry: bool = False
    is_exit: bool = False
    layer: int = 0
    x: float = 0.0
    y: float = 0.0

    def into(self, value: int) -> float:
        return self.width / 2 if self.ins is None else self.ins[value]

    def out_of(self, value: int) -> float:
        return self.width / 2 if self.outs is None else self.outs[value]

    def spans(self, x: float) -> bool:
        """May a line enter here?"""
        inset = min(INSET, self.width / 2)
        return self.x + inset - 0.01 <= x <= self.x + self.width - inset + 0.01


@dataclass(slots=True, eq=False)
class Net:
    """A value on its way from the spot that makes it to those that take it."""

    value: int
    source: int
    targets: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Link:
    """A piece of that way, from a layer to the next."""

    value: int
    upper: Spot
    lower: Spot
    weight: float = 1.0
    """How much it wants to be straight."""

    @property
    def dx(self) -> float:
        """How far it leans."""
        lower = self.lower.x + self.lower.into(self.value)
        return lower - self.upper.x - self.upper.out_of(self.value)


@dataclass(slots=True, eq=False)
class Layers:
    """Spots in layers, each in order from the left, and what links each layer to the next."""

    rows: list[list[Spot]]
    links: list[list[Link]]
    above: dict[Spot, list[Link]] = field(default_factory=dict[Spot, list[Link]])
    below: dict[Spot, list[Link]] = field(default_factory=dict[Spot, list[Link]])

    def join(self) -> None:
        for row in self.rows:
            for spot in row:
                self.above[spot], self.below[spot] = [], []
        for links in self.links:
            for link in links:
                self.below[link.upper].append(link)
                self.above[link.lower].append(link)
        for links in self.links:
            for link in links:
                link.weight = self._weight(link)

    def _weight(self, link: Link) -> float:
        """Lines stay straight; a skip gives way to what it skips; many branches are alike."""
        upper, lower = link.upper, link.lower
        if lower.is_line and (upper.is_line or len(self.below[upper]) == 1):
            return 8.0
        if len(self.above[lower]) > 2 or len(self.below[upper]) > 2:
            return 1.0
        if upper.is_line or lower.is_line:
            return 0.5
        return 4.0


def layered(spots: Sequence[Spot], nets: Sequence[Net]) -> Layers:
    """Layers and the order in them. Spots stand in an order in which each follows what it takes."""
    _choose_layers(spots, nets)
    rows: list[list[Spot]] = [[] for _ in range(max(s.layer for s in spots) + 1)]
    made = Layers(rows, [[] for _ in rows[1:]])
    for spot in spots:
        rows[spot.layer].append(spot)
    for net in nets:
        _lay(net, spots, made)
    made.join()
    _first_order(made)
    _order(made)
    return made


def _choose_layers(spots: Sequence[Spot], nets: Sequence[Net]) -> None:
    """As far up as what it takes allows; inputs as near as possible to what takes them."""
    leaving: dict[int, list[int]] = {}
    entered: set[int] = set()
    for net in nets:
        leaving.setdefault(net.source, []).extend(net.targets)
        entered.update(net.targets)
    for index, spot in enumerate(spots):
        for target in leaving.get(index, ()):
            spots[target].layer = max(spots[target].layer, spot.layer + 1)
    for index, spot in enumerate(spots):
        if index not in entered and not spot.is_entry and leaving.get(index):
            spot.layer = max(0, min(spots[t].layer for t in leaving[index]) - 1)
    exits = [s for s in spots if s.is_exit]
    last = max((s.layer for s in spots if not s.is_exit), default=0) + 1
    for spot in exits:
        spot.layer = last


def _lay(net: Net, spots: Sequence[Spot], made: Layers) -> None:
    """Links from layer to layer, with places for the line where it passes by."""
    upper = spots[net.source]
    targets = sorted((spots[t] for t in dict.fromkeys(net.targets)), key=lambda s: s.layer)
    for layer in range(upper.layer + 1, targets[-1].layer + 1):
        here = [t for t in targets if t.layer == layer]
        links = made.links[layer - 1]
        links += [Link(net.value, upper, t) for t in here]
        if targets[-1].layer > layer:
            line = Spot(0.0, 0.0, is_line=True, layer=layer)
            made.rows[layer].append(line)
            links.append(Link(net.value, upper, line))
            upper = line


# ── the order within layers ────────────────────────────────────────────────────────────────────


def _first_order(made: Layers) -> None:
    """As a walk against the flow meets the spots: branches in the order in which they are
    joined."""
    met: dict[Spot, int] = {}
    waiting = [s for row in made.rows for s in reversed(row) if not made.below[s]]
    while waiting:
        spot = waiting.pop()
        if spot in met:
            continue
        met[spot] = len(met)
        waiting += [link.upper for link in reversed(made.above[spot])]
    for row in made.rows:
        row.sort(key=lambda s: met[s])


def _order(made: Layers) -> None:
    best, least = [list(row) for row in made.rows], _crossings(made)
    for turn in range(ORDER_ROUNDS):
        if least == 0:
            break
        down = turn % 2 == 0
        for row in made.rows if down else reversed(made.rows):
            _by_mean(made, row, down=down)
        found = _crossings(made)
        if found < least:
            best, least = [list(row) for row in made.rows], found
    made.rows[:] = best


def _by_mean(made: Layers, row: list[Spot], *, down: bool) -> None:
    means: dict[Spot, float] = {}
    for at, spot in enumerate(row):
        links = made.above[spot] if down else made.below[spot]
        near = [link.upper if down else link.lower for link in links]
        means[spot] = sum(s.x for s in near) / len(near) if near else float(at)
    row.sort(key=lambda s: means[s])
    for at, spot in enumerate(row):
        spot.x = float(at)


def _crossings(made: Layers) -> int:
    """How often lines cross. Leaves the place of each spot in its `x`."""
    found = 0
    for row in made.rows:
        for at, spot in enumerate(row):
            spot.x = float(at)
    for links in made.links:
        ends: list[tuple[float, float]] = sorted(
            (link.upper.x + _nudge(link.upper.outs, link.value), _into(link)) for link in links
        )
        seen: list[float] = []
        for _, lower in ends:
            found += len(seen) - bisect_right(seen, lower)
            insort(seen, lower)
    return found


def _into(link: Link) -> float:
    return link.lower.x + _nudge(link.lower.ins, link.value)


def _nudge(ports: dict[int, float] | None, value: int) -> float:
    """The order of ports along a spot, as a part of its place."""
    return 0.0 if ports is None else sorted(ports).index(value) / (len(ports) + 1) / 2


# ── where along the layers ─────────────────────────────────────────────────────────────────────


def spread(made: Layers, rows: range) -> float:
    """Give the spots of some layers their x; how wide they are together is the answer."""
    shown = [made.rows[i] for i in rows]
    first, last = rows.start, rows.stop - 1
    for row in shown:
        _put(row, [0.0] * len(row), [1.0] * len(row))
    for turn in range(PLACE_ROUNDS):
        order = shown if turn != 1 else shown[::-1]
        moved = max([_pull(made, row, first, last, up=turn != 1, down=turn != 0) for row in order])
        if turn > 1 and moved < STILL:
            break
    for turn in range(4):
        _straighten(made, shown, last, from_right=turn % 2 == 0)
    _centre(shown)
    left = min(s.x for row in shown for s in row)
    for row in shown:
        for spot in row:
            spot.x -= left
    return max(s.x + s.width for row in shown for s in row)


def _pull(made: Layers, row: list[Spot], first: int, last: int, *, up: bool, down: bool) -> float:
    """Towards what the spots of a row are linked to; how far the one that moved most did."""
    before = [spot.x for spot in row]
    wanted: list[float] = []
    weights: list[float] = []
    for spot in row:
        total = weight = 0.0
        for link in made.above[spot] if up and spot.layer > first else ():
            total += link.weight * (spot.x - link.dx)
            weight += link.weight
        for link in made.below[spot] if down and spot.layer < last else ():
            total += link.weight * (spot.x + link.dx)
            weight += link.weight
        wanted.append(total / weight if weight else spot.x)
        weights.append(weight or 0.01)
    _put(row, wanted, weights)
    return max(abs(spot.x - x) for spot, x in zip(row, before, strict=True))


def _put(row: list[Spot], wanted: list[float], weights: list[float]) -> None:
    """As near as possible to where each is wanted, by weighted least squares in a fixed order:
    neighbours that would overlap become a pool at their common mean (Ayer and others, 1955)."""
    offsets = _offsets(row)
    pools: list[tuple[float, float, int]] = []
    for want, weight, offset in zip(wanted, weights, offsets, strict=True):
        pools.append((want - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m, i), (b, n, j) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n, i + j)]
    places = [place for place, _, n in pools for _ in range(n)]
    for spot, place, offset in zip(row, places, offsets, strict=True):
        spot.x = place + offset


def _offsets(row: list[Spot]) -> list[float]:
    """Where each would lie if all were packed."""
    found, at = [0.0] if row else [], 0.0
    for a, b in pairwise(row):
        at += a.width + _between(a, b)
        found.append(at)
    return found


def _between(a: Spot, b: Spot) -> float:
    return LANE if a.is_line or b.is_line else SEP


def _centre(rows: list[list[Spot]]) -> None:
    """Let a value leave a frame below where it came in, if nothing is beside its way."""
    axis = next((s.x for s in rows[0] if s.is_entry), None)
    if axis is None or len(rows[0]) > 1:
        return
    is_free = False
    for row in rows[1:]:
        alone = row[0] if len(row) == 1 else None
        if alone is None or alone.ins is not None or (alone.is_exit and not is_free):
            is_free = False
            continue
        alone.x, is_free = axis - alone.width / 2, True


def _straighten(made: Layers, rows: list[list[Spot]], last: int, *, from_right: bool) -> None:
    """Bring what nearly stands below each other to the same line, where there is room."""
    place = {spot: (row, at) for row in rows for at, spot in enumerate(row)}
    done: set[Spot] = set()
    for row in rows:
        for spot in reversed(row) if from_right else row:
            chain: list[Spot] = []
            shift = {spot: 0.0}
            at: Spot | None = spot
            low, high = float("-inf"), float("inf")
            while at is not None and at not in done:
                near, far = _free(*place[at])
                near, far = near - shift[at], far - shift[at]
                if max(low, near) > min(high, far) + 1e-9:
                    break
                low, high = max(low, near), min(high, far)
                chain.append(at)
                done.add(at)
                link = _mate(made, at) if at.layer < last else None
                if link is not None:
                    x = shift[at] + link.upper.out_of(link.value)
                    shift[link.lower] = x - link.lower.into(link.value)
                at = link.lower if link else None
            if len(chain) > 1:
                mean = sum(s.x - shift[s] for s in chain) / len(chain)
                base = min(max(mean, low), high)
                for s in chain:
                    s.x = base + shift[s]


def _free(row: list[Spot], at: int) -> tuple[float, float]:
    """Between which places a spot may move."""
    spot = row[at]
    low, high = float("-inf"), float("inf")
    if at > 0:
        low = row[at - 1].x + row[at - 1].width + _between(row[at - 1], spot)
    if at + 1 < len(row):
        high = row[at + 1].x - _between(spot, row[at + 1]) - spot.width
    return low, high


def _mate(made: Layers, spot: Spot) -> Link | None:
    """The link along which a spot and one below it would best be straight."""
    if not made.below[spot]:
        return None
    link = min(made.below[spot], key=_lean)
    if abs(link.dx) > NEAR or min(made.above[link.lower], key=_lean) is not link:
        return None
    return link


def _lean(link: Link) -> tuple[bool, float]:
    """Lines stay with lines, then boxes with boxes, then what is nearest."""
    return link.upper.is_line != link.lower.is_line, abs(link.dx)
