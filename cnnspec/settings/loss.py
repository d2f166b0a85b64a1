"""The losses: what does training make small?

In the formulas z are the numbers that the network gives for one example (or pixel), p the
probabilities made of them, y the target. Losses are means over the examples and, where each pixel
has its own, over the pixels.
"""

from typing import ClassVar, Literal

from cnnspec.settings.base import HeadName, Targets, Word, table
from cnnspec.vocab.param import choice, flag, number, of

Reading = Literal["logits", "probabilities", "log-probabilities", "scores", "distances", "values"]
"""What a loss takes the network's numbers for: `scores` and `values` are used as they are."""

DISTANCES = "rbf"
"""A last layer whose smallest number wins."""


class Loss(Word):
    """Base of the losses. Several lines are summed; `on` names the head that one is taken of."""

    elsewhere: ClassVar = {
        "head": "on",
        "output": "on",
        "loss_weight": "weight",
        "reduction": "a loss is the mean over the examples",
        "class_weight": "they are a setting of their own, as in `class_weights balanced`",
        "class_weights": "they are a setting of their own, as in `class_weights balanced`",
    }

    ends: ClassVar[dict[str, Reading]] = {}
    """Last layers whose work the loss takes over, and what their numbers are."""

    plain: ClassVar[Reading] = "values"
    """What the numbers are after any other last layer."""

    compares: ClassVar[tuple[Targets, ...]] = ()
    """What it can compare the network's numbers with."""

    weighs_classes: ClassVar[bool] = False
    """Does `class_weights` mean something to it?"""

    takes_mixtures: ClassVar[bool] = True
    """Can a target be partly one class and partly another, as `mixup` makes them?"""

    on: str | None = of(
        HeadName(), "the head that it is taken of, otherwise the main output", default=None
    )
    weight: float = number("what it is multiplied by in the sum of all losses", above=0, default=1)

    @property
    def is_of_input(self) -> bool:
        """Is the output compared with the input itself, as in an autoencoder?"""
        return "to" in self.params and self.value("to") == "input"

    def reads(self, last: str) -> Reading:
        """What the numbers of a network are whose last layer is of this kind."""
        if last == DISTANCES and self.plain != "values":
            return "distances"
        return self.ends.get(last, self.plain)


class Likelihood(Loss):
    """Base of the losses that need probabilities and can make them."""

    elsewhere: ClassVar = {
        "from_logits": "`from=logits` says that the network ends in plain numbers",
        "label_smoothing": "smoothing",
    }
    plain = "logits"

    from_: str = choice(
        "what the network ends in; `auto` looks at its last layer",
        "auto",
        "logits",
        "probabilities",
        default="auto",
    )

    def reads(self, last: str) -> Reading:
        match self.from_:
            case "logits":
                return "logits"
            case "probabilities":
                return "probabilities"
            case _:
                return super().reads(last)


class CrossEntropy(Likelihood):
    """The surprise at the right class: -log p[y], with p = softmax(z).

    A last `softmax` or `logsoftmax` counts as this softmax: it is computed once and with the
    logarithm, which is exact also for small p. Of `rbf`'s distances z the smallest wins: there p =
    softmax(-z). With smoothing s over n classes the target is
    1 - s + s/n for the right class and s/n for each other. (Szegedy et al., 2016)
    """

    kind = "cross_entropy"
    ends: ClassVar = {"softmax": "probabilities", "logsoftmax": "log-probabilities"}
    compares = ("classes", "masks")
    weighs_classes = True

    smoothing: float = number(
        "the share of the target that is spread over all classes", least=0, below=1, default=0
    )


class BinaryCrossEntropy(Likelihood):
    """The surprise at yes or no, each number by itself: -y·log p - (1 - y)·log(1 - p).

    p is the sigmoid of z; a last `sigmoid` counts as this one. Of several classes each is a
    question of its own, and y is 1 for the right one. With `to=input` the target is the input, an
    image from 0 to 1.
    """

    kind = "binary_cross_entropy"
    elsewhere: ClassVar = {"pos_weight": "positive"}
    ends: ClassVar = {"sigmoid": "probabilities"}
    compares = ("classes", "masks", "pictures", "numbers")
    weighs_classes = True

    smoothing: float = number(
        "the share by which targets are moved from 0 and 1 to 1/2", least=0, below=1, default=0
    )
    positive: float = number("how much a yes counts beside a no", above=0, default=1)
    to: str = choice(
        "what outputs are compared with: the example's target, or the input itself",
        "target",
        "input",
        default="target",
    )


class Difference(Loss):
    """Base of the losses that measure how far numbers are from others, number by number.

    Compared with a class, the target is 1 for the right one and 0 for all others.
    """

    compares = ("classes", "masks", "pictures", "numbers")

    to: str = choice(
        "what outputs are compared with: the example's target, or the input itself (autoencoders)",
        "target",
        "input",
        default="target",
    )


class MeanSquared(Difference):
    """The mean squared difference: (z - y)²."""

    kind = "mse"


class MeanAbsolute(Difference):
    """The mean absolute difference: |z - y|."""

    kind = "mae"


class Huber(Difference):
    """Squared for small differences d = |z - y|: d²/2 up to delta, beyond it delta·(d - delta/2).

    (Huber, 1964)
    """

    kind = "huber"
    elsewhere: ClassVar = {"beta": "delta"}

    delta: float = number("where it goes over from one to the other", above=0, default=1)


class Hinge(Loss):
    """The loss of a support vector machine: Σ max(0, margin - z[y] + z[k]) over wrong classes k.

    With `squared=yes` each term is squared. A network with it ends in `fc`, without softmax; the
    machine's other part, the pull of weights to 0, is the optimizer's `weight_decay`. (Weston &
    Watkins, 1999)
    """

    kind = "hinge"
    plain = "scores"
    compares = ("classes", "masks")
    weighs_classes = True
    takes_mixtures = False

    margin: float = number("by how much the right class shall win", above=0, default=1)
    squared: bool = flag("squares each term", default=False)


class Dice(Likelihood):
    """How little areas overlap: 1 - (2·Σ p·y + smooth)/(Σ p + Σ y + smooth), the mean over classes.

    p is the softmax of z over the classes, with a single map the sigmoid; a last `softmax` or
    `sigmoid` counts as this one. (Milletari, Navab & Ahmadi, 2016)
    """

    kind = "dice"
    ends: ClassVar = {"softmax": "probabilities", "sigmoid": "probabilities"}
    compares = ("masks",)

    smooth: float = number("added above and below the line", above=0, default=1)


LOSSES = table(CrossEntropy, BinaryCrossEntropy, MeanSquared, MeanAbsolute, Huber, Hinge, Dice)

ELSEWHERE = {
    "ce": "cross_entropy",
    "xent": "cross_entropy",
    "nll": "cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "softmax": "cross_entropy",
    "bce": "binary_cross_entropy",
    "l2": "mse",
    "mean_squared_error": "mse",
    "l1": "mae",
    "mean_absolute_error": "mae",
    "smooth_l1": "huber",
    "svm": "hinge",
    "f1": "dice",
}
