"""How many numbers do the weights of a network hold, and which of them are trained?"""

from dataclasses import dataclass
from typing import NamedTuple

from cnnspec.layers.base import product
from cnnspec.model.graph import Facts, Graph, Node

BYTES = 4
"""Of one number: everything is counted as float32."""


class Count(NamedTuple):
    """The weights of one layer: its parameters, and what no training changes by a gradient
    (running statistics, fixed tables)."""

    params: int = 0
    buffers: int = 0


NOTHING = Count()


@dataclass(frozen=True, slots=True)
class Tally:
    """The weights of a network; those that several uses share are counted once."""

    trained: int
    frozen: int
    """Parameters that the spec says not to train."""
    buffers: int

    @property
    def params(self) -> int:
        return self.trained + self.frozen

    @property
    def bytes(self) -> int:
        return BYTES * (self.params + self.buffers)


def facts_of(node: Node) -> Facts:
    """What is known of a node, in a stage that only whole networks reach."""
    assert node.facts is not None, f"the shape of {node.path} is not known"
    return node.facts


def count(facts: Facts) -> Count:
    """The weights of one use, whether or not it shares them with another."""
    params = buffers = 0
    for weight in facts.weights.values():
        if weight.trained:
            params += weight.size
        else:
            buffers += weight.size
    return Count(params, buffers)


def counts(graph: Graph) -> list[Count]:
    """The weights that each node brings along: nothing where it shares another's."""
    known: dict[int, Count] = {}
    found: list[Count] = []
    for node in graph.nodes:
        facts = facts_of(node)
        own = NOTHING
        if facts.weights and not node.is_sharing:
            # Uses that are alike share their facts, so few are ever summed.
            own = known.get(id(facts)) or known.setdefault(id(facts), count(facts))
        found.append(own)
    return found


def tally(graph: Graph, per_node: list[Count] | None = None) -> Tally:
    per_node = counts(graph) if per_node is None else per_node
    trained = frozen = buffers = 0
    for node, own in zip(graph.nodes, per_node, strict=True):
        if own is NOTHING:
            continue
        buffers += own.buffers
        if node.frozen:
            frozen += own.params
        else:
            trained += own.params
    return Tally(trained, frozen, buffers)


def value_bytes(graph: Graph) -> list[int]:
    """What the value of each node takes for one image: nothing for a view, which has no numbers
    of its own."""
    known: dict[int, int] = {}
    found: list[int] = []
    for node in graph.nodes:
        facts = facts_of(node)
        size = known.get(id(facts))
        if size is None:
            size = known[id(facts)] = BYTES * product(facts.shape)
        found.append(0 if node.layer.is_view else size)
    return found
