"""How much memory does a network take, to run it and to train it?

Both are estimates: they count the numbers that must be there, at four bytes each, and leave out
the workspace of kernels and the runtime's own needs, some 10 to 40 MB. What a step of training
keeps and copies is what the gradients of this project do; its peak is within 25 % of the estimate
where values are more than that (`benchmarks/training_memory.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnspec.model.graph import Graph
from cnnspec.model.passes import passes
from cnnspec.model.tally import BYTES, Tally, tally, value_bytes
from cnnspec.settings.optimizer import COPIES, RmsProp
from cnnspec.settings.plain import ClipNorm

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
    """What a step changes is there twice: one copy is read, the other written."""
    gradients: int
    """Those of weights that are alive at the worst moment."""
    optimizer: str
    state: int
    """What the optimizer keeps, twice as well."""
    values: int
    """Those of the forward pass that the backward pass needs, where most is alive."""
    value_gradients: int
    """Their gradients then, and copies that are made on the way to gradients."""
    spare: int
    """Room for one more of the largest block: what is given back lies in pieces elsewhere."""

    @property
    def total(self) -> int:
        kept = self.weights + self.state
        return kept + self.gradients + self.values + self.value_gradients + self.spare


def inference(
    graph: Graph, batch: int = 1, weights: Tally | None = None, sizes: Sequence[int] | None = None
) -> Inference:
    """weights + max over layers of Σ values alive while that layer runs.

    Layers run in their order. A value lives from the layer that makes it until the last that
    takes it, an output until the end; inputs count. A view (flatten, reshape) is no value of its
    own: it keeps alive what it looks at.
    """
    weights = weights or tally(graph)
    found = alive(graph, sizes)
    most = max(found)
    peak = found.index(most)
    return Inference(batch, weights.bytes, batch * most, peak)


def alive(graph: Graph, sizes: Sequence[int] | None = None) -> list[int]:
    """The bytes of values, for one image, that are alive while each layer runs."""
    sizes = value_bytes(graph) if sizes is None else sizes
    roots, last = _lifetimes(graph)
    dying = [0] * (len(graph.nodes) + 1)
    for i, size in enumerate(sizes):
        if roots[i] == i:
            dying[last[i]] += size
    now = 0
    found: list[int] = []
    for size, going in zip(sizes, dying, strict=False):
        now += size
        found.append(now)
        now -= going
    return found


def training(
    graph: Graph,
    batch: int = 1,
    weights: Tally | None = None,
    sizes: Sequence[int] | None = None,
) -> Training:
    """2·(weights + what the optimizer keeps) + the most that is alive in a step + spare room.

    The forward pass leaves what the backward pass needs. Then layers run from the last to the
    first: each gets the gradient of what it made, gives those of what it took and of its weights,
    which follow at once, and lets go of what it kept.
    """
    weights = weights or tally(graph)
    sizes = value_bytes(graph) if sizes is None else sizes
    optimizer, copies = _optimizer(graph)
    found = passes(graph, sizes)
    worst = max(found.moments, key=lambda m: batch * (m.values + m.gradients) + m.of_weights)
    averages, of_weights = 0, worst.of_weights
    if graph.recipe is not None:
        averages = BYTES * weights.trained * (graph.recipe.ema is not None)
        if isinstance(graph.recipe.clip, ClipNorm):
            # All are there before the first weight follows.
            of_weights = max(of_weights, BYTES * weights.trained)
        if graph.recipe.accumulate > 1:
            # Their sums are kept from batch to batch.
            of_weights += 2 * BYTES * weights.trained
    return Training(
        batch=batch,
        weights=2 * (weights.bytes + averages) - BYTES * weights.frozen,
        gradients=of_weights,
        optimizer=optimizer,
        state=2 * BYTES * weights.trained * copies,
        values=batch * worst.values,
        value_gradients=batch * worst.gradients,
        spare=batch * found.block,
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
