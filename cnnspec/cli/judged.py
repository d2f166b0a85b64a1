"""How is shown how well a model does?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from cnnspec.text.excerpt import columns, safe

if TYPE_CHECKING:
    from cnnspec.run.measures import Measures
    from cnnspec.settings.base import Targets

WIDTH = 80

MOST = 20
"""Of more classes, only those are shown that are told apart worst."""

LONGEST = 24
"""Columns that the name of a class may take."""

RATES = ("precision", "recall", "f1", "iou")

NAMES = {"psnr": "PSNR", "iou": "IoU", "f1": "F1", "mae": "mean error", "rmse": "root error"}


@dataclass(frozen=True)
class Judged:
    """A model, what it was measured on, and what came out."""

    model: str
    data: str
    part: str
    examples: int
    gives: "Targets"
    has_loss: bool
    measures: "Measures"
    labels: Sequence[str]

    def called(self, k: int) -> str:
        """The name of a class behind its number."""
        named = f"{k}  {safe(self.labels[k])}" if k < len(self.labels) else str(k)
        return str(k) if named == f"{k}  {k}" else _cut(named, LONGEST)

    @property
    def values(self) -> dict[str, float]:
        """Each measure as one number; a loss only where there is one."""
        found = self.measures.values
        return found if self.has_loss else {k: x for k, x in found.items() if k != "loss"}


def as_json(judged: Judged) -> dict[str, object]:
    """Everything, with every class."""
    confusion = judged.measures.confusion
    rows = [
        {"class": k, "label": judged.labels[k] if k < len(judged.labels) else None, **row}
        for k, row in enumerate(judged.measures.by_class())
    ]
    return {
        "model": judged.model,
        "data": judged.data,
        "part": judged.part,
        "examples": judged.examples,
        "measures": {name: x if isfinite(x) else None for name, x in judged.values.items()},
        "classes": rows,
        "confusion": [] if confusion is None else confusion.tolist(),
    }


def table(judged: Judged) -> Iterator[str]:
    examples = "example" if judged.examples == 1 else "examples"
    yield f"{safe(judged.model)}: {judged.examples:,} {examples} for {judged.part} of {judged.data}"
    yield ""
    yield from _values(judged)
    confusion = judged.measures.confusion
    if confusion is None:
        return
    yield ""
    yield from _classes(judged)
    yield ""
    yield from _confusion(judged)


def _values(judged: Judged) -> Iterator[str]:
    """The measures of the whole; of precision and the like, the means over the classes."""
    of_pixels = judged.gives == "masks"
    for name, x in judged.values.items():
        if name == "iou" and not of_pixels:
            continue
        shown = f"{x:.2f} dB" if name == "psnr" else f"{x:.4f}" if _is_plain(name) else f"{x:.2%}"
        what = "accuracy of pixels" if of_pixels and name == "accuracy" else _named(name)
        yield f"{what:<20}{shown:>10}"


def _is_plain(name: str) -> bool:
    return name in ("loss", "mae", "rmse")


def _named(name: str) -> str:
    if name in RATES:
        return f"mean {NAMES.get(name, name)}"
    return f"top {name[3:]}" if name.startswith("top") else NAMES.get(name, name)


# ── each class ─────────────────────────────────────────────────────────────────────────────────


def _classes(judged: Judged) -> Iterator[str]:
    rows = list(enumerate(judged.measures.by_class()))
    left_out = max(0, len(rows) - MOST)
    if left_out:
        seen = [(k, row) for k, row in rows if row["examples"]]
        rows = sorted(seen, key=lambda pair: pair[1]["f1"])[:MOST]
    names = [judged.called(k) for k, _ in rows]
    wide = max(5, *(columns(name) for name in names)) if names else 5
    what = "pixels" if judged.gives == "masks" else "examples"
    yield f"{'class':<{wide}}  {what:>9}  precision  recall      F1     IoU"
    for name, (_, row) in zip(names, rows, strict=True):
        shares = "  ".join(f"{row[r]:>{w}.2%}" for r, w in zip(RATES, (9, 7, 6, 6), strict=True))
        yield f"{name}{' ' * (wide - columns(name))}  {int(row['examples']):>9,}  {shares}".rstrip()
    if left_out:
        yield f"the {len(rows)} with the least F1; --format json has all"


# ── what is taken for what ─────────────────────────────────────────────────────────────────────


def _confusion(judged: Judged) -> Iterator[str]:
    confusion = judged.measures.confusion
    assert confusion is not None, "there are classes"
    n = len(confusion)
    cell = 1 + max(len(str(int(confusion.max()))), len(str(n - 1)))
    names = [judged.called(k) for k in range(n)]
    room = WIDTH - n * cell
    if n > MOST or room < len(str(n - 1)) + 1:
        yield from _pairs(judged)
        return
    wide = min(room - 1, max(columns(name) for name in names))
    yield "what each is (rows), and what it is taken for (columns)"
    yield " " * wide + "".join(f"{k:>{cell}}" for k in range(n))
    for name, row in zip(names, confusion.tolist(), strict=True):
        shown = _cut(name, wide)
        cells = "".join(f"{x or '·':>{cell}}" for x in row)
        yield shown + " " * (wide - columns(shown)) + cells


def _pairs(judged: Judged) -> Iterator[str]:
    """The classes that are mistaken for each other most often."""
    confusion = judged.measures.confusion
    assert confusion is not None, "there are classes"
    sizes = confusion.sum(1)
    wrong = confusion.copy()
    for k in range(len(wrong)):
        wrong[k, k] = 0
    order = (-wrong).ravel().argsort(kind="stable")[:MOST]
    pairs = [divmod(int(place), len(wrong)) for place in order]
    pairs = [(so, taken) for so, taken in pairs if wrong[so, taken]]
    if not pairs:
        yield "no class is taken for another"
        return
    wide = max(7, *(columns(judged.called(so)) for so, _ in pairs))
    yield f"{'what is':<{wide}}  {'is taken for':<{LONGEST}}  {'times':>7}   share"
    for so, taken in pairs:
        first, second = judged.called(so), judged.called(taken)
        times = int(wrong[so, taken])
        yield (
            f"{first}{' ' * (wide - columns(first))}  {second}{' ' * (LONGEST - columns(second))}  "
            f"{times:>7,}  {times / sizes[so]:>6.2%}"
        )


def _cut(text: str, width: int) -> str:
    while columns(text) > width:
        text = text[:-2] + "…"
    return text
