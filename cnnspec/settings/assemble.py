"""What recipe do the lines of a `train` part make, with what is expected where one is missing?"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from cnnspec.settings.augment import Augmentation
from cnnspec.settings.base import Word
from cnnspec.settings.data import Data
from cnnspec.settings.loss import CrossEntropy, Difference, Loss, MeanSquared
from cnnspec.settings.metrics import Accuracy, Iou, Metric, Psnr
from cnnspec.settings.optimizer import Adam, Optimizer
from cnnspec.settings.plain import (
    Accumulate,
    Batch,
    ClassWeights,
    Clipping,
    EarlyStopping,
    Ema,
    Epochs,
    Freeze,
    Labels,
    Seed,
    Shuffle,
)
from cnnspec.settings.recipe import Line, Recipe
from cnnspec.settings.schedule import Constant, Schedule

W = TypeVar("W", bound=Word)

NOT_SAID = (
    Epochs(count=10),
    Batch(size=64),
    Accumulate(batches=1),
    Shuffle(on=True),
    Seed(number=0),
)
"""What holds where a line with one number is missing."""


def assemble(lines: Sequence[Line]) -> Recipe:
    """The recipe of these lines, with what is expected where a line is missing."""
    words = [word for line in lines for word in line.words]
    known = [*words, *NOT_SAID]
    data = _one(words, Data)
    losses = _all(words, Loss) or _usual_losses(data)
    return Recipe(
        lines=tuple(lines),
        places={
            word: place
            for line in lines
            for word, place in zip(line.words, line.places, strict=True)
        },
        data=data,
        losses=losses,
        optimizer=_one(words, Optimizer) or Adam(),
        schedule=_one(words, Schedule) or Constant(),
        epochs=_first(known, Epochs).count,
        batch=_first(known, Batch).size,
        augment=_all(words, Augmentation),
        metrics=_all(words, Metric) or _usual_metrics(data, losses),
        clip=_one(words, Clipping),
        accumulate=_first(known, Accumulate).batches,
        ema=_one(words, Ema),
        early_stopping=_one(words, EarlyStopping),
        class_weights=_one(words, ClassWeights),
        freeze=_all(words, Freeze),
        labels=_labels(_one(words, Labels), data),
        shuffle=_first(known, Shuffle).on,
        seed=_first(known, Seed).number,
    )


def _labels(given: Labels | None, data: Data | None) -> tuple[str, ...]:
    if given is not None:
        return given.names
    return data.class_names() if data is not None else ()


def _usual_losses(data: Data | None) -> tuple[Loss, ...]:
    of_numbers = data is not None and data.targets_given() in ("pictures", "numbers")
    return (MeanSquared(),) if of_numbers else (CrossEntropy(),)


def _usual_metrics(data: Data | None, losses: Sequence[Loss]) -> tuple[Metric, ...]:
    if all(loss.is_of_input for loss in losses):
        return (Psnr(),)
    match data.targets_given() if data else None:
        case "classes":
            return (Accuracy(),)
        case "masks":
            return (Accuracy(), Iou())
        case "pictures":
            return (Psnr(),)
        case "numbers":
            return ()
        case None:
            # Only the files can say; a loss that needs classes tells that there are some.
            is_certain = any(not isinstance(loss, Difference) for loss in losses)
            return (Accuracy(),) if is_certain else ()


def _first(words: Iterable[Word], kind: type[W]) -> W:
    return next(word for word in words if isinstance(word, kind))


def _one(words: Iterable[Word], kind: type[W]) -> W | None:
    return next((word for word in words if isinstance(word, kind)), None)


def _all(words: Iterable[Word], kind: type[W]) -> tuple[W, ...]:
    return tuple(word for word in words if isinstance(word, kind))
