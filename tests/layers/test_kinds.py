"""What holds for every kind of layer, whatever it does."""

import random
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import getmembers, isclass
from math import ceil, floor
from pathlib import Path

import pytest
import sampling

from cnnspec import layers
from cnnspec.layers import FAMILIES, KINDS
from cnnspec.layers.base import Layer, product
from cnnspec.layers.merge import Merge
from cnnspec.model.evaluate import Site as Surroundings
from cnnspec.model.evaluate import evaluate
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Refusal, Sink
from cnnspec.text.source import Source
from cnnspec.vocab.bind import Argument, Bound, Site, bind
from cnnspec.vocab.value import Shape

CODES = {
    "branches-disagree",
    "extra-argument",
    "flatten-missing",
    "indivisible-groups",
    "kernel-too-large",
    "missing-argument",
    "wrong-argument",
    "wrong-axes",
    "wrong-branches",
    "wrong-rank",
    "wrong-size",
    "wrong-table",
}
"""What a shape rule may refuse with."""

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def test_the_table_names_every_kind_of_every_file() -> None:
    found: set[type[Layer]] = set()
    for path in Path(layers.__file__).parent.glob("*.py"):
        module = import_module(f"cnnspec.layers.{path.stem}")
        found |= {
            c for _, c in getmembers(module, isclass) if issubclass(c, Layer) and "kind" in vars(c)
        }
    assert found == set(KINDS.values())
    assert sum(len(family) for family in FAMILIES.values()) == len(KINDS)


@every_kind
def test_it_is_documented(kind: type[Layer]) -> None:
    summary = kind.summary()
    assert summary, "the first line of the docstring is a summary"
    assert summary[-1] in ".:)", "the first line is a sentence of its own"
    for param in kind.params.values():
        assert len(param.doc) > 5, f"{param.name} has no documentation"
        assert param.type.describe()
        assert param.name == param.name.lower()
    assert set(kind.positional) <= set(kind.params)


@every_kind
def test_no_parameter_hides_what_every_layer_has(kind: type[Layer]) -> None:
    assert not {*kind.params, "weights", "frozen"} & {*dir(Layer), "given"} - {"weights"}


@every_kind
def test_defaults_are_of_their_type(kind: type[Layer]) -> None:
    for param in kind.params.values():
        if not param.is_required and param.default is not None:
            assert param.type.read(param.default) == param.default
            assert '"' not in param.describe_default()


@every_kind
def test_a_call_written_and_read_again_is_the_same(kind: type[Layer]) -> None:
    for _ in range(20):
        layer = sampling.layer(kind)
        again = read(layer.text(), kind)
        assert again.is_whole, layer.text()
        assert again.values == layer.given, layer.text()
        assert kind(**again.values).text() == layer.text()


def read(text: str, kind: type[Layer]) -> Bound:
    """The arguments of a call as the language reads them."""
    sink = Sink()
    file = parse(Source("call.cnn", f"network N {{ {text} }}"), sink)
    assert not sink.diagnostics, (text, sink.diagnostics)
    (network,) = file.items
    assert isinstance(network, tree.Network)
    (flow,) = network.body.statements
    assert isinstance(flow, tree.Flow)
    call = flow.calls[0]
    assert call.name == kind.kind
    site = Surroundings(sink, None, lambda _: None, lambda: ())
    given = [
        Argument(a.name, evaluate(a.value, site), a.value.span, a.name_span) for a in call.args
    ]
    return bind(kind, given, Site(sink, call.name_span, None, lambda: ()))


@every_kind
def test_whatever_reaches_it_it_answers_or_refuses(kind: type[Layer]) -> None:
    answers = 0
    for _ in range(200):
        layer = sampling.layer(kind, random.choice((0, 0.2, 0.5)))
        xs = inputs(layer)
        try:
            y = layer.shape(*xs)
        except Refusal as refusal:
            examine_refusal(layer, refusal)
        else:
            examine(layer, y, xs)
            answers += 1
    assert answers, "nothing was drawn that it takes"


def inputs(layer: Layer) -> tuple[Shape, ...]:
    """Shapes that may reach it, with luck such as it takes."""
    if layer.kind == "input":
        return ()
    if not isinstance(layer, Merge):
        x = (84,) if layer.kind == "rbf" else sampling.shape(most=random.choice((1, 4, 12, 90)))
        return (x if random.random() < 0.8 else sampling.shape(),)
    x = sampling.shape(most=4)
    n = layer.exactly if layer.exactly and random.random() < 0.8 else random.randint(1, 4)
    return tuple(x if random.random() < 0.8 else sampling.shape(most=3) for _ in range(n))


def examine_refusal(layer: Layer, refusal: Refusal) -> None:
    assert refusal.code in CODES
    assert refusal.param is None or refusal.param in layer.params
    # A sentence begins lower-case or with a name, and ends without a full stop.
    for text in (refusal.message, refusal.hint or "none", *refusal.notes):
        assert re.match(r"[`a-z0-9-]", text), text
        assert not text.endswith("."), text
        assert "invalid" not in text


def examine(layer: Layer, y: Shape, xs: tuple[Shape, ...]) -> None:
    said = (layer.text(), xs, y)
    assert y, said
    assert all(type(n) is int and n >= 1 for n in y), said
    weights = layer.weights(*xs)
    assert all(type(n) is int and n >= 1 for w in weights.values() for n in w.shape), said
    work = layer.work(y, *xs)
    assert 0 <= work.macs <= work.connections, said
    rank = len(xs[0]) - 1 if xs else 0
    views = layer.views(y, *xs)
    assert len(views) in (0, rank), said
    assert all(v.extent >= 1 and v.step > 0 for v in views), said
    # A layer without a word on what its pixels see keeps the map's axes, or ends the field.
    assert (
        views or layer.is_global or layer.is_merge or layer.is_view or y[1:] == (xs or (y,))[0][1:]
    )
    if layer.is_view:
        assert product(y) == product(xs[0]), said
    dropped = layer.dropped(*xs)
    assert len(dropped) in (0, rank), said
    if any(dropped):
        assert layer.keep_hint(*xs), said
    assert layer.sees_only_padding(*xs) in (True, False)
    assert re.fullmatch(r"[a-z0-9_]+", layer.base_name()), said
    examine_sums(layer.sums(y, *xs), sum(w.size for w in weights.values() if w.trained), work)


def examine_sums(lines: Sequence[str], parameters: int, work: tuple[int, int]) -> None:
    """Every equation is true, and what it is about is what the layer counts."""
    known = {"parameters": parameters, "macs": work[0], "connections": work[1]}
    about = [line.split(" ", 1)[0] for line in lines]
    for subject, line in zip(about, lines, strict=True):
        sides = [evaluate_side(side) for side in re.sub(r"^[a-z ]+:? ", "", line).split(" = ")]
        numbers = {n for n in sides if n is not None}
        assert len(numbers) <= 1, line
        if subject in known:
            assert numbers == {known[subject]}, line
    assert ("parameters" in about) == (parameters > 0), lines
    assert ("macs" in about) == (work[0] > 0), lines


def evaluate_side(text: str) -> float | None:
    """One side of an equation as on a slide; nothing for words."""
    for sign, meaning in (
        ("·", "*"), (",", ""), ("⌊", "floor("), ("⌋", ")"), ("⌈", "ceil("), ("⌉", ")")
    ):  # fmt: skip
        text = text.replace(sign, meaning)
    if not re.fullmatch(r"(floor|ceil|[\d()+*/ -])+", text):
        return None
    return eval(text, {"__builtins__": {}, "floor": floor, "ceil": ceil})


def test_the_vocabulary_loads_no_library() -> None:
    code = (
        "import sys, cnnspec.layers;"
        "print([m for m in ('click', 'lark', 'numpy', 'onnx', 'onnxruntime', 'pydantic', 'rich')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
