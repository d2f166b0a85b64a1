"""How does a test come to a legal call of any kind? Drawn from the types of its parameters."""

import random

from cnnspec.layers.base import Layer
from cnnspec.vocab.param import (
    Axes,
    Choice,
    Flag,
    Many,
    Mismatch,
    Name,
    Number,
    OneOf,
    Type,
    Whole,
)
from cnnspec.vocab.value import Shape, Word

NUMBERS = (-1, -0.5, 0, 0.1, 0.25, 0.5, 2 / 3, 1, 1.5, 2, 3)


def layer(kind: type[Layer], share: float = 0.35) -> Layer:
    """A layer with what it requires, mostly what stands by place, and some of the rest."""
    given: dict[str, object] = {}
    for param in kind.params.values():
        often = 0.7 if param.name in kind.positional else share
        if param.is_required or random.random() < often:
            given[param.name] = param.type.read(value(param.type))
    return kind(**given)


def value(of: Type) -> object:
    """A value that the type reads, as an expression would come to it."""
    match of:
        case Whole(least, most):
            low = -2 if least is None else least
            return random.randint(low, low + 6 if most is None else min(most, low + 6))
        case Number():
            return random.choice([n for n in NUMBERS if _reads(of, n)])
        case Flag():
            return random.random() < 0.5
        case Choice(words):
            return Word(random.choice(words))
        case Axes(least):
            if random.random() < 0.5:
                return random.randint(least, 5)
            return tuple(random.randint(least, 5) for _ in range(random.randint(1, 5)))
        case Many(item):
            return tuple(value(item) for _ in range(random.randint(1, 3)))
        case OneOf():
            return value(random.choice(of.types))
        case Name():
            return "name"
        case _:
            raise AssertionError(f"no values of {of.describe()} are known")


def shape(rank: int | None = None, most: int = 9) -> Shape:
    """A flat vector (rank 0) or a map of up to three axes."""
    axes = random.randint(0, 3) if rank is None else rank
    return tuple(random.randint(1, most) for _ in range(axes + 1))


def _reads(of: Type, number: float) -> bool:
    try:
        of.read(number)
    except Mismatch:
        return False
    return True
