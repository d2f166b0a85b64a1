"""Which stretches of a network are the same thing over and over?

Two are alike if their layers are called alike, are wired alike and have the same shapes and sizes,
or shapes that grow by the same number of maps each time, as in a DenseNet.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import Count, facts_of

LONGEST = 12
"""Pieces that a stretch may have."""


class Unit(NamedTuple):
    """A piece of a body: a block, or layers that are drawn together."""

    path: str
    """Of the block; empty for layers outside."""
    nodes: range


class Repeats:
    """Finds them, one stretch after the other."""

    def __init__(self, graph: Graph, sizes: Sequence[Count]) -> None:
        self.nodes = graph.nodes
        self.sizes = sizes
        self.heads = {o.node for o in graph.outputs if o.name != "output"}
        self.texts = [n.layer.text() for n in graph.nodes]
        self.last_use = list(range(len(graph.nodes)))
        for node in graph.nodes:
            for source in node.inputs:
                self.last_use[source] = node.index

    def at(self, units: Sequence[Unit], start: int) -> tuple[int, int]:
        """How many units the stretch that begins here has, and how often it stands there: that
        which covers most, `(1, 1)` where nothing is repeated."""
        best = (1, 1)
        for period in range(1, min(LONGEST, (len(units) - start) // 2) + 1):
            times = self._times(units, start, period)
            if times > 1 and period * times > best[0] * best[1]:
                best = (period, times)
        return best

    def _times(self, units: Sequence[Unit], start: int, period: int) -> int:
        times, growth = 1, None
        first = units[start : start + period]
        length = first[-1].nodes.stop - first[0].nodes.start
        while True:
            at = start + times * period
            other = units[at : at + period]
            if not _same_pieces(first, other):
                break
            stop = other[-1].nodes.stop
            found = self._alike(stop - 2 * length, length, is_first=times == 1)
            if found is None or growth not in (None, found):
                break
            growth, times = found, times + 1
        while times > 1 and not self._is_closed(first[0].nodes.start, length, times):
            times -= 1
        return times

    def _is_closed(self, start: int, length: int, times: int) -> bool:
        """Is each value used within its stretch or the next, and none but the last's outside?"""
        whole = range(start, start + length * times)
        hidden = range(start, start + length * (times - 1))
        return not any(node in self.heads for node in whole) and all(
            self.last_use[node] < start + length * ((node - start) // length + 2) for node in hidden
        )

    def _alike(self, a: int, length: int, *, is_first: bool) -> tuple[int, ...] | None:
        """By how many maps each layer of the second of two stretches is wider; none where they
        are not alike."""
        growth: list[int] = []
        entries: dict[int, int] = {}
        same_sizes = True
        for k in range(length):
            one, two = self.nodes[a + k], self.nodes[a + length + k]
            more = self._growth(one, two)
            wired = self._wired(one, two, a, length, entries, is_first=is_first)
            if more is None or not wired:
                return None
            growth.append(more)
            same_sizes = same_sizes and self.sizes[one.index] == self.sizes[two.index]
        return tuple(growth) if same_sizes or any(growth) else None

    def _growth(self, one: Node, two: Node) -> int | None:
        x, y = facts_of(one).shape, facts_of(two).shape
        alike = (
            self.texts[one.index] == self.texts[two.index]
            and (one.frozen, one.is_sharing) == (two.frozen, two.is_sharing)
            and bool(one.inputs)
            and x[1:] == y[1:]
            and y[0] >= x[0]
        )
        return y[0] - x[0] if alike else None

    def _wired(
        self,
        one: Node,
        two: Node,
        a: int,
        length: int,
        entries: dict[int, int],
        *,
        is_first: bool,
    ) -> bool:
        """Does the second take from its stretch, and from the one before, what the first does?"""
        if len(one.inputs) != len(two.inputs):
            return False
        for u, v in zip(one.inputs, two.inputs, strict=True):
            if u >= a or v >= a + length:
                if u + length != v:
                    return False
            elif v >= a:
                known = is_first or u < a - length or u + length == v
                if not known or entries.setdefault(u, v) != v:
                    return False
            elif u != v:
                return False
        return True


def _same_pieces(first: Sequence[Unit], other: Sequence[Unit]) -> bool:
    if len(first) != len(other):
        return False
    same = takewhile(
        lambda pair: (
            len(pair[0].nodes) == len(pair[1].nodes) and bool(pair[0].path) == bool(pair[1].path)
        ),
        zip(first, other, strict=True),
    )
    return sum(1 for _ in same) == len(first)
