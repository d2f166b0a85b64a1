"""Is a network a U, and where do its boxes lie then?

A U-Net halves its maps on the way down, doubles them on the way up, and hands maps across from each
level of the way down to the same level of the way up. Both ways stand beside each other, so that
what is handed across runs straight.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cnnspec.draw.fold import Item, Plan
from cnnspec.draw.graph_place import Line, Place, Placer, Scene, sheet
from cnnspec.draw.graph_route import ABOVE, BELOW, STRAIGHT, Point
from cnnspec.draw.graph_wires import Wires
from cnnspec.draw.graph_words import Card
from cnnspec.model.tally import facts_of

ASIDE, BETWEEN = 34.0, 60.0
"""From the bottom of the U to its sides, and the least between the sides."""


@dataclass(slots=True, eq=False)
class Shape:
    """The places of a U in the chain of its items."""

    skips: list[tuple[int, int]]
    """From where to where something is handed across, the outermost first."""
    bottom: range


def shape_of(plan: Plan, items: Sequence[Item], wires: Wires) -> Shape | None:
    """The U of a chain of items, if it is one."""
    index = {item: k for k, item in enumerate(items)}
    skips: list[tuple[int, int]] = []
    chained: set[int] = set()
    for value, source in wires.sources.items():
        assert source is not None, "nothing enters the figure as a whole"
        for target in wires.targets[value]:
            a, b = index[source], index[target]
            if b == a + 1:
                chained.add(a)
            else:
                skips.append((a, b))
    skips.sort()
    is_chain = len(chained) == len(items) - 1
    nested = all(a < c and d < b for (a, b), (c, d) in pairwise(skips))
    if not skips or not is_chain or not nested:
        return None
    areas = [_area(plan, item) for item in items]
    first, last = skips[-1]
    least = min(areas[first + 1 : last])
    low = [k for k in range(first + 1, last) if areas[k] == least]
    # The layer that leads down belongs to the way, unless there is nothing else below.
    low = [k for k in low if areas[k] == areas[k - 1]] or low
    is_u = low and all(areas[a] == areas[b] for a, b in skips) and least < areas[first]
    return Shape(skips, range(low[0], low[-1] + 1)) if is_u else None


def _area(plan: Plan, item: Item) -> int:
    found = 1
    for n in facts_of(plan.graph.nodes[item.nodes[-1]]).shape[1:]:
        found *= n
    return found


def u_scene(placer: Placer, shape: Shape) -> Scene:
    """The way down on the left, the way up on the right, the bottom between them."""
    items = placer.plan.items
    down, up = placer.parts(items, up=False), placer.parts(items, up=True)
    parts = [
        (_turned(up[item]) if k >= shape.bottom.stop else down[item])
        for k, item in enumerate(items)
    ]
    return _Drawing(placer, shape, parts).draw()


def _turned(part: Card | Scene) -> Card | Scene:
    return part.turned() if isinstance(part, Scene) else part


@dataclass(slots=True, eq=False)
class _Drawing:
    placer: Placer
    shape: Shape
    parts: list[Card | Scene]
    scene: Scene = field(default_factory=lambda: Scene(0.0, 0.0))
    tops: dict[int, float] = field(default_factory=dict[int, float])
    lefts: dict[int, float] = field(default_factory=dict[int, float])

    def draw(self) -> Scene:
        shape, count = self.shape, len(self.parts)
        foot = self._levels()
        for k in shape.bottom:
            self.tops[k] = foot
            foot += self._tall(k) + STRAIGHT
        wide_left = self._widest(range(shape.bottom.start))
        between = max(BETWEEN, self._widest(shape.bottom) + 2 * ASIDE)
        wide_right = self._widest(range(shape.bottom.stop, count))
        x_left, x_bottom = wide_left / 2, wide_left + between / 2
        x_right = wide_left + between + wide_right / 2
        axes = [
            x_left if k < shape.bottom.start else x_bottom if k in shape.bottom else x_right
            for k in range(count)
        ]
        for k, part in enumerate(self.parts):
            self.lefts[k] = axes[k] - _axis(part)
            self._put(part, self.lefts[k], self.tops[k])
        self._lines(axes)
        left = min(self.lefts.values())
        right = max(self.lefts[k] + part.width for k, part in enumerate(self.parts))
        moved = Scene(right - left, foot - STRAIGHT + ABOVE)
        moved.take(self.scene, -left, 0.0)
        return moved

    def _tall(self, k: int) -> float:
        return self.parts[k].height + sheet(self.placer.plan.items[k])

    def _widest(self, which: range) -> float:
        """Room for all of them, with the flow in the middle."""
        parts = [self.parts[k] for k in which]
        return max((2 * max(_axis(p), p.width - _axis(p)) for p in parts), default=0.0)

    def _put(self, part: Card | Scene, x: float, y: float) -> None:
        if isinstance(part, Card):
            self.scene.places.append(Place(part, x, y))
        else:
            self.scene.take(part, x, y)

    def _levels(self) -> float:
        """The tops of the items at the sides, level by level; and where the bottom begins."""
        shape, count = self.shape, len(self.parts)
        starts = [0, *(a + 1 for a, _ in shape.skips), shape.bottom.start]
        stops = [count, *(b for _, b in shape.skips), shape.bottom.stop]
        y = 0.0
        for level in range(len(starts) - 1):
            down = list(range(starts[level], starts[level + 1]))
            up = list(range(stops[level + 1], stops[level]))[::-1]
            tall = max(self._pile(down), self._pile(up))
            for pile in (down, up):
                at = y + tall - self._pile(pile)
                for k in pile:
                    self.tops[k] = at
                    at += self._tall(k) + STRAIGHT
            y += tall + (STRAIGHT if tall else 0.0)
        return y - STRAIGHT + ABOVE + BELOW

    def _pile(self, pile: Sequence[int]) -> float:
        return sum(self._tall(k) for k in pile) + STRAIGHT * max(0, len(pile) - 1)

    def _lines(self, axes: Sequence[float]) -> None:
        bottom = self.shape.bottom
        for k in range(len(self.parts) - 1):
            x, x2 = axes[k], axes[k + 1]
            head, foot = self.tops[k], self.tops[k] + self._tall(k)
            head2, foot2 = self.tops[k + 1], self.tops[k + 1] + self._tall(k + 1)
            if k >= bottom.stop:
                way: list[Point] = [(x, head), (x, foot2)]
            elif k + 1 == bottom.stop:
                turn = foot + ABOVE
                way = [(x, foot), (x, turn), (x2, turn), (x2, foot2)]
            elif k + 1 == bottom.start:
                turn = head2 - BELOW
                way = [(x, foot), (x, turn), (x2, turn), (x2, head2)]
            else:
                way = [(x, foot), (x, head2)]
            self._line(k, k + 1, way)
        for a, b in self.shape.skips:
            low = max(self.tops[a], self.tops[b])
            high = min(self.tops[k] + self.parts[k].height for k in (a, b))
            y = (low + high) / 2
            self._line(a, b, [(self.lefts[a] + self.parts[a].width, y), (self.lefts[b], y)])

    def _line(self, a: int, b: int, way: list[Point]) -> None:
        items, wires = self.placer.plan.items, self.placer.wires[None]
        value = next(
            v for v, s in wires.sources.items() if s is items[a] and items[b] in wires.targets[v]
        )
        self.scene.lines.append(Line(value, way, isinstance(self.parts[b], Card), None))


def _axis(part: Card | Scene) -> float:
    """Where the flow runs through it."""
    if isinstance(part, Card):
        return part.width / 2
    return next(iter([*part.ins.values(), *part.outs.values()]), part.width / 2)
