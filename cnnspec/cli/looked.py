"""How is shown in a terminal what was found of an input?"""

import json
import sys
from collections.abc import Iterator, Sequence

import click

from cnnspec.cli.options import columns, cut, is_coloured
from cnnspec.pages.look import attack_text
from cnnspec.run.look import Look, Maps
from cnnspec.text.excerpt import columns as taken
from cnnspec.text.excerpt import safe

BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"
GAP = "  "


def table(found: Look, model: str, colour: str) -> Iterator[str]:
    """The answer with bars, the layers, and the attack."""
    room = columns(80) if sys.stdout.isatty() else None
    bold = is_coloured(colour)
    head = cut(f"{safe(found.name)} · {safe(model)}", room)
    yield click.style(head, bold=True) if bold else head
    for c in found.top:
        p = c.probability
        label = safe(c.label) if c.label is not None else str(c.index)
        if found.how.gives == "numbers":
            yield f"{_number(p):>8}{GAP}{found.how.label(c.index)}"
        else:
            share = "" if p is None else f"{p:.2%}"
            yield cut(f"{share:>8}{GAP}{_bar(p or 0.0)}{GAP}{label}", room)
    if found.truth is not None:
        yield f"it is {safe(found.truth)}"
    if not found.top:
        yield found.how.gives if found.how.gives == "picture" else f"most places: {found.label}"
    yield ""
    yield from (cut(line, room) for line in _layers(found.maps, found.layer_count, bold))
    if found.attack is not None:
        yield ""
        yield safe(attack_text(found))
    if found.notes:
        yield ""
        yield from (safe(note) for note in found.notes)


def _layers(maps: Sequence[Maps], total: int, bold: bool) -> Iterator[str]:
    rows = [(safe(m.layer.name), "x".join(map(str, m.shape)), _dead(m)) for m in maps]
    wide = max((taken(name) for name, _, _ in rows), default=5)
    size = max((len(shape) for _, shape, _ in rows), default=5)
    head = f"{'layer':<{wide}}{GAP}{'shape':>{size}}{GAP}dead"
    yield click.style(head, bold=True) if bold else head
    for name, shape, dead in rows:
        yield f"{name}{' ' * (wide - taken(name))}{GAP}{shape:>{size}}{GAP}{dead}".rstrip()
    if len(rows) < total:
        yield f"{len(rows)} of {total} layers; --layer names others"


def _dead(m: Maps) -> str:
    n = m.shape[0] if m.values.ndim > 1 else m.values.size
    what = "" if m.values.ndim > 1 else " are 0"
    return f"{m.dead:,} of {n:,}{what} ({m.dead / n:.0%})" if m.dead else ""


def _number(x: float | None) -> str:
    return "nan" if x is None else f"{x:.4g}"


def _bar(share: float) -> str:
    """As long as a share, in eighths of a letter where the terminal has such."""
    try:
        EIGHTHS.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return f"{'#' * round(share * BAR):<{BAR}}"
    whole, rest = divmod(round(share * BAR * 8), 8)
    return f"{'█' * whole}{EIGHTHS[rest] if rest else ''}"[:BAR].ljust(BAR)


def as_json(found: Look, model: str, notes: Sequence[str]) -> str:
    a = found.attack
    return json.dumps(
        {
            "input": found.name,
            "model": model,
            "gives": found.how.gives,
            "top": [c.as_json() for c in found.top],
            "is": found.truth,
            "class": None if found.how.gives == "picture" else found.label,
            "layers": [
                {
                    "layer": m.layer.name,
                    "call": m.layer.what,
                    "shape": list(m.shape),
                    "dead": m.dead,
                    "min": m.low,
                    "max": m.high,
                }
                for m in found.maps
            ],
            "attack": None
            if a is None
            else {
                "kind": a.kind,
                "eps": a.eps,
                "tried": a.most,
                "steps": a.steps,
                "before": found.how.label(a.before),
                "after": None if a.after is None else found.how.label(a.after),
                "probabilities": list(found.sure) if found.sure else None,
            },
            "notes": [*notes, *found.notes],
        },
        ensure_ascii=False,
        allow_nan=False,
    )
