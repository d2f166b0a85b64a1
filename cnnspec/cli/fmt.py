"""`cnnspec fmt`: the canonical form of specs."""

import difflib
import os
import sys
import tempfile
from pathlib import Path

import click

from cnnspec.cli.options import colour_option, files_argument
from cnnspec.cli.specs_of import Unreadable, source_of, tell
from cnnspec.syntax.format import format_file
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


@click.command()
@files_argument
@click.option("--check", "only_check", is_flag=True, help="Change nothing; list what would change.")
@click.option("--diff", "only_diff", is_flag=True, help="Change nothing; show what would change.")
@colour_option
def command(files: tuple[str, ...], only_check: bool, only_diff: bool, colour: str) -> int:
    """Bring specs into the canonical form, comments kept.

    A file that does not parse is left as it is. With --check or --diff, exit status 1 says that
    something would change. `-` formats standard input to standard output.

    \b
    Example:
      cnnspec fmt --diff lenet5.cnn
    """
    failed = changed = False
    for file in files:
        try:
            source = source_of(file)
        except Unreadable as error:
            error.show()
            failed = True
            continue
        sink = Sink()
        tree = parse(source, sink)
        if sink.failed:
            tell(sink.ordered(), colour)
            failed = True
            continue
        text = format_file(tree)
        if file == "-" and not (only_check or only_diff):
            click.echo(text, nl=False)
        elif text != source.text:
            changed = True
            _change(source, text, only_check=only_check, only_diff=only_diff)
    return int(failed or (changed and (only_check or only_diff)))


def _change(source: Source, text: str, *, only_check: bool, only_diff: bool) -> None:
    if only_diff:
        lines = difflib.unified_diff(
            source.text.splitlines(keepends=True),
            text.splitlines(keepends=True),
            source.name,
            source.name,
        )
        sys.stdout.writelines(line if line.endswith("\n") else f"{line}\n" for line in lines)
    elif only_check:
        click.echo(source.name)
    else:
        replace(Path(source.name), text)


def replace(path: Path, text: str) -> None:
    """Put a text into a file as a whole: a reader sees the old one or the new one."""
    target = path.resolve()
    mode = target.stat().st_mode
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
