"""What are the totals of a network: parameters, work, receptive field, depth, memory?"""

from dataclasses import dataclass

from cnnspec.model.graph import Graph
from cnnspec.model.memory import Inference, inference
from cnnspec.model.receptive import fields, network_field
from cnnspec.model.tally import Tally, counts, facts_of, tally


@dataclass(frozen=True, slots=True)
class Measure:
    """The totals, under the names that `expect` knows.

    Weights that several uses share are counted once; work is counted for every use.
    """

    weights: Tally
    macs: int
    """Multiply-accumulates for one image."""
    connections: int
    field: tuple[int, ...]
    """The receptive field along each axis, of the last value before a layer sees the whole map."""
    layers: int
    """Uses of layers, the inputs not among them."""
    depth: int
    """The longest path, counted in layers that multiply by weights: 50 in a ResNet-50."""
    inference: Inference

    @property
    def params(self) -> int:
        """Trained and frozen ones, without running statistics and fixed tables."""
        return self.weights.params

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def receptive_field(self) -> int:
        """In pixels, along the axis where it is least; 1 where the input is a flat vector."""
        return min(self.field, default=1)

    @property
    def memory(self) -> int:
        """Bytes to run the batch once."""
        return self.inference.total


def measure(graph: Graph, batch: int = 1) -> Measure:
    """The totals of a network whose every shape is known."""
    per_node = counts(graph)
    weights = tally(graph, per_node)
    macs = connections = 0
    for node in graph.nodes:
        work = facts_of(node).work
        macs += work.macs
        connections += work.connections
    return Measure(
        weights=weights,
        macs=macs,
        connections=connections,
        field=network_field(fields(graph)),
        layers=sum(1 for n in graph.nodes if n.inputs),
        depth=depth(graph),
        inference=inference(graph, batch, weights),
    )


def depth(graph: Graph) -> int:
    reached: list[int] = []
    for node in graph.nodes:
        facts = facts_of(node)
        before = max((reached[i] for i in node.inputs), default=0)
        reached.append(before + (1 if facts.weights and facts.work.macs else 0))
    return max(reached, default=0)
