"""dropout, droppath: parts left out at random, in training only."""

from cnnspec.layers.base import Layer
from cnnspec.vocab.param import choice, number
from cnnspec.vocab.value import Shape


class Dropout(Layer):
    """In training, numbers set to 0 at random and the others enlarged by 1/(1 - rate); else nothing.

    `dropout 0.2 of=maps` leaves out whole maps (spatial dropout). (Srivastava et al., 2014)
    """

    kind = "dropout"
    positional = ("rate",)

    rate: float = number("the share that is left out", least=0, below=1, default=0.5)
    of: str = choice("what is left out at a time", "numbers", "maps", default="numbers")

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]


class DropPath(Layer):
    """In training, whole samples set to 0 at random: at the end of a residual branch, the branch is
    skipped (stochastic depth). (Huang et al., 2016)"""

    kind = "droppath"
    positional = ("rate",)

    rate: float = number("the share of samples", least=0, below=1, default=0.1)

    def shape(self, *xs: Shape) -> Shape:
        return xs[0]
