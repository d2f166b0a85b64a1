"""Are the specs that come with cnnspec correct, canonical, short, and exactly counted?

Each number has a witness that is not this package: a paper, a sum on a page, or another library's
definition of the same network, layer by layer (`models/`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import takewhile
from typing import Any

import pytest

from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph, Node
from cnnspec.model.measure import measure
from cnnspec.model.receptive import fields
from cnnspec.model.tally import count, facts_of
from cnnspec.syntax import tree
from cnnspec.syntax.format import format_file
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.render import render_all
from cnnspec.text.source import Source
from nets import ROOT, build, read

ZOO = sorted(path.stem for path in (ROOT / "specs").glob("*.cnn"))
DESIGN = sorted(path.name for path in (ROOT / "tests/models/design").glob("*.cnn"))

FAMILIES = ("vgg", "resnet", "densenet", "efficientnet")
"""Files for several networks; what is expected of each is in a file of its own."""

MOST_LINES = {"googlenet": 40, "efficientnet": 50, "resnet": 45, "vgg": 30, "densenet": 35}

every_spec = pytest.mark.parametrize("spec", ZOO)


def load(name: str) -> Any:
    return json.loads((ROOT / "tests/models" / name).read_text(encoding="utf-8"))


COUNTS = load("counts.json")
TORCHVISION = load("torchvision.json")

OURS = {
    "googlenet": "googlenet_bn",
    "shufflenet_v2_x1_0": "shufflenet_v2",
}
"""Our names of torchvision's networks, where they differ."""


@cache
def graph(spec: str, **params: object) -> Graph:
    """The network of a file of the zoo, of which nothing at all is said."""
    sink = Sink()
    found = check(read(f"specs/{spec}.cnn"), params, sink, read)
    assert not sink.diagnostics, render_all(sink.ordered())
    assert found is not None
    return found


def test_the_zoo_is_complete() -> None:
    """What the documentation promises, and nothing that no test has looked at."""
    variants = {
        *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
        *(f"resnet{depth}" for depth in (18, 20, 34, 50, 101, 152)),
        *(f"densenet{depth}" for depth in (121, 169, 201)),
        *(f"efficientnet_b{b}" for b in range(8)),
    }
    single = """
        alexnet cifar10 cifar10_residual cnn1d conv3d convnext_tiny deepface denoiser fashion
        googlenet googlenet_bn lenet5 lenet5_1998 mlp mobilenet_v1 mobilenet_v2 neocognitron
        retinanet shufflenet_v2 siamese squeezenet1_1 super_resolution unet
    """
    assert set(ZOO) == variants | set(single.split()) | set(FAMILIES)


# ── the files ──────────────────────────────────────────────────────────────────────────────────


@every_spec
def test_nothing_is_said_of_it(spec: str) -> None:
    assert graph(spec).is_whole


@every_spec
def test_it_begins_with_a_title_and_a_reference(spec: str) -> None:
    lines = read(f"specs/{spec}.cnn").text.splitlines()
    title, reference, *_ = takewhile(lambda line: line.startswith("# "), lines)
    assert re.fullmatch(r"# \S.{1,50}", title), "the list of the zoo shows the title on one line"
    # Authors, year, title of the paper.
    assert re.match(r"# [A-Z].+ \((19|20)\d\d\): ", reference)


@every_spec
def test_it_is_canonical(spec: str) -> None:
    source = read(f"specs/{spec}.cnn")
    assert format_file(parse(source, Sink())) == source.text


@every_spec
def test_it_expects_its_counts(spec: str) -> None:
    names = set(re.findall(r"\w+", " ".join(claims(spec))))
    if spec not in FAMILIES:
        assert {"params", "macs" if spec != "lenet5_1998" else "connections"} <= names
    assert names


def claims(spec: str) -> Iterator[str]:
    return (line for line in read(f"specs/{spec}.cnn").text.splitlines() if "expect " in line)


@every_spec
def test_it_is_short(spec: str) -> None:
    text = read(f"specs/{spec}.cnn").text
    lines = text.partition("\ntrain {")[0].splitlines()
    if spec == "lenet5":
        assert len(lines) <= 15
    assert len(lines) <= MOST_LINES.get(spec, 50)
    if 'use "' in text and "network" not in text.partition("param")[2]:
        assert len(lines) <= 7, "a variant is a name, a reference and what is expected"


@pytest.mark.parametrize(
    "spec", ["lenet5", "cnn1d", "fashion", "cifar10", "cifar10_residual", "resnet20"]
)
def test_it_says_how_it_is_trained(spec: str) -> None:
    recipe = graph(spec).recipe
    assert recipe is not None
    assert all(recipe.word(s) for s in ("data", "loss", "optimizer", "epochs", "batch"))


# ── the networks ───────────────────────────────────────────────────────────────────────────────


@every_spec
def test_names_are_unique(spec: str) -> None:
    paths = [node.path for node in graph(spec).nodes]
    assert len(set(paths)) == len(paths)


SETTINGS: tuple[tuple[str, dict[str, object]], ...] = (
    *((spec, {}) for spec in ZOO),
    ("alexnet", {"original": True}),
    ("googlenet", {"aux": True}),
    ("resnet20", {"n": 18}),
)


@pytest.mark.parametrize(
    ("spec", "params"), SETTINGS, ids=[" ".join([spec, *params]) for spec, params in SETTINGS]
)
def test_the_flat_spec_is_the_same_network(spec: str, params: dict[str, object]) -> None:
    whole = graph(spec, **params)
    sink = Sink()
    flat = check(Source("flat.cnn", expand(whole)), {}, sink, read)
    assert flat is not None, render_all(sink.ordered())
    assert signature(flat) == signature(whole)
    assert outputs(flat) == outputs(whole)
    assert measure(flat) == measure(whole)


def outputs(of: Graph) -> list[tuple[str, int]]:
    return [(o.name, o.node) for o in of.outputs]


def signature(of: Graph) -> list[tuple[object, ...]]:
    return [(n.path, n.layer.text(), n.inputs, n.shape, n.owner, n.frozen) for n in of.nodes]


@pytest.mark.parametrize("spec", [s for s in ZOO if "param classes" in read(f"specs/{s}.cnn").text])
def test_the_number_of_classes_is_free(spec: str) -> None:
    """And what is expected of the network moves along with it."""
    sink, many = Sink(), graph(spec)
    few = check(read(f"specs/{spec}.cnn"), {"classes": 7}, sink, read)
    assert few is not None
    # The data that the recipe names keeps its own number.
    assert {d.code for d in sink.diagnostics} <= {"unfit-setting"}
    assert measure(few).params < measure(many).params


@pytest.mark.parametrize(
    ("spec", "params"),
    [
        ("resnet", {"depth": 42}),
        ("vgg", {"depth": 12}),
        ("densenet", {"depth": 264}),
        ("efficientnet", {"b": 8}),
    ],
)
def test_a_variant_that_no_paper_has_is_refused(spec: str, params: Mapping[str, object]) -> None:
    sink = Sink()
    assert check(read(f"specs/{spec}.cnn"), params, sink, read) is None
    assert len(sink.diagnostics) == 1


# ── the counts ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TORCHVISION)
def test_it_counts_as_torchvision_does(name: str) -> None:
    assert counted(graph(OURS.get(name, name)), TORCHVISION[name]) == TORCHVISION[name]


@pytest.mark.parametrize(
    "known", COUNTS["networks"], ids=lambda k: " ".join([k["spec"], *k.get("set", ())])
)
def test_it_counts_as_published(known: dict[str, Any]) -> None:
    found = counted(graph(known["spec"], **known.get("set", {})), known)
    assert found == {key: known[key] for key in found}


def counted(of: Graph, keys: Mapping[str, object]) -> dict[str, object]:
    """What is known of a network, as we count it."""
    whole = measure(of)
    running = sum(count(facts_of(n)).buffers for n in of.nodes if n.layer.kind == "bn")
    found = {
        "params": whole.params,
        "running": running,
        "macs": whole.macs,
        "connections": whole.connections,
        "input": list(of.inputs[0].shape or ()),
    }
    return {key: value for key, value in found.items() if key in keys}


LAYERED = sorted(p.stem for p in (ROOT / "tests/models").glob("*.json"))
LAYERED = [name for name in LAYERED if name in TORCHVISION]


@pytest.mark.parametrize("name", LAYERED)
def test_every_layer_is_as_in_torchvision(name: str) -> None:
    """Kind, output, parameters and multiply-accumulates, in the order in which layers are used."""
    nodes = [n for n in graph(OURS.get(name, name)).nodes if n.layer.kind in KINDS]
    assert [row(node) for node in nodes] == load(f"{name}.json")


KINDS = ("conv", "fc", "bn", "maxpool")


def row(node: Node) -> list[object]:
    facts = facts_of(node)
    size = "x".join(map(str, facts.shape))
    return [node.layer.kind, size, count(facts).params, facts.work.macs]


def test_there_are_layers_to_compare() -> None:
    assert len(LAYERED) == 7


def test_lenet5_of_1998_layer_by_layer() -> None:
    known: dict[str, list[int]] = COUNTS["lenet5_1998"]
    found = {n.path: facts_of(n) for n in graph("lenet5_1998").nodes if n.path in known}
    assert {p: [count(f).params, f.work.connections] for p, f in found.items()} == known


def test_the_third_layer_of_lenet5_reads_what_table_1_says() -> None:
    (third,) = (n for n in graph("lenet5_1998").nodes if n.path == "C3")
    table = third.layer.value("connect")
    assert isinstance(table, tuple)
    read = [set(row) for row in table]
    assert read[:6] == [neighbours(first, 3) for first in (0, 1, 2, 3, 4, 5)]
    assert read[6:12] == [neighbours(first, 4) for first in (0, 1, 2, 3, 4, 5)]
    assert read[12:15] == [{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}]
    assert read[15:] == [set(range(6))]


def neighbours(first: int, n: int) -> set[int]:
    """Maps that lie beside each other in a circle."""
    return {(first + i) % 6 for i in range(n)}


def test_the_share_of_local_and_full_layers_in_deepface() -> None:
    of = graph("deepface")
    share = sum(count(facts_of(n)).params for n in of.nodes if n.layer.kind in ("local", "fc"))
    assert share / measure(of).params > 0.95


def test_both_heads_of_the_detector_serve_every_level() -> None:
    of = graph("retinanet")
    levels = {f"p{level}": 2**level for level in range(3, 8)}
    places = [(f"{p}.{head}", 512 // stride) for p, stride in levels.items() for head in HEADS]
    assert [(o.name, facts_of(of.nodes[o.node]).shape[-1]) for o in of.outputs] == places
    shared = {n.owner for n in of.nodes if n.is_sharing}
    assert len(shared) == 10, "five convolutions in each head"
    assert all(owner.startswith("p3.") for owner in shared)


HEADS = ("classes", "boxes")


def test_the_auxiliary_classifiers_are_outputs() -> None:
    assert [o.name for o in graph("googlenet").outputs] == ["output"]
    assert [o.name for o in graph("googlenet", aux=True).outputs] == ["aux1", "aux2", "output"]


@pytest.mark.parametrize(
    ("last", "pixels"), [("bottleneck256_6.relu", 267), ("bottleneck512_3.relu", 427)]
)
def test_what_a_pixel_of_resnet50_sees(last: str, pixels: int) -> None:
    of = graph("resnet50")
    node = next(n for n in of.nodes if n.path == last)
    assert fields(of)[node.index].sizes == (pixels, pixels)


# ── the programs that the language was drawn with, and the lecture's sizes ─────────────────────


@pytest.mark.parametrize("name", DESIGN)
def test_the_design_holds(name: str) -> None:
    sink = Sink()
    found = check(read(f"tests/models/design/{name}"), {}, sink, read)
    assert found is not None, render_all(sink.ordered())
    assert not sink.diagnostics


def test_a_design_is_the_network_of_the_zoo() -> None:
    for name in ("lenet5", "resnet50", "unet"):
        source = read(f"tests/models/design/{name}.cnn")
        drawn = check(source, {}, Sink(), read)
        assert drawn is not None
        assert measure(drawn) == measure(graph(name))


@pytest.mark.parametrize(
    ("n", "kernel", "pad", "stride", "out"),
    [(7, 3, 0, 1, 5), (7, 3, 0, 2, 3), (7, 3, 1, 1, 7), (32, 5, 0, 1, 28)],
)
def test_output_sizes_of_the_lecture(n: int, kernel: int, pad: int, stride: int, out: int) -> None:
    net = f"""
        network N {{
          input 1x{n}x{n}
          conv 1 {kernel}x{kernel} pad={pad} stride={stride}
          expect 1x{out}x{out}
        }}
    """
    assert build(net).is_whole


def test_six_filters_of_5x5x3_on_a_picture_of_32x32() -> None:
    (_, conv) = build("network N { input 3x32x32\n conv 6 5x5 }").nodes
    facts = facts_of(conv)
    assert facts.shape == (6, 28, 28)
    assert facts.weights["weight"].shape == (6, 3, 5, 5)
    assert 3 * 5 * 5 == facts.work.macs / (6 * 28 * 28) == 75
    assert count(facts).params == 456


@pytest.mark.parametrize(
    ("layer", "size", "out"),
    [
        ("conv 2 3x3 pad=1", (3, 5, 5), (2, 5, 5)),
        ("conv 1 3x3 pad=1 bias=no", (1, 5, 5), (1, 5, 5)),
        ("maxpool 2x2", (1, 4, 4), (1, 2, 2)),
    ],
)
def test_worked_examples_of_the_lecture(
    layer: str, size: tuple[int, ...], out: tuple[int, ...]
) -> None:
    assert build(f"network N {{ input {size}\n {layer} }}").nodes[-1].shape == out


def test_rounded_numbers_of_the_lecture() -> None:
    millions = {
        "alexnet": round(measure(graph("alexnet", original=True)).params / 1e6),
        "vgg16": round(measure(graph("vgg16")).params / 1e6),
        "resnet50": measure(graph("resnet50")).params // 10**6,
    }
    assert millions == {"alexnet": 61, "vgg16": 138, "resnet50": 25}


def test_every_expression_is_used_by_some_spec() -> None:
    """The zoo is also the language's tour: each form of statement stands somewhere in it."""
    seen = {type(item) for spec in ZOO for item in walk(parse(read(f"specs/{spec}.cnn"), Sink()))}
    forms = (tree.Use, tree.Param, tree.Let, tree.Block, tree.Network, tree.Train, tree.Expect)
    assert {*forms, tree.Flow, tree.Repeat, tree.For, tree.If, tree.Head} <= seen


def walk(file: tree.File) -> Iterator[object]:
    for item in file.items:
        yield item
        if isinstance(item, tree.Block | tree.Network | tree.Train):
            yield from statements(item.body)


def statements(body: tree.Body) -> Iterator[object]:
    for statement in body.statements:
        yield statement
        if isinstance(statement, tree.Repeat | tree.For | tree.Head):
            yield from statements(statement.body)
        if isinstance(statement, tree.If):
            for _, arm in statement.arms:
                yield from statements(arm)
