"""How is a value of a shape drawn: a stack of planes, a box, a stack of strips, a bar?

Seen from the front, what lies behind going up and to the right. A `Solid` knows its outline with
the middle of its front on the axis, y growing downwards as in SVG.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log2

from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role
from cnnspec.layers.base import product
from cnnspec.vocab.value import Shape

LEAST = 6.0
"""Pixels of a side; less could not be seen."""

MOST_TURNS = 3
"""Of a run so many are drawn."""

CELLS = 16
"""A vector of so many numbers or fewer is drawn number by number."""


@dataclass(frozen=True, slots=True)
class Rect:
    x: float
    y: float
    w: float
    h: float

    @property
    def right(self) -> float:
        return self.x + self.w

    @property
    def bottom(self) -> float:
        return self.y + self.h

    def moved(self, x: float, y: float) -> "Rect":
        return Rect(self.x + x, self.y + y, self.w, self.h)


class Scale:
    """How long are sides: in proportion where all sizes can be seen then, otherwise by a root."""

    def __init__(self, shapes: Sequence[Shape], longest: float) -> None:
        """The longest side of all maps gets so many pixels."""
        sides = [n for shape in shapes if is_map(shape) for n in shape[1:] if n > 1]
        self.longest = longest
        self._most = max(sides, default=1)
        ratio = self._most / min(sides, default=1)
        self.root = 1 if ratio <= 7 else 2 if ratio <= 100 else 3

    def side(self, n: int) -> float:
        return max(LEAST, self.longest * (n / self._most) ** (1 / self.root))

    def depth(self, channels: int) -> float:
        """How far the stack of so many maps goes back."""
        return self.longest / 15 * log2(channels)

    def bar(self, n: int) -> float:
        """How high a vector is."""
        return self.longest * (0.13 + 0.065 * log2(n + 1))

    @property
    def words(self) -> str:
        sides = ("to scale", "by square root", "by cube root")[self.root - 1]
        return f"sides of maps {sides}, stacks and bars by logarithm"


def is_map(shape: Shape) -> bool:
    """Has it places, rather than numbers alone?"""
    return len(shape) > 1 and product(shape[1:]) > 1


@dataclass(frozen=True, slots=True)
class Solid:
    """The outline of a drawn value, from its left edge and its axis."""

    front: Rect
    planes: tuple[tuple[float, float], ...]
    """How far each plane behind the front is moved, the nearest first."""
    back: tuple[float, float] = (0, 0)
    """Of a box the way from its front to its back."""
    cells: int = 1
    """Of a bar into how many it is divided."""

    @property
    def width(self) -> float:
        return self.front.w + self._reach()[0]

    @property
    def top(self) -> float:
        return self.front.y - self._reach()[1]

    @property
    def bottom(self) -> float:
        return self.front.bottom

    def _reach(self) -> tuple[float, float]:
        x, y = self.planes[-1] if self.planes else (0.0, 0.0)
        return x + self.back[0], y + self.back[1]


def solid(shape: Shape, scale: Scale) -> Solid:
    if not is_map(shape):
        n = product(shape)
        high = scale.bar(n)
        return Solid(Rect(0, -high / 2, 13, high), (), cells=n if n <= CELLS else 1)
    channels, axes = shape[0], len(shape) - 1
    back = scale.depth(channels)
    w = scale.side(shape[-1])
    h = scale.side(shape[-2]) if axes > 1 else 13
    front = Rect(0, -h / 2, w, h)
    if axes == 1:
        return Solid(front, _planes(channels, 1.4 * back, 0.25, 0.75))
    if axes == 3:
        d = 0.4 * scale.side(shape[-3])
        return Solid(front, _planes(channels, back, 0.5, 0.5, gap=12), (d, 0.6 * d))
    return Solid(front, _planes(channels, back, 0.62, 0.45))


def _planes(
    channels: int, depth: float, right: float, up: float, gap: float = 5
) -> tuple[tuple[float, float], ...]:
    """Of few maps each one; of many as many as the stack has room for."""
    n = min(channels - 1, max(round(depth / gap), 1)) if channels > 1 else 0
    steps = [depth * k / n for k in range(1, n + 1)]
    return tuple((right * s, up * s) for s in steps)


@dataclass(frozen=True, slots=True)
class Glyph:
    """What stands for a stage: a solid, or some of a run, each before the one to its left."""

    solids: tuple[tuple[float, Solid], ...]
    """Each with its left edge."""
    frame: float = 0
    """How far the frame of a folded block is from them; none for 0."""

    @property
    def width(self) -> float:
        return max(x + s.width for x, s in self.solids) + self.frame

    @property
    def top(self) -> float:
        return min(s.top for _, s in self.solids) - self.frame

    @property
    def bottom(self) -> float:
        return max(s.bottom for _, s in self.solids) + self.frame

    @property
    def entry(self) -> Rect:
        """The front that values come to."""
        x, first = self.solids[0]
        return first.front.moved(x, 0)

    @property
    def exit(self) -> Rect:
        """The front that values go from."""
        x, last = self.solids[-1]
        return last.front.moved(x, 0)


def glyph(shapes: Sequence[Shape], scale: Scale, *, framed: bool) -> Glyph:
    edge = 9.0 if framed else 0.0
    made: list[tuple[float, Solid]] = []
    x = edge
    for shape in _some(shapes):
        found = solid(shape, scale)
        made.append((x, found))
        x += max(16.0, 0.3 * found.front.w) if is_map(shape) else 22
    return Glyph(tuple(made), edge)


def _some(shapes: Sequence[Shape]) -> Sequence[Shape]:
    """The first, the last, and of those between one."""
    if len(shapes) <= MOST_TURNS:
        return shapes
    return (shapes[0], shapes[len(shapes) // 2], shapes[-1])


# ── as elements ────────────────────────────────────────────────────────────────────────────────


def painted(
    figure: Figure, what: Glyph, role: Role, x: float, y: float, own: float = 1
) -> Iterator[Element]:
    """With its left edge and its axis there; `own` is the share of a stack that was not put beside
    it later."""
    if what.frame:
        yield node(
            "rect",
            x=x,
            y=y + what.top,
            width=what.width,
            height=what.bottom - what.top,
            rx=6,
            **figure.paint("panel", "line"),
        )
    for left, found in what.solids:
        outline = figure.paint(role, "line") if not found.back[0] else {}
        parts = list(_parts(figure, found, role, x + left, y))
        if own < 1 and len(parts) > 1:
            later = max(1, min(len(parts) - 1, round((1 - own) * len(parts))))
            merged = figure.paint("merge", "line")
            yield node("g", *parts[:later], stroke_width=0.9, **merged)
            parts = parts[later:]
        yield node("g", *parts, stroke_width=0.9, **outline)


def _parts(figure: Figure, found: Solid, role: Role, x: float, y: float) -> Iterator[Element]:
    for dx, dy in chain(reversed(found.planes), [(0.0, 0.0)]):
        front = found.front.moved(x + dx, y - dy)
        if found.back[0]:
            yield from _box(figure, front, found.back, role)
        else:
            yield node("rect", x=front.x, y=front.y, width=front.w, height=front.h)
    if found.cells > 1:
        front = found.front.moved(x, y)
        steps = [front.y + front.h * k / found.cells for k in range(1, found.cells)]
        lines = "".join(f"M{front.x:.2f} {s:.2f}h{front.w:.2f}" for s in steps)
        yield node("path", d=lines)


def _box(figure: Figure, front: Rect, back: tuple[float, float], role: Role) -> Iterator[Element]:
    """Three sides of it, that on top brighter and that to the right darker than the front."""
    dx, dy = back
    right, bottom = front.right, front.bottom
    top = [(front.x, front.y), (front.x + dx, front.y - dy), (right + dx, front.y - dy)]
    side = [(right, front.y), (right + dx, front.y - dy), (right + dx, bottom - dy)]
    paint = figure.paint(role, "line")
    yield node("rect", x=front.x, y=front.y, width=front.w, height=front.h, **paint)
    yield node("polygon", points=points([*top, (right, front.y)]), **paint)
    yield node("polygon", points=points([*side, (right, bottom)]), **paint)
    shade = figure.paint("ink") | {"fill-opacity": "0.12"}
    yield node("polygon", points=points([*side, (right, bottom)]), **shade)


def points(corners: Sequence[tuple[float, float]]) -> str:
    """As `polygon` and `polyline` want them."""
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in corners)
