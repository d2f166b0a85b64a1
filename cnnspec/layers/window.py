"""How does a window slide over a map? Kernel, stride, padding and dilation, axis by axis."""

from collections.abc import Sequence
from functools import lru_cache

from cnnspec.layers.base import Sizes, View, per_axis, per_side
from cnnspec.text.diagnostic import Refusal
from cnnspec.text.record import record
from cnnspec.vocab.param import Axes, Choice, OneOf
from cnnspec.vocab.value import Shape, show_shape

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}

Padding = Sizes | str
"""A number for all sides, one for each axis, two for each axis (begins, then ends), or a word."""

PADDING = OneOf(Axes(0), Choice(("same", "valid")))
"""The type of a `pad` parameter."""


def axis_names(rank: int) -> tuple[str, ...]:
    return AXIS_NAMES.get(rank) or tuple(f"axis {i + 1}" for i in range(rank))


def axis_index(x: Shape, axis: str) -> int:
    """The position in a shape of `channels`, `height`, …; refuses an axis that the map lacks."""
    names = ("channels", *axis_names(len(x) - 1))
    if axis not in names:
        raise Refusal(
            "wrong-axes",
            f"a map of {show_shape(x)} has no {axis}"
            if len(x) > 1
            else f"a flat vector has no {axis}",
            param="axis",
            hint=f"its axes are {', '.join(names)}" if len(x) > 1 else "its axis is channels",
        )
    return names.index(axis)


@record
class Axis:
    """A window along one axis of `n` pixels."""

    n: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    ceil: bool

    @property
    def extent(self) -> int:
        """From the first to the last pixel under the window."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        return self.begin + self.n + self.end

    @property
    def room(self) -> int:
        """How far the window can move."""
        return self.padded - self.extent

    @property
    def out(self) -> int:
        steps = -(-self.room // self.stride) if self.ceil else self.room // self.stride
        # A window that rounding up has put wholly into the padding at the end reads nothing.
        if self.ceil and steps * self.stride >= self.n + self.begin:
            steps -= 1
        return steps + 1

    @property
    def dropped(self) -> int:
        """Real pixels at the end that no window reads because the division is inexact.

        A stride larger than the window skips pixels between windows, on purpose; only what is
        missing beyond such a gap counts.
        """
        read = (self.out - 1) * self.stride + max(self.extent, self.stride)
        return max(0, self.begin + self.n - read)

    @property
    def sees_only_padding(self) -> bool:
        """Does the first or the last window lie wholly in the padding?"""
        last = (self.out - 1) * self.stride
        return self.extent <= self.begin or last >= self.begin + self.n

    @property
    def view(self) -> View:
        return View(self.extent, self.stride, -self.begin)

    def formula(self) -> str:
        """`(32 - 5 + 2·0)/1 + 1 = 28`, as on the slide; `⌊…⌋` or `⌈…⌉` where it rounds."""
        kernel = (
            str(self.extent) if self.dilation == 1 else f"({self.dilation}·{self.kernel - 1} + 1)"
        )
        pads = f"2·{self.begin}" if self.begin == self.end else f"{self.begin} + {self.end}"
        quotient = f"({self.n} - {kernel} + {pads})/{self.stride}"
        if self.room % self.stride:
            quotient = f"⌈{quotient}⌉" if self.ceil else f"⌊{quotient}⌋"
        steps = -(-self.room // self.stride) if self.ceil else self.room // self.stride
        last = " - 1" if self.out == steps else ""
        return f"{quotient} + 1{last} = {self.out}"


@record
class Window:
    """A window over every spatial axis of a map."""

    axes: tuple[Axis, ...]

    @property
    def out(self) -> tuple[int, ...]:
        return tuple(a.out for a in self.axes)

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(a.kernel for a in self.axes)

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(a.stride for a in self.axes)

    @property
    def dilations(self) -> tuple[int, ...]:
        return tuple(a.dilation for a in self.axes)

    @property
    def pads(self) -> tuple[int, ...]:
        """Begins, then ends, as ONNX has them."""
        return (*(a.begin for a in self.axes), *(a.end for a in self.axes))

    @property
    def views(self) -> tuple[View, ...]:
        return tuple(a.view for a in self.axes)

    @property
    def sees_only_padding(self) -> bool:
        return any(a.sees_only_padding for a in self.axes)

    @property
    def dropped(self) -> tuple[int, ...]:
        found = tuple(a.dropped for a in self.axes)
        return found if any(found) else ()

    def formulas(self) -> list[str]:
        """One line where all axes go alike, otherwise one for each, named."""
        return by_axis([a.formula() for a in self.axes])

    def crop_hint(self) -> str:
        """What takes off the pixels that no window reads: nothing else changes by it."""
        amounts = [*(0 for _ in self.axes), *(a.dropped for a in self.axes)]
        return f"`crop ({', '.join(map(str, amounts))})` before it takes them off on purpose"


def by_axis(lines: Sequence[str]) -> list[str]:
    """Lines about the axes of a map: one for all where they are alike, otherwise each named."""
    if len(set(lines)) == 1:
        return list(lines[:1])
    names = axis_names(len(lines))
    return [f"{name}: {line}" for name, line in zip(names, lines, strict=True)]


# A layer is asked for its shape, weights, work and more, all of which rest on the same window.
@lru_cache(maxsize=1024)
def window(
    kind: str,
    x: Shape,
    kernel: Sizes,
    stride: Sizes = 1,
    pad: Padding = 0,
    dilation: Sizes = 1,
    *,
    ceil: bool = False,
    can_pad: bool = True,
) -> Window:
    """The window over map `x`; refuses one that finds no place on the padded map."""
    rank = len(x) - 1
    kernels = per_axis(kernel, rank, "kernel", kind)
    strides = per_axis(stride, rank, "stride", kind)
    dilations = per_axis(dilation, rank, "dilation", kind)
    extents = [d * (k - 1) + 1 for k, d in zip(kernels, dilations, strict=True)]
    begins, ends = _pads(kind, pad, x[1:], extents, strides)
    axes = tuple(
        Axis(n, k, s, d, begin, end, ceil)
        for n, k, s, d, begin, end in zip(
            x[1:], kernels, strides, dilations, begins, ends, strict=True
        )
    )
    for i, axis in enumerate(axes):
        # Rounded up, a window may hang over the end and still have its place.
        if axis.out < 1:
            _refuse_large(axis_names(rank)[i], axis, can_pad)
    return Window(axes)


def keep_hint(pad: Padding, w: Window) -> str:
    """How a convolution reads the pixels that its window drops, or says that it need not."""
    # As many windows as strides begin inside the map leave nothing at its end.
    on_purpose = "pad=valid leaves them out on purpose" if not any(w.pads) else w.crop_hint()
    return f"pad=same reads them; {on_purpose}" if pad != "same" else on_purpose


def _pads(
    kind: str, pad: Padding, sizes: Sequence[int], extents: Sequence[int], strides: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    if not isinstance(pad, str):
        return per_side(pad, len(sizes), "pad", kind)
    if pad == "valid":
        return (0,) * len(sizes), (0,) * len(sizes)
    # As many outputs as strides begin inside the map; an odd pixel goes to the end.
    totals = [
        max(0, (-(-n // s) - 1) * s + e - n)
        for n, e, s in zip(sizes, extents, strides, strict=True)
    ]
    return [t // 2 for t in totals], [t - t // 2 for t in totals]


def _refuse_large(name: str, axis: Axis, can_pad: bool) -> None:
    pads = f"{axis.n} + {axis.begin} + {axis.end}"
    kernel = (
        f"kernel of {axis.kernel}"
        if axis.dilation == 1
        else f"kernel of {axis.kernel} with dilation {axis.dilation}, {axis.extent} wide,"
    )
    fits = f"a kernel of at most {(axis.padded - 1) // axis.dilation + 1} fits"
    need = -(-(axis.extent - axis.n) // 2)
    raise Refusal(
        "kernel-too-large",
        f"a {kernel} is larger than the padded {name} of {pads} = {axis.padded}",
        param="kernel",
        notes=[f"the size would be {axis.formula()}"],
        hint=f"pad={need} or {fits}" if can_pad else fits,
    )
