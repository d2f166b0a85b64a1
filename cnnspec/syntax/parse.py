# pyright: basic
"""What tree does a text make? Total: what cannot be read becomes `Broken`, and is reported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from cnnspec.syntax import tree
from cnnspec.syntax.bounds import is_too_large
from cnnspec.syntax.brackets import match_braces
from cnnspec.syntax.build import Builder
from cnnspec.syntax.complain import ITEMS, STATEMENTS, Complaint, Context, complain
from cnnspec.syntax.layout import lay_out
from cnnspec.syntax.tables import parser_with
from cnnspec.text.diagnostic import Sink, TooManyErrors
from cnnspec.text.source import Source, Span

if TYPE_CHECKING:
    from lark import Lark, Token

LONGEST_BROKEN = 20_000
"""Behind a broken statement of more tokens than this, reading on helps nobody."""

_AFTER_LINE = frozenset({"RBRACE", "ELSE", "_ARROW", "$END"})
"""Before these the end of a line is no token."""

_BEGINNINGS = frozenset({"LBRACE", "RBRACE", "BAR", "_NL"})

_parsing = Lock()


def parse(source: Source, sink: Sink) -> tree.File:
    """The tree of a source; the sink gets every mistake in its syntax."""
    empty = tree.File(source, (), ())
    try:
        if is_too_large(source, sink):
            return empty
        braces = match_braces(source, sink)
        if braces.is_too_deep:
            return empty
        with _parsing:
            return _Reading(source, sink).read(braces)
    except TooManyErrors:
        return empty


@cache
def _lark() -> tuple[Lark, Builder]:
    """The parser, built on first use; its callbacks make the tree's nodes."""
    builder = Builder()
    parser = parser_with(
        transformer=builder,
        lexer_callbacks={"COMMENT": builder.keep_comment},
        postlex=_KeepStrays(),
    )
    return parser, builder


class _KeepStrays:
    """Tells lark to keep the terminals that no rule mentions: they are what is never right."""

    always_accept = ("STRAY", "OPEN_STRING")

    def process(self, stream: Iterator[Any]) -> Iterator[Any]:
        return stream


class _Reading:
    """One text on its way through the parser.

    A token that fits nowhere is reported; the parser goes back to the beginning of the statement,
    which becomes `BROKEN`, and on behind its end.
    """

    def __init__(self, source: Source, sink: Sink) -> None:
        from lark import Token

        self.source = source
        self.sink = sink
        self.token = Token
        self.lark, self.builder = _lark()
        self.builder.begin(source, sink)
        self.state = self.lark.parse_interactive("").parser_state
        self.table = self.state.parse_conf.parse_table.states
        self.outside = 0
        """How many statements outside of all braces have been met."""
        self.was_outside = False
        """Was the last complaint about a statement outside of all braces?"""
        self.broken_from = -1
        """Where a broken statement begins whose end is not reached yet."""
        self.depth = 0
        """Braces opened within the broken statement."""
        self.skipped = 0
        """Tokens of the broken statement."""

    def read(self, braces: Any) -> tree.File:
        from lark.exceptions import UnexpectedToken

        feed = self.state.feed_token
        before: Token | None = None
        for token in self._tokens(braces):
            if self.broken_from >= 0 and not self._recovers(token):
                before = token
                continue
            try:
                feed(token)
            except UnexpectedToken:
                self._reject(token, before)
            before = token
        return self._finish(before)

    def _tokens(self, braces: Any) -> Iterator[Any]:
        thread: Any = self.lark.parser._make_lexer_thread(self.source.text)
        return lay_out(thread.lex(None), braces, self._make, len(self.source.text))

    def _make(self, type: str, value: str, at: int) -> Any:
        return self.token(type, value, start_pos=at, end_pos=at)

    def _finish(self, before: Any) -> tree.File:
        from lark.exceptions import UnexpectedToken

        end = self._make("$END", "", len(self.source.text))
        if self.broken_from >= 0:
            self._close_broken(end)
        try:
            items = self.state.feed_token(end, True)
        except UnexpectedToken:
            self._reject(end, before)
            self._close_broken(end)
            items = self.state.feed_token(end, True)
        comments = tuple(self.builder.comments)
        return tree.File(self.source, tuple(items), comments)

    def _reject(self, token: Any, before: Any) -> None:
        """Report a token that fits nowhere and go back to the beginning of its statement."""
        expected = frozenset(k for k in self.table[self.state.state_stack[-1]] if k.isupper())
        self._say(complain(self._context(token, before, expected)))
        states, values = self.state.state_stack, self.state.value_stack
        start = token.start_pos
        self.depth = self.skipped = 0
        closed = 0
        while closed or "BROKEN" not in self.table[states[-1]]:
            states.pop()
            value = values.pop()
            start = min(start, _start_of(value, start))
            # Its brace belongs to the statement, so that brace's end does not end a body; one that
            # is closed already hides where a statement could begin in it.
            kind = getattr(value, "type", "")
            if kind == "RBRACE":
                closed += 1
            elif kind == "LBRACE" and closed:
                closed -= 1
            elif kind == "LBRACE":
                self.depth += 1
        self.broken_from = start
        if self._recovers(token):
            self.state.feed_token(token)

    def _recovers(self, token: Any) -> bool:
        """Does the broken statement end before this token? Then the parser is ready for it."""
        kind = token.type
        self.skipped += 1
        if self.skipped > LONGEST_BROKEN:
            raise TooManyErrors
        if self.depth == 0 and kind in ("_NL", "RBRACE", "BAR"):
            states, values = list(self.state.state_stack), list(self.state.value_stack)
            self._close_broken(token)
            if self._accepts(kind):
                return True
            # A bar outside a merge, say: it belongs to what is skipped.
            self.state.state_stack[:], self.state.value_stack[:] = states, values
            self.broken_from = min(self.broken_from, token.start_pos)
        if kind == "LBRACE":
            self.depth += 1
        elif kind == "RBRACE":
            self.depth = max(0, self.depth - 1)
        return False

    def _close_broken(self, token: Any) -> None:
        end = max(token.start_pos, self.broken_from)
        text = self.source.text[self.broken_from : end].rstrip()
        broken = self.token(
            "BROKEN", text, start_pos=self.broken_from, end_pos=self.broken_from + len(text)
        )
        self.broken_from = -1
        self.state.feed_token(broken)

    def _accepts(self, kind: str) -> bool:
        """Would the parser take such a token now, after the reductions that it asks for?"""
        states = list(self.state.state_stack)
        while True:
            action = self.table[states[-1]].get(kind)
            if action is None:
                return False
            move, arg = action
            if move.name == "Shift":
                return True
            size = len(arg.expansion)
            if size:
                del states[-size:]
            states.append(self.table[states[-1]][arg.origin.name][1])

    def _context(self, token: Any, before: Any, expected: frozenset[str]) -> Context:
        kind, at = token.type, token.start_pos
        if kind in _AFTER_LINE and before is not None and before.type not in ("LBRACE", "BAR"):
            end = self.source.text.find("\n", before.end_pos, at)
            # What is missing is missing in the line before.
            kind, at = ("_NL", end) if end >= 0 else (kind, at)
        return Context(
            kind=kind,
            text=str(token),
            span=Span(self.source, at, token.end_pos if kind == token.type else at + 1),
            before_kind=before.type if before is not None else "",
            before=str(before) if before is not None else "",
            before_span=Span(self.source, before.start_pos, before.end_pos)
            if before is not None
            else None,
            expected=expected,
            open_bracket=self._open_bracket(),
            statement=self._statement(),
        )

    def _statement(self) -> str:
        """The word that begins the innermost statement under way, if one does."""
        kinds = (getattr(value, "type", "") for value in reversed(self.state.value_stack))
        found = next((kind for kind in kinds if kind in STATEMENTS or kind in _BEGINNINGS), "")
        return found if found in STATEMENTS else ""

    def _open_bracket(self) -> Span | None:
        """The innermost round or square bracket that the statement has not closed."""
        for value in reversed(self.state.value_stack):
            kind = getattr(value, "type", "")
            if kind in ("LPAR", "LSQB", "_CALL_OPEN", "_INDEX_OPEN"):
                return Span(self.source, value.start_pos, value.end_pos)
            if kind in ("LBRACE", "BAR"):
                return None
        return None

    def _say(self, complaint: Complaint) -> None:
        is_outside = complaint.message.startswith(f"expected {ITEMS}")
        self.outside += is_outside
        if self.outside > self.sink.limit:
            raise TooManyErrors
        if is_outside and self.was_outside:
            # The head of a network is missing, say: that is one mistake, not one for each line.
            return
        self.was_outside = is_outside
        self.sink.error(
            complaint.code,
            complaint.message,
            complaint.span,
            hint=complaint.hint,
            labels=complaint.labels,
        )


def _start_of(value: Any, otherwise: int) -> int:
    """Where a value of the parser's stack begins in the text."""
    if isinstance(value, list):
        return min((_start_of(v, otherwise) for v in value), default=otherwise)
    span = getattr(value, "span", None)
    if span is not None:
        return span.start
    start = getattr(value, "start_pos", None)
    return otherwise if start is None else start
