"""reduce: one number of many, along an axis."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, View, Work, need_map, product, times
from cnnspec.layers.frame import AXES
from cnnspec.layers.window import axis_index
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.vocab.param import choice
from cnnspec.vocab.value import Shape


class Reduce(Layer):
    """One number of all along an axis, which is kept with size 1.

    Their mean, sum, largest, smallest, or the root of the sum of their squares (`l2`). `reduce
    mean` makes one map of all maps; `axis=space` takes all places of a map together, as a global
    pool does. An axis of size 1 fits any other in `add`, `mul` and their like, so that a gate which
    looks at the strength of all maps at a place (CBAM) reads `mul { | in | concat { | reduce max |
    reduce mean } -> conv 1 7x7 pad=3 -> sigmoid }`.
    """

    kind = "reduce"
    positional = ("how", "axis")

    how: str = choice("what is taken", "mean", "sum", "max", "min", "l2")
    axis: str = choice("over which axis", *AXES, "space", default="channels")

    @property
    def is_global(self) -> bool:
        return self.axis == "space"

    def indices(self, x: Shape) -> tuple[int, ...]:
        """The positions in the shape that become 1."""
        if self.axis == "space":
            need_map("reduce", x)
            return tuple(range(1, len(x)))
        return (axis_index(x, self.axis),)

    def shape(self, *xs: Shape) -> Shape:
        over = self.indices(xs[0])
        return tuple(1 if i in over else n for i, n in enumerate(xs[0]))

    def work(self, y: Shape, *xs: Shape) -> Work:
        return Work(0, product(xs[0]))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        (x,) = xs
        over = self.indices(x)
        if over == (0,):
            return ()
        return tuple(View(n if i in over else 1, 1, 0) for i, n in enumerate(x[1:], 1))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        over = times(x[i] for i in self.indices(x))
        return [
            f"{self.how} of {over} numbers each",
            f"connections {times(x)} = {product(x):,}",
        ]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        op = {
            "mean": "ReduceMean",
            "sum": "ReduceSum",
            "max": "ReduceMax",
            "min": "ReduceMin",
            "l2": "ReduceL2",
        }[self.how]
        if self.axis == "space" and self.how in ("mean", "max"):
            return g.op(
                "GlobalAveragePool" if self.how == "mean" else "GlobalMaxPool", xs[0], shape=y
            )
        axes = [i + 1 for i in self.indices(xs[0].inner)]
        return g.reduce(op, xs[0], axes, shape=y, keepdims=1)
