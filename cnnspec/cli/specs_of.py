"""How does a command get from FILE to a network, and tell what is wrong with it?"""

import sys
from collections.abc import Iterable, Sequence

import click

from cnnspec import zoo
from cnnspec.cli.options import is_coloured
from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.model.module import explain_unreadable
from cnnspec.text.diagnostic import Diagnostic, Sink
from cnnspec.text.render import render_all, safe
from cnnspec.text.source import Source

Overrides = Sequence[tuple[str, object]]


class Unreadable(click.ClickException):
    """A file that cannot be read: one line, exit status 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"error: {safe(self.message)}", err=True)


def source_of(file: str) -> Source:
    """The source that FILE means; `Unreadable` with the reason where there is none."""
    try:
        if file == "-":
            return Source("<stdin>", sys.stdin.buffer.read().decode("utf-8"))
        return zoo.read(zoo.resolve(file))
    except FileNotFoundError as fault:
        raise Unreadable(str(fault)) from None
    except (OSError, UnicodeDecodeError, ValueError) as fault:
        raise Unreadable(f"{file}: {explain_unreadable(fault)}") from None


def graph_of(source: Source, overrides: Overrides, sink: Sink) -> Graph | None:
    return check(source, dict(overrides), sink, zoo.read)


def need_graph(file: str, overrides: Overrides, colour: str = "auto") -> Graph:
    """The network, its warnings told on stderr; where there is none, why, and exit status 1."""
    sink = Sink()
    graph = graph_of(source_of(file), overrides, sink)
    tell(sink.ordered(), colour)
    if graph is None:
        raise click.exceptions.Exit(1)
    return graph


def tell(diagnostics: Iterable[Diagnostic], colour: str = "auto") -> None:
    """Diagnostics on stderr."""
    shown = render_all(list(diagnostics), colour=is_coloured(colour, sys.stderr))
    if shown:
        click.echo(shown, err=True, nl=False, color=True)
