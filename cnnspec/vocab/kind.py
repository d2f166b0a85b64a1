"""What is a kind: a word of the language with parameters, be it a layer or a training setting?"""

from collections.abc import Mapping
from keyword import iskeyword
from typing import ClassVar, Self, cast

from cnnspec.vocab.param import Param
from cnnspec.vocab.value import show


class Kind:
    """Base of every word that can be called. Instances hold the arguments and never change.

    A subclass declares its parameters as class attributes (see `vocab.param`), says which of them
    may be given by place, and carries its documentation as its docstring: the first line is the
    summary, the rest the page that `cnnspec explain` shows.
    """

    kind: ClassVar[str]
    params: ClassVar[dict[str, Param]] = {}
    positional: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        own = {p.name: p for p in vars(cls).values() if isinstance(p, Param)}
        cls.params = {**cls.params, **own}

    def __init__(self, **given: object) -> None:
        """From values that `vocab.bind` has read; what is not given takes its default."""
        self.given: Mapping[str, object] = given
        values = vars(self)
        for name, param in self.params.items():
            values[_attribute(name)] = given.get(name, param.default)

    def value(self, param: str) -> object:
        return vars(self)[_attribute(param)]

    def was_given(self, param: str) -> bool:
        """Did the author write it, or is it the default?"""
        return param in self.given

    def text(self) -> str:
        """The call as the language would write it, defaults left out."""
        words = [self.kind]
        by_place = True
        for name in self.positional:
            by_place = by_place and name in self.given
            if by_place:
                words.append(_show_argument(self.given[name]))
        placed = set(self.positional[: len(words) - 1])
        words += [
            f"{name}={_show_argument(self.given[name])}"
            for name in self.params
            if name in self.given and name not in placed
        ]
        return " ".join(words)

    @classmethod
    def summary(cls) -> str:
        return (cls.__doc__ or "").strip().split("\n", 1)[0]

    def same_as(self, other: Self) -> bool:
        return type(self) is type(other) and self.given == other.given


def _attribute(param: str) -> str:
    return f"{param}_" if iskeyword(param) else param


def _show_argument(value: object) -> str:
    text = _exact(value)
    # `conv 8 -1` would read as a subtraction.
    return f"({text})" if text.startswith("-") else text


def _exact(value: object) -> str:
    """As `show`, but numbers in full: 1/255 written and read again is the same number."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
        if any(type(v) is not int for v in items):
            return f"({', '.join(_exact(v) for v in items)}{',' if len(items) == 1 else ''})"
        return show(items)
    return show(value)
