"""What is a training setting: one line of `train { … }`, its name and the words that may follow?"""

from collections.abc import Mapping
from itertools import takewhile
from typing import ClassVar, Literal, TypeVar, cast

from cnnspec.text.record import record
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Axes, Mismatch
from cnnspec.vocab.value import show

Targets = Literal["classes", "masks", "pictures", "numbers"]
"""What comes with an example: its class, a class for each pixel, another picture, or numbers."""


def _told(cls: type) -> Mapping[str, str]:
    told = vars(cls).get("elsewhere", {})
    assert isinstance(told, dict)
    return cast("dict[str, str]", told)


class Word(Kind):
    """Base of the words that follow a setting's name: `adam` in `optimizer adam lr=1e-3`."""

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What other tools call its parameters, with the name here; or, where there is no such
    parameter, with a sentence that says how to write it. A subclass adds to those of its base."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.elsewhere = {k: v for base in reversed(cls.__mro__) for k, v in _told(base).items()}

    def text(self) -> str:
        """The call as the language would write it: what was given, lists as lists, not as sizes."""
        placed = list(takewhile(self.was_given, self.positional))
        named = [n for n in self.params if self.was_given(n) and n not in placed]
        return " ".join(
            [self.kind, *map(self._argument, placed), *(f"{n}={self._argument(n)}" for n in named)]
        )

    def _argument(self, param: str) -> str:
        value: object = self.given[param]
        if isinstance(value, tuple) and not isinstance(self.params[param].type, Axes):
            items = [_show(item) for item in cast("tuple[object, ...]", value)]
            return items[0] if len(items) == 1 else f"[{', '.join(items)}]"
        return _show(cast("object", value))


W = TypeVar("W", bound=Word)


class Plain(Word):
    """Base of the settings without words, which take their arguments directly: `epochs 12`."""


@record
class Setting:
    """A setting: its name, what it says, and the words that may follow; or the kind of its
    arguments, where it has no words."""

    name: str
    noun: str
    """One of its words, as in `there is no loss …`."""
    doc: str
    words: Mapping[str, type[Word]]
    plain: type[Plain] | None
    is_repeatable: bool
    """May it stand on several lines?"""
    is_chain: bool
    """May several words follow each other by `->`?"""
    elsewhere: Mapping[str, str]
    """What other tools call its words, with the word here."""


class HeadName:
    """The name of a head. It stays a word, so that the call can be written again as it was."""

    words = ()

    def describe(self) -> str:
        return "the name of a head, in quotes where it has dots"

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise Mismatch
        return value


def table(*kinds: type[W]) -> Mapping[str, type[W]]:
    return {kind.kind: kind for kind in kinds}


def _show(value: object) -> str:
    """As `show`, but numbers in full, and a sign in brackets, where it would subtract."""
    text = repr(value) if isinstance(value, float) else show(value)
    return f"({text})" if text.startswith("-") else text
