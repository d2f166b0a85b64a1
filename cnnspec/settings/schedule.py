"""The schedules: how does the learning rate change as training goes on?"""

from typing import ClassVar, Literal

from cnnspec.settings.base import Word, table
from cnnspec.settings.plain import WATCHED
from cnnspec.vocab.param import Many, Whole, choice, number, of, whole


class Schedule(Word):
    """Base of the schedules. All may begin with a warm-up: the rate rises evenly from 0."""

    elsewhere: ClassVar = {
        "warmup_epochs": "warmup",
        "gamma": "factor",
        "min_lr": "least",
        "eta_min": "least",
        "T_max": "it lasts as long as `epochs` says",
        "total_steps": "it lasts as long as `epochs` says",
        "last_epoch": "it lasts as long as `epochs` says",
        "lr": "the learning rate is the optimizer's, as in `optimizer adam lr=1e-3`",
    }

    moves: ClassVar[Literal["step", "epoch"]] = "epoch"
    """Does the rate change with each step, or between epochs? In a warm-up, with each step."""

    warmup: float = number("epochs in which the rate rises from 0 to its start", least=0, default=0)


class Constant(Schedule):
    """The learning rate stays as it is."""

    kind = "constant"


class Step(Schedule):
    """The rate is multiplied by `factor` each time that `every` epochs have passed."""

    kind = "step"
    positional = ("every",)
    elsewhere: ClassVar = {"step_size": "every"}

    every: int = whole("how many epochs lie between drops")
    factor: float = number("what the rate is multiplied by", above=0, below=1, default=0.1)


class MultiStep(Schedule):
    """The rate is multiplied by `factor` after each of the epochs named."""

    kind = "multistep"
    positional = ("at",)
    elsewhere: ClassVar = {"milestones": "at", "boundaries": "at"}

    at: tuple[int, ...] = of(Many(Whole(1)), "after which epochs, in rising order, as in [30, 60]")
    factor: float = number("what the rate is multiplied by", above=0, below=1, default=0.1)


class Exponential(Schedule):
    """The rate is multiplied by `factor` after every epoch."""

    kind = "exponential"
    positional = ("factor",)

    factor: float = number("what the rate is multiplied by", above=0, below=1, default=0.95)


class Cosine(Schedule):
    """The rate falls along half a cosine: lr·(least + (1 - least)·(1 + cos πt)/2), t from 0 to 1.

    (Loshchilov & Hutter, 2016)
    """

    kind = "cosine"
    moves = "step"

    least: float = number(
        "the share of the rate that remains at the end", least=0, below=1, default=0
    )


class OneCycle(Schedule):
    """The rate rises along half a cosine to the optimizer's, then falls along another to nearly 0.

    The rise takes a share of the run, or with `warmup` so many epochs. (Smith & Topin, 2017)
    """

    kind = "one_cycle"
    moves = "step"
    elsewhere: ClassVar = {
        "pct_start": "rise",
        "max_lr": "the highest rate is the optimizer's, as in `optimizer sgd lr=0.1`",
        "div_factor": "`start` is the share of the highest rate, 1/25 of it by default",
        "final_div_factor": "`least` is the share of the highest rate",
    }

    rise: float = number(
        "the share of the run in which the rate rises", above=0, below=1, default=0.3
    )
    start: float = number(
        "the rate at the start, as a share of the highest", above=0, most=1, default=0.04
    )
    least: float = number(
        "the rate at the end, as a share of the highest", least=0, below=1, default=4e-6
    )


class Polynomial(Schedule):
    """The rate falls as a power: lr·(least + (1 - least)·(1 - t)^power), t from 0 to 1.

    The power 1 is a straight line. (Chen et al., 2016)
    """

    kind = "poly"
    moves = "step"

    power: float = number("the power", above=0, default=0.9)
    least: float = number(
        "the share of the rate that remains at the end", least=0, below=1, default=0
    )


class Plateau(Schedule):
    """The rate is multiplied by `factor` after epochs in which validation has not become better.

    With `patience=2` the second such epoch in a row is the last at the old rate, as it would be the
    last of all with `early_stopping 2`.
    """

    kind = "plateau"
    elsewhere: ClassVar = {"monitor": "watch", "threshold": "better"}

    factor: float = number("what the rate is multiplied by", above=0, below=1, default=0.1)
    patience: int = whole("after how many epochs in a row without becoming better", default=5)
    watch: str = choice("what shall become better", *WATCHED, default="loss")
    better: float = number(
        "what counts as better: a change by more than this share", least=0, below=1, default=1e-4
    )
    least: float = number("the share of the rate that it stops at", least=0, below=1, default=0)


SCHEDULES = table(Constant, Step, MultiStep, Exponential, Cosine, OneCycle, Polynomial, Plateau)

ELSEWHERE = {
    "fixed": "constant",
    "none": "constant",
    "steplr": "step",
    "piecewise": "multistep",
    "exp": "exponential",
    "cosine_annealing": "cosine",
    "onecycle": "one_cycle",
    "polynomial": "poly",
    "linear": "poly",
    "reduce_on_plateau": "plateau",
}
