"""Where on a figure are its letters, and which of them lie on each other?

Measured on the SVG itself, as wide as the widest font that a figure asks for makes them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians, sin
from xml.etree import ElementTree

from cnnspec.draw.letters import width

Element = ElementTree.Element
Matrix = tuple[float, float, float, float, float, float]
"""(x, y) becomes (a·x + c·y + e, b·x + d·y + f), as in SVG."""

SVG = "{http://www.w3.org/2000/svg}"
SAME: Matrix = (1, 0, 0, 1, 0, 0)
ASCENT, DESCENT = 0.76, 0.22
"""In sizes: from the foot of a line to the top of its highest letters, and to the lowest."""

ENOUGH = 0.01
"""Pixels; numbers in a file are rounded."""


@dataclass(frozen=True)
class Box:
    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float
    """Of its letters, in units of the figure."""

    def meets(self, other: "Box") -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > ENOUGH
            and min(self.bottom, other.bottom) - max(self.top, other.top) > ENOUGH
        )


def texts(svg: str) -> list[Box]:
    """Every line of letters of a figure."""
    return list(_walk(ElementTree.fromstring(svg), SAME, {"font-size": "16"}))


def overlaps(svg: str) -> list[tuple[str, str]]:
    """The pairs of texts that lie on each other."""
    found: list[tuple[str, str]] = []
    near: list[Box] = []
    for box in sorted(texts(svg), key=lambda b: (b.left, b.top, b.text)):
        near = [b for b in near if b.right > box.left]
        found += [(b.text, box.text) for b in near if b.meets(box)]
        near.append(box)
    return found


def outside(svg: str) -> list[str]:
    """The texts that leave the figure."""
    x, y, w, h = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split())
    return [
        b.text
        for b in texts(svg)
        if b.left < x - ENOUGH
        or b.top < y - ENOUGH
        or b.right > x + w + ENOUGH
        or b.bottom > y + h + ENOUGH
    ]


def smallest(svg: str, shown: float | None = None) -> float:
    """How high the smallest letters are, in pixels, where the figure is shown so wide; otherwise in
    its own size."""
    wide = float(ElementTree.fromstring(svg).attrib["viewBox"].split()[2])
    return min(b.size for b in texts(svg)) * (shown / wide if shown else 1)


INHERITED = ("font-size", "font-weight", "font-family", "text-anchor")


def _walk(element: Element, outer: Matrix, given: dict[str, str]) -> Iterator[Box]:
    matrix = _times(outer, _matrix(element.get("transform", "")))
    given = given | {k: element.attrib[k] for k in INHERITED if k in element.attrib}
    if element.tag == f"{SVG}text":
        assert not len(element), "parts of a text are not measured here"
        if (element.text or "").strip():
            yield _box(element, matrix, given)
        return
    for child in element:
        yield from _walk(child, matrix, given)


def _box(element: Element, matrix: Matrix, given: dict[str, str]) -> Box:
    text, size = element.text or "", float(given["font-size"])
    is_bold = given.get("font-weight") in ("bold", "600", "700")
    is_mono = "mono" in given.get("font-family", "").lower()
    wide = width(text, size, bold=is_bold, mono=is_mono)
    before = {"start": 0.0, "middle": wide / 2, "end": wide}[given.get("text-anchor", "start")]
    left, foot = float(element.get("x", 0)) - before, float(element.get("y", 0))
    corners = [
        _at(matrix, x, y)
        for x in (left, left + wide)
        for y in (foot - ASCENT * size, foot + DESCENT * size)
    ]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    a, b, *_ = matrix
    return Box(text, min(xs), min(ys), max(xs), max(ys), size * (a * a + b * b) ** 0.5)


def _matrix(transform: str) -> Matrix:
    made = SAME
    for name, inside in re.findall(r"(\w+)\s*\(([^)]*)\)", transform):
        numbers = [float(n) for n in re.split(r"[\s,]+", inside.strip())]
        made = _times(made, _one(name, numbers))
    return made


def _one(name: str, n: list[float]) -> Matrix:
    match name, len(n):
        case "translate", _:
            return (1, 0, 0, 1, n[0], n[1] if len(n) > 1 else 0)
        case "scale", _:
            return (n[0], 0, 0, n[-1], 0, 0)
        case "rotate", 1:
            c, s = cos(radians(n[0])), sin(radians(n[0]))
            return (c, s, -s, c, 0, 0)
        case "rotate", 3:
            there, back = (1, 0, 0, 1, n[1], n[2]), (1, 0, 0, 1, -n[1], -n[2])
            return _times(_times(there, _one("rotate", n[:1])), back)
        case "matrix", 6:
            return (n[0], n[1], n[2], n[3], n[4], n[5])
        case _:
            raise AssertionError(f"{name} of {len(n)} numbers is not measured here")


def _times(m: Matrix, n: Matrix) -> Matrix:
    """First n, then m."""
    return (
        m[0] * n[0] + m[2] * n[1],
        m[1] * n[0] + m[3] * n[1],
        m[0] * n[2] + m[2] * n[3],
        m[1] * n[2] + m[3] * n[3],
        m[0] * n[4] + m[2] * n[5] + m[4],
        m[1] * n[4] + m[3] * n[5] + m[5],
    )


def _at(m: Matrix, x: float, y: float) -> tuple[float, float]:
    return m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]
