"""`cnnspec report`: every shape and count of a network."""

import sys

import click

from cnnspec.cli.options import colour_option, file_argument, is_coloured, set_option
from cnnspec.cli.specs_of import Overrides, need_graph

FORMATS = ("table", "markdown", "csv", "json")


@click.command()
@file_argument
@set_option
@click.option("--batch", type=click.IntRange(1), default=1, help="For memory: images at a time.")
@click.option("--explain", is_flag=True, help="Show the arithmetic of each layer.")
@click.option("--depth", type=click.IntRange(0), help="Fold blocks deeper than this into one row.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", help="How to show it."
)
@click.option(
    "--stop-after", "stage", type=click.Choice(["graph"]), help="Show the graph behind the report."
)
@colour_option
def command(
    file: str,
    overrides: Overrides,
    batch: int,
    explain: bool,
    depth: int | None,
    form: str,
    stage: str | None,
    colour: str,
) -> None:
    """Show every shape and count of a network.

    One row a layer: what it is, the shape of its output, parameters, multiply-accumulates (MACs),
    connections, receptive field, memory. Below, the totals, with the conventions that they keep.

    \b
    Example:
      cnnspec report lenet5 --explain
    """
    graph = need_graph(file, overrides, colour)
    if stage == "graph":
        from cnnspec.model.listing import listing

        click.echo(listing(graph), nl=False)
        return
    from cnnspec.report.facts import as_json, facts
    from cnnspec.report.fold import fold

    report = facts(graph, batch, explain=explain)
    if depth is not None:
        report = fold(report, depth)
    match form:
        case "json":
            click.echo(as_json(report))
        case "csv":
            from cnnspec.report.sheet import sheet

            click.echo(sheet(report), nl=False)
        case "markdown":
            from cnnspec.report.markdown import markdown

            click.echo(markdown(report), nl=False)
        case _:
            from rich.console import Console

            from cnnspec.report.table import Table

            coloured = is_coloured(colour)
            console = Console(
                file=sys.stdout,
                force_terminal=coloured,
                no_color=not coloured,
                color_system="auto" if coloured else None,
                highlight=False,
                emoji=False,
            )
            console.print(Table(report), crop=False)
