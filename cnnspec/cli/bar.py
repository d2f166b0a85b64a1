"""How is a training run shown while it goes on?"""

import os
import sys
import time

import click

from cnnspec.cli.options import columns, cut
from cnnspec.run.events import EpochDone, Stepped

OFTEN, SELDOM = 0.1, 60.0
"""Seconds between two pictures of the bar, and between two plain lines."""

SHARES = ("accuracy", "precision", "recall", "f1", "iou")
"""Measures that are shown in percent."""

WIDEST = 20


class Bar:
    """A line that is written over again; where there is no terminal, one now and then."""

    def __init__(self) -> None:
        self._is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = time.monotonic() if not self._is_live else 0.0
        self._is_there = False

    def show(self, event: Stepped) -> None:
        now = time.monotonic()
        if now - self._shown < (OFTEN if self._is_live else SELDOM):
            return
        self._shown = now
        if self._is_live:
            self._is_there = True
            text = line(event, terminal_width() - 1)
            click.echo(f"\r\x1b[2K{text}", nl=False, err=True, color=True)
        else:
            click.echo(" · ".join(_parts(event)), err=True)

    def hide(self) -> None:
        if self._is_there:
            click.echo("\r\x1b[2K", nl=False, err=True, color=True)
        self._is_there = False


def line(event: Stepped, width: int) -> str:
    """The bar, with as much beside it as there is room for."""
    parts = _parts(event)
    text = " · ".join(parts)
    room = min(WIDEST, width - len(text) - 1)
    if room < 5:
        return cut(text, max(1, width))
    done = round(room * event.batch / event.batches)
    head, *rest = parts
    return " · ".join([f"{head} {'━' * done}{'╌' * (room - done)}", *rest])


def _parts(event: Stepped) -> list[str]:
    """What matters most stands first: a narrow terminal cuts off the end."""
    return [
        f"epoch {event.epoch}/{event.epochs}",
        f"{event.batch}/{event.batches}",
        f"loss {event.loss:.4f}",
        *([f"{event.accuracy:.1%} right"] if event.accuracy is not None else []),
        f"{event.examples_per_second:,.0f}/s",
        f"{_time(event.seconds_left)} left",
    ]


def _time(seconds: float) -> str:
    s = round(seconds)
    if s < 60:
        return f"{s} s"
    return f"{s // 60}:{s % 60:02}" if s < 3600 else f"{s // 3600}:{s % 3600 // 60:02}:{s % 60:02}"


def terminal_width() -> int:
    """How wide the terminal is that the bar is on: stdout may lead elsewhere."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or columns(80)
    except (OSError, ValueError):
        return columns(80)


# ── what stays ─────────────────────────────────────────────────────────────────────────────────


def epoch_line(event: EpochDone) -> str:
    parts = [f"epoch {event.epoch:>{len(str(event.epochs))}}/{event.epochs}"]
    parts += [f"{name} {number(name, x)}" for name, x in event.train.items()]
    if event.validation:
        held = " ".join(f"{name} {number(name, x)}" for name, x in event.validation.items())
        parts.append(f"validation {held}")
    parts.append(f"{event.seconds:.1f} s")
    return " · ".join(parts) + (" · best" if event.is_best else "")


def number(name: str, x: float) -> str:
    return f"{x:.2%}" if name in SHARES or name.startswith("top") else f"{x:.4f}"
