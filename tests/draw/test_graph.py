"""Is a graph figure right: every layer, every line, nothing on top of anything else?"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations, pairwise
from random import Random
from xml.etree import ElementTree

import pytest

from calls import by_hash_seed
from cnnspec.draw.fold import UNFOLDED, Box, Group, Item, Plan, plan, walk
from cnnspec.draw.graph import graph_figure, readable, scale, scene_of
from cnnspec.draw.graph_links import links
from cnnspec.draw.graph_place import Line, Scene, sheet
from cnnspec.draw.graph_u import shape_of
from cnnspec.draw.graph_wires import wires
from cnnspec.draw.graph_words import Card
from cnnspec.model.graph import Graph
from cnnspec.zoo import names
from conftest import Golden
from draw.boxes import SVG, outside, overlaps, texts
from nets import build, build_file

Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""

INCEPTION = """\
    block inception(n) {
      concat {
        | conv n 1x1 -> relu
        | conv n 1x1 -> relu -> conv n 3x3 pad=1 -> bn -> relu
        | maxpool 3x3 stride=1 pad=1 -> conv n 1x1 -> relu
      }
    }
    network Small {
      input 3x32x32
      conv 8 3x3 pad=1 -> relu as stem
      inception 8 as a
      repeat 3 { add { | in | conv 24 3x3 pad=1 bias=no -> bn } -> relu }
      avgpool global -> flatten -> fc 10 -> softmax
    }
"""

UNLIKE = (
    *("lenet5", "alexnet", "vgg16", "googlenet", "resnet18", "resnet50", "densenet121", "unet"),
    *("efficientnet_b0", "cnn1d", "siamese", "retinanet", "shufflenet_v2", "convnext_tiny"),
    *("squeezenet1_1", "mobilenet_v2", "denoiser", "neocognitron", "lenet5_1998", "conv3d"),
)
"""One of each design: drawn at several depths, the rest of the zoo only as it is shown unasked."""


@cache
def spec(name: str) -> Graph:
    return build_file(f"specs/{name}.cnn")


PICTURES: list[tuple[str, int | None, bool]] = [
    *((name, None, True) for name in names()),
    *((name, 1, True) for name in UNLIKE),
    *((name, UNFOLDED, name != "retinanet") for name in UNLIKE),
    ("resnet152", UNFOLDED, False),
]


@cache
def placed(name: str, depth: int | None, repeats: bool) -> tuple[Plan, Scene]:
    graph = spec(name)
    made = readable(graph, None) if depth is None else plan(graph, depth, repeats=repeats)
    return made, scene_of(made)


# ── geometry ───────────────────────────────────────────────────────────────────────────────────


def cards(scene: Scene) -> dict[Item, Rectangle]:
    """Each with the sheets behind it, where it is repeated."""
    return {
        p.card.item: (p.x, p.y, p.x + p.card.width, p.y + p.card.height + sheet(p.card.item))
        for p in scene.places
    }


def frames(scene: Scene) -> dict[Group, Rectangle]:
    return {f.group: (f.x, f.y, f.x + f.width, f.y + f.height) for f in scene.frames}


def meet(a: Rectangle, b: Rectangle, by: float = 0.01) -> bool:
    return a[0] < b[2] - by and b[0] < a[2] - by and a[1] < b[3] - by and b[1] < a[3] - by


def holds(a: Rectangle, b: Rectangle) -> bool:
    return a[0] <= b[0] and a[1] <= b[1] and a[2] >= b[2] and a[3] >= b[3]


def segments(line: Line) -> Iterator[Rectangle]:
    for (x, y), (x2, y2) in pairwise(line.points):
        assert abs(x - x2) < 0.01 or abs(y - y2) < 0.01, "lines run along the axes"
        yield min(x, x2), min(y, y2), max(x, x2), max(y, y2)


def crosses(segment: Rectangle, box: Rectangle) -> bool:
    """Does it run through the inside?"""
    left, top, right, bottom = box
    return meet((segment[0] - 0.02, segment[1] - 0.02, segment[2] + 0.02, segment[3] + 0.02), (
        left + 0.5, top + 0.5, right - 0.5, bottom - 0.5
    ))  # fmt: skip


def touches(a: Rectangle, b: Rectangle) -> bool:
    return (
        a[0] <= b[2] + 0.05 and b[0] <= a[2] + 0.05 and a[1] <= b[3] + 0.05 and b[1] <= a[3] + 0.05
    )


def around(made: Plan) -> dict[Item, tuple[Group, ...]]:
    """The groups in which each item lies."""
    found: dict[Item, tuple[Group, ...]] = {}

    def visit(items: tuple[Item, ...], outer: tuple[Group, ...]) -> None:
        for item in items:
            found[item] = outer
            if isinstance(item, Group):
                visit(item.items, (*outer, item))

    visit(made.items, ())
    return found


@pytest.mark.parametrize(("name", "depth", "repeats"), PICTURES)
def test_nothing_lies_on_anything(name: str, depth: int | None, repeats: bool) -> None:
    check_places(*placed(name, depth, repeats))


@pytest.mark.parametrize(("name", "depth", "repeats"), PICTURES)
def test_lines_run_past_boxes_from_maker_to_taker(
    name: str, depth: int | None, repeats: bool
) -> None:
    check_lines(*placed(name, depth, repeats))


@pytest.mark.parametrize("seed", range(30))
def test_networks_of_any_wiring_are_drawn_right(seed: int) -> None:
    graph = build(random_network(Random(seed)))
    for depth in (0, 1, UNFOLDED):
        made = plan(graph, depth)
        scene = scene_of(made)
        check_places(made, scene)
        check_lines(made, scene)
        svg = graph_figure(graph, depth=depth).svg()
        assert not overlaps(svg)
        assert not outside(svg)


def random_network(random: Random) -> str:
    """Blocks, branches, skips and heads in any order; every map is 4x8x8."""
    blocks = [f"block b{k} {{ {random_body(random, 2, k)} }}" for k in range(3)]
    body = random_body(random, 3, 3)
    head = "head early { conv 2 1x1 }" if random.random() < 0.3 else ""
    return "\n".join([*blocks, f"network N {{ input 4x8x8\n {body}\n {head}\n conv 4 1x1 }}"])


def random_body(random: Random, deep: int, blocks: int) -> str:
    """Statements, the first of which is always a layer."""
    lines = ["conv 4 3x3 pad=1"]
    known: list[str] = []
    for _ in range(random.randrange(1, 6)):
        label = f"v{random.randrange(10**9)}"
        match random.randrange(7):
            case 0 if blocks:
                lines.append(f"b{random.randrange(blocks)} as {label}")
            case 1 if known:
                lines.append(f"add {{ | in | {random.choice(known)} }} as {label}")
            case 2 if deep:
                lines.append(f"add {{ | in | conv 4 1x1 -> bn | conv 4 5x5 pad=2 }} as {label}")
            case 3 if deep:
                lines.append("concat { | in | conv 4 1x1 | maxpool 3x3 stride=1 pad=1 }")
                lines.append(f"conv 4 1x1 as {label}")
            case 4:
                lines.append(f"repeat {random.randrange(2, 5)} {{ add {{ | in | conv 4 1x1 }} }}")
                lines.append(f"relu as {label}")
            case _:
                lines.append(f"conv 4 {random.choice(('1x1', '3x3 pad=1'))} -> relu as {label}")
        known.append(label)
    lines.append("add { | in | " + " | ".join(known[-3:]) + " }")
    return "\n".join(lines)


U = """\
    block twice(c) {{ repeat 2 {{ conv c 3x3 pad=1 -> relu }} }}
    network N {{
      input 4x32x32
      {down} as a
      {shrink} -> {down} as b
      {shrink} -> {down} as c
      {shrink} -> {bottom}
      deconv 4 2x2 stride=2 -> concat {{ | in | c }} -> {up}
      deconv 4 2x2 stride=2 -> concat {{ | in | b }} -> {up}
      deconv 4 2x2 stride=2 -> concat {{ | in | a }} -> {up}
      conv 2 1x1
    }}
"""


@pytest.mark.parametrize("down", ["conv 4 3x3 pad=1", "twice 4", "conv 4 1x1 -> bn -> relu"])
@pytest.mark.parametrize("shrink", ["maxpool 2x2", "conv 4 3x3 pad=1 stride=2"])
@pytest.mark.parametrize("bottom", ["twice 8", "conv 8 1x1", "maxpool 3x3 stride=1 pad=1"])
def test_a_u_is_one_whatever_it_is_made_of(down: str, shrink: str, bottom: str) -> None:
    graph = build(U.format(down=down, shrink=shrink, bottom=bottom, up="twice 4"))
    for depth in (0, 1):
        made = plan(graph, depth)
        assert shape_of(made, made.items, wires(made)[None]) is not None
        scene = scene_of(made)
        check_places(made, scene)
        check_lines(made, scene)


@pytest.mark.parametrize(
    "body",
    [
        "conv 4 1x1 as a -> maxpool 2x2 -> conv 4 1x1",
        "conv 4 1x1 as a -> conv 4 1x1 -> add { | in | a }",
        "conv 4 1x1 as a -> maxpool 2x2 -> upsample 2 as b -> conv 4 1x1 -> add { | in | b | a }",
    ],
)
def test_what_is_no_u_is_not_drawn_as_one(body: str) -> None:
    made = plan(build(f"network N {{ input 4x32x32\n {body} }}"), 0)
    assert shape_of(made, made.items, wires(made)[None]) is None


def check_places(made: Plan, scene: Scene) -> None:
    boxes, borders, outer = cards(scene), frames(scene), around(made)
    shown = [i for i in walk(made.items) if isinstance(i, Box) or not i.items]
    assert set(boxes) == set(shown)
    whole = (-0.01, -0.01, scene.width + 0.01, scene.height + 0.01)
    assert all(holds(whole, r) for r in [*boxes.values(), *borders.values()])
    by_left = sorted([*boxes.items(), *borders.items()], key=lambda pair: pair[1])
    for (a, one), (b, two) in combinations(by_left, 2):
        if one[2] < two[0]:
            continue
        if a in outer[b] or b in outer[a]:
            assert holds(one, two) if a in outer[b] else holds(two, one)
        else:
            assert not meet(one, two), f"{_said(made, a)} lies on {_said(made, b)}"


def check_lines(made: Plan, scene: Scene) -> None:
    boxes, borders, outer = cards(scene), frames(scene), around(made)
    drawn: dict[int, list[Rectangle]] = {}
    for line in scene.lines:
        home = () if line.inside is None else (*outer[line.inside], line.inside)
        for segment in segments(line):
            drawn.setdefault(line.value, []).append(segment)
            through = [_said(made, i) for i, r in boxes.items() if crosses(segment, r)]
            assert not through, f"a line runs through {through}"
            strange = [i for i, r in borders.items() if i not in home and crosses(segment, r)]
            assert not strange, f"a line runs through {strange[0].path}"
    makers = {i: item for item in boxes for i in item.nodes}
    # What is handed across a U leaves at the side of the block.
    is_u = shape_of(made, made.items, wires(made)[None]) is not None
    for value, taker in made.links():
        if makers[value] is not makers[taker]:
            start = [boxes[makers[value]]]
            start += [borders[g] for g in outer[makers[value]]] if is_u else []
            reached = _reached(drawn[value], start)
            assert any(touches(s, boxes[makers[taker]]) for s in reached), (
                f"no line from {made.graph.nodes[value].path} to {made.graph.nodes[taker].path}"
            )


def _reached(lines: list[Rectangle], start: list[Rectangle]) -> list[Rectangle]:
    """What hangs together with a box."""
    left, found = list(lines), list[Rectangle]()
    waiting = list(start)
    while waiting:
        at = waiting.pop()
        near = [s for s in left if touches(s, at)]
        left = [s for s in left if not touches(s, at)]
        waiting += near
        found += near
    return found


def test_tips_are_at_boxes() -> None:
    for name in ("googlenet", "unet", "resnet18", "retinanet"):
        _, scene = placed(name, 1, True)
        for line in scene.lines:
            x, y = line.points[-1]
            ends = [r for r in cards(scene).values() if touches(r, (x, y, x, y))]
            assert bool(ends) == line.has_tip


def _said(made: Plan, item: Item) -> str:
    return made.graph.nodes[item.nodes.start].path


# ── what is shown ──────────────────────────────────────────────────────────────────────────────


def paths(svg: str) -> set[str]:
    root = ElementTree.fromstring(svg)
    return {
        path
        for element in root.iter()
        for path in f"{element.get('data-path', '')} {element.get('data-also', '')}".split()
    }


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "googlenet", "efficientnet_b0", "unet"])
@pytest.mark.parametrize("repeats", [True, False])
def test_unfolded_each_layer_is_there(name: str, repeats: bool) -> None:
    graph = spec(name)
    found = paths(graph_figure(graph, depth=UNFOLDED, repeats=repeats).svg())
    assert {n.path for n in graph.nodes} <= found


@pytest.mark.parametrize("name", names())
def test_boxes_stand_for_every_layer_once(name: str) -> None:
    graph = spec(name)
    for depth in (0, UNFOLDED):
        made = plan(graph, depth)
        shown = [i for i in walk(made.items) if isinstance(i, Box) or not i.items]
        stood_for = [n for item in shown for r in (item.nodes, *item.also) for n in r]
        assert sorted(stood_for) == list(range(len(graph.nodes)))


@pytest.mark.parametrize("name", UNLIKE)
def test_letters_keep_to_their_boxes(name: str) -> None:
    for depth in (None, 1):
        svg = graph_figure(spec(name), depth=depth).svg()
        assert not outside(svg)
        assert not overlaps(svg)
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
            if group.get("class") == "layer":
                border = group.findall(f"{SVG}rect")[-1]
                x, y, w, h = (float(border.attrib[k]) for k in ("x", "y", "width", "height"))
                for box in _texts_in(group):
                    inside = holds((x, y, x + w, y + h), box)
                    assert inside, f"{group.get('data-path')}: {box}"


def _texts_in(group: ElementTree.Element) -> list[Rectangle]:
    alone = ElementTree.Element(f"{SVG}svg")
    alone.append(group)
    found = texts(ElementTree.tostring(alone, encoding="unicode"))
    return [(b.left, b.top, b.right, b.bottom) for b in found]


@pytest.mark.parametrize(
    "name",
    [
        *("lenet5", "alexnet", "vgg16", "googlenet", "resnet18", "resnet50", "densenet121"),
        *("unet", "efficientnet_b0", "cnn1d", "convnext_tiny", "mobilenet_v2", "shufflenet_v2"),
    ],
)
def test_without_a_depth_it_can_be_read_on_a_slide(name: str) -> None:
    made = readable(spec(name), None)
    assert scale(scene_of(made)) >= 1
    sizes = {b.size for b in texts(graph_figure(spec(name)).svg())}
    assert min(sizes) >= 11


def shown(made: Plan) -> list[tuple[str, int]]:
    """Title and count of each item that stands in no other."""
    return [
        (i.path if isinstance(i, Group) else made.graph.nodes[i.nodes[0]].path, i.times)
        for i in made.items
    ]


def test_what_is_repeated_stands_there_once_with_a_count() -> None:
    assert shown(plan(spec("resnet50"), 0))[3:11] == [
        ("bottleneck64", 1),
        ("bottleneck64_2", 2),
        ("bottleneck128", 1),
        ("bottleneck128_2", 3),
        ("bottleneck256", 1),
        ("bottleneck256_2", 5),
        ("bottleneck512", 1),
        ("bottleneck512_2", 2),
    ]
    assert [times for _, times in shown(plan(spec("densenet121"), 0))[3:10]] == [
        *(6, 1, 12, 1, 24, 1, 16),
    ]


def test_growth_is_told_from_where_to_where() -> None:
    svg = graph_figure(spec("densenet121"), depth=0).svg()
    assert "96…256x56x56" in svg
    assert "× 6" in svg


@pytest.mark.parametrize(
    "body",
    [
        # other settings, other shapes, other sizes of weights
        "conv 8 3x3 pad=1 -> relu -> conv 8 5x5 pad=2 -> relu",
        "conv 8 3x3 -> relu -> conv 8 3x3 -> relu",
        "conv 8 3x3 pad=1 -> relu -> conv 9 3x3 pad=1 -> relu",
        # the value between them is taken elsewhere too
        "conv 4 3x3 pad=1 as a -> conv 4 3x3 pad=1 as b -> add { | in | a }",
        # side by side, not one after the other
        "add { | conv 4 3x3 pad=1 | conv 4 3x3 pad=1 }",
        # one is frozen
        "conv 4 3x3 pad=1 -> conv 4 3x3 pad=1 frozen=yes",
        # one is an output
        "conv 4 3x3 pad=1\n head early { relu }\n conv 4 3x3 pad=1",
    ],
)
def test_what_differs_is_not_taken_together(body: str) -> None:
    made = plan(build(f"network N {{ input 4x16x16\n {body} }}"), 0)
    assert all(item.times == 1 for item in walk(made.items))


def test_stretches_that_are_wired_to_the_one_before_are_alike() -> None:
    text = "network N { input 4x8x8\n repeat 5 { add { | in | conv 4 3x3 pad=1 -> bn } -> relu } }"
    made = plan(build(text), 0)
    assert [(len(i.nodes), i.times) for i in made.items] == [(1, 1), (4, 5)]
    assert len(links(made)) == 3


def test_shared_weights_are_marked() -> None:
    svg = graph_figure(spec("siamese"), depth=0).svg()
    root = ElementTree.fromstring(svg)
    dashed = [
        g.get("data-path")
        for g in root.iter(f"{SVG}g")
        if any(r.get("stroke-dasharray") for r in g.findall(f"{SVG}rect"))
    ]
    assert dashed == ["b"]
    assert "of a" in {t.text for t in texts(svg)}


def test_the_u_is_visible() -> None:
    made, scene = placed("unet", 0, True)
    middle = {_said(made, i).split(".")[0]: (r[0] + r[2], r[1]) for i, r in cards(scene).items()}
    down, bottom, up = middle["e1"], middle["double128"], middle["double32"]
    assert down[0] < bottom[0] < up[0]
    assert bottom[1] > max(down[1], up[1])
    level = [line.points for line in scene.lines if line.points[0][1] == line.points[-1][1]]
    assert len(level) == 2


def test_ids_are_safe_and_given_once() -> None:
    svg = graph_figure(spec("retinanet"), depth=UNFOLDED).svg()
    ids = re.findall(r' id="(layer-[^"]*)"', svg)
    assert len(ids) == len(set(ids)) > 70
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", i) for i in ids)


def test_labels_that_slug_alike_keep_ids_apart() -> None:
    text = """\
    block a { conv 4 3x3 pad=1 as b -> relu -> relu }
    network N { input 4x8x8
      a as x -> conv 4 1x1 as x_b -> a as y }
    """
    svg = graph_figure(build(text), depth=UNFOLDED).svg()
    ids = re.findall(r' id="(layer-[^"]*)"', svg)
    assert len(ids) == len(set(ids))


# ── as text ────────────────────────────────────────────────────────────────────────────────────


def test_lenet5_as_a_graph(golden: Golden) -> None:
    golden("graph_lenet5.svg", _lines(graph_figure(spec("lenet5")).svg()))


def test_an_inception_block_as_a_graph(golden: Golden) -> None:
    golden("graph_inception.svg", _lines(graph_figure(build(INCEPTION), depth=1).svg()))


def _lines(svg: str) -> str:
    """One element a line, to be read in a difference."""
    return svg.replace("><", ">\n<") + "\n"


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "import cnnspec; from cnnspec.draw.graph import graph_figure as f\n"
        "from cnnspec.draw.mermaid import mermaid; from cnnspec.draw.dot import dot\n"
        "g = cnnspec.load('googlenet').graph\n"
        "print(f(g, depth=1).svg(), mermaid(g, 1), dot(g, 1))"
    )
    assert len(by_hash_seed("-c", program)) == 1


def test_a_title_and_a_description_say_what_it_is() -> None:
    figure = graph_figure(spec("resnet50"), depth=0)
    assert figure.title == "ResNet as a graph"
    assert "25,557,032 parameters" in figure.description
    assert "8 blocks are folded" in figure.description


def test_a_theme_is_kept_to() -> None:
    dark = graph_figure(spec("lenet5"), theme="dark").svg()
    assert "prefers-color-scheme" not in dark
    assert "#14181d" in dark
    assert "prefers-color-scheme" in graph_figure(spec("lenet5")).svg()


def test_too_much_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnspec.draw.fold.MOST_BOXES", 6)
    with pytest.raises(ValueError, match=r"^8 boxes are too many .* holds 6$"):
        graph_figure(spec("lenet5"), depth=0)
    with pytest.raises(ValueError, match=r"holds 6; a smaller depth folds more$"):
        graph_figure(spec("lenet5"), depth=1)


def test_two_thousand_layers_in_a_row_are_one_box() -> None:
    made = plan(build("network N { input 4x8x8\n repeat 2000 { conv 4 1x1 -> relu } }"), 0)
    assert [i.times for i in made.items] == [1, 2000]


def test_a_long_call_is_cut_to_its_box() -> None:
    width = "1" * 9
    text = f"network N {{ input 3x8x8\n conv 4 3x3 pad=({width[:2]}, 12, 13, 14) stride=2x3 dilation=1x2 groups=1 bias=yes as {'l' * 80} }}"  # noqa: E501
    svg = graph_figure(build(text)).svg()
    assert not overlaps(svg)
    assert not outside(svg)
    assert "l…" in svg


def test_cards_have_a_family() -> None:
    from cnnspec.draw.graph_words import card

    made = plan(spec("densenet121"), UNFOLDED)
    families = {card(made, i).role for i in walk(made.items) if isinstance(i, Box)}
    assert families == {"input", "conv", "pool", "merge", "dense"}
    assert isinstance(card(made, made.items[0]), Card)
