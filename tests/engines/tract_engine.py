"""How does tract run a model?"""

import importlib
from pathlib import Path

from engines.engine import CannotLoad, Tensors

# By name, so that the type checker needs no engine installed.
tract = importlib.import_module("tract")


def VERSION() -> str:  # noqa: N802
    return tract.version()


def run(model_path: Path, inputs: Tensors) -> Tensors:
    try:
        model = tract.onnx().load(model_path)
        takes = [model.input_name(i) for i in range(model.input_count())]
        gives = [model.output_name(i) for i in range(model.output_count())]
        # The batch stays the symbol that the file has: only the run says how large it is.
        found = model.into_model().into_runnable().run([inputs[name] for name in takes])
    except tract.TractError as error:
        raise CannotLoad(error) from None
    return {name: y.to_numpy() for name, y in zip(gives, found, strict=True)}
