"""upsample: maps made larger without any weights."""

from collections.abc import Mapping, Sequence
from math import floor

from cnnspec.layers.base import Layer, Sizes, View, need_map, per_axis
from cnnspec.layers.window import axis_names, by_axis
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
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

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if x.inner == y:
            return x
        sizes = list(zip(x.inner[1:], y[1:], strict=True))
        if self.mode == "nearest" and any(m % n for n, m in sizes):
            return self._gather(g, x, sizes)
        scales = [_scale(n, m) for n, m in sizes]
        nearest = self.mode == "nearest"
        return g.op(
            "Resize",
            x,
            None,
            g.floats("scales", (1, 1, *scales)),
            shape=y,
            mode=self.mode,
            coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
            nearest_mode="floor" if nearest else None,
        )

    def _gather(self, g: Builder, x: Value, sizes: list[tuple[int, int]]) -> Value:
        """Pixel i of m from pixel ⌊i·n/m⌋ of n by a list of them: where n does not divide m,
        engines work with rounded quotients, and differ."""
        grown = [(axis, n, m) for axis, (n, m) in enumerate(sizes, 2) if n != m]
        for axis, n, m in grown:
            part = "" if axis == grown[-1][0] else "axis"
            dims = (*x.shape[:axis], m, *x.shape[axis + 1 :])
            reads = g.ints("reads", [i * n // m for i in range(m)])
            x = g.op("Gather", x, reads, dims=dims, part=part, axis=axis)
        return x


def _scale(n: int, m: int) -> float:
    """The factor with which an engine comes from n to m pixels when it rounds n·factor down."""
    # A hair more than m/n, so that what single precision loses does not cost a pixel; it moves
    # none by more than a millionth of the map.
    return m / n if m % n == 0 else m / n * (1 + 2e-7)
