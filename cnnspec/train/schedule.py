"""What is the learning rate at a step? A number between the steps, worked out outside the graph."""

from math import cos, pi

from cnnspec.settings.schedule import (
    Cosine,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
)


class Rates:
    """The learning rate of each step of a run.

    Schedules that move by epochs change between epochs, others with every step. A warm-up raises
    the rate evenly from 0; what the schedule itself does begins when that is over.
    """

    def __init__(
        self, schedule: Schedule, lr: float, steps_per_epoch: int, epochs: int, lowered: int = 0
    ) -> None:
        self._schedule = schedule
        self._lr = lr
        self._per_epoch = max(1, steps_per_epoch)
        self._steps = self._per_epoch * epochs
        self._warm = round(schedule.warmup * self._per_epoch)
        self.lowered = lowered
        """How often a plateau has lowered the rate so far."""

    def at(self, step: int) -> float:
        """The rate of a step, counted from 0 over the whole run."""
        schedule = self._schedule
        if isinstance(schedule, OneCycle):
            return self._lr * self._one_cycle(schedule, step)
        if step < self._warm:
            return self._lr * (step + 1) / self._warm
        return self._lr * self._share(step)

    def _share(self, step: int) -> float:
        epoch = step // self._per_epoch
        match self._schedule:
            case Step(every=every, factor=factor):
                return factor ** (epoch // every)
            case MultiStep(at=at, factor=factor):
                return factor ** sum(epoch >= e for e in at)
            case Exponential(factor=factor):
                return factor ** ((step - self._warm) // self._per_epoch)
            case Cosine(least=least):
                return least + (1 - least) * (1 + cos(pi * self._part(step))) / 2
            case Polynomial(power=power, least=least):
                return least + (1 - least) * (1 - self._part(step)) ** power
            case Plateau(factor=factor, least=least):
                return max(least, factor**self.lowered)
            case _:
                return 1.0

    def _part(self, step: int) -> float:
        """How much of the way behind the warm-up is done, from 0 to 1."""
        way = self._steps - self._warm
        return min(1.0, (step - self._warm) / way) if way > 0 else 1.0

    def _one_cycle(self, schedule: OneCycle, step: int) -> float:
        top = self._warm or max(1, round(schedule.rise * self._steps))
        if step < top:
            return _between(schedule.start, 1, step / top)
        return _between(1, schedule.least, min(1.0, (step - top) / max(1, self._steps - top)))


def _between(one: float, other: float, part: float) -> float:
    """Along half a cosine."""
    return other + (one - other) * (1 + cos(pi * part)) / 2
