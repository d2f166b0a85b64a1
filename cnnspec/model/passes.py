"""What is alive together while a network goes forward and back on one example?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cnnspec.model.backward import (
    IN_PLACE,
    SHARING,
    Needs,
    keeps_input,
    keeps_output,
    needs,
)
from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import BYTES, facts_of


class Moment(NamedTuple):
    """Bytes that are alive while a layer runs."""

    values: int
    """Of the forward pass."""
    gradients: int
    """Of values, with copies."""
    of_weights: int
    """Gradients of weights, which do not grow with the batch."""


class Passes(NamedTuple):
    moments: list[Moment]
    """Forward, layer by layer, then back."""
    block: int
    """The largest single block for one example."""


def passes(graph: Graph, sizes: Sequence[int]) -> Passes:
    return _Passes(graph, sizes).found()


@dataclass(slots=True)
class _Gradient:
    """A block that several values may have as their gradient."""

    size: int
    users: int = 1


@dataclass(slots=True)
class _Passes:
    graph: Graph
    sizes: Sequence[int]
    roots: list[int] = field(default_factory=list[int])
    """For each node the one whose numbers it shows."""
    varies: list[bool] = field(default_factory=list[bool])
    """Does it hang on a weight that is trained?"""
    known: dict[tuple[int, tuple[bool, ...]], Needs] = field(
        default_factory=dict[tuple[int, tuple[bool, ...]], Needs]
    )

    def found(self) -> Passes:
        nodes = self.graph.nodes
        for i, node in enumerate(nodes):
            is_view = bool(node.inputs) and node.layer.is_view
            self.roots.append(self.roots[node.inputs[0]] if is_view else i)
            trains = not node.frozen and any(w.trained for w in facts_of(node).weights.values())
            self.varies.append(trains or any(self.varies[k] for k in node.inputs))
        wants = [self._needs(node) for node in nodes]
        first, last = self._users()
        forward, kept = self._forward(wants, first, last)
        back = self._back(wants, first, kept)
        block = max([*self.sizes, *(w.block for w in wants)])
        return Passes([*forward, *back], block)

    def _needs(self, node: Node) -> Needs:
        if not self.varies[node.index]:
            return Needs(0, 0, 0)
        # Uses that are alike share their facts.
        key = (id(node.facts), tuple(self.varies[i] for i in node.inputs))
        found = self.known.get(key)
        if found is None:
            inputs = [i for i in node.inputs if self.varies[i]]
            shapes = [facts_of(self.graph.nodes[i]).shape for i in inputs or node.inputs]
            found = self.known[key] = needs(node, shapes, by_input=bool(inputs))
        return found

    def _users(self) -> tuple[list[int | None], list[int]]:
        """For each value the first layer that needs it in the backward pass, which is the last
        there to do so, and the last that takes it in the forward pass."""
        nodes = self.graph.nodes
        first: list[int | None] = [None] * len(nodes)
        last = list(range(len(nodes)))
        for i, node in enumerate(nodes):
            needed = list(node.inputs) if keeps_input(node) else []
            needed += [i] if keeps_output(node) else []
            for k in needed if self.varies[i] else ():
                if first[self.roots[k]] is None:
                    first[self.roots[k]] = i
            for k in node.inputs:
                last[self.roots[k]] = i
        for output in self.graph.outputs:
            last[self.roots[output.node]] = len(nodes)
        return first, last

    def _forward(
        self, wants: list[Needs], first: list[int | None], last: list[int]
    ) -> tuple[list[Moment], int]:
        """The moments, and what is alive at the end."""
        found: list[Moment] = []
        alive = 0
        for i, node in enumerate(self.graph.nodes):
            going = {self.roots[k] for k in node.inputs}
            going = {k for k in going if last[k] == i and first[k] is None and k != self.roots[i]}
            given = [self.sizes[k] for k in going]
            size = self.sizes[i]
            if node.layer.kind in IN_PLACE and size in given:
                given.remove(size)
                size = 0
            alive += size + wants[i].beside
            found.append(Moment(alive, 0, 0))
            alive -= sum(given)
        return found, alive

    def _back(self, wants: list[Needs], first: list[int | None], kept: int) -> list[Moment]:
        nodes = self.graph.nodes
        arrived: list[list[_Gradient]] = [[] for _ in nodes]
        going: list[int] = [0] * len(nodes)
        for k, size in enumerate(self.sizes):
            user = first[k]
            if user is not None:
                going[user] += size
        alive = 0
        for output in self.graph.outputs:
            if self.varies[output.node]:
                alive += self._give(arrived, output.node, _Gradient(self.sizes[output.node]))
        found: list[Moment] = []
        for i in range(len(nodes) - 1, -1, -1):
            mine = arrived[i]
            if mine:
                of_weights = (
                    2
                    * BYTES
                    * sum(w.size for w in facts_of(nodes[i]).weights.values() if w.trained)
                )
                found.append(Moment(kept, alive + wants[i].copies, of_weights))
                alive += self._through(nodes[i], arrived)
            kept -= going[i] + wants[i].beside
        return found

    def _give(self, arrived: list[list[_Gradient]], to: int, gradient: _Gradient) -> int:
        arrived[to].append(gradient)
        return gradient.size

    def _through(self, node: Node, arrived: list[list[_Gradient]]) -> int:
        """Gradients of what it took for that of what it made; by how much more is alive."""
        mine = arrived[node.index]
        inputs = [k for k in node.inputs if self.varies[k]]
        grown = 0
        # Several that arrived become their sum, in the place of one of them.
        for gradient in mine[1:]:
            gradient.users -= 1
            grown -= 0 if gradient.users else gradient.size
        own = mine[0]
        own.users -= 1
        if node.layer.kind in SHARING:
            own.users += len(inputs)
            for k in inputs:
                arrived[k].append(own)
        else:
            for k in inputs:
                grown += self._give(arrived, k, _Gradient(self._bytes(k)))
        return grown - (0 if own.users else own.size)

    def _bytes(self, i: int) -> int:
        return self.sizes[self.roots[i]]
