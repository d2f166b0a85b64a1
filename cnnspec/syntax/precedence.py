"""How are operators grouped? The parser gives operands and operators in a row."""

from collections.abc import Sequence
from typing import TypeGuard

from cnnspec.syntax import tree
from cnnspec.text.source import Span

LEVELS: Sequence[frozenset[str]] = (
    frozenset({"or"}),
    frozenset({"and"}),
    frozenset({"not"}),
    frozenset({"==", "!=", "<", "<=", ">", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "//", "%"}),
)
"""From the loosest to the tightest; `not` stands before its operand, and so may `-`, more tightly
than products and less so than `**`."""

NOT, COMPARE, TIGHTEST = 2, 3, len(LEVELS)

MOST_SIGNS = 50
"""How many signs or `not`s may stand before one operand, or nest by `** -`."""


class Operator(str):
    """An operator as written, with its place."""

    __slots__ = ("span",)
    span: Span


class GroupingFault(Exception):
    """Operators that cannot be grouped; carries what is wrong and where."""

    def __init__(self, code: str, message: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint


Piece = tree.Expr | Operator


def group(pieces: Sequence[Piece]) -> tree.Expr:
    """The tree of a row of operands and operators."""
    return _Grouper(pieces).level(0)


class _Grouper:
    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self.at = 0
        self.signs = 0

    def level(self, k: int) -> tree.Expr:
        if k == NOT:
            return self.negation()
        if k == TIGHTEST:
            return self.sign()
        first = self.level(k + 1)
        rest: list[tuple[str, tree.Expr]] = []
        while (operator := self.operator()) in LEVELS[k]:
            self.at += 1
            if k == COMPARE and rest:
                assert isinstance(operator, Operator)
                raise GroupingFault(
                    "syntax",
                    "comparisons do not chain",
                    operator.span,
                    "join two of them with `and`",
                )
            rest.append((str(operator), self.level(k + 1)))
        if not rest:
            return first
        span = first.span.to(rest[-1][1].span)
        if k == COMPARE:
            return tree.Compare(span, first, *rest[0])
        return tree.Chain(span, first, tuple(rest))

    def negation(self) -> tree.Expr:
        operator = self.operator()
        if operator != "not":
            return self.level(NOT + 1)
        self.at += 1
        self.deeper(operator)
        inner = self.negation()
        return tree.Not(operator.span.to(inner.span), inner)

    def sign(self) -> tree.Expr:
        operator = self.operator()
        if operator == "not":
            raise GroupingFault(
                "syntax",
                "`not` binds less than what stands before it",
                operator.span,
                "put it in parentheses",
            )
        if operator != "-":
            return self.power()
        self.at += 1
        self.deeper(operator)
        inner = self.sign()
        return tree.Sign(operator.span.to(inner.span), inner)

    def power(self) -> tree.Expr:
        first = self.operand()
        rest: list[tuple[str, tree.Expr]] = []
        while self.operator() == "**":
            self.at += 1
            # A sign takes in all that follows, as in 2 ** -3 ** 2.
            signed = self.operator() is not None
            rest.append(("**", self.sign() if signed else self.operand()))
            if signed:
                break
        if not rest:
            return first
        return tree.Chain(first.span.to(rest[-1][1].span), first, tuple(rest))

    def operand(self) -> tree.Expr:
        piece = self.pieces[self.at]
        self.at += 1
        assert not isinstance(piece, Operator), "the grammar puts an operand here"
        return piece

    def operator(self) -> Operator | None:
        piece = self.pieces[self.at] if self.at < len(self.pieces) else None
        return piece if _is_operator(piece) else None

    def deeper(self, operator: Operator) -> None:
        self.signs += 1
        if self.signs > MOST_SIGNS:
            raise GroupingFault(
                "nesting-too-deep", f"more than {MOST_SIGNS} signs in one expression", operator.span
            )


def _is_operator(piece: Piece | None) -> TypeGuard[Operator]:
    return isinstance(piece, Operator)
