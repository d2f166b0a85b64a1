"""Is there more text than anyone would write? Asked before anything is read."""

from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source, Span

LARGEST_FILE = 2_000_000
LONGEST_LINE = 20_000
MOST_LINES = 200_000
LONGEST_NAME = 200


def is_too_large(source: Source, sink: Sink) -> bool:
    """Say so where a file, its lines or one of them are beyond bounds."""
    size = len(source.text)
    if size > LARGEST_FILE:
        sink.error(
            "too-large",
            f"the file has {size:,} characters; {LARGEST_FILE:,} are the most",
            Span(source, 0, 0),
        )
        return True
    lines = source.text.count("\n")
    if lines > MOST_LINES:
        sink.error(
            "too-large",
            f"the file has {lines:,} lines; {MOST_LINES:,} are the most",
            Span(source, 0, 0),
        )
        return True
    start = 0
    for line in source.text.split("\n"):
        if len(line) > LONGEST_LINE:
            sink.error(
                "too-large",
                f"the line has {len(line):,} characters; {LONGEST_LINE:,} are the most",
                Span(source, start, start + 1),
            )
            return True
        start += len(line) + 1
    return False
