"""How does a command get from FILE to a network, and tell what is wrong with it?"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import click

from cnnspec import zoo
from cnnspec.cli.options import columns, is_coloured
from cnnspec.model.check import check
from cnnspec.model.module import explain_unreadable
from cnnspec.text.diagnostic import Diagnostic, Severity, Sink
from cnnspec.text.source import Source, Span

if TYPE_CHECKING:
    from cnnspec.model.graph import Graph

Overrides = Sequence[tuple[str, object]]

STDIN = "<stdin>"


class Unreadable(click.ClickException):
    """A file that cannot be read: its message names it; exit status 1."""

    def __init__(self, message: str, span: Span, hint: str | None = None) -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(
            "unreadable-file", Severity.ERROR, message, span, (), (), None, hint
        )

    @property
    def has_place(self) -> bool:
        """Is it a place in the file that cannot be read, rather than the file?"""
        return bool(self.diagnostic.span.source.text)

    def show(self, file: Any = None) -> None:
        if self.has_place:
            tell([self.diagnostic])
            return
        from cnnspec.text.excerpt import safe

        click.echo(f"error[unreadable-file]: {safe(self.message)}", err=True)


def source_of(file: str) -> Source:
    """The source that FILE means; `Unreadable` with the reason where there is none."""
    name = STDIN if file == "-" else file
    try:
        if name is STDIN:
            return _stdin()
        name = zoo.resolve(file)
        return zoo.read(name)
    except UnicodeDecodeError as fault:
        raise _not_utf8(name, fault) from None
    except zoo.NotFound as fault:
        reason = str(fault)
    except (OSError, ValueError) as fault:
        reason = f"{name}: {explain_unreadable(fault)}"
    raise Unreadable(reason, Span(Source(name, ""), 0, 0))


def _stdin() -> Source:
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return zoo.decode(STDIN, sys.stdin.buffer)


def _not_utf8(name: str, fault: UnicodeDecodeError) -> Unreadable:
    """The byte at fault, in the text as far as it can be read."""
    data = fault.object
    start = len(data[: fault.start].decode("utf-8"))
    source = Source(name, data.decode("utf-8", "backslashreplace"))
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return Unreadable(
        f"byte {fault.start:,}, 0x{data[fault.start]:02x}, is not UTF-8 text",
        Span(source, start, start + len(r"\xff")),
        "the file seems to be UTF-16; save it as UTF-8" if is_utf16 else None,
    )


def graph_of(source: Source, overrides: Overrides, sink: Sink) -> "Graph | None":
    return check(source, dict(overrides), sink, zoo.read)


def need_graph(
    source: Source,
    overrides: Overrides,
    colour: str,
    sink: Sink | None = None,
    *,
    but: Sequence[str] = (),
) -> "Graph":
    """The network, its warnings told on stderr, but for those of some codes, and left in `sink`;
    where there is none, why, and exit status 1."""
    sink = Sink() if sink is None else sink
    graph = graph_of(source, overrides, sink)
    tell([d for d in sink.ordered() if d.code not in but], colour)
    if graph is None:
        raise click.exceptions.Exit(1)
    return graph


def tell(diagnostics: Sequence[Diagnostic], colour: str = "auto") -> None:
    """Diagnostics on stderr."""
    click.echo(shown(diagnostics, colour, sys.stderr), err=True, nl=False, color=True)


def shown(diagnostics: Sequence[Diagnostic], colour: str, stream: TextIO) -> str:
    """Diagnostics as the stream's terminal wants them; nothing for none."""
    if not diagnostics:
        return ""
    # Loaded here: a spec that is right needs none of it.
    from cnnspec.text.render import WIDTH, render_all

    return render_all(diagnostics, colour=is_coloured(colour, stream), width=columns(WIDTH))
