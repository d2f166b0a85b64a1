"""flatten, reshape, permute: the same numbers under another shape or in another order."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Sizes, count, need_rank, product, times
from cnnspec.layers.source import SIZE, extent
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, of
from cnnspec.vocab.value import Shape, show_shape


class Flatten(Layer):
    """All maps written behind each other as one flat vector.

    Map by map, and within a map row by row: the step from convolutions to `fc`. A vector that is
    flat already stays as it is.
    """

    kind = "flatten"
    is_view = True

    @property
    def is_global(self) -> bool:
        return True

    def shape(self, *xs: Shape) -> Shape:
        return (product(xs[0]),)

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"{times(xs[0])} = {y[0]:,}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return xs[0] if len(xs[0].shape) == 2 else g.op("Flatten", xs[0], shape=y, axis=1)


class Reshape(Layer):
    """The same numbers under another shape: `reshape 16x7x7` makes maps of a flat vector of 784.

    Numbers are read and written map by map and row by row, as in `flatten`; both shapes have
    equally many. A size may be computed: `reshape (in.channels, in.height*in.width)`.
    """

    kind = "reshape"
    is_view = True
    positional = ("size",)

    size: Sizes = of(SIZE, "the new shape, channels first, as in 16x7x7")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        y = extent(self.size)
        need_rank("a map", y, "size")
        if product(y) != product(x):
            raise Refusal(
                "wrong-size",
                f"{show_shape(y)} has {_numbers(y)}, what reaches `reshape` has {_numbers(x)}",
                param="size",
                hint=_hint(y, product(x)),
            )
        return y

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"{times(xs[0])} = {times(y)} = {product(y):,}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        if xs[0].inner == y:
            return xs[0]
        return g.op("Reshape", xs[0], g.ints("shape", (0, *y)), shape=y)


def _numbers(x: Shape) -> str:
    return count(x[0], "number") if len(x) == 1 else f"{times(x)} = {product(x):,} numbers"


def _hint(y: Shape, numbers: int) -> str | None:
    """The number of channels that would make it fit, where there is one."""
    places = product(y[1:])
    return None if numbers % places else f"{show_shape((numbers // places, *y[1:]))} would fit"


class Permute(Layer):
    """The axes in another order: `permute [1, 2, 0]` moves the channels, position 0, to the end.

    Each number names the old position of what stands there afterwards; 0 are the channels. With
    `reshape` it makes the mixing of places that transformers and mixers are built of. Unlike
    `reshape` it moves numbers in memory.
    """

    kind = "permute"
    positional = ("order",)

    order: Sizes = of(Axes(0), "the old positions in their new order, as in [0, 2, 1]")

    @property
    def is_global(self) -> bool:
        return True

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        order = extent(self.order)
        if sorted(order) != list(range(len(x))):
            raise Refusal(
                "wrong-axes",
                f"`order` is [{', '.join(map(str, order))}], which does not name each position of "
                f"{show_shape(x)} once",
                param="order",
                hint=f"its positions are {', '.join(map(str, range(len(x))))}",
            )
        return tuple(x[i] for i in order)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        perm = [0, *(i + 1 for i in extent(self.order))]
        return xs[0] if perm == sorted(perm) else g.op("Transpose", xs[0], shape=y, perm=perm)
