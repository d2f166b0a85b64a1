"""How is a network drawn as a graph: boxes in frames with lines between them?"""

from cnnspec.draw.family import NAMES, role
from cnnspec.draw.fold import Box, Group, Item, Plan, deepest, plan, walk
from cnnspec.draw.graph_paint import Painter
from cnnspec.draw.graph_place import Placer, Scene
from cnnspec.draw.graph_u import shape_of, u_scene
from cnnspec.draw.graph_wires import wires
from cnnspec.draw.graph_words import SMALL, TITLE, short
from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role, Theme
from cnnspec.model.graph import Graph
from cnnspec.model.tally import facts_of
from cnnspec.vocab.value import show, show_shape

WIDE, TALL = 1280.0, 720.0
"""A slide, in pixels at which the smallest letters can be read."""

EDGE, TOP = 20.0, 64.0
NAME = 18.0
NARROWEST, LEGEND = 640.0, 20.0
NUMBERS = "last line of a box: shape, parameters"


def graph_figure(
    graph: Graph, *, depth: int | None = None, theme: Theme = "auto", repeats: bool = True
) -> Figure:
    """Layers as boxes, blocks below a depth folded into one, repeats written once with a count.

    Without a depth, as much is unfolded as can be read on a slide. Raises `ValueError` where it
    would be too much to draw.
    """
    made, scene = _chosen(graph, depth, repeats=repeats)
    return _painted(made, scene, theme)


def readable(graph: Graph, depth: int | None) -> Plan:
    """What is drawn at a depth, or where none is asked for, of what can be read on a slide."""
    return plan(graph, depth) if depth is not None else _chosen(graph, None, repeats=True)[0]


def scene_of(made: Plan) -> Scene:
    """Places for all, in as many columns as leave the letters largest on a slide."""
    placer = Placer(made, wires(made))
    shape = shape_of(made, made.items, placer.wires[None])
    if shape is not None:
        return u_scene(placer, shape)
    found = [placer.level(None, made.items, placer.wires[None], 1, up=False)]
    # In n columns it is about n times as wide and an n-th as tall.
    near = round((found[0].height * WIDE / (found[0].width * TALL)) ** 0.5)
    found += [
        placer.level(None, made.items, placer.wires[None], n, up=False)
        for n in range(max(2, near - 2), near + 3)
    ]
    # Lines that run beside each other from column to column are hard to follow.
    return max(found, key=lambda scene: scale(scene) * 0.96**scene.climbs)


def scale(scene: Scene) -> float:
    """By how much it can be enlarged on a slide, up to what is large enough."""
    wide, tall = scene.width + 2 * EDGE, scene.height + TOP + EDGE
    return min(WIDE / wide, TALL / tall, 1.6)


def _chosen(graph: Graph, depth: int | None, *, repeats: bool) -> tuple[Plan, Scene]:
    if depth is not None:
        made = plan(graph, depth, repeats=repeats)
        return made, scene_of(made)
    best: tuple[Plan, Scene] | None = None
    for level in range(deepest(graph) + 1):
        try:
            made = plan(graph, level, repeats=repeats)
        except ValueError:
            if best is None:
                raise
            break
        found = made, scene_of(made)
        if best is not None and scale(found[1]) < 1:
            break
        best = found
    assert best is not None
    return best


# ── the whole ──────────────────────────────────────────────────────────────────────────────────


def _painted(made: Plan, scene: Scene, theme: Theme) -> Figure:
    graph, roles = made.graph, _roles(made)
    line = _summary(made)
    head = min(WIDE, max(_named(graph), width(line, TITLE)))
    wide = max(scene.width, head, NARROWEST)
    long = sum(_legend_width(r) for r in roles) + width(NUMBERS, SMALL)
    is_beside = head + 2 * EDGE + long <= wide
    top = TOP + (0.0 if is_beside else 4.0 + LEGEND * _legend_rows(roles, wide))
    figure = Figure(
        wide + 2 * EDGE,
        scene.height + top + EDGE,
        f"{graph.name} as a graph",
        f"{line}. {_described(made)}",
        theme,
    )
    figure.add(node("rect", width=figure.width, height=figure.height, **figure.paint("paper")))
    _head(figure, graph, line, wide if not is_beside else wide - long - EDGE)
    if is_beside:
        figure.add(_legend(figure, roles, EDGE + wide - long, 28.0, long + 1))
    else:
        figure.add(_legend(figure, roles, EDGE, 70.0, wide))
    moved = Scene(wide, scene.height)
    moved.take(scene, EDGE + (wide - scene.width) / 2, top)
    Painter(made, figure).paint(moved)
    return figure


def _summary(made: Plan) -> str:
    graph = made.graph
    inputs = ", ".join(show_shape(facts_of(n).shape) for n in graph.inputs)
    output = show_shape(facts_of(graph.nodes[graph.main.node]).shape)
    params = sum(c.params for c in made.counts)
    macs = sum(facts_of(n).work.macs for n in graph.nodes)
    return f"{inputs} → {output} · {params:,} parameters · {short(macs)} multiply-adds"


def _settings(graph: Graph) -> str:
    return " ".join(f"{name}={show(value)}" for name, value in graph.params.items())


def _named(graph: Graph) -> float:
    return width(graph.name, NAME, bold=True) + 12.0 + width(_settings(graph), TITLE)


def _head(figure: Figure, graph: Graph, line: str, room: float) -> None:
    name = fitted(graph.name, room, NAME, bold=True)
    figure.add(figure.text(name, EDGE, 28, size=NAME, bold=True))
    used = width(name, NAME, bold=True) + 12.0
    if room - used > 4 * TITLE and graph.params:
        words = fitted(_settings(graph), room - used, TITLE)
        figure.add(figure.text(words, EDGE + used, 28, size=TITLE, role="soft"))
    figure.add(figure.text(fitted(line, room, TITLE), EDGE, 46, size=TITLE, role="soft"))


def _roles(made: Plan) -> list[Role]:
    shown = {
        role(made.graph.nodes[i]) for b in walk(made.items) if isinstance(b, Box) for i in b.nodes
    }
    return [r for r in NAMES if r in shown]


def _legend_width(role: Role) -> float:
    return width(NAMES[role], SMALL) + 30.0


def _legend_rows(roles: list[Role], wide: float) -> int:
    rows, used = 1, 0.0
    for need in (*map(_legend_width, roles), width(NUMBERS, SMALL)):
        if used and used + need > wide:
            rows, used = rows + 1, 0.0
        used += need
    return rows


def _legend(figure: Figure, roles: list[Role], left: float, y: float, wide: float) -> Element:
    group = node("g", class_="legend")
    x = left
    for r in roles:
        need = _legend_width(r)
        if x > left and x + need > left + wide:
            x, y = left, y + LEGEND
        swatch = figure.paint(r, "line")
        group.append(node("rect", x=x, y=y - 10, width=14, height=12, rx=3, **swatch))
        group.append(figure.text(NAMES[r], x + 19, y, size=SMALL, role="soft"))
        x += need
    if x > left and x + width(NUMBERS, SMALL) > left + wide:
        x, y = left, y + LEGEND
    group.append(figure.text(NUMBERS, x, y, size=SMALL, role="soft"))
    return group


def _described(made: Plan) -> str:
    """In words: how much is drawn, and what is folded or written once."""
    items = list(walk(made.items))
    folded = [i for i in items if isinstance(i, Group) and i.path and not i.items]
    repeated = [i for i in items if i.times > 1]
    layers = sum(1 for n in made.graph.nodes if n.inputs)
    said = [f"{layers:,} layers in {_boxes(items):,} boxes, from the input down"]
    if folded:
        said.append(f"{len(folded):,} {'block is' if len(folded) == 1 else 'blocks are'} folded")
    if repeated:
        said.append("what is repeated is drawn once with a count")
    return "; ".join(said) + "."


def _boxes(items: list[Item]) -> int:
    return sum(1 for i in items if isinstance(i, Box) or not i.items)
