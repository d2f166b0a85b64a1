"""The settings of one line: how long, how much at a time, with what care; and the metrics."""

from cnnspec.settings.base import Word, table
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Many, Name, Number, choice, flag, number, of, whole


class Epochs(Kind):
    """How often all training examples are seen."""

    kind = "epochs"
    positional = ("count",)

    count: int = whole("how many")


class Batch(Kind):
    """How many examples make one step; the last, smaller batch counts too."""

    kind = "batch"
    positional = ("size",)

    size: int = whole("how many")


class Seed(Kind):
    """Where all random numbers begin: weights, order, dropout, augmentation."""

    kind = "seed"
    positional = ("number",)

    number: int = whole("any whole number", least=0)


class Accumulate(Kind):
    """Gradients of so many batches are added up before a step."""

    kind = "accumulate"
    positional = ("batches",)

    batches: int = whole("how many")


class Ema(Kind):
    """A moving mean of the weights is kept, and is what the trained model has."""

    kind = "ema"
    positional = ("decay",)

    decay: float = number("how long weights are remembered", above=0, below=1, default=0.999)


class EarlyStopping(Kind):
    """Training ends when validation has not become better for some epochs."""

    kind = "early_stopping"
    positional = ("patience",)

    patience: int = whole("how many epochs", default=5)
    on: str = choice("what shall get better", "loss", "accuracy", default="loss")


class ClassWeights(Kind):
    """How much each class counts in the loss: numbers, or `balanced` by how rare they are."""

    kind = "class_weights"
    positional = ("weights",)

    weights: tuple[float, ...] | str = of(
        Many(Number(above=0), least=2), "one for each class, or `balanced`", default=None
    )
    balanced: bool = flag("weighs each class by how rare it is", default=False)


class Freeze(Kind):
    """Layers that are not trained: names, in which * stands for anything."""

    kind = "freeze"
    positional = ("layers",)

    layers: tuple[str, ...] = of(Many(Name("a name in quotes")), 'names, as in "conv64*"')


class Shuffle(Kind):
    """Are the training examples put into a new order for each epoch?"""

    kind = "shuffle"
    positional = ("on",)

    on: bool = flag("yes or no")


class ClipNorm(Word):
    """Gradients are shortened where their common length is above a limit."""

    kind = "norm"
    positional = ("limit",)

    limit: float = number("the greatest length", above=0)


class ClipValue(Word):
    """Each number of a gradient is kept between -limit and limit."""

    kind = "value"
    positional = ("limit",)

    limit: float = number("the greatest size", above=0)


CLIPPING = table(ClipNorm, ClipValue)


class Accuracy(Word):
    """The share of examples whose likeliest class is the right one."""

    kind = "accuracy"


class Top(Word):
    """The share of examples whose right class is among the k likeliest."""

    kind = "top"
    positional = ("k",)

    k: int = whole("how many are looked at", least=2, default=5)


class Confusion(Word):
    """How often each class was taken for each other."""

    kind = "confusion"


class Precision(Word):
    """For each class, the share of those called so that are so."""

    kind = "precision"


class Recall(Word):
    """For each class, the share of those that are so that were called so."""

    kind = "recall"


class Iou(Word):
    """For each class, the overlap of predicted and true area over their union."""

    kind = "iou"


class Psnr(Word):
    """The peak signal-to-noise ratio in decibels."""

    kind = "psnr"


METRICS = table(Accuracy, Top, Confusion, Precision, Recall, Iou, Psnr)
