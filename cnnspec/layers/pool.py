"""maxpool, avgpool, lppool: one number for each window of each map."""

from collections.abc import Mapping, Sequence
from math import gcd

from cnnspec.layers.base import Layer, Sizes, View, Work, need_map, per_axis, product, times
from cnnspec.layers.window import PADDING, Padding, Window, axis_names, by_axis, window
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import Axes, Choice, OneOf, axes, flag, number, of
from cnnspec.vocab.value import Shape, show_shape


class Pool(Layer):
    """Base of the pools: a window, the whole map (`global`), or as many windows as asked."""

    positional = ("kernel",)

    kernel: Sizes | str | None = of(
        OneOf(Axes(), Choice(("global",))), "the window, as in 2x2, or global", default=None
    )
    stride: Sizes | None = axes("how far the window moves; by default its own size", default=None)
    pad: Padding = of(PADDING, "a border around the map, as for conv", default=0)
    ceil: bool = flag("rounds the number of windows up instead of down", default=False)
    to: Sizes | None = axes("how many windows there shall be, as in 7x7 (adaptive)", default=None)

    @property
    def is_global(self) -> bool:
        # A pool to 1, or 1x1, is a global one by another name.
        one = self.to == 1 or (isinstance(self.to, tuple) and product(self.to) == 1)
        return one or self.kernel == "global"

    def window(self, x: Shape) -> Window:
        """The window over a map, also where it is the whole map."""
        if self.kernel == "global":
            return window(self.kind, x, x[1:])
        assert isinstance(self.kernel, int | tuple), "an adaptive pool has no one window"
        stride = self.kernel if self.stride is None else self.stride
        return window(self.kind, x, self.kernel, stride, self.pad, ceil=self.ceil)

    def cuts(self, x: Shape) -> tuple[tuple[int, int], ...]:
        """For each axis of an adaptive pool its size and the number of windows.

        Window i of m over n pixels goes from ⌊i·n/m⌋ up to ⌈(i+1)·n/m⌉: they overlap where m does
        not divide n.
        """
        assert self.to is not None
        return tuple(zip(x[1:], per_axis(self.to, len(x) - 1, "to", self.kind), strict=True))

    def shape(self, *xs: Shape) -> Shape:
        (x,) = xs
        need_map(self.kind, x)
        self._check_arguments()
        if self.to is not None:
            return (x[0], *self._check_cuts(x))
        w = self.window(x)
        self._check_padding(w)
        return (x[0], *w.out)

    def work(self, y: Shape, *xs: Shape) -> Work:
        (x,) = xs
        if self.to is None:
            return Work(0, product(self.window(x).kernel) * product(y))
        # Σ over i of the windows' sizes: every pixel once, and once more wherever two windows
        # share one, which is at each cut that falls inside a pixel.
        read = product([n + m - gcd(n, m) for n, m in self.cuts(x)])
        return Work(0, x[0] * read)

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        (x,) = xs
        if self.to is None:
            return self.window(x).views
        return tuple(View(_widest(n, m), n / m, 0) for n, m in self.cuts(x))

    def dropped(self, *xs: Shape) -> Sequence[int]:
        on_purpose = self.was_given("ceil") or self.pad == "valid"
        return () if on_purpose or self.to is not None else self.window(xs[0]).dropped

    def keep_hint(self, *xs: Shape) -> str | None:
        return "ceil=yes reads them; ceil=no leaves them out on purpose"

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        (x,) = xs
        connections = f"{self.work(y, x).connections:,}"
        if self.is_global:
            return [
                f"one window over all {times(x[1:])} = {product(x[1:]):,} pixels",
                f"connections {times(x)} = {connections}",
            ]
        if self.to is None:
            w = self.window(x)
            return [*w.formulas(), f"connections {times(w.kernel)}·{times(y)} = {connections}"]
        read = "·".join(f"({n} + {m} - {gcd(n, m)})" for n, m in self.cuts(x))
        return [
            *by_axis([f"{n} pixels in {m} windows of {_widths(n, m)}" for n, m in self.cuts(x)]),
            f"connections {read}·{x[0]} = {connections}",
        ]

    def _check_arguments(self) -> None:
        """A window, `global` or `to=`: one of them, and what belongs to a window only with one."""
        if self.kernel is None and self.to is None:
            raise Refusal(
                "missing-argument",
                f"`{self.kind}` needs a window, `global` or `to=`",
                hint=f"write `{self.kind} 2x2`, `{self.kind} global` or `{self.kind} to=7x7`",
            )
        if isinstance(self.kernel, int | tuple) and self.to is None:
            return
        what = "`global`" if self.kernel == "global" else "`to`"
        names = ("stride", "pad", "ceil", *(() if self.to is None else ("kernel",)))
        if name := next((n for n in names if self.was_given(n)), None):
            raise Refusal(
                "extra-argument",
                f"{what} settles the window of `{self.kind}`; `{name}` has nothing to say",
                param=name,
            )

    def _check_cuts(self, x: Shape) -> tuple[int, ...]:
        for name, (n, m) in zip(axis_names(len(x) - 1), self.cuts(x), strict=True):
            if m > n:
                raise Refusal(
                    "wrong-size",
                    f"`to` asks for {m} windows along a {name} of {n}",
                    param="to",
                    hint=f"a pool never makes maps larger: at most {show_shape(x[1:])}",
                )
        return tuple(m for _, m in self.cuts(x))

    def _check_padding(self, w: Window) -> None:
        """Refuse windows that hold no pixel: they have no largest one and no mean."""
        for name, axis in zip(axis_names(len(w.axes)), w.axes, strict=True):
            if axis.sees_only_padding:
                raise Refusal(
                    "wrong-size",
                    f"some windows of `{self.kind}` hold no pixel: along the {name} the padding "
                    f"is {max(axis.begin, axis.end)} wide, the window {axis.kernel}",
                    param="pad",
                    hint=f"with a pad of at most {axis.kernel - 1} every window holds one",
                )

    def pads(self, x: Shape) -> tuple[int, ...]:
        """Begins, then ends, such that rounding down gives the size: what the author padded, or
        what windows hang over the end. Runtimes refuse an end as wide as a window."""
        axes = self.window(x).axes
        reach = [max(0, (a.out - 1) * a.stride + a.extent - a.n - a.begin) for a in axes]
        ends = [
            r if self.ceil or a.end >= a.kernel else a.end for a, r in zip(axes, reach, strict=True)
        ]
        return (*(a.begin for a in axes), *ends)

    def plain(self, x: Shape) -> "Pool | None":
        """An adaptive pool as one of a window, where its windows are all alike."""
        if self.to is None:
            return self
        if any(n % m for n, m in self.cuts(x)):
            return None
        return type(self)(**{**self.rest(), "kernel": tuple(n // m for n, m in self.cuts(x))})

    def rest(self) -> dict[str, object]:
        """The arguments that are not about windows."""
        windows = ("kernel", "stride", "pad", "ceil", "to")
        return {k: v for k, v in self.given.items() if k not in windows}

    def slide(
        self,
        g: Builder,
        op: str,
        y: Shape,
        x: Value,
        count_include_pad: int | None = None,
        p: int | None = None,
    ) -> Value:
        """A pool of ONNX with this window."""
        window = self.window(x.inner)
        return g.op(
            op,
            unmerged(g, x),
            shape=y,
            kernel_shape=window.kernel,
            strides=window.strides,
            pads=self.pads(x.inner),
            count_include_pad=count_include_pad,
            p=p,
        )

    def overhang(self, x: Shape) -> tuple[int, ...]:
        """By how many pixels the last window of each axis goes beyond the padding."""
        axes = self.window(x).axes
        return tuple(max(0, (a.out - 1) * a.stride + a.extent - a.padded) for a in axes)


def unmerged(g: Builder, x: Value) -> Value:
    """The same value, kept apart from a `pad` that makes it.

    ONNX Runtime 1.31 merges a border of zeros into the pool behind it, where zeros no longer count
    as numbers of a maximum, and a border as wide as the window is refused.
    """
    if not any(node.op == "Pad" and x.name in node.outputs for node in g.model.nodes):
        return x
    # A maximum of one value is that value, and no pass of the runtime takes it away.
    return g.op("Max", x, part="bordered")


def _widest(n: int, m: int) -> int:
    """The largest of m adaptive windows over n pixels."""
    # With n/m in lowest terms a window begins a/m into a pixel, 0 ≤ a < m, and is ⌈(a + n)/m⌉ wide.
    n, m = n // gcd(n, m), m // gcd(n, m)
    return (n + m - 2) // m + 1


def _widths(n: int, m: int) -> str:
    widest = _widest(n, m)
    narrowest = -(-n // m)
    return str(widest) if widest == narrowest else f"{narrowest} or {widest}"


class MaxPool(Pool):
    """The largest number in each window; padding never is the largest.

    The stride is the window's size unless given: `maxpool 2x2` halves a map. `maxpool global` sees
    the whole map; `maxpool to=7x7` makes 7x7 windows of it, whatever its size (adaptive pooling).
    `ceil=yes` rounds the number of windows up, so that the last one may hang over the end and no
    pixel is left out.
    """

    kind = "maxpool"

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if self.is_global:
            return g.op("GlobalMaxPool", x, shape=y)
        pool = self.plain(x.inner)
        if pool is not None:
            return pool.slide(g, "MaxPool", y, x)
        # Windows made equally wide by reading their last pixel again, which no maximum notices.
        cuts = self.cuts(x.inner)
        for axis, (n, m) in enumerate(cuts, 2):
            wide = _widest(n, m)
            reads = [
                min(i * n // m + k, -(-(i + 1) * n // m) - 1) for i in range(m) for k in range(wide)
            ]
            size = (*x.shape[:axis], len(reads), *x.shape[axis + 1 :])
            x = g.op("Gather", x, g.ints("reads", reads), dims=size, part="windows", axis=axis)
        widest = [_widest(n, m) for n, m in cuts]
        return g.op("MaxPool", x, shape=y, kernel_shape=widest, strides=widest)


class AvgPool(Pool):
    """The mean of each window.

    The stride is the window's size unless given: `avgpool 2x2` halves a map. `avgpool global` takes
    the mean of each whole map; `avgpool to=7x7` makes 7x7 windows of it, whatever its size
    (adaptive pooling). Padding is left out of the mean, or, with `count_pad=yes`, counts as zeros,
    which is what Caffe and PyTorch do unless told otherwise. What hangs over the end with
    `ceil=yes` never counts.
    """

    kind = "avgpool"

    count_pad: bool = flag("counts the padding's zeros into the mean", default=False)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        if self.is_global:
            return g.op("GlobalAveragePool", x, shape=y)
        pool = self.plain(x.inner)
        if pool is None:
            return windowed_sums(g, y, x, self.cuts(x.inner), is_mean=True)
        if not self.count_pad or pool.to is not None or not any(pool.window(x.inner).pads):
            return pool.slide(g, "AveragePool", y, x)
        window = pool.window(x.inner)
        overhang = pool.overhang(x.inner)
        if not any(overhang):
            return pool.slide(g, "AveragePool", y, x, count_include_pad=1)
        # Zeros that count are written out, so that what hangs over the end does not.
        padded = [n + a.begin + a.end for n, a in zip(x.inner[1:], window.axes, strict=True)]
        rank = len(padded)
        pads = g.ints("pads", (0, 0, *window.pads[:rank], 0, 0, *window.pads[rank:]))
        x = g.op("Pad", x, pads, shape=(x.inner[0], *padded), part="padded")
        return g.op(
            "AveragePool",
            x,
            shape=y,
            kernel_shape=window.kernel,
            strides=window.strides,
            pads=(*(0 for _ in overhang), *overhang),
        )


class LpPool(Pool):
    """The p-norm of each window: (Σ|x|^p)^(1/p), with p = 2 the length of the window as a vector.

    Windows are those of `maxpool`. Large p comes near to the maximum, p = 1 is the sum of sizes.
    """

    kind = "lppool"

    p: float = number("the norm's power", least=1, default=2)

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        (x,) = xs
        pool = self.plain(x.inner)
        if self.p == int(self.p) and pool is not None:
            if not self.is_global:
                return pool.slide(g, "LpPool", y, x, p=int(self.p))
            # ONNX Runtime has not followed the operator to opset 22.
            if g.opset < 22:
                return g.op("GlobalLpPool", x, shape=y, p=int(self.p))
        powers = g.op("Pow", g.op("Abs", x, part="sizes"), g.scalar("p", self.p), part="powers")
        if self.is_global:
            places = range(2, len(x.shape))
            sums = g.reduce("ReduceSum", powers, places, shape=y, part="sums", keepdims=1)
        elif pool is None:
            sums = windowed_sums(g, y, powers, self.cuts(x.inner), is_mean=False, part="sums")
        else:
            window = pool.window(x.inner)
            means = g.op(
                "AveragePool",
                powers,
                shape=y,
                part="means",
                kernel_shape=window.kernel,
                strides=window.strides,
                pads=pool.pads(x.inner),
                count_include_pad=1,
            )
            sums = g.op("Mul", means, g.scalar("pixels", product(window.kernel)), part="sums")
        return g.op("Pow", sums, g.scalar("root", 1 / self.p))


def windowed_sums(
    g: Builder,
    y: Shape,
    x: Value,
    cuts: Sequence[tuple[int, int]],
    *,
    is_mean: bool,
    part: str = "",
) -> Value:
    """The sum (or mean) of each adaptive window, axis by axis.

    Along one axis it is a product with a matrix that has a column of equal numbers for each window.
    """
    for axis, (n, m) in enumerate(cuts, 2):
        windows = [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]
        shares = [
            (1 / (end - start) if is_mean else 1) if start <= k < end else 0
            for k in range(n)
            for start, end in windows
        ]
        matrix = g.floats("windows", shares, (n, m))
        last = len(x.shape) - 1
        is_done = axis == last
        size = (*x.shape[:axis], m, *x.shape[axis + 1 :])
        if is_done:
            return g.op("MatMul", x, matrix, dims=size, part=part)
        # The axis goes to the end, is summed and goes back.
        perm = [*(a for a in range(last + 1) if a != axis), axis]
        back = [perm.index(a) for a in range(last + 1)]
        turned = tuple(x.shape[a] for a in perm)
        x = g.op("Transpose", x, dims=turned, part="turned", perm=perm)
        x = g.op("MatMul", x, matrix, dims=(*turned[:-1], m), part="axis")
        x = g.op("Transpose", x, dims=size, part="back", perm=back)
    raise AssertionError("a map has at least one axis")
