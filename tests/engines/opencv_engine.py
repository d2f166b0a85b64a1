"""How does OpenCV's dnn module run a model?"""

import importlib
from pathlib import Path

import onnx

from engines.engine import CannotLoad, Tensors

# By name, so that the type checker needs no engine installed.
cv2 = importlib.import_module("cv2")


def VERSION() -> str:  # noqa: N802
    return cv2.__version__


def run(model_path: Path, inputs: Tensors) -> Tensors:
    # OpenCV gives outputs without names, in the order in which they are asked for.
    outputs = [y.name for y in onnx.load(model_path).graph.output]
    try:
        # Its own engine: a build may hold ONNX Runtime too, which we would compare with itself.
        net = cv2.dnn.readNetFromONNX(str(model_path), cv2.dnn.ENGINE_NEW)
        if net.empty():
            # Which operator it lacks goes to stderr only.
            raise CannotLoad("it reads no layer of the file")
        for name, x in inputs.items():
            net.setInput(x, name)
        found = net.forward(outputs)
    except cv2.error as error:
        raise CannotLoad(error) from None
    return dict(zip(outputs, found, strict=True))
