"""What does the page of a training run show?

All that is known of it so far: while it goes on, after each epoch; and later, of what its folder
still has.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

import numpy as np

from cnnspec.draw.confusion import MOST, MOST_NUMBERS, called, confusion
from cnnspec.draw.svg import Figure
from cnnspec.draw.theme import Theme
from cnnspec.layers.base import count
from cnnspec.pages import measured
from cnnspec.pages.page import render
from cnnspec.pages.settings import settings
from cnnspec.pages.sights import NOTHING, Sights
from cnnspec.report.facts import Report
from cnnspec.report.units import of_bytes
from cnnspec.run.history import History
from cnnspec.run.measures import Measures
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record

MOST_PAIRS = 20
"""Pairs of classes that are told, those that are mixed up most."""

MOST_TABLE = 120
"""Classes up to which every number of the confusion is told."""

THEME: Theme = "auto"


@record
class Judged:
    """A part of the data with what was measured on it."""

    part: str
    when: str
    """With which weights."""
    measures: Measures


@record
class Story:
    """All that a page tells of a run."""

    history: History
    report: Report | None
    """The counts of its network."""
    judged: Sequence[Judged]
    """What matters most first."""
    sights: Sights | None
    why: str
    """Why it ended before its last epoch."""
    is_running: bool
    cost: float | None
    """Seconds that this page has taken from the training."""
    memory: int
    notes: Sequence[str]


@record
class Tile:
    label: str
    number: str
    more: str


@record
class Taken:
    """What is taken for what, on a part."""

    title: str
    figure: Figure | None
    pairs: Sequence[tuple[str, str, int, float]]
    numbers: Sequence[Sequence[int]]
    rows: Sequence[Mapping[str, float | str]]
    of_pixels: bool
    is_open: bool


def training_page(story: Story) -> str:
    """The page as one text."""
    h = story.history
    graph, sights = h.graph, story.sights or NOTHING
    of_pixels = sights.gives == "masks"
    return render(
        "training.html",
        name=graph.name if graph is not None else "Training run",
        lead=_lead(story),
        tiles=[*_tiles(story)],
        missing=[*h.missing, *story.notes],
        curves=measured.curves(h.epochs, h.best),
        taken=[*_taken(story, _labels(story), of_pixels)],
        sights=sights,
        facts=[*_facts(story)],
        settings=settings(graph.recipe) if graph is not None and graph.recipe else [],
        spec=graph.span.source.text if graph is not None else "",
        versions=_versions(story),
    )


def _labels(story: Story) -> Sequence[str]:
    graph = story.history.graph
    if graph is not None and graph.recipe is not None and graph.recipe.labels:
        return graph.recipe.labels
    return next((j.measures.classes for j in story.judged if j.measures.classes), ())


# ── the head ────────────────────────────────────────────────────────────────────────────────────


def _lead(story: Story) -> list[str]:
    h = story.history
    done = h.epochs[-1].epoch if h.epochs else 0
    of = f" of {h.total}" if h.total is not None else ""
    graph = h.graph
    data = graph.recipe.data if graph is not None and graph.recipe is not None else None
    on = f" · on {data.text()}" if data is not None else ""
    if story.is_running:
        state = f"running: {done}{of} epochs are done; this page is written anew as they are"
    elif h.is_done:
        state = f"done: {done}{of} epochs" + (f", ended early: {story.why}" if story.why else "")
    else:
        state = f"not finished: {done}{of} epochs are done; `--resume {h.path}` goes on"
    return [f"{h.path}{on}", state]


def _tiles(story: Story) -> Iterator[Tile]:
    h = story.history
    test = h.facts.test if h.facts is not None else {}
    best = next((e for e in h.epochs if e.epoch == h.best), h.epochs[-1] if h.epochs else None)
    known = measured.names(h.epochs)
    # The loss comes first in the curves; what people ask for is what comes second.
    main = known[1] if len(known) > 1 else next(iter(known), "loss")
    if main in test:
        said = measured.number(main, test[main])
        yield Tile(f"test {measured.called(main)}", said, "best weights")
    if best is not None:
        held, of = (best.validation, "validation") if best.validation else (best.train, "training")
        for name in dict.fromkeys((main, *known[:1])):
            if name in held:
                said = measured.number(name, held[name])
                yield Tile(f"{of} {measured.called(name)}", said, f"epoch {best.epoch}")
    if h.seconds is not None and isfinite(h.seconds):
        each = h.seconds / len(h.epochs)
        yield Tile("time", measured.time(h.seconds), f"{measured.time(each)} an epoch")
    if story.report is not None:
        totals = story.report.totals
        yield Tile("parameters", f"{totals.params:,}", f"{totals.macs:,} MACs")
    if story.memory:
        yield Tile("memory", of_bytes(story.memory), "of the process, at most")


# ── what is taken for what ──────────────────────────────────────────────────────────────────────


def _taken(story: Story, labels: Sequence[str], of_pixels: bool) -> Iterator[Taken]:
    for k, judged in enumerate(story.judged):
        m = judged.measures
        if m.confusion is None:
            continue
        n = len(m.confusion)
        matrix: list[list[int]] = m.confusion.tolist() if n <= MOST else []
        title = f"{judged.part}, {judged.when}"
        drawn = confusion(matrix, labels, f"Confusion: {title}", theme=THEME) if n <= MOST else None
        rows = [{"name": called(c, labels), **row} for c, row in enumerate(m.by_class())]
        yield Taken(
            title,
            drawn,
            _pairs(m, labels),
            matrix if MOST_NUMBERS < n <= MOST_TABLE else [],
            rows,
            of_pixels,
            is_open=k == 0,
        )


def _pairs(m: Measures, labels: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """What is so, what it was taken for, how often, and which share that is."""
    assert m.confusion is not None, "there are classes"
    sizes = m.confusion.sum(1)
    wrong = m.confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = (-wrong).ravel().argsort(kind="stable")[:MOST_PAIRS]
    places = [divmod(int(place), len(wrong)) for place in order]
    return [
        (
            called(so, labels),
            called(to, labels),
            int(wrong[so, to]),
            float(wrong[so, to] / sizes[so]),
        )
        for so, to in places
        if wrong[so, to]
    ]


# ── time, memory, versions ──────────────────────────────────────────────────────────────────────


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    h = story.history
    if h.epochs and h.seconds is not None and isfinite(h.seconds):
        each = h.seconds / len(h.epochs)
        yield "time", f"{measured.time(h.seconds)} for {count(len(h.epochs), 'epoch')}"
        seen = h.facts.examples.get("train", 0) if h.facts is not None else 0
        if seen and each:
            speed = f"{seen / each:,.0f} examples a second, validation and this page included"
            yield "speed", f"{measured.time(each)} an epoch, {speed}"
    if story.cost is not None:
        share = f", {story.cost / h.seconds:.1%} of it" if h.seconds else ""
        yield "this page", f"took {story.cost:.2f} s of that time{share}"
    if story.report is not None:
        report, t = story.report, story.report.totals.training
        yield (
            "memory estimated",
            f"{of_bytes(t.total)} for a batch of {report.batch}: {of_bytes(t.weights)} weights, "
            f"{of_bytes(t.gradients)} gradients, {of_bytes(t.state)} for {t.optimizer}, "
            f"{of_bytes(t.values)} values",
        )
    if story.memory:
        yield (
            "memory measured",
            f"{of_bytes(story.memory)}: the most of the whole process, data too",
        )
    if h.facts is not None and h.facts.examples:
        parts = ", ".join(f"{n:,} {safe(name)}" for name, n in h.facts.examples.items())
        yield "examples", parts


def _versions(story: Story) -> list[tuple[str, str]]:
    f = story.history.facts
    if f is None:
        return []
    threads = str(f.threads) if f.threads is not None else "as many as there are cores"
    return [
        ("cnnspec", f.cnnspec),
        ("python", f.python),
        ("numpy", f.numpy),
        ("runtime", f.runtime),
        ("machine", f.machine),
        ("device", f.device),
        ("threads", threads),
        ("seed", str(f.seed)),
        ("spec", f.file),
        ("data", f"sha256 {f.data[:16]}…" if f.data else ""),
    ]
