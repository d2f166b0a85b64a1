"""Which columns does a table have, and which of them fit a given width?"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnnspec.report.calls import arguments, beyond_name, filled, own_name
from cnnspec.report.facts import Report, Row, Totals
from cnnspec.report.units import grouped, of_bytes, sizes
from cnnspec.vocab.value import show_shape

GAP = 2
NARROWEST_NAME = 16
NARROWEST_CALL = 12
INDENT = 2
DEEPEST_INDENT = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers. `rank` 0 is there if at all possible; the higher, the sooner it goes."""

    title: str
    rank: int
    cell: Callable[[Row], str]
    total: Callable[[Totals], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table, or (without a row) the name of a block that begins."""

    indent: int
    name: str
    call: str
    cells: tuple[str, ...]
    row: Row | None


@dataclass(frozen=True, slots=True)
class Layout:
    lines: tuple[Line, ...]
    total: Line
    columns: tuple[Column, ...]
    name: int
    """Widths: of the names with their indent; of the calls, 0 for none; of each further column."""
    call: int
    call_title: str
    widths: tuple[int, ...]
    left_out: tuple[str, ...]

    @property
    def width(self) -> int:
        return self.name + self.call + sum(self.widths)


def _field(row: Row) -> str:
    if row.receptive_field is None:
        return "all" if row.layers else ""
    return sizes(row.receptive_field)


def _nothing(totals: Totals) -> str:
    return ""


COLUMNS = (
    Column("output", 0, lambda r: show_shape(r.shape), _nothing),
    Column("params", 0, lambda r: grouped(r.params), lambda t: f"{t.params:,}"),
    Column("buffers", 3, lambda r: grouped(r.buffers), lambda t: grouped(t.buffers)),
    Column("macs", 0, lambda r: grouped(r.macs), lambda t: f"{t.macs:,}"),
    Column("connections", 4, lambda r: grouped(r.connections), lambda t: grouped(t.connections)),
    Column("rf", 0, _field, lambda t: sizes(t.receptive_field) if t.receptive_field else ""),
    Column("jump", 1, lambda r: sizes(r.jump) if r.jump else "", _nothing),
    Column(
        "memory",
        2,
        lambda r: of_bytes(r.activation_bytes) if r.activation_bytes else "",
        _nothing,
    ),
    Column("line", 5, lambda r: line_of(r.source), _nothing),
)
"""In the order in which they stand.

The first to go is what the source tells anyway (the line), then what follows from its neighbours
(connections from macs), then what matters to some readers only (buffers, memory, jump).
"""

LAST_RESORT = ("rf", "output")
"""What goes, in this order, where names and numbers alone are too wide."""


def line_of(source: str) -> str:
    """The line number of `file:line:column`."""
    return source.rsplit(":", 2)[-2]


def lay_out(report: Report, width: int) -> Layout:
    """The fullest table that is at most `width` wide, if need be a wider one: no number is cut."""
    rows = report.rows
    cells = {c.title: [c.cell(r) for r in rows] for c in COLUMNS}
    present = [c for c in COLUMNS if c.rank == 0 or any(cells[c.title])]
    wide = {
        c.title: max(len(c.title), len(c.total(report.totals)), *map(len, cells[c.title])) + GAP
        for c in present
    }
    indents, blocks = _tree(rows)
    longest = [n + len(own_name(r)) for n, r in zip(indents, rows, strict=True)]
    longest += [n + len(text) for opened in blocks for n, text in opened]
    room = width - 1 - sum(wide[c.title] for c in present if c.rank == 0)
    said = f"{report.totals.layers:,} layers"
    title, calls, name, call = _texts(report, said, max(longest, default=0), room)
    kept = _chosen(present, wide, room - name - call)
    return Layout(
        lines=tuple(_lines(rows, calls, [cells[c.title] for c in kept], indents, blocks)),
        total=Line(0, "total", said, tuple(c.total(report.totals) for c in kept), None),
        columns=tuple(kept),
        name=name,
        call=call,
        call_title=title,
        widths=tuple(wide[c.title] for c in kept),
        left_out=tuple(c.title for c in present if c not in kept) + (() if call else ("with",)),
    )


def _texts(report: Report, said: str, longest: int, room: int) -> tuple[str, list[str], int, int]:
    """The calls' title and texts, and the widths of names and calls.

    Whole calls where there is room; else what they say beyond their names, on several lines if
    need be; else none.
    """
    words = [arguments(r.call) for r in report.rows]
    name = max(longest, len("layer"))
    whole = [" ".join(w) for w in words]
    call = GAP + max(len(said), *map(len, whole))
    if name + call <= room:
        return "what", whole, name, call
    brief = [
        text if r.kind == "block" else " ".join(beyond_name(own_name(r), w))
        for r, w, text in zip(report.rows, words, whole, strict=True)
    ]
    call = GAP + max(len(said), *map(len, brief))
    if name + call > room:
        if min(name, NARROWEST_NAME) + GAP + NARROWEST_CALL > room:
            return "with", [""] * len(brief), min(name, max(NARROWEST_NAME, room)), 0
        name = _split(report.rows, brief, name, room)
    return "with", brief, name, min(call, room - name)


def _split(rows: Sequence[Row], calls: Sequence[str], name: int, room: int) -> int:
    """The width of names at which names and calls together take the fewest lines."""
    # Layers repeat, so there are few different pairs however long the table.
    pairs = Counter((len(own_name(r)), c) for r, c in zip(rows, calls, strict=True))
    widths = range(min(name, room - GAP - NARROWEST_CALL), min(name, NARROWEST_NAME) - 1, -1)

    def lines(width: int) -> int:
        call = room - width - GAP
        return sum(n * max(-(-own // width), filled(c, call)) for (own, c), n in pairs.items())

    return min(widths, key=lines)


def _chosen(present: Sequence[Column], wide: dict[str, int], room: int) -> list[Column]:
    """The columns to show, in their order, given the room beside those of rank 0."""
    chosen = {c.title for c in present if c.rank == 0}
    for title in LAST_RESORT:
        if room < 0:
            chosen.remove(title)
            room += wide[title]
    for column in sorted((c for c in present if c.rank), key=lambda c: c.rank):
        room -= wide[column.title]
        if room < 0:
            break
        chosen.add(column.title)
    return [c for c in present if c.title in chosen]


def _tree(rows: Sequence[Row]) -> tuple[list[int], list[list[tuple[int, str]]]]:
    """How far each row is indented, and the blocks that begin before it."""
    indents: list[int] = []
    blocks: list[list[tuple[int, str]]] = []
    around: list[str] = []
    last = ""
    for row in rows:
        opened: list[tuple[int, str]] = []
        if row.block != last:
            parts = row.block.split(".") if row.block else []
            same = 0
            while same < min(len(parts), len(around)) and parts[same] == around[same]:
                same += 1
            opened = [(_indent(i), parts[i]) for i in range(same, len(parts))]
            around, last = parts, row.block
        indents.append(_indent(len(around)))
        blocks.append(opened)
    return indents, blocks


def _indent(depth: int) -> int:
    return INDENT * min(depth, DEEPEST_INDENT)


def _lines(
    rows: Sequence[Row],
    calls: Sequence[str],
    cells: Sequence[Sequence[str]],
    indents: Sequence[int],
    blocks: Sequence[Sequence[tuple[int, str]]],
) -> list[Line]:
    lines: list[Line] = []
    for row, call, values, indent, opened in zip(
        rows, calls, zip(*cells, strict=True), indents, blocks, strict=True
    ):
        lines += [Line(at, name, "", (), None) for at, name in opened]
        lines.append(Line(indent, own_name(row), call, values, row))
    return lines
