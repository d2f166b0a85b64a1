"""Sizes against two witnesses that know nothing of this package: ONNX Runtime and ONNX itself."""

import random
from collections.abc import Mapping
from math import ceil, floor
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from cnnspec.layers import KINDS
from cnnspec.layers.conv import Conv
from cnnspec.layers.deconv import Deconv
from cnnspec.layers.pool import Pool
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape

OPERATORS = {
    "conv": "Conv",
    "deconv": "ConvTranspose",
    "maxpool": "MaxPool",
    "avgpool": "AveragePool",
    "lppool": "LpPool",
}
Windowed = Conv | Deconv | Pool


def drawn(kind: str) -> tuple[Windowed, Shape]:
    """A layer with a window of its own along every axis, and a small map."""
    r = random.randint
    rank = r(1, 3)
    kernel = tuple(r(1, 4) for _ in range(rank))
    # A runtime's pool takes no padding as wide as its window.
    most = [k - 1 if "pool" in kind else 3 for k in kernel]
    pad = tuple(r(0, n) for n in (*most, *most))
    given: dict[str, object] = {
        "kernel": kernel,
        "stride": tuple(r(1, 4) for _ in range(rank)),
        "pad": "same" if random.random() < 0.2 else pad,
    }
    if kind in ("conv", "deconv"):
        given |= {"filters": r(1, 3), "dilation": tuple(r(1, 3) for _ in range(rank))}
    if kind == "deconv" and given["pad"] != "same":
        given["output_pad"] = tuple(r(0, 2) for _ in range(rank))
    if kind in ("maxpool", "avgpool"):
        given["ceil"] = random.random() < 0.5
    layer = KINDS[kind](**given)
    assert isinstance(layer, Windowed)
    return layer, (r(1, 3), *(r(1, 9) for _ in range(rank)))


def attributes(layer: Windowed, x: Shape) -> Mapping[str, Any]:
    if isinstance(layer, Deconv):
        spreads = layer.spreads(x)
        return {
            "kernel_shape": [s.kernel for s in spreads],
            "strides": [s.stride for s in spreads],
            "dilations": [s.dilation for s in spreads],
            "pads": [*(s.begin for s in spreads), *(s.end for s in spreads)],
            "output_padding": [s.extra for s in spreads],
        }
    w = layer.window(x)
    found = {"kernel_shape": w.kernel, "strides": w.strides, "pads": w.pads}
    if isinstance(layer, Conv):
        return {**found, "dilations": w.dilations}
    return {**found, **({"ceil_mode": 1} if layer.ceil else {})}


def model(layer: Windowed, x: Shape, opset: int = 17) -> onnx.ModelProto:
    weights = [w for w in layer.weights(x).values() if len(w.shape) > 1]
    tensors = [numpy_helper.from_array(np.ones(w.shape, np.float32), "w") for w in weights]
    names = ["x", *(t.name for t in tensors)]
    node = helper.make_node(OPERATORS[layer.kind], names, ["y"], **attributes(layer, x))
    graph = helper.make_graph(
        [node],
        "one layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, *x))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def really(made: onnx.ModelProto, x: Shape) -> Shape:
    """The shape that ONNX Runtime's result has."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {"x": np.ones((1, *x), np.float32)})
    return np.asarray(y).shape[1:]


def inferred(made: onnx.ModelProto) -> Shape:
    """The shape that ONNX's own inference gives.

    Before opset 22 it counts windows that, rounded up, begin behind the map; runtimes never did.
    """
    (y,) = onnx.shape_inference.infer_shapes(made, strict_mode=True).graph.output
    return tuple(d.dim_value for d in y.type.tensor_type.shape.dim)[1:]


@pytest.mark.parametrize("kind", OPERATORS)
def test_sizes_are_those_of_the_runtime(kind: str) -> None:
    agreed = 0
    for _ in range(120):
        layer, x = drawn(kind)
        try:
            y = layer.shape(x)
        except Refusal as refusal:
            examine(layer, x, refusal)
            continue
        assert really(model(layer, x), x) == y, (layer.text(), x)
        assert inferred(model(layer, x, opset=22)) == y, (layer.text(), x)
        agreed += 1
    assert agreed > 60


def examine(layer: Windowed, x: Shape, refusal: Refusal) -> None:
    """What is refused for its size has none: along some axis the formula gives less than 1."""
    if refusal.code == "wrong-size" and refusal.param == "output_pad":
        with pytest.raises(Exception, match="output_padding"):
            really(model(layer, x), x)
        return
    assert refusal.code in ("kernel-too-large", "wrong-size")
    assert min(formula(layer, x)) < 1, (layer.text(), x)


def formula(layer: Windowed, x: Shape) -> list[int]:
    """The sizes by the textbook, from the arguments alone."""
    rank = len(x) - 1

    def each(name: str) -> tuple[int, ...]:
        value = layer.value(name) if name in layer.params else 1
        return (value,) * rank if isinstance(value, int) else cast("tuple[int, ...]", value)

    assert isinstance(layer.pad, tuple), "what is padded to fit is never refused"
    columns = zip(x[1:], each("kernel"), each("stride"), each("dilation"), strict=True)
    rounded = ceil if isinstance(layer, Pool) and layer.ceil else floor
    sizes: list[int] = []
    for i, (n, k, s, d) in enumerate(columns):
        extent, pads = d * (k - 1) + 1, layer.pad[i] + layer.pad[rank + i]
        if isinstance(layer, Deconv):
            sizes.append((n - 1) * s - pads + extent + each("output_pad")[i])
        else:
            sizes.append(rounded((n + pads - extent) / s) + 1)
    return sizes
