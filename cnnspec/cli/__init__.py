"""The command line: one module for each command, imported when it is called."""

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from cnnspec.version import VERSION

COMMANDS = {
    "check": ("cnnspec.cli.check", "Say what is wrong with specs, or nothing."),
    "report": ("cnnspec.cli.report", "Show every shape and count of a network."),
    "draw": ("cnnspec.cli.draw", "Draw a network as a figure."),
    "compile": ("cnnspec.cli.compile", "Write a network as an ONNX file."),
    "train": ("cnnspec.cli.train", "Train a network as its `train` part says."),
    "run": ("cnnspec.cli.run", "Show what a network says of pictures and arrays."),
    "look": ("cnnspec.cli.look", "Show what a network looks at in an input."),
    "eval": ("cnnspec.cli.eval", "Measure a model on a data set."),
    "time": ("cnnspec.cli.time", "Measure how long a model takes, as a whole and by layer."),
    "compare": ("cnnspec.cli.compare", "Put training runs side by side."),
    "diff": ("cnnspec.cli.diff", "Compare two networks or models."),
    "convolve": ("cnnspec.cli.convolve", "Slide a kernel over an image, and show each sum."),
    "fmt": ("cnnspec.cli.fmt", "Bring specs into the canonical form, comments kept."),
    "expand": ("cnnspec.cli.expand", "Show the flat spec, after blocks, loops and conditions."),
    "explain": ("cnnspec.cli.explain", "Show the page of a message, a layer or a setting."),
    "specs": ("cnnspec.cli.specs", "List the specs that come with cnnspec, with their counts."),
    "new": ("cnnspec.cli.new", "Write NAME.cnn, a commented spec to start from."),
}
"""Every command: the module whose `command` it is, and the line that `cnnspec --help` shows."""

STDOUT = 1

WORLDS_FAULT = 1
OUR_FAULT = 70
INTERRUPTED = 130
NOBODY_READS = 141


class Commands(click.Group):
    """The group of commands, which knows their names and imports none of them to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from cnnspec.text.suggest import nearest

            meant = nearest(name, COMMANDS)
            hint = f" Did you mean `{meant}`?" if meant else ""
            raise click.UsageError(f"There is no command `{name}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        # Said here, before click says it in its own way.
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # Who read our output has gone, as `head` does; Python must not complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
            ctx.exit(NOBODY_READS)
        return result


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
    """Run a command; whatever happens ends in an exit status, and no traceback."""
    _open_closed()
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # Where the terminal knows fewer letters than we, it gets `\u00b7`.
        reconfigure(errors="backslashreplace")
    sys.exit(status_of(args))


def _open_closed() -> None:
    """Who was started without standard output or error, as by a timer, has them lead nowhere."""
    # A file that is opened next would else be number 2, into which the runtime writes warnings.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))


def status_of(args: list[str] | None = None) -> int:
    """The exit status of a command."""
    try:
        result = commands.main(args, prog_name="cnnspec", standalone_mode=False)
    except click.ClickException as error:
        _tell(error)
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
    except OSError as error:
        click.echo(f"error: {_sentence(error)}", err=True)
        return WORLDS_FAULT
    except Exception as error:
        if os.environ.get("CNNSPEC_TRACEBACK"):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        click.echo(
            f"error: cnnspec itself failed ({said}); please report it, with what "
            "CNNSPEC_TRACEBACK=1 shows",
            err=True,
        )
        return OUR_FAULT
    return result if isinstance(result, int) else 0


def _tell(error: click.ClickException) -> None:
    """Why a command has stopped, as all of them say it: click's own begins with `Error:`."""
    if type(error).show is not click.UsageError.show:
        # Ours, or the help of `cnnspec` alone.
        error.show()
        return
    from cnnspec.text.excerpt import safe

    if isinstance(error, click.UsageError) and (ctx := error.ctx) is not None:
        click.echo(f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n", err=True)
    click.echo(f"error: {safe(' '.join(error.format_message().split()))}", err=True)


def _sentence(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    reason = error.strerror.lower()
    return reason if error.filename is None else f"{error.filename}: {reason}"
