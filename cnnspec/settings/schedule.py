"""The schedules: how the learning rate changes over the epochs."""

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import Many, Whole, choice, number, of, whole


class Schedule(Word):
    """Base of the schedules; all may begin with a warm-up from 0, over some epochs."""

    warmup: float = number("epochs over which the rate rises to its start", least=0, default=0)


class Constant(Schedule):
    """The learning rate stays."""

    kind = "constant"


class Step(Schedule):
    """The rate is multiplied by `factor` after every `every` epochs."""

    kind = "step"
    positional = ("every",)

    every: int = whole("how many epochs between drops")
    factor: float = number("what it is multiplied with", above=0, below=1, default=0.1)


class MultiStep(Schedule):
    """The rate is multiplied by `factor` after each of the epochs named."""

    kind = "multistep"
    positional = ("at",)

    at: tuple[int, ...] = of(Many(Whole(1)), "after which epochs, as in [30, 60, 80]")
    factor: float = number("what it is multiplied with", above=0, below=1, default=0.1)


class Exponential(Schedule):
    """The rate is multiplied by `factor` after every epoch."""

    kind = "exponential"

    factor: float = number("what it is multiplied with", above=0, below=1, default=0.95)


class Cosine(Schedule):
    """The rate falls along half a cosine, to `least` of its start. (Loshchilov & Hutter, 2016)"""

    kind = "cosine"

    least: float = number("the share of the start that remains", least=0, below=1, default=0)


class OneCycle(Schedule):
    """Up and down again in one cycle. (Smith, 2018)"""

    kind = "one_cycle"

    rise: float = number(
        "the share of the run in which the rate rises", above=0, below=1, default=0.3
    )
    start: float = number(
        "the rate at the start, as a share of the highest", above=0, most=1, default=0.04
    )
    least: float = number(
        "the rate at the end, as a share of the highest", least=0, below=1, default=1e-5
    )


class Polynomial(Schedule):
    """The rate falls to 0 as (1 - t)^power."""

    kind = "poly"

    power: float = number("the power", above=0, default=0.9)


class Plateau(Schedule):
    """The rate is multiplied by `factor` when validation has not become better for some epochs."""

    kind = "plateau"

    factor: float = number("what it is multiplied with", above=0, below=1, default=0.1)
    patience: int = whole("how many epochs without getting better", default=5)
    on: str = choice("what shall get better", "loss", "accuracy", default="loss")


SCHEDULES = table(Constant, Step, MultiStep, Exponential, Cosine, OneCycle, Polynomial, Plateau)
