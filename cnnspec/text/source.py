"""Where is a piece of text: which file, which line, which column?"""

from bisect import bisect_right
from dataclasses import field
from typing import NamedTuple

from cnnspec.text.record import record


@record
class Source:
    """A file's text under the name that the user knows it by."""

    name: str
    text: str = field(repr=False)
    _starts: list[int] = field(default_factory=list[int], repr=False)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1, the column in characters."""
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        starts = self._line_starts()
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    @property
    def line_count(self) -> int:
        return len(self._line_starts())

    def _line_starts(self) -> list[int]:
        # Computed on the first question only: a correct file asks none.
        if not self._starts:
            self._starts.append(0)
            at = self.text.find("\n")
            while at >= 0:
                self._starts.append(at + 1)
                at = self.text.find("\n", at + 1)
        return self._starts


class Span(NamedTuple):
    """Characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: "Span") -> "Span":
        """From here to the end of another span of the same source."""
        return Span(self.source, self.start, max(self.end, other.end))

    def place(self) -> str:
        """`file:line:column`, as editors and terminals understand it."""
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
