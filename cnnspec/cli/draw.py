"""`cnnspec draw`: a network as a figure."""

import os
import sys
from typing import TYPE_CHECKING, Literal

import click

from cnnspec.cli.models import Failed
from cnnspec.cli.options import colour_option, file_argument, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of

if TYPE_CHECKING:
    from cnnspec.model.graph import Graph

    Style = Literal["volumes", "graph"]
    Theme = Literal["auto", "light", "dark"]
    Form = Literal["svg", "png", "mermaid", "dot"]

STDOUT = "-"

SUFFIXES: "dict[str, Form]" = {
    ".svg": "svg",
    ".png": "png",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".dot": "dot",
    ".gv": "dot",
}


@click.command()
@file_argument
@click.option("-o", "--output", metavar="PATH", help="Where to; by default FILE.svg here.")
@set_option
@click.option(
    "--style",
    type=click.Choice(["volumes", "graph"]),
    help="Maps from left to right, which is the default, or layers as boxes.",
)
@click.option("--depth", type=click.IntRange(0), help="Fold blocks deeper than this.")
@click.option(
    "--theme",
    type=click.Choice(["auto", "light", "dark"]),
    default="auto",
    help="Colours; auto follows the reader's system, and is light in a png.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["svg", "png", "mermaid", "dot"]),
    help="By default what the name of the output says.",
)
@colour_option
def command(
    file: str,
    output: str | None,
    overrides: Overrides,
    style: "Style | None",
    depth: int | None,
    theme: "Theme",
    form: "Form | None",
    colour: str,
) -> int:
    """Draw a network as a figure.

    `volumes` are the maps as in the papers: stacks of planes, the windows that slide over them,
    shapes and parameters below. `graph` has a box for each layer and frames around blocks; mermaid
    and dot are its text for other programs. Without --depth blocks are folded until the figure
    fits a slide. A png needs a converter: CairoSVG, rsvg-convert, Inkscape or Chromium.

    \b
    Example:
      cnnspec draw lenet5 -o lenet5.svg
    """
    form = form or _form_of(output)
    if form in ("mermaid", "dot"):
        if style == "volumes":
            raise click.UsageError(f"{form} is a text of boxes; --style volumes has none.")
        if click.get_current_context().get_parameter_source("theme") is _GIVEN:
            raise click.UsageError(f"{form} has no colours for --theme to choose.")
    graph = need_graph(source_of(file), overrides, colour)
    try:
        content = _drawn(graph, form, style or "volumes", theme, depth)
    except ValueError as fault:
        raise Failed(str(fault)) from None
    _write(content, output or f"{_stem(file)}{_suffix(form)}")
    return 0


_GIVEN = click.core.ParameterSource.COMMANDLINE


def _form_of(output: str | None) -> "Form":
    if output is None or output == STDOUT:
        return "svg"
    suffix = os.path.splitext(output)[1].lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise click.UsageError(
            f"{output}: its name does not say what to write; say it with --format, or end it in "
            f"one of {known}."
        )
    return SUFFIXES[suffix]


def _suffix(form: "Form") -> str:
    return next(suffix for suffix, known in SUFFIXES.items() if known == form)


def _drawn(
    graph: "Graph", form: "Form", style: "Style", theme: "Theme", depth: int | None
) -> bytes:
    """The bytes of the file."""
    match form:
        case "mermaid":
            from cnnspec.draw.mermaid import mermaid

            return mermaid(graph, depth).encode()
        case "dot":
            from cnnspec.draw.dot import dot

            return dot(graph, depth).encode()
        case "png":
            from cnnspec.cli.png import converter, png
            from cnnspec.draw.network import draw

            # Asked first: drawing would be in vain.
            program = converter()
            figure = draw(graph, style, "light" if theme == "auto" else theme, depth)
            return png(figure.svg(), figure.width, figure.height, program)
        case _:
            from cnnspec.draw.network import draw

            return f"{draw(graph, style, theme, depth).svg()}\n".encode()


def _write(content: bytes, output: str) -> None:
    if output == STDOUT:
        is_text = not content.startswith(b"\x89PNG")
        if not is_text and sys.stdout.isatty():
            raise click.UsageError("A png is nothing for a terminal; name a file with -o.")
        click.echo(content, nl=False)
        return
    from cnnspec.report.units import of_bytes
    from cnnspec.writing import replacing

    with replacing(output) as file:
        file.write(content)
    click.echo(f"{output}: {of_bytes(len(content))}")


def _stem(file: str) -> str:
    if file == STDOUT:
        raise click.UsageError("A spec from standard input needs -o, the file to write.")
    return os.path.basename(file).removesuffix(".cnn")
