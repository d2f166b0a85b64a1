"""How does OpenVINO run a model?"""

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from engines.engine import CannotLoad, Tensors

# By name, so that the type checker needs no engine installed.
openvino = importlib.import_module("openvino")


def VERSION() -> str:  # noqa: N802
    return openvino.__version__.split("-")[0]


def run(model_path: Path, inputs: Tensors) -> Tensors:
    try:
        model = _model(model_path)
        found = model(inputs)
    except RuntimeError as error:
        raise CannotLoad(error) from None
    return {name: found[port].copy() for port in model.outputs for name in port.names}


@lru_cache(maxsize=1)
def _model(path: Path) -> Any:
    # Some CPUs would be given bfloat16 by default, which is not the model that we compare.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(str(path), "CPU", exact)
