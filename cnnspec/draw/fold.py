"""Which boxes does a network have in a figure: blocks folded, repeats written once?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from cnnspec.draw.family import is_small
from cnnspec.draw.repeats import Repeats, Unit
from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import Count, counts

UNFOLDED = 1_000
"""Deeper than blocks can lie in each other."""

MOST_BOXES = 4_000
"""A figure of more could not be read, nor shown by a browser."""


@dataclass(slots=True, eq=False)
class Box:
    """Layers that follow each other, drawn as one: a convolution and the ReLU on it."""

    nodes: range
    times: int
    """How often it stands here, one below the other."""
    also: tuple[range, ...]
    """What it stands for besides itself, because it, or what is around it, is repeated."""


@dataclass(slots=True, eq=False)
class Group:
    """A block, or a stretch of layers that is repeated."""

    nodes: range
    times: int
    also: tuple[range, ...]
    path: str
    """Empty for a stretch."""
    items: "tuple[Item, ...]"
    """None of them where it is folded."""


Item = Box | Group


@dataclass(slots=True, eq=False)
class Plan:
    """What of a network is drawn."""

    graph: Graph
    depth: int
    items: tuple[Item, ...] = ()
    stand: dict[int, int] = field(default_factory=dict[int, int])
    """For a node of a stretch that is not drawn: its like in the one that is."""
    counts: list[Count] = field(default_factory=list[Count])
    uses: list[int] = field(default_factory=list[int])
    """How many layers and outputs take each node's value."""

    def shown(self, node: int) -> int:
        while node in self.stand:
            node = self.stand[node]
        return node

    def links(self) -> Iterator[tuple[int, int]]:
        """From which node to which one values flow, stretches that are not drawn left out."""
        for node in self.graph.nodes:
            if node.index not in self.stand:
                for source in node.inputs:
                    yield self.shown(source), node.index


def plan(graph: Graph, depth: int, *, repeats: bool = True) -> Plan:
    """With 0 each block of the network's body is one box; without `repeats` each use of a layer is
    drawn. Raises `ValueError` where too much would be drawn."""
    made = Plan(graph, depth, counts=counts(graph), uses=_uses(graph))
    found = Repeats(graph, made.counts) if repeats else None
    made.items = tuple(_items(made, _units(made, range(len(graph.nodes)), 0), 0, found, [0]))
    boxes = sum(1 for _ in walk(made.items))
    if boxes > MOST_BOXES:
        raise ValueError(
            f"{boxes:,} boxes are too many for a figure, which holds {MOST_BOXES:,}"
            + ("; a smaller depth folds more" if depth else "")
        )
    return made


def walk(items: Sequence[Item]) -> Iterator[Item]:
    """All items, those within groups too."""
    for item in items:
        yield item
        if isinstance(item, Group):
            yield from walk(item.items)


def deepest(graph: Graph) -> int:
    """At which depth nothing is folded any more."""
    return max((n.path.count(".") for n in graph.nodes), default=0)


def _uses(graph: Graph) -> list[int]:
    found = [0] * len(graph.nodes)
    for source in (source for node in graph.nodes for source in node.inputs):
        found[source] += 1
    for output in graph.outputs:
        found[output.node] += 1
    return found


def _units(made: Plan, nodes: range, level: int) -> list[Unit]:
    """A body in pieces: blocks, and layers that are drawn together."""

    def block(index: int) -> str:
        parts = made.graph.nodes[index].path.split(".")
        return ".".join(parts[: level + 1]) if len(parts) > level + 1 else ""

    units: list[Unit] = []
    for path, members in groupby(nodes, block):
        inside = list(members)
        whole = range(inside[0], inside[-1] + 1)
        units += [Unit(path, whole)] if path else _chains(made, whole)
    return units


def _chains(made: Plan, nodes: range) -> list[Unit]:
    """Activations and the like with what they follow, or else with what follows them."""
    graph = made.graph
    starts = [nodes.start]
    has_lead = not is_small(graph.nodes[nodes.start])
    for before, after in pairwise(nodes):
        small = is_small(graph.nodes[after])
        if _is_chained(made, before, after) and (small or not has_lead):
            has_lead = has_lead or not small
            continue
        starts.append(after)
        has_lead = not small
    return [Unit("", range(a, b)) for a, b in pairwise([*starts, nodes.stop])]


def _is_chained(made: Plan, before: int, after: int) -> bool:
    """Does a value go on to the next layer and nowhere else?"""
    nodes = made.graph.nodes
    return (
        nodes[after].inputs == (before,) and bool(nodes[before].inputs) and made.uses[before] == 1
    )


def _items(
    made: Plan, units: Sequence[Unit], level: int, found: Repeats | None, shifts: Sequence[int]
) -> Iterator[Item]:
    """The boxes of a body that stands, by `shifts` further on, for others like it."""
    at = 0
    while at < len(units):
        period, times = found.at(units, at) if found else (1, 1)
        stretch = units[at : at + period]
        nodes = range(stretch[0].nodes.start, stretch[-1].nodes.stop)
        further = [k * len(nodes) for k in range(times)]
        for shift in further[1:]:
            made.stand.update((i + shift, i) for i in nodes)
        here = [a + b for a in shifts for b in further]
        also = tuple(range(nodes.start + k, nodes.stop + k) for k in here if k)
        inner: Sequence[Unit] = ()
        if period > 1:
            inner, depth = stretch, level
        elif stretch[0].path and level < made.depth:
            inner, depth = _units(made, nodes, level + 1), level + 1
        else:
            depth = level
        items = tuple(_items(made, inner, depth, found, here))
        if period == 1 and not stretch[0].path:
            yield Box(nodes, times, also)
        else:
            yield Group(nodes, times, also, "" if period > 1 else stretch[0].path, items)
        at += period * times


def layers_of(graph: Graph, nodes: range) -> list[Node]:
    """The uses of layers among nodes, inputs left out."""
    return [graph.nodes[i] for i in nodes if graph.nodes[i].inputs]
