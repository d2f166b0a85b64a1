"""Which figures show what a network costs, and what it sees?"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from cnnspec.draw.bars import Part, shares
from cnnspec.draw.steps import Course, Peg, Words, steps
from cnnspec.draw.svg import Figure
from cnnspec.draw.windows import growing, windows
from cnnspec.model.graph import Graph
from cnnspec.model.memory import alive
from cnnspec.model.tally import value_bytes
from cnnspec.report.calls import own_name
from cnnspec.report.facts import Report, Row
from cnnspec.report.fold import fold
from cnnspec.report.units import of_bytes, sizes

MOST_BARS = 24
"""Parts of a network that are told apart; blocks are folded, then the least are put together."""

NUMBER = re.compile(r"_\d+$")
"""What tells a block from its like before it."""

MOST_NAMES = 10
"""Steps of a figure that are named."""


def costs(graph: Graph, report: Report, rows: Mapping[str, str]) -> list[Figure]:
    """Where parameters, work and memory are; names lead to the `rows` of a table, by paths."""
    memory = _memory(graph, report)
    if not report.shares:
        return [memory]
    kinds = [
        Part(s.kind, s.params_share, s.macs_share, f"{s.params:,} parameters, {s.macs:,} MACs")
        for s in report.shares
    ]
    title, parts = _parts(report, rows)
    return [shares(kinds, "Parameters and work by kind of layer"), memory, shares(parts, title)]


def _parts(report: Report, rows: Mapping[str, str]) -> tuple[str, list[Part]]:
    """Layers, or the blocks that they are in, in their order; of many, those alike together."""
    found, what = [r for r in report.rows if r.params or r.macs], "layer"
    depth = max((r.path.count(".") for r in found), default=0)
    while len(found) > MOST_BARS and depth > 0:
        depth, what = depth - 1, "block"
        found = [r for r in fold(report, depth).rows if r.params or r.macs]
    groups = [[r] for r in found]
    if len(groups) > MOST_BARS:
        groups = [list(run) for _, run in groupby(found, lambda r: NUMBER.sub("", r.path))]
    weight = {id(g): sum(_of(report, g)) for g in groups}
    kept = {id(g) for g in sorted(groups, key=lambda g: -weight[id(g)])[:MOST_BARS]}
    parts = [
        _part(report, g, g[0].path if len(g) == 1 else f"{g[0].path} × {len(g)}", rows)
        for g in groups
        if id(g) in kept
    ]
    others = [r for g in groups if id(g) not in kept for r in g]
    if others:
        parts.append(_part(report, others, f"{len(others):,} others", {}))
    return f"Parameters and work by {what}", parts


def _part(report: Report, members: Sequence[Row], name: str, rows: Mapping[str, str]) -> Part:
    params, macs = sum(r.params for r in members), sum(r.macs for r in members)
    tip = f"{name}: {params:,} parameters, {macs:,} MACs"
    row = rows.get(members[0].path)
    return Part(name, *_of(report, members), tip, None if row is None else f"#{row}")


def _of(report: Report, rows: Sequence[Row]) -> tuple[float, float]:
    """Their share of the parameters and of the work."""
    t = report.totals
    return sum(r.params for r in rows) / (t.params or 1), sum(r.macs for r in rows) / (t.macs or 1)


def _memory(graph: Graph, report: Report) -> Figure:
    """What is alive while layer after layer runs."""
    own = value_bytes(graph)
    found, made = ([n * report.batch for n in ns] for ns in (alive(graph, own), own))
    peak = report.totals.inference.peak
    at = next(i for i, r in enumerate(report.rows) if r.path == peak)
    images = "one image" if report.batch == 1 else f"{report.batch:,} images"
    tips = [
        f"{r.path}: {of_bytes(all_)} alive, {of_bytes(n)} its own"
        for r, all_, n in zip(report.rows, found, made, strict=True)
    ]
    weights = of_bytes(report.totals.inference.weights)
    words = Words(
        title=f"Memory while it runs, for {images}",
        description=f"What the values take that are alive while each layer runs: at most "
        f"{of_bytes(found[at])}, at {peak}. The weights take {weights} besides",
        upwards=_axis_bytes,
        tips=tips,
    )
    courses = [
        Course("alive", found, "curve0", is_filled=True),
        Course("the layer's own output", made, "curve1"),
    ]
    return steps(courses, words, [Peg(at, found[at], f"{of_bytes(found[at])} at {peak}")])


def _axis_bytes(n: float) -> str:
    return of_bytes(round(n)).replace(".0 ", " ")


# ── what it sees ────────────────────────────────────────────────────────────────────────────────


def sights(report: Report) -> list[Figure]:
    """The receptive field on the input and from layer to layer; none where nothing has a place."""
    return [f for f in (windows(report), _growth(report)) if f is not None]


def _growth(report: Report) -> Figure | None:
    """The receptive field from layer to layer, as long as there is one."""
    seen = [max(r.receptive_field) if r.receptive_field else 0 for r in report.rows]
    last = max((i for i, n in enumerate(seen) if n), default=-1) + 1
    if max(seen, default=0) <= 1:
        return None
    most: list[float] = []
    for n in seen[:last]:
        most.append(max(n, most[-1] if most else 0))
    side = max(max(e.shape[1:]) for e in report.inputs if len(e.shape) > 1)
    grown = growing(report)
    index = {id(r): i for i, r in enumerate(report.rows)}
    ends = (last, "the whole map") if last < len(seen) else None
    words = Words(
        title="How the receptive field grows",
        description="; ".join(f"{r.path} {sizes(r.receptive_field or ())} pixels" for r in grown),
        upwards=lambda n: f"{n:,.0f}",
        tips=[f"{r.path}: {_sees(r)}" for r in report.rows],
        level=(side, f"the input, {side} pixels"),
        ends=ends,
    )
    own = [n or m for n, m in zip(seen, most, strict=False)]
    courses = [Course("the largest so far", most, "curve0", is_filled=True)]
    if own != most:
        courses.insert(0, Course("of the layer itself", own, "curve3"))
    pegs = [
        Peg(
            index[id(r)],
            max(r.receptive_field or ()),
            f"{sizes(r.receptive_field or ())} · {own_name(r)}",
        )
        for r in reversed(_some(grown, MOST_NAMES))
    ]
    return steps(courses, words, pegs)


def _sees(row: Row) -> str:
    if row.receptive_field is None:
        return "the whole map" if row.layers else "a vector"
    return f"{sizes(row.receptive_field)} pixels" if row.receptive_field else "a vector"


def _some(found: Sequence[Row], most: int) -> list[Row]:
    if len(found) <= most:
        return list(found)
    last = len(found) - 1
    return [found[round(i * last / (most - 1))] for i in range(most)]
