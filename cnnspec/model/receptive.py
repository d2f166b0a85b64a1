"""What does one pixel of a value see of the input, and how far apart do neighbours look?

For every value and axis three numbers in pixels of the input: a pixel sees `size` of them,
neighbouring pixels look `jump` apart, and the first pixel's view begins at `start` (negative: in
the padding). A layer whose pixels see `extent` pixels of its own input, moving by `step` from
`begin`, composes:

    size' = size + (extent - 1)·jump      jump' = jump·step      start' = start + begin·jump

Where branches meet, a pixel sees what either sees. A layer that sees the whole map (global
pooling, flatten, fc) has an extent of the map's size, and what follows it has no place on the
input any more. Two things that see the whole map are left aside, as the literature does: a gate
that is computed from it and multiplied onto a map that has places (squeeze-and-excite), and the
statistics that a normalisation takes over it.
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from cnnspec.layers.base import View
from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import facts_of


class Reach(NamedTuple):
    """Along one axis: pixel i sees `size` pixels of the input from `start + i·jump` on."""

    size: float
    jump: float
    start: float

    @property
    def pixels(self) -> int:
        """`size` in whole pixels; a fraction appears where a window crosses grown pixels."""
        # Steps such as 1/3 do not multiply back exactly.
        return ceil(self.size - 1e-9)


class Field(NamedTuple):
    """The receptive field of a value, axis by axis; none for a flat vector that is an input."""

    axes: tuple[Reach, ...]
    is_global: bool = False
    """Does every number see the whole map? `axes` are then those of the map that was seen."""

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(a.pixels for a in self.axes)

    @property
    def jumps(self) -> tuple[float, ...]:
        return tuple(a.jump for a in self.axes)

    @property
    def starts(self) -> tuple[float, ...]:
        return tuple(a.start for a in self.axes)


ITSELF = Reach(1, 1, 0)


def fields(graph: Graph) -> list[Field]:
    """The field of every node, in their order."""
    found: list[Field] = []
    # A layer on given shapes has one `Facts`, however often a network uses it.
    seen: dict[int, tuple[Sequence[View], bool]] = {}
    for node in graph.nodes:
        facts = facts_of(node)
        if not node.inputs:
            found.append(Field((ITSELF,) * (len(facts.shape) - 1)))
            continue
        if len(node.inputs) == 1:
            field = found[node.inputs[0]]
        else:
            field = meet([found[i] for i in node.inputs])
        if not field.is_global:
            known = seen.get(id(facts))
            if known is None:
                known = seen[id(facts)] = views_of(graph, node)
            views, is_end = known
            if views:
                field = Field(_through(field.axes, views), is_end)
            elif is_end:
                field = Field(field.axes, is_global=True)
            elif _is_rearranged(graph, node):
                field = _rearranged(field, len(facts.shape) - 1)
        found.append(field)
    return found


def views_of(graph: Graph, node: Node) -> tuple[Sequence[View], bool]:
    """What the layer sees of its input, and whether places end there.

    They end where all of a map is seen: by a layer's own word, or by a window without weights as
    large as the map (`avgpool 7x7` of 7x7), and where a map becomes a flat vector.
    """
    xs = [facts_of(graph.nodes[i]).shape for i in node.inputs]
    x, facts = max(xs, key=len), facts_of(node)
    if node.layer.is_global or len(facts.shape) == 1 < len(x):
        return tuple(View(n, 1, 0) for n in x[1:]), True
    views = node.layer.views(facts.shape, *xs)
    is_whole = all(v.extent >= n for v, n in zip(views, x[1:], strict=False))
    return views, bool(views) and is_whole and max(x[1:]) > 1 and not facts.weights


def network_field(found: Sequence[Field]) -> tuple[int, ...]:
    """The receptive field of the network: the largest of any value that still has a place.

    In a network without side branches that is the last value before a layer sees the whole map.
    """
    most: tuple[int, ...] = ()
    last: Field | None = None
    for field in found:
        # Activations and normalisation hand on the very object that reached them.
        if not field.is_global and field is not last:
            last = field
            sizes = field.sizes
            if sizes != most:
                shorter, longer = sorted((most, sizes), key=len)
                pairs = (max(p) for p in zip(shorter, longer, strict=False))
                most = (*pairs, *longer[len(shorter) :])
    return most


def _through(axes: tuple[Reach, ...], views: Sequence[View]) -> tuple[Reach, ...]:
    assert len(axes) == len(views), f"{len(views)} views of a map with {len(axes)} axes"
    made: list[Reach] = []
    for (size, jump, start), (extent, step, begin) in zip(axes, views, strict=True):
        made.append(Reach(size + (extent - 1) * jump, jump * step, start + begin * jump))
    return tuple(made)


def meet(branches: Sequence[Field]) -> Field:
    """What a pixel sees where branches end: what any of them sees, gates left aside."""
    first = branches[0]
    if all(b is first for b in branches):
        return first
    placed = [b for b in branches if not b.is_global]
    if not placed:
        return first
    rank = max(len(b.axes) for b in placed)
    axes = {b.axes for b in placed if len(b.axes) == rank}
    if len(axes) == 1:
        return Field(axes.pop())
    return Field(tuple(_hull(reaches) for reaches in zip(*axes, strict=True)))


def _hull(reaches: Sequence[Reach]) -> Reach:
    start = min(r.start for r in reaches)
    end = max(r.start + r.size for r in reaches)
    return Reach(end - start, max(r.jump for r in reaches), start)


def _is_rearranged(graph: Graph, node: Node) -> bool:
    """Does it put the numbers elsewhere (a reshape) without a word on what a pixel sees?"""
    x = facts_of(graph.nodes[node.inputs[0]]).shape
    return len(node.inputs) == 1 and x[1:] != facts_of(node).shape[1:]


def _rearranged(field: Field, rank: int) -> Field:
    """A reshape to other axes: a vector's numbers become pixels; pixels lose their places."""
    if not field.axes:
        return Field((ITSELF,) * rank)
    return Field(field.axes, is_global=True)
