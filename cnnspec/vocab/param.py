"""What can a parameter hold, how is that said, and what is an argument turned into?

A kind declares its parameters as class attributes, made by the functions at the end of this file;
each names the type that an instance's attribute will have. Documentation, hover texts, the
reference's tables and the messages about ill-typed arguments all come from these declarations.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

from cnnspec.text.record import record
from cnnspec.vocab.value import Word, listing, show


class Mismatch(Exception):
    """An argument does not fit its parameter's type."""


class Type(Protocol):
    """A set of values: how it is described, and how a value is read into it."""

    def describe(self) -> str: ...
    def read(self, value: object) -> object:
        """The value as the kind wants it; `Mismatch` where it does not belong."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """Bare names that mean something here."""
        ...


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


class Param:
    """One parameter of a kind. As a class attribute it learns its own name."""

    __slots__ = ("default", "doc", "name", "type")

    def __init__(self, type: Type, doc: str, default: object = REQUIRED) -> None:
        self.name = ""
        self.type = type
        self.doc = doc
        self.default = default

    def __set_name__(self, owner: object, name: str) -> None:
        # One called like a word of Python (`from`, `in`) is declared with a final underscore.
        self.name = name.rstrip("_")

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    def describe_default(self) -> str:
        return "" if self.default is None else show(self.default)


@record
class Whole:
    """A whole number within bounds."""

    least: int | None = None
    most: int | None = None

    words = ()

    def describe(self) -> str:
        match self.least, self.most:
            case None, None:
                return "a whole number"
            case int(a), None:
                return f"a whole number of at least {a}"
            case None, int(b):
                return f"a whole number of at most {b}"
            case a, b:
                return f"a whole number from {a} to {b}"

    def read(self, value: object) -> int:
        if type(value) is not int or self._outside(value):
            raise Mismatch
        return value

    def _outside(self, value: int) -> bool:
        return (self.least is not None and value < self.least) or (
            self.most is not None and value > self.most
        )


@record
class Number:
    """A real number within bounds; `above` and `below` are bounds that it may not touch."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    words = ()

    def describe(self) -> str:
        parts = [
            f"{text} {show(bound)}"
            for text, bound in (
                ("of at least", self.least),
                ("above", self.above),
                ("of at most", self.most),
                ("below", self.below),
            )
            if bound is not None
        ]
        return " ".join(["a number", " and ".join(parts)]).strip()

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Mismatch
        fits = (
            (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )
        if not fits:
            raise Mismatch
        return value


@record
class Flag:
    """Yes or no."""

    words = ("yes", "no")

    def describe(self) -> str:
        return "yes or no"

    def read(self, value: object) -> bool:
        if type(value) is not bool:
            raise Mismatch
        return value


@record
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def describe(self) -> str:
        return listing(self.words)

    def read(self, value: object) -> str:
        # It stays a word, so that the call can be written again as it was.
        if not isinstance(value, Word) or value not in self.words:
            raise Mismatch
        return value


@record
class Name:
    """A free name or text: a data set, a file, a layer."""

    what: str = "a name or a text in quotes"

    words = ()

    def describe(self) -> str:
        return self.what

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise Mismatch
        return str(value)


@record
class Axes:
    """One whole number for every axis alike, or one for each: `2`, `5x5`, `(1, 7)`."""

    least: int = 1

    words = ()

    def describe(self) -> str:
        return f"a whole number of at least {self.least}, or one for each axis, as in 3x3"

    def read(self, value: object) -> int | tuple[int, ...]:
        if type(value) is int and value >= self.least:
            return value
        if isinstance(value, tuple):
            items = cast("tuple[object, ...]", value)
            if items and all(type(v) is int and v >= self.least for v in items):
                return cast("tuple[int, ...]", items)
        raise Mismatch


@record
class Many:
    """Several values of one type; a single one stands for a list of one."""

    item: Type
    least: int = 1

    @property
    def words(self) -> tuple[str, ...]:
        return self.item.words

    def describe(self) -> str:
        return f"a list, each item {self.item.describe()}"

    def read(self, value: object) -> tuple[object, ...]:
        items: Sequence[object] = (
            cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        )
        if len(items) < self.least:
            raise Mismatch
        return tuple(self.item.read(item) for item in items)


class OneOf:
    """Any of several types, tried in order."""

    __slots__ = ("types",)

    def __init__(self, *types: Type) -> None:
        self.types = types

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(w for t in self.types for w in t.words)

    def describe(self) -> str:
        return ", or ".join(t.describe() for t in self.types)

    def read(self, value: object) -> object:
        for t in self.types:
            try:
                return t.read(value)
            except Mismatch:
                continue
        raise Mismatch


def _declare(type: Type, doc: str, default: object) -> Any:
    # The checker of types sees the attribute of an instance; the class holds its declaration.
    return Param(type, doc, default)


def whole(
    doc: str, *, least: int | None = 1, most: int | None = None, default: object = REQUIRED
) -> int:
    return _declare(Whole(least, most), doc, default)


def number(
    doc: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    default: object = REQUIRED,
) -> float:
    return _declare(Number(least, most, above, below), doc, default)


def flag(doc: str, *, default: object = REQUIRED) -> bool:
    return _declare(Flag(), doc, default)


def choice(doc: str, *words: str, default: object = REQUIRED) -> str:
    # A word like those that are given, so that it is shown as one.
    return _declare(Choice(words), doc, Word(default) if isinstance(default, str) else default)


def name(doc: str, *, what: str = "a name or a text in quotes", default: object = REQUIRED) -> str:
    return _declare(Name(what), doc, default)


def axes(doc: str, *, least: int = 1, default: object = REQUIRED) -> int | tuple[int, ...]:
    return _declare(Axes(least), doc, default)


def of(type: Type, doc: str, *, default: object = REQUIRED) -> Any:
    """A parameter of any other type; annotate the attribute with what it holds."""
    return _declare(type, doc, default)


Reader = Callable[[object], object]
