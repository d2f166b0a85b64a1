"""The command line: one file for each command, imported when it is called."""

import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from cnnspec.version import VERSION

COMMANDS = {
    "check": "Say what is wrong with a spec, or nothing.",
    "report": "Show every shape and count of a network.",
    "fmt": "Bring specs into the canonical form.",
    "expand": "Show the flat spec, after blocks, loops and conditions.",
    "explain": "Show the page of a message, a layer or a setting.",
    "specs": "List the specs that come with cnnspec.",
    "new": "Write a spec to start from.",
}
"""Every command, with the line that `cnnspec --help` shows; its code is in the module of its
name."""

OUR_FAULT = 70


class Commands(click.Group):
    """The group of commands, which knows their names and imports none of them to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"cnnspec.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            from cnnspec.text.suggest import nearest

            meant = nearest(name, COMMANDS)
            hint = f" Did you mean `{meant}`?" if meant else ""
            raise click.UsageError(f"There is no command `{name}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="cnnspec")
def commands() -> None:
    """A language for convolutional networks: one page, checked and counted.

    Where a command takes FILE it takes a path, `-` for standard input, or the name of a spec that
    comes with cnnspec.

    \b
    Example:
      cnnspec report lenet5
    """


def main(args: list[str] | None = None) -> NoReturn:
    """Run a command; whatever happens ends in an exit status and at most one line, no traceback."""
    sys.exit(run(args))


def run(args: list[str] | None = None) -> int:
    try:
        result = commands.main(args, prog_name="cnnspec", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        click.echo(f"error: {_sentence(error)}", err=True)
        return 1
    except Exception as error:
        if os.environ.get("CNNSPEC_TRACEBACK"):
            raise
        click.echo(
            f"error: cnnspec itself failed ({type(error).__name__}: {error}); "
            "CNNSPEC_TRACEBACK=1 shows where, please report it",
            err=True,
        )
        return OUR_FAULT
    return result if isinstance(result, int) else 0


def _sentence(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror.lower()}"
