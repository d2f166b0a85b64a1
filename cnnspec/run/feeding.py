"""What is a graph given for a batch: examples, targets, and what counts for how much?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.onnxir.graph import Value
from cnnspec.run.rarity import balanced
from cnnspec.run.sets import Part
from cnnspec.run.sets.augment import shares_of
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
            _Target(value, head in heads or (None in heads and head == main))
            for head, value in step.targets.items()
        ]
        self._constants = {
            value.name: balanced(train, _length(value)) for value in step.class_weights.values()
        }

    def feeds(self, batch: Batch) -> Feeds:
        feeds = {name: batch.inputs[path] for path, name in self._inputs.items()}
        feeds.update(self._constants)
        for target in self._targets:
            feeds[target.name] = target.of(batch)
        return feeds


class _Target:
    """What an output is compared with, in the type and with the axes that the graph takes."""

    def __init__(self, value: Value, is_of_input: bool) -> None:
        self.name, self._is_of_input = value.name, is_of_input
        self._sizes = [n for n in value.shape[1:] if isinstance(n, int)]
        self._rank = len(value.shape)
        self._dtype = np.dtype(value.dtype if value.dtype == "int64" else "float32")

    def of(self, batch: Batch) -> NDArray[Any]:
        y = next(iter(batch.clean.values())) if self._is_of_input else batch.targets
        if y.dtype != self._dtype:
            y = self._converted(y)
        return y if y.ndim == self._rank else y.reshape(len(y), *self._sizes)

    def _converted(self, y: NDArray[Any]) -> NDArray[Any]:
        # A graph that learns from mixtures judges what is not mixed.
        is_class = y.dtype == np.int64 and not self._is_of_input
        return shares_of(y, self._sizes[0]) if is_class else y.astype(self._dtype)


def _length(vector: Value) -> int:
    (n,) = vector.shape
    assert isinstance(n, int), "the number of classes is known"
    return n
