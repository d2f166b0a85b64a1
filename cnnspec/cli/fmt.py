"""`cnnspec fmt`: the canonical form of specs."""

import difflib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress

import click

from cnnspec.cli.options import colour_option, files_argument
from cnnspec.cli.specs_of import STDIN, Unreadable, source_of, tell
from cnnspec.syntax.format import format_file, same_program
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
    writes = not (only_check or only_diff)
    failed = changed = False
    for file in files:
        if writes and file != "-" and not os.path.exists(file):
            _refuse_zoo(file)
        try:
            source = source_of(file)
        except Unreadable as error:
            error.show()
            failed = True
            continue
        text = _formatted(source, colour)
        if text is None:
            failed = True
        elif writes and source.name == STDIN:
            click.echo(text, nl=False)
        elif text != source.text:
            changed = True
            if only_diff:
                click.echo("".join(_diff(source, text)), nl=False)
            elif only_check:
                click.echo(source.name)
            else:
                failed |= not _written(source.name, text)
    return int(failed or (changed and not writes))


def _refuse_zoo(name: str) -> None:
    """What came with cnnspec is not written to."""
    from cnnspec import zoo

    if name.removesuffix(".cnn") in zoo.names():
        raise click.UsageError(
            f"`{name}` is no file here; the spec of that name in the zoo is not for writing."
        )


def _formatted(source: Source, colour: str) -> str | None:
    """The canonical form; none, with the reason told, for what does not parse."""
    sink = Sink()
    tree = parse(source, sink)
    if sink.failed:
        tell(sink.ordered(), colour)
        return None
    text = format_file(tree)
    again = parse(Source(source.name, text), Sink())
    assert same_program(tree, again), f"the canonical form of {source.name} is another program"
    # Line ends are the editor's matter, or the version control's.
    is_dos = source.text.partition("\n")[0].endswith("\r")
    return text.replace("\n", "\r\n") if is_dos else text


def _diff(source: Source, text: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        source.text.splitlines(keepends=True), text.splitlines(keepends=True), source.name, "fmt"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _written(name: str, text: str) -> bool:
    """Write a file and say so; say why where that cannot be done."""
    try:
        replace(name, text)
    except OSError as fault:
        reason = (fault.strerror or str(fault)).lower()
        click.echo(f"error: {name}: {reason}; the file is as it was", err=True)
        return False
    click.echo(f"formatted {name}", err=True)
    return True


def replace(name: str, text: str) -> None:
    """Put a text into a file as a whole: a reader sees the old one or the new one, and so does who
    looks after a crash."""
    # A link stays, and what it points at is replaced.
    target = os.path.realpath(name)
    before = os.stat(target)
    if not stat.S_ISREG(before.st_mode):
        raise OSError("it is no regular file")
    folder, base = os.path.split(target)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{base}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "posix":
            # Only root can give a file away; to anyone else belongs what he writes.
            with suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        os.chmod(temporary, stat.S_IMODE(before.st_mode))
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
