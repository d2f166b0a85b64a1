"""How well does a network do, over all examples of a part?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.model.graph import Graph
from cnnspec.run.sets import Part
from cnnspec.run.stream import Batch
from cnnspec.run.worst import Worst, confidence
from cnnspec.settings.loss import DISTANCES
from cnnspec.settings.metrics import (
    F1,
    Accuracy,
    Confusion,
    Iou,
    Metric,
    Precision,
    Psnr,
    Recall,
    Top,
)
from cnnspec.settings.recipe import Recipe

Arrays = Mapping[str, NDArray[Any]]


class Measures:
    """The loss and the metrics of a recipe, batch by batch."""

    def __init__(self, graph: Graph, recipe: Recipe, part: Part) -> None:
        self._metrics = recipe.metrics
        self._main = graph.main.name
        self._last = {o.name: graph.nodes[o.node].layer.kind for o in graph.outputs}
        of_main = [loss for loss in recipe.losses if loss.on in (None, self._main)]
        self._of_input = any(loss.is_of_input for loss in of_main)
        self.classes = part.classes
        self.confusion: NDArray[np.int64] | None = None
        """Rows are what is so, columns what it was taken for."""
        self.worst = Worst()
        """Of classes the surest mistakes; of masks where most pixels are wrong; else where the
        mean square error is largest."""
        self._n = 0
        self._loss = 0.0
        self._hits: dict[int, int] = {}
        self._counted = 0
        self._squares = self._sizes = 0.0
        self._numbers = 0
        self._peak = part.spans[0 if self._of_input else 1]

    def add(self, batch: Batch, outputs: Arrays, loss: float) -> None:
        self._n += len(batch)
        self._loss += loss * len(batch)
        z = outputs[self._main]
        target = next(iter(batch.clean.values())) if self._of_input else batch.targets
        if target.dtype.kind in "iu" and not self._of_input:
            self._count(z, target.astype(np.int64), batch.indices)
        else:
            self._compare(z, target, batch.indices)

    @property
    def values(self) -> dict[str, float]:
        """Each measure as one number."""
        found = {"loss": self._loss / max(1, self._n)}
        for metric in self._metrics:
            if (value := self._value(metric)) is not None:
                found[name_of(metric)] = value
        return found

    def by_class(self) -> list[dict[str, float]]:
        """Precision, recall, F1, IoU and the number of examples of each class."""
        if self.confusion is None:
            return []
        precision, recall, f1, iou = _rates(self.confusion)
        return [
            {
                "examples": int(self.confusion[k].sum()),
                "precision": precision[k],
                "recall": recall[k],
                "f1": f1[k],
                "iou": iou[k],
            }
            for k in range(len(self.confusion))
        ]

    # ── classes ────────────────────────────────────────────────────────────────────────────────

    def _count(
        self, z: NDArray[Any], target: NDArray[np.int64], indices: NDArray[np.int64]
    ) -> None:
        scores = -z if self._last[self._main] == DISTANCES else z
        if z.shape[1] == 1:
            limit = 0.5 if self._last[self._main] == "sigmoid" else 0.0
            best = (scores[:, 0] > limit).astype(np.int64)
            n = 2
        else:
            best, n = scores.argmax(1), z.shape[1]
        if self.confusion is None:
            self.confusion = np.zeros((n, n), np.int64)
        # Pixels of class -1 do not count.
        counts = target >= 0
        pairs = target[counts] * n + best[counts]
        self.confusion += np.bincount(pairs, minlength=n * n).reshape(n, n)
        self._counted += int(counts.sum())
        self._blame(scores, best, target, indices)
        for metric in self._metrics:
            if isinstance(metric, Top) and z.shape[1] > metric.k:
                likely = np.argpartition(-scores, metric.k - 1, 1)[:, : metric.k]
                is_in = (likely == np.expand_dims(target, 1)).any(1)
                self._hits[metric.k] = self._hits.get(metric.k, 0) + int(is_in.sum())

    def _blame(
        self,
        scores: NDArray[Any],
        best: NDArray[np.int64],
        target: NDArray[np.int64],
        indices: NDArray[np.int64],
    ) -> None:
        """Remember what went worst."""
        if len(target) != len(indices):
            # Pixels without those that do not count: whose they are is not known here.
            return
        wrong = (best != target) & (target >= 0)
        if target.ndim > 1:
            share = wrong.reshape(len(wrong), -1).mean(1)
            self.worst.add(indices[share > 0], share[share > 0])
        elif wrong.any():
            sure = confidence(scores[wrong], self._last[self._main], best[wrong])
            self.worst.add(indices[wrong], sure, best[wrong], target[wrong])

    def _compare(self, z: NDArray[Any], target: NDArray[Any], indices: NDArray[np.int64]) -> None:
        apart = z.astype(np.float64).reshape(len(z), -1) - target.reshape(len(z), -1)
        self.worst.add(indices, (apart**2).mean(1))
        self._squares += float((apart**2).sum())
        self._sizes += float(np.abs(apart).sum())
        self._numbers += apart.size

    def _value(self, metric: Metric) -> float | None:
        if self.confusion is not None:
            return self._of_classes(metric, self.confusion)
        if not self._numbers:
            return None
        square = self._squares / self._numbers
        match metric:
            case Psnr():
                return float(10 * np.log10(self._peak**2 / max(square, 1e-20)))
            case _ if metric.kind == "mae":
                return self._sizes / self._numbers
            case _ if metric.kind == "rmse":
                return float(np.sqrt(square))
            case _:
                return None

    def _of_classes(self, metric: Metric, confusion: NDArray[np.int64]) -> float | None:
        if not confusion.any():
            # Nothing counted: of no pixel could be said that it was right or wrong.
            return None
        match metric:
            case Accuracy():
                return float(np.trace(confusion) / max(1, confusion.sum()))
            case Top(k=k):
                return self._hits[k] / max(1, self._counted) if k in self._hits else None
            case Confusion():
                return None
            case Precision() | Recall() | F1() | Iou():
                place = (Precision, Recall, F1, Iou).index(type(metric))
                seen = confusion.sum(1) > 0
                return float(np.mean(np.array(_rates(confusion)[place])[seen]))
            case _:
                return None


def name_of(metric: Metric) -> str:
    return f"top{metric.k}" if isinstance(metric, Top) else metric.kind


def _rates(confusion: NDArray[np.int64]) -> Sequence[list[float]]:
    """Precision, recall, F1 and IoU of each class; 0 where there is nothing to divide."""
    hits = np.diag(confusion).astype(float)
    called, are = confusion.sum(0), confusion.sum(1)
    precision = hits / np.maximum(called, 1)
    recall = hits / np.maximum(are, 1)
    f1 = 2 * hits / np.maximum(called + are, 1)
    iou = hits / np.maximum(called + are - hits, 1)
    return [x.tolist() for x in (precision, recall, f1, iou)]
