"""`cnnspec expand`: the flat spec."""

import click

from cnnspec.cli.options import colour_option, file_argument, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.model.expand import expand


@click.command()
@file_argument
@set_option
@colour_option
def command(file: str, overrides: Overrides, colour: str) -> None:
    """Show the flat spec, after blocks, loops and conditions.

    It is a spec itself, with the same names and counts.

    \b
    Example:
      cnnspec expand resnet18 --set classes=10
    """
    click.echo(expand(need_graph(source_of(file), overrides, colour)), nl=False)
