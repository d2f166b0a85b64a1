"""Where do the parameters and the work of a network lie: two bars for each of its parts?"""

from collections.abc import Sequence

from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role, Theme
from cnnspec.report.units import percent
from cnnspec.text.record import record

SIZE, SMALL = 12.0, 11.5
WIDE, HIGH, THICK, TOP = 560.0, 32.0, 9.0, 34.0
LONGEST_NAME = 0.34

Kind = tuple[str, Role]
KINDS: tuple[Kind, Kind] = (("parameters", "curve0"), ("MACs", "curve1"))


@record
class Part:
    """A part of a network with what it has of the whole, from 0 to 1."""

    name: str
    params: float
    macs: float
    tip: str = ""
    """What the pointer is told."""
    href: str | None = None
    """Where in the page there is more of it."""


def shares(parts: Sequence[Part], title: str, theme: Theme = "auto") -> Figure:
    """A row for each part, its parameters above its work, both on one scale."""
    said = "; ".join(
        f"{p.name}: {percent(p.params)} of the parameters, {percent(p.macs)} of the MACs"
        for p in parts
    )
    f = Figure(WIDE, TOP + HIGH * len(parts) + 2, title, said, theme)
    f.add(f.text(title, 8, 18, size=13, bold=True))
    _legend(f)
    names = [fitted(p.name, LONGEST_NAME * WIDE, SIZE) for p in parts]
    left = 18 + max((width(n, SIZE) for n in names), default=0)
    room = WIDE - left - 12 - width("100.0%", SMALL)
    most = max((max(p.params, p.macs) for p in parts), default=0) or 1
    for k, (name, part) in enumerate(zip(names, parts, strict=True)):
        y = TOP + k * HIGH
        label = f.text(name, left - 10, y + 17, size=SIZE, anchor="end")
        row = [label if part.href is None else node("a", label, href=part.href)]
        for at, share, (_, role) in zip(
            (y + 2, y + 14), (part.params, part.macs), KINDS, strict=True
        ):
            row += _bar(f, left, at, room * share / most, _written(share), role)
        f.add(node("g", _tip(part.tip), *row))
    return f


def _written(share: float) -> str:
    if not share:
        return ""
    return "<0.1%" if share < 0.0005 else percent(share)


def _bar(f: Figure, x: float, y: float, long: float, text: str, role: Role) -> list[Element]:
    paint = f.paint(role)
    # A share that is there is seen, however small.
    bar = node("rect", x=x, y=y, width=max(long, 1) if text else 0, height=THICK, rx=1.5, **paint)
    label = f.text(text, x + max(long, 1) + 5, y + THICK - 0.5, size=SMALL, role="soft")
    return [bar, label] if text else []


def _tip(text: str) -> Element | None:
    if not text:
        return None
    tip = node("title")
    tip.text = text
    return tip


def _legend(f: Figure) -> None:
    x = f.width - 8
    for name, role in reversed(KINDS):
        x -= width(name, SMALL)
        f.add(
            f.text(name, x, 18, size=SMALL, role="soft"),
            node("rect", x=x - 15, y=9, width=10, height=9, rx=1.5, **f.paint(role)),
        )
        x -= 28
