"""`cnnspec specs`: the zoo."""

import click

from cnnspec import zoo
from cnnspec.cli.specs_of import graph_of, source_of
from cnnspec.model.measure import measure
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


@click.command()
def command() -> int:
    """List the specs that come with cnnspec, with their counts.

    \b
    Example:
      cnnspec specs
    """
    names = zoo.names()
    width = max((len(name) for name in names), default=4)
    click.echo(f"{'name':<{width}}{'parameters':>14}{'MACs':>18}  what")
    failed = False
    for name in names:
        source = source_of(name)
        sink = Sink()
        graph = graph_of(source, (), sink)
        if graph is None:
            click.echo(f"{name:<{width}}  {sink.ordered()[0].message}", err=True)
            failed = True
            continue
        found = measure(graph)
        title = title_of(source)
        click.echo(f"{name:<{width}}{found.params:>14,}{found.macs:>18,}  {title}")
    return int(failed)


def title_of(source: Source) -> str:
    """What a spec says of itself in its first comment, up to the first full stop or colon."""
    first = source.text.split("\n", 1)[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
