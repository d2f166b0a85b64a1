"""How do the layers of a network become the rows of a page's table?"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from cnnspec.layers.base import product
from cnnspec.report.calls import arguments, own_name
from cnnspec.report.facts import Report, Row, Sum
from cnnspec.report.fold import fold, together
from cnnspec.report.layout import COLUMNS, Column, line_of
from cnnspec.text.record import record

MOST_AT_FIRST = 60
"""Rows that a reader sees before unfolding any."""

MOST_ROWS = 2500
"""Of larger networks blocks are folded, then the middle is left out."""

UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")

NUMBERS: Mapping[str, Callable[[Row], float]] = {
    "output": lambda r: product(r.shape),
    "params": lambda r: r.params,
    "buffers": lambda r: r.buffers,
    "macs": lambda r: r.macs,
    "connections": lambda r: r.connections,
    # Who sees the whole map sees most of all.
    "rf": lambda r: max(r.receptive_field or (1,)) if r.receptive_field is not None else 1e12,
    "jump": lambda r: max(r.jump or (0,)),
    "memory": lambda r: r.activation_bytes,
    "line": lambda r: int(line_of(r.source)),
}
"""What a column is sorted by."""

MEANINGS: Mapping[str, str] = {
    "output": "shape",
    "params": "params",
    "buffers": "buffers",
    "macs": "macs",
    "connections": "connections",
    "rf": "receptive_field",
    "jump": "jump",
    "memory": "activation_bytes",
    "line": "source",
}
"""The fact that a column shows; its description says what that is."""

BARS = ("params", "macs")
"""Columns whose cells show how much of the largest a layer has."""


@record
class Cell:
    """A number as it is shown and as it is sorted."""

    text: str
    n: float
    part: float
    """Of the largest in the column, from 0 to 1."""
    href: str | None


@record
class Entry:
    """A row of the table: a layer, or a block that holds those of a deeper level after it."""

    id: str
    path: str
    level: int
    is_block: bool
    block: str
    name: str
    call: str
    whole_call: str
    """Where the call is shortened; else empty."""
    cells: Sequence[Cell]
    sums: Sequence[Sum]
    box: str | None
    """The part of a figure that shows it."""


@record
class Head:
    title: str
    meaning: str


@record
class Tree:
    """A table: its heads, its rows, and the totals below them."""

    heads: Sequence[Head]
    entries: Sequence[Entry]
    total: Sequence[str]
    depth: int | None
    """Blocks inside so many others are folded at first; none where all are open."""


@record
class Links:
    """Where in the page there is more of a row."""

    rows: Mapping[str, str]
    """The names of the rows, by paths."""
    text: Callable[[str], str | None]
    """Where `file:line:column` is."""
    box: Callable[[str], str | None]
    """The part of a figure that shows a path."""


def tree(report: Report, links: Links, depth: int | None) -> Tree:
    """`depth`: blocks inside so many others are folded at first; if none is named, as many as
    leave few rows to see."""
    columns = [c for c in COLUMNS if c.rank == 0 or any(c.cell(r) for r in report.rows)]
    most = {t: max((NUMBERS[t](r) for r in report.rows), default=0) for t in BARS}
    entries = [
        _entry(row, is_block, columns, most, links) for row, is_block in with_blocks(report.rows)
    ]
    return Tree(
        heads=[Head(c.title, _meaning(c.title)) for c in columns],
        entries=entries,
        total=[c.total(report.totals) for c in columns],
        depth=_depth(entries) if depth is None else depth,
    )


def few(report: Report) -> tuple[Sequence[Row], list[str]]:
    """Rows that a browser can bear, and what was done to get there."""
    rows = report.rows
    depth = max((r.path.count(".") for r in rows), default=0)
    while len(rows) > MOST_ROWS and depth > 0:
        depth -= 1
        rows = fold(report, depth).rows
    if len(rows) > MOST_ROWS:
        half, left_out = MOST_ROWS // 2, len(rows) - MOST_ROWS
        return [*rows[:half], *rows[-half:]], [f"{left_out:,} rows in the middle are left out"]
    if len(rows) < len(report.rows):
        return rows, [f"blocks are folded: {len(report.rows):,} rows are too many for a page"]
    return rows, []


def with_blocks(rows: Sequence[Row]) -> Iterable[tuple[Row, bool]]:
    """Each row, and before the layers of a block one row for all of them."""
    around: list[str] = []
    for i, row in enumerate(rows):
        parts = row.block.split(".") if row.block else []
        same = 0
        while same < min(len(parts), len(around)) and parts[same] == around[same]:
            same += 1
        for n in range(same + 1, len(parts) + 1):
            path = ".".join(parts[:n])
            yield together(path, _members(rows, i, path)), True
        around = parts
        yield row, False


def _members(rows: Sequence[Row], start: int, path: str) -> Sequence[Row]:
    end = start
    while end < len(rows) and f"{rows[end].block}.".startswith(f"{path}."):
        end += 1
    return rows[start:end]


def row_ids(rows: Sequence[Row]) -> Mapping[str, str]:
    """For the path of each layer and block a name that no other has and any address can hold."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for row, _ in with_blocks(rows):
        name = base = f"row-{UNSAFE.sub('_', row.path)}"
        n = 1
        while name in taken and row.path not in found:
            n += 1
            name = f"{base}_{n}"
        taken.add(found.setdefault(row.path, name))
    return found


def _entry(
    row: Row,
    is_block: bool,
    columns: Sequence[Column],
    most: Mapping[str, float],
    links: Links,
) -> Entry:
    call = row.call if is_block else " ".join(arguments(row.call))
    return Entry(
        id=links.rows[row.path],
        path=row.path,
        level=row.path.count("."),
        is_block=is_block,
        block=f"{row.block}." if row.block else "",
        name=own_name(row),
        call=call,
        whole_call=row.call if call != row.call else "",
        cells=[_cell(row, is_block, c, most, links) for c in columns],
        sums=row.arithmetic,
        box=links.box(row.path),
    )


def _cell(
    row: Row, is_block: bool, column: Column, most: Mapping[str, float], links: Links
) -> Cell:
    n, top = NUMBERS[column.title](row), most.get(column.title)
    return Cell(
        text=column.cell(row),
        n=n,
        part=n / top if top and not is_block else 0,
        href=links.text(row.source) if column.title == "line" else None,
    )


def _meaning(title: str) -> str:
    said = Row.model_fields[MEANINGS[title]].description
    assert said, f"the fact behind {title} is not described"
    return said


def _depth(entries: Sequence[Entry]) -> int | None:
    """The deepest folding that leaves few rows to see; none where all are few."""
    if len(entries) <= MOST_AT_FIRST:
        return None
    deepest = max(e.level for e in entries)
    for depth in range(deepest, 0, -1):
        if sum(e.level <= depth for e in entries) <= MOST_AT_FIRST:
            return depth
    return 0
