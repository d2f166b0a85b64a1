"""How does tract run a model?"""

import importlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from engines.engine import CannotLoad, Tensors

# By name, so that the type checker needs no engine installed.
tract = importlib.import_module("tract")


def VERSION() -> str:  # noqa: N802
    return tract.version()


def run(model_path: Path, inputs: Tensors) -> Tensors:
    try:
        model, takes, gives = _model(model_path)
        # The batch stays the symbol that the file has: only the run says how large it is.
        found = model.run([inputs[name] for name in takes])
    except tract.TractError as error:
        raise CannotLoad(error) from None
    return {name: y.to_numpy() for name, y in zip(gives, found, strict=True)}


@lru_cache(maxsize=1)
def _model(path: Path) -> tuple[Any, list[str], list[str]]:
    """A model that is ready to run, with the names of what it takes and gives."""
    model = tract.onnx().load(path)
    takes = [model.input_name(i) for i in range(model.input_count())]
    gives = [model.output_name(i) for i in range(model.output_count())]
    return model.into_model().into_runnable(), takes, gives
