# pyright: basic
"""How many channels does ONNX Runtime take side by side on this processor?"""

from functools import cache

import numpy as np
import onnxruntime as ort

from cnnspec.emit.passes.blocks import DOMAIN
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.opset import DEFAULT
from cnnspec.onnxir.proto import to_proto
from cnnspec.run.session import QUIET, CannotRun

FEWEST, MOST = 8, 64
"""Between these a block makes sense: as many numbers as a vector of the processor has, or twice."""


@cache
def block_size() -> int:
    """The channels of a block. Raises `CannotRun` where the runtime has no operators for them."""
    graph = Model("blocks", DEFAULT)
    g = Builder(graph)
    with g.layer("x", ""):
        x = g.input((4, 1, 1))
    with g.layer("y", ""):
        # Channels are filled up to a whole block.
        g.output(g.node("ReorderInput", [x], {}, dims=(1, "channels", 1, 1), domain=DOMAIN))
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    content = to_proto(graph).SerializeToString()
    session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (held,) = session.run(None, {"x": np.zeros((1, 4, 1, 1), np.float32)})
    size = np.asarray(held).shape[1]
    if not FEWEST <= size <= MOST:
        raise CannotRun("ONNX Runtime has no blocked convolutions for this processor")
    return size
