"""`cnnspec check`: what is wrong with a spec?"""

import click

from cnnspec.cli.options import (
    colour_option,
    files_argument,
    is_coloured,
    set_option,
)
from cnnspec.cli.specs_of import Overrides, Unreadable, graph_of, source_of
from cnnspec.text.diagnostic import Diagnostic, Severity, Sink, strict
from cnnspec.text.render import render_all

FORMATS = ("text", "json", "sarif", "github")


@click.command()
@files_argument
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to say it.")
@click.option("--strict", "is_strict", is_flag=True, help="Take warnings for errors.")
@click.option(
    "--stop-after",
    "stage",
    type=click.Choice(["tree", "graph"]),
    help="Show what the spec has become after a stage.",
)
@set_option
@colour_option
def command(
    files: tuple[str, ...],
    form: str,
    is_strict: bool,
    stage: str | None,
    overrides: Overrides,
    colour: str,
) -> int:
    """Say what is wrong with specs, or nothing.

    Silence and exit status 0 if all is well; otherwise one message for each mistake and exit
    status 1. Warnings alone end with 0, unless --strict.

    \b
    Example:
      cnnspec check lenet5.cnn --strict
    """
    found: list[Diagnostic] = []
    unreadable = False
    for file in files:
        try:
            found += _check(file, overrides, stage)
        except Unreadable as error:
            error.show()
            unreadable = True
    if is_strict:
        found = strict(found)
    click.echo(_show(found, form, colour), nl=False, color=True)
    return int(unreadable or any(d.severity is Severity.ERROR for d in found))


def _check(file: str, overrides: Overrides, stage: str | None) -> list[Diagnostic]:
    sink = Sink()
    source = source_of(file)
    graph = graph_of(source, overrides, sink)
    if stage == "tree":
        from cnnspec.syntax.outline import outline
        from cnnspec.syntax.parse import parse

        click.echo(outline(parse(source, Sink())), nl=False)
    elif stage == "graph" and graph is not None:
        from cnnspec.model.listing import listing

        click.echo(listing(graph), nl=False)
    return sink.ordered()


def _show(found: list[Diagnostic], form: str, colour: str) -> str:
    if form == "text":
        return render_all(found, colour=is_coloured(colour))
    from cnnspec.text import formats

    match form:
        case "json":
            return formats.to_json(found)
        case "github":
            return formats.to_github(found)
        case _:
            from cnnspec.cli.pages import page_of_code

            return formats.to_sarif(found, page_of_code)
