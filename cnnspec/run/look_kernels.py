"""Which kernels are there to see behind the layers that are shown?"""

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.look_layers import MAPS, behind
from cnnspec.run.look_model import Opened, Step
from cnnspec.run.look_view import View
from cnnspec.text.record import record

Array = NDArray[np.float32]

MOST_KERNELS, MOST_DEEPER = 64, 32
"""Kernels of the first layer, and of one behind it."""

MOST_LAYERS = 8


@record
class Kernels:
    """Those of a layer: kernel, channel, places."""

    layer: str
    values: Array
    """All channels of the first layer, of a deeper one the first."""
    count: int
    channels: int
    """How many channels of the input each has."""
    is_first: bool

    @property
    def few(self) -> int:
        return len(self.values)


def kernels(opened: Opened, names: Sequence[str], views: Sequence[View]) -> list[Kernels]:
    """Those of the first layer with weights, then those behind the layers of these names."""
    first = next((s for s in opened.steps if _weights(opened, s) is not None), None)
    steps = [first] if first is not None else []
    steps += [s for s in (behind(opened, name) for name in names) if s is not None]
    unique = {s.outputs[0]: s for s in steps}
    found = (_of(opened, s, views, is_first=s is first) for s in unique.values())
    return [k for k in found if k is not None][:MOST_LAYERS]


def _of(opened: Opened, step: Step, views: Sequence[View], *, is_first: bool) -> Kernels | None:
    x = _weights(opened, step)
    if x is None:
        return None
    if step.op not in MAPS:
        return _of_dense(step, x, views) if is_first else None
    if prod(x.shape[2:]) == 1:
        # One number each: there is nothing to see.
        return None
    shown = x if is_first and x.shape[1] <= 4 else x[:, :1]
    most = MOST_KERNELS if is_first else MOST_DEEPER
    return Kernels(step.outputs[0], shown[:most], len(x), x.shape[1], is_first)


def _of_dense(step: Step, x: Array, views: Sequence[View]) -> Kernels | None:
    """Rows of weights in the shape of the input that they look at."""
    for v in views:
        if prod(v.shape) == x.shape[1] and len(views) == 1:
            few = np.stack([v.seen(row.reshape(v.taken)) for row in x[:MOST_KERNELS]])
            return Kernels(step.outputs[0], few, len(x), v.shape[0], is_first=True)
    return None


def _weights(opened: Opened, step: Step) -> Array | None:
    """What it multiplies by, its own outputs first; none for operators without weights."""
    if step.op not in (*MAPS, "Gemm", "MatMul") or len(step.inputs) < 2:
        return None
    x = opened.weight(step.inputs[1])
    if x is None or x.dtype.kind != "f" or x.ndim < 2:
        return None
    if step.op == "ConvTranspose":
        return x.swapaxes(0, 1)
    is_turned = step.op == "MatMul" or (
        step.op == "Gemm" and not opened.attribute(step.outputs[0], "transB")
    )
    return x.T if is_turned else x
