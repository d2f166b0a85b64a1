"""How does a diagnostic look in a terminal?"""

import unicodedata
from collections.abc import Iterable, Sequence

from cnnspec.text.diagnostic import Diagnostic, Label, Severity
from cnnspec.text.record import record
from cnnspec.text.source import Source, Span

WIDEST = 120
"""Columns of source text shown around a mistake; the rest of a longer line is left out."""

TAB = 4
MOST_FRAMES = 8


@record
class Paint:
    """Colours, or none."""

    on: bool

    def __call__(self, text: str, *codes: int) -> str:
        if not self.on or not text:
            return text
        return f"\x1b[{';'.join(str(c) for c in codes)}m{text}\x1b[0m"


BOLD, RED, YELLOW, BLUE, CYAN = 1, 31, 33, 34, 36


def render_all(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """All of them, a blank line between two, and a last line with their number."""
    shown = [render(d, colour=colour) for d in diagnostics]
    errors = sum(1 for d in diagnostics if d.severity is Severity.ERROR)
    return "\n".join([*shown, summary(errors, len(shown) - errors)]) + "\n" if shown else ""


def summary(errors: int, warnings: int) -> str:
    """`2 errors, 1 warning`."""
    parts = [
        f"{n} {word}{'' if n == 1 else 's'}"
        for n, word in ((errors, "error"), (warnings, "warning"))
        if n
    ]
    return ", ".join(parts)


def render(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """One diagnostic: what is so, where, underlined, with what led to it."""
    paint = Paint(colour)
    hue = RED if diagnostic.severity is Severity.ERROR else YELLOW
    head = paint(f"{diagnostic.severity}[{diagnostic.code}]", BOLD, hue)
    lines = [f"{head}{paint(f': {safe(diagnostic.message)}', BOLD)}"]
    labels = [Label(diagnostic.span, ""), *diagnostic.labels]
    width = max(len(str(_line_number(label.span))) for label in labels)
    arrow = paint("-->", BLUE)
    lines.append(f"{' ' * width}{arrow} {safe(diagnostic.span.place())}")
    lines += _excerpt(labels, diagnostic.span.source, width, hue, paint)
    margin = " " * (width + 1) + paint("=", BLUE)
    lines += [f"{margin} {safe(note)}" for note in diagnostic.notes]
    lines += [f"{margin} {frame}" for frame in _trail(diagnostic)]
    if diagnostic.hint:
        lines.append(f"{margin} {paint('hint', BOLD, CYAN)}: {safe(diagnostic.hint)}")
    return "\n".join(lines) + "\n"


def _line_number(span: Span) -> int:
    return span.source.position(span.start)[0]


def _trail(diagnostic: Diagnostic) -> list[str]:
    if diagnostic.trail is None:
        return []
    frames = diagnostic.trail.chain()
    shown = [f"in {frame.text} at {safe(frame.span.place())}" for frame in frames[:MOST_FRAMES]]
    if len(frames) > MOST_FRAMES:
        shown.append(f"and {len(frames) - MOST_FRAMES} more around these")
    return shown


def _excerpt(
    labels: Sequence[Label], main: Source, width: int, hue: int, paint: Paint
) -> list[str]:
    """The source lines of all labels in their order, the main one underlined with carets."""
    bar = paint("|", BLUE)
    lines = [f"{' ' * width} {bar}"]
    last_line, last_source = -1, main
    order = sorted(
        range(len(labels)),
        key=lambda i: (
            labels[i].span.source is not main,
            labels[i].span.source.name,
            labels[i].span.start,
        ),
    )
    for i in order:
        span, text = labels[i].span, labels[i].text
        number = _line_number(span)
        if span.source is not last_source:
            lines.append(f"{' ' * width}{paint(':::', BLUE)} {safe(span.place())}")
            last_source, last_line = span.source, -1
        source_line, start, end = _window(span)
        if number != last_line:
            if last_line >= 0 and number > last_line + 1:
                lines.append(f"{' ' * width} {paint('⋮', BLUE)}")
            lines.append(f"{paint(str(number).rjust(width), BLUE)} {bar} {source_line}".rstrip())
            last_line = number
        mark = ("^" if i == 0 else "-") * max(1, end - start)
        under = paint(mark, BOLD, hue) if i == 0 else paint(mark, BLUE)
        said = f" {paint(safe(text), hue) if i == 0 else paint(safe(text), BLUE)}" if text else ""
        lines.append(f"{' ' * width} {bar} {' ' * start}{under}{said}")
    return lines


def _window(span: Span) -> tuple[str, int, int]:
    """The line of a span as shown, and from which to which column the span goes in it."""
    source = span.source
    number, column = source.position(span.start)
    line = source.line(number)
    first = min(column - 1, len(line))
    last = min(len(line), max(first, first + span.end - span.start))
    left, right = 0, len(line)
    if len(line) > WIDEST:
        left = max(0, min(first - WIDEST // 3, len(line) - WIDEST))
        right = min(len(line), left + WIDEST)
        last = min(last, right)
    before, under = _plain(line[left:first]), _plain(line[first:last])
    prefix = "…" if left else ""
    shown = prefix + before + under + _plain(line[last:right]) + ("…" if right < len(line) else "")
    start = len(prefix) + columns(before)
    return shown, start, start + columns(under)


def _plain(text: str) -> str:
    return safe(text.replace("\t", " " * TAB))


def safe(text: str) -> str:
    """Without what would command the terminal: control characters as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == " " else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def columns(text: str) -> int:
    """How many columns a terminal needs for a text: wide letters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1
        for c in text
    )
