"""All settings of `train { … }` in one table."""

from collections.abc import Mapping

from cnnspec.settings.augment import AUGMENTATIONS
from cnnspec.settings.base import Setting
from cnnspec.settings.data import DATA
from cnnspec.settings.loss import LOSSES
from cnnspec.settings.optimizer import OPTIMIZERS
from cnnspec.settings.plain import (
    CLIPPING,
    METRICS,
    Accumulate,
    Batch,
    ClassWeights,
    EarlyStopping,
    Ema,
    Epochs,
    Freeze,
    Seed,
    Shuffle,
)
from cnnspec.settings.schedule import SCHEDULES
from cnnspec.vocab.kind import Kind


def _plain(kind: type[Kind], *, is_repeatable: bool = False) -> Setting:
    return Setting(kind.kind, kind.summary(), {}, kind, is_repeatable)


_ALL = (
    Setting("data", "What is trained on.", DATA),
    Setting("loss", "What is made small.", LOSSES, is_repeatable=True),
    Setting("optimizer", "How weights follow their gradients.", OPTIMIZERS),
    Setting("schedule", "How the learning rate changes.", SCHEDULES),
    _plain(Epochs),
    _plain(Batch),
    Setting(
        "augment", "What is done to training examples at random.", AUGMENTATIONS, is_chain=True
    ),
    Setting("metrics", "What is measured besides the loss.", METRICS, is_chain=True),
    Setting("clip", "How gradients are kept small.", CLIPPING),
    _plain(Accumulate),
    _plain(Ema),
    _plain(EarlyStopping),
    _plain(ClassWeights),
    _plain(Freeze, is_repeatable=True),
    _plain(Shuffle),
    _plain(Seed),
)

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _ALL}
