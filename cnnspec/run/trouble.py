"""Where did numbers stop being finite?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.model import CompiledModel
from cnnspec.run.session import open_session
from cnnspec.train.step import Step

Arrays = Mapping[str, NDArray[Any]]


class NotFinite(ValueError):
    """Numbers that are none any more; it names the step and where it began."""


def not_finite(arrays: Arrays) -> list[str]:
    """The names of arrays with numbers that are not finite."""
    return [name for name, x in arrays.items() if x.dtype.kind == "f" and not np.isfinite(x).all()]


def first_not_finite(step: Step, feeds: Arrays, state: Arrays) -> str:
    """What was the first to be not finite in a step, as a clause; empty where it cannot be seen."""
    if given := not_finite(feeds):
        return f"`{given[0]}` as the data has it is not finite in this batch"
    if spoilt := [name for name in step.trained if name in not_finite(state)]:
        # Gradients come from the end of the network: its last layer was the first.
        layer = spoilt[-1].rpartition(".")[0]
        return f"the first gradients that are not finite are those of `{layer}`, a step before"
    model = step.model.with_nodes(step.model.nodes)
    known = {v.name for v in model.outputs}
    inner = [v for v in model.values.values() if v.name not in known and v.dtype == "float"]
    model.outputs = [*model.outputs, *inner]
    session = open_session(CompiledModel(model).to_bytes(), "cpu", optimise=False)
    found = session.run({**feeds, **state}, only=[v.name for v in inner])
    spoilt = set(not_finite(found))
    first = next((n for n in model.nodes if not spoilt.isdisjoint(n.outputs)), None)
    return "" if first is None else _told(first.name, is_layers=bool(first.source))


def _told(name: str, *, is_layers: bool) -> str:
    """`fc10/grad/Gemm`: a gradient of the layer `fc10`."""
    layer, _, part = name.partition("/")
    if part.startswith("step") and not is_layers:
        return f"the first values that are not finite are the new ones of `{layer}`"
    what = "gradients" if part.startswith("grad") or "/grad" in part else "values"
    is_loss = not is_layers and layer.startswith(("mean_loss", "loss"))
    of = "the loss" if is_loss else f"`{layer}`"
    return f"the first {what} that are not finite are those of {of}"
