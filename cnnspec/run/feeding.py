"""What is a graph given for a batch: examples, targets, and what counts for how much?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.onnxir.graph import Value
from cnnspec.run.sets import BadData, Part
from cnnspec.run.stream import Batch
from cnnspec.settings.recipe import Recipe
from cnnspec.train.step import CLASS_WEIGHTS, Step

Feeds = dict[str, NDArray[Any]]

CHUNK = 64
"""Masks that are read at a time to count their classes."""


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
        self._constants = _class_weights(step.model.inputs, train)

    def feeds(self, batch: Batch) -> Feeds:
        feeds = {name: batch.inputs[name] for name in self._inputs}
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


def _class_weights(inputs: Sequence[Value], train: Part) -> Mapping[str, NDArray[Any]]:
    """How rare each class is: examples/(classes·examples of the class)."""
    value = next((v for v in inputs if v.name == CLASS_WEIGHTS), None)
    if value is None:
        return {}
    (n,) = value.shape
    assert isinstance(n, int)
    counts = _counts(train, n)
    shares = counts.sum() / (n * np.maximum(counts, 1))
    return {CLASS_WEIGHTS: shares.astype(np.float32)}


def _counts(train: Part, n: int) -> NDArray[np.int64]:
    """How many examples, or pixels, are of each class."""
    if train.labels is not None:
        return np.bincount(train.labels, minlength=n)
    if train.gives != "masks":
        raise BadData("`class_weights balanced` counts classes, and this data has none")
    counts = np.zeros(n, np.int64)
    for start in range(0, len(train), CHUNK):
        _, found = train.fetch(np.arange(start, min(start + CHUNK, len(train))))
        masks = found.astype(np.int64).reshape(-1)
        counts += np.bincount(masks[masks < n], minlength=n)
    return counts
