"""What is a layer tried on? One line of a program, the inputs before it, and what must come out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from emit import witnesses as by
from emit.witnesses import Array, Formula

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


@dataclass(frozen=True)
class Case:
    """A network's body, what it computes, and of what inputs.

    With shapes, inputs `a`, `b`, … stand before the body. `draw` makes the numbers that enter.
    """

    body: str
    formula: Formula
    shapes: tuple[tuple[int, ...], ...] = ((4, 7, 6),)
    draw: Draw | None = None

    @property
    def text(self) -> str:
        inputs = [f"  input {size(s)} as {'abcdef'[k]}" for k, s in enumerate(self.shapes)]
        return "\n".join(["network {", *inputs, f"  {self.body}", "}"])


def size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


LINE, MAP, VOLUME = (4, 11), (4, 7, 6), (4, 5, 4, 3)
SHAPES = (LINE, MAP, VOLUME)


def at(body: str, formula: Formula, *shapes: tuple[int, ...], draw: Draw | None = None) -> Case:
    return Case(body, formula, shapes or (MAP,), draw)


def ranks(body: str, formula: Formula) -> list[Case]:
    """The same on signals, images and volumes."""
    return [at(body, formula, shape) for shape in SHAPES]


def anywhere(body: str, formula: Formula) -> list[Case]:
    """The same on vectors, signals, images and volumes."""
    return [at(body, formula, (9,)), *ranks(body, formula)]


def raw(body: str, formula: Formula) -> Case:
    """An input that says itself how it is prepared."""
    return Case(body, formula, ())


def merged(kind: str, how: Callable[..., Array], most: int) -> list[Case]:
    """Two or more branches, alike and with axes of size 1, in the first and in the second."""

    def formula(xs: list[Array], w: by.Weights) -> Array:
        y = xs[0]
        for x in xs[1:]:
            y = how(y, x)
        return y

    two = f"{kind} {{ | a | b }}"
    found = [
        at(two, formula, (9,), (9,)),
        at(two, formula, MAP, MAP),
        at(two, formula, MAP, (4, 1, 1)),
        at(two, formula, (1, 7, 6), MAP),
        at(two, formula, (4, 1, 6), (1, 7, 1)),
        at(two, formula, VOLUME, (1, 5, 4, 3)),
    ]
    if most > 2:
        found += [
            at(f"{kind} {{ | a }}", lambda xs, w: xs[0], MAP),
            at(f"{kind} {{ | a | b | c }}", formula, MAP, MAP, MAP),
            at(f"{kind} {{ | a | b | c }}", formula, (4, 1, 1), (1, 7, 1), (1, 1, 6)),
        ]
    return found


def mean_of(xs: list[Array], w: by.Weights) -> Array:
    return sum(np.broadcast_arrays(*xs), np.zeros(1)) / len(xs)


def positive(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.abs(random.normal(size=shape)) + 0.1


def with_nothing(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Some vectors are zero from end to end."""
    x = random.normal(size=shape)
    x[0] = 0
    x[..., -1] = 0
    return x


def large(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return random.normal(size=shape) * 30


def around(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """On both sides of 0 and of every bend, and exactly there."""
    x = random.normal(size=shape) * 3
    x.reshape(-1)[:6] = (0, 1, -1, 3, -3, 6)
    return x


def reduced(how: Callable[..., Array], axes: tuple[int, ...]) -> Formula:
    return lambda xs, w: how(xs[0], axis=axes, keepdims=True)


def length(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.sqrt((x**2).sum(axis=axis, keepdims=keepdims))


def per_channel(mul: list[float], add: list[float], *, channels_last: bool = False) -> Formula:
    def formula(xs: list[Array], w: by.Weights) -> Array:
        x = np.moveaxis(xs[0], -1, 1) if channels_last else xs[0]
        ones = [1] * (x.ndim - 2)
        return x * np.reshape(mul, (-1, *ones)) + np.reshape(add, (-1, *ones))

    return formula


def inverse(xs: list[Array], w: by.Weights) -> Array:
    return xs[0] @ xs[1].swapaxes(-1, -2)


def bordered(*widths: tuple[int, int], mode: Any = "constant", **given: Any) -> Formula:
    """Axes with so many pixels before and behind."""
    return lambda xs, w: np.pad(xs[0], [(0, 0), (0, 0), *widths], mode, **given)


def in_turn(*formulas: Formula) -> Formula:
    def formula(xs: list[Array], w: by.Weights) -> Array:
        for each in formulas:
            xs = [each(xs, w)]
        return xs[0]

    return formula


def negative(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return -positive(random, shape)


ONE, TWO = bordered((1, 1), (1, 1)), bordered((2, 2), (2, 2))

BORDERED = (
    ("pad 1", "3x3", in_turn(ONE, by.pool(by.largest, 3))),
    ("pad 1 -> dropout", "3x3 pad=1", in_turn(ONE, by.pool(by.largest, 3, None, 1))),
    ("pad 2", "2x2", in_turn(TWO, by.pool(by.largest, 2))),
)
"""A border's zeros are numbers like others; that of a pool is none."""

WINDOWS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("2", {"kernel": 2}, LINE),
    ("3x2", {"kernel": (3, 2)}, MAP),
    ("2x2", {"kernel": 2}, MAP),
    ("3x3 stride=2 pad=1", {"kernel": 3, "stride": 2, "pad": 1}, MAP),
    ("3x3 stride=2 pad=(0, 1, 2, 1)", {"kernel": 3, "stride": 2, "pad": (0, 1, 2, 1)}, MAP),
    ("3x3 stride=2 pad=same", {"kernel": 3, "stride": 2, "pad": "same"}, MAP),
    ("4x5 stride=1 pad=same", {"kernel": (4, 5), "stride": 1, "pad": "same"}, MAP),
    ("4 stride=3 ceil=yes", {"kernel": 4, "stride": 3, "is_ceil": True}, (4, 12)),
    ("2x2 ceil=yes", {"kernel": 2, "is_ceil": True}, MAP),
    # Rounded up, a window would begin behind the map: there is none.
    ("2x2 stride=3 ceil=yes", {"kernel": 2, "stride": 3, "is_ceil": True}, MAP),
    ("2x2 stride=2 pad=1 ceil=yes", {"kernel": 2, "pad": 1, "is_ceil": True}, (3, 5, 5)),
    (
        "3x3 stride=2 pad=1 ceil=yes",
        {"kernel": 3, "stride": 2, "pad": 1, "is_ceil": True},
        (3, 8, 6),
    ),
    (
        "3x2x2 stride=2 pad=1 ceil=yes",
        {"kernel": (3, 2, 2), "stride": 2, "pad": 1, "is_ceil": True},
        VOLUME,
    ),
    ("1x2 stride=3", {"kernel": (1, 2), "stride": 3}, MAP),
]

CUTS: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1,), LINE),
    ((4,), LINE),
    ((1, 1), MAP),
    ((7, 6), MAP),
    ((7, 3), MAP),
    ((3, 4), MAP),
    ((5, 6), MAP),
    ((2, 3, 2), VOLUME),
    ((5, 2, 1), VOLUME),
]


def pooled(kind: str, how: Callable[[Array], Array], extra: str = "") -> list[Case]:
    windows = [
        at(f"{kind} {text}{extra}", by.pool(how, **given), shape) for text, given, shape in WINDOWS
    ]
    cuts = [at(f"{kind} to={size(to)}{extra}", by.adaptive(how, *to), x) for to, x in CUTS]
    whole = [at(f"{kind} global{extra}", by.adaptive(how, *[1] * (len(x) - 1)), x) for x in SHAPES]
    return [*windows, *cuts, *whole]


def counted() -> list[Case]:
    return [
        at(f"avgpool {text} count_pad=yes", by.pool(by.mean, **given, counts_pad=True), shape)
        for text, given, shape in WINDOWS
    ]
