"""What is the learning rate at each step?

Rates are worked out by hand from the documentation: ten steps an epoch, ten epochs, lr = 0.5.
"""

from math import cos, pi

import pytest

from cnnspec.run.better import is_best, is_enough
from cnnspec.run.checkpoint import Position
from cnnspec.settings.schedule import SCHEDULES
from cnnspec.train.schedule import Rates
from settings.reading import recipe

STEPS, EPOCHS, LR = 10, 10, 0.5


def rates(schedule: str, steps: int = STEPS, epochs: int = EPOCHS) -> list[float]:
    word = recipe(f"schedule {schedule}").schedule
    made = Rates(word, LR, steps, epochs)
    return [made.at(step) for step in range(steps * epochs)]


def half_cosine(one: float, other: float, part: float) -> float:
    """From one at 0 to the other at 1."""
    return (one + other) / 2 + (one - other) / 2 * cos(pi * part)


BY_HAND = {
    "constant": lambda step: 1,
    "step 3": lambda step: 0.1 ** (step // 30),
    "step 2 factor=0.5": lambda step: 0.5 ** (step // 20),
    "multistep [2, 5, 9]": lambda step: 0.1 ** ((step >= 20) + (step >= 50) + (step >= 90)),
    "multistep 4 factor=0.3": lambda step: 0.3 if step >= 40 else 1,
    "exponential": lambda step: 0.95 ** (step // 10),
    "exponential 0.5": lambda step: 0.5 ** (step // 10),
    "cosine": lambda step: (1 + cos(pi * step / 100)) / 2,
    "cosine least=0.1": lambda step: 0.1 + 0.9 * (1 + cos(pi * step / 100)) / 2,
    "poly": lambda step: (1 - step / 100) ** 0.9,
    "poly power=1 least=0.2": lambda step: 0.2 + 0.8 * (1 - step / 100),
    "poly power=2": lambda step: (1 - step / 100) ** 2,
    "one_cycle": lambda step: (
        half_cosine(0.04, 1, step / 30) if step < 30 else half_cosine(1, 4e-6, (step - 30) / 70)
    ),
    "one_cycle rise=0.5 start=0.1 least=0.01": lambda step: (
        half_cosine(0.1, 1, step / 50) if step < 50 else half_cosine(1, 0.01, (step - 50) / 50)
    ),
    "one_cycle warmup=2": lambda step: (
        half_cosine(0.04, 1, step / 20) if step < 20 else half_cosine(1, 4e-6, (step - 20) / 80)
    ),
    "plateau": lambda step: 1,
}


def test_every_schedule_is_here() -> None:
    assert {case.split()[0] for case in BY_HAND} == set(SCHEDULES)


@pytest.mark.parametrize("schedule", BY_HAND)
def test_by_hand(schedule: str) -> None:
    wanted = [LR * BY_HAND[schedule](step) for step in range(STEPS * EPOCHS)]
    assert rates(schedule) == pytest.approx(wanted, rel=1e-9)


WARMED = {
    # Drops come after epochs of the run, whether or not it begins with a warm-up.
    "constant": lambda step: 1,
    "step 4": lambda step: 0.1 ** (step // 40),
    "multistep [3, 5]": lambda step: 0.1 ** ((step >= 30) + (step >= 50)),
    # What falls with every step falls over the rest.
    "cosine": lambda step: (1 + cos(pi * (step - 20) / 80)) / 2,
    "poly power=1": lambda step: 1 - (step - 20) / 80,
    "plateau": lambda step: 1,
}


@pytest.mark.parametrize("schedule", WARMED)
def test_warm_up(schedule: str) -> None:
    found = rates(f"{schedule} warmup=2")
    # Evenly from 0, which no step has, to the whole rate at the last of them.
    assert found[:20] == pytest.approx([LR * (k + 1) / 20 for k in range(20)])
    assert found[20:] == pytest.approx([LR * WARMED[schedule](step) for step in range(20, 100)])


def test_warm_up_of_half_an_epoch() -> None:
    found = rates("constant warmup=0.5")
    assert found[:6] == pytest.approx([LR * share for share in (0.2, 0.4, 0.6, 0.8, 1, 1)])


def test_a_single_step() -> None:
    for schedule in BY_HAND:
        (rate,) = rates(schedule, steps=1, epochs=1)
        assert 0 < rate <= LR, schedule


def test_beyond_the_end_rates_stay() -> None:
    for schedule, last in (("cosine", 0.0), ("poly least=0.1", 0.1 * LR), ("one_cycle", 4e-6 * LR)):
        made = Rates(recipe(f"schedule {schedule}").schedule, LR, STEPS, EPOCHS)
        assert made.at(100) == made.at(1000) == pytest.approx(last, abs=1e-12)


def test_plateau() -> None:
    word = recipe("schedule plateau factor=0.5 least=0.2").schedule
    made = Rates(word, LR, STEPS, EPOCHS)
    found = []
    for lowered in range(5):
        made.lowered = lowered
        found.append(made.at(7))
    assert found == pytest.approx([LR, LR / 2, LR / 4, LR / 5, LR / 5])


def test_plateau_goes_on_from_where_it_was() -> None:
    word = recipe("schedule plateau warmup=1").schedule
    made = Rates(word, LR, STEPS, EPOCHS, lowered=2)
    assert made.at(50) == pytest.approx(LR / 100)
    assert made.at(4) == pytest.approx(LR / 2)


def test_when_a_plateau_lowers_the_rate() -> None:
    """The rate falls after `patience` epochs without a better loss, as early stopping ends then."""
    plan = recipe("schedule plateau patience=2 better=0.1")
    losses = [1.0, 0.8, 0.79, 0.75, 0.79, 0.5, 0.49, 0.48, 0.47, 0.47, 0.47, 0.47]
    lowered = []
    position = Position()
    for loss in losses:
        is_best(position, plan, {"loss": loss})
        lowered.append(position.lowered)
    # 0.75 is less than a tenth better than 0.8.
    assert lowered == [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4]
    stopping = recipe("early_stopping 2")
    position, ended = Position(), []
    for loss in [1.0, 0.8, 0.81, 0.82]:
        is_best(position, stopping, {"loss": loss})
        ended.append(is_enough(position, stopping))
    assert ended == [False, False, False, True]
