"""`cnnspec check`: what is wrong with a spec?"""

import sys
from collections.abc import Iterable, Iterator

import click

from cnnspec.cli.options import colour_option, files_argument, set_option, stage_option
from cnnspec.cli.specs_of import Overrides, Unreadable, graph_of, shown, source_of
from cnnspec.text.diagnostic import Diagnostic, Severity, Sink, strict

FORMATS = ("text", "json", "sarif", "github")


@click.command()
@files_argument
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="How to say it.")
@click.option("--strict", "is_strict", is_flag=True, help="Take warnings for errors.")
@set_option
@stage_option
@colour_option
def command(
    files: tuple[str, ...],
    form: str,
    is_strict: bool,
    overrides: Overrides,
    stage: str | None,
    colour: str,
) -> int:
    """Say what is wrong with specs, or nothing.

    Silence and exit status 0 if all is well; otherwise one message for each mistake and exit
    status 1. Warnings alone end with 0, unless --strict.

    With --stop-after the messages go to stderr and what the spec has become to stdout.

    \b
    Example:
      cnnspec check lenet5.cnn --strict
    """
    found: list[Diagnostic] = []
    unreadable: list[Unreadable] = []
    for file in files:
        try:
            found += _check(file, overrides, stage)
        except Unreadable as error:
            if error.has_place:
                found.append(error.diagnostic)
            else:
                unreadable.append(error)
    found = list(_once(strict(found) if is_strict else found))
    talk = stage is not None
    click.echo(_said(found, unreadable, form, colour, talk), nl=False, err=talk, color=True)
    return int(bool(unreadable) or any(d.severity is Severity.ERROR for d in found))


def _check(file: str, overrides: Overrides, stage: str | None) -> list[Diagnostic]:
    source = source_of(file)
    if stage is not None:
        from cnnspec.cli.stages import show_stage

        return show_stage(stage, source, overrides)
    sink = Sink()
    graph_of(source, overrides, sink)
    if len(sink.diagnostics) >= sink.limit:
        click.echo(f"{source.name}: stopped after {sink.limit} messages", err=True)
    return sink.ordered()


def _once(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Without what several files say of one that all of them use."""
    seen: set[tuple[object, ...]] = set()
    for d in diagnostics:
        key = (d.code, d.message, d.span.source.name, d.span.start, d.span.end)
        if key not in seen:
            seen.add(key)
            yield d


def _said(
    found: list[Diagnostic], unreadable: list[Unreadable], form: str, colour: str, talk: bool
) -> str:
    if form == "text":
        for error in unreadable:
            error.show()
        return shown(found, colour, sys.stderr if talk else sys.stdout)
    from cnnspec.text import formats

    found = [*found, *(error.diagnostic for error in unreadable)]
    match form:
        case "json":
            return formats.to_json(found)
        case "github":
            return formats.to_github(found)
        case _:
            from cnnspec.cli.pages import page_of_code

            return formats.to_sarif(found, page_of_code)
