"""How is a line of source shown, so that marks below it stand under what they mark?"""

from collections.abc import Iterable
from itertools import islice

from cnnspec.text.record import record

TAB = "    "
LEFT_OUT = "…"


@record
class Excerpt:
    """A line as shown, and the columns in it, from 0, that are to be marked."""

    text: str
    start: int
    end: int


def excerpt(line: str, first: int, last: int, room: int) -> Excerpt:
    """As much of a line as `room` columns hold, around its characters `first` to `last`."""
    left, right = 0, len(line)
    if right > room or columns(plain(line)) > room:
        left, right = _around(line, first, last, room - 2 * len(LEFT_OUT))
    before, marked = plain(line[left:first]), plain(line[first : min(last, right)])
    head = LEFT_OUT if left else ""
    tail = LEFT_OUT if right < len(line) else ""
    text = head + before + marked + plain(line[max(first, min(last, right)) : right]) + tail
    start = len(head) + columns(before)
    return Excerpt(text, start, start + columns(marked))


def _around(line: str, first: int, last: int, room: int) -> tuple[int, int]:
    """From which to which character of a long line: what is marked, a third of the room for what
    stands before it, and whatever else fits."""
    n, marked = _fit(line[first:last], room - room // 3)
    right = first + n
    n, before = _fit(reversed(line[:first]), room // 3)
    left = first - n
    if right < last:
        return left, right
    n, after = _fit(line[right:], room - marked - before)
    right += n
    n, _ = _fit(reversed(line[:left]), room - marked - before - after)
    return left - n, right


def _fit(characters: Iterable[str], room: int) -> tuple[int, int]:
    """How many of the characters `room` columns hold, and how many columns they take."""
    n = taken = 0
    # Accents take no column; without a limit a million of them would fit.
    for character in islice(characters, 4 * room):
        wide = columns(plain(character))
        if taken + wide > room:
            break
        n, taken = n + 1, taken + wide
    return n, taken


def plain(text: str) -> str:
    """On one line, tabs as blanks, without what would command the terminal."""
    return safe(text.replace("\t", TAB))


def safe(text: str) -> str:
    """Control characters, reversals of direction and the like as `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def columns(text: str) -> int:
    """How many columns a terminal needs for a text: wide letters take two, accents none."""
    if text.isascii():
        return len(text)
    # Loaded here because hardly any text needs it.
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(c) in ("Mn", "Me") else 2 if east_asian_width(c) in ("W", "F") else 1
        for c in text
    )
