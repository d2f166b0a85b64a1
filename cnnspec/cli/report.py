"""`cnnspec report`: every shape and count of a network."""

import os
import sys
from typing import TYPE_CHECKING

import click

from cnnspec import zoo
from cnnspec.cli.options import (
    colour_option,
    file_argument,
    is_coloured,
    set_option,
    stage_option,
)
from cnnspec.cli.specs_of import Overrides, need_graph, source_of, tell
from cnnspec.text.diagnostic import Severity, Sink
from cnnspec.text.suggest import did_you_mean

if TYPE_CHECKING:
    from cnnspec.report.facts import Report

FORMATS = ("table", "markdown", "csv", "json")


def _print_schema(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from cnnspec.report.schema import json_schema

        click.echo(json_schema())
        ctx.exit()


@click.command()
@file_argument
@set_option
@click.option("--batch", type=click.IntRange(1), default=1, help="For memory: images at a time.")
@click.option("--explain", is_flag=True, help="Show the arithmetic of each layer.")
@click.option("--depth", type=click.IntRange(0), help="Fold blocks deeper than this into one row.")
@click.option("--only", "prefix", metavar="PREFIX", help="Show layers whose path begins so.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="How to show it; as a table by default."
)
@click.option(
    "--html",
    "page",
    metavar="PATH",
    help="Write it as a page, with figures and all arithmetic; - for stdout.",
)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Show the JSON Schema of --format json, and stop.",
)
@stage_option
@colour_option
def command(
    file: str,
    overrides: Overrides,
    batch: int,
    explain: bool,
    depth: int | None,
    prefix: str | None,
    form: str | None,
    page: str | None,
    stage: str | None,
    colour: str,
) -> int:
    """Show every shape and count of a network.

    One row a layer: what it is, the shape of its output, parameters, multiply-accumulates (MACs),
    connections, receptive field, memory. Below, the totals, with the conventions that they keep.
    Of the folder of a training run the page of the run is made again, of what is still there.

    \b
    Example:
      cnnspec report lenet5 --explain
      cnnspec report lenet5 --html lenet5.html
    """
    if page is not None and (form is not None or stage is not None):
        raise click.UsageError("--html writes a page, which no --format or --stop-after changes.")
    if os.path.isdir(file) and zoo.resolve(file) == file:
        from cnnspec.cli.report_run import report_run

        spec_only = {
            "--set": overrides,
            "--explain": explain,
            "--depth": depth,
            "--only": prefix,
            "--format": form,
            "--stop-after": stage,
        }
        return report_run(
            file, page, [name for name, x in spec_only.items() if x not in (None, (), False)]
        )
    source = source_of(file)
    if stage is not None:
        from cnnspec.cli.stages import show_stage

        found = show_stage(stage, source, overrides)
        tell(found, colour)
        return int(any(d.severity is Severity.ERROR for d in found))
    from cnnspec.report.facts import facts
    from cnnspec.report.fold import fold

    sink = Sink()
    graph = need_graph(source, overrides, colour, sink)
    report = facts(graph, batch, explain=explain or page is not None)
    if page is not None:
        from cnnspec.pages.network import network_page

        rows = report.rows if prefix is None else _only(report, prefix).rows
        text = network_page(
            graph, report, rows=rows, depth=depth, warnings=sink.ordered(), source=source
        )
        _write(page, text, source.name)
        return 0
    if depth is not None:
        report = fold(report, depth)
    if prefix is not None:
        report = _only(report, prefix)
    click.echo(_shown(report, form or "table", colour), nl=False, color=True)
    return 0


def _write(path: str, page: str, spec: str) -> None:
    """As bytes: a page says of itself that it is UTF-8, whatever the terminal is."""
    if path == "-":
        click.echo(page.encode(), nl=False)
        return
    if os.path.exists(path) and os.path.exists(spec) and os.path.samefile(path, spec):
        raise click.UsageError(f"{path} is the spec itself.")
    from cnnspec.writing import replacing

    with replacing(path) as file:
        file.write(page.encode())
    click.echo(f"wrote {path}", err=True)


def _only(report: "Report", prefix: str) -> "Report":
    """The same with some of the rows; the totals stay those of the network."""
    rows = tuple(row for row in report.rows if row.path.startswith(prefix))
    if not rows:
        hint = did_you_mean(prefix, [row.path for row in report.rows])
        said = f"No layer's path begins with `{prefix}`" + (f"; {hint}" if hint else ".")
        raise click.UsageError(said)
    click.echo(
        f"{len(rows):,} of {len(report.rows):,} rows, those whose path begins with {prefix}; "
        "the totals are the network's",
        err=True,
    )
    return report.model_copy(update={"rows": rows})


def _shown(report: "Report", form: str, colour: str) -> str:
    match form:
        case "json":
            from cnnspec.report.facts import as_json

            return as_json(report) + "\n"
        case "csv":
            from cnnspec.report.sheet import sheet

            return sheet(report)
        case "markdown":
            from cnnspec.report.markdown import markdown

            return markdown(report)
        case _:
            return _table(report, is_coloured(colour))


def _table(report: "Report", coloured: bool) -> str:
    """As wide as the terminal is. Printed by us, not by rich: a reader that goes away, letters that
    the terminal lacks and colours are then met as in every other command."""
    from rich.console import Console

    from cnnspec.report.table import Table

    console = Console(
        file=sys.stdout,
        force_terminal=coloured,
        color_system="standard" if coloured else None,
        no_color=not coloured,
        highlight=False,
        emoji=False,
    )
    with console.capture() as capture:
        console.print(Table(report), crop=False)
    if coloured:
        return capture.get()
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
