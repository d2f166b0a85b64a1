"""How are the outlines of boxes and the lines between them written as paths?"""

from collections.abc import Sequence

Point = tuple[float, float]

ROUND = 6.0
"""Of the corners of boxes and of lines."""


def cornered(box: tuple[float, float, float, float], round_: Sequence[bool]) -> str:
    """A rectangle of which some corners are round, clockwise from the upper left."""
    x, y, w, h = box
    a, b, c, d = (ROUND if r else 0.0 for r in round_)
    words: list[str | float] = ["M", x + a, y, "H", x + w - b]
    words += ["A", b, b, 0, 0, 1, x + w, y + b] if b else []
    words += ["V", y + h - c]
    words += ["A", c, c, 0, 0, 1, x + w - c, y + h] if c else []
    words += ["H", x + d]
    words += ["A", d, d, 0, 0, 1, x, y + h - d] if d else []
    words += ["V", y + a]
    words += ["A", a, a, 0, 0, 1, x + a, y] if a else []
    return _path([*words, "Z"])


def rounded(points: Sequence[Point]) -> str:
    """A line along points, its corners round."""
    kept = _without_straight(points)
    words: list[str | float] = ["M", *kept[0]]
    for before, at, after in zip(kept, kept[1:], kept[2:], strict=False):
        r = min(ROUND, _far(before, at) / 2, _far(at, after) / 2)
        words += ["L", *_towards(at, before, r), "Q", *at, *_towards(at, after, r)]
    return _path([*words, "L", *kept[-1]])


def _without_straight(points: Sequence[Point]) -> list[Point]:
    kept = list(points[:1])
    for at, after in zip(points[1:], [*points[2:], None], strict=True):
        if _far(kept[-1], at) < 0.01:
            continue
        same = after is not None and (
            abs(kept[-1][0] - at[0]) + abs(at[0] - after[0]) < 0.01
            or abs(kept[-1][1] - at[1]) + abs(at[1] - after[1]) < 0.01
        )
        if not same:
            kept.append(at)
    return kept


def _far(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Point, b: Point, r: float) -> Point:
    far = _far(a, b)
    return (a[0] + (b[0] - a[0]) * r / far, a[1] + (b[1] - a[1]) * r / far)


def tip(points: Sequence[Point]) -> str:
    """A triangle at the end of a line."""
    kept = _without_straight(points)
    (x0, y0), (x, y) = kept[-2:]
    far = _far((x0, y0), (x, y)) or 1.0
    dx, dy = (x - x0) / far, (y - y0) / far
    bx, by = x - 6.5 * dx, y - 6.5 * dy
    return _path(
        ["M", x, y, "L", bx - 3.6 * dy, by + 3.6 * dx, "L", bx + 3.6 * dy, by - 3.6 * dx, "Z"]
    )


def _path(words: Sequence[str | float]) -> str:
    found: list[str] = []
    for word in words:
        if isinstance(word, str):
            found.append(word)
        else:
            text = f"{word:.2f}".rstrip("0").rstrip(".")
            found.append("0" if text == "-0" else text)
    return " ".join(found)
