"""Which settings do the lines of a `train` part make?"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cnnspec.settings.base import Setting, Word
from cnnspec.settings.recipe import Evaluate, Line, Place
from cnnspec.settings.words import ELSEWHERE, SETTINGS
from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Label, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.bind import Argument, Site, bind
from cnnspec.vocab.value import UNKNOWN, listing, show
from cnnspec.vocab.value import Word as Bare


@record
class Reader:
    """Reads a body line by line; says everything that is wrong, and goes on."""

    evaluate: Evaluate
    sink: Sink
    names: Callable[[], Iterable[str]]

    def lines(self, body: tree.Body) -> tuple[list[Line], bool]:
        """The settings in their order, and whether nothing was wrong with any line."""
        found: list[Line | None] = []
        first: dict[str, tree.Call] = {}
        for statement in body.statements:
            if isinstance(statement, tree.Flow):
                found.append(self._line(statement, first))
            else:
                self._no_setting(statement)
                found.append(None)
        lines = [line for line in found if line is not None]
        return lines, len(lines) == len(found)

    def _line(self, flow: tree.Flow, first: dict[str, tree.Call]) -> Line | None:
        head = flow.calls[0]
        setting = SETTINGS.get(head.name)
        if setting is None:
            self._unknown_setting(head)
            return None
        before = first.setdefault(setting.name, head)
        if before is not head and not setting.is_repeatable:
            self._duplicate(head, before)
            return None
        if len(flow.calls) > 1 and not setting.is_chain:
            self._no_chain(setting, flow.calls[1])
            return None
        words: list[tuple[Word, Place] | None] = [
            self._word(call, setting, is_first=call is head) for call in flow.calls
        ]
        whole = [pair for pair in words if pair is not None]
        if len(whole) < len(words):
            return None
        return Line(setting.name, tuple(w for w, _ in whole), tuple(p for _, p in whole), flow.span)

    def _word(
        self, call: tree.Call, setting: Setting, *, is_first: bool
    ) -> tuple[Word, Place] | None:
        """One word of a line: `adam lr=1e-3`, or the arguments of a setting without words."""
        if call.branches is not None or call.label is not None:
            what = "branches" if call.branches is not None else "label"
            span = call.label.span if call.label and call.branches is None else call.name_span
            self.sink.error("wrong-setting", f"a setting has no {what}", span)
            return None
        if setting.plain is not None:
            return self._bind(setting.plain, call.args, call.name_span)
        if is_first:
            named = self._first_word(call, setting)
            if named is None:
                return None
            name, span, args = named
        else:
            name, span, args = call.name, call.name_span, call.args
        kind = setting.words.get(name)
        if kind is None:
            self._unknown_word(name, setting, span)
            return None
        return self._bind(kind, args, span)

    def _first_word(
        self, call: tree.Call, setting: Setting
    ) -> tuple[str, Span, Sequence[tree.Arg]] | None:
        """The word behind a setting's name, and the arguments that follow it."""
        first = call.args[0] if call.args else None
        if first is None or first.name is not None:
            self._no_word(setting, call.name_span)
            return None
        expr = first.value
        if isinstance(expr, tree.Ref) and expr.name in setting.words:
            return expr.name, expr.span, call.args[1:]
        if _subtracts(expr, setting):
            self.sink.error(
                "wrong-setting",
                f"`{expr.span.text}` is a subtraction",
                expr.span,
                hint="after a word, a negative number stands in brackets, as in `(-1)`",
            )
            return None
        # A param may hold the word: `param method = adam`, `optimizer method`.
        value = self._value(expr)
        if isinstance(value, Bare) or (isinstance(value, str) and value in setting.words):
            return value, expr.span, call.args[1:]
        if value is not UNKNOWN:
            self._no_word(setting, expr.span, value)
        return None

    def _bind(
        self, kind: type[Word], args: Sequence[tree.Arg], span: Span
    ) -> tuple[Word, Place] | None:
        given, is_known = self._arguments(kind, args)
        bound = bind(kind, given, Site(self.sink, span, None, self.names))
        if not bound.is_whole or not is_known:
            return None
        return kind(**bound.values), Place(span, bound.spans)

    def _arguments(self, kind: type[Word], args: Sequence[tree.Arg]) -> tuple[list[Argument], bool]:
        """The arguments, evaluated; a name that only other tools know is said to be wrong and led
        to the parameter that it means."""
        given: list[Argument] = []
        is_known = True
        for arg in args:
            name = arg.name
            if name is not None and name not in kind.params and name in kind.elsewhere:
                name = self._foreign(kind, arg)
                is_known = False
                if name is None or name in _present(kind, args):
                    continue
            given.append(Argument(name, self._value(arg.value), arg.value.span, arg.name_span))
        return given, is_known

    def _value(self, expr: tree.Expr) -> object:
        # Outside of a network nothing has a dotted name but layers and heads, which words name.
        if isinstance(expr, tree.Ref) and "." in expr.name:
            return Bare(expr.name)
        return self.evaluate(expr)

    # ── what may be wrong ──────────────────────────────────────────────────────────────────────

    def _no_setting(self, statement: tree.Statement) -> None:
        if isinstance(statement, tree.Broken):
            return
        start = statement.span.start
        is_let = isinstance(statement, tree.Let)
        self.sink.error(
            "wrong-setting",
            "`train` holds settings, one a line, and nothing else",
            statement.span._replace(end=start + len(statement.span.text.split(maxsplit=1)[0])),
            hint="put `let` above `train`" if is_let else None,
        )

    def _unknown_setting(self, call: tree.Call) -> None:
        self.sink.error(
            "unknown-setting",
            f"there is no setting `{call.name}`",
            call.name_span,
            hint=_meant(call.name, SETTINGS, ELSEWHERE)
            or self._as_word(call.name)
            or f"the settings: {', '.join(SETTINGS)}",
        )

    def _as_word(self, name: str) -> str | None:
        """Where the name is a word of some setting."""
        of = [s.name for s in SETTINGS.values() if name in s.words]
        return f"write `{of[0]} {name}`" if of else None

    def _unknown_word(self, name: str, setting: Setting, span: Span) -> None:
        self.sink.error(
            "unknown-setting",
            f"there is no {setting.noun} `{name}`",
            span,
            hint=_meant(name, setting.words, setting.elsewhere)
            or f"there are {listing(list(setting.words), 'and')}",
        )

    def _no_word(self, setting: Setting, span: Span, found: object = None) -> None:
        here = "" if found is None else f"; here it is {show(found)}"
        self.sink.error(
            "wrong-setting",
            f"`{setting.name}` begins with a word: {listing(list(setting.words))}{here}",
            span,
            hint=_with_word(setting, found),
        )

    def _duplicate(self, call: tree.Call, before: tree.Call) -> None:
        chained = SETTINGS[call.name].is_chain
        self.sink.error(
            "duplicate-setting",
            f"`{call.name}` is set twice",
            call.name_span,
            labels=[Label(before.name_span, "first set here")],
            hint=f"join several with `->`: `{call.name} … -> …`" if chained else None,
        )

    def _no_chain(self, setting: Setting, second: tree.Call) -> None:
        chains = [f"`{s.name}`" for s in SETTINGS.values() if s.is_chain]
        self.sink.error(
            "wrong-setting",
            f"`{setting.name}` takes one {'word' if setting.words else 'value'}; "
            f"`->` joins those of {listing(chains, 'and')}",
            second.name_span,
        )

    def _foreign(self, kind: type[Word], arg: tree.Arg) -> str | None:
        """Say that a parameter has another name here; returns it."""
        assert arg.name is not None
        told = kind.elsewhere[arg.name]
        is_name = told in kind.params
        self.sink.error(
            "unknown-parameter",
            f"`{kind.kind}` has no parameter `{arg.name}`",
            arg.name_span,
            hint=f"here it is called `{told}`" if is_name else told,
        )
        return told if is_name else None


def _present(kind: type[Word], args: Sequence[tree.Arg]) -> set[str]:
    """The parameters that are given under their own names, or by place."""
    placed = sum(arg.name is None for arg in args)
    return {arg.name for arg in args if arg.name is not None} | set(kind.positional[:placed])


def _meant(name: str, known: Iterable[str], elsewhere: Mapping[str, str]) -> str | None:
    """What a name probably meant: one that other tools have, or one that is spelt alike."""
    told = elsewhere.get(name.lower())
    if told is None:
        return did_you_mean(name, known)
    return f"here it is called `{told}`" if told in known else told


def _subtracts(expr: tree.Expr, setting: Setting) -> bool:
    """Is a word followed by a negative number?"""
    return (
        isinstance(expr, tree.Chain)
        and expr.rest[0][0] == "-"
        and isinstance(expr.first, tree.Ref)
        and expr.first.name in setting.words
    )


def _with_word(setting: Setting, found: object) -> str | None:
    """How the line would read with its word."""
    if setting.name == "data" and isinstance(found, str):
        return f"a folder of pictures is `data folder {show(found)}`"
    if setting.name == "clip" and isinstance(found, int | float):
        return f"`clip norm {show(found)}` keeps the length of the whole gradient below that"
    return None
