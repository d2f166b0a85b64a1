"""`cnnspec report RUN`: the page of a training run, made again of what its folder has."""

from collections.abc import Sequence
from pathlib import Path

import click

from cnnspec.cli.models import Failed
from cnnspec.text.excerpt import safe
from cnnspec.writing import replacing


def report_run(folder: str, html: str | None, others: Sequence[str]) -> int:
    """Writes `report.html` into the folder, or where `--html` says; `others` are options that a run
    does not have."""
    if others:
        raise click.UsageError(f"{others[0]} is for specs; {folder} is a folder.")
    from cnnspec.pages.rereading import reread
    from cnnspec.run.folder import REPORT, NoRun

    try:
        text = reread(Path(folder), lambda line: click.echo(f"{folder}: {safe(line)}", err=True))
    except NoRun as fault:
        raise Failed(str(fault)) from None
    if html == "-":
        # As bytes: a page says of itself that it is UTF-8, whatever the terminal is.
        click.echo(text.encode(), nl=False)
        return 0
    path = html or str(Path(folder) / REPORT)
    with replacing(path) as file:
        file.write(text.encode())
    click.echo(f"wrote {path}", err=True)
    return 0
