"""Is what `--style volumes` draws the network, and can it be read?"""

from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from calls import by_hash_seed
from cnnspec import load, zoo
from cnnspec.draw.network import draw
from cnnspec.draw.theme import COLOURS, Theme
from cnnspec.draw.volume_place import Place, place, rows
from cnnspec.draw.volume_shapes import Rect, Scale, glyph, solid
from cnnspec.draw.volume_stages import Stage, deepest, stages
from cnnspec.draw.volume_window import window
from cnnspec.draw.volume_words import Captions, shapes, short, title
from cnnspec.draw.volumes import HEIGHT, LIMIT, WIDTH, planned
from cnnspec.model.graph import Graph
from cnnspec.model.measure import measure
from conftest import Golden
from draw.boxes import outside, overlaps, smallest
from emit.generator import program
from nets import ROOT, build, build_file

SVG = "{http://www.w3.org/2000/svg}"

ON_A_SLIDE = (
    *("lenet5", "lenet5_1998", "alexnet", "vgg16", "googlenet", "resnet18", "resnet50"),
    *("densenet121", "unet", "efficientnet_b0", "cnn1d", "conv3d", "mlp", "neocognitron"),
    "siamese",
)

UNFOLDED = (
    *("googlenet", "resnet18", "squeezenet1_1", "neocognitron", "retinanet", "siamese"),
    *("unet", "shufflenet_v2", "efficientnet_b0"),
)

RESIDUAL = """
    network Residual {
      input 3x32x32
      conv 16 3x3 pad=1 bias=no -> bn -> relu
      add {
        | in
        | conv 16 3x3 pad=1 bias=no -> bn -> relu -> conv 16 3x3 pad=1 bias=no -> bn
      }
      relu
      concat {
        | conv 8 1x1
        | conv 4 1x1 -> conv 8 3x3 pad=1
        | maxpool 3x3 stride=1 pad=1
      }
      mul { | in | avgpool global -> conv 32 1x1 -> sigmoid }
      avgpool global -> flatten -> fc 10
    }
    """


@cache
def spec(name: str) -> Graph:
    return build_file(f"specs/{name}.cnn")


def drawn(graph: Graph, depth: int | None = None, theme: Theme = "auto") -> str:
    return draw(graph, "volumes", theme, depth).svg()


def placed(graph: Graph, depth: int) -> tuple[list[Stage], Place]:
    found = stages(graph, depth)
    end = graph.main.node
    main = next(k for k, s in enumerate(found) if any(n.index == end for n in s.nodes))
    return found, place(found, main)


# ── what is drawn ──────────────────────────────────────────────────────────────────────────────


def test_golden_figure(golden: Golden) -> None:
    golden("lenet5.volumes.svg", _by_line(drawn(spec("lenet5"))))


def test_golden_branches(golden: Golden) -> None:
    golden("residual.volumes.svg", _by_line(drawn(build(RESIDUAL))))


@pytest.mark.parametrize("name", ["lenet5", "unet"])
def test_figures_of_the_docs(name: str, bless: bool) -> None:
    """`--bless` draws them."""
    path = ROOT / "docs" / "figures" / f"{name}.svg"
    now = f"{drawn(spec(name))}\n"
    if bless:
        path.write_text(now, encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == now


def _by_line(svg: str) -> str:
    return svg.replace("><", ">\n<") + "\n"


@pytest.mark.parametrize("name", zoo.names())
def test_every_layer_of_the_zoo_is_said_with_one_map(name: str) -> None:
    graph = spec(name)
    for depth in {0, deepest(graph)}:
        found = stages(graph, depth)
        said = sorted(n.index for s in found for n in s.nodes)
        assert said == list(range(len(graph.nodes)))
        assert all(s < k for k, stage in enumerate(found) for s in stage.sources)
        captions = Captions(graph)
        assert sum(map(captions.params, found)) == measure(graph).params


def test_what_goes_along_with_a_map() -> None:
    found = stages(build(RESIDUAL), 0)
    said = [(title(s), shapes(s), [n.layer.kind for n in s.after], s.sources) for s in found]
    assert said == [
        ("input", "3@32x32", [], ()),
        ("conv 16 3x3", "16@32x32", ["bn", "relu"], (0,)),
        ("conv 16 3x3", "16@32x32", ["bn", "relu"], (1,)),
        ("conv 16 3x3", "16@32x32", ["bn", "add", "relu"], (2, 1)),
        ("conv 8 1x1", "8@32x32", [], (3,)),
        ("conv 4 1x1", "4@32x32", [], (3,)),
        ("conv 8 3x3", "8@32x32", [], (5,)),
        ("maxpool 3x3", "16@32x32", [], (3,)),
        ("concat", "32@32x32", [], (4, 6, 7)),
        ("avgpool global", "32@1x1", [], (8,)),
        ("conv 32 1x1", "32@1x1", ["sigmoid"], (9,)),
        ("mul", "32@32x32", [], (8, 10)),
        ("avgpool global", "32", ["flatten"], (11,)),
        ("fc 10", "10", [], (12,)),
    ]


def test_a_skip_put_beside_a_map_is_said_there() -> None:
    found = stages(spec("unet"), 9)
    wide = [s for s in found if s.own_shape != s.shape]
    assert [(title(s), shapes(s), s.shape[0]) for s in wide] == [
        ("deconv 64 2x2", "64@64x64", 128),
        ("deconv 32 2x2", "32@128x128", 64),
    ]
    lines = [text for text, _ in Captions(spec("unet")).lines(wide[0], 200)]
    assert "+ concat to 128" in lines


def test_what_prepares_a_map_for_one_layer_is_said_with_that() -> None:
    # The concatenated maps go on as they are, too.
    found = stages(spec("densenet121"), 9)
    first = next(s for s in found if s.before)
    assert ([n.layer.kind for n in first.before], title(first)) == (["bn", "relu"], "conv 128 1x1")


def test_maps_that_are_alike_are_one_stage() -> None:
    found = {title(s): shapes(s) for s in stages(spec("vgg16"), 0)}
    assert found["conv 512 3x3 ×3"] == "512@14x14"
    found = {title(s): shapes(s) for s in stages(spec("densenet121"), 0)}
    assert found["dense ×24"] == "288→1024@14x14"
    counted = [title(s) for s in stages(spec("resnet50"), 0) if s.block]
    assert counted == ["bottleneck ×3", "bottleneck ×4", "bottleneck ×6", "bottleneck ×3"]


def test_what_has_a_label_is_called_by_it() -> None:
    said = [title(s) for s in stages(spec("lenet5_1998"), 0)]
    assert said == ["input", "C1", "S2", "C3", "S4", "C5", "F6", "output"]
    graph = spec("googlenet")
    lines = {title(s): Captions(graph).lines(s, 200) for s in stages(graph, 0)}
    assert [t for t, _ in lines["i3a"]] == [
        "i3a",
        "256@28x28",
        "inception",
        "6 conv, 1 concat",
        "164k params",
    ]


def test_heads_are_said() -> None:
    graph = spec("retinanet")
    p4 = next(s for s in stages(graph, 0) if title(s) == "p4")
    assert [t for t, _ in Captions(graph).lines(p4, 200)] == [
        "p4",
        "→ classes 720@32x32",
        "→ boxes 36@32x32",
        "detect",
        "10 conv",
        "weights of p3",
    ]
    graph = build_file("specs/googlenet.cnn", aux=True)
    found = {title(s): s for s in stages(graph, 0)}
    assert Captions(graph).lines(found["aux1"], 200)[:3] == [
        ("aux1", True),
        ("1000", False),
        ("auxiliary", False),
    ]
    two = build("network N { input 4 -> fc 8\nhead x { fc 2 }\nhead y { fc 3 } }")
    last = stages(two, 9)[-1]
    assert [t for t, _ in Captions(two).lines(last, 200)] == ["fc 3", "3", "→ y", "27 params"]


def test_shared_weights_are_said() -> None:
    graph = spec("siamese")
    folded = {title(s): s for s in stages(graph, 0)}
    assert ("weights of a", False) in Captions(graph).lines(folded["b"], 200)
    assert Captions(graph).params(folded["b"]) == 0


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (0, "0"),
        (9999, "9,999"),
        (61706, "61.7k"),
        (999499, "999k"),
        (999500, "1.00M"),
        (138357544, "138M"),
        (5 * 10**12, "5,000G"),
    ],
)
def test_short_numbers(n: int, shown: str) -> None:
    assert short(n) == shown


# ── where it stands ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted({*ON_A_SLIDE, *UNFOLDED}))
def test_every_map_has_a_place_of_its_own(name: str) -> None:
    graph = spec(name)
    found, where = placed(graph, deepest(graph))
    seats = list(zip(where.column, where.lane, strict=True))
    assert len(set(seats)) == len(seats)
    for edge in where.edges:
        a, b = where.column[edge.source], where.column[edge.target]
        assert a < b
        if edge.way == "lane":
            # Its way along the lane is free.
            taken = {c for c, lane in seats if lane == edge.lane}
            ends = {where.column[k] for k in (edge.source, edge.target)}
            assert not taken & set(range(a, b + 1)) - ends
    assert {(s, k) for k, stage in enumerate(found) for s in stage.sources} == {
        (e.source, e.target) for e in where.edges
    }


@pytest.mark.parametrize("name", [*ON_A_SLIDE, "retinanet", "shufflenet_v2"])
def test_no_map_lies_on_another(name: str) -> None:
    assert _overlapping(spec(name), None) == []


def _overlapping(graph: Graph, depth: int | None) -> list[tuple[Rect, Rect]]:
    made = planned(graph, depth).layout
    boxes = [Rect(s.x, s.top, s.glyph.width, s.glyph.bottom - s.glyph.top) for s in made.spots]
    return [
        (a, b)
        for a, b in combinations(boxes, 2)
        if not (a.right <= b.x or b.right <= a.x or a.bottom <= b.y or b.bottom <= a.y)
    ]


def test_the_u_of_a_u_net_is_to_be_seen() -> None:
    plan = planned(spec("unet"), None)
    ys = [s.y for s in plan.layout.spots]
    bottom = ys.index(max(ys))
    assert ys[: bottom + 1] == sorted(ys[: bottom + 1])
    assert ys[bottom:] == sorted(ys[bottom:], reverse=True)
    assert len(set(ys)) == 3
    assert len(plan.layout.bands) == 1
    assert [e.way for e in plan.layout.place.edges].count("arc") == 2


def test_the_two_twins_stand_below_each_other() -> None:
    found, where = placed(spec("siamese"), 9)
    left, right = (
        [(where.column[k], s.shape) for k, s in enumerate(found) if s.maker.path.startswith(twin)]
        for twin in ("a.", "b.")
    )
    assert left == right


def test_a_gate_does_not_lead_the_trunk_away() -> None:
    found, where = placed(build(RESIDUAL), 0)
    below = [title(s) for k, s in enumerate(found) if where.lane[k] > 0]
    assert below == ["conv 8 1x1", "conv 4 1x1", "conv 8 3x3", "avgpool global", "conv 32 1x1"]


def test_rows_are_few_and_cut_where_little_crosses() -> None:
    assert rows([100.0] * 6, [0] * 6, 600) == [range(6)]
    assert rows([100.0] * 6, [0] * 6, 599) == [range(3), range(3, 6)]
    assert rows([100.0] * 6, [0, 0, 5, 0, 0, 0], 599) == [range(2), range(2, 6)]
    # What is wider than the room has a row of its own.
    assert rows([100.0, 900.0], [0, 0], 500) == [range(1), range(1, 2)]


# ── how it looks ───────────────────────────────────────────────────────────────────────────────


def test_sides_are_to_scale_where_all_can_be_seen() -> None:
    plain = Scale([(1, 28, 28), (16, 7, 14)], 140)
    assert [plain.side(n) for n in (28, 14, 7)] == [140, 70, 35]
    rooted = Scale([(3, 224, 224), (512, 7, 7)], 160)
    assert rooted.side(56) == 80
    assert "square root" in rooted.words


@pytest.mark.parametrize(
    ("shape", "planes", "cells"),
    [((1, 8, 8), 0, 1), ((6, 8, 8), 5, 1), ((10,), 0, 10), ((500,), 0, 1), ((4, 1, 1), 0, 4)],
)
def test_few_maps_and_numbers_are_drawn_one_by_one(
    shape: tuple[int, ...], planes: int, cells: int
) -> None:
    found = solid(shape, Scale([(1, 8, 8)], 190))
    assert (len(found.planes), found.cells) == (planes, cells)


def test_boxes_strips_and_planes() -> None:
    scale = Scale([(1, 32)], 120)
    strip, plane, box = (solid(s, scale) for s in ((2, 32), (2, 32, 16), (2, 32, 32, 32)))
    assert (strip.front.w, strip.front.h) == (120, 13)
    assert plane.front.h > plane.front.w
    assert box.back > (0, 0)
    assert not plane.back[0]


def test_of_a_run_three_are_drawn() -> None:
    run = [(n, 8, 8) for n in range(10, 20)]
    assert len(glyph(run, Scale(run, 100), framed=False).solids) == 3
    assert len(glyph(run[:2], Scale(run, 100), framed=False).solids) == 2


def test_windows_are_to_scale() -> None:
    graph = spec("lenet5")
    found = [window(graph, s) for s in stages(graph, 0)]
    first, second = found[1], found[2]
    assert first is not None
    assert second is not None
    assert (first.words, first.across) == ("5x5", 5 / 28)
    assert (second.words, second.down) == ("2x2", 2 / 28)
    assert found[0] is None
    assert found[5] is None
    grows = window(spec("unet"), next(s for s in stages(spec("unet"), 9) if "deconv" in title(s)))
    assert grows is not None
    assert grows.grows
    assert grows.across == 1 / 32


# ── can it be read? ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", zoo.names())
def test_letters_of_the_zoo_keep_apart(name: str) -> None:
    svg = drawn(spec(name))
    assert overlaps(svg) == []
    assert outside(svg) == []


@pytest.mark.parametrize("name", UNFOLDED)
def test_letters_keep_apart_unfolded(name: str) -> None:
    svg = drawn(spec(name), 9)
    assert overlaps(svg) == []
    assert outside(svg) == []


@pytest.mark.parametrize("name", ON_A_SLIDE)
def test_it_is_legible_on_a_slide(name: str) -> None:
    figure = draw(spec(name))
    assert figure.width <= WIDTH
    assert figure.height <= HEIGHT
    assert smallest(figure.svg()) * 1280 / WIDTH >= 11


@pytest.mark.parametrize(
    "text",
    [
        "network One { input 8 }",
        "network Tiny { input 8 -> relu }",
        "network Long { input 1x100000 -> conv 4 9 stride=4 -> maxpool 4 }",
        "network Wide { input 3x4x500 -> conv 8 3x3 -> avgpool global -> flatten -> fc 1 }",
        "network Deep { input 1x8x8x8 -> conv 300 3x3x3 -> avgpool 2x2x2 -> deconv 2 2x2x2 }",
        "network Five { input 24x5 -> reshape 2x3x4x5 -> flatten -> fc 3 }",
        "network Twice { input 8 as a\ninput 8 as b\nadd { | a | b } -> fc 2 }",
        "network Heads { input 4x9x9\nhead x { conv 1 3x3 }\nhead y { conv 2 3x3 -> relu } }",
        "network Skips { input 4x9x9\nadd { | in | in -> conv 4 3x3 pad=1 } }",
    ],
)
def test_odd_networks(text: str) -> None:
    svg = drawn(build(text))
    ElementTree.fromstring(svg)
    assert overlaps(svg) == []
    assert outside(svg) == []


@pytest.mark.parametrize("seed", range(25))
def test_networks_of_any_kind(seed: int) -> None:
    graph = build(program(seed))
    for depth in (None, 9):
        svg = drawn(graph, depth)
        assert overlaps(svg) == []
        assert outside(svg) == []
        assert _overlapping(graph, depth) == []


def test_more_than_a_figure_holds() -> None:
    many = build(f"network Many {{ input 8\nrepeat {LIMIT} {{ fc 4 -> fc 8 }} }}")
    with pytest.raises(ValueError, match=r"^4,001 maps are too many for a figure, which holds"):
        draw(many)


# ── for everyone ───────────────────────────────────────────────────────────────────────────────


def test_it_says_what_it_shows() -> None:
    root = ElementTree.fromstring(drawn(spec("resnet50")))
    names, description = root[0], root[1].text or ""
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == f"{names.attrib['id']} {root[1].attrib['id']}"
    assert names.text == "The maps of ResNet"
    assert description.startswith("The network ResNet: 25,557,032 parameters · ")
    assert "bottleneck ×6 (1024@14x14)" in description
    assert "Folded at depth 0: 16 blocks with 168 layers" in description
    tips = [e.text or "" for e in root.iter(f"{SVG}title")][1:]
    assert any(tip.startswith("conv64_7x7 · conv 64 7x7 stride=2 pad=3 bias=no") for tip in tips)
    assert "9,408 parameters" not in (root[1].text or "")


def test_a_figure_shows_and_saves_itself(tmp_path: Path) -> None:
    figure = load("lenet5").draw(theme="light", depth=0)
    figure.save(tmp_path / "net.svg")
    assert (tmp_path / "net.svg").read_text(encoding="utf-8") == figure._repr_svg_()
    assert figure._repr_svg_() == drawn(spec("lenet5"), 0, "light")
    with pytest.raises(FileNotFoundError):
        figure.save(tmp_path / "no" / "net.svg")


def test_themes() -> None:
    graph = spec("mlp")
    assert "prefers-color-scheme:dark" in drawn(graph)
    for theme, k in (("light", 0), ("dark", 1)):
        svg = drawn(graph, theme=theme)  # pyright: ignore[reportArgumentType]
        assert "prefers-color-scheme" not in svg
        assert f'fill="{COLOURS["paper"][k]}"' in svg
        assert f'fill="{COLOURS["ink"][k]}"' in svg


HOSTILE = "<script>alert(1)</script>\"']]>\n\u202e&amp;" + "x" * 300


def test_names_are_text() -> None:
    graph = build("network N { input 1x8x8 -> conv 2 3x3 as c -> flatten -> fc 2 }")
    graph.name = HOSTILE
    graph.nodes[1].path = HOSTILE
    svg = drawn(graph)
    root = ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "\u202e" not in svg
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        *("svg", "title", "desc", "style", "g", "rect", "path", "polygon", "circle", "text"),
    }
    assert overlaps(svg) == []
    assert outside(svg) == []


def test_the_same_bytes_in_every_process() -> None:
    code = "import cnnspec; print(cnnspec.load('unet').draw()._repr_svg_())"
    assert len(by_hash_seed("-c", code)) == 1
