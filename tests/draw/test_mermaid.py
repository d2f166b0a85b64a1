"""Are a network's texts for Mermaid and Graphviz right, and safe whatever names are in them?"""

import re
import shutil
import subprocess
from html import unescape

import pytest

from cnnspec.draw.dot import dot
from cnnspec.draw.fold import Box, Group, walk
from cnnspec.draw.graph import graph_figure, readable
from cnnspec.draw.graph_links import links
from cnnspec.draw.mermaid import mermaid
from cnnspec.model.graph import Graph
from cnnspec.text.excerpt import safe
from cnnspec.zoo import names
from conftest import Golden
from draw.boxes import outside, overlaps
from draw.test_graph import INCEPTION, spec
from nets import build

HOSTILE = [
    "<script>alert(1)</script>",
    "a\"b'c`d",
    "end",
    "%%{init: {'theme': 'dark'}}%%",
    "click n1 call alert()",
    "line\nbreak\r\ttab",
    "]]> -->",
    "back\\slash\\",
    "\\N \\G &quot; &amp; #quot; #35;",
    "[x](y){z}|w|;",
    "\u202eright to left",
    "日本語 ñ é",
    "",
]

# One line of what is written, as Mermaid's grammar has it: letters in quotes have no quote, no `<`
# but that of a line's end, and `#` only before the number of a letter.
TEXT = r'"(?:[^"<>&`%\\\[\]{}()|;#]|#\d+;|<br/>)*"'
MERMAID = [
    r"---",
    r"title: .*",
    r"flowchart TB",
    rf" +n\d+\[{TEXT}\]",
    rf" +subgraph g\d+\[{TEXT}\]",
    r" +end",
    r"  n\d+ --> n\d+",
    r"  classDef [a-z]+ fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#[0-9a-f]{6}",
    r"  class n\d+(,n\d+)* [a-z]+",
]

STRING = r'"(?:[^"\\\n]|\\.)*"'
DOT = [
    rf"digraph {STRING} \{{",
    rf"  (rankdir|label|labelloc)=(\w+|{STRING})",
    rf"  (node|edge) \[(\w+=(\w+|[\d.]+|{STRING}) ?)+\]",
    rf' +n\d+ \[label={STRING} fillcolor="#[0-9a-f]{{6}}" tooltip={STRING}\]',
    r" +subgraph cluster_g\d+ \{",
    rf" +label={STRING}",
    r' +style=rounded color="#[0-9a-f]{6}"',
    r" *\}",
    r"  n\d+ -> n\d+",
]


def renamed(name: str) -> Graph:
    """A network in which everything is called so."""
    graph = build(INCEPTION)
    graph.name = name
    for node in graph.nodes:
        parts = node.path.split(".")
        node.path = ".".join([*parts[:-1], name.replace(".", "") + parts[-1]])
    return graph


def strange(text: str, known: list[str]) -> list[str]:
    return [
        line
        for line in text.removesuffix("\n").split("\n")
        if not any(re.fullmatch(pattern, line) for pattern in known)
    ]


@pytest.mark.parametrize("name", names())
def test_every_line_is_of_a_known_form(name: str) -> None:
    for depth in (0, 1):
        assert strange(mermaid(spec(name), depth), MERMAID) == []
        assert strange(dot(spec(name), depth), DOT) == []


@pytest.mark.parametrize("name", ["googlenet", "retinanet", "densenet121"])
@pytest.mark.parametrize("depth", [None, 0, 1])
def test_both_have_the_boxes_frames_and_lines_of_the_figure(name: str, depth: int | None) -> None:
    made = readable(spec(name), depth)
    items = list(walk(made.items))
    frames = [i for i in items if isinstance(i, Group) and i.items]
    boxes = [i for i in items if isinstance(i, Box) or not i.items]
    diagram, graph = mermaid(spec(name), depth), dot(spec(name), depth)
    assert len(re.findall(r"^ +n\d+\[", diagram, re.M)) == len(boxes)
    assert len(re.findall(r"^ +n\d+ \[", graph, re.M)) == len(boxes)
    assert len(re.findall(r"^ +subgraph", diagram, re.M)) == len(frames)
    assert len(re.findall(r"^ +subgraph", graph, re.M)) == len(frames)
    assert diagram.count(" --> ") == graph.count(" -> ") == len(links(made))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_become_anything_else(name: str) -> None:
    graph = renamed(name)
    assert strange(mermaid(graph, 1), MERMAID) == []
    assert strange(dot(graph, 1), DOT) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_a_figure_are_only_text(name: str) -> None:
    svg = graph_figure(renamed(name), depth=1).svg()
    assert not re.search(r"<(?!/?(svg|title|desc|style|g|rect|path|text)[ >/])", svg)
    assert not overlaps(svg)
    assert not outside(svg)
    assert "\u202e" not in svg
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", i) for i in re.findall(r' id="([^"]*)"', svg))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_label_says_what_the_name_is(name: str) -> None:
    graph = build("block b { conv 4 3x3 -> relu }\nnetwork N { input 1x8x8\n b as x -> b as y }")
    for node in graph.nodes[1:]:
        node.path = f"{safe(name).replace('.', '')}_{node.path}"
    label = re.search(r'subgraph g\d+\["([^"]*)"\]', mermaid(graph, 1))
    assert label is not None
    said = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), label[1])
    assert said.startswith(safe(name).replace(".", "")[:20])


def test_mermaid_of_an_inception_block(golden: Golden) -> None:
    golden("inception.mmd", mermaid(build(INCEPTION), 1))


def test_dot_of_an_inception_block(golden: Golden) -> None:
    golden("inception.dot", dot(build(INCEPTION), 1))


def _graphviz() -> str:
    found = shutil.which("dot")
    if found is None:
        pytest.skip("Graphviz' dot is not on this machine")
    return found


@pytest.mark.parametrize("name", ["googlenet", "retinanet", *HOSTILE])
def test_graphviz_reads_it(name: str) -> None:
    program = _graphviz()
    graph = renamed(name) if name in HOSTILE else spec(name)
    done = subprocess.run(
        [program, "-Tplain"], input=dot(graph, 1), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    drawn = [line for line in done.stdout.splitlines() if line.startswith("node ")]
    assert len(drawn) == len([i for i in walk(readable(graph, 1).items) if _is_drawn(i)])


def _is_drawn(item: Box | Group) -> bool:
    return isinstance(item, Box) or not item.items


def test_graphviz_shows_a_name_as_it_is() -> None:
    program = _graphviz()
    graph = build("network N { input 1x8x8\n conv 4 3x3 }")
    graph.name = 'a "b" \\N &lt; <i>'
    svg = subprocess.run(
        [program, "-Tsvg"], input=dot(graph), capture_output=True, text=True, check=True
    ).stdout
    assert graph.name in unescape(svg).replace("\xa0", " ")
