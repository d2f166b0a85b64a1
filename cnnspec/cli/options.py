"""What do several commands take alike?"""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    FileType = click.ParamType[str]
    OverrideType = click.ParamType[tuple[str, object]]
else:
    # In click 8.2 it takes no type.
    FileType = OverrideType = click.ParamType


class Spec(FileType):
    """A path, `-`, or a name of the zoo."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            self.fail("an empty name is no file.", param, ctx)
        return value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from cnnspec import zoo

        known = [name for name in zoo.names() if name.startswith(incomplete)]
        if not known:
            return [CompletionItem(incomplete, type="file")]
        # A shell completes paths itself or takes our words, not both; so these paths are words.
        here = [f"{e.name}/" if e.is_dir() else e.name for e in os.scandir()]
        paths = [p for p in here if p.endswith((".cnn", "/")) and not p.startswith(".")]
        found = [*(p for p in sorted(paths) if p.startswith(incomplete)), *known]
        return [CompletionItem(f) for f in found]


class Override(OverrideType):
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


def device_option(function: F) -> F:
    return click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda"]),
        default="auto",
        help="Where it is computed.",
    )(function)


def format_option(function: F) -> F:
    """For what is a table, or JSON."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        help="How to show it.",
    )(function)


def stage_option(function: F) -> F:
    return click.option(
        "--stop-after",
        "stage",
        type=click.Choice(["tree", "graph"]),
        help="Show what the spec has become after a stage, and stop.",
    )(function)


def is_coloured(choice: str, stream: TextIO | None = None) -> bool:
    """Shall a stream, stdout if none is named, get colours?"""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def cut(line: str, width: int | None) -> str:
    """A line, shortened where it is longer than a width."""
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"


def columns(otherwise: int) -> int:
    """How wide the terminal is; `otherwise` where there is none and COLUMNS does not say it."""
    from shutil import get_terminal_size

    return get_terminal_size((otherwise, 24)).columns
