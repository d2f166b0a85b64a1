"""How rare is each class, so that rare ones may count more?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.sets import BadData, Part

CHUNK = 64
"""Masks that are read at a time."""


def balanced(train: Part, n: int) -> NDArray[np.float32]:
    """How much each class counts by how rare it is: examples/(classes·examples of the class).

    One number that says yes or no tells two classes apart. Pixels that do not count are none.
    """
    n = max(n, 2)
    counts = np.zeros(n, np.int64)
    for labels in _labels(train):
        counts += np.bincount(labels[(labels >= 0) & (labels < n)], minlength=n)
    return (counts.sum() / (n * np.maximum(counts, 1))).astype(np.float32)


def _labels(train: Part) -> Iterator[NDArray[np.int64]]:
    if train.labels is not None:
        yield train.labels
        return
    if train.gives != "masks":
        raise BadData("`class_weights balanced` counts classes, and this data has none")
    for start in range(0, len(train), CHUNK):
        masks = train.source.targets(train.indices[start : start + CHUNK])
        yield masks.astype(np.int64).reshape(-1)
