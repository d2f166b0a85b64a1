"""What does a network's output say?"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from cnnspec.run.wanted import Array
from cnnspec.text.record import record

LABELS = "cnnspec.labels"
OUTPUTS = "cnnspec.outputs"

NEAR = 1e-3
"""How far from 1 the sum of probabilities may be: half precision keeps no more."""

Floats = NDArray[np.float64]
Json = Mapping[str, object]


@record
class Class:
    """One class, as far as it is known what it is called."""

    index: int
    label: str | None
    probability: float | None = None
    """None also where the network gave no number."""

    def as_json(self) -> Json:
        found = {"label": self.label, "index": self.index}
        return found if self.probability is None else {**found, "probability": self.probability}


@record
class Ranking:
    """The likeliest classes, the likeliest first."""

    classes: Sequence[Class]
    is_softmaxed: bool
    """Were the probabilities made here, from an output that was none?"""

    def as_json(self) -> Json:
        return {"top": [c.as_json() for c in self.classes], "softmax": self.is_softmaxed}


@record
class Decision:
    """The class, or classes, that the network itself settled on."""

    classes: Sequence[Class]

    def as_json(self) -> Json:
        return {"classes": [c.as_json() for c in self.classes]}


@record
class Number:
    """One number; none where it is infinite or not one."""

    value: float | None

    def as_json(self) -> Json:
        return {"value": self.value}


@record
class Summary:
    """What a map, or another array, holds."""

    shape: tuple[int, ...]
    least: float | None
    mean: float | None
    most: float | None
    shares: Sequence[Class]
    """Of a map of classes: each class, the share of pixels that it has as its probability."""

    def as_json(self) -> Json:
        found = {
            "shape": list(self.shape),
            "min": self.least,
            "mean": self.mean,
            "max": self.most,
        }
        shares = [{"label": c.label, "index": c.index, "share": c.probability} for c in self.shares]
        return {**found, "shares": shares} if shares else found


Answer = Ranking | Decision | Number | Summary


def answer(
    y: Array,
    labels: Sequence[str] | None,
    top: int,
    *,
    is_sigmoid: bool = False,
    is_distance: bool = False,
) -> Answer:
    """What one output says of one item.

    A vector is a ranking, whole numbers are classes, one number is itself; all else is summarised.
    Labels are used where there are as many as classes. After a sigmoid each number is a probability
    by itself; of distances the smallest wins.
    """
    # A classifier without a last dense layer leaves maps of 1x1.
    flat = y.reshape(-1) if y.size and sum(n > 1 for n in y.shape) <= 1 else y
    if flat.dtype.kind in "iu":
        return _decided(flat, labels, top)
    values = flat.astype(np.float64)
    if values.size == 1:
        return Number(_finite(values.item()))
    if values.ndim == 1 and values.size:
        return _ranked(-values if is_distance else values, labels, top, is_sigmoid)
    return _summed_up(values, labels, top)


def _decided(y: Array, labels: Sequence[str] | None, top: int) -> Decision | Summary:
    if y.ndim == 1 and y.size:
        return Decision([_class(int(i), labels) for i in y[:top].tolist()])
    # Several channels of whole numbers are a picture.
    is_map = y.size > 0 and (y.ndim == 2 or y.shape[0] == 1)
    shares = _shares(y.astype(np.int64), labels, top) if is_map else ()
    return _measured(y.astype(np.float64), shares)


def _ranked(y: Floats, labels: Sequence[str] | None, top: int, is_sigmoid: bool) -> Ranking:
    is_done = is_sigmoid or is_distribution(y)
    p = y if is_done else softmax(y)
    known = _fitting(labels, len(p))
    # Stable, so that of equals the first is the first.
    best = [int(i) for i in np.argsort(-p, kind="stable")[:top]]
    return Ranking([_class(i, known, float(p[i])) for i in best], not is_done)


def _summed_up(y: Floats, labels: Sequence[str] | None, top: int) -> Summary:
    """Maps are classes where the channels are as many as the labels, or sum up to 1."""
    is_map = y.ndim >= 2 and y.shape[0] > 1 and y.size > 0
    known = _fitting(labels, y.shape[0]) if is_map else None
    if is_map and (known or is_distribution(y)):
        return _measured(y, _shares(y.argmax(0), known, top))
    return _measured(y, ())


def _fitting(labels: Sequence[str] | None, n: int) -> Sequence[str] | None:
    return labels if labels is not None and len(labels) == n else None


def _measured(y: Floats, shares: Sequence[Class]) -> Summary:
    if not y.size:
        return Summary(y.shape, None, None, None, ())
    # Infinities of both signs have no mean.
    with np.errstate(invalid="ignore"):
        least, mean, most = (float(f(y)) for f in (np.min, np.mean, np.max))
    return Summary(y.shape, _finite(least), _finite(mean), _finite(most), shares)


def _shares(y: NDArray[np.int64], labels: Sequence[str] | None, top: int) -> list[Class]:
    """The classes that most pixels have, the most frequent first."""
    indices, counts = np.unique(y, return_counts=True)
    pairs = sorted(zip(counts.tolist(), indices.tolist(), strict=True), key=lambda p: -p[0])
    return [_class(i, labels, n / y.size) for n, i in pairs[:top]]


def is_distribution(y: Floats) -> bool:
    """Is it a probability for each class, along the first axis?"""
    return bool(np.all(y >= 0) and np.all(np.abs(y.sum(0) - 1) <= NEAR))


def softmax(y: Floats) -> Floats:
    """Nothing is known of any class where a value is infinite or no number."""
    if not np.all(np.isfinite(y)):
        return np.full_like(y, np.nan)
    e = np.exp(y - y.max())
    return e / e.sum()


def _class(i: int, labels: Sequence[str] | None, probability: float | None = None) -> Class:
    label = labels[i] if labels is not None and 0 <= i < len(labels) else None
    return Class(i, label, None if probability is None else _finite(probability))


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None


def sigmoids_of(metadata: Mapping[str, str]) -> set[str]:
    """The outputs that a model says to come from a sigmoid."""
    return {name for name, kind in kinds_of(metadata).items() if kind == "sigmoid"}


def kinds_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """The kind of the last layer of each output, where a model says it."""
    try:
        found = TypeAdapter(dict[str, dict[str, str]]).validate_json(metadata.get(OUTPUTS, "{}"))
    except ValidationError:
        return {}
    return {name: facts.get("kind", "") for name, facts in found.items()}


def labels_of(metadata: Mapping[str, str]) -> list[str] | None:
    """The names of the classes that a model carries; none where it carries no list of names."""
    return _names(metadata.get(LABELS, ""))


def read_labels(text: str) -> list[str]:
    """The names in a file: a JSON list, or one a line. Raises `ValueError`."""
    found = _names(text)
    if found is None:
        found = [line.strip() for line in text.splitlines()]
        while found and not found[-1]:
            found.pop()
    if not found:
        raise ValueError("it holds no labels")
    return found


def _names(text: str) -> list[str] | None:
    try:
        return TypeAdapter(list[str]).validate_json(text, strict=True)
    except ValidationError:
        return None
