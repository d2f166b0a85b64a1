"""What does a network see in an example: its maps, what its score hangs on, where that lies?

Everything is asked of one graph: the network with the gradients of a class's score beside it.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.emit.compile import source_of
from cnnspec.emit.lower import WeightSource, needed
from cnnspec.layers.source import Input
from cnnspec.model.graph import Graph, Node
from cnnspec.run.model import CompiledModel
from cnnspec.text.record import record
from cnnspec.train.saliency import SOFT, TARGET, is_whole, with_gradients

Array = NDArray[np.float32]
Arrays = Mapping[str, NDArray[Any]]

OPSET = 17

MAPS = ("conv", "local", "deconv")
"""Kinds that look for something in every place."""

VIEWS = ("flatten", "reshape", "permute")
"""Kinds that only order numbers anew."""


def source(weights: Arrays) -> WeightSource:
    """Weights by name as what a network is compiled from."""
    return source_of({name: lambda x=x: x for name, x in weights.items()}, 0)


@record
class Sight:
    """What came of looking at a batch of examples."""

    answer: Array
    values: Mapping[str, Array]
    """What the layers that were asked for make, channels first."""
    gradients: Mapping[str, Array]
    """Of the score of each example's class, by an input or a layer, channels first."""


class Lens:
    """A network with some of its layers and gradients laid open; ready to run, again and again."""

    def __init__(
        self,
        graph: Graph,
        weights: WeightSource,
        *,
        maps: Sequence[str] = (),
        by: Sequence[str] = (),
    ) -> None:
        self._maps, self._by = list(maps), list(by)
        self._hwc = {
            n.path
            for n in graph.inputs
            if isinstance(n.layer, Input) and n.layer.layout == "hwc" and not is_whole(n)
        }
        model = with_gradients(graph, self._by, weights, OPSET, shown=self._maps)
        self._session = CompiledModel(model).session("cpu")
        self._asks = [p for p in self._session.inputs if p.name == TARGET]

    def see(
        self,
        inputs: Arrays,
        target: NDArray[np.int64] | None = None,
        *,
        maps: Sequence[str] | None = None,
        by: Sequence[str] | None = None,
    ) -> Sight:
        """The gradients are those of the score of `target`, a class for each example (or pixel);
        without it, of the first class. Only what is named comes back, where anything is."""
        maps, by = self._maps if maps is None else maps, self._by if by is None else by
        feeds = dict(inputs)
        for port in self._asks:
            n = len(next(iter(inputs.values())))
            rest = [k for k in port.shape[1:] if isinstance(k, int)]
            feeds[port.name] = np.zeros((n, *rest), np.int64) if target is None else target
        places = [
            0,
            *(1 + self._by.index(name) for name in by),
            *(1 + len(self._by) + self._maps.index(name) for name in maps),
        ]
        names = [self._session.outputs[k].name for k in places]
        answer, *found = self._session.run(feeds, names).values()
        gradients = dict(zip(by, found, strict=False))
        for name in self._hwc & gradients.keys():
            gradients[name] = np.moveaxis(gradients[name], -1, 1)
        return Sight(answer, dict(zip(maps, found[len(by) :], strict=True)), gradients)


# ── what is asked most often ────────────────────────────────────────────────────────────────────


def feature_maps(
    graph: Graph, weights: Arrays, inputs: Arrays, paths: Sequence[str]
) -> Mapping[str, Array]:
    """What these layers make of a batch, by their paths."""
    return Lens(graph, source(weights), maps=paths).see(inputs).values


def saliency(
    graph: Graph, weights: Arrays, inputs: Arrays, target: NDArray[np.int64]
) -> Mapping[str, Array]:
    """How much the score of each example's class changes with each place of the inputs: the largest
    of its channels."""
    by = [n.path for n in inputs_of(graph)]
    seen = Lens(graph, source(weights), by=by).see(inputs, target)
    return {name: strongest(g) for name, g in seen.gradients.items()}


def grad_cam(
    graph: Graph,
    weights: Arrays,
    inputs: Arrays,
    target: NDArray[np.int64],
    path: str | None = None,
) -> Array:
    """Where in the last maps, or in those of a layer, is what speaks for each example's class
    (Selvaraju and others, 2017). Raises `ValueError` for a network without maps."""
    path = path or last_maps(graph)
    if path is None:
        raise ValueError("the network has no maps in which something has a place")
    seen = Lens(graph, source(weights), maps=[path], by=[path]).see(inputs, target)
    return cam(seen.values[path], seen.gradients[path])


def strongest(gradient: Array) -> Array:
    """The largest of the channels at each place, whatever its sign."""
    return np.abs(gradient).max(1) if gradient.ndim > 2 else np.abs(gradient)


def cam(values: Array, gradient: Array) -> Array:
    """Maps, each weighted by what it means for the score all in all; what speaks against is 0.

    w_k = mean over places of ∂score/∂A_k,   L = max(0, Σ_k w_k A_k)
    """
    places = tuple(range(2, gradient.ndim))
    weights = gradient.mean(places, keepdims=True)
    return np.maximum((weights * values).sum(1), 0)


# ── which layers ────────────────────────────────────────────────────────────────────────────────


def inputs_of(graph: Graph) -> list[Node]:
    """The inputs on which the network's answer hangs."""
    end = graph.nodes[graph.main.node]
    return [n for n in needed(graph, [end.index]) if not n.inputs]


def last_maps(graph: Graph) -> str | None:
    """The layer whose maps are the last before places are given up: of the size that the last
    convolution makes, what follows it there among them. None where there are no maps."""
    end = graph.nodes[graph.main.node]
    before = end.inputs[0] if end.layer.kind in SOFT else end.index
    reached = [n for n in needed(graph, [before]) if n.index != before and _has_places(n)]
    convs = [n for n in reached if n.layer.kind in MAPS]
    if not convs:
        return reached[-1].path if reached and reached[-1].inputs else None
    size = _places(convs[-1])
    return next(n.path for n in reversed(reached) if _places(n) == size)


def stages(graph: Graph, most: int = 8) -> list[str]:
    """Layers that show the way through a network: what each weighted layer makes, with what follows
    it in its shape, and what pools. Of more than `most`, some evenly spread."""
    end = graph.nodes[graph.main.node]
    takers: dict[int, list[Node]] = {}
    for node in graph.nodes:
        for k in node.inputs:
            takers.setdefault(k, []).append(node)
    found = [
        n.path
        for n in needed(graph, [end.index])
        if n.inputs and _is_stage(n, takers.get(n.index, [])) and not _is_copy(graph, n)
    ]
    if len(found) <= most:
        return found
    places = [round(k * (len(found) - 1) / (most - 1)) for k in range(most)]
    return [found[k] for k in dict.fromkeys(places)]


def _is_stage(node: Node, takers: Sequence[Node]) -> bool:
    """Is its shape changed by what follows, or is there nothing that follows?"""
    alone = takers[0] if len(takers) == 1 else None
    return node.layer.kind not in VIEWS and (
        alone is None or alone.shape != node.shape or _is_new(alone)
    )


def _is_copy(graph: Graph, node: Node) -> bool:
    """Does it only repeat, as a vector, what was maps before?"""
    is_idle = node.layer.kind in ("dropout", "droppath")
    return is_idle and all(graph.nodes[k].layer.kind in VIEWS for k in node.inputs)


def _is_new(node: Node) -> bool:
    """Does it make other maps, though as many and as large?"""
    return node.layer.kind in (*MAPS, "fc", "maxpool", "avgpool", "lppool")


def _places(node: Node) -> tuple[int, ...]:
    return (node.shape or ())[1:]


def _has_places(node: Node) -> bool:
    return prod(_places(node)) > 1
