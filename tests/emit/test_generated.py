"""Do runtimes agree about networks that nobody wrote? Their shapes, and what they compute.

Drawn programs are compiled and run by ONNX Runtime with all its optimisations, by ONNX Runtime with
none, and by the reference implementation of the standard. `CNNSPEC_NETWORKS=5000` runs as many.
"""

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from cnnspec.emit.compile import compile_graph, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.layers import KINDS
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import Model, Node
from cnnspec.onnxir.opset import NEWEST, OLDEST
from cnnspec.onnxir.proto import to_proto
from emit import witnesses as by
from emit.generator import program
from emit.witnesses import Array
from nets import build

NETWORKS = int(os.environ.get("CNNSPEC_NETWORKS", "500"))

TOLERANCE = 1e-4
"""Of the largest number. Single precision rounds by 6e-8 in each of some ten layers; sums of up to
a thousand products in another order, and norms that divide by a small deviation, make a hundred
times that of it."""

LEAST = 0.01
"""What counts as the largest number where all are smaller: a sum that cancels leaves rounding."""

Wrong = tuple[str, Callable[[Node, Model], bool], str]

REFERENCE_IS_WRONG: Sequence[Wrong] = (
    (
        "BatchNormalization",
        lambda node, model: model.opset < 14,
        "takes the batch's own mean and variance, as in training, since momentum has a default",
    ),
    (
        "ConvTranspose",
        lambda node, model: node.attributes["group"] != 1,
        "puts the maps of group g at place g, with the first biases, as if each made one",
    ),
    ("GlobalLpPool", lambda node, model: True, "is not implemented"),
    (
        "GlobalMaxPool",
        lambda node, model: _rank(node, model) != 2,
        "takes the maximum over two axes, whatever their number",
    ),
    (
        "LRN",
        lambda node, model: True,
        "goes through as many channels as there are images, and leaves the others as they are",
    ),
    (
        "MaxPool",
        lambda node, model: _each(node, "strides") == {1} and _each(node, "pads") != {0},
        "with strides of 1 reads the padding as begin, end, begin, end",
    ),
)
"""Operators of onnx.reference that give other numbers than the standard, in which uses, and how.

Networks with one are compared between ONNX Runtime with and without optimisations only.
"""


def _rank(node: Node, model: Model) -> int:
    """How many axes its maps have."""
    return len(model.values[node.outputs[0]].shape) - 2


def _each(node: Node, name: str) -> set[object]:
    numbers = node.attributes[name]
    assert isinstance(numbers, Sequence)
    return set(numbers)


def test_every_kind_is_drawn() -> None:
    drawn = {node.layer.kind for seed in range(500) for node in build(program(seed)).nodes}
    assert drawn == set(KINDS)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_runtimes_agree(seed: int) -> None:
    text = program(seed)
    random = np.random.default_rng(seed)
    opset = int(random.integers(OLDEST, NEWEST + 1))
    graph = build(text)
    options = Options(opset=opset, fold_bn=bool(random.integers(2)))
    model = compile_graph(graph, options, weights(graph, random))
    proto, feeds = to_proto(model), inputs(model, random)
    said = f"seed {seed}, opset {opset}, fold_bn {options.fold_bn}\n{text}"

    plain = by.run(proto, feeds, is_optimised=False)
    for value, y in zip(model.outputs, plain, strict=True):
        assert y.shape == (2, *value.inner), f"{value.name}: {y.shape}\n{said}"
        assert np.isfinite(y).all(), f"{value.name}\n{said}"
    witnesses = {"optimised": by.run(proto, feeds)}
    if not any(is_wrong(n, model) for n in model.nodes):
        witnesses["reference"] = reference(proto, feeds)
    for who, ys in witnesses.items():
        for value, y, z in zip(model.outputs, plain, ys, strict=True):
            far = by.apart(y, z, LEAST)
            assert far < TOLERANCE, f"{who}, {value.name}: {far:.1e}\n{said}"


def is_wrong(node: Node, model: Model) -> bool:
    """Is the reference known to be wrong about this use of an operator?"""
    return any(node.op == op and applies(node, model) for op, applies, _ in REFERENCE_IS_WRONG)


def weights(graph: Graph, random: np.random.Generator) -> Mapping:
    """Of a size that neither grows what passes nor lets it vanish; codes as they are."""
    found: dict[str, Array] = {}
    for name, shape in wanted_weights(graph).items():
        fan = max(1, int(np.prod(shape[1:])))
        drawn = random.normal(0, fan**-0.5, shape).astype(np.float32)
        if not name.endswith(".codes"):
            found[name] = np.abs(drawn) + 0.5 if name.endswith(".var") else drawn
    return {name: partial(np.asarray, w) for name, w in found.items()}


def inputs(model: Model, random: np.random.Generator) -> dict[str, Array]:
    return {
        value.name: random.integers(0, 256, (2, *value.inner), np.uint8)
        if value.dtype == "uint8"
        else random.normal(size=(2, *value.inner)).astype(np.float32)
        for value in model.inputs
    }


def reference(proto: onnx.ModelProto, feeds: Mapping[str, Array]) -> list[Array]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ys = ReferenceEvaluator(proto).run(None, dict(feeds))
    return [np.asarray(y) for y in ys]
