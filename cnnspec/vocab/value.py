"""What an expression can come to: numbers, yes and no, words, texts, tuples, or not known."""

from collections.abc import Sequence
from typing import Final

Shape = tuple[int, ...]
"""Channels first, then the spatial axes; the batch is not part of it. `(120,)` is a flat vector."""


class Word(str):
    """A bare name that is no variable: `same`, `global`, `adam`."""

    __slots__ = ()


class Unknown:
    """The value of something already reported as wrong; rules that meet it stay silent."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = Unknown()


def show(value: object) -> str:
    """A value as the language would write it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Word():
            return str(value)
        case str():
            return f'"{value}"'
        case float():
            return f"{value:.12g}"
        case tuple() | list():
            return show_items(value)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return str(value)


def show_items(values: Sequence[object]) -> str:
    """A tuple: as a size where it is one (`5x5`), otherwise item by item; one alone as `[5]`."""
    if len(values) == 1:
        return f"[{show(values[0])}]"
    if len(values) > 1 and all(type(v) is int and v >= 0 for v in values):
        return "x".join(str(v) for v in values)
    return "(" + ", ".join(show(v) for v in values) + ")"


def show_shape(shape: Shape) -> str:
    """`16x5x5`, and `120` for a flat vector."""
    return "x".join(str(n) for n in shape)


def listing(words: Sequence[str], last: str = "or") -> str:
    """`a, b or c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
