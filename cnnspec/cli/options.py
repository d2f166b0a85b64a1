"""What do several commands take alike?"""

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


class Spec(click.ParamType[str]):
    """A path, `-`, or a name of the zoo; the shell completes both."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from cnnspec import zoo

        found = [CompletionItem(n) for n in zoo.names() if n.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")]


class Override(click.ParamType["tuple[str, object]"]):
    """`name=value`, the value written as in a spec."""

    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, object]:
        from cnnspec.model.override import read_override

        try:
            return read_override(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def file_argument(function: F) -> F:
    return click.argument("file", type=Spec())(function)


def files_argument(function: F) -> F:
    return click.argument("files", metavar="FILE...", type=Spec(), nargs=-1, required=True)(
        function
    )


def set_option(function: F) -> F:
    return click.option(
        "--set",
        "overrides",
        type=Override(),
        multiple=True,
        help="Set a param of the spec; may be given several times.",
    )(function)


def colour_option(function: F) -> F:
    return click.option(
        "--color",
        "colour",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="Colours; auto asks the terminal, NO_COLOR and FORCE_COLOR.",
    )(function)


def is_coloured(choice: str, stream: Any = None) -> bool:
    """Shall the stream get colours?"""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"
