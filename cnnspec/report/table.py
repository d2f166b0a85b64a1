"""How does a report look in a terminal, at any width, with or without colour?

Rich lends its styles and its knowledge of the terminal. Its table is not used: that measures and
wraps every cell several times (seconds for ten thousand layers) and cuts what does not fit, numbers
included. Here text wraps, columns are left out by rank and said so, and a number is never cut.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from cnnspec.report.facts import Report, Row
from cnnspec.report.layout import GAP, Layout, Line, lay_out
from cnnspec.report.summary import heading, notes, summary

Piece = tuple[str, str]
"""A stretch of text and the name of its style."""

STYLES = {
    "": Style(),
    "title": Style(bold=True),
    "head": Style(bold=True),
    "rule": Style(dim=True),
    "block": Style(bold=True, color="cyan"),
    "call": Style(color="cyan"),
    "total": Style(bold=True),
    "soft": Style(dim=True),
}

UNIT = re.compile(r" ((?:k|M|G|T)?B\b)")

ASCII = str.maketrans(
    {"·": "*", "─": "-", "…": "...", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "Σ": "sum "}
)


class Table:
    """A report for `console.print(…, crop=False)`."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        end = Segment.line()
        for line in lines(self._report, options.max_width):
            for text, style in line:
                plain = text.translate(ASCII) if options.ascii_only else text
                yield Segment(plain, STYLES[style])
            yield end


def text(report: Report, width: int = 80) -> str:
    """The table without colour, its lines free of blanks at their ends."""
    return "".join(
        "".join(piece for piece, _ in line).rstrip() + "\n" for line in lines(report, width)
    )


def lines(report: Report, width: int) -> Iterator[Sequence[Piece]]:
    layout = lay_out(report, width)
    yield [(f" {report.network}", "title"), (f" · {heading(report)}", "soft")]
    yield [("", "")]
    yield _head(layout)
    rule = [(" " + "─" * layout.width, "rule")]
    yield rule
    for line in layout.lines:
        yield from _row(line, layout)
        if line.row and line.row.arithmetic:
            yield from _arithmetic(line.row, line.indent, width)
    yield rule
    yield from _row(layout.total, layout)
    yield [("", "")]
    yield from _foot(report, layout, width)


def _head(layout: Layout) -> Sequence[Piece]:
    texts = [f" {'layer':<{layout.name}}"]
    texts += [f"  {layout.call_title:<{layout.call - GAP}}"] if layout.call else []
    texts += [f"{c.title:>{w}}" for c, w in zip(layout.columns, layout.widths, strict=True)]
    return [("".join(texts), "head")]


def _row(line: Line, layout: Layout) -> Iterator[Sequence[Piece]]:
    blank = " " * (line.indent + 1)
    if not line.cells:
        yield [(f"{blank}{line.name}", "block")]
        return
    cells = "".join(
        f"{cell:>{width}}" for cell, width in zip(line.cells, layout.widths, strict=True)
    )
    room, space = layout.name - line.indent, layout.call - GAP
    names = [line.name] if len(line.name) <= room else _chunks(line.name, room)
    calls = [line.call] if len(line.call) <= space else _wrapped(line.call, space)
    style = "total" if line.row is None else "block" if line.row.kind == "block" else ""
    yield [
        (f"{blank}{names[0]:<{room}}", style),
        (f"  {calls[0]:<{space}}" if layout.call else "", "call"),
        (cells, "" if line.row else "total"),
    ]
    for name, call in zip_longest(names[1:], calls[1:] if layout.call else [], fillvalue=""):
        yield [(f"{blank}{name:<{room}}", style), (f"  {call}", "call")]


def _chunks(name: str, room: int) -> list[str]:
    """A long name on several lines, broken after `_` where there is one."""
    pieces: list[str] = []
    while len(name) > room:
        cut = name.rfind("_", 1, room) + 1 or room
        pieces.append(name[:cut])
        name = name[cut:]
    return [*pieces, name]


def _arithmetic(row: Row, indent: int, width: int) -> Iterator[Sequence[Piece]]:
    margin, wide = " " * (indent + 5), 13
    last = ""
    for line in row.arithmetic:
        label = f"{line.label if line.of != last else '':<{wide}}"
        last = line.of
        for i, part in enumerate(_wrapped(line.text, width - len(margin) - wide)):
            yield [(margin + (label if i == 0 else " " * wide), "soft"), (part, "")]
    yield [("", "")]


def _foot(report: Report, layout: Layout, width: int) -> Iterator[Sequence[Piece]]:
    pairs = summary(report)
    wide = max(len(label) for label, _ in pairs) + GAP
    for label, said in pairs:
        for i, part in enumerate(_wrapped(said, width - wide - 1)):
            yield [(f" {label if i == 0 else '':<{wide}}", "soft"), (part, "")]
    yield [("", "")]
    left_out = [f"left out at this width: {', '.join(layout.left_out)}"] if layout.left_out else []
    for note in [*notes(report), *left_out]:
        for part in _wrapped(note, width - 1):
            yield [(f" {part}", "soft")]


def _wrapped(said: str, width: int) -> list[str]:
    if len(said) <= width:
        return [said]
    # No line ends between a number and its unit, nor begins with a sign that joins.
    held = UNIT.sub("\u00a0\\1", said).replace(" · ", "\u00a0· ").replace(" + ", "\u00a0+ ")
    parts = wrap(held, max(width, 8), break_on_hyphens=False)
    return [part.replace("\u00a0", " ") for part in parts]
