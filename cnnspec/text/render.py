"""How does a diagnostic look in a terminal?"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from cnnspec.text.diagnostic import Diagnostic, Frame, Severity
from cnnspec.text.excerpt import excerpt, safe
from cnnspec.text.record import record
from cnnspec.text.source import Source, Span

WIDTH = 120
"""Columns where nobody says how many there are; longer lines of source are cut around what is
marked in them."""

NARROWEST = 40
MOST_FRAMES = 8

BOLD, RED, YELLOW, BLUE, CYAN = "1", "1;31", "1;33", "34", "1;36"


class Paint(Protocol):
    """Colours a text, or leaves it as it is."""

    def __call__(self, text: str, colour: str) -> str: ...


@record
class Mark:
    """Characters of one line that are underlined, and what is said of them."""

    source: Source
    line: int
    first: int
    last: int
    text: str
    is_main: bool


def render_all(
    diagnostics: Sequence[Diagnostic], *, colour: bool = False, width: int = WIDTH
) -> str:
    """All of them, a blank line between two, and a last line with their number."""
    if not diagnostics:
        return ""
    shown = [render(d, colour=colour, width=width) for d in diagnostics]
    return "\n".join([*shown, summary(diagnostics)]) + "\n"


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    counts = (("error", errors), ("warning", len(diagnostics) - errors))
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts if n)


def render(diagnostic: Diagnostic, *, colour: bool = False, width: int = WIDTH) -> str:
    """One diagnostic: what is so, where, underlined, with what led to it."""
    paint = _coloured if colour else _plain
    hue = RED if diagnostic.severity is Severity.ERROR else YELLOW
    span, marks = diagnostic.span, _marks(diagnostic)
    margin = " " * (max(len(str(mark.line)) for mark in marks) + 1)
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", hue)
    lines = [
        head + paint(f": {safe(diagnostic.message)}", BOLD),
        f"{margin}{paint('-->', BLUE)} {safe(span.place())}",
    ]
    if span.source.text:
        lines.append(margin + paint("|", BLUE))
        lines += _excerpts(marks, margin, hue, paint, max(width, NARROWEST) - len(margin) - 2)
    said = [safe(note) for note in (*diagnostic.notes, *_trail(diagnostic.trail))]
    if diagnostic.hint:
        said.append(f"{paint('hint', CYAN)}: {safe(diagnostic.hint)}")
    return "\n".join([*lines, *(f"{margin}{paint('=', BLUE)} {s}" for s in said)]) + "\n"


def _plain(text: str, colour: str) -> str:
    return text


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


# ── the source ─────────────────────────────────────────────────────────────────────────────────


def _marks(diagnostic: Diagnostic) -> list[Mark]:
    """All that is underlined, in the order of the text, the main file first."""
    main = diagnostic.span
    marks = list(_marks_of(main, "", is_main=True))
    for label in diagnostic.labels:
        marks += _marks_of(label.span, label.text, is_main=False)
    return sorted(
        marks, key=lambda m: (m.source is not main.source, m.source.name, m.line, m.first)
    )


def _marks_of(span: Span, text: str, *, is_main: bool) -> Iterator[Mark]:
    """One mark; of a span over several lines, one in its first line and one in its last."""
    source = span.source
    line, column = source.position(span.start)
    last_line, last_column = source.position(max(span.start, span.end - 1))
    if line == last_line:
        size = len(source.line(line))
        first = min(column - 1, size)
        last = min(size, first + span.end - span.start)
        yield Mark(source, line, first, last, text, is_main)
        return
    yield Mark(source, line, column - 1, len(source.line(line)), "", is_main)
    ending = source.line(last_line)
    indent = len(ending) - len(ending.lstrip())
    last = min(last_column, len(ending))
    yield Mark(source, last_line, min(indent, last), last, text, is_main)


def _excerpts(
    marks: Sequence[Mark], margin: str, hue: str, paint: Paint, room: int
) -> Iterator[str]:
    """The lines of source with marks below them; a line that must be cut differently for each of
    its marks comes with each of them."""
    bar = paint("|", BLUE)
    main = next(mark for mark in marks if mark.is_main)
    source, line, above = main.source, 0, ""
    for mark in marks:
        if mark.source is not source:
            source, line = mark.source, 0
            place = safe(f"{source.name}:{mark.line}:{mark.first + 1}")
            yield f"{margin}{paint(':::', BLUE)} {place}"
        shown = excerpt(source.line(mark.line), mark.first, mark.last, room)
        if mark.line != line or shown.text != above:
            if line and mark.line > line + 1:
                yield margin + paint("⋮", BLUE)
            number = paint(str(mark.line).rjust(len(margin) - 1), BLUE)
            yield f"{number} {bar} {shown.text}".rstrip()
        line, above = mark.line, shown.text
        under = ("^" if mark.is_main else "-") * max(1, shown.end - shown.start)
        said = f" {safe(mark.text)}" if mark.text else ""
        below = paint(under + said, hue if mark.is_main else BLUE)
        yield f"{margin}{bar} {' ' * shown.start}{below}"


# ── the way there ──────────────────────────────────────────────────────────────────────────────


def _trail(innermost: Frame | None) -> list[str]:
    """One line for each block, with the turns of the loops in which it is called."""
    if innermost is None:
        return []
    ways: list[tuple[list[str], str]] = []
    for frame in innermost.chain():
        is_block = frame.text.startswith("block ")
        if is_block or not ways:
            place = f"{'called ' if is_block else ''}at {frame.span.place()}"
            ways.append(([frame.text], place))
        else:
            ways[-1][0].append(frame.text)
    shown = [f"in {', '.join(texts)}, {place}" for texts, place in ways[:MOST_FRAMES]]
    more = len(ways) - MOST_FRAMES
    return [*shown, f"and in {more} more around these"] if more > 0 else shown
