"""The optimizers: how do weights follow their gradients?

In the formulas w is a weight, g its gradient, lr the learning rate; what is remembered from step to
step starts at 0.
"""

from typing import ClassVar

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import choice, flag, number

DECAY = "what decays: all parameters, or weights only, not biases, norms and slopes"


class Optimizer(Word):
    """Base of the optimizers: a learning rate, and weight decay that is added to the gradient."""

    elsewhere: ClassVar = {
        "learning_rate": "lr",
        "rate": "lr",
        "alpha": "lr",
        "l2": "weight_decay",
        "epsilon": "eps",
        "clipnorm": "clipping is a setting of its own, as in `clip norm 1`",
        "clipvalue": "clipping is a setting of its own, as in `clip value 0.5`",
    }

    memory: ClassVar[int] = 0
    """How many numbers it remembers for each parameter, without its options."""

    lr: float = number("the learning rate", above=0, default=0.01)
    weight_decay: float = number(
        "pulls weights towards 0: so many times w is added to g", least=0, default=0
    )
    decay: str = choice(DECAY, "all", "weights", default="all")

    @property
    def copies(self) -> int:
        """How many numbers it remembers for each parameter."""
        return self.memory


class Sgd(Optimizer):
    """Gradient descent: w ← w - lr·g."""

    kind = "sgd"
    elsewhere: ClassVar = {
        "momentum": "momentum is an optimizer: `optimizer momentum lr=0.01 momentum=0.9`",
        "nesterov": "nesterov is an optimizer: `optimizer nesterov lr=0.01 momentum=0.9`",
    }


class Momentum(Optimizer):
    """Gradient descent with momentum m: v ← m·v + g, w ← w - lr·v.

    With `damped=yes` the gradient enters with the weight 1 - m: v ← m·v + (1 - m)·g, so that
    w(t+1) = w(t) + m·(w(t) - w(t-1)) - (1 - m)·lr·g. (Polyak, 1964)
    """

    kind = "momentum"
    memory = 1
    elsewhere: ClassVar = {
        "dampening": "`damped=yes` weighs the gradient with 1 - momentum",
        "nesterov": "nesterov is an optimizer: `optimizer nesterov lr=0.01 momentum=0.9`",
    }

    momentum: float = number("the share of v that is kept, m", least=0, below=1, default=0.9)
    damped: bool = flag("weighs the gradient with 1 - m", default=False)


class Nesterov(Optimizer):
    """Momentum that looks ahead: v ← m·v + g, w ← w - lr·(g + m·v). (Nesterov, 1983)"""

    kind = "nesterov"
    memory = 1

    momentum: float = number("the share of v that is kept, m", least=0, below=1, default=0.9)


class Adagrad(Optimizer):
    """Steps over the root of all squares so far: s ← s + g², w ← w - lr·g/(√s + eps).

    (Duchi, Hazan & Singer, 2011)
    """

    kind = "adagrad"
    memory = 1
    elsewhere: ClassVar = {"initial_accumulator_value": "start"}

    start: float = number("what s starts at", least=0, default=0)
    eps: float = number("added to the root", above=0, default=1e-10)


class Adadelta(Optimizer):
    """Steps in proportion to the steps before: d = g·√(u + eps)/√(s + eps), w ← w - lr·d.

    s and u are means of g² and d² that move by 1 - rho. (Zeiler, 2012)
    """

    kind = "adadelta"
    memory = 2

    lr: float = number("the learning rate", above=0, default=1)
    rho: float = number("how long squares are remembered", least=0, below=1, default=0.9)
    eps: float = number("added below the roots", above=0, default=1e-6)


class RmsProp(Optimizer):
    """Steps over the root of the mean square: s ← rho·s + (1 - rho)·g², w ← w - lr·g/(√s + eps).

    With momentum m, what is divided goes through v ← m·v + g/(√s + eps), w ← w - lr·v. With
    `centered=yes` the square of the mean gradient is taken from s. (Tieleman & Hinton, 2012)
    """

    kind = "rmsprop"
    memory = 1
    elsewhere: ClassVar = {
        "alpha": "rho",
        "decay_rate": "rho",
        "centred": "centered",
    }

    lr: float = number("the learning rate", above=0, default=1e-3)
    rho: float = number("how long squares are remembered", least=0, below=1, default=0.9)
    eps: float = number("added to the root", above=0, default=1e-8)
    momentum: float = number("the share of v that is kept, m", least=0, below=1, default=0)
    centered: bool = flag("takes the square of the mean gradient away", default=False)

    @property
    def copies(self) -> int:
        return self.memory + (self.momentum > 0) + self.centered


class Adam(Optimizer):
    """The mean gradient over the root of the mean square: w ← w - lr·m/(√s + eps).

    m ← beta1·m + (1 - beta1)·g and s ← beta2·s + (1 - beta2)·g², each divided by 1 - beta^t, which
    frees it of its start at 0. Weight decay is added to the gradient; `adamw` takes it off the
    weights. (Kingma & Ba, 2014)
    """

    kind = "adam"
    memory = 2
    elsewhere: ClassVar = {
        "betas": "they are two parameters, `beta1=0.9 beta2=0.999`",
        "beta_1": "beta1",
        "beta_2": "beta2",
    }

    lr: float = number("the learning rate", above=0, default=1e-3)
    beta1: float = number("how long gradients are remembered", least=0, below=1, default=0.9)
    beta2: float = number("how long squares are remembered", least=0, below=1, default=0.999)
    eps: float = number("added to the root", above=0, default=1e-8)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: w ← w - lr·weight_decay·w comes first.

    (Loshchilov & Hutter, 2017)
    """

    kind = "adamw"

    weight_decay: float = number(
        "pulls weights towards 0: lr times so many times w is taken off", least=0, default=0.01
    )


OPTIMIZERS = table(Sgd, Momentum, Nesterov, Adagrad, Adadelta, RmsProp, Adam, AdamW)

COPIES = {word: kind.memory for word, kind in OPTIMIZERS.items()}
"""How many numbers each remembers for a parameter where no option adds to that."""

ELSEWHERE = {
    "gd": "sgd",
    "gradient_descent": "sgd",
    "heavy_ball": "momentum",
    "nag": "nesterov",
    "rms_prop": "rmsprop",
}
