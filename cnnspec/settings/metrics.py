"""The metrics: what is measured besides the loss?"""

from typing import ClassVar

from cnnspec.settings.base import HeadName, Targets, Word, table
from cnnspec.vocab.param import of, whole


class Metric(Word):
    """Base of the metrics, measured on the examples for validation and test."""

    compares: ClassVar[tuple[Targets, ...]] = ("classes", "masks")
    """What it can compare the network's output with."""

    on: str | None = of(
        HeadName(), "the head that is measured, otherwise the main output", default=None
    )


class Accuracy(Metric):
    """The share of examples (or pixels) whose likeliest class is the right one."""

    kind = "accuracy"


class Top(Metric):
    """The share of examples (or pixels) whose right class is among the k likeliest."""

    kind = "top"
    positional = ("k",)

    k: int = whole("how many are looked at", least=2, default=5)


class Confusion(Metric):
    """A table of how often each class was taken for each other."""

    kind = "confusion"


class Precision(Metric):
    """Of those that were called so, the share that is so: for each class, and their mean."""

    kind = "precision"


class Recall(Metric):
    """Of those that are so, the share that was called so: for each class, and their mean."""

    kind = "recall"


class F1(Metric):
    """The harmonic mean of precision and recall: for each class, and their mean."""

    kind = "f1"


class Iou(Metric):
    """What was called so and is so, over what is either: for each class, and their mean."""

    kind = "iou"


class Psnr(Metric):
    """The peak signal-to-noise ratio of a picture in decibels: 10·log10(range²/mean square).

    The range is 1 where numbers are from 0 to 1, as those of files are, otherwise how far the least
    and the greatest of the training examples are apart.
    """

    kind = "psnr"
    compares = ("pictures",)


class MeanError(Metric):
    """The mean absolute difference."""

    kind = "mae"
    compares = ("pictures", "numbers")


class RootError(Metric):
    """The root of the mean squared difference."""

    kind = "rmse"
    compares = ("pictures", "numbers")


METRICS = table(Accuracy, Top, Confusion, Precision, Recall, F1, Iou, Psnr, MeanError, RootError)

ELSEWHERE = {
    "acc": "accuracy",
    "top_k": "top",
    "topk": "top",
    "top1": "accuracy",
    "top5": "write `top 5`",
    "top_5": "write `top 5`",
    "confusion_matrix": "confusion",
    "jaccard": "iou",
    "miou": "iou",
    "mse": "rmse",
}
