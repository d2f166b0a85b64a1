"""On which examples of a part does a network do worst?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.text.record import record

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

MOST = 24


@record
class Bad:
    """One example: how bad it is, and where there are classes which it is and was taken for."""

    index: int
    """Its place in the part."""
    badness: float
    said: int | None = None
    so: int | None = None


class Worst:
    """The worst of the examples that it was told of; of equals the first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._rows = np.empty((0, 4))

    def add(
        self, indices: Whole, badness: Floats, said: Whole | None = None, so: Whole | None = None
    ) -> None:
        none = np.full(len(indices), -1)
        rows = [indices, badness, none if said is None else said, none if so is None else so]
        found = np.concatenate([self._rows, np.stack(rows, 1).astype(np.float64)])
        # What is no number is worse than any.
        score = np.nan_to_num(found[:, 1], nan=np.inf)
        self._rows = found[np.lexsort((found[:, 0], -score))[: self._most]]

    @property
    def found(self) -> list[Bad]:
        """The worst first."""
        return [
            Bad(int(i), float(b), _class(said), _class(so))
            for i, b, said, so in self._rows.tolist()
        ]


def _class(number: float) -> int | None:
    return None if number < 0 else int(number)


def confidence(scores: NDArray[Any], kind: str, best: Whole) -> Floats:
    """How likely a network says its choice to be, example by example; `kind` is that of its last
    layer, whose distances are given as scores already."""
    z = scores.astype(np.float64)
    if z.shape[1] == 1:
        p = z[:, 0] if kind == "sigmoid" else 1 / (1 + np.exp(-np.clip(z[:, 0], -500, 500)))
        return np.where(best == 1, p, 1 - p)
    if kind not in ("softmax", "sigmoid"):
        # Infinite scores, which are no probabilities, give what is no number.
        with np.errstate(invalid="ignore"):
            e = np.exp(z - z.max(1, keepdims=True))
            z = e / e.sum(1, keepdims=True)
    return np.take_along_axis(z, best[:, None], 1)[:, 0]
