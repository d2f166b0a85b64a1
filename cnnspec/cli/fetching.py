"""How is a download shown while it goes on?"""

import os
import sys
import time

import click

from cnnspec.cli.bar import OFTEN, terminal_width
from cnnspec.cli.options import cut
from cnnspec.text.excerpt import safe

MEGABYTE = 1e6


class Fetching:
    """A line that is written over again; where there is no terminal, one for each file."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._told: set[str] = set()
        self._shown = 0.0

    def __call__(self, name: str, have: int, total: int) -> None:
        if not self._is_live:
            if name not in self._told:
                click.echo(f"fetching {safe(name)}{_size(total)}", err=True)
            self._told.add(name)
            return
        now, is_whole = time.monotonic(), have == total
        if now - self._shown < OFTEN and not is_whole:
            return
        self._shown = now
        text = cut(f"fetching {safe(name)} · {_done(have, total)}", max(1, terminal_width() - 1))
        click.echo(f"\r\x1b[2K{text}", nl=is_whole, err=True, color=True)


def _size(total: int) -> str:
    return f" ({total / MEGABYTE:.1f} MB)" if total else ""


def _done(have: int, total: int) -> str:
    if not total:
        return f"{have / MEGABYTE:.1f} MB"
    return f"{have / total:.0%} of {total / MEGABYTE:.1f} MB"
