"""How are the measures of a run called and written, and how do they look as curves?"""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite, nan

from cnnspec.draw.chart import Curve, Mark, Words, chart
from cnnspec.draw.svg import Figure
from cnnspec.draw.ticks import short
from cnnspec.run.history import Epoch

SHARES = ("accuracy", "precision", "recall", "f1", "iou")
"""Measures that are told in percent."""

NAMES = {
    "psnr": "PSNR, dB",
    "iou": "IoU",
    "f1": "F1",
    "mae": "mean error",
    "rmse": "root mean square error",
}

SIZE = (380.0, 260.0)
"""Of a chart: on a telephone its letters keep their size."""


def is_share(name: str) -> bool:
    return name in SHARES or name.startswith("top")


def called(name: str) -> str:
    return f"top {name[3:]}" if name.startswith("top") else NAMES.get(name, name)


def number(name: str, x: float) -> str:
    """`98.10%`, `0.0712`, `31.20`."""
    if is_share(name) and isfinite(x):
        return f"{x:.2%}"
    digits = 4 if abs(x) < 10 else 2
    return f"{x:,.{digits}f}" if 1e-3 <= abs(x) < 1e6 else short(x)


def time(seconds: float) -> str:
    """`13.2 s`, `4:07`, `2:03:10`."""
    if not isfinite(seconds) or seconds < 60:
        return f"{seconds:.1f} s"
    s = round(seconds)
    return f"{s // 60}:{s % 60:02}" if s < 3600 else f"{s // 3600}:{s % 3600 // 60:02}:{s % 60:02}"


def names(epochs: Iterable[Epoch]) -> list[str]:
    """The measures that any epoch has, the loss first."""
    found = {name: None for e in epochs for name in (*e.train, *e.validation)}
    return sorted(found, key=lambda name: name != "loss")


def curves(epochs: Sequence[Epoch], best: int | None) -> list[Figure]:
    """A chart for each measure, and one for the learning rate."""
    mark = Mark(best, f"best: epoch {best}") if best is not None else None
    found = [_measure(epochs, name, mark) for name in names(epochs)]
    rates = _points(epochs, lambda e: e.lr)
    if rates:
        words = Words("learning rate")
        found.append(chart([Curve("", rates, "curve2")], words, mark=mark, size=SIZE))
    return found


def _measure(epochs: Sequence[Epoch], name: str, mark: Mark | None) -> Figure:
    lines = [
        Curve("training", _points(epochs, lambda e: e.train.get(name)), "curve0", is_dashed=True),
        Curve("validation", _points(epochs, lambda e: e.validation.get(name)), "curve1"),
    ]
    words = Words(called(name), percent=is_share(name))
    return chart([c for c in lines if c.points], words, mark=mark, size=SIZE)


def _points(
    epochs: Sequence[Epoch], value: Callable[[Epoch], float | None]
) -> list[tuple[float, float]]:
    """What is known; a gap where an epoch lacks what others have."""
    found = [(float(e.epoch), value(e)) for e in epochs]
    if all(y is None or y != y for _, y in found):
        return []
    return [(x, nan if y is None else y) for x, y in found]
