"""Are the small figures of a network's page legible, true and always the same?"""

import re
from functools import cache
from xml.etree import ElementTree

import pytest
from boxes import SVG, outside, overlaps, smallest, texts

from calls import by_hash_seed
from cnnspec import zoo
from cnnspec.api import load, loads
from cnnspec.draw.bars import Part, shares
from cnnspec.draw.steps import Course, Peg, Words, steps
from cnnspec.draw.svg import Figure
from cnnspec.draw.windows import windows
from cnnspec.pages.costs import costs, sights
from cnnspec.report.facts import facts
from conftest import Golden

ROWS = {path: f"row-{path}" for path in ("conv6_5x5", "fc120")}


@cache
def figures(name: str) -> list[Figure]:
    graph = load(name).graph
    report = facts(graph)
    return [*costs(graph, report, ROWS), *sights(report)]


@pytest.mark.parametrize("name", zoo.names())
def test_letters_can_be_read(name: str) -> None:
    for figure in figures(name):
        svg = figure.svg()
        assert overlaps(svg) == [], figure.title
        assert outside(svg) == [], figure.title
        assert smallest(svg) >= 11, figure.title


@pytest.mark.parametrize("name", zoo.names())
def test_the_peak_of_memory_is_named(name: str) -> None:
    peak = facts(load(name).graph).totals.inference.peak
    (memory,) = [f for f in figures(name) if f.title.startswith("Memory while it runs")]
    assert any(t.text.endswith(f" at {peak}") for t in texts(memory.svg()))


def test_the_figures_of_lenet5(golden: Golden) -> None:
    for figure, name in zip(
        figures("lenet5"), ("kinds", "memory", "layers", "windows", "growth"), strict=True
    ):
        text = figure.svg().replace("><", ">\n<")
        golden(f"lenet5.{name}.svg", f"{text}\n")


def test_every_figure_says_what_it_shows() -> None:
    for figure in figures("resnet18"):
        root = ElementTree.fromstring(figure.svg())
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title is not None
        assert title.text
        assert description is not None
        assert description.text
        assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"


def test_many_blocks_are_put_together() -> None:
    names = [t.text for t in texts(figures("densenet201")[2].svg())]
    assert {"dense × 6", "transition", "dense_7 × 12", "dense_19 × 48", "fc1000"} <= set(names)
    text = "\n".join(f"conv {n} 1x1 -> bn" for n in range(2, 40))
    graph = loads(f"network N {{ input 1x8x8\n {text}\n }}").graph
    bars = costs(graph, facts(graph), {})[2]
    assert "52 others" in [t.text for t in texts(bars.svg())]


def test_shares_are_to_scale() -> None:
    found = shares([Part("a", 0.75, 0.2), Part("b", 0.25, 0.8), Part("c", 0.0, 0.0001)], "of all")
    root = ElementTree.fromstring(found.svg())
    bars = [float(r.attrib["width"]) for r in root.iter(f"{SVG}rect") if r.get("height") == "9"]
    # Two of them are in the legend; what is not there has no bar, what is there is seen.
    longest = max(bars)
    assert [round(b / longest, 2) for b in bars[2:6]] == [0.94, 0.25, 0.31, 1.0]
    assert bars[6:] == [1]
    assert [t.text for t in texts(found.svg())][-2:] == ["c", "<0.1%"]


def test_a_window_is_where_the_middle_looks() -> None:
    # One pixel in the middle of 4x4, numbers 2 and 2, sees 3x3 from 1: 1 to 4 of 6.
    graph = loads("network N { input 1x6x6 -> conv 1 3x3 }").graph
    figure = windows(facts(graph))
    assert figure is not None
    root = ElementTree.fromstring(figure.svg())
    inner, outer = [
        [float(r.attrib[k]) for k in ("x", "y", "width", "height")]
        for r in sorted(root.iter(f"{SVG}rect"), key=lambda r: float(r.attrib["width"]))
    ]
    pixel = outer[2] / 6
    assert [round((a - b) / pixel, 2) for a, b in zip(inner[:2], outer[:2], strict=True)] == [2, 2]
    assert [round(n / pixel, 2) for n in inner[2:]] == [3, 3]


def test_what_lies_in_the_padding_is_told() -> None:
    graph = loads("network N { input 1x6x6 -> conv 1 11x11 pad=5 }").graph
    figure = windows(facts(graph))
    assert figure is not None
    assert "input 6x6 · what sticks out of it lies in the padding" in figure.svg()


def test_steps_are_where_their_amounts_are() -> None:
    words = Words("title", "what it shows", str, ["a", "b", "c"], level=(8, "eight"))
    drawn = steps([Course("one", [2, 4, 4], "curve0")], words, [Peg(1, 4, "four at b")])
    root = ElementTree.fromstring(drawn.svg())
    (path,) = [p.attrib["d"] for p in root.iter(f"{SVG}path")]
    # M x y H x L x y H x: up where the second layer begins, straight on over the third.
    left, two, first, second, four, right = map(float, re.findall(r"[\d.]+", path))
    assert path.count("H") == 2
    assert first == second
    assert round((right - left) / (first - left), 2) == 3
    base = next(
        float(r.attrib["y1"]) for r in root.iter(f"{SVG}line") if r.get("class") == "s-line"
    )
    assert round((base - four) / (base - two), 1) == 2
    assert [t.text for t in texts(drawn.svg())][-1] == "four at b"
    assert [t.text for t in root.iter(f"{SVG}title")][1:] == ["a", "b", "c"]


PROGRAM = """
import hashlib
from cnnspec.api import load
from cnnspec.report.facts import facts
from cnnspec.pages.network import network_page
graph = load("resnet18").graph
page = network_page(graph, facts(graph, explain=True))
print(hashlib.sha256(page.encode()).hexdigest())
"""


def test_a_page_has_the_same_bytes_in_every_process() -> None:
    assert len(by_hash_seed("-c", PROGRAM)) == 1
