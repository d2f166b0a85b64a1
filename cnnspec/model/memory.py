"""How much memory does a network take, to run it and to train it?

Both are estimates: they count the numbers that must be there, at four bytes each, and leave out
the workspace of kernels, the runtime's own needs and fragmentation. A runtime that works in place
or fuses layers needs less.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnspec.model.graph import Graph
from cnnspec.model.tally import BYTES, Tally, facts_of, tally, value_bytes
from cnnspec.settings.optimizer import COPIES, RmsProp

ASSUMED = "adam"
"""The optimizer of a spec that names none."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Bytes to run a batch once: all weights, and the largest sum of values alive together."""

    batch: int
    weights: int
    values: int
    peak: int
    """The node at which most is alive."""

    @property
    def total(self) -> int:
        return self.weights + self.values


@dataclass(frozen=True, slots=True)
class Training:
    """Bytes for one step on a batch."""

    batch: int
    weights: int
    gradients: int
    """One number for every trained parameter."""
    optimizer: str
    state: int
    """What the optimizer keeps."""
    values: int
    """Every value of the forward pass, kept for the backward pass."""
    value_gradients: int
    """The largest sum of gradients of values alive together in the backward pass."""

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.state + self.values + self.value_gradients


def inference(
    graph: Graph, batch: int = 1, weights: Tally | None = None, sizes: Sequence[int] | None = None
) -> Inference:
    """weights + max over layers of Σ values alive while that layer runs.

    Layers run in their order. A value lives from the layer that makes it until the last that
    takes it, an output until the end; inputs count. A view (flatten, reshape) is no value of its
    own: it keeps alive what it looks at.
    """
    weights = weights or tally(graph)
    sizes = value_bytes(graph) if sizes is None else sizes
    n = len(graph.nodes)
    roots, last = _lifetimes(graph)
    dying = [0] * (n + 1)
    for i, size in enumerate(sizes):
        if roots[i] == i:
            dying[last[i]] += size
    alive = most = peak = 0
    for i, size in enumerate(sizes):
        alive += size
        if alive > most:
            most, peak = alive, i
        alive -= dying[i]
    return Inference(batch, weights.bytes, batch * most, peak)


def training(
    graph: Graph,
    batch: int = 1,
    weights: Tally | None = None,
    sizes: Sequence[int] | None = None,
) -> Training:
    """weights + gradients + copies·gradients + Σ values + max Σ gradients of values alive.

    The optimizer of the spec keeps 0 to 3 copies, one number for each trained parameter each. All
    values are kept until the step ends. In the backward pass layers run from the last to the first;
    the gradient of a value lives from the last layer that takes the value until the layer that made
    it, and only values that depend on a trained parameter have one.
    """
    weights = weights or tally(graph)
    sizes = value_bytes(graph) if sizes is None else sizes
    optimizer, copies = _optimizer(graph)
    return Training(
        batch=batch,
        weights=weights.bytes,
        gradients=BYTES * weights.trained,
        optimizer=optimizer,
        state=BYTES * weights.trained * copies,
        values=batch * sum(sizes),
        value_gradients=batch * _gradients(graph, sizes),
    )


def _optimizer(graph: Graph) -> tuple[str, int]:
    """Its name, and how many numbers it keeps for every trained parameter."""
    word = graph.recipe.word("optimizer") if graph.recipe else None
    if word is None:
        return ASSUMED, COPIES[ASSUMED]
    # Momentum that is an option of another method is one more copy.
    extra = isinstance(word, RmsProp) and word.momentum > 0
    return word.kind, COPIES[word.kind] + extra


def _lifetimes(graph: Graph) -> tuple[list[int], list[int]]:
    """For each node the one whose numbers it shows, and for that one the last that needs it."""
    roots: list[int] = []
    last: list[int] = []
    for i, node in enumerate(graph.nodes):
        root = roots[node.inputs[0]] if node.inputs and node.layer.is_view else i
        roots.append(root)
        last.append(i)
        for source in node.inputs:
            last[roots[source]] = i
    for output in graph.outputs:
        last[roots[output.node]] = len(graph.nodes)
    return roots, last


def _gradients(graph: Graph, sizes: Sequence[int]) -> int:
    needed = _depend_on_training(graph)
    roots, last = _lifetimes(graph)
    # The gradient of a value appears when the backward pass meets the last layer that takes it
    # and goes once the layer that made it has used it; an output's is there from the start.
    coming = [0] * (len(sizes) + 1)
    for i, size in enumerate(sizes):
        if roots[i] == i and needed[i]:
            coming[last[i]] += size
    alive = most = coming[len(sizes)]
    for i in range(len(sizes) - 1, -1, -1):
        alive += coming[i]
        most = max(most, alive)
        if roots[i] == i and needed[i]:
            alive -= sizes[i]
    return most


def _depend_on_training(graph: Graph) -> list[bool]:
    found: list[bool] = []
    for node in graph.nodes:
        trains = not node.frozen and any(w.trained for w in facts_of(node).weights.values())
        found.append(trains or any(found[i] for i in node.inputs))
    return found
