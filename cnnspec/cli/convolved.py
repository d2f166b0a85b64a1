"""How does an exercise look in a terminal, as CSV and as JSON?"""

import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap

import click

from cnnspec.cli.exercises import exact
from cnnspec.sliding import kernels
from cnnspec.sliding.examples import DIGITS, EXAMPLES
from cnnspec.sliding.exercise import Exercise, Result, Rows
from cnnspec.sliding.kernels import Kernel, written
from cnnspec.sliding.matrix import Plane
from cnnspec.sliding.numbers import Number, show
from cnnspec.sliding.sentences import sentences
from cnnspec.sliding.slide import TITLES, Slide, Step, places
from cnnspec.text.excerpt import columns, safe
from cnnspec.text.record import record

FEW = 25
"""Places that are all shown without being asked for."""

SIDE = 64
"""Rows and columns of a matrix that are shown; a picture with more is not shown at all."""

GAP = "   "

# What a terminal that knows no more than ASCII gets.
PLAIN = str.maketrans({"·": "*", "≈": "~", "…": "...", "⌊": "floor(", "⌋": ")", "°": " degrees"})
BOXES, BRACKETS = "┌┐└┘││", "    []"


@record
class Look:
    """What the terminal is like, and what is asked to be shown."""

    room: int | None
    """Columns; none where lines may be as long as they like."""
    coloured: bool
    steps: bool | None
    """None leaves it to the number of places."""
    place: tuple[int, int] | None
    can_draw: bool
    """Does it know more letters than those of ASCII?"""


def shown(found: Exercise, look: Look) -> Iterator[str]:
    """The lines."""
    for line in _lines(found, look):
        yield line if look.can_draw else line.translate(PLAIN)


def can_draw() -> bool:
    try:
        f"{BOXES}·≈…⌊°".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _lines(found: Exercise, look: Look) -> Iterator[str]:
    slide = found.result.slide
    yield from (_bold(line, look) for line in _wrapped(found.title, look))
    yield from _wrapped(" · ".join([*found.facts(), *_bias(slide)]), look)
    yield ""
    step = None if look.place is None else slide.step(look.place[0] - 1, look.place[1] - 1)
    yield from _beside(_blocks(found, step, look), look)
    for line in _sizes(slide, found.result.output):
        yield from _wrapped(line, look)
    yield from _arithmetic(found, look, step)
    if step is None:
        yield from _other_way(found, look)


def _bias(slide: Slide) -> list[str]:
    return [f"bias {show(slide.bias)}"] if slide.bias else []


def _bold(text: str, look: Look) -> str:
    return click.style(text, bold=True) if look.coloured else text


def _sizes(slide: Slide, output: Rows) -> Iterator[str]:
    k = "k" if all(a.dilation == 1 for a in slide.window.axes) else "(d·(k - 1) + 1)"
    yield ""
    yield f"size: ⌊(n - {k} + 2p)/s⌋ + 1"
    yield from (f"  {line}" for line in slide.window.formulas())
    if not _fits(output):
        from cnnspec.pages.greys import array

        y = array(output)
        span = f"{y.min():g} to {y.max():g}, {y.mean():g} in the mean"
        yield f"output {_size(output)}: {span}"


# ── matrices beside each other ──────────────────────────────────────────────────────────────────


@record
class Block:
    """A matrix under its title, and the cells in it that are pointed at."""

    title: str
    rows: Rows
    marked: frozenset[tuple[int, int]] = frozenset()


def _blocks(found: Exercise, step: Step | None, look: Look) -> Iterator[Block]:
    slide = found.result.slide
    if _fits(found.channels[0]) or not found.is_picture:
        for c, channel in enumerate(found.channels):
            title = slide.channels[c] if len(slide.channels) > 1 else "input"
            yield Block(f"{title} {_size(channel)}", channel, _window_of(slide, step))
            if not slide.is_pool and _is_new(slide.kernel, c):
                yield _kernel_block(slide, c)
    elif not slide.is_pool:
        yield from _kernels(slide)
    if _fits(found.result.output) or not found.is_picture:
        here = frozenset([(step.row, step.column)] if step else [])
        yield Block(f"output {_size(found.result.output)}", found.result.output, here)


def _kernels(slide: Slide) -> Iterator[Block]:
    """One for each channel, or one for all of them."""
    channels = range(len(slide.channels))
    return (_kernel_block(slide, c) for c in channels if _is_new(slide.kernel, c))


def _is_new(k: Kernel, channel: int) -> bool:
    return channel == 0 or k.planes[channel] is not k.planes[0]


def _kernel_block(slide: Slide, channel: int) -> Block:
    k = slide.weights
    divided = "" if k.divisor == 1 else f", each /{show(k.divisor)}"
    turned = ", turned" if slide.operation == "convolution" else ""
    name = f" {k.name}" if k.name else ""
    return Block(f"kernel{name} {_size(k.planes[channel])}{turned}{divided}", k.planes[channel])


def _fits(rows: Rows) -> bool:
    return len(rows) <= SIDE and len(rows[0]) <= SIDE


def _size(rows: Rows | Plane) -> str:
    return f"{len(rows)}x{len(rows[0])}"


def _window_of(slide: Slide, step: Step | None) -> frozenset[tuple[int, int]]:
    if step is None:
        return frozenset()
    down, right = slide.window.axes
    return frozenset((i, j) for i in places(down, step.row) for j in places(right, step.column))


def _beside(blocks: Iterator[Block], look: Look) -> Iterator[str]:
    """As many in a row as there is room for."""
    drawn = [_drawn(block, look) for block in blocks]
    group: list[list[str]] = []
    taken = 0
    for lines in drawn:
        wide = _width(lines[0])
        if group and look.room is not None and taken + len(GAP) + wide > look.room:
            yield from _joined(group)
            yield ""
            group, taken = [], 0
        taken += wide + (len(GAP) if group else 0)
        group.append(lines)
    if group:
        yield from _joined(group)


def _joined(group: Sequence[Sequence[str]]) -> Iterator[str]:
    for k in range(max(len(lines) for lines in group)):
        cells = [lines[k] if k < len(lines) else " " * _width(lines[0]) for lines in group]
        yield GAP.join(cells).rstrip()


def _width(line: str) -> int:
    return columns(click.unstyle(line))


def _drawn(block: Block, look: Look) -> list[str]:
    """Lines of one width: the title, then the matrix between its brackets."""
    texts = _texts(block.rows, None if look.room is None else look.room - 4)
    wides = [max(len(row[c]) for row in texts) for c in range(len(texts[0]))]
    a, b, c, d, left, right = BOXES if look.can_draw else BRACKETS
    blank = " " * (sum(wides) + 2 * len(wides))
    lines = [f"{a}{blank}{b}"] if look.can_draw else []
    for r, row in enumerate(texts):
        cells = [
            _cell(text.rjust(wide), (r, c) in block.marked, look)
            for c, (text, wide) in enumerate(zip(row, wides, strict=True))
        ]
        lines.append(f"{left} {'  '.join(cells)} {right}")
    lines += [f"{c}{blank}{d}"] if look.can_draw else []
    wide = max(len(blank) + 2, columns(block.title))
    padded = [line + " " * (wide - _width(line)) for line in lines]
    return [_bold(block.title, look) + " " * (wide - columns(block.title)), *padded]


def _cell(text: str, is_marked: bool, look: Look) -> str:
    return click.style(text, reverse=True) if is_marked and look.coloured else text


def _texts(rows: Rows, room: int | None) -> list[list[str]]:
    """The cells, with `…` for those for which there is no room."""
    high, wide = len(rows), len(rows[0])
    some = [[show(exact(x)) for x in list(rows[r])[:SIDE]] for r in range(min(high, SIDE))]
    fit = _fitting(some, room) if wide <= SIDE else _fitting(some, room, is_cut=True)
    cut = [row[:fit] + (["…"] if fit < wide else []) for row in some]
    return cut + ([["…"] * len(cut[0])] if high > SIDE else [])


def _fitting(some: Sequence[Sequence[str]], room: int | None, *, is_cut: bool = False) -> int:
    wides = [max(len(row[c]) for row in some) + 2 for c in range(len(some[0]))]
    if room is None or (sum(wides) - 2 <= room and not is_cut):
        return len(wides)
    fit, taken = 0, 1
    while fit < len(wides) and taken + wides[fit] <= room:
        taken, fit = taken + wides[fit], fit + 1
    return max(1, fit)


# ── the arithmetic ──────────────────────────────────────────────────────────────────────────────


def _arithmetic(found: Exercise, look: Look, step: Step | None) -> Iterator[str]:
    slide = found.result.slide
    count = slide.out[0] * slide.out[1]
    yield ""
    if step is not None:
        yield from _told(slide, step, look)
    elif look.steps or (look.steps is None and count <= FEW):
        for one in slide.steps():
            yield from _told(slide, one, look)
    else:
        said = f"--at ROW,COLUMN shows the arithmetic of one of {count:,} places, --steps of all"
        yield from _wrapped(said, look)


def _told(slide: Slide, step: Step, look: Look) -> Iterator[str]:
    lines = sentences(slide, step)
    place = f"row {step.row + 1}, column {step.column + 1}: "
    if len(lines) == 1:
        yield from _wrapped(place + lines[0], look)
        return
    yield place.rstrip(" ")
    for line in lines:
        yield from _wrapped(f"  {line}", look)


def _wrapped(text: str, look: Look) -> Iterator[str]:
    if look.room is None or columns(text) <= look.room:
        yield text
        return
    margin = " " * (len(text) - len(text.lstrip()) + 4)
    first = text[: len(text) - len(text.lstrip())]
    yield from wrap(
        text.lstrip(),
        max(look.room, 20),
        initial_indent=first,
        subsequent_indent=margin,
        break_long_words=False,
    )


# ── the other of correlation and convolution ────────────────────────────────────────────────────


def _other_way(found: Exercise, look: Look) -> Iterator[str]:
    slide = found.result.slide
    if slide.is_pool:
        return
    yield ""
    if found.other is None:
        said = "turned by 180° this kernel is the same: cross-correlation and convolution agree"
        yield from _wrapped(said, look)
        return
    other = found.other
    if not _fits(other.output) and found.is_picture:
        yield from _wrapped(f"{TITLES[other.slide.operation]} would be another; see -o", look)
        return
    yield from _wrapped(f"{TITLES[other.slide.operation]} would be", look)
    blocks = [*_kernels(other.slide), Block(f"output {_size(other.output)}", other.output)]
    yield from _beside(iter(blocks), look)


# ── lists ───────────────────────────────────────────────────────────────────────────────────────


def listing() -> Iterator[str]:
    """The names of kernels and images."""
    yield "Kernels"
    longest = max(map(len, kernels.DOCS))
    for k in kernels.named():
        yield f"  {k.name:<{longest}}  {written(k)}"
        yield f"  {'':<{longest}}  {kernels.DOCS[k.name]}"
    same = ", ".join(f"{a} is {b}" for a, b in kernels.SAME.items())
    yield f"  also: {same}"
    yield ""
    yield "Images"
    for name, (_, doc) in EXAMPLES.items():
        yield f"  {name:<{longest}}  {doc}"
    yield f"  {f'{DIGITS}:N':<{longest}}  a handwritten digit, 28x28, N from 0 to 9999"


def as_csv(found: Exercise) -> Iterator[str]:
    output = found.result.output
    for r in range(len(output)):
        yield ",".join(str(_plain(x)) for x in list(output[r])) + "\n"


def _plain(x: Number | float) -> int | float:
    if isinstance(x, int):
        return x
    y = float(x)
    return int(y) if y.is_integer() else y


def as_json(
    found: Exercise, place: tuple[int, int] | None, *, is_stepped: bool
) -> dict[str, object]:
    slide = found.result.slide
    down, right = slide.window.axes
    said: dict[str, object] = {
        "name": safe(found.name),
        **_of_result(found.result),
        "input": {
            "channels": list(slide.channels),
            "size": [down.n, right.n],
        },
        "stride": list(slide.window.strides),
        "pads": list(slide.window.pads),
        "dilation": list(slide.window.dilations),
        "bias": _plain(slide.bias),
        "sizes": slide.window.formulas(),
        "other": None if found.other is None else _of_result(found.other),
    }
    if place is not None:
        said["steps"] = [_of_step(slide, slide.step(place[0] - 1, place[1] - 1))]
    elif is_stepped:
        said["steps"] = [_of_step(slide, step) for step in slide.steps()]
    return said


def _of_result(result: Result) -> dict[str, object]:
    slide = result.slide
    k = slide.weights
    weights = {
        "name": k.name or None,
        "size": list(k.size),
        "divisor": _plain(k.divisor),
        "weights": [[[_plain(x) for x in row] for row in plane] for plane in k.planes],
    }
    return {
        "operation": slide.operation,
        "kernel": {"size": list(k.size)} if slide.is_pool else weights,
        "output": [[_plain(x) for x in list(result.output[r])] for r in range(len(result.output))],
    }


def _of_step(slide: Slide, step: Step) -> dict[str, object]:
    return {
        "row": step.row + 1,
        "column": step.column + 1,
        "sums": [_plain(p.total) for p in step.parts],
        "result": _plain(step.total),
        "arithmetic": sentences(slide, step),
    }
