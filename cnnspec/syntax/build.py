# pyright: basic
"""Which node does each rule of the grammar make?"""

from typing import Any

from cnnspec.syntax import tree
from cnnspec.syntax.bounds import LONGEST_NAME
from cnnspec.syntax.brackets import DEEPEST
from cnnspec.syntax.precedence import COMPARE, LEVELS, GroupingFault, Operator, group
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source, Span


class Builder:
    """Makes the nodes of the tree; the parser calls the method of each rule that it has read."""

    def __init__(self) -> None:
        self.source = Source("", "")
        self.sink = Sink()
        self.comments: list[tree.Comment] = []

    def begin(self, source: Source, sink: Sink) -> None:
        self.source, self.sink = source, sink
        self.comments = []

    def keep_comment(self, token: Any) -> Any:
        self.comments.append(tree.Comment(self.span(token)))
        return token

    def span(self, token: Any) -> Span:
        return Span(self.source, token.start_pos, token.end_pos)

    def between(self, first: Any, last: Any) -> Span:
        return Span(self.source, first.start_pos, last.end_pos)

    # ── file ───────────────────────────────────────────────────────────────────────────────────

    def start(self, items: list[Any]) -> list[Any]:
        return items

    def broken(self, children: list[Any]) -> tree.Broken:
        return tree.Broken(self.span(children[0]))

    def use(self, children: list[Any]) -> tree.Use:
        keyword, path, *args = children
        end = args[-1].span.end if args else path.end_pos
        text = tree.Text(self.span(path), str(path)[1:-1])
        return tree.Use(Span(self.source, keyword.start_pos, end), text, tuple(args))

    def param(self, children: list[Any]) -> tree.Param:
        keyword, name, _, value = children
        span = Span(self.source, keyword.start_pos, value.span.end)
        return tree.Param(span, self.name(name), value)

    def block(self, children: list[Any]) -> tree.Block:
        keyword, name, *_, body = children
        formals = next((c for c in children[2:-1] if isinstance(c, list)), [])
        span = Span(self.source, keyword.start_pos, body.span.end)
        return tree.Block(span, self.name(name), tuple(formals), body)

    def formal_list(self, children: list[Any]) -> list[Any]:
        return children

    def formal(self, children: list[Any]) -> tree.Formal:
        name, *default = children
        value = default[-1] if default else None
        end = value.span.end if value is not None else name.end_pos
        return tree.Formal(Span(self.source, name.start_pos, end), str(name), value)

    def network(self, children: list[Any]) -> tree.Network:
        keyword, *names, body = children
        name = self.name(names[0]) if names else None
        span = Span(self.source, keyword.start_pos, body.span.end)
        return tree.Network(span, self.span(keyword), name, body)

    def train(self, children: list[Any]) -> tree.Train:
        keyword, body = children
        span = Span(self.source, keyword.start_pos, body.span.end)
        return tree.Train(span, self.span(keyword), body)

    # ── statements ─────────────────────────────────────────────────────────────────────────────

    def body(self, children: list[Any]) -> tree.Body:
        return tree.Body(self.between(children[0], children[-1]), tuple(children[1:-1]))

    def flow(self, calls: list[Any]) -> tree.Flow:
        first = calls[0].span
        return tree.Flow(Span(self.source, first.start, calls[-1].span.end), tuple(calls))

    def call(self, children: list[Any]) -> tree.Call:
        name: tree.Label = children[0]
        label: tree.Label | None = None
        branches: Any = None
        end = len(children)
        if end > 1 and type(children[-1]) is tree.Label:
            end -= 1
            label = children[end]
        if end > 1 and type(children[end - 1]) is tuple:
            end -= 1
            branches = children[end]
        last = children[-1]
        stop = branches[1] if type(last) is tuple else last.span.end
        return tree.Call(
            Span(self.source, name.span.start, stop),
            name.name,
            name.span,
            tuple(children[1:end]),
            branches[0] if branches is not None else None,
            label,
        )

    def path(self, names: list[Any]) -> tree.Label:
        return self._dotted(names)

    def dotted(self, names: list[Any]) -> tree.Label:
        return self._dotted(names)

    def label(self, children: list[Any]) -> tree.Label:
        return children[0]

    def _dotted(self, names: list[Any]) -> tree.Label:
        if len(names) == 1:
            return self.name(names[0])
        return self._short(self.between(names[0], names[-1]), ".".join(names))

    def name(self, token: Any) -> tree.Label:
        return self._short(self.span(token), str(token))

    def _short(self, span: Span, name: str) -> tree.Label:
        # Paths are made of names: a long one would be repeated for every layer in a block.
        if len(name) > LONGEST_NAME:
            self.sink.error(
                "too-large",
                f"the name has {len(name):,} characters; {LONGEST_NAME} are the most",
                span,
            )
            name = name[:LONGEST_NAME]
        return tree.Label(span, name)

    def branches(self, children: list[Any]) -> tuple[tuple[Any, ...], int]:
        """The branches, and where they end: a call's span must reach it."""
        return tuple(children[1:-1]), children[-1].end_pos

    def branch(self, children: list[Any]) -> tree.Body:
        bar, *statements = children
        end = statements[-1].span.end if statements else bar.end_pos
        return tree.Body(Span(self.source, bar.start_pos, end), tuple(statements))

    def let(self, children: list[Any]) -> tree.Let:
        keyword, (names, is_tuple), _, value = children
        span = Span(self.source, keyword.start_pos, value.span.end)
        return tree.Let(span, names, is_tuple, value)

    def repeat(self, children: list[Any]) -> tree.Repeat:
        keyword, count, body = children
        return tree.Repeat(Span(self.source, keyword.start_pos, body.span.end), count, body)

    def for_(self, children: list[Any]) -> tree.For:
        keyword, (names, is_tuple), _, items, body = children
        span = Span(self.source, keyword.start_pos, body.span.end)
        return tree.For(span, names, is_tuple, items, body)

    def single(self, children: list[Any]) -> tuple[tuple[tree.Label, ...], bool]:
        return (self.name(children[0]),), False

    def several(self, children: list[Any]) -> tuple[tuple[tree.Label, ...], bool]:
        names = [c for c in children if c.type == "NAME"]
        return tuple(map(self.name, names)), True

    def if_(self, children: list[Any]) -> tree.If:
        arms: list[tuple[Any, Any]] = []
        otherwise = None
        rest = iter([c for c in children if getattr(c, "type", "") not in ("IF", "ELSE")])
        for first in rest:
            body = next(rest, None)
            if body is None:
                otherwise = first
            else:
                arms.append((first, body))
        last = otherwise if otherwise is not None else arms[-1][1]
        span = Span(self.source, children[0].start_pos, last.span.end)
        return tree.If(span, tuple(arms), otherwise)

    def expect(self, children: list[Any]) -> tree.Expect:
        keyword, *claims = children
        return tree.Expect(Span(self.source, keyword.start_pos, claims[-1].span.end), tuple(claims))

    def head(self, children: list[Any]) -> tree.Head:
        keyword, name, body = children
        span = Span(self.source, keyword.start_pos, body.span.end)
        return tree.Head(span, name, body)

    # ── arguments and expressions ──────────────────────────────────────────────────────────────

    def placed(self, children: list[Any]) -> tree.Arg:
        (value,) = children
        return tree.Arg(value.span, None, value.span, value)

    def named(self, children: list[Any]) -> tree.Arg:
        name, _, value = children
        span = Span(self.source, name.start_pos, value.span.end)
        return tree.Arg(span, str(name), self.span(name), value)

    def expr(self, pieces: list[Any]) -> tree.Expr:
        if len(pieces) == 1:
            return pieces[0]
        row: list[Any] = []
        for piece in pieces:
            if hasattr(piece, "start_pos"):
                operator = Operator(piece)
                operator.span = self.span(piece)
                row.append(operator)
            else:
                row.append(piece)
        try:
            return group(row)
        except GroupingFault as fault:
            self.sink.error(fault.code, fault.message, fault.span, hint=fault.hint)
            operand = next(p for p in row if not isinstance(p, Operator))
            # A truth where comparisons were chained, so that the claim is not taken for a shape.
            if any(isinstance(p, Operator) and p in LEVELS[COMPARE] for p in row):
                return tree.Compare(operand.span, operand, "==", operand)
            return operand

    def number(self, children: list[Any]) -> tree.Expr:
        from cnnspec.syntax.numbers import read_number

        (token,) = children
        return read_number(str(token), self.span(token), self.sink)

    def text(self, children: list[Any]) -> tree.Text:
        return tree.Text(self.span(children[0]), str(children[0])[1:-1])

    def ref(self, names: list[Any]) -> tree.Ref:
        known = self._dotted(names)
        return tree.Ref(known.span, known.name)

    def invoke(self, children: list[Any]) -> tree.Invoke:
        name, *arguments, close = children
        span = self.between(name, close)
        return tree.Invoke(span, str(name), self.span(name), tuple(arguments))

    def paren(self, children: list[Any]) -> tree.Paren:
        return tree.Paren(self.between(children[0], children[-1]), children[1])

    def tuple_(self, children: list[Any]) -> tree.Tuple:
        return tree.Tuple(self.between(children[0], children[-1]), tuple(children[1:-1]), False)

    def list_(self, children: list[Any]) -> tree.Tuple:
        return tree.Tuple(self.between(children[0], children[-1]), tuple(children[1:-1]), True)

    def index(self, children: list[Any]) -> tree.Index:
        base, index, close = children
        span = Span(self.source, base.span.start, close.end_pos)
        depth, inner = 1, base
        while isinstance(inner, tree.Index):
            depth, inner = depth + 1, inner.base
        if depth > DEEPEST:
            self.sink.error(
                "nesting-too-deep", f"there are more than {DEEPEST} indices in a row", inner.span
            )
            return base
        return tree.Index(span, base, index)
