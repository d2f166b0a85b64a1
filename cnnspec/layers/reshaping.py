"""flatten, reshape, slice, shuffles, pad, crop: the same numbers in another order or frame."""

from collections.abc import Sequence

from cnnspec.layers.base import Layer, View, need_map, per_axis, product
from cnnspec.layers.window import Sizes, axis_index, axis_names
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, axes, choice, number, of, whole
from cnnspec.vocab.value import Shape, show, show_shape


class Flatten(Layer):
    """All maps written behind each other as one flat vector, channel by channel, row by row."""

    kind = "flatten"
    is_view = True

    def shape(self, *xs: Shape) -> Shape:
        return (product(xs[0]),)

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"{'·'.join(map(str, xs[0]))} = {y[0]}"]


class Reshape(Layer):
    """The same numbers under another shape: `reshape 16x7x7` makes maps of a flat vector."""

    kind = "reshape"
    is_view = True
    positional = ("size",)

    size: int | tuple[int, ...] = of(Axes(1), "the new shape, channels first")

    def shape(self, *xs: Shape) -> Shape:
        y = (self.size,) if isinstance(self.size, int) else self.size
        if product(y) != product(xs[0]):
            raise Refusal(
                "wrong-size",
                f"{show_shape(xs[0])} has {product(xs[0]):,} numbers, "
                f"{show_shape(y)} has {product(y):,}",
                param="size",
            )
        return y


class Slice(Layer):
    """A part of the channels or of another axis.

    From the first number, counted from 0, up to the second, which is left out: `slice 0 in.channels/2`
    is the first half of the maps.
    """

    kind = "slice"
    positional = ("from", "to")

    from_: int = whole("where it begins, counted from 0", least=0)
    to: int = whole("where it ends; that one is left out")
    axis: str = choice(
        "along which axis", "channels", "height", "width", "depth", "length", default="channels"
    )

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        axis = axis_index(x, self.axis)
        if not self.from_ < self.to <= x[axis]:
            raise Refusal(
                "wrong-size",
                f"{self.from_} to {self.to} is no part of {x[axis]} {self.axis}",
                param="to",
                hint="it begins before it ends, and ends within them",
            )
        return tuple(self.to - self.from_ if i == axis else n for i, n in enumerate(x))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        return [f"{self.axis} {self.to} - {self.from_} = {self.to - self.from_}"]


class PixelShuffle(Layer):
    """Groups of r·r maps become one map r times as large (sub-pixel convolution)."""

    kind = "pixelshuffle"
    positional = ("factor",)

    factor: int = whole("how many times larger, r", least=2)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map(self.kind, x)
        group = self.factor ** (len(x) - 1)
        if x[0] % group:
            power = f"{self.factor}^{len(x) - 1} = {group}"
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into groups of {power}",
                param="factor",
                hint=f"{(x[0] // group + 1) * group} channels would",
            )
        return (x[0] // group, *(n * self.factor for n in x[1:]))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1 / self.factor, 0) for _ in xs[0][1:])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        rank = len(y) - 1
        return [f"channels {xs[0][0]}/{'·'.join([str(self.factor)] * rank)} = {y[0]}"]


class PixelUnshuffle(Layer):
    """Squares of r·r pixels become r·r maps (space to depth): the reverse of `pixelshuffle`."""

    kind = "pixelunshuffle"
    positional = ("factor",)

    factor: int = whole("how many times smaller, r", least=2)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map(self.kind, x)
        for name, n in zip(axis_names(len(x) - 1), x[1:], strict=True):
            if n % self.factor:
                raise Refusal(
                    "indivisible-groups",
                    f"a {name} of {n} does not split into steps of {self.factor}",
                    param="factor",
                )
        rank = len(x) - 1
        return (x[0] * self.factor**rank, *(n // self.factor for n in x[1:]))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(self.factor, self.factor, 0) for _ in xs[0][1:])


class ChannelShuffle(Layer):
    """Channels of all groups interleaved, so that the next grouped convolution sees some of each."""

    kind = "channelshuffle"
    positional = ("groups",)

    groups: int = whole("how many groups", least=2)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        if x[0] % self.groups:
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into {self.groups} equal groups",
                param="groups",
            )
        return x


class Pad(Layer):
    """A border around every map: zeros, a number, the map mirrored, or its edge repeated."""

    kind = "pad"
    positional = ("size",)

    size: Sizes = of(Axes(0), "how wide: for all sides, each axis, or begins and then ends")
    mode: str = choice("what fills it", "zero", "reflect", "edge", default="zero")
    value: float = number("the number that fills it, with mode=zero", default=0)

    def amounts(self, x: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return sides("pad", self.size, len(x) - 1)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("pad", x)
        begins, ends = self.amounts(x)
        for name, n, b, e in zip(axis_names(len(x) - 1), x[1:], begins, ends, strict=True):
            if self.mode == "reflect" and max(b, e) >= n:
                raise Refusal(
                    "wrong-size",
                    f"a {name} of {n} has {n - 1} pixels to mirror; {max(b, e)} are asked for",
                    param="size",
                )
        return (x[0], *(n + b + e for n, b, e in zip(x[1:], begins, ends, strict=True)))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1, -b) for b in self.amounts(xs[0])[0])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        begins, ends = self.amounts(xs[0])
        return list(
            dict.fromkeys(
                f"{n} + {b} + {e} = {n + b + e}"
                for n, b, e in zip(xs[0][1:], begins, ends, strict=True)
            )
        )


class Crop(Layer):
    """Pixels taken off the border (`crop 2`), or the middle part of a given size (`crop to=24x24`)."""

    kind = "crop"
    positional = ("size",)

    size: Sizes | None = of(
        Axes(0), "how much: off all sides, each axis, or begins and then ends", default=None
    )
    to: Sizes | None = axes("the size that is kept, from the middle", default=None)

    def amounts(self, x: Shape) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if self.to is None:
            assert self.size is not None
            return sides("crop", self.size, len(x) - 1)
        targets = per_axis(self.to, len(x) - 1, "to", "crop")
        surplus = [n - m for n, m in zip(x[1:], targets, strict=True)]
        return tuple(s // 2 for s in surplus), tuple(s - s // 2 for s in surplus)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("crop", x)
        if (self.size is None) == (self.to is None):
            raise Refusal(
                "missing-argument" if self.to is None else "extra-argument",
                "`crop` takes an amount or `to=`, one of the two",
                hint="write `crop 2` or `crop to=24x24`",
            )
        begins, ends = self.amounts(x)
        y = [n - b - e for n, b, e in zip(x[1:], begins, ends, strict=True)]
        for name, n, m, b in zip(axis_names(len(x) - 1), x[1:], y, begins, strict=True):
            if m < 1 or b < 0:
                raise Refusal(
                    "wrong-size",
                    f"a {name} of {n} cannot be cropped to {m}",
                    param="size" if self.to is None else "to",
                )
        return (x[0], *y)

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1, b) for b in self.amounts(xs[0])[0])


def sides(kind: str, size: Sizes, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Begins and ends from one number, one for each axis, or two for each."""
    if isinstance(size, tuple) and len(size) == 2 * rank:
        return size[:rank], size[rank:]
    if isinstance(size, tuple) and len(size) != rank:
        raise Refusal(
            "wrong-axes",
            f"`{kind}` has {len(size)} numbers, {show(size)}; the map has {rank} axes",
            param="size",
            hint=f"write one number, {rank} (one for each axis) or {2 * rank} (begins, then ends)",
        )
    both = per_axis(size, rank, "size", kind)
    return both, both


class Permute(Layer):
    """The axes in another order: `permute [1, 2, 0]` moves the channels, position 0, to the end."""

    kind = "permute"
    positional = ("order",)

    order: int | tuple[int, ...] = of(Axes(0), "the old positions in their new order")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        order = self.order
        if isinstance(order, int) or sorted(order) != list(range(len(x))):
            raise Refusal(
                "wrong-axes",
                f"{show(order)} does not name each of the positions 0 to {len(x) - 1} once",
                param="order",
            )
        return tuple(x[i] for i in order)


class Upsample(Layer):
    """Maps made larger by repeating pixels (`nearest`) or by interpolating between them (`linear`)."""

    kind = "upsample"
    positional = ("factor",)

    factor: Sizes | None = axes("how many times larger", default=None)
    to: Sizes | None = axes("the size that is wanted", default=None)
    mode: str = choice("how pixels between are filled", "nearest", "linear", default="nearest")

    def targets(self, x: Shape) -> tuple[int, ...]:
        rank = len(x) - 1
        if self.to is not None:
            return per_axis(self.to, rank, "to", "upsample")
        assert self.factor is not None
        factors = per_axis(self.factor, rank, "factor", "upsample")
        return tuple(n * f for n, f in zip(x[1:], factors, strict=True))

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("upsample", x)
        if (self.factor is None) == (self.to is None):
            raise Refusal(
                "missing-argument" if self.to is None else "extra-argument",
                "`upsample` takes a factor or `to=`, one of the two",
                hint="write `upsample 2` or `upsample to=56x56`",
            )
        return (x[0], *self.targets(x))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        reach = 1 if self.mode == "nearest" else 2
        return tuple(
            View(reach, n / m, -(reach - 1) / 2) for n, m in zip(xs[0][1:], y[1:], strict=True)
        )


class Reduce(Layer):
    """One number of many along an axis, which is kept with size 1.

    Their mean, sum, largest, smallest, or the root of the sum of their squares (`l2`). `reduce mean
    axis=channels` makes one map of all; `axis=space` takes all places of a map together.
    """

    kind = "reduce"
    positional = ("how",)

    how: str = choice("what is taken", "mean", "sum", "max", "min", "l2")
    axis: str = choice(
        "over which axis",
        "channels",
        "height",
        "width",
        "depth",
        "length",
        "space",
        default="channels",
    )

    def indices(self, x: Shape) -> tuple[int, ...]:
        if self.axis == "space":
            need_map("reduce", x)
            return tuple(range(1, len(x)))
        return (axis_index(x, self.axis),)

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        over = self.indices(x)
        return tuple(1 if i in over else n for i, n in enumerate(x))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        (x,) = xs
        over = self.indices(x)
        return tuple(View(n if i in over else 1, 1, 0) for i, n in enumerate(x[1:], 1))
