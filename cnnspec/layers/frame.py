"""pad, crop, slice: something added around the maps, or a part of them kept."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Sizes, View, need_map, per_axis, per_side
from cnnspec.layers.window import axis_index, axis_names, by_axis
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, axes, choice, number, of, whole
from cnnspec.vocab.value import Shape, show_shape

TO_THE_END = 2**63 - 1
"""An end that `Slice` takes for the axis' own."""

AXES = ("channels", "depth", "height", "width", "length")
"""The words for axes; images have channels, height and width."""

Sides = tuple[tuple[int, ...], tuple[int, ...]]
"""Pixels at the beginning and at the end of each axis."""


class Pad(Layer):
    """A border around every map: a constant, the map mirrored, or its edge repeated.

    `pad 1` puts zeros on all sides, `pad 1x2` one row above and below and two columns at both
    sides, `pad (0, 0, 1, 1)` one row below and one column to the right: first all begins, then all
    ends. `mode=reflect` mirrors the map without repeating its edge. Windows have a `pad` of their
    own; this one is for borders that are not zero, or that stand alone.
    """

    kind = "pad"
    positional = ("size",)

    size: Sizes = of(Axes(0), "how wide: for all sides, each axis, or begins and then ends")
    mode: str = choice("what is put there", "constant", "reflect", "edge", default="constant")
    fill: float = number("the constant", default=0)

    def sides(self, x: Shape) -> Sides:
        return per_side(self.size, len(x) - 1, "size", "pad")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("pad", x)
        begins, ends = self.sides(x)
        if self.mode != "constant" and self.was_given("fill"):
            raise Refusal(
                "extra-argument",
                f"`mode={self.mode}` takes what fills the border from the map; "
                "`fill` has nothing to say",
                param="fill",
            )
        for name, n, b, e in zip(axis_names(len(x) - 1), x[1:], begins, ends, strict=True):
            if self.mode == "reflect" and max(b, e) >= n:
                raise Refusal(
                    "wrong-size",
                    f"a {name} of {n} has {n - 1} to mirror beside its edge; "
                    f"the border is {max(b, e)} wide",
                    param="size",
                    hint="mode=edge repeats the edge as often as needed",
                )
        return (x[0], *(n + b + e for n, b, e in zip(x[1:], begins, ends, strict=True)))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1, -b) for b in self.sides(xs[0])[0])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        columns = zip(xs[0][1:], *self.sides(xs[0]), y[1:], strict=True)
        return by_axis([f"{n} + {b} + {e} = {m}" for n, b, e, m in columns])

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        begins, ends = self.sides(xs[0].inner)
        if not any((*begins, *ends)):
            return xs[0]
        pads = g.ints("pads", (0, 0, *begins, 0, 0, *ends))
        fill = g.scalar("fill", self.fill) if self.fill else None
        mode = None if self.mode == "constant" else self.mode
        return g.op("Pad", xs[0], pads, fill, shape=y, mode=mode)


class Crop(Layer):
    """Pixels taken off the border (`crop 2`), or the middle part of a given size (`crop to=24x24`).

    Amounts are written as for `pad`: for all sides, for each axis, or all begins and then all ends.
    With `to` an odd pixel goes at the end. The U-Net of 2015 crops its shortcuts so that they fit:
    `concat { | in | e2 -> crop to=(in.height, in.width) }`.
    """

    kind = "crop"
    positional = ("size",)

    size: Sizes | None = of(
        Axes(0), "how much: off all sides, each axis, or begins and then ends", default=None
    )
    to: Sizes | None = axes("the size that is kept, from the middle", default=None)

    def sides(self, x: Shape) -> Sides:
        rank = len(x) - 1
        if self.to is None:
            assert self.size is not None, "the shape rule asks for one of the two"
            return per_side(self.size, rank, "size", "crop")
        off = [n - m for n, m in zip(x[1:], per_axis(self.to, rank, "to", "crop"), strict=True)]
        return tuple(n // 2 for n in off), tuple(n - n // 2 for n in off)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("crop", x)
        if self.size is None and self.to is None:
            raise Refusal(
                "missing-argument",
                "`crop` needs an amount or `to=`",
                hint="write `crop 2` or `crop to=24x24`",
            )
        if self.size is not None and self.to is not None:
            raise Refusal(
                "extra-argument", "`to` settles what `crop` takes off; so does `size`", param="size"
            )
        begins, ends = self.sides(x)
        y = tuple(n - b - e for n, b, e in zip(x[1:], begins, ends, strict=True))
        for name, n, m, b, e in zip(axis_names(len(y)), x[1:], y, begins, ends, strict=True):
            if m > n:
                raise Refusal(
                    "wrong-size",
                    f"a {name} of {m} cannot be cut out of a {name} of {n}",
                    param="to",
                    hint="`pad` makes maps larger",
                )
            if m < 1:
                raise Refusal(
                    "wrong-size",
                    f"{b} + {e} pixels cannot be taken off a {name} of {n}",
                    param="size",
                    hint=f"at most {n - 1} can",
                )
        return (x[0], *y)

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1, b) for b in self.sides(xs[0])[0])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        columns = zip(xs[0][1:], *self.sides(xs[0]), y[1:], strict=True)
        return by_axis([f"{n} - {b} - {e} = {m}" for n, b, e, m in columns])

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        begins, ends = self.sides(xs[0].inner)
        cut = [i for i, (b, e) in enumerate(zip(begins, ends, strict=True)) if b or e]
        if not cut:
            return xs[0]
        return g.slice(
            xs[0],
            [begins[i] for i in cut],
            [-ends[i] or TO_THE_END for i in cut],
            [i + 2 for i in cut],
            y,
        )


class Slice(Layer):
    """A part of the channels, or of another axis.

    It goes from the first number, counted from 0, up to the second, which is left out; without a
    second, to the end. So `slice 0 in.channels/2` and `slice in.channels/2` are the two halves of
    the maps, and `slice 0 1 axis=height` the first row.
    """

    kind = "slice"
    positional = ("from", "to")

    from_: int = whole("where it begins, counted from 0", least=0)
    to: int | None = whole("where it ends; that one is left out", default=None)
    axis: str = choice("along which axis", *AXES, default="channels")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        axis = axis_index(x, self.axis)
        end = self._end(x[axis])
        if end > x[axis] or self.from_ >= end:
            at_fault = "to" if end > x[axis] else "from"
            size = f"{x[0]} channels" if axis == 0 else f"a {self.axis} of {x[axis]}"
            raise Refusal(
                "wrong-size",
                f"from {self.from_} up to {end} is no part of {size}",
                param=at_fault,
                hint=f"it begins before it ends, and ends at {x[axis]} at the latest",
            )
        return tuple(end - self.from_ if i == axis else n for i, n in enumerate(x))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        (x,) = xs
        axis = axis_index(x, self.axis)
        if axis == 0:
            return ()
        return tuple(View(1, 1, self.from_ if i == axis else 0) for i in range(1, len(x)))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        end = self._end(xs[0][axis_index(xs[0], self.axis)])
        return [f"{self.axis} {end} - {self.from_} = {end - self.from_}, of {show_shape(xs[0])}"]

    def _end(self, n: int) -> int:
        return n if self.to is None else self.to

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        axis = axis_index(y, self.axis)
        if y == xs[0].inner:
            return xs[0]
        end = TO_THE_END if self.to is None else self.to
        return g.slice(xs[0], [self.from_], [end], [axis + 1], y)
