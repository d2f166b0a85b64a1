"""Which line ends separate statements? The parser sees no others."""

from collections.abc import Iterator
from typing import Protocol, TypeVar

from cnnspec.syntax.brackets import Braces


class TokenLike(Protocol):
    """What layout needs of a token."""

    type: str
    start_pos: int | None
    end_pos: int | None


class Maker(Protocol):
    """Makes a token that does not stand in the text."""

    def __call__(self, type: str, value: str, at: int) -> "TokenLike": ...


T = TypeVar("T", bound=TokenLike)

_OPENERS = frozenset({"LPAR", "LSQB", "_CALL_OPEN", "_INDEX_OPEN"})
_CLOSERS = frozenset({"RPAR", "RSQB"})

# After these a bracket cannot end yet, so a line end goes on with the bracket.
_UNFINISHED = _OPENERS | {"_COMMA", "PLUS", "MINUS", "PRODUCT_OP", "POWER", "COMPARE", "EQUAL"}
_CONTINUING = _CLOSERS | {
    "_COMMA",
    "PLUS",
    "MINUS",
    "PRODUCT_OP",
    "POWER",
    "COMPARE",
    "LPAR",
    "LSQB",
}

# A line that begins with one of these continues the statement before.
_JOINING = frozenset({"_ARROW", "BAR", "LBRACE", "RBRACE", "ELSE", "$END"})
_JUST_OPENED = frozenset({"LBRACE", "BAR", "_NL", ""})


def lay_out(
    tokens: "Iterator[T]", braces: Braces, make: Maker, end: int
) -> "Iterator[T | TokenLike]":
    """The tokens with only the line ends that matter, brackets told apart and braces matched."""
    before = ""
    before_end = -1
    depth = 0
    pending: T | None = None
    for token in tokens:
        kind = token.type
        if kind == "_NL":
            pending = token
            continue
        if kind == "RBRACE" and token.start_pos in braces.extra:
            continue
        if kind == "LPAR" and before == "NAME" and before_end == token.start_pos:
            token.type = kind = "_CALL_OPEN"
        elif (
            kind == "LSQB" and before in ("NAME", "RSQB", "RPAR") and before_end == token.start_pos
        ):
            token.type = kind = "_INDEX_OPEN"
        for _ in range(braces.missing.get(token.start_pos or 0, 0) if braces.missing else 0):
            yield make("RBRACE", "}", token.start_pos or 0)
            before, depth = "RBRACE", 0
        if pending is not None:
            goes_on = depth > 0 and (before in _UNFINISHED or kind in _CONTINUING)
            if not goes_on:
                depth = 0
                if kind not in _JOINING and before not in _JUST_OPENED:
                    yield pending
                    before = "_NL"
            pending = None
        if kind in _OPENERS:
            depth += 1
        elif kind in _CLOSERS:
            depth = max(0, depth - 1)
        yield token
        before, before_end = kind, token.end_pos or 0
    for _ in range(braces.missing.get(end, 0)):
        yield make("RBRACE", "}", end)
