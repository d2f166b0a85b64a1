"""What do ONNX Runtime's operators for blocks of channels do, by their definition?

How large a block is depends on the processor; here it is what is asked for. So what is put in
blocks for another processor can be tried on this one.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from onnx.helper import get_attribute_value
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from cnnspec.emit.passes.blocks import DOMAIN
from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.proto import to_proto

Array = np.ndarray[Any, Any]


def run_in_blocks(model: Model, size: int, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """What a model gives that was put in blocks of that many channels."""
    own = {"op_domain": DOMAIN, "size": size}
    kinds = (ReorderInput, ReorderOutput, Conv, *POOLS)
    operators: Any = [type(kind.__name__, (kind,), own) for kind in kinds]
    found = ReferenceEvaluator(to_proto(model), new_ops=operators).run(None, dict(feeds))
    return {v.name: np.asarray(y) for v, y in zip(model.outputs, found, strict=True)}


def in_order(x: Array, size: int) -> Array:
    """[n, c, i, j] of what lies at [n, c / size, i, j, c % size]."""
    n, c, *sizes = x.shape
    assert c % size == 0, f"{c} channels are no whole blocks"
    return np.moveaxis(x.reshape(n, c // size, *sizes, size), -1, 2).reshape(x.shape)


def apart(x: Array, size: int) -> Array:
    """The same the other way; the shape stays."""
    n, c, *sizes = x.shape
    assert c % size == 0, f"{c} channels are no whole blocks"
    return np.moveaxis(x.reshape(n, c // size, size, *sizes), 2, -1).reshape(x.shape)


class Own(OpRun):
    size: int

    def said(self) -> dict[str, Any]:
        return {a.name: get_attribute_value(a) for a in self.onnx_node.attribute}

    def _run(self, *xs: Array | None, **_: object) -> tuple[Array]:
        return (self.made(*xs),)

    @abstractmethod
    def made(self, *xs: Any) -> Array:
        """What the operator makes of these."""

    def seen(self, x: Array, kernel: Sequence[int], fill: float) -> Array:
        """[n, c, tap, i, j]: what each tap of a window sees."""
        told = self.said()
        strides, dilations = (told.get(name, (1, 1)) for name in ("strides", "dilations"))
        top, left, bottom, right = told.get("pads", (0,) * 4)
        x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
        places = [
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True)
        ]
        taps = product(*(range(k) for k in kernel))
        cuts = [
            tuple(
                slice(t * d, t * d + s * (n - 1) + 1, s)
                for t, d, s, n in zip(tap, dilations, strides, places, strict=True)
            )
            for tap in taps
        ]
        return np.stack([x[:, :, *cut] for cut in cuts], 2)


class ReorderInput(Own):
    def made(self, x: Array) -> Array:
        # What makes no whole block is filled up.
        more = -x.shape[1] % self.size
        return apart(np.pad(x, ((0, 0), (0, more), (0, 0), (0, 0))), self.size)


class ReorderOutput(Own):
    def made(self, x: Array) -> Array:
        told = self.said()
        x = in_order(x, self.size)[:, : told["channels"]]
        return np.moveaxis(x, 1, -1) if told.get("channels_last") else x


class Conv(Own):
    def made(
        self, x: Array, w: Array, bias: Array | None = None, more: Array | None = None
    ) -> Array:
        told = self.said()
        groups = told.get("group", 1)
        maps, channels, *kernel = w.shape
        is_of_few = groups == 1 and channels < self.size
        assert is_of_few or groups == maps or channels % self.size == 0
        x = x if is_of_few else in_order(x, self.size)
        w = self._kernels(w, by_channel=not is_of_few and channels > 1)
        under = self.seen(x, kernel, 0)
        n, _, taps, *places = under.shape
        under = under.reshape(n, groups, channels, taps, *places)
        w = w.reshape(groups, maps // groups, channels, taps)
        y = np.einsum("ngctij,goct->ngoij", under, w).reshape(n, maps, *places)
        if bias is not None:
            y = y + bias[:, None, None]
        if more is not None:
            y = y + in_order(more, self.size)
        if "activation" in told:
            assert told["activation"] == b"Relu"
            y = np.maximum(y, 0)
        return apart(y.astype(np.float32), self.size)

    def _kernels(self, w: Array, *, by_channel: bool) -> Array:
        """[o, c, t] of what lies at [o / size, c, t, o % size], or by channel at
        [o / size, c / size, t, c % size, o % size]."""
        maps, channels, *kernel = w.shape
        size, taps = self.size, int(np.prod(kernel))
        if not by_channel:
            held = w.reshape(maps // size, channels, taps, size)
            return np.moveaxis(held, -1, 1).reshape(maps, channels, taps)
        held = w.reshape(maps // size, channels // size, taps, size, size)
        return held.transpose(0, 4, 1, 3, 2).reshape(maps, channels, taps)


class MaxPool(Own):
    def made(self, x: Array) -> Array:
        under = self.seen(in_order(x, self.size), self.said()["kernel_shape"], -np.inf)
        return apart(under.max(2), self.size)


class AveragePool(Own):
    def made(self, x: Array) -> Array:
        x, told = in_order(x, self.size), self.said()
        kernel = told["kernel_shape"]
        total = self.seen(x, kernel, 0).sum(2)
        is_there = np.ones_like(x)
        count = self.seen(is_there, kernel, told.get("count_include_pad", 0)).sum(2)
        return apart(total / count, self.size)


class GlobalMaxPool(Own):
    def made(self, x: Array) -> Array:
        return in_order(x, self.size).max((2, 3), keepdims=True)


class GlobalAveragePool(Own):
    def made(self, x: Array) -> Array:
        return in_order(x, self.size).mean((2, 3), keepdims=True)


POOLS = (MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool)
