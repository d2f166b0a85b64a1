"""upsample: maps made larger without any weights."""

from collections.abc import Sequence
from math import floor

from cnnspec.layers.base import Layer, Sizes, View, need_map, per_axis
from cnnspec.layers.window import axis_names, by_axis
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import axes, choice
from cnnspec.vocab.value import Shape


class Upsample(Layer):
    """Maps made larger, by repeating pixels or by interpolating between them.

    `upsample 2` doubles every axis; `upsample to=(e1.height, e1.width)` fits a map to another one.
    With `mode=nearest` pixel i of m is a copy of pixel ⌊i·n/m⌋ of n. With `mode=linear` it lies at
    (i + 1/2)·n/m - 1/2 between two pixels of each axis, and is their weighted mean: bilinear in
    images, trilinear in volumes. At the border the edge is repeated.
    """

    kind = "upsample"
    positional = ("factor",)

    factor: Sizes | None = axes("how many times larger, for all axes or each", default=None)
    to: Sizes | None = axes("the size that is wanted, as in 56x56", default=None)
    mode: str = choice("what comes between the pixels", "nearest", "linear", default="nearest")

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map("upsample", x)
        if self.factor is None and self.to is None:
            raise Refusal(
                "missing-argument",
                "`upsample` needs a factor or `to=`",
                hint="write `upsample 2` or `upsample to=56x56`",
            )
        if self.factor is not None and self.to is not None:
            raise Refusal(
                "extra-argument", "`to` settles the size; so does `factor`", param="factor"
            )
        y = self._sizes(x)
        for name, n, m in zip(axis_names(len(y)), x[1:], y, strict=True):
            if m < n:
                raise Refusal(
                    "wrong-size",
                    f"a {name} of {n} is larger already than {m}",
                    param="to",
                    hint="`avgpool to=…` makes maps smaller",
                )
        return (x[0], *y)

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        return tuple(self._view(n, m) for n, m in zip(xs[0][1:], y[1:], strict=True))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        if self.factor is None:
            return ()
        rank = len(y) - 1
        columns = zip(xs[0][1:], per_axis(self.factor, rank, "factor", "upsample"), strict=True)
        return by_axis([f"{n}·{f} = {n * f}" for n, f in columns])

    def _sizes(self, x: Shape) -> tuple[int, ...]:
        rank = len(x) - 1
        if self.to is not None:
            return per_axis(self.to, rank, "to", "upsample")
        assert self.factor is not None, "the shape rule asks for one of the two"
        factors = per_axis(self.factor, rank, "factor", "upsample")
        return tuple(n * f for n, f in zip(x[1:], factors, strict=True))

    def _view(self, n: int, m: int) -> View:
        if self.mode == "nearest" or n == m:
            return View(1, n / m, 0)
        return View(2, n / m, floor(n / m / 2 - 1 / 2))
