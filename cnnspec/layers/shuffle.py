"""pixelshuffle, pixelunshuffle, channelshuffle: numbers moved between maps and places."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, View, divisors, need_map, times
from cnnspec.layers.window import axis_names
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import whole
from cnnspec.vocab.value import Shape


class PixelShuffle(Layer):
    """Groups of r·r maps become one map r times as large (sub-pixel convolution).

    Channel c·r·r + i·r + j gives the pixels of row i and column j in every r by r block of map c. A
    super-resolution network computes on small maps and ends in `conv 3*r*r 3x3 -> pixelshuffle r`.
    (Shi et al., 2016)
    """

    kind = "pixelshuffle"
    positional = ("factor",)

    factor: int = whole("how many times larger, r")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("pixelshuffle", x)
        rank = len(x) - 1
        group = self.factor**rank
        if x[0] % group:
            power = f" = {group}" if rank > 1 else ""
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into groups of {times([self.factor] * rank)}{power}",
                param="factor",
                hint=f"{(x[0] // group + 1) * group} channels do",
            )
        return (x[0] // group, *(n * self.factor for n in x[1:]))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(1, 1 / self.factor, 0) for _ in xs[0][1:])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        blocks = times([self.factor] * (len(x) - 1))
        return [f"channels {x[0]}/({blocks}) = {y[0]}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        r, rank = self.factor, len(y) - 1
        if r == 1:
            return x
        if rank == 2:
            return g.op("DepthToSpace", x, shape=y, blocksize=r, mode="CRD")
        # (c, r…, n…) becomes (c, n·r…): each new axis behind the one that it enlarges.
        split = (y[0], *[r] * rank, *x.inner[1:])
        order = [0, 1, *(a for i in range(rank) for a in (2 + rank + i, 2 + i))]
        return split_and_join(g, x, split, order, y)


class PixelUnshuffle(Layer):
    """Blocks of r·r pixels become r·r maps (space to depth): `pixelshuffle` backwards.

    It makes maps smaller without leaving anything out, which a convolution with a stride then does
    on its own terms.
    """

    kind = "pixelunshuffle"
    positional = ("factor",)

    factor: int = whole("how many times smaller, r")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("pixelunshuffle", x)
        rank = len(x) - 1
        for name, n in zip(axis_names(rank), x[1:], strict=True):
            if n % self.factor:
                raise Refusal(
                    "indivisible-groups",
                    f"a {name} of {n} does not split into blocks of {self.factor}",
                    param="factor",
                    hint=f"{n} divides by {divisors(n)}",
                )
        return (x[0] * self.factor**rank, *(n // self.factor for n in x[1:]))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(View(self.factor, self.factor, 0) for _ in xs[0][1:])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        return [f"channels {x[0]}·{times([self.factor] * (len(x) - 1))} = {y[0]}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        r, rank = self.factor, len(y) - 1
        if r == 1:
            return x
        split = (x.inner[0], *(n for m in y[1:] for n in (m, r)))
        order = [0, 1, *(3 + 2 * i for i in range(rank)), *(2 + 2 * i for i in range(rank))]
        return split_and_join(g, x, split, order, y)


class ChannelShuffle(Layer):
    """The channels of all groups interleaved, so that the next groups see some of each.

    The channels are written into a table with a row for each group and read column by column.
    (ShuffleNet, Zhang et al., 2018)
    """

    kind = "channelshuffle"
    positional = ("groups",)

    groups: int = whole("how many groups the channels come in")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("channelshuffle", x)
        if x[0] % self.groups:
            raise Refusal(
                "indivisible-groups",
                f"{x[0]} channels do not split into {self.groups} equal groups",
                param="groups",
                hint=f"{x[0]} divides by {divisors(x[0])}",
            )
        return x

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        each = y[0] // self.groups
        if 1 in (self.groups, each):
            return x
        if g.is_dynamic:
            order = [group * each + k for k in range(each) for group in range(self.groups)]
            return g.op("Gather", x, g.ints("order", order), shape=y, axis=1)
        split = (self.groups, each, *y[1:])
        return split_and_join(g, x, split, [0, 2, 1, *range(3, len(split) + 1)], y)


def split_and_join(
    g: Builder, x: Value, split: Sequence[int], order: Sequence[int], y: Shape
) -> Value:
    """The axes split up, put into another order, and joined to the shape y."""
    x = g.op("Reshape", x, g.ints("split", (0, *split)), shape=split, part="apart")
    turned = [split[a - 1] for a in order[1:]]
    x = g.op("Transpose", x, shape=turned, part="turned", perm=order)
    return g.op("Reshape", x, g.ints("shape", (0, *y)), shape=y)
