"""The losses: what training makes small."""

from typing import ClassVar

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import choice, flag, name, number


class Loss(Word):
    """Base of the losses. A network with heads has one for each: `on=` names the head."""

    ends_with: ClassVar[tuple[str, ...]] = ()
    """Final layers that the loss takes together with itself and does not apply again."""

    on: str = name("the head that it is taken of; by default the main output", default=None)
    weight: float = number("its share in the sum of all losses", above=0, default=1)


class CrossEntropy(Loss):
    """The negative log-likelihood of the right class among several.

    A network that ends in `softmax` or `logsoftmax` is read as such; one that does not is taken to
    end in logits. Either way log-softmax is computed once, and stably. `smoothing` gives that
    share of each label to all classes alike.
    """

    kind = "cross_entropy"
    ends_with = ("softmax", "logsoftmax")

    smoothing: float = number(
        "the share of the label spread over all classes", least=0, below=1, default=0
    )
    from_: str = choice(
        "what the network ends in", "auto", "logits", "probabilities", default="auto"
    )


class BinaryCrossEntropy(Loss):
    """The negative log-likelihood of yes or no, for each output by itself.

    A final `sigmoid` is read as such, as for cross_entropy. `positive` weighs the yes cases.
    """

    kind = "binary_cross_entropy"
    ends_with = ("sigmoid",)

    smoothing: float = number(
        "the share of the label moved to the middle", least=0, below=1, default=0
    )
    positive: float = number("the weight of the yes cases", above=0, default=1)
    from_: str = choice(
        "what the network ends in", "auto", "logits", "probabilities", default="auto"
    )


class MeanSquared(Loss):
    """The mean squared difference."""

    kind = "mse"


class MeanAbsolute(Loss):
    """The mean absolute difference."""

    kind = "mae"


class Huber(Loss):
    """Squared for small differences, absolute for large ones."""

    kind = "huber"

    delta: float = number("where it turns", above=0, default=1)


class Hinge(Loss):
    """The margin loss of a linear support vector machine, one class against each other.

    Σ max(0, margin - (score of the right class - score of the other)), squared with `squared=yes`.
    """

    kind = "hinge"

    margin: float = number("by how much the right class shall win", above=0, default=1)
    squared: bool = flag("squares what is missing", default=False)


class Dice(Loss):
    """1 - 2·|A∩B|/(|A| + |B|) of predicted and true areas, for segmentation."""

    kind = "dice"

    smooth: float = number("added above and below", above=0, default=1)


LOSSES = table(CrossEntropy, BinaryCrossEntropy, MeanSquared, MeanAbsolute, Huber, Hinge, Dice)
