"""Which settings does `train { … }` know, and which words may follow each?"""

from collections.abc import Mapping

from cnnspec.settings import augment, loss, metrics, optimizer, schedule, sets
from cnnspec.settings.base import Plain, Setting, Word
from cnnspec.settings.plain import (
    CLIPPING,
    Accumulate,
    Batch,
    ClassWeights,
    EarlyStopping,
    Ema,
    Epochs,
    Freeze,
    Labels,
    Seed,
    Shuffle,
)


def _group(
    name: str,
    noun: str,
    doc: str,
    words: Mapping[str, type[Word]],
    elsewhere: Mapping[str, str],
    *,
    is_repeatable: bool = False,
    is_chain: bool = False,
) -> Setting:
    return Setting(name, noun, doc, words, None, is_repeatable, is_chain, elsewhere)


def _plain(kind: type[Plain], *, is_repeatable: bool = False) -> Setting:
    return Setting(kind.kind, kind.kind, kind.summary(), {}, kind, is_repeatable, False, {})


_ALL = (
    _group("data", "data set", "What is trained on.", sets.DATA, sets.ELSEWHERE),
    _group(
        "loss",
        "loss",
        "What is made small; several lines are summed.",
        loss.LOSSES,
        loss.ELSEWHERE,
        is_repeatable=True,
    ),
    _group(
        "optimizer",
        "optimizer",
        "How weights follow their gradients.",
        optimizer.OPTIMIZERS,
        optimizer.ELSEWHERE,
    ),
    _group(
        "schedule",
        "schedule",
        "How the learning rate changes as training goes on.",
        schedule.SCHEDULES,
        schedule.ELSEWHERE,
    ),
    _plain(Epochs),
    _plain(Batch),
    _group(
        "augment",
        "augmentation",
        "What is done to training examples at random.",
        augment.AUGMENTATIONS,
        augment.ELSEWHERE,
        is_chain=True,
    ),
    _group(
        "metrics",
        "metric",
        "What is measured besides the loss.",
        metrics.METRICS,
        metrics.ELSEWHERE,
        is_chain=True,
    ),
    _group("clip", "way to clip", "How gradients are kept small.", CLIPPING, {}),
    _plain(Accumulate),
    _plain(Ema),
    _plain(EarlyStopping),
    _plain(ClassWeights),
    _plain(Labels),
    _plain(Freeze, is_repeatable=True),
    _plain(Shuffle),
    _plain(Seed),
)

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _ALL}
"""Every setting, in the order in which a recipe is best read."""

ELSEWHERE: Mapping[str, str] = {
    "dataset": "data",
    "criterion": "loss",
    "objective": "loss",
    "optim": "optimizer",
    "solver": "optimizer",
    "scheduler": "schedule",
    "lr_scheduler": "schedule",
    "lr_schedule": "schedule",
    "augmentation": "augment",
    "augmentations": "augment",
    "transform": "augment",
    "transforms": "augment",
    "batch_size": "batch",
    "minibatch": "batch",
    "iterations": "training is measured in epochs, as in `epochs 12`",
    "steps": "training is measured in epochs, as in `epochs 12`",
    "max_epochs": "epochs",
    "gradient_clipping": "clip",
    "clip_norm": "write `clip norm 1`",
    "grad_clip": "clip",
    "random_seed": "seed",
    "lr": "it belongs to the optimizer, as in `optimizer adam lr=1e-3`",
    "learning_rate": "it belongs to the optimizer, as in `optimizer adam lr=1e-3`",
    "momentum": "it belongs to the optimizer, as in `optimizer momentum momentum=0.9`",
    "weight_decay": "it belongs to the optimizer, as in `optimizer adamw weight_decay=0.01`",
    "warmup": "it belongs to the schedule, as in `schedule cosine warmup=1`",
    "label_smoothing": "it belongs to the loss, as in `loss cross_entropy smoothing=0.1`",
    "smoothing": "it belongs to the loss, as in `loss cross_entropy smoothing=0.1`",
    "dropout": "it is a layer of the network, as in `fc 84 -> relu -> dropout 0.5`",
    "mixup": "it is an augmentation, as in `augment flip -> mixup 0.2`",
    "split": "it belongs to the data, as in `data digits split=[0.8, 0.1, 0.1]`",
    "patience": "it belongs to early stopping, as in `early_stopping 5`",
    "device": "it is chosen when training begins, as in `cnnspec train FILE --device cuda`",
}
"""What other tools call the settings, or where they have what is none here."""
