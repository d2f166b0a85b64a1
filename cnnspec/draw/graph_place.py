"""Where do the boxes, frames and lines of a graph figure lie?

A group is laid out by itself and is then a box in what is around it. Everything is worked out as if
values flowed down; what flows up (the way back of a U-Net) is turned over in the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cnnspec.draw.fold import Group, Item, Plan
from cnnspec.draw.graph_route import STRAIGHT, Point, routed
from cnnspec.draw.graph_wires import Wires
from cnnspec.draw.graph_words import STACK, Card, card, sized, title_of
from cnnspec.draw.layered import Layers, Net, Spot, layered, spread
from cnnspec.draw.letters import width

TALLEST = 620.0
"""A group that would be taller is broken into columns."""

BAR, MARGIN = 22.0, 12.0
"""The title of a frame, and the space within its other borders."""

FRAME_TITLE = 12.0


@dataclass(slots=True, eq=False)
class Place:
    """A box in the figure."""

    card: Card
    x: float
    y: float


@dataclass(slots=True, eq=False)
class Frame:
    """The border of a group, and where its title stands in it."""

    group: Group
    title: str
    badge: str
    x: float
    y: float
    width: float
    height: float
    depth: int
    title_x: float


@dataclass(slots=True, eq=False)
class Line:
    """A piece of a line; with a tip where a box takes the value."""

    value: int
    points: list[Point]
    has_tip: bool
    inside: Group | None
    """The group whose boxes it links."""


@dataclass(slots=True, eq=False)
class Scene:
    """A figure or a part of it."""

    width: float
    height: float
    places: list[Place] = field(default_factory=list[Place])
    frames: list[Frame] = field(default_factory=list[Frame])
    lines: list[Line] = field(default_factory=list[Line])
    climbs: int = 0
    """How many values beyond one go from column to column."""
    ins: dict[int, float] = field(default_factory=dict[int, float])
    outs: dict[int, float] = field(default_factory=dict[int, float])

    def take(self, part: "Scene", dx: float, dy: float) -> None:
        """Add a part at a place."""
        self.places += [replace(p, x=p.x + dx, y=p.y + dy) for p in part.places]
        self.frames += [
            replace(f, x=f.x + dx, y=f.y + dy, title_x=f.title_x + dx) for f in part.frames
        ]
        self.lines += [
            replace(line, points=[(x + dx, y + dy) for x, y in line.points]) for line in part.lines
        ]

    def turned(self) -> "Scene":
        """The same with its flow upwards."""
        tall = self.height
        return replace(
            self,
            places=[replace(p, y=tall - p.y - p.card.height) for p in self.places],
            frames=[replace(f, y=tall - f.y - f.height) for f in self.frames],
            lines=[
                replace(line, points=[(x, tall - y) for x, y in line.points]) for line in self.lines
            ],
        )


@dataclass(slots=True, eq=False)
class Placer:
    """Lays out the levels of one plan."""

    plan: Plan
    wires: dict[Group | None, Wires]
    known: dict[tuple[Group, bool], Scene] = field(default_factory=dict[tuple[Group, bool], Scene])

    def level(
        self, group: Group | None, items: Sequence[Item], wires: Wires, columns: int, *, up: bool
    ) -> Scene:
        """Some items and the lines between them, in as many columns; with 0 in as few as are not
        too tall."""
        parts = self.parts(items, up=up)
        spots, nets, entries, exits = _spots(items, parts, wires)
        made = layered(spots, nets)
        rows = broken(made, columns)
        found = routed(made, [(r, spread(made, r)) for r in rows])
        scene = Scene(found.width, found.height)
        scene.climbs = sum(len(_crossing(made, r.start)) - 1 for r in rows[1:])
        by_item = dict(zip(spots[len(entries) :], items, strict=False))
        for spot, item in by_item.items():
            _settle(scene, parts[item], spot, up=up)
        ends = {s for s, item in by_item.items() if isinstance(parts[item], Card)}
        scene.lines += [Line(p.value, p.points, p.end in ends, group) for p in found.pieces]
        scene.ins = {value: spot.x for value, spot in entries.items()}
        scene.outs = {value: spot.x for value, spot in exits.items()}
        for value, spot in exits.items():
            if found.height - spot.y > 0.01:
                points = [(spot.x, spot.y), (spot.x, found.height)]
                scene.lines.append(Line(value, points, False, group))
        return scene

    def parts(self, items: Sequence[Item], *, up: bool) -> dict[Item, Card | Scene]:
        """Boxes of the same width, and groups with their frames."""
        cards = {
            item: card(self.plan, item)
            for item in items
            if not isinstance(item, Group) or not item.items
        }
        wide = max((c.width for c in cards.values()), default=0.0)
        for made in cards.values():
            sized(made, wide)
        return {
            item: self.framed(item, up=up)
            if isinstance(item, Group) and item.items
            else cards[item]
            for item in items
        }

    def framed(self, group: Group, *, up: bool) -> Scene:
        """A group in its frame."""
        key = (group, up)
        if key not in self.known:
            inner = self.level(group, group.items, self.wires[group], 0, up=up)
            self.known[key] = _framed(self.plan, group, inner, up=up)
        return self.known[key]


def _spots(
    items: Sequence[Item], parts: dict[Item, Card | Scene], wires: Wires
) -> tuple[list[Spot], list[Net], dict[int, Spot], dict[int, Spot]]:
    """What the layout is asked to place: points on the border, boxes, points on the border."""
    entries = {v: Spot(0.0, 0.0, is_entry=True) for v in wires.entering}
    exits = {v: Spot(0.0, 0.0, is_exit=True) for v in sorted(wires.leaving)}
    spots = [*entries.values(), *(_spot(parts[i], i) for i in items), *exits.values()]
    index: dict[Item, int] = {item: len(entries) + k for k, item in enumerate(items)}
    at_entry = {value: k for k, value in enumerate(entries)}
    at_exit = {value: len(entries) + len(items) + k for k, value in enumerate(exits)}
    nets: list[Net] = []
    for value, source in sorted(wires.sources.items()):
        targets = [index[t] for t in wires.targets[value]]
        targets += [at_exit[value]] if value in at_exit else []
        start = at_entry[value] if source is None else index[source]
        nets.append(Net(value, start, tuple(targets)))
    return spots, nets, entries, exits


def _spot(part: Card | Scene, item: Item) -> Spot:
    extra = sheet(item)
    if isinstance(part, Card):
        return Spot(part.width, part.height + extra)
    return Spot(part.width, part.height + extra, part.ins, part.outs)


def sheet(item: Item) -> float:
    """What the sheets behind a repeated item take below it."""
    return STACK if item.times > 1 else 0.0


def _settle(scene: Scene, part: Card | Scene, spot: Spot, *, up: bool) -> None:
    tall = part.height
    y = spot.y + (spot.height - tall if up else 0.0)
    if isinstance(part, Card):
        scene.places.append(Place(part, spot.x, y))
    else:
        scene.take(part, spot.x, y)


# ── frames ─────────────────────────────────────────────────────────────────────────────────────


def _framed(plan: Plan, group: Group, inner: Scene, *, up: bool) -> Scene:
    title = title_of(plan, group)
    badge = f"× {group.times}" if group.times > 1 else ""
    need = 2 * 8.0 + width(title, FRAME_TITLE, bold=True)
    need += width(f" {badge}", FRAME_TITLE, bold=True) + 6.0 if badge else 0.0
    doors = sorted((inner.outs if up else inner.ins).values())
    left, title_x, room = _title_place(doors, inner.width, need)
    wide = left + max(inner.width + MARGIN, room)
    before, behind = (MARGIN, BAR) if up else (BAR, MARGIN)
    made = Scene(wide, before + inner.height + behind)
    made.frames.append(Frame(group, title, badge, 0.0, 0.0, made.width, made.height, 1, title_x))
    made.take(
        replace(inner, frames=[replace(f, depth=f.depth + 1) for f in inner.frames]), left, before
    )
    made.ins = {value: x + left for value, x in inner.ins.items()}
    made.outs = {value: x + left for value, x in inner.outs.items()}
    # A line leaves the lowest of the sheets behind what is repeated.
    start, stop = (-sheet(group), 0.0) if up else (0.0, sheet(group))
    for value, x in made.ins.items():
        made.lines.append(Line(value, [(x, start), (x, before)], False, group))
    for value, x in made.outs.items():
        foot = made.height + stop
        made.lines.append(Line(value, [(x, made.height - behind), (x, foot)], False, group))
    return made


def _title_place(doors: Sequence[float], wide: float, need: float) -> tuple[float, float, float]:
    """The left margin, where the title stands in the frame, and what it needs to the right of the
    margin: beside the lines that come through the bar, not on them."""
    first, last = (doors[0], doors[-1]) if doors else (wide, 0.0)
    if not doors or MARGIN + first >= need:
        return MARGIN, 0.0, need - MARGIN
    if MARGIN + wide - last >= need:
        return MARGIN, MARGIN + last, 0.0
    return need - first, 0.0, 0.0


# ── columns ────────────────────────────────────────────────────────────────────────────────────


def broken(made: Layers, columns: int) -> list[range]:
    """The layers in columns of nearly the same height."""
    heights = [max(s.height for s in row) + 1.3 * STRAIGHT for row in made.rows]
    total = sum(heights)
    wanted = columns or max(1, round(total / TALLEST + 0.35))
    if wanted == 1:
        return [range(len(heights))]
    low, high = max(heights), total
    for _ in range(24):
        middle = (low + high) / 2
        if len(_filled(made, heights, middle)) <= wanted:
            high = middle
        else:
            low = middle
    return _filled(made, heights, high)


def _filled(made: Layers, heights: Sequence[float], most: float) -> list[range]:
    found: list[range] = []
    start, used = 0, 0.0
    for row, tall in enumerate(heights):
        if used + tall > most and row > start and _may_break(made, row):
            found.append(range(start, row))
            start, used = row, 0.0
        used += tall
    return [*found, range(start, len(heights))]


def _crossing(made: Layers, row: int) -> set[int]:
    """The values that come into a layer from the one above."""
    return {link.value for link in made.links[row - 1]}


def _may_break(made: Layers, row: int) -> bool:
    """Not between a border and its first or last boxes."""
    return not (
        all(s.is_entry for s in made.rows[row - 1]) or all(s.is_exit for s in made.rows[row])
    )
