"""What does the page of a network show?"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from cnnspec.draw.network import Style, draw
from cnnspec.model.graph import Graph
from cnnspec.pages.costs import costs, sights
from cnnspec.pages.drawings import Drawing, box_of, drawing
from cnnspec.pages.page import render
from cnnspec.pages.rows import Links, few, row_ids, tree
from cnnspec.report.facts import Report, Row
from cnnspec.report.summary import heading, summary
from cnnspec.report.units import of_bytes, short, sizes
from cnnspec.text.diagnostic import Diagnostic
from cnnspec.text.record import record
from cnnspec.text.source import Source
from cnnspec.vocab.value import show_shape

STYLES: tuple[tuple[str, Style], ...] = (("as a graph", "graph"), ("as volumes", "volumes"))


@record
class Tile:
    """A number that says much, what it is, and what else is to be said of it."""

    label: str
    number: str
    more: str


@record
class Text:
    """A file of the spec, its lines with names that links lead to."""

    name: str
    id: str
    lines: Sequence[str]


@record
class Warned:
    """A warning with the place it is about."""

    code: str
    message: str
    place: str
    href: str | None
    more: Sequence[str]


def network_page(
    graph: Graph,
    report: Report,
    *,
    rows: Sequence[Row] | None = None,
    depth: int | None = None,
    warnings: Iterable[Diagnostic] = (),
    source: Source | None = None,
) -> str:
    """The page as one text. `report` has its arithmetic; `rows` are those of its rows that the
    table shows, all if none are named; `source` is the file that was asked about."""
    rows, left_out = few(report if rows is None else report.model_copy(update={"rows": rows}))
    ids = row_ids(rows)
    texts = _texts(graph, source)
    places = _placed(texts)
    drawings, undrawn = _drawings(graph, depth, ids)
    boxes = {path: id for d in reversed(drawings) for path, id in d.boxes.items()}
    links = Links(ids, places, lambda path: box_of(path, boxes))
    return render(
        "network.html",
        report=report,
        heading=heading(report),
        tiles=_tiles(report),
        warnings=[_warned(d, places) for d in warnings],
        costs=costs(graph, report, ids),
        sights=sights(report),
        drawings=drawings,
        undrawn=undrawn,
        tree=tree(report.model_copy(update={"rows": rows}), links, depth),
        notes=[*_shown(report, rows), *left_out],
        summary=summary(report),
        conventions=report.conventions.model_dump(),
        texts=texts,
    )


def _drawings(
    graph: Graph, depth: int | None, rows: Mapping[str, str]
) -> tuple[list[Drawing], list[str]]:
    """The graph first, since rows lead to its boxes; and why one cannot be drawn."""
    found: list[Drawing] = []
    undrawn: list[str] = []
    for label, style in STYLES:
        try:
            found.append(drawing(label, draw(graph, style, depth=depth), rows))
        except ValueError as reason:
            undrawn.append(f"{label}: {reason}")
    return found, undrawn


def _shown(report: Report, rows: Sequence[Row]) -> list[str]:
    if rows == report.rows:
        return []
    return [f"{len(rows):,} of {len(report.rows):,} rows; the totals are the network's"]


def _tiles(report: Report) -> list[Tile]:
    t, run, step = report.totals, report.totals.inference, report.totals.training
    images = "1 image" if report.batch == 1 else f"{report.batch:,} images"
    trained = "all trained" if not t.frozen else f"{t.trained:,} trained"
    tiles = [
        _many("parameters", t.params, f"{of_bytes(t.weight_bytes)}, {trained}"),
        _many("MACs", t.macs, f"{short(t.flops)} FLOPs"),
    ]
    if t.receptive_field:
        sides = [show_shape(e.shape[1:]) for e in report.inputs if len(e.shape) > 1]
        seen = sizes(t.receptive_field)
        tiles.append(Tile("receptive field", f"{seen} px", f"of the input's {sides[0]}"))
    tiles += [
        Tile("depth", f"{t.depth}", f"layers with weights, of {t.layers:,} in all"),
        Tile("memory to run", of_bytes(run.total), f"for {images}, most at {run.peak}"),
        Tile("memory to train", of_bytes(step.total), f"for {images}, with {step.optimizer}"),
    ]
    return tiles


def _many(label: str, n: int, more: str) -> Tile:
    """A number that may be too long to be large: then it also stands below, whole."""
    return Tile(label, short(n), more if short(n) == f"{n:,}" else f"{n:,} · {more}")


# ── where it is said ────────────────────────────────────────────────────────────────────────────


def _texts(graph: Graph, source: Source | None) -> list[Text]:
    """The file that was asked about, then those whose text made the layers."""
    named = [*([source] if source is not None else []), graph.span.source]
    files = {s.name: s for s in (*named, *(n.span.source for n in graph.nodes))}
    return [
        Text(name, f"text{i}", [line.rstrip("\r").expandtabs(4) for line in _lines(file)])
        for i, (name, file) in enumerate(files.items())
    ]


def _lines(file: Source) -> list[str]:
    return file.text.removesuffix("\n").split("\n")


def _placed(texts: Sequence[Text]) -> Callable[[str], str | None]:
    """Where the page shows `file:line:column`."""
    ids = {text.name: text.id for text in texts}

    def place(source: str) -> str | None:
        name, line, _ = source.rsplit(":", 2)
        return f"#{ids[name]}-{line}" if name in ids else None

    return place


def _warned(found: Diagnostic, places: Callable[[str], str | None]) -> Warned:
    place = found.span.place()
    hint = [f"hint: {found.hint}"] if found.hint else []
    return Warned(found.code, found.message, place, places(place), [*found.notes, *hint])
