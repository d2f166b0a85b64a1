"""Does every network of the zoo become a model that is legal, loads in silence and has our shapes?

Networks are made for small inputs here, and with fewer units where these only cost memory; that
changes the numbers of a graph, but neither its operators nor how they hang together.
"""

import re
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import checker

from cnnspec.emit.compile import compile_graph, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.opset import NEWEST
from cnnspec.onnxir.proto import to_proto
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from nets import ROOT, read

ZOO = sorted(path.stem for path in (ROOT / "specs").glob("*.cnn"))

OPSETS = (13, 17, 21, NEWEST)

SIZES = {
    "alexnet": 67,
    "deepface": 72,
    "retinanet": 128,
    "siamese": 105,
    "neocognitron": 16,
    "lenet5": 28,
    "lenet5_1998": 32,
    "conv3d": 32,
}
"""Pixels of the small inputs; 64 where nothing is said. Smaller ones leave no map at the end."""

INEXACT = {
    "alexnet": 94,
    "cifar10": 33,
    "cifar10_residual": 35,
    "conv3d": 33,
    "deepface": 91,
    "fashion": 31,
    "lenet5": 31,
    "lenet5_1998": None,
    "mlp": None,
    "neocognitron": None,
    "retinanet": None,
    "siamese": 110,
    "unet": None,
}
"""Pixels which strides do not divide; 97 where nothing is said, none where the network allows only
sizes that they do."""


NARROWER = {
    "vgg": (("conv maps", "conv maps//16"),),
    "resnet": (("64*2**stage", "8*2**stage"), ("conv 64 7x7", "conv 8 7x7")),
    "densenet": (("growth = 32", "growth = 8"),),
    "efficientnet": (("multiple_of(maps*width", "multiple_of(maps*width/4"),),
    "deepface": (("fc 4030", "fc 40"),),
    "retinanet": (("conv 256", "conv 32"), ("bottleneck width", "bottleneck width//8")),
    "convnext_tiny": (
        ("conv 96", "conv 24"),
        ("[(192, 3), (384, 9), (768, 3)]", "[(48, 3), (96, 9), (192, 3)]"),
    ),
}
"""What is written otherwise, to have fewer maps in the deep families."""


def test_the_tables_name_specs() -> None:
    assert set(SIZES) | set(INEXACT) | set(NARROWER) <= set(ZOO)
    for spec, changes in NARROWER.items():
        assert all(old in read(f"specs/{spec}.cnn").text for old, _ in changes)


@pytest.mark.parametrize("spec", ZOO)
@pytest.mark.parametrize("opset", OPSETS)
def test_it_is_legal_and_has_our_shapes(
    spec: str, opset: int, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = SIZES.get(spec, 64)
    if opset == 17:
        pixels = INEXACT.get(spec, 97) or pixels
    examine(small(spec, pixels), opset, capfd)


# ── networks ───────────────────────────────────────────────────────────────────────────────────


@cache
def small(spec: str, pixels: int) -> Graph:
    """The network of a spec, for inputs of this size."""
    sink = Sink()
    graph = check(source(f"specs/{spec}.cnn", pixels), {}, sink, partial(source, pixels=pixels))
    assert graph is not None, [d.message for d in sink.ordered()]
    return graph


def source(path: str, pixels: int) -> Source:
    text = re.sub(r"(?m)^ *expect .*\n(?:  .*==.*\n)*?", "", read(path).text)
    text = re.sub(r"(input \d+)(x\d{2,3})+", lambda m: m[1] + m[0].count("x") * f"x{pixels}", text)
    text = re.sub(r"input \(3, size, size\)", f"input 3x{pixels}x{pixels}", text)
    text = re.sub(r"\bfc 4096\b", "fc 64", text)
    for old, new in NARROWER.get(Path(path).stem, ()):
        text = text.replace(old, new)
    return Source(path, text)


def zeros(graph: Graph) -> Mapping:
    """Weights that cost nothing to draw: what is looked at here are shapes."""
    return {
        name: partial(np.zeros, shape, np.float32) for name, shape in wanted_weights(graph).items()
    }


# ── witnesses ──────────────────────────────────────────────────────────────────────────────────


def examine(graph: Graph, opset: int, capfd: pytest.CaptureFixture[str]) -> None:
    model = compile_graph(graph, Options(opset=opset), zeros(graph))
    proto = to_proto(model)
    checker.check_model(proto, full_check=True)
    capfd.readouterr()
    session(proto, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    assert capfd.readouterr() == ("", "")
    really, ours = shapes(proto, model), expected(model)
    wrong = [f"`{n}` is {really[n]}, not {ours[n]}" for n in ours if really[n] != ours[n]]
    assert not wrong, "\n".join(wrong)


def session(proto: onnx.ModelProto, level: ort.GraphOptimizationLevel) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 2  # warnings, and what is worse
    options.graph_optimization_level = level
    options.intra_op_num_threads = 2
    data = proto.SerializeToString()
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def shapes(proto: onnx.ModelProto, model: Model) -> dict[str, tuple[int, ...]]:
    """Of every value that the runtime makes of two examples."""
    ends = {value.name for value in proto.graph.output}
    proto.graph.output.extend(v for v in proto.graph.value_info if v.name not in ends)
    made = session(proto, ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
    feeds = {v.name: np.zeros((2, *v.inner), np.float32) for v in model.inputs}
    names = [output.name for output in made.get_outputs()]
    assert len(names) == len(model.values)
    return {n: np.asarray(y).shape for n, y in zip(names, made.run(names, feeds), strict=True)}


def expected(model: Model) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(2 if n == "N" else int(n) for n in value.shape)
        for name, value in model.values.items()
    }
