"""maxpool, avgpool, lppool: one number for each window of each map."""

from collections.abc import Sequence

from cnnspec.layers.base import Layer, View, Work, need_map, product
from cnnspec.layers.window import PADDING, Padding, Sizes, Window, axis_names, window
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, Choice, OneOf, axes, flag, number, of
from cnnspec.vocab.value import Shape


class Pool(Layer):
    """Base of the pools: a window, the whole map (`global`), or as many windows as asked (`to=`)."""

    positional = ("kernel",)

    kernel: Sizes | str | None = of(
        OneOf(Axes(), Choice(("global",))), "the window, as in 2x2, or global", default=None
    )
    stride: Sizes | None = axes("how far the window moves; by default its own size", default=None)
    pad: Padding = of(PADDING, "a border that counts for nothing, as for conv", default=0)
    ceil: bool = flag("rounds the number of windows up instead of down", default=False)
    to: Sizes | None = axes("how many windows there shall be, as in 7x7 (adaptive)", default=None)

    @property
    def is_adaptive(self) -> bool:
        return self.to is not None

    @property
    def is_global(self) -> bool:
        return self.kernel == "global"

    def window(self, x: Shape) -> Window:
        """The window, also of a global pool; of an adaptive one where its windows are alike."""
        if self.is_global:
            return window(self.kind, x, x[1:], 1, 0)
        if self.to is not None:
            steps = [n // m for n, m in zip(x[1:], self.targets(x), strict=True)]
            return window(self.kind, x, tuple(steps), tuple(steps), 0)
        assert isinstance(self.kernel, int | tuple)
        stride = self.kernel if self.stride is None else self.stride
        return window(self.kind, x, self.kernel, stride, self.pad, ceil=self.ceil)

    def targets(self, x: Shape) -> tuple[int, ...]:
        from cnnspec.layers.base import per_axis

        assert self.to is not None
        return per_axis(self.to, len(x) - 1, "to", self.kind)

    def is_even(self, x: Shape) -> bool:
        """Do an adaptive pool's windows divide the map without overlap?"""
        return all(n % m == 0 for n, m in zip(x[1:], self.targets(x), strict=True))

    def adaptive_windows(self, x: Shape) -> list[list[tuple[int, int]]]:
        """From where to where each window of an adaptive pool goes, axis by axis."""
        return [
            [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
            for n, m in zip(x[1:], self.targets(x), strict=True)
        ]

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map(self.kind, x)
        if (self.kernel is None) == (self.to is None):
            raise Refusal(
                "missing-argument" if self.to is None else "extra-argument",
                f"`{self.kind}` takes a window or `to=`, one of the two",
                param="kernel" if self.kernel is not None else None,
                hint=f"write `{self.kind} 2x2`, `{self.kind} global` or `{self.kind} to=7x7`",
            )
        if self.kernel is None or self.is_global:
            self._refuse_window_arguments()
        if self.to is not None:
            self._check_targets(x)
            return (x[0], *self.targets(x))
        return (x[0], *self.window(x).out)

    def work(self, y: Shape, *xs: Shape) -> Work:
        (x,) = xs
        if self.to is not None:
            seen = product([sum(b - a for a, b in axis) for axis in self.adaptive_windows(x)])
            return Work(0, x[0] * seen)
        return Work(0, product(self.window(x).kernel) * product(y))

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        (x,) = xs
        if self.to is not None and not self.is_even(x):
            return tuple(
                View(max(b - a for a, b in axis), n / len(axis), 0)
                for axis, n in zip(self.adaptive_windows(x), x[1:], strict=True)
            )
        return self.window(x).views

    def dropped(self, *xs: Shape) -> Sequence[int]:
        deliberate = self.was_given("ceil") or self.pad == "valid"
        if deliberate or self.to is not None or self.is_global:
            return ()
        return self.window(xs[0]).dropped

    def keep_hint(self, *xs: Shape) -> str | None:
        return "ceil=yes reads them; ceil=no says that they are left out on purpose"

    def sees_only_padding(self, *xs: Shape) -> bool:
        return self.to is None and self.window(xs[0]).sees_only_padding

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        if self.is_global:
            return [f"one number for {'·'.join(map(str, x[1:]))} = {product(x[1:]):,}"]
        if self.to is not None:
            return [
                f"{name}: {n} pixels in {m} windows"
                for name, n, m in zip(axis_names(len(x) - 1), x[1:], y[1:], strict=True)
            ]
        return self.window(x).formulas()

    def _refuse_window_arguments(self) -> None:
        for name in ("stride", "pad", "ceil"):
            if self.was_given(name):
                what = "a global pool" if self.is_global else "a pool with `to=`"
                raise Refusal(
                    "extra-argument",
                    f"{what} has no `{name}`: it has no window of its own",
                    param=name,
                )

    def _check_targets(self, x: Shape) -> None:
        for name, n, m in zip(axis_names(len(x) - 1), x[1:], self.targets(x), strict=True):
            if m > n:
                raise Refusal(
                    "kernel-too-large",
                    f"{m} windows do not fit into a {name} of {n}",
                    param="to",
                    hint="a pool makes maps smaller; `upsample` makes them larger",
                )


class MaxPool(Pool):
    """The largest number in each window. Padding never is the largest.

    The stride is the window's size unless given. `maxpool global` sees the whole map; `maxpool to=7x7` makes 7x7
    windows of it, whatever its size (adaptive pooling).
    """

    kind = "maxpool"


class AvgPool(Pool):
    """The mean of each window.

    The stride is the window's size unless given. `avgpool global` takes the mean of each whole map;
    `avgpool to=7x7` makes 7x7 windows of it, whatever its size. Padding counts as zeros with
    `count_pad=yes`, as in Caffe and PyTorch, and is left out of the mean otherwise.
    """

    kind = "avgpool"

    count_pad: bool = flag("counts the padding's zeros into the mean", default=False)


class LpPool(Pool):
    """The p-norm of each window: (Σ|x|^p)^(1/p)."""

    kind = "lppool"

    p: float = number("the norm's power", least=1, default=2)
