"""What must a data set say about itself?"""

from typing import Any, ClassVar, cast

from cnnspec.settings.base import Targets, Word
from cnnspec.vocab.param import (
    Many,
    Mismatch,
    Name,
    OneOf,
    Whole,
    choice,
    flag,
    number,
    of,
    whole,
)
from cnnspec.vocab.value import Shape

PATH = "a path in quotes"

FULL = 1 + 1e-9
"""The sum of shares that leave nothing out, as floating point may have it."""


class Split:
    """Two or three parts, as shares of at most 1 together or as numbers of examples."""

    words = ()

    def describe(self) -> str:
        return (
            "two or three parts, for training, validation and test: shares of at most 1 "
            "together, as in [0.8, 0.1, 0.1], or numbers of examples"
        )

    def read(self, value: object) -> tuple[float, ...]:
        parts = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
        numbers = [p for p in parts if isinstance(p, int | float) and not isinstance(p, bool)]
        shares = sum(numbers) <= FULL
        fits = (
            len(numbers) == len(parts) in (2, 3)
            and numbers[0] > 0
            and min(numbers) >= 0
            and (shares or all(isinstance(n, int) for n in numbers))
        )
        if not fits:
            raise Mismatch
        return tuple(numbers)


class Data(Word):
    """Base of the data sets."""

    elsewhere: ClassVar = {
        "validation_split": "`split=[0.8, 0.2]` keeps a fifth for validation",
        "batch_size": "the batch is a setting of its own, as in `batch 64`",
        "shuffle": "the order is a setting of its own, as in `shuffle no`",
        "root": "path",
        "max_examples": "limit",
    }

    gives: ClassVar[Targets | None] = "classes"
    """What comes with each example; none where only the files, or an argument, can say."""

    shape: ClassVar[Shape | None] = None
    """The shape of an example, where that is known."""

    all_classes: ClassVar[int | None] = None
    """How many classes the whole set has, where that is known."""

    all_names: ClassVar[tuple[str, ...]] = ()
    """What the classes of the whole set are called, where that is known."""

    examples: ClassVar[tuple[int, int] | None] = None
    """How many examples there are for training and validation, and how many for test alone."""

    classes: tuple[int | str, ...] | None = None
    """The classes to be used, where not all are; a parameter of the sets that have classes."""

    split: tuple[float, ...] = of(
        Split(),
        "the parts for training, validation and, if it has no test examples of its own, test",
        default=(0.8, 0.1, 0.1),
    )
    limit: int | None = whole("no more training examples than these, the first ones", default=None)

    def targets_given(self) -> Targets | None:
        """What comes with each example, where that is known before any file is read."""
        return self.gives

    def class_count(self) -> int | None:
        """How many classes are to be told apart, where that is known before any file is read."""
        return self.all_classes if self.classes is None else len(self.classes)

    def class_names(self) -> tuple[str, ...]:
        """What the classes in use are called, where that is known before any file is read."""
        if self.classes is None or not self.all_names:
            return self.all_names
        return tuple(c if isinstance(c, str) else self.all_names[c] for c in self.classes)

    def training_examples(self) -> int | None:
        """How many examples an epoch has, where that is known before any file is read."""
        if self.examples is None or self.classes is not None:
            return None
        there, part = self.examples[0], self.split[0]
        count = int(part * there) if self.splits_by_share else min(int(part), there)
        return count if self.limit is None else min(count, self.limit)

    @property
    def splits_by_share(self) -> bool:
        return sum(self.split) <= FULL

    @property
    def keeps_validation(self) -> bool:
        """Does `split` keep examples for validation?"""
        return self.split[1] > 0


def _classes() -> Any:
    return of(
        Many(OneOf(Whole(0), Name()), least=2),
        "only these classes, by number from 0 or by name; they are renumbered in this order",
        default=None,
    )


class Numbers(Data):
    """Base of the data sets of series and vectors with a class for each."""

    classes: tuple[int | str, ...] | None = _classes()


class Pictures(Data):
    """Base of the data sets of pictures, which may be brought to the size of the input."""

    elsewhere: ClassVar = {"resize": "write `fit=stretch`, `fit=crop` or `fit=pad`"}

    fit: str = choice(
        "how a picture of another size comes to that of the input: not at all (an error), "
        "stretched, cut out of the middle, or framed",
        "exact",
        "stretch",
        "crop",
        "pad",
        default="exact",
    )
    convert: bool = flag(
        "turns colours to greys, or greys to colours, as the input has them", default=False
    )
    noise: float = number(
        "the deviation of noise on every input, as a share of the range; targets stay clean",
        least=0,
        default=0,
    )


class Labelled(Pictures):
    """Base of the data sets of pictures with a class for each."""

    classes: tuple[int | str, ...] | None = _classes()
