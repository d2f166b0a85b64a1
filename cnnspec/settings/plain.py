"""The settings of one line: how long, how much at a time, with what care?"""

from fnmatch import fnmatchcase
from typing import ClassVar

from cnnspec.settings.base import Plain, Word, table
from cnnspec.vocab.param import Choice, Many, Name, Number, OneOf, choice, flag, number, of, whole

WATCHED = ("loss", "accuracy", "f1", "iou", "psnr", "mae", "rmse")
"""What validation gives as one number, by which it becomes better or not."""


class Epochs(Plain):
    """How often all training examples are seen; 10 times where it is not said."""

    kind = "epochs"
    positional = ("count",)

    count: int = whole("how many times")


class Batch(Plain):
    """How many examples are taken at a time; 64 where it is not said.

    The last batch of an epoch may be smaller; it counts too.
    """

    kind = "batch"
    positional = ("size",)

    size: int = whole("how many examples")


class Accumulate(Plain):
    """The gradients of several batches make one step together."""

    kind = "accumulate"
    positional = ("batches",)

    batches: int = whole("how many batches")


class Seed(Plain):
    """Where all random numbers begin (weights, order, dropout, augmentation); 0 if not said."""

    kind = "seed"
    positional = ("number",)

    number: int = whole("any whole number", least=0)


class Shuffle(Plain):
    """Whether the training examples come in a new order in each epoch; yes where not said."""

    kind = "shuffle"
    positional = ("on",)

    on: bool = flag("yes for a new order, no for always the same")


class Ema(Plain):
    """A moving mean of the weights, which validation and the trained model use.

    mean ← decay·mean + (1 - decay)·w after each step.
    """

    kind = "ema"
    positional = ("decay",)
    elsewhere: ClassVar = {"momentum": "decay"}

    decay: float = number("how long weights are remembered", above=0, below=1, default=0.999)


class EarlyStopping(Plain):
    """Training ends after epochs in which validation has not become better.

    Whether or not it is set, the best weights so far are kept; of epochs that are equally good in
    what is watched those with the smaller loss.
    """

    kind = "early_stopping"
    positional = ("patience",)
    elsewhere: ClassVar = {"monitor": "watch", "min_delta": "least"}

    patience: int = whole("after how many epochs in a row without becoming better", default=5)
    watch: str = choice("what shall become better", *WATCHED, default="loss")
    least: float = number("what counts as better: by more than this", least=0, default=0)


class ClassWeights(Plain):
    """How much each class counts in the loss.

    `balanced` counts each by how rare it is: examples/(classes·examples of the class). An output of
    one number tells two classes apart, no and yes.
    """

    kind = "class_weights"
    positional = ("weights",)

    weights: tuple[float, ...] | str = of(
        OneOf(Choice(("balanced",)), Many(Number(least=0), least=2)),
        "a number for each class, or by how rare each is",
    )


class Labels(Plain):
    """What the classes are called, in their order; a data set with names of its own needs none.

    They are written into the model, and `cnnspec run` answers with them.
    """

    kind = "labels"
    positional = ("names",)

    names: tuple[str, ...] = of(
        Many(Name("a name, in quotes where it has spaces"), least=2),
        'a name for each class, as in [cat, dog, "polar bear"]',
    )


class Freeze(Plain):
    """Layers that are not trained: by path, where * stands for anything.

    The name of a block stands for all that is in it: `freeze "stem"`, `freeze "stage*.conv*"`.
    """

    kind = "freeze"
    positional = ("layers",)

    layers: tuple[str, ...] = of(Many(Name("a path in quotes")), 'paths, as in ["stem", "conv*"]')

    def covers(self, path: str) -> str | None:
        """The pattern that a layer's path fits, itself or a block around it; none if none does."""
        return next(
            (p for p in self.layers if fnmatchcase(path, p) or fnmatchcase(path, f"{p}.*")), None
        )


class Clipping(Word):
    """Base of the ways to keep gradients small."""


class ClipNorm(Clipping):
    """All gradients are shortened together where their common length is above a limit."""

    kind = "norm"
    positional = ("limit",)
    elsewhere: ClassVar = {"max_norm": "limit"}

    limit: float = number("the greatest length", above=0)


class ClipValue(Clipping):
    """Each number of a gradient is kept between -limit and limit."""

    kind = "value"
    positional = ("limit",)
    elsewhere: ClassVar = {"clip_value": "limit"}

    limit: float = number("the greatest size", above=0)


CLIPPING = table(ClipNorm, ClipValue)
