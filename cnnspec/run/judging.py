"""How well does a finished model do on a part of a data set?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnnspec import zoo
from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Model, Value
from cnnspec.run.measures import Measures
from cnnspec.run.model import CompiledModel
from cnnspec.run.session import Port, Session, open_session
from cnnspec.run.sets import BadData, Part
from cnnspec.run.stream import Batch, batches
from cnnspec.run.wanted import Wanted
from cnnspec.settings.loss import Loss
from cnnspec.settings.metrics import (
    F1,
    Accuracy,
    Iou,
    MeanError,
    Precision,
    Psnr,
    Recall,
    RootError,
    Top,
)
from cnnspec.settings.recipe import Recipe, default_recipe, with_words
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.train.loss import Case, loss_of, total
from cnnspec.train.step import LOSS, OPSET
from cnnspec.vocab.value import listing

Arrays = Mapping[str, NDArray[Any]]

METRICS = (
    *(Accuracy(), Top(k=5), Precision(), Recall(), F1(), Iou()),
    *(Psnr(), MeanError(), RootError()),
)
"""All that can be measured; what does not fit the targets is left out."""

STAND_IN = "network { input 1 -> fc 1 }"
"""For a model that says nothing of itself: its first output is taken for scores."""


class Answers(Protocol):
    """As much of a session as is asked here."""

    @property
    def outputs(self) -> Sequence[Port]: ...
    def run(self, given: Arrays) -> Arrays: ...


def judge(
    session: Answers,
    wants: Sequence[Wanted],
    part: Part,
    graph: Graph,
    batch: int,
    measure: "Callable[[Batch, Arrays], float] | None" = None,
    done: Callable[[int], object] = lambda _: None,
) -> Measures:
    """Every measure over a part; `measure` gives the loss of a batch, `done` is told how many
    examples each batch had."""
    recipe = with_words(graph.recipe or default_recipe(), METRICS)
    measures = Measures(graph, recipe, part)
    heads = [o.name for o in graph.leaving]
    size = wants[0].batch or batch
    for given in batches(part, size):
        found = _outputs(session, given, size if wants[0].batch else None)
        named = dict(zip(heads, found.values(), strict=False))
        if not any(loss.is_of_input for loss in recipe.losses):
            _need_scores(named[heads[0]], given, part)
        loss = 0.0 if measure is None else measure(given, named)
        measures.add(*_counting(given, named, heads[0], part), loss)
        done(len(given))
    return measures


def numbered_as(part: Part, labels: Sequence[str]) -> Part:
    """The part with the numbers that a model gives its classes, where both have names for them:
    a folder may have some of the classes only. Raises `BadData` for one that the model has not."""
    names = part.classes
    if names is None or names == tuple(labels) or len(set(labels)) < len(labels):
        return part
    strange = [name for name in names if name not in labels]
    if len(strange) == len(names):
        # Other words for the classes: nothing but their order tells which is which.
        return part
    if strange:
        shown = listing([f"`{label}`" for label in labels[:10]], "and")
        more = ", …" if labels[10:] else ""
        raise BadData(f"the data has a class `{strange[0]}`; the model tells {shown}{more} apart")
    old = part.new_labels or {k: k for k in range(len(names))}
    new = {number: labels.index(names[k]) for number, k in old.items()}
    return replace(part, classes=tuple(labels), new_labels=new)


def stand_in() -> Graph:
    """The network that stands for one of which nothing is known."""
    graph = check(Source("<model>", STAND_IN), {}, Sink(), zoo.read)
    assert graph is not None, "it is a network"
    return graph


def _outputs(session: Answers, given: Batch, fixed: int | None) -> Arrays:
    """What the model makes of a batch; one that takes so many at a time gets as many."""
    n = len(given)
    inputs: Arrays = given.inputs
    if fixed is not None and n < fixed:
        inputs = {name: _filled(x, fixed) for name, x in inputs.items()}
    found = session.run(inputs)
    for name, y in found.items():
        if y.ndim == 0 or len(y) < n:
            raise ValueError(f"the output `{name}` does not have one entry for each example")
    return {name: y[:n] for name, y in found.items()}


def _filled(x: NDArray[Any], n: int) -> NDArray[Any]:
    return np.concatenate([x, np.repeat(x[-1:], n - len(x), 0)])


def _need_scores(z: NDArray[Any], given: Batch, part: Part) -> None:
    """What is compared must have the shape for it: of classes scores, else numbers like targets."""
    shape = "x".join(map(str, z.shape[1:])) or "one number"
    if part.gives in ("classes", "masks"):
        if z.ndim != given.targets.ndim + 1 or z.dtype.kind != "f":
            raise BadData(
                f"the data gives {part.gives}, and the model's first output, {shape}, is no score "
                "of each class"
            )
        top = int(given.targets.max(initial=0))
        if top >= max(z.shape[1], 2):
            raise BadData(f"the model tells {z.shape[1]} classes apart; the data has class {top}")


def _counting(
    given: Batch, named: Arrays, head: str, part: Part
) -> tuple[Batch, Mapping[str, NDArray[Any]]]:
    """A batch without the pixels that do not count, which are examples of their own then."""
    if part.ignored is None or given.targets.dtype.kind != "i":
        return given, named
    counts = given.targets != part.ignored
    z = np.moveaxis(named[head], 1, -1)[counts]
    return Batch(given.inputs, given.targets[counts], given.clean, given.indices), {head: z}


# ── the loss ────────────────────────────────────────────────────────────────────────────────────


class LossOf:
    """The loss that a recipe names, of what a model answers."""

    def __init__(self, recipe: Recipe, heads: Sequence[str], kinds: Sequence[str]) -> None:
        self._recipe = recipe
        self._heads, self._kinds = heads, dict(zip(heads, kinds, strict=True))
        self._session: Session | None = None
        self._weights: dict[str, NDArray[np.float32]] = {}

    def can_be_had(self, part: Part) -> bool:
        """Is every head there, and do the losses compare what the data gives?"""
        return all(
            (loss.on or self._heads[0]) in self._kinds
            and (loss.is_of_input or part.gives in loss.compares)
            for loss in self._recipe.losses
        )

    def weigh(self, head: str, weights: NDArray[np.float32]) -> None:
        """How much each class of a head counts, where the recipe leaves that to the data."""
        self._weights[head] = weights

    def __call__(self, given: Batch, found: Arrays) -> float:
        targets = {loss: self._target(loss, given, found) for loss in self._recipe.losses}
        if self._session is None:
            self._session = self._opened(targets, found)
        feeds: dict[str, NDArray[Any]] = {}
        for k, (loss, target) in enumerate(targets.items()):
            feeds[f"z{k}"] = found[self._head(loss)].astype(np.float32, copy=False)
            feeds[f"target{k}"] = target
        return float(self._session.run(feeds)[LOSS])

    def _head(self, loss: Loss) -> str:
        return loss.on or self._heads[0]

    def _target(self, loss: Loss, given: Batch, found: Arrays) -> NDArray[Any]:
        y = next(iter(given.clean.values())) if loss.is_of_input else given.targets
        if y.dtype.kind == "i":
            return y.astype(np.int64, copy=False)
        return y.astype(np.float32, copy=False).reshape(found[self._head(loss)].shape)

    def _opened(self, targets: Mapping[Loss, NDArray[Any]], found: Arrays) -> Session:
        model = Model("loss", OPSET)
        g = Builder(model)
        parts: list[Value] = []
        for k, (loss, y) in enumerate(targets.items()):
            z = Value(f"z{k}", (BATCH, *found[self._head(loss)].shape[1:]))
            is_class = y.dtype == np.int64
            target = Value(f"target{k}", (BATCH, *y.shape[1:]), "int64" if is_class else "float")
            model.inputs += [z, target]
            case = Case(
                z,
                loss.reads(self._kinds[self._head(loss)]),
                target,
                self._class_weights(g, k, self._head(loss))
                if loss.weighs_classes and is_class
                else None,
                is_class and y.ndim > 1,
            )
            with g.layer(f"loss{k}", ""):
                parts.append(loss_of(g, loss, case))
        with g.layer(LOSS, ""):
            g.output(g.op("Identity", total(g, parts)))
        return open_session(CompiledModel(model).to_bytes(), "cpu")

    def _class_weights(self, g: Builder, k: int, head: str) -> Value | None:
        word = self._recipe.class_weights
        if word is None:
            return None
        written = self._weights[head] if isinstance(word.weights, str) else word.weights
        with g.layer(f"class{k}", ""):
            return g.floats("weights", [float(w) for w in written])
