"""The optimizers: how weights follow their gradients."""

from cnnspec.settings.base import Word, table
from cnnspec.vocab.param import choice, flag, number


class Optimizer(Word):
    """Base of the optimizers: a learning rate and weight decay, added to the gradient."""

    lr: float = number("the learning rate", above=0, default=0.01)
    weight_decay: float = number("pulls weights towards 0", least=0, default=0)
    decay: str = choice(
        "what decays: all parameters, or weights but no biases and norms",
        "all",
        "weights",
        default="all",
    )


class Sgd(Optimizer):
    """Plain gradient descent: w ← w - lr·g."""

    kind = "sgd"


class Momentum(Optimizer):
    """Gradient descent with momentum: v ← m·v + g, w ← w - lr·v.

    With `damped=yes` the gradient enters with the weight 1 - m, so that
    w(t+1) = w(t) + m·(w(t) - w(t-1)) - (1 - m)·lr·g.
    """

    kind = "momentum"

    momentum: float = number(
        "the share of the last step that is kept, m", least=0, below=1, default=0.9
    )
    damped: bool = flag("weighs the gradient with 1 - m", default=False)


class Nesterov(Optimizer):
    """Momentum that looks ahead: v ← m·v + g, w ← w - lr·(g + m·v)."""

    kind = "nesterov"

    momentum: float = number(
        "the share of the last step that is kept, m", least=0, below=1, default=0.9
    )


class Adagrad(Optimizer):
    """Steps divided by the root of all squared gradients so far. (Duchi et al., 2011)"""

    kind = "adagrad"

    eps: float = number("added below", above=0, default=1e-10)


class Adadelta(Optimizer):
    """Steps in proportion to those before, over the gradients' size. (Zeiler, 2012)"""

    kind = "adadelta"

    lr: float = number("the learning rate", above=0, default=1)
    rho: float = number("how long squares are remembered", least=0, below=1, default=0.9)
    eps: float = number("added below", above=0, default=1e-6)


class RmsProp(Optimizer):
    """Steps divided by the root of the mean squared gradient. (Tieleman & Hinton, 2012)"""

    kind = "rmsprop"

    rho: float = number("how long squares are remembered", least=0, below=1, default=0.99)
    eps: float = number("added below", above=0, default=1e-8)
    momentum: float = number("the share of the last step that is kept", least=0, below=1, default=0)


class Adam(Optimizer):
    """Mean gradient over the root of the mean squared gradient, both freed of their start at 0.

    Weight decay is added to the gradient; `adamw` takes it off the weights. (Kingma & Ba, 2014)
    """

    kind = "adam"

    lr: float = number("the learning rate", above=0, default=1e-3)
    beta1: float = number("how long gradients are remembered", least=0, below=1, default=0.9)
    beta2: float = number("how long squares are remembered", least=0, below=1, default=0.999)
    eps: float = number("added below", above=0, default=1e-8)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: w ← w - lr·decay·w. (Loshchilov & Hutter,
    2017)"""

    kind = "adamw"

    weight_decay: float = number("pulls weights towards 0", least=0, default=0.01)


OPTIMIZERS = table(Sgd, Momentum, Nesterov, Adagrad, Adadelta, RmsProp, Adam, AdamW)

COPIES = {
    "sgd": 0,
    "momentum": 1,
    "nesterov": 1,
    "adagrad": 1,
    "adadelta": 2,
    "rmsprop": 1,
    "adam": 2,
    "adamw": 2,
}
"""How many numbers an optimizer remembers for each parameter."""
