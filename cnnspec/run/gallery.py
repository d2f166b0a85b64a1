"""What is there to see of a network that learns: its kernels, its mistakes, the way through it?

Arrays for pages to draw, no pictures. All is worked out beside the training, from copies of its
weights: nothing of it flows back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.emit.lower import WeightSource
from cnnspec.emit.options import CannotCompile
from cnnspec.grad.reverse import NoGradient
from cnnspec.model.graph import Graph, Node
from cnnspec.run.looking import Lens, Sight, cam, inputs_of, last_maps, source, stages, strongest
from cnnspec.run.sets import Part
from cnnspec.run.stream import batches
from cnnspec.run.wanted import Wanted
from cnnspec.run.worst import Bad, confidence
from cnnspec.settings.base import Targets
from cnnspec.settings.loss import DISTANCES
from cnnspec.text.record import record

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

SAMPLES, THROUGH, EXPLAINED = 6, 2, 6
"""Examples that are shown whatever comes of them, those whose maps are shown, and the mistakes of
which is shown what they hang on."""

MOST_MAPS, MOST_KERNELS = 16, 64

AT_ONCE = 1 << 20
"""Numbers of the inputs of examples that are looked at together."""

MOST_TRIPLES = 9
"""Of examples that take three pictures."""

WITH_CLASSES = ("classes",)


@record
class Kernels:
    """The weights of the first layer that looks at the input."""

    path: str
    before: Array | None
    """Before the first step: kernel, channel, places."""
    after: Array
    count: int
    """How many there are; not all need be here."""


@record
class Seen:
    """An example, what came of it, and what it hangs on."""

    index: int
    inputs: Mapping[str, Array]
    """From 0 to 1, channels first, by the name of the input."""
    so: Any
    """What is so: a class, classes of pixels, a picture or numbers."""
    said: Any
    """The same from the network."""
    sure: float | None
    """How sure the network is of a class."""
    saliency: Mapping[str, Array]
    """How much the score hangs on each place, by the name of the input."""
    cam: Array | None
    """Where in the last maps is what speaks for the class."""
    maps: Mapping[str, Array]
    """What some layers make of it; of many maps the first."""


@record
class Gallery:
    """What there is to see."""

    gives: Targets
    kernels: Kernels | None
    samples: Sequence[Seen]
    worst: Sequence[Seen]
    shapes: Mapping[str, tuple[int, ...]]
    """Of the layers whose maps are shown."""
    cam_of: str | None
    """The layer that Grad-CAM looks at."""
    notes: Sequence[str]
    """What could not be shown, and why."""


def gallery(
    graph: Graph,
    weights: Arrays,
    first: WeightSource | None,
    part: Part,
    worst: Sequence[Bad],
    *,
    of_input: bool = False,
) -> Gallery:
    """With `first`, the weights before the first step; `of_input` says that the answer is compared
    with the input. Raises what reading data raises."""
    opened = _Opened(graph, weights, part, of_input=of_input)
    if opened.gives in ("masks", "pictures"):
        worst = worst[:MOST_TRIPLES]
    return Gallery(
        opened.gives,
        kernels(graph, weights, first),
        [*opened.seen(_samples(part), THROUGH, EXPLAINED)],
        [*opened.seen([bad.index for bad in worst], 0, EXPLAINED)],
        {n.path: n.shape or () for n in graph.nodes if n.path in opened.stages},
        opened.cam_of,
        opened.notes,
    )


class _Opened:
    """A network with its layers laid open, and the examples that it is shown."""

    def __init__(self, graph: Graph, weights: Arrays, part: Part, *, of_input: bool) -> None:
        self.graph, self.part = graph, part
        self.gives: Targets = "pictures" if of_input else part.gives
        self.of_input = of_input
        self.notes: list[str] = []
        self.cam_of = last_maps(graph) if self.gives in WITH_CLASSES else None
        self._kind = graph.nodes[graph.main.node].layer.kind
        self.stages = stages(graph)
        self._lens = self._opened(source(weights))

    def _opened(self, weights: WeightSource) -> Lens:
        by = [n.path for n in inputs_of(self.graph)] if self.gives in WITH_CLASSES else []
        maps = list(self.stages)
        if self.cam_of is not None:
            by.append(self.cam_of)
            maps += [self.cam_of] if self.cam_of not in maps else []
        try:
            return Lens(self.graph, weights, maps=maps, by=by)
        except (CannotCompile, NoGradient) as fault:
            self.notes.append(f"what the scores hang on is not shown: {fault}")
            self.cam_of = None
            return Lens(self.graph, weights, maps=self.stages)

    def seen(self, places: Sequence[int], through: int, explained: int) -> Iterator[Seen]:
        """These examples; the first so many with their maps, and with what they hang on."""
        if not places:
            return
        given = examples(self.part, places)
        answer = self._answer(given.inputs)
        said, sure = self._said(answer)
        maps: Mapping[str, Array] = {}
        if through:
            maps = self._lens.see(_few(given.inputs, through), maps=self.stages, by=()).values
        why = self._explained(_few(given.inputs, explained), said[:explained], answer.shape[1] == 1)
        targets = next(iter(given.clean.values())) if self.of_input else given.targets
        for k, index in enumerate(places):
            yield Seen(
                index,
                {name: x[k] for name, x in given.shown.items()},
                targets[k],
                said[k],
                float(sure[k]) if sure is not None else None,
                self._saliency(why, k, given) if why is not None and k < explained else {},
                self._cam(why, k, said) if why is not None and k < explained else None,
                {p: _first_maps(x[k]) for p, x in maps.items()} if k < through else {},
            )

    def _answer(self, inputs: Arrays) -> Array:
        """In parts, since a run of the whole graph keeps the maps of all its examples."""
        first = next(iter(inputs.values()))
        n = max(1, AT_ONCE // max(1, first[:1].size))
        parts = [{k: x[i : i + n] for k, x in inputs.items()} for i in range(0, len(first), n)]
        return np.concatenate([self._lens.see(part, maps=(), by=()).answer for part in parts])

    def _explained(self, inputs: Arrays, said: NDArray[Any], is_one: bool) -> Sight | None:
        """What the score of the class that the network says hangs on."""
        if self.gives not in WITH_CLASSES:
            return None
        asked = np.zeros_like(said) if is_one else said
        return self._lens.see(inputs, asked, maps=[self.cam_of] if self.cam_of else ())

    def _said(self, answer: Array) -> tuple[NDArray[Any], NDArray[np.float64] | None]:
        """What the network says, in the way of the targets; of classes also how sure it is."""
        if self.gives not in ("classes", "masks"):
            return answer, None
        scores = -answer if self._kind == DISTANCES else answer
        if scores.shape[1] == 1:
            limit = 0.5 if self._kind == "sigmoid" else 0.0
            best = (scores[:, 0] > limit).astype(np.int64)
        else:
            best = scores.argmax(1)
        if self.gives == "masks":
            return best, None
        best, scores = best.reshape(len(best)), scores.reshape(len(best), -1)
        return best, confidence(scores, self._kind, best)

    def _saliency(self, sight: Sight, k: int, given: "Examples") -> Mapping[str, Array]:
        found: dict[str, Array] = {}
        for name, x in given.shown.items():
            if name in sight.gradients:
                gradient = sight.gradients[name][k : k + 1]
                found[name] = strongest(gradient.reshape(1, *x.shape[1:]))[0]
        return found

    def _cam(self, sight: Sight, k: int, said: NDArray[Any]) -> Array | None:
        if self.cam_of is None:
            return None
        gradient = sight.gradients[self.cam_of][k : k + 1]
        # One number speaks for `yes`; what speaks for `no` is its opposite.
        says_no = sight.answer.shape[1] == 1 and int(said[k]) == 0
        return cam(sight.values[self.cam_of][k : k + 1], -gradient if says_no else gradient)[0]


# ── examples ────────────────────────────────────────────────────────────────────────────────────


@record
class Examples:
    """Some examples as the network takes them and as people see them."""

    inputs: Arrays
    shown: Mapping[str, Array]
    """Channels first, from 0 to 1."""
    clean: Mapping[str, Array]
    """The same without noise."""
    targets: NDArray[Any]


def examples(part: Part, places: Sequence[int]) -> Examples:
    """These of a part, without what augmentation would make of them."""
    few = replace(part, indices=part.indices[np.array(places, np.int64)])
    raw, _ = few.fetch(np.arange(1))
    (batch,) = batches(few, len(places), threads=0)
    shown: dict[str, Array] = {}
    clean: dict[str, Array] = {}
    for want in part.wants:
        sample = raw[want.name]
        shown[want.name] = _as_shown(batch.inputs[want.name], sample, part, want)
        clean[want.name] = _as_shown(batch.clean[want.name], sample, part, want)
    return Examples(batch.inputs, shown, clean, batch.targets)


def _as_shown(given: NDArray[Any], sample: NDArray[Any], part: Part, want: Wanted) -> Array:
    """In the shape that it has in its file, as parts of the range of the data."""
    x = np.asarray(given, np.float32)
    if want.layout == "hwc" and len(want.size) > 1:
        x = np.moveaxis(x, -1, 1)
    x = x.reshape(len(x), *sample.shape[1:])
    low, high = part.range
    if sample.dtype == np.uint8 and not want.raw and want.picture is not None:
        low, high = low / 255, high / 255
    return np.clip((x - low) / ((high - low) or 1), 0, 1)


def _first_maps(x: Array) -> Array:
    return x[:MOST_MAPS] if x.ndim > 1 and x[0].size > 1 else x


def _few(xs: Arrays, most: int) -> Arrays:
    return {name: x[:most] for name, x in xs.items()}


def _samples(part: Part) -> list[int]:
    """Examples of as many classes as there are samples, always the same; else the first."""
    labels = part.labels
    if labels is None:
        return list(range(min(SAMPLES, len(part))))
    _, places = np.unique(labels, return_index=True)
    found = places.tolist()[:SAMPLES]
    rest = [k for k in range(min(len(part), 2 * SAMPLES)) if k not in found]
    return [*found, *rest][: min(SAMPLES, len(part))]


# ── kernels ─────────────────────────────────────────────────────────────────────────────────────


def kernels(graph: Graph, weights: Arrays, first: WeightSource | None) -> Kernels | None:
    """Those of the first layer, as what they look for; none where it has none that can be shown."""
    node = _first(graph)
    if node is None or node.facts is None:
        return None
    name, weight = f"{node.owner}.weight", node.facts.weights["weight"]
    if name not in weights:
        return None
    before = first(name, weight) if first is not None else None
    return Kernels(
        node.path,
        _in_shape(graph, node, before) if before is not None else None,
        _in_shape(graph, node, weights[name]),
        weight.shape[0],
    )


def _first(graph: Graph) -> Node | None:
    """The first layer with kernels, or of an input that goes into a perceptron its first layer."""
    for node in graph.nodes:
        if node.facts is not None and "weight" in node.facts.weights:
            return node if node.layer.kind in ("conv", "fc") else None
    return None


def _in_shape(graph: Graph, node: Node, x: NDArray[Any]) -> Array:
    """Kernel, channel, places; of a fully connected layer in the shape of the input."""
    x = np.asarray(x, np.float32)[:MOST_KERNELS]
    if node.layer.kind != "fc":
        return x
    shape = graph.inputs[0].shape or ()
    if len(shape) > 1 and prod(shape) == x.shape[1]:
        return x.reshape(len(x), *shape)
    side = round(x.shape[1] ** 0.5)
    return x.reshape(len(x), 1, side, side) if side * side == x.shape[1] else x[:, None]
