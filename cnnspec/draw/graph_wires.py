"""Which values flow between the boxes of a figure, and which go in and out of a frame?"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cnnspec.draw.fold import Box, Group, Item, Plan


@dataclass(slots=True, eq=False)
class Wires:
    """Within the figure, or within one group: from where each value comes and who takes it."""

    sources: dict[int, Item | None] = field(default_factory=dict[int, Item | None])
    """None for a value that enters from outside."""
    targets: dict[int, list[Item]] = field(default_factory=dict[int, list[Item]])
    leaving: set[int] = field(default_factory=set[int])

    @property
    def entering(self) -> list[int]:
        return sorted(value for value, source in self.sources.items() if source is None)

    def add(self, value: int, source: Item | None, target: Item | None) -> None:
        self.sources.setdefault(value, source)
        found = self.targets.setdefault(value, [])
        if target is None:
            self.leaving.add(value)
        elif target not in found:
            found.append(target)


def wires(plan: Plan) -> dict[Group | None, Wires]:
    """For the figure (None) and each group that is not folded."""
    where: dict[int, tuple[Item, ...]] = {}
    made: dict[Group | None, Wires] = {None: Wires()}
    _find(plan.items, (), where, made)
    for value, taker in plan.links():
        if where[value] is not where[taker]:
            _connect(made, value, where[value], where[taker])
    return made


def _find(
    items: Sequence[Item],
    around: tuple[Item, ...],
    where: dict[int, tuple[Item, ...]],
    made: dict[Group | None, Wires],
) -> None:
    """The way from the figure as a whole to the box of each node."""
    for item in items:
        way = (*around, item)
        match item:
            case Box():
                where.update(dict.fromkeys(item.nodes, way))
            case Group(items=()):
                where.update(dict.fromkeys(item.nodes, way))
            case Group():
                made[item] = Wires()
                _find(item.items, way, where, made)


def _connect(
    made: dict[Group | None, Wires], value: int, here: tuple[Item, ...], there: tuple[Item, ...]
) -> None:
    same = 0
    while here[same] is there[same]:
        same += 1
    common = _group(here[same - 1]) if same else None
    made[common].add(value, here[same], there[same])
    for outer, inner in zip(here[same:], here[same + 1 :], strict=False):
        made[_group(outer)].add(value, inner, None)
    for outer, inner in zip(there[same:], there[same + 1 :], strict=False):
        made[_group(outer)].add(value, None, inner)


def _group(item: Item) -> Group:
    assert isinstance(item, Group), "only groups have something inside"
    return item
