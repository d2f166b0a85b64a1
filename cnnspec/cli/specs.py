"""`cnnspec specs`: the zoo."""

import sys

import click

from cnnspec import zoo
from cnnspec.cli.options import columns, cut
from cnnspec.cli.specs_of import graph_of, source_of, tell
from cnnspec.model.measure import measure
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


@click.command()
def command() -> int:
    """List the specs that come with cnnspec, with their counts.

    Parameters are those that training can change, MACs the multiply-accumulates for one image.

    \b
    Example:
      cnnspec specs
    """
    names = zoo.names()
    widest = max(map(len, names))
    # Cut to the terminal only: a pipe gets all.
    width = columns(80) if sys.stdout.isatty() else None
    click.echo(f"{'name':<{widest}}  {'parameters':>11}  {'MACs':>14}  what")
    failed = False
    # Each is shown when it is known: the first does not wait for the last.
    for name in names:
        source = source_of(name)
        sink = Sink()
        graph = graph_of(source, (), sink)
        if graph is None:
            tell(sink.ordered())
            failed = True
            continue
        found = measure(graph)
        line = f"{name:<{widest}}  {found.params:>11,}  {found.macs:>14,}  {title(source)}"
        click.echo(cut(line, width))
    return int(failed)


def title(source: Source) -> str:
    """What a spec says of itself in its first line."""
    first = source.text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
