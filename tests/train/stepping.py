"""How does a test take steps of training? With the graph of a step alone, one call for each."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from cnnspec.api import loads
from cnnspec.emit.compile import source_of
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import CLOCK
from cnnspec.onnxir.graph import NUMPY_NAMES, Model
from cnnspec.onnxir.proto import to_proto
from cnnspec.settings.recipe import default_recipe
from cnnspec.train.step import RATE, Step, build_evaluation, build_step
from settings.reading import recipe as read_recipe

Array = np.ndarray[Any, Any]


def session(model: Model) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    content = to_proto(model).SerializeToString()
    return ort.InferenceSession(content, options, ["CPUExecutionProvider"])


class Stepping:
    """Training by hand: `kept` has all that is kept from step to step, as it is now."""

    def __init__(
        self,
        network: str | Graph,
        weights: Mapping[str, Array] | None = None,
        lines: str | None = None,
        change: Callable[[Model], Model] = lambda model: model,
        *,
        for_gpu: bool = False,
    ) -> None:
        """`lines` are those of another recipe than the network's own; `change` rewrites the
        graph that runs."""
        self.graph = loads(network).graph if isinstance(network, str) else network
        recipe = self.graph.recipe or default_recipe()
        if lines is not None:
            recipe = read_recipe(lines)
        given = {name: lambda x=x: x.astype(np.float32) for name, x in (weights or {}).items()}
        source = source_of(given, recipe.seed)
        self.step: Step = build_step(self.graph, recipe, source, for_gpu=for_gpu)
        self._session = session(change(self.step.model))
        drawn = _drawn(self.graph, source)
        self.kept: dict[str, Array] = {
            k.name: drawn[k.name.removesuffix("/average")]
            if k.start is None
            else np.full(k.shape, k.start, NUMPY_NAMES[k.dtype])
            for k in self.step.kept
        }

    @property
    def trained(self) -> tuple[str, ...]:
        return self.step.trained

    def do(self, feeds: Mapping[str, Any], lr: float = 0.1) -> dict[str, float]:
        """One step; what it tells."""
        given = {RATE: np.array(lr, np.float32), **self.kept, **feeds}
        wants = {v.name: v for v in self.step.model.inputs}
        given = {
            k: np.asarray(x, NUMPY_NAMES[wants[k].dtype]) for k, x in given.items() if k in wants
        }
        names = [*self.step.outputs, *(k.next for k in self.step.kept)]
        found = dict(zip(names, self._session.run(names, given), strict=True))
        self.kept = {k.name: np.asarray(found[k.next]) for k in self.step.kept}
        return {name: float(np.asarray(found[name])) for name in self.step.outputs}

    def at(self, step: int) -> "Stepping":
        """Go on as if this were the step of that number."""
        self.kept[CLOCK] = np.array(step, np.int64)
        return self


def evaluated(
    text: str, feeds: Mapping[str, Any], weights: Mapping[str, Array] | None = None
) -> dict[str, Array]:
    """What the evaluation of a network with its recipe tells of a batch."""
    graph = loads(text).graph
    recipe = graph.recipe or default_recipe()
    source = source_of({}, recipe.seed)
    step = build_evaluation(graph, recipe, source)
    wants = {v.name: v for v in step.model.inputs}
    given = {**_drawn(graph, source), **(weights or {}), **feeds}
    given = {k: np.asarray(x, NUMPY_NAMES[wants[k].dtype]) for k, x in given.items() if k in wants}
    made = session(step.model).run(list(step.outputs), given)
    return dict(zip(step.outputs, map(np.asarray, made), strict=True))


def _drawn(graph: Graph, source: Any) -> dict[str, Array]:
    return {
        f"{n.owner}.{key}": source(f"{n.owner}.{key}", w)
        for n in graph.nodes
        if n.facts is not None
        for key, w in n.facts.weights.items()
    }
