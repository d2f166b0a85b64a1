"""How does text become a matrix, or one for each channel?

Rows end with `;` or with the line, channels with `|`; between numbers stand blanks or commas. The
brackets of Python's lists are understood too.
"""

import re
from collections.abc import Sequence

from cnnspec.sliding.numbers import Number, is_number, number

Plane = Sequence[Sequence[Number]]
"""The rows of one channel."""

HOW = 'a matrix is written as "1 2 3; 4 5 6"'

_LISTS = ((re.compile(r"\]\s*\]\s*,?\s*\[\s*\["), "|"), (re.compile(r"\]\s*,?\s*\["), ";"))
_BRACKETS = re.compile(r"^\s*\[+|\]+\s*$")
_BETWEEN = re.compile(r"\s*,\s*|\s+")


def is_written(text: str) -> bool:
    """Is a text meant as a matrix, rather than as a name?"""
    words = _BETWEEN.split(text.strip())
    return bool(re.search(r"[;|\n\[]", text.strip())) or any(is_number(w) for w in words)


def planes(text: str) -> list[Plane]:
    """One matrix for each channel. Raises `ValueError` with what is wrong, as a clause."""
    for pattern, mark in _LISTS:
        text = pattern.sub(mark, text)
    parts = _BRACKETS.sub("", text).split("|")
    many = len(parts) > 1
    found = [_plane(part, f"channel {k}, " if many else "") for k, part in enumerate(parts, 1)]
    first = sizes(found[0])
    for k, plane in enumerate(found[1:], 2):
        if sizes(plane) != first:
            raise ValueError(f"channel {k} is {sizes(plane)}, channel 1 is {first}")
    return found


def sizes(plane: Plane) -> str:
    return f"{len(plane)}x{len(plane[0])}"


def _plane(text: str, where: str) -> Plane:
    lines = [line for line in re.split(r"[;\n]", text) if line.strip()]
    if not lines:
        raise ValueError(f"{where}there is no number; {HOW}" if where else f"it is empty; {HOW}")
    rows = [_row(line, f"{where}row {r}") for r, line in enumerate(lines, 1)]
    wide = len(rows[0])
    for r, row in enumerate(rows[1:], 2):
        if len(row) != wide:
            raise ValueError(
                f"{where}row {r} has {_counted(len(row))}, row 1 has {wide}; "
                "all rows of a matrix have as many"
            )
    return rows


def _row(line: str, where: str) -> list[Number]:
    found: list[Number] = []
    for column, word in enumerate(_BETWEEN.split(line.strip().removesuffix(",").strip()), 1):
        if not word:
            raise ValueError(f"{where}, column {column}: there is no number between the commas")
        try:
            found.append(number(word))
        except ValueError as fault:
            raise ValueError(f"{where}, column {column}: {fault}") from None
    return found


def _counted(n: int) -> str:
    return f"{n} number" if n == 1 else f"{n} numbers"
