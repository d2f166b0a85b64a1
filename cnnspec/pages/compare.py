"""What does the page show on which training runs stand side by side?"""

from collections.abc import Callable, Sequence
from math import isfinite, nan

from cnnspec.draw.chart import Bar, Curve, Words, bars, chart
from cnnspec.draw.svg import Figure
from cnnspec.draw.theme import CURVES, Role
from cnnspec.pages.comparing import Comparison, Run
from cnnspec.pages.measured import SIZE, called, is_share, names, number
from cnnspec.pages.page import render
from cnnspec.run.history import Epoch

Value = Callable[[Epoch], float | None]


def compare_page(found: Comparison) -> str:
    """The page as one text."""
    runs = found.runs
    return render(
        "compare.html",
        found=found,
        charts=_charts(runs),
        texts=[
            (r.name, r.history.graph.span.source.text) for r in runs if r.history.graph is not None
        ],
    )


def _charts(runs: Sequence[Run]) -> list[Figure]:
    measures = list(dict.fromkeys(n for r in runs for n in names(r.history.epochs)))
    found = [_final(runs, measures[1] if len(measures) > 1 else "loss")]
    for name in measures:
        found.append(_chart(runs, f"validation {called(name)}", name, _validated(name)))
        found.append(_chart(runs, f"training {called(name)}", name, _trained(name)))
    found += [
        _chart(runs, f"{called(name)} by time", name, _best_known(name), by_time=True)
        for name in measures[1:2] or measures[:1]
    ]
    found.append(_chart(runs, "learning rate", "lr", lambda e: e.lr))
    return [f for f in found if f is not None]


def _validated(name: str) -> Value:
    return lambda epoch: epoch.validation.get(name)


def _trained(name: str) -> Value:
    return lambda epoch: epoch.train.get(name)


def _best_known(name: str) -> Value:
    """What validation found, or training where nothing was validated."""
    return lambda epoch: epoch.validation.get(name, epoch.train.get(name))


def _chart(
    runs: Sequence[Run], title: str, name: str, value: Value, *, by_time: bool = False
) -> Figure | None:
    """The same of every run that has it."""
    curves: list[Curve] = []
    for k, run in enumerate(runs):
        points: list[tuple[float, float]] = []
        for epoch in run.history.epochs:
            y, x = value(epoch), epoch.seconds if by_time else float(epoch.epoch)
            if isfinite(x):
                points.append((x, nan if y is None else y))
        if any(isfinite(y) for _, y in points):
            curves.append(Curve(run.name, points, _role(k), is_dashed=k >= len(CURVES)))
    if not curves:
        return None
    words = Words(title, "seconds" if by_time else "epoch", percent=is_share(name))
    return chart(curves, words, size=SIZE, whole=not by_time)


def _role(k: int) -> Role:
    return CURVES[k % len(CURVES)]


def _final(runs: Sequence[Run], name: str) -> Figure | None:
    """What came out, as bars; of the test where all were tested."""
    is_tested = all(name in r.test for r in runs)
    part = "test" if is_tested else "validation"
    rows: list[Bar] = []
    for k, run in enumerate(runs):
        values = run.test if is_tested else (run.best.validation if run.best is not None else {})
        if name in values and isfinite(values[name]):
            rows.append(Bar(run.name, values[name], number(name, values[name]), _role(k)))
    if not rows:
        return None
    most = 1.0 if is_share(name) else None
    return bars(rows, Words(f"{part} {called(name)}, best weights"), wide=SIZE[0], most=most)
