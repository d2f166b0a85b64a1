"""What is taken for what, as a picture?

Rows are what is so, columns what it was taken for. The colour of a cell is its share of the row, so
that a rare class is as easy to read as a frequent one. Beyond `MOST_NUMBERS` classes cells have a
tip in place of a number, and those that are zero are not drawn.
"""

from collections.abc import Sequence

from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Figure, node
from cnnspec.draw.theme import Theme
from cnnspec.draw.ticks import short
from cnnspec.text.excerpt import safe

Matrix = Sequence[Sequence[int]]

MOST_NUMBERS, MOST = 30, 200
"""Classes up to which there are numbers, and a figure at all."""

SIZE = 11.0

LONGEST = 150.0
"""Pixels for the name of a class."""

DARK = 0.45
"""From this share on the letters in a cell are those of the paper."""

BIG = 100_000
"""Counts of pixels are told as shares."""


def confusion(
    matrix: Matrix, labels: Sequence[str], title: str, *, theme: Theme = "auto"
) -> Figure:
    """The figure of up to `MOST` classes."""
    n = len(matrix)
    assert n <= MOST, "of more classes one sees nothing"
    has_numbers = n <= MOST_NUMBERS
    names = [fitted(called(k, labels), LONGEST, SIZE) for k in range(n)]
    left = 30 + max((width(name, SIZE) for name in names), default=0)
    texts = [[_cell(x, sum(row)) for x in row] for row in matrix]
    wide = max((width(t, SIZE) for row in texts for t in row), default=0) + 8
    cell = max(24.0, wide, 620 / n if n < 20 else 0) if has_numbers else max(6.0, 900 / n)
    cell = min(cell, 72.0 if n < 6 else 56.0)
    high = min(cell, 26.0) if has_numbers else cell
    right = sum(map(sum, matrix))
    hits = sum(matrix[k][k] for k in range(n))
    said = f"{hits:,} of {right:,} are right. Rows are what is so, columns what it was taken for"
    f = Figure(left + n * cell + 12, 44 + n * high + 12, title, f"{n} classes: {said}", theme)
    f.add(
        f.text(
            "what it was taken for",
            left + n * cell / 2,
            14,
            size=SIZE,
            anchor="middle",
            role="soft",
        )
    )
    turned = f"rotate(-90 14 {44 + n * high / 2:.1f})"
    f.add(
        f.text(
            "what it is",
            14,
            44 + n * high / 2,
            size=SIZE,
            anchor="middle",
            role="soft",
            transform=turned,
        )
    )
    every = 1 if high >= 12 else 5 if high >= 3 else 10
    for k in range(n):
        if k % every:
            continue
        middle = left + (k + 0.5) * cell
        if has_numbers or k % max(every, 5 if n < 100 else 10) == 0:
            f.add(f.text(str(k), middle, 36, size=SIZE, anchor="middle", role="soft"))
        f.add(f.text(names[k], left - 6, 44 + (k + 0.5) * high + 4, size=SIZE, anchor="end"))
    _cells(f, matrix, texts, labels, (left, cell, high), has_numbers)
    f.add(node("rect", x=left, y=44, width=n * cell, height=n * high, **f.paint(None, "faint")))
    return f


def called(k: int, labels: Sequence[str]) -> str:
    """A class by its number and, where it has another one, its name."""
    name = safe(labels[k]) if k < len(labels) else str(k)
    return name if name == str(k) else f"{k}  {name}"


def _cells(
    f: Figure,
    matrix: Matrix,
    texts: Sequence[Sequence[str]],
    labels: Sequence[str],
    place: tuple[float, float, float],
    has_numbers: bool,
) -> None:
    left, cell, high = place
    for r, row in enumerate(matrix):
        total = sum(row) or 1
        for c, x in enumerate(row):
            if not x:
                continue
            share = x / total
            tip = node("title")
            tip.text = (
                f"{called(r, labels)} taken for {called(c, labels)}: {x:,} of {total:,}, "
                f"{share:.1%}"
            )
            role = "curve0" if r == c else "mark"
            ink = "paper" if share >= DARK else "ink"
            x0, y0 = left + c * cell, 44 + r * high
            f.add(
                node(
                    "rect",
                    tip,
                    x=x0,
                    y=y0,
                    width=cell,
                    height=high,
                    fill_opacity=_strength(share),
                    **f.paint(role),
                ),
            )
            if has_numbers:
                f.add(
                    f.text(
                        texts[r][c],
                        x0 + cell / 2,
                        y0 + high / 2 + 4,
                        size=SIZE,
                        anchor="middle",
                        role=ink,
                        pointer_events="none",
                    )
                )


def _strength(share: float) -> float:
    """A single mistake can still be seen."""
    return round(0.12 + 0.88 * share**0.7, 2)


def _cell(x: int, total: int) -> str:
    if not x:
        return ""
    return f"{x:,}" if total < BIG else f"{short(round(100 * x / total, 1))}%"
