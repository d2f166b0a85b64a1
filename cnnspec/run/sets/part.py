"""What is a part of a data set: training, validation or test?"""

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.base import Targets
from cnnspec.text.record import record
from cnnspec.vocab.value import Shape

Indices = NDArray[np.int64]
Arrays = dict[str, Array]

HELD = 1 << 28
"""Decoded or fitted pictures of up to so many bytes stay in memory."""

BYTES = (0.0, 255.0)
"""The range of pixels as files have them."""

MOST = float(np.finfo(np.float32).max)
"""What is larger is infinite where it is computed with."""


class BadData(ValueError):
    """Data that cannot be trained on; it says so in one sentence."""


class Source(Protocol):
    """Examples as their files have them, read when they are asked for."""

    @property
    def labels(self) -> Indices | None:
        """The class of each example, where there is one."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """The inputs that it has examples for."""
        ...

    def __len__(self) -> int: ...

    def inputs(self, indices: Indices) -> Arrays:
        """The examples for each input, channels first."""
        ...

    def targets(self, indices: Indices) -> Array: ...


@record
class Found:
    """A data set before it is divided: what has a part of its own in the files, and all else."""

    train: Source
    gives: Targets
    digest: str
    classes: tuple[str, ...] | None = None
    validation: Source | None = None
    test: Source | None = None
    notes: tuple[str, ...] = ()
    ignored: int | None = None
    """The class, in masks, of pixels that do not count."""


@record
class Part:
    """Some examples of a source, in an order of their own."""

    source: Source
    indices: Indices
    """Which examples of the source."""
    wants: Sequence[Wanted]
    gives: Targets
    classes: tuple[str, ...] | None
    digest: str
    range: tuple[float, float]
    """The least and the greatest number that inputs have, or may have."""
    noise: float = 0.0
    """The deviation of noise on every input, as a share of the range."""
    ignored: int | None = None
    """The class, in masks, of pixels that do not count."""
    new_labels: Mapping[int, int] | None = None
    """Where only some classes are used: what their numbers become."""
    spans: tuple[float, float] = (1.0, 1.0)
    """How far apart the least and the greatest number are, or may be, of inputs and of targets as
    the network is given them."""

    def __len__(self) -> int:
        return len(self.indices)

    def fetch(self, indices: Indices) -> tuple[Arrays, Array]:
        """Examples and targets as in the files: bytes or numbers, channels first."""
        places = self.indices[indices]
        return self.source.inputs(places), self._renumbered(self.source.targets(places))

    @property
    def labels(self) -> Indices | None:
        """The class of each example, where there is one."""
        known = self.source.labels
        if known is None:
            return None
        return self._renumbered(known[self.indices]).astype(np.int64)

    def _renumbered(self, y: Array) -> Array:
        if self.new_labels is None:
            return y
        table = np.zeros(max(self.new_labels) + 1, np.int64)
        table[list(self.new_labels)] = list(self.new_labels.values())
        return table[y.astype(np.int64)]


@record
class Splits:
    """The parts of a data set; none where there are no examples for one."""

    train: Part
    validation: Part | None
    test: Part | None
    notes: tuple[str, ...] = ()
    """What a user should know of the data, a line each."""


class Held:
    """Examples in arrays, in memory or mapped from a file."""

    def __init__(self, x: Mapping[str, Array], y: Array, *, are_classes: bool = True) -> None:
        self._x, self._y = x, y
        self._labels = np.asarray(y).astype(np.int64) if are_classes else None

    @property
    def labels(self) -> Indices | None:
        return self._labels

    def __len__(self) -> int:
        return len(self._y)

    def inputs(self, indices: Indices) -> Arrays:
        return {name: np.asarray(x[indices]) for name, x in self._x.items()}

    def targets(self, indices: Indices) -> Array:
        return self._labels[indices] if self._labels is not None else np.asarray(self._y[indices])

    @property
    def names(self) -> Sequence[str]:
        return list(self._x)

    @property
    def arrays(self) -> Mapping[str, Array]:
        return self._x


class Kept:
    """What was read of some examples, kept in memory where there is room for all of them."""

    def __init__(self, count: int, shape: Shape, dtype: np.dtype[Any]) -> None:
        is_small = count * math.prod(shape) * dtype.itemsize <= HELD
        # Memory that is asked for is not taken before it is written.
        self._all = np.empty((count, *shape), dtype) if is_small else None
        self._is_there = np.zeros(count, bool)

    def read(self, indices: Indices, one: Callable[[int], Array]) -> Array:
        """These examples, each read where it is not there."""
        if self._all is None:
            return np.stack([one(i) for i in indices.tolist()])
        for i in indices[~self._is_there[indices]].tolist():
            # Two threads may read the same; both write the same.
            self._all[i] = one(i)
            self._is_there[i] = True
        return self._all[indices]


def digest_of(*parts: bytes | Array) -> str:
    """One name for all that was read."""
    done = sha256()
    for part in parts:
        done.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
    return done.hexdigest()
