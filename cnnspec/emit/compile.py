"""How does a network become the model that is written to a file?"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cnnspec.emit.cut import ends_of, with_head
from cnnspec.emit.half import in_half_precision
from cnnspec.emit.init import draw
from cnnspec.emit.lower import WeightSource, lower
from cnnspec.emit.metadata import metadata
from cnnspec.emit.options import CannotCompile, Options
from cnnspec.emit.passes.batchnorm import fold_batchnorm
from cnnspec.emit.passes.constants import fold_constants
from cnnspec.emit.resize import with_free_sizes
from cnnspec.layers.base import Weight
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import BATCH, Model
from cnnspec.onnxir.opset import NEWEST, OLDEST

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compile_graph(
    graph: Graph,
    options: Options,
    given: "Mapping[str, Callable[[], NDArray[Any]]] | None" = None,
) -> Model:
    """The model of a whole network. Raises `CannotCompile`."""
    if not OLDEST <= options.opset <= NEWEST:
        raise CannotCompile(
            f"opset {options.opset} is not written; opsets {OLDEST} to {NEWEST} are"
        )
    source = source_of(given or {}, options.seed)
    model = _lowered(graph, options, source)
    model = _shaped(model, options)
    model.metadata |= metadata(graph, model, options, is_drawn=_is_drawn(graph, given or {}))
    model.verify()
    return model


def source_of(given: "Mapping[str, Callable[[], NDArray[Any]]]", seed: int) -> WeightSource:
    """Weights as they are given, and drawn from the seed where they are not."""
    return partial(_weight, given, seed)


def _is_drawn(graph: Graph, given: Mapping[str, object]) -> bool:
    return any(name not in given for name in wanted_weights(graph))


def wanted_weights(graph: Graph) -> Mapping[str, tuple[int, ...]]:
    """The name and shape of every weight that a network has."""
    return {
        f"{node.owner}.{key}": weight.shape
        for node in graph.nodes
        if node.facts is not None
        for key, weight in node.facts.weights.items()
    }


def _weight(
    given: "Mapping[str, Callable[[], NDArray[Any]]]", seed: int, name: str, weight: Weight
) -> "NDArray[Any]":
    return given[name]() if name in given else draw(weight, seed, name)


def _lowered(graph: Graph, options: Options, source: WeightSource) -> Model:
    ends = ends_of(graph, options)
    batch = BATCH if options.batch is None else options.batch

    def lowered(graph: Graph) -> Model:
        found = lower(graph, ends, options.opset, source, batch, is_dynamic=options.is_dynamic)
        return with_head(graph, found, options)

    return with_free_sizes(graph, lowered) if options.is_dynamic else lowered(graph)


def _shaped(model: Model, options: Options) -> Model:
    """Rewritten for its use."""
    if not options.has_weights:
        return _without_weights(model)
    model = fold_constants(model)
    if options.fold_bn:
        model = fold_batchnorm(model)
    return in_half_precision(model) if options.is_half else model


def _without_weights(model: Model) -> Model:
    """The weights as inputs, by their names."""
    weights = [t for t in model.tensors.values() if t.is_weight]
    model.inputs += [t.value for t in weights]
    for tensor in weights:
        del model.tensors[tensor.name]
    return model
