"""Do the arguments of a call fit the parameters of its kind, and if not, what is to be said?"""

from collections.abc import Callable, Iterable, Sequence

from cnnspec.text.diagnostic import Frame, Label, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean, nearest
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Mismatch, Param
from cnnspec.vocab.value import Unknown, Word, show


@record
class Argument:
    """One argument of a call, evaluated: by place where `name` is none."""

    name: str | None
    value: object
    span: Span
    name_span: Span


@record
class Site:
    """Where a call stands, and what a misspelt name near it may have meant."""

    sink: Sink
    span: Span
    trail: Frame | None
    names: Callable[[], Iterable[str]]
    """Names in scope, asked for only when something is misspelt."""


@record
class Bound:
    """The arguments that were read, by parameter, and where each was written."""

    values: dict[str, object]
    spans: dict[str, Span]
    is_whole: bool
    """False when something was wrong (and said) or not known."""


def bind(kind: type[Kind], arguments: Sequence[Argument], site: Site) -> Bound:
    """Lead each argument to its parameter and read it; says everything that is wrong at once."""
    values: dict[str, object] = {}
    spans: dict[str, Span] = {}
    whole = True
    excused: set[str] = set()
    places = iter(kind.positional)
    for argument in arguments:
        name = argument.name
        if name is None:
            name = next((p for p in places if p not in spans), None)
            if name is None:
                _extra(kind, argument, site)
                whole = False
                continue
        if name not in kind.params:
            excused |= _unknown(kind, name, argument, site)
            whole = False
            continue
        if name in spans:
            site.sink.error(
                "duplicate-argument",
                f"`{name}` of `{kind.kind}` is given twice",
                argument.name_span,
                labels=[Label(spans[name], "first given here")],
                trail=site.trail,
            )
            whole = False
            continue
        spans[name] = argument.span
        if isinstance(argument.value, Unknown):
            whole = False
            continue
        try:
            values[name] = kind.params[name].type.read(argument.value)
        except Mismatch:
            _mismatch(kind, kind.params[name], argument, site)
            whole = False
    missing = [
        p
        for p in kind.params.values()
        if p.is_required and p.name not in spans and p.name not in excused
    ]
    for param in missing:
        site.sink.error(
            "missing-argument",
            f"`{kind.kind}` needs `{param.name}`: {param.doc}",
            site.span,
            hint=f"the call is `{signature(kind)}`",
            trail=site.trail,
        )
    return Bound(values, spans, whole and not missing and not excused)


def signature(kind: type[Kind]) -> str:
    """`conv FILTERS KERNEL`: the call with what it needs."""
    words = [kind.kind]
    for name in kind.positional:
        word = name.upper()
        words.append(word if kind.params[name].is_required else f"[{word}]")
    words += [
        f"{p.name}=…"
        for p in kind.params.values()
        if p.is_required and p.name not in kind.positional
    ]
    return " ".join(words)


def _extra(kind: type[Kind], argument: Argument, site: Site) -> None:
    takes = len(kind.positional)
    said = {0: "takes no argument by place", 1: "takes one argument by place"}.get(
        takes, f"takes {takes} arguments by place"
    )
    named = [n for n in kind.params if n not in kind.positional]
    site.sink.error(
        "extra-argument",
        f"`{kind.kind}` {said}; {show(argument.value)} is one more",
        argument.span,
        hint=f"the call is `{signature(kind)}`"
        + (f"; further ones are named: {', '.join(named)}" if named else ""),
        trail=site.trail,
    )


def _unknown(kind: type[Kind], name: str, argument: Argument, site: Site) -> set[str]:
    """Says that a parameter does not exist; returns the one that was probably meant."""
    meant = nearest(name, kind.params)
    has = ", ".join(kind.params) or "none"
    site.sink.error(
        "unknown-parameter",
        f"`{kind.kind}` has no parameter `{name}`",
        argument.name_span,
        hint=f"did you mean `{meant}`?" if meant else f"its parameters: {has}",
        trail=site.trail,
    )
    return {meant} if meant else set()


def _mismatch(kind: type[Kind], param: Param, argument: Argument, site: Site) -> None:
    value, words = argument.value, param.type.words
    if isinstance(value, Word) and not words:
        site.sink.error(
            "unknown-name",
            f"nothing here is called `{value}`",
            argument.span,
            hint=did_you_mean(value, site.names())
            or f"`{param.name}` takes {param.type.describe()}",
            trail=site.trail,
        )
        return
    hint = did_you_mean(value, [*words, *site.names()]) if isinstance(value, Word) else None
    site.sink.error(
        "wrong-argument",
        f"`{param.name}` of `{kind.kind}` takes {param.type.describe()}; here it is {show(value)}",
        argument.span,
        hint=hint,
        trail=site.trail,
    )
