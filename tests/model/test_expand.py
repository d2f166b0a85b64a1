"""Is the flat spec the same network?"""

from pathlib import Path

import pytest

from cnnspec import zoo
from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph
from cnnspec.model.measure import measure
from cnnspec.syntax.format import format_file
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from nets import build, build_file

SPECS = sorted(p.stem for p in (Path(__file__).parents[2] / "specs").glob("*.cnn"))


def facts(graph: Graph) -> list[object]:
    """All that a layer is, but for where it stands."""
    return [
        (node.path, node.layer.text(), node.shape, node.inputs, node.owner, node.frozen)
        for node in graph.nodes
    ]


def outputs(graph: Graph) -> list[tuple[str, int]]:
    return [(output.name, output.node) for output in graph.outputs]


def flat(graph: Graph) -> Graph:
    sink = Sink()
    again = check(Source("flat.cnn", expand(graph)), {}, sink, zoo.read)
    assert not sink.failed, [d.message for d in sink.diagnostics]
    assert again is not None
    return again


@pytest.mark.parametrize("name", SPECS)
def test_the_zoo(name: str) -> None:
    graph = build_file(f"specs/{name}.cnn")
    again = flat(graph)
    assert facts(again) == facts(graph)
    assert outputs(again) == outputs(graph)
    assert measure(again) == measure(graph)
    assert expand(again) == expand(graph)


@pytest.mark.parametrize(
    "body",
    [
        "input 8 as left\ninput 4 as right\nconcat { | left | right }\nfc 2",
        "input 4\nfc 4 as a\nfc 4 weights=a",
        "input 8\nfc 4 frozen=yes\nhead x { fc 2 }\nhead y { fc 3 }",
        "input 8\nhead x { head y { fc 3 }\nfc 2 }\nfc 5",
        "input 3x8x8 as x\nadd { | conv 3 3x3 pad=same | | relu } as sum\n"
        "x -> relu\nconcat { | sum | }",
        "input 1x8x8 scale=1/255\nconv 4 (1, 3) pad=(0, 1) -> leaky 0.1",
    ],
)
def test_corners(body: str) -> None:
    graph = build(f"network {{\n{body}\n}}\n")
    again = flat(graph)
    assert facts(again) == facts(graph)
    assert outputs(again) == outputs(graph)


def test_weights_of_a_block_are_shared_in_the_flat_spec() -> None:
    text = """\
    block tower(n) { fc n -> relu -> fc n }
    network {
      input 8 as left
      input 8 as right
      let n = 8
      left -> tower n as a
      right -> tower n weights=a as b
      concat { | a | b }
    }
    """
    graph = build(text)
    inner = [n for n in graph.nodes if n.path.startswith("b.")]
    assert [n.owner for n in inner if n.facts and n.facts.weights] == ["a.fc8", "a.fc8_2"]
    assert facts(flat(graph)) == facts(graph)
    assert measure(graph).params == 2 * (8 * 8 + 8)


def test_the_flat_spec_is_canonical() -> None:
    text = expand(build_file("specs/lenet5.cnn"))
    assert format_file(parse(Source("flat.cnn", text), Sink())) == text
