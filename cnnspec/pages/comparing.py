"""In what do training runs differ: in what they are, and in what came of them?"""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from cnnspec.model.graph import Graph
from cnnspec.pages.measured import called, names, number, time
from cnnspec.pages.settings import settings
from cnnspec.report.facts import facts
from cnnspec.report.units import of_bytes
from cnnspec.run.better import HIGHER
from cnnspec.run.history import Epoch, History
from cnnspec.text.record import record

NOTHING = "–"


@record
class Run:
    """A run and what is known of it."""

    name: str
    history: History
    params: int | None
    best: Epoch | None
    """The epoch of the best weights, or where nobody knows which that is, the last."""
    settings: Mapping[str, str]

    @property
    def test(self) -> Mapping[str, float]:
        return self.history.facts.test if self.history.facts is not None else {}


@record
class Row:
    """Something of each run."""

    label: str
    values: Sequence[str]
    best: Sequence[int] = ()
    """Where it is best."""


@record
class Comparison:
    """Runs side by side."""

    runs: Sequence[Run]
    results: Sequence[Row]
    differing: Sequence[Row]
    """The settings that are not the same in all."""
    alike: int
    """How many settings are."""
    notes: Sequence[str]


def compared(histories: Sequence[History]) -> Comparison:
    runs = [_run(h) for h in histories]
    rows = _settings(runs)
    differing = [row for row in rows if len(set(row.values)) > 1]
    return Comparison(runs, _results(runs), differing, len(rows) - len(differing), _notes(runs))


def _run(history: History) -> Run:
    graph = history.graph
    best = next((e for e in history.epochs if e.epoch == history.best), None)
    if best is None and history.epochs:
        best = history.epochs[-1]
    recipe = graph.recipe if graph is not None else None
    return Run(
        str(history.path),
        history,
        facts(graph).totals.params if graph is not None else None,
        best,
        {name: text for name, text, _ in settings(recipe)} if recipe is not None else {},
    )


# ── what came of them ───────────────────────────────────────────────────────────────────────────


def _results(runs: Sequence[Run]) -> list[Row]:
    found = [
        _row("network", runs, lambda r: r.history.graph.name if r.history.graph else None),
        _row("parameters", runs, lambda r: None if r.params is None else f"{r.params:,}"),
        _row("epochs", runs, _epochs),
        _row("best epoch", runs, lambda r: str(r.history.best) if r.history.best else None),
    ]
    measures = list(dict.fromkeys(n for r in runs for n in names(r.history.epochs)))
    for part, values in (("training", _train), ("validation", _held), ("test", _test)):
        found += [_measure(f"{part} {called(n)}", n, runs, values) for n in measures]
    found += [
        _row("time", runs, lambda r: _time(r.history.seconds)),
        _row("time an epoch", runs, _each),
        _row("memory", runs, _memory),
    ]
    return [row for row in found if set(row.values) != {NOTHING}]


def _row(label: str, runs: Sequence[Run], value: Callable[[Run], str | None]) -> Row:
    return Row(label, [value(r) or NOTHING for r in runs])


def _measure(
    label: str, name: str, runs: Sequence[Run], values: Callable[[Run], Mapping[str, float]]
) -> Row:
    found = [values(r).get(name) for r in runs]
    known = [x for x in found if x is not None and isfinite(x)]
    top = (max(known) if _is_higher(name) else min(known)) if len(known) > 1 else None
    return Row(
        label,
        [NOTHING if x is None else number(name, x) for x in found],
        [k for k, x in enumerate(found) if x is not None and x == top],
    )


def _is_higher(name: str) -> bool:
    return name in (*HIGHER, "precision", "recall") or name.startswith("top")


def _train(run: Run) -> Mapping[str, float]:
    return run.best.train if run.best is not None else {}


def _held(run: Run) -> Mapping[str, float]:
    return run.best.validation if run.best is not None else {}


def _test(run: Run) -> Mapping[str, float]:
    return run.test


def _epochs(run: Run) -> str | None:
    h = run.history
    if not h.epochs:
        return None
    done = h.epochs[-1].epoch
    of = f" of {h.total}" if h.total is not None else ""
    ended = ", ended early" if h.is_done and h.total is not None and done < h.total else ""
    return f"{done}{of}{ended}" + ("" if h.is_done else ", not finished")


def _time(seconds: float | None) -> str | None:
    return time(seconds) if seconds is not None and isfinite(seconds) else None


def _each(run: Run) -> str | None:
    seconds = run.history.seconds
    return _time(seconds / len(run.history.epochs)) if seconds is not None else None


def _memory(run: Run) -> str | None:
    found = run.history.facts.memory if run.history.facts is not None else 0
    return of_bytes(found) if found else None


# ── what they are ───────────────────────────────────────────────────────────────────────────────


def _settings(runs: Sequence[Run]) -> list[Row]:
    """Every setting, then with what and where the runs were made."""
    labels = list(dict.fromkeys(name for r in runs for name in r.settings))
    rows = [_row(name, runs, lambda r, n=name: r.settings.get(n)) for name in labels]
    made = ("device", "threads", "cnnspec", "runtime", "numpy", "python", "machine")
    rows += [_row(name, runs, lambda r, n=name: _fact(r, n)) for name in made]
    return [row for row in rows if set(row.values) != {NOTHING}]


def _fact(run: Run, name: str) -> str | None:
    value: object = getattr(run.history.facts, name, None)
    return None if value is None else str(value)


def _notes(runs: Sequence[Run]) -> list[str]:
    found = [f"{r.name}: {line}" for r in runs for line in r.history.missing]
    first, *others = runs
    for other in others:
        if _layers(other.history.graph) != _layers(first.history.graph):
            a, b = first.history.path, other.history.path
            if first.history.graph is not None and other.history.graph is not None:
                found.append(
                    f"the networks of {a} and {b} differ: "
                    f"`cnnspec diff {a}/spec.cnn {b}/spec.cnn` shows in what"
                )
    digests = {r.history.facts.data for r in runs if r.history.facts is not None}
    if len(digests) > 1 and len({r.settings.get("data") for r in runs}) == 1:
        found.append("the data has the same name in all runs, but is not the same")
    return found


def _layers(graph: Graph | None) -> list[tuple[str, str]]:
    return [(n.path, n.layer.text()) for n in graph.nodes] if graph is not None else []


# ── as data ─────────────────────────────────────────────────────────────────────────────────────


def as_json(found: Comparison) -> dict[str, object]:
    """Everything, numbers as such; what is not finite is null."""
    return {
        "runs": [_run_json(r) for r in found.runs],
        "differing": [row.label for row in found.differing],
        "notes": list(found.notes),
    }


def _run_json(run: Run) -> dict[str, object]:
    h = run.history
    return {
        "run": run.name,
        "network": h.graph.name if h.graph is not None else None,
        "params": run.params,
        "epochs": h.total,
        "done": h.epochs[-1].epoch if h.epochs else 0,
        "finished": h.is_done,
        "best_epoch": h.best,
        "train": _finite(_train(run)),
        "validation": _finite(_held(run)),
        "test": _finite(run.test),
        "seconds": h.seconds if h.seconds is not None and isfinite(h.seconds) else None,
        "memory": h.facts.memory or None if h.facts is not None else None,
        "settings": dict(run.settings),
        "history": [
            {
                "epoch": e.epoch,
                "train": _finite(e.train),
                "validation": _finite(e.validation),
                "lr": e.lr if isfinite(e.lr) else None,
                "seconds": e.seconds if isfinite(e.seconds) else None,
            }
            for e in h.epochs
        ],
        "missing": list(h.missing),
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: x if isfinite(x) else None for name, x in values.items()}
