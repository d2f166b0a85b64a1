"""What does the page show on which a kernel slides over an image?

Every step stands in a table, with its products: the script only moves what is shown, and calculates
nothing. Of a large picture there is a cut-out to step through, around the strongest answer.
"""

import re
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from markupsafe import Markup

from cnnspec.pages import images
from cnnspec.pages.greys import Floats, Manner, Scale, array, scale
from cnnspec.pages.page import render
from cnnspec.sliding.exercise import Exercise, Result
from cnnspec.sliding.numbers import show
from cnnspec.sliding.sentences import sentences
from cnnspec.sliding.slide import TITLES, Slide, Step
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record

SIDE = 32
"""Rows and columns of an output that are stepped through; of a larger one those of a cut-out."""

CUT = 12
"""Rows and columns of a cut-out."""

PIXELS = 26
"""Rows and columns of the input in a cut-out, unless one window shows more."""

WEIGHTS = 2_500
"""A kernel with more weights explains nothing when it is written out."""

TERMS = 40_000
"""Products on the whole page."""

WIDE = 300
"""To which small pictures are enlarged."""

MOST_PIXELS = 480
"""Of a side of a picture on the page."""

ROOMY, DENSE = 12, 20
"""Columns up to which cells have room for a weight below the number; for a pixel's number."""

TINTS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}


@record
class Cell:
    text: str
    style: str = ""
    kind: str = ""


@record
class Grid:
    """Numbers with those of their rows and columns, which count from 1; padding has none."""

    title: str
    rows: Sequence[tuple[str, Sequence[Cell]]]
    columns: Sequence[str]


@record
class Lane:
    """One way to slide: the kernel as it lies on the map, and what comes out."""

    title: str
    operation: str
    kernels: Sequence[Grid]
    after: str
    """What happens to the sum of the products."""
    output: Grid


@record
class Sum:
    """The arithmetic of a step in one lane."""

    lines: Sequence[str]
    products: str
    result: str


@record
class Place:
    row: int
    column: int
    at: str
    """The window's first cell in the grids of the input."""
    under: str
    """What the window shows."""
    sums: Sequence[Sum]


@record
class Area:
    """Rows and columns of an output, from the first up to before the last."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def high(self) -> int:
        return self.bottom - self.top

    @property
    def wide(self) -> int:
        return self.right - self.left


@record
class Whole:
    """A picture as a whole, with the place of the cut-out in percent of it."""

    shown: Markup
    text: str
    frame: tuple[float, float, float, float] | None


def convolve_page(found: Exercise, manner: Manner | None, at: tuple[int, int] | None) -> str:
    """The page as one text."""
    slide = found.result.slide
    is_written = len(slide.channels) * prod(slide.kernel.size) <= WEIGHTS
    area = _area(found.result, at)
    is_whole = (area.high, area.wide) == slide.out
    places = _places(found, area, is_whole) if is_written else []
    scales = [scale(r, manner, is_picture=found.is_picture) for r in found.results]
    return render(
        "convolve.html",
        found=found,
        slide=slide,
        what=_what(found),
        facts=_facts(found),
        inputs=_inputs(found, area, is_whole) if is_written else [],
        lanes=[_lane(r, s, area, found) for r, s in zip(found.results, scales, strict=True)]
        if is_written
        else [],
        places=places,
        longest=max((len(x) for p in places for x in _words(p)), default=1),
        start=_start(area, at),
        area=None if is_whole else area,
        wholes=_wholes(found, scales, area, is_whole) if found.is_picture or not is_whole else [],
        turned_title=TITLES["convolution"],
        correlation_title=TITLES["correlation"],
        size=_size(found, _input_width(slide, area, is_whole)),
    )


def _words(place: Place) -> Iterator[str]:
    """All that ever stands in the window or its products."""
    yield from place.under.split()
    for one in place.sums:
        yield from one.products.split()


def _what(found: Exercise) -> str:
    """The title of the page."""
    slide = found.result.slide
    k = slide.kernel
    size = f"{k.size[0]}x{k.size[1]}"
    if slide.is_pool:
        return f"{found.name}: {TITLES[slide.operation]} {size}"
    return f"{found.name}: kernel {k.name or size}"


def _facts(found: Exercise) -> list[str]:
    slide = found.result.slide
    bias = [f"bias {show(slide.bias)}"] if slide.bias else []
    return [*found.facts(), *bias]


def _size(found: Exercise, columns: int) -> str:
    if columns <= ROOMY:
        return ""
    return " tiny" if found.is_picture and columns > DENSE else " dense"


# ── which part of the output ────────────────────────────────────────────────────────────────────


def _area(result: Result, at: tuple[int, int] | None) -> Area:
    slide = result.slide
    high, wide = slide.out
    most = max(1, TERMS // (len(slide.channels) * prod(slide.kernel.size)))
    inputs = [a.padded for a in slide.window.axes]
    if max(high, wide) <= SIDE and max(inputs) <= SIDE + CUT and high * wide <= most:
        return Area(0, high, 0, wide)
    side = max(1, min(CUT, int(most**0.5)))
    row, column = _middle(result) if at is None else (at[0] - 1, at[1] - 1)
    top, rows = _span(slide, 0, row, min(side, high))
    left, columns = _span(slide, 1, column, min(side, wide))
    return Area(top, top + rows, left, left + columns)


def _span(slide: Slide, axis: int, middle: int, most: int) -> tuple[int, int]:
    """Where along an axis the cut-out begins, and how many it has."""
    a = slide.window.axes[axis]
    many = max(1, min(most, (PIXELS - a.extent) // a.stride + 1))
    return max(0, min(middle - many // 2, a.out - many)), many


def _middle(result: Result) -> tuple[int, int]:
    x = np.abs(array(result.output))
    row, column = np.unravel_index(int(x.argmax()), x.shape)
    return int(row), int(column)


def _start(area: Area, at: tuple[int, int] | None) -> int:
    """The step that is shown first."""
    return 0 if at is None else (at[0] - 1 - area.top) * area.wide + at[1] - 1 - area.left


def _pixels(slide: Slide, axis: int, first: int, last: int, is_whole: bool) -> range:
    """The input's rows or columns that these of the output see; of all of it all."""
    a = slide.window.axes[axis]
    if is_whole:
        return range(-a.begin, a.n + a.end)
    return range(first * a.stride - a.begin, (last - 1) * a.stride - a.begin + a.extent)


def _input_width(slide: Slide, area: Area, is_whole: bool) -> int:
    return len(_pixels(slide, 1, area.left, area.right, is_whole))


# ── grids ───────────────────────────────────────────────────────────────────────────────────────


def _inputs(found: Exercise, area: Area, is_whole: bool) -> list[Grid]:
    slide = found.result.slide
    rows = _pixels(slide, 0, area.top, area.bottom, is_whole)
    columns = _pixels(slide, 1, area.left, area.right, is_whole)
    down, right = slide.window.axes
    grids: list[Grid] = []
    for c, name in enumerate(slide.channels):
        tint = TINTS.get(name, (1, 1, 1)) if found.is_picture else None
        cells = [
            [
                _pixel(slide, c, i, j, tint)
                if 0 <= i < down.n and 0 <= j < right.n
                else Cell("" if slide.is_pool else "0", kind="padding")
                for j in columns
            ]
            for i in rows
        ]
        is_tiny = _size(found, len(columns)) == " tiny"
        numbers = [_number(i, is_tiny) if 0 <= i < down.n else "" for i in rows]
        heads = [_number(j, is_tiny) if 0 <= j < right.n else "" for j in columns]
        title = "input" if len(slide.channels) == 1 else safe(name)
        grids.append(Grid(title, list(zip(numbers, cells, strict=True)), heads))
    return grids


def _number(i: int, is_tiny: bool) -> str:
    """Of a row or column; where there is little room every fifth has one."""
    return "" if is_tiny and i and (i + 1) % 5 else str(i + 1)


def _pixel(slide: Slide, c: int, i: int, j: int, tint: tuple[int, int, int] | None) -> Cell:
    value = slide.value(c, i, j)
    return Cell(show(value), "" if tint is None else _shade(float(value), tint))


def _shade(value: float, tint: tuple[int, int, int]) -> str:
    """The colour of a pixel as the ground of its cell, and letters that stand out from it."""
    n = round(min(max(value, 0), 255))
    # Letters are black where their contrast to the ground, by its relative luminance, is larger.
    light = (n / 255) ** 2.2 * sum(w * t for w, t in zip((0.21, 0.72, 0.07), tint, strict=True))
    ink = "#000" if light > 0.18 else "#fff"
    return f"background:rgb({','.join(str(n * t) for t in tint)});color:{ink}"


def _lane(result: Result, shades: Scale, area: Area, found: Exercise) -> Lane:
    slide = result.slide
    k = slide.weights
    kernels: list[Grid] = []
    for c, plane in enumerate(() if slide.is_pool else k.planes):
        turned = ", turned" if slide.operation == "convolution" else ""
        title = f"kernel{turned}" if len(k.planes) == 1 else safe(slide.channels[c])
        cells = [("", [Cell(show(x)) for x in row]) for row in plane]
        kernels.append(Grid(title, cells, []))
    output = _output(result, shades, area, found)
    return Lane(TITLES[slide.operation], slide.operation, kernels, _after(slide), output)


def _after(slide: Slide) -> str:
    divided = "" if slide.kernel.divisor == 1 else f" / {show(slide.kernel.divisor)}"
    sign = "-" if slide.bias < 0 else "+"
    bias = f" {sign} {show(abs(slide.bias))}" if slide.bias else ""
    return f"sum{divided}{bias}"


def _output(result: Result, shades: Scale, area: Area, found: Exercise) -> Grid:
    slide = result.slide
    is_tiny = (
        _size(found, _input_width(slide, area, (area.high, area.wide) == slide.out)) == " tiny"
    )
    rows: list[tuple[str, Sequence[Cell]]] = []
    for r in range(area.top, area.bottom):
        totals = [slide.step(r, c).total for c in range(area.left, area.right)]
        greys = shades.greys(np.array([float(t) for t in totals])).tolist()
        cells = [
            Cell(show(t), _shade(g, (1, 1, 1)) if found.is_picture else "")
            for t, g in zip(totals, greys, strict=True)
        ]
        rows.append((_number(r, is_tiny), cells))
    return Grid("output", rows, [_number(c, is_tiny) for c in range(area.left, area.right)])


# ── steps ───────────────────────────────────────────────────────────────────────────────────────


def _places(found: Exercise, area: Area, is_whole: bool) -> list[Place]:
    slide = found.result.slide
    down, right = slide.window.axes
    top = _pixels(slide, 0, area.top, area.bottom, is_whole).start
    left = _pixels(slide, 1, area.left, area.right, is_whole).start
    places: list[Place] = []
    for r in range(area.top, area.bottom):
        for c in range(area.left, area.right):
            i, j = r * down.stride - down.begin - top, c * right.stride - right.begin - left
            sums = [_sum(result.slide, result.slide.step(r, c)) for result in found.results]
            seen = [t.value for p in slide.step(r, c).parts for t in p.terms]
            places.append(Place(r + 1, c + 1, f"{i} {j}", " ".join(map(show, seen)), sums))
    return places


def _sum(slide: Slide, step: Step) -> Sum:
    terms = [t for p in step.parts for t in p.terms]
    if slide.is_pool:
        products = ["–" if t.is_padding else show(t.value) for t in terms]
    else:
        products = [show(t.product) for t in terms]
    # A result does not stand alone on a line.
    lines = [re.sub("([=≈]) ", "\\1\N{NO-BREAK SPACE}", line) for line in sentences(slide, step)]
    return Sum(lines, " ".join(products), show(step.total))


# ── whole pictures ──────────────────────────────────────────────────────────────────────────────


def _wholes(found: Exercise, scales: Sequence[Scale], area: Area, is_whole: bool) -> list[Whole]:
    slide = found.result.slide
    down, right = slide.window.axes
    name = safe(found.name)
    rows = _pixels(slide, 0, area.top, area.bottom, is_whole)
    columns = _pixels(slide, 1, area.left, area.right, is_whole)
    seen = None if is_whole else _frame(rows, columns, down.n, right.n)
    wholes = [Whole(_input_picture(found), f"{name}, {down.n}x{right.n}", seen)]
    for result, shades in zip(found.results, scales, strict=True):
        title = TITLES[result.slide.operation]
        x = _small(array(result.output)[None])[0]
        high, wide = result.slide.out
        cut = range(area.top, area.bottom), range(area.left, area.right)
        frame = None if is_whole else _frame(*cut, high, wide)
        shown = images.image(shades.greys(x), f"{name} after {title}", wide=WIDE)
        wholes.append(Whole(shown, f"{title}, {high}x{wide}: {shades.words}", frame))
    return wholes


def _input_picture(found: Exercise) -> Markup:
    x = _small(np.stack([array(c) for c in found.channels]))
    if found.is_picture:
        pixels = np.rint(np.clip(x, 0, 255)).astype(np.uint8)
    else:
        least, most = float(x.min()), float(x.max())
        pixels = Scale(least, most, "").greys(x)
    shown = np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0]
    return images.image(shown, f"{safe(found.name)} before", wide=WIDE)


def _small(x: Floats) -> Floats:
    return images.shrunk(x.astype(np.float32), MOST_PIXELS).astype(np.float64)


def _frame(rows: range, columns: range, high: int, wide: int) -> tuple[float, float, float, float]:
    """Top, left, height and width in percent, padding left out."""
    top, left = max(0, rows.start), max(0, columns.start)
    bottom, right = min(high, rows.stop), min(wide, columns.stop)
    parts = (top / high, left / wide, (bottom - top) / high, (right - left) / wide)
    return tuple(round(100 * p, 2) for p in parts)  # pyright: ignore[reportReturnType]
