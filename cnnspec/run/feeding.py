"""What is a graph given for a batch: examples, targets, and what counts for how much?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.onnxir.graph import Value
from cnnspec.run.rarity import balanced
from cnnspec.run.sets import Part
from cnnspec.run.stream import Batch
from cnnspec.settings.recipe import Recipe
from cnnspec.train.step import Step

Feeds = dict[str, NDArray[Any]]


class Feeding:
    """Makes the inputs of a graph, except those that tell the time."""

    def __init__(self, step: Step, recipe: Recipe, train: Part) -> None:
        self._inputs = step.inputs
        heads = {loss.on for loss in recipe.losses if loss.is_of_input}
        main = next(iter(step.targets), None)
        self._targets = [
            (value, head in heads or (None in heads and head == main))
            for head, value in step.targets.items()
        ]
        self._constants = {
            value.name: balanced(train, _length(value)) for value in step.class_weights.values()
        }

    def feeds(self, batch: Batch) -> Feeds:
        feeds = {name: batch.inputs[path] for path, name in self._inputs.items()}
        feeds.update(self._constants)
        for value, is_of_input in self._targets:
            y = next(iter(batch.clean.values())) if is_of_input else batch.targets
            feeds[value.name] = _fitting(y, value)
        return feeds


def _fitting(y: NDArray[Any], value: Value) -> NDArray[Any]:
    """Targets in the type and with the axes that the graph takes."""
    x = np.ascontiguousarray(y, np.int64 if value.dtype == "int64" else np.float32)
    rest = [n for n in value.shape[1:] if isinstance(n, int)]
    return x if x.ndim == len(value.shape) else x.reshape(len(x), *rest)


def _length(vector: Value) -> int:
    (n,) = vector.shape
    assert isinstance(n, int), "the number of classes is known"
    return n
