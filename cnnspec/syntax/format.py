"""What is the canonical form of a spec? One for one program, the comments kept."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import cast

from cnnspec.syntax import tree
from cnnspec.syntax.spelling import spell, spell_argument
from cnnspec.text.source import Source, Span

WIDEST = 100
"""What an author has put on one line stays there as long as it fits."""

STEP = 2


def format_file(file: tree.File) -> str:
    """The canonical text of a file that has been read without a mistake."""
    return _Printer(file).print()


def same_program(a: object, b: object) -> bool:
    """Do two trees say the same, wherever it stands in their texts?"""
    if type(a) is not type(b):
        return False
    if isinstance(a, Span | Source):
        return True
    if is_dataclass(a) and not isinstance(a, type):
        # Two comments that come to stand on one line have become one.
        names = [f.name for f in fields(a) if not f.name.endswith("span") and f.name != "comments"]
        return all(same_program(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, tuple):
        left, right = cast("tuple[object, ...]", a), cast("tuple[object, ...]", b)
        return len(left) == len(right) and all(map(same_program, left, right))
    return a == b


@dataclass(slots=True)
class _Line:
    """A line of the result."""

    indent: int
    text: str
    comment: str = ""


class _Printer:
    def __init__(self, file: tree.File) -> None:
        self.file = file
        self.lines: list[_Line] = []
        self.open: _Line | None = None
        """The line that is being written."""
        self.comments = list(file.comments)
        self.next_comment = 0
        self.last_line = 0
        """The last line of the source that has been written."""

    def print(self) -> str:
        before: tree.Item | None = None
        for item in self.file.items:
            if before is not None and (self.is_long(before) or self.is_long(item)):
                self.blank()
            self.before(item.span, 0)
            self.item(item)
            before = item
        self.comments_before(len(self.file.source.text) + 1, 0)
        self.align_comments()
        text = "\n".join(" " * line.indent + line.text + line.comment for line in self.lines)
        return text.rstrip() + "\n" if text.strip() else ""

    # ── lines and comments ─────────────────────────────────────────────────────────────────────

    def line_of(self, offset: int) -> int:
        return self.file.source.position(offset)[0]

    def is_long(self, node: tree.Item) -> bool:
        return self.line_of(node.span.start) != self.line_of(node.span.end)

    def blank(self) -> None:
        """A blank line, unless there is one."""
        if self.lines and self.lines[-1].text:
            self.lines.append(_Line(0, ""))

    def before(self, span: Span, indent: int) -> None:
        """What stands between what has been written and a statement: comments, a blank line."""
        self.comments_before(span.start, indent)
        self.keep_blank(span.start)

    def keep_blank(self, offset: int) -> None:
        """One blank line where the author has left any."""
        line = self.line_of(offset)
        if self.lines and line > self.last_line + 1 and self.lines[-1].text:
            above = self.lines[-1].text
            if not above.endswith("{"):
                self.lines.append(_Line(0, ""))
        self.last_line = max(self.last_line, line)

    def comments_before(self, offset: int, indent: int) -> None:
        """Comments with a line of their own that stand before a place of the source."""
        while self.next_comment < len(self.comments):
            span = self.comments[self.next_comment].span
            if span.start >= offset:
                return
            self.next_comment += 1
            self.keep_blank(span.start)
            self.lines.append(_Line(indent, span.text.rstrip()))

    def has_comment(self, span: Span) -> bool:
        """Does a comment that is not yet written stand in a part of the source?"""
        coming = self.comments[self.next_comment : self.next_comment + 1]
        return any(c.span.start < span.end for c in coming)

    def begin(self, indent: int, text: str = "") -> None:
        assert self.open is None, "one line at a time"
        self.open = _Line(indent, text)

    def write(self, text: str) -> None:
        assert self.open is not None, "text belongs on a line"
        self.open.text += text

    def end(self, offset: int) -> None:
        """End the line; what it shows reaches to `offset` of the source, and comments up to the end
        of that line of the source are its own."""
        assert self.open is not None, "a line was begun"
        line = self.line_of(offset)
        said: list[str] = []
        while self.next_comment < len(self.comments):
            span = self.comments[self.next_comment].span
            if self.line_of(span.start) > line:
                break
            said.append(span.text.rstrip())
            self.next_comment += 1
        self.open.comment = " ".join(said)
        self.lines.append(self.open)
        self.last_line = max(self.last_line, line)
        self.open = None

    def align_comments(self) -> None:
        """Comments behind neighbouring lines begin in one column, two blanks behind the longest."""
        start = 0
        while start < len(self.lines):
            stop = start
            while stop < len(self.lines) and self.lines[stop].comment:
                stop += 1
            run = self.lines[start:stop]
            column = max((line.indent + len(line.text) for line in run), default=0) + 2
            for line in run:
                line.comment = " " * (column - line.indent - len(line.text)) + line.comment
            start = max(stop, start + 1)

    # ── items and statements ───────────────────────────────────────────────────────────────────

    def item(self, item: tree.Item) -> None:
        match item:
            case tree.Use():
                words = [f'use "{item.path.text}"', *map(spell_argument, item.args)]
                self.single(item.span, " ".join(words), 0)
            case tree.Param():
                self.single(item.span, f"param {item.name.name} = {spell(item.value)}", 0)
            case tree.Let() | tree.Expect():
                self.statement(item, 0)
            case tree.Block():
                formals = ", ".join(_formal(f) for f in item.formals)
                head = f"block {item.name.name}" + (f"({formals})" if formals else "")
                self.begin(0, f"{head} ")
                self.body(item.body, 0)
                self.end(item.span.end)
            case tree.Network():
                self.begin(0, f"network {item.name.name} " if item.name else "network ")
                self.body(item.body, 0)
                self.end(item.span.end)
            case tree.Train():
                self.begin(0, "train ")
                self.body(item.body, 0)
                self.end(item.span.end)
            case tree.Broken():
                raise AssertionError("a file with mistakes is not formatted")

    def single(self, span: Span, text: str, indent: int) -> None:
        self.begin(indent, text)
        self.end(span.end)

    def statement(self, statement: tree.Statement, indent: int) -> None:
        """A statement on a line of its own."""
        self.begin(indent)
        self.continue_statement(statement, indent)
        self.end(statement.span.end)

    def continue_statement(self, statement: tree.Statement, indent: int) -> None:
        """A statement on the line that is being written."""
        match statement:
            case tree.Flow():
                self.flow(statement, indent)
            case tree.Let():
                self.write(f"let {_names(statement.names, statement.is_tuple)} = ")
                self.expression(statement.value, indent)
            case tree.Expect():
                self.write(f"expect {', '.join(spell(c) for c in statement.claims)}")
            case tree.Repeat():
                self.write(f"repeat {spell(statement.count)} ")
                self.body(statement.body, indent)
            case tree.For():
                self.write(f"for {_names(statement.names, statement.is_tuple)} in ")
                self.expression(statement.items, indent)
                self.write(" ")
                self.body(statement.body, indent)
            case tree.If():
                self.condition(statement, indent)
            case tree.Head():
                self.write(f"head {statement.name.name} ")
                self.body(statement.body, indent)
            case tree.Broken():
                raise AssertionError("a file with mistakes is not formatted")

    def condition(self, choice: tree.If, indent: int) -> None:
        for k, (condition, body) in enumerate(choice.arms):
            self.write(f"{' else ' if k else ''}if {spell(condition)} ")
            self.body(body, indent)
        if choice.otherwise is not None:
            self.write(" else ")
            self.body(choice.otherwise, indent)

    def body(self, body: tree.Body, indent: int) -> None:
        """`{ … }` from the line that is being written; on that line if the author had it so."""
        short = self.inline_body(body)
        assert self.open is not None, "a body follows its head"
        if short is not None and self.open.indent + len(self.open.text) + len(short) <= WIDEST:
            self.write(short)
            return
        if not body.statements and not self.has_comment(body.span):
            self.write("{ }")
            return
        self.write("{")
        self.end(body.span.start)
        for statement in body.statements:
            self.before(statement.span, indent + STEP)
            self.statement(statement, indent + STEP)
        self.close(body.span.end, indent)

    def close(self, end: int, indent: int) -> None:
        """The closing brace, on a line that stays open for what follows."""
        self.comments_before(end - 1, indent + STEP)
        if self.lines and not self.lines[-1].text:
            self.lines.pop()
        self.last_line = max(self.last_line, self.line_of(end - 1))
        self.begin(indent, "}")

    def flow(self, flow: tree.Flow, indent: int) -> None:
        """Calls joined by arrows, broken where the author broke them."""
        for k, call in enumerate(flow.calls):
            if k:
                before = flow.calls[k - 1].span.end
                if self.line_of(call.span.start) > self.line_of(before):
                    self.end(before)
                    self.comments_before(call.span.start, indent + STEP)
                    self.last_line = self.line_of(call.span.start)
                    self.begin(indent + STEP, "-> ")
                else:
                    self.write(" -> ")
            self.call(call, indent + STEP if self.open and self.open.text == "-> " else indent)

    def call(self, call: tree.Call, indent: int) -> None:
        self.write(call.name)
        for arg in call.args:
            self.write(f" {arg.name}=" if arg.name else " ")
            self.expression(arg.value, indent, is_argument=True)
        if call.branches is not None:
            self.branches(call, call.branches, indent)
        if call.label is not None:
            self.write(f" as {call.label.name}")

    def branches(self, call: tree.Call, branches: Sequence[tree.Body], indent: int) -> None:
        short = self.inline_branches(call, branches)
        assert self.open is not None, "branches follow their merge"
        if short is not None and self.open.indent + len(self.open.text) + len(short) <= WIDEST:
            self.write(short)
            return
        self.write(" {")
        head = call.args[-1].span.end if call.args else call.name_span.end
        self.end(self.file.source.text.find("{", head))
        for branch in branches:
            self.before(branch.span, indent + STEP)
            self.begin(indent + STEP, "|")
            end = branch.span.start + 1
            for k, statement in enumerate(branch.statements):
                if k:
                    self.end(end)
                    self.before(statement.span, indent + 2 * STEP)
                    self.begin(indent + 2 * STEP)
                    self.continue_statement(statement, indent + 2 * STEP)
                else:
                    self.write(" ")
                    # An arrow that goes on stands below the layer, not below the bar.
                    inner = indent + STEP if isinstance(statement, tree.Flow) else indent + 2 * STEP
                    self.continue_statement(statement, inner)
                end = statement.span.end
            self.end(end)
        stop = call.label.span.start if call.label else call.span.end
        closing = self.file.source.text.rfind("}", branches[-1].span.end, stop)
        self.close(closing + 1, indent)

    def expression(self, expr: tree.Expr, indent: int, *, is_argument: bool = False) -> None:
        """An expression; brackets that the author has broken into lines stay broken."""
        if self.is_one_line(expr.span):
            self.write(spell(expr, is_argument=is_argument))
            return
        match expr:
            case tree.Tuple():
                first, last = ("[", "]") if expr.brackets else ("(", ")")
                self.group(first, expr.items, last, expr.span, indent)
            case tree.Invoke():
                self.group(f"{expr.name}(", expr.arguments, ")", expr.span, indent)
            case tree.Index():
                self.expression(expr.base, indent)
                self.write(f"[{spell(expr.index)}]")
            case _:
                self.write(spell(expr, is_argument=is_argument))

    def group(
        self, first: str, items: Sequence[tree.Expr], last: str, span: Span, indent: int
    ) -> None:
        """Items in brackets, on the lines on which they were."""
        self.write(first)
        end = span.start + 1
        for k, item in enumerate(items):
            if self.line_of(item.span.start) > self.line_of(end):
                self.end(end)
                self.comments_before(item.span.start, indent + STEP)
                self.begin(indent + STEP)
            elif k:
                self.write(" ")
            self.expression(item, indent)
            end = item.span.end
            if k + 1 < len(items):
                self.write(",")
        if self.line_of(span.end) > self.line_of(end):
            self.end(end)
            self.comments_before(span.end - 1, indent + STEP)
            self.begin(indent)
        self.write(last)

    # ── what an author has put on one line ─────────────────────────────────────────────────────

    def is_one_line(self, span: Span) -> bool:
        return self.line_of(span.start) == self.line_of(span.end)

    def inline_body(self, body: tree.Body) -> str | None:
        """`{ … }` on one line, or none if the author broke it."""
        if not self.is_one_line(body.span) or len(body.statements) > 1:
            return None
        if not body.statements:
            return "{ }"
        return f"{{ {self.inline(body.statements[0])} }}"

    def inline(self, statement: tree.Statement) -> str:
        printer = _Printer(tree.File(self.file.source, (), ()))
        printer.begin(-10 * WIDEST)
        printer.continue_statement(statement, 0)
        assert printer.open is not None
        assert not printer.lines, "what stands on one line is written on one"
        return printer.open.text

    def inline_branches(self, call: tree.Call, branches: Sequence[tree.Body]) -> str | None:
        if not self.is_one_line(call.span) or any(len(b.statements) > 1 for b in branches):
            return None
        shown = [f"| {self.inline(b.statements[0])}" if b.statements else "|" for b in branches]
        return f" {{ {' '.join(shown)} }}"


def _formal(formal: tree.Formal) -> str:
    return formal.name if formal.default is None else f"{formal.name}={spell(formal.default)}"


def _names(names: Sequence[tree.Label], is_tuple: bool) -> str:
    joined = ", ".join(name.name for name in names)
    return f"({joined})" if is_tuple else joined
