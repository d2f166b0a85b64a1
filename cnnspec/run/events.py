"""What does a training run tell while it goes on?"""

from collections.abc import Mapping
from dataclasses import dataclass


# Not frozen, which would take four times as long between any two steps.
@dataclass(slots=True)
class Stepped:
    """A batch is done."""

    epoch: int
    """From 1."""
    epochs: int
    batch: int
    """How many of this epoch are done."""
    batches: int
    loss: float
    """Of the epoch so far, the mean over its examples."""
    accuracy: float | None
    """Likewise; none where the network tells no classes apart."""
    rate: float
    """The learning rate."""
    examples_per_second: float
    seconds_left: float
    """Until the last epoch is done, if all goes on like this; validation not counted."""


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch is done and validated."""

    epoch: int
    epochs: int
    train: Mapping[str, float]
    validation: Mapping[str, float]
    """Each measure by its name; empty where the data has nothing to validate on."""
    rate: float
    seconds: float
    """Since the run began."""
    is_best: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over, or was put down."""

    epochs: int
    """How many are done."""
    is_done: bool
    why: str
    """Why it ended before the last epoch; empty where it did not."""
    test: Mapping[str, float]
    seconds: float


Event = Stepped | EpochDone | Finished
