# pyright: basic
"""How does a model come to compute in whole numbers? By ONNX Runtime's own quantiser, after it has
seen examples.

What was chosen, and the measurements it rests on (x86 without VNNI, one thread):

- Activations are unsigned bytes. With signed ones ResNet-20 takes 1.5 ms instead of 0.8 ms (fp32
  1.3 ms) and comes no closer to fp32.
- Weights are signed bytes around zero, with a scale for each channel that a layer makes: what the
  most runtimes and accelerators take. x86 without VNNI adds products of such bytes in 16 bits and
  cuts off what is more: LeNet-5 on MNIST falls from 87.4 % to 79.3 % there, and to 87.2 % with the
  runtime's `session.x64quantprecision` set. Seven bits instead of eight are cut off nowhere, but
  are three times as far off for ResNet-20 everywhere.
- The range of an activation is that of the examples. Entropy finds the same ranges and percentiles
  ones that are 22 % farther to 12 % closer; both keep every activation of every example in memory.
"""

import logging
import tempfile
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from cnnspec.run.examples import Examples, Given, as_examples
from cnnspec.run.model import CompiledModel
from cnnspec.run.wanted import wanted

PRECISION = "cnnspec.precision"

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""What has weights that become whole numbers."""

CARRIED = (
    *("Add", "AveragePool", "Clip", "Concat", "Flatten", "GlobalAveragePool", "MaxPool", "Mul"),
    *("Pad", "Relu", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
)
"""What stays in whole numbers between those. The rest, such as softmax, goes by single ones."""

BATCH = 16

QUANTISER = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells the quantiser that every shape is known; without it, it warns."""


APART = "/int8"
"""Ends every name while the quantiser works: it makes names of its own with endings of its own, and
`conv1_scale` may be a layer already."""


class _Reader(CalibrationDataReader):
    def __init__(self, found: Iterator[Mapping[str, NDArray[Any]]]) -> None:
        self._found = found

    def get_next(self) -> Any:
        return next(self._found, None)


def quantised(model: CompiledModel, given: Given | None) -> CompiledModel:
    """The same network in whole numbers, after examples in whatever form. Raises `ValueError`."""
    if given is None:
        raise ValueError(
            "int8 needs examples of what the network will be given, to learn the ranges of its "
            "values: an npz or npy file, or a folder of pictures"
        )
    wants, _ = wanted(model.session("cpu"))
    return quantise(model, as_examples(given, wants, model.labels))


def quantise(model: CompiledModel, examples: Examples) -> CompiledModel:
    """The same network with weights and most of its work in bytes. Raises `ValueError`."""
    proto = model.onnx
    _need_weights(proto)
    with tempfile.TemporaryDirectory(prefix="cnnspec-") as folder, _silence():
        whole, small = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        apart = onnx.ModelProto()
        apart.CopyFrom(proto)
        onnx.helper.set_model_props(apart, QUANTISER)
        _rename(apart.graph, lambda name: name + APART)
        # Beside its file, the weights may be more than two gigabytes.
        onnx.save_model(apart, whole, save_as_external_data=True, location="weights")
        _quantise(whole, small, _fed(examples))
        made = onnx.load(small)
    _rename(made.graph, lambda name: name.removesuffix(APART))
    made.producer_name, made.producer_version = proto.producer_name, proto.producer_version
    onnx.helper.set_model_props(made, {**model.metadata, PRECISION: "int8"})
    onnx.checker.check_model(made)
    return CompiledModel(made)


def _quantise(whole: Path, small: Path, found: Iterator[Mapping[str, NDArray[Any]]]) -> None:
    try:
        quantize_static(
            whole,
            small,
            _Reader(found),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*WEIGHTED, *CARRIED],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    except AssertionError:
        # The quantiser asserts that scales are finite; all else has been seen to be in order.
        raise ValueError(
            "int8 needs the range of every value, and on these examples some are infinite or none"
        ) from None


def _fed(examples: Examples) -> Iterator[Mapping[str, NDArray[Any]]]:
    for feeds, _, _ in examples.batches(BATCH):
        yield {name + APART: x for name, x in feeds.items()}


def _rename(graph: onnx.GraphProto, renamed: Callable[[str], str]) -> None:
    """Every edge of a graph. Nodes have names of their own and keep them."""
    for held in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in held:
            value.name = renamed(value.name)
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed(name) if name else name for name in names]


@contextmanager
def _silence() -> Generator[None]:
    """Nothing of what the quantiser logs, which goes to the root of all loggers, or warns of."""

    def is_other(said: logging.LogRecord) -> bool:
        return "quantization" not in Path(said.pathname).parts

    root = logging.getLogger()
    # A root without handlers is given one that stays by the first message.
    mute = logging.NullHandler()
    root.addHandler(mute)
    root.addFilter(is_other)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        root.removeFilter(is_other)
        root.removeHandler(mute)


def _need_weights(proto: onnx.ModelProto) -> None:
    held = {t.name for t in proto.graph.initializer}
    if not any(n.op_type in WEIGHTED and n.input[1] in held for n in proto.graph.node):
        raise ValueError(
            "int8 needs the weights of a convolution or of a dense layer; the network has none"
        )
