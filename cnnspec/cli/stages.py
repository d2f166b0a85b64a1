"""What does `--stop-after STAGE` show?"""

import click

from cnnspec.cli.specs_of import Overrides, graph_of
from cnnspec.text.diagnostic import Diagnostic, Sink
from cnnspec.text.source import Source


def show_stage(stage: str, source: Source, overrides: Overrides) -> list[Diagnostic]:
    """What the spec has become after a stage, on stdout; returns what was found wrong so far."""
    sink = Sink()
    match stage:
        case "tree":
            from cnnspec.syntax.outline import outline
            from cnnspec.syntax.parse import parse

            click.echo(outline(parse(source, sink)), nl=False)
        case _:
            from cnnspec.model.listing import listing

            graph = graph_of(source, overrides, sink)
            if graph is not None:
                click.echo(listing(graph), nl=False)
    return sink.ordered()
