"""How does a network look in the manner of the LeNet figure: maps from left to right?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from cnnspec.draw.family import NAMES, role
from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role, Theme
from cnnspec.draw.volume_layout import LEAD, MARGIN, Layout, layout
from cnnspec.draw.volume_place import place
from cnnspec.draw.volume_shapes import Scale, painted
from cnnspec.draw.volume_stages import Stage, deepest, stages
from cnnspec.draw.volume_wires import wedges, wires
from cnnspec.draw.volume_words import SIZE, Captions, description, folded, heading
from cnnspec.model.graph import Graph
from cnnspec.model.measure import measure

WIDTH, HEIGHT = 1600, 900
"""Of a slide. Narrower nets take less; what is unfolded on purpose may be higher."""

LONGEST = (190.0, 165.0, 140.0, 120.0, 100.0, 84.0)
"""Pixels of the longest side of a map: the first that fits."""

HEAD, FOOT = 86.0, 42.0
"""Above the maps for the heading, below for the legend."""

AMPLE = 120.0
"""Pixels of it with which a net still looks well in one row."""

MOST = 26
"""Maps that a slide can bear."""

LIMIT = 2_000
"""Maps beyond which a figure could not be read, nor shown by a browser."""


@dataclass(slots=True, eq=False)
class Plan:
    """A figure that is not painted yet."""

    depth: int
    stages: list[Stage]
    layout: Layout
    scale: Scale

    @property
    def fits(self) -> bool:
        return (
            len(self.stages) <= MOST
            and len(self.layout.bands) <= (1 if any(self.layout.place.level) else 2)
            and self.layout.height + FOOT <= HEIGHT
        )


def volumes(graph: Graph, depth: int | None, theme: Theme) -> Figure:
    """Blocks that lie in more than `depth` others are drawn as their outputs; by default as few of
    them as fit a slide."""
    return _painted(graph, planned(graph, depth), theme)


def planned(graph: Graph, depth: int | None) -> Plan:
    """The least that is folded, then the largest maps, with which it fits."""
    depths = range(deepest(graph), -1, -1) if depth is None else [depth]
    for d in depths:
        found = stages(graph, d)
        if len(found) > MOST and d != depths[-1]:
            continue
        plan = _roomy(graph, d, found)
        if plan.fits or d == depths[-1]:
            return plan
    raise AssertionError("the last depth has a plan, whether or not it fits")


def _roomy(graph: Graph, depth: int, found: list[Stage]) -> Plan:
    """With the largest maps that fit a slide, in one row if they are not small then; with small
    ones if none fit."""
    if len(found) > LIMIT:
        raise ValueError(
            f"{len(found):,} maps are too many for a figure, which holds {LIMIT:,}"
            + ("; a smaller depth folds more" if depth else "")
        )
    where = place(found, _main(graph, found))
    captions = Captions(graph)
    plans: list[Plan] = []
    for longest in LONGEST if len(found) <= MOST else (AMPLE,):
        scale = Scale([s for stage in found for s in stage.shapes], longest)
        made = layout(graph, found, where, captions, scale, WIDTH, HEAD)
        plans.append(Plan(depth, found, made, scale))
    fitting = [p for p in plans if p.fits]
    ample = [p for p in fitting if p.scale.longest >= AMPLE]
    return min(ample or fitting, key=lambda p: len(p.layout.bands), default=plans[-1])


def _main(graph: Graph, found: Sequence[Stage]) -> int:
    end = graph.main.node
    return next(k for k, stage in enumerate(found) if any(n.index == end for n in stage.nodes))


# ── painting ───────────────────────────────────────────────────────────────────────────────────


def _painted(graph: Graph, plan: Plan, theme: Theme) -> Figure:
    return _Painting(graph, plan, theme).figure()


class _Painting:
    def __init__(self, graph: Graph, plan: Plan, theme: Theme) -> None:
        self._graph = graph
        self._plan = plan
        self._theme: Theme = theme
        self._captions = Captions(graph)
        self._subtitle = heading(graph, measure(graph))

    @cached_property
    def _folded(self) -> str:
        return folded(self._plan.stages, self._plan.depth)

    def figure(self) -> Figure:
        plan, graph = self._plan, self._graph
        needed = max(width(graph.name, 28, bold=True), width(self._subtitle, 16)) + 2 * MARGIN
        wide = max(plan.layout.width, min(needed, WIDTH), self._legend_width())
        made = Figure(
            wide,
            plan.layout.height + FOOT,
            f"The maps of {graph.name}",
            description(graph, plan.stages, self._subtitle, self._folded),
            self._theme,
        )
        made.add(node("rect", width=made.width, height=made.height, **made.paint("paper")))
        made.add(*self._heading(made))
        # In the middle, if the heading is wider.
        shift = (wide - plan.layout.width) / 2
        made.add(
            node(
                "g",
                *wedges(made, plan.stages, plan.layout),
                *self._maps(made),
                *wires(made, graph, plan.stages, plan.layout),
                *self._words(made),
                transform=f"translate({shift:.2f} 0)" if shift else None,
            )
        )
        made.add(*self._legend(made))
        return made

    def _heading(self, figure: Figure) -> Iterator[Element]:
        room = figure.width - 2 * MARGIN
        name = fitted(self._graph.name, room, 28, bold=True)
        yield figure.text(name, MARGIN, 44, size=28, bold=True)
        yield figure.text(fitted(self._subtitle, room, 16), MARGIN, 68, size=16, role="soft")

    def _maps(self, figure: Figure) -> Iterator[Element]:
        for stage, spot in zip(self._plan.stages, self._plan.layout.spots, strict=True):
            tip = node("title")
            tip.text = self._captions.tip(stage)
            drawn = painted(figure, spot.glyph, colour_of(stage), spot.x, spot.y, _own(stage))
            yield node("g", tip, *drawn, data_path=stage.block or stage.maker.path)

    def _words(self, figure: Figure) -> Iterator[Element]:
        """Below each map; in a U, where lines lead down past them, on paper of their own."""
        is_bent = any(self._plan.layout.place.level)
        for spot in self._plan.layout.spots:
            x, lines = spot.middle, list(enumerate(spot.lines))
            for k, (words, bold) in lines if is_bent else ():
                w = width(words, SIZE, bold=bold)
                y = spot.words + k * LEAD - SIZE
                yield node("rect", x=x - w / 2, y=y, width=w, height=LEAD, **figure.paint("paper"))
            for k, (words, bold) in lines:
                y = spot.words + k * LEAD
                yield figure.text(words, x, y, size=SIZE, anchor="middle", bold=bold)

    # ── below all ──────────────────────────────────────────────────────────────────────────────

    def _roles(self) -> list[Role]:
        found: list[Role] = [colour_of(s) for s in self._plan.stages if s.sources]
        if any(_own(s) < 1 for s in self._plan.stages):
            found.append("merge")
        return sorted(set(found), key=found.index)

    def _legend_width(self) -> float:
        return 2 * MARGIN + sum(28 + width(NAMES[r], SIZE) + 18 for r in self._roles())

    def _legend(self, figure: Figure) -> Iterator[Element]:
        y, x = figure.height - 20, float(MARGIN)
        for found in self._roles():
            yield node("rect", x=x, y=y - 12, width=16, height=14, **figure.paint(found, "line"))
            yield figure.text(NAMES[found], x + 24, y, size=SIZE, role="soft")
            x += 24 + width(NAMES[found], SIZE) + 22
        if x + width(self._plan.scale.words, SIZE) <= figure.width - MARGIN:
            yield figure.text(
                self._plan.scale.words,
                figure.width - MARGIN,
                y,
                size=SIZE,
                anchor="end",
                role="soft",
            )


def _own(stage: Stage) -> float:
    return stage.own_shape[0] / stage.shape[0] if stage.own_shape != stage.shape else 1


def colour_of(stage: Stage) -> Role:
    """By what makes the map; of a block by what does most of its work."""
    if not stage.block:
        return role(stage.maker)
    most = max(stage.nodes, key=lambda n: n.facts.work.macs if n.facts else 0)
    return role(most if most.facts and most.facts.work.macs else stage.maker)
