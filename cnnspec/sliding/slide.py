"""What comes out where a window stops on a map: which products, and what sum?

A convolution of networks lays the kernel on the map as it is written, which elsewhere is called
cross-correlation. What elsewhere is called convolution turns it by 180 degrees before:

    correlation   y[i, j] = Σ_ab x[i·s + a·d - p, j·s + b·d - p] · k[a, b]
    convolution   y[i, j] = Σ_ab x[i·s + a·d - p, j·s + b·d - p] · k[m - 1 - a, n - 1 - b]

Beyond the map there are zeros. A pool takes the largest or the mean of what the window shows, and
counts the padding for neither, as `maxpool` and `avgpool` do.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Literal

from cnnspec.layers.window import Axis, Window
from cnnspec.sliding.kernels import Kernel
from cnnspec.sliding.matrix import Plane
from cnnspec.sliding.numbers import Number, plain
from cnnspec.text.record import record

Operation = Literal["correlation", "convolution", "max", "avg"]

TITLES: dict[Operation, str] = {
    "correlation": "cross-correlation (what CNN libraries call convolution)",
    "convolution": "convolution (the kernel turned by 180°)",
    "max": "max pooling",
    "avg": "average pooling",
}


@record
class Term:
    """One number under the window: its value, and where there is a kernel its weight."""

    value: Number
    weight: Number
    product: Number
    is_padding: bool


@record
class Part:
    """What one channel has under the window, row by row, and the sum of its products."""

    terms: Sequence[Term]
    total: Number


@record
class Step:
    """The window on one place; `row` and `column` of the output, from 0."""

    row: int
    column: int
    parts: Sequence[Part]
    total: Number
    """What stands in the output."""


@record
class Slide:
    """A window that slides over the channels of a map."""

    operation: Operation
    value: Callable[[int, int, int], Number]
    """Of a channel, row and column inside the map."""
    channels: Sequence[str]
    """Their names."""
    window: Window
    kernel: Kernel
    """As it was given; for a pool of ones."""
    bias: Number = 0

    @property
    def weights(self) -> Kernel:
        """The kernel as it lies on the map."""
        return self.kernel.turned() if self.operation == "convolution" else self.kernel

    @property
    def is_pool(self) -> bool:
        return self.operation in ("max", "avg")

    @property
    def out(self) -> tuple[int, int]:
        rows, columns = self.window.axes
        return rows.out, columns.out

    def step(self, row: int, column: int) -> Step:
        parts = [self._part(c, p, row, column) for c, p in enumerate(self.weights.planes)]
        return Step(row, column, parts, self._total(parts))

    def steps(self) -> Iterator[Step]:
        """Row by row."""
        rows, columns = self.out
        return (self.step(r, c) for r in range(rows) for c in range(columns))

    def output(self) -> list[list[Number]]:
        rows, columns = self.out
        return [[self.step(r, c).total for c in range(columns)] for r in range(rows)]

    def _part(self, channel: int, weights: Plane, row: int, column: int) -> Part:
        down, right = self.window.axes
        terms: list[Term] = []
        for a, i in enumerate(places(down, row)):
            for b, j in enumerate(places(right, column)):
                is_padding = not (0 <= i < down.n and 0 <= j < right.n)
                value = 0 if is_padding else self.value(channel, i, j)
                weight = weights[a][b]
                terms.append(Term(value, weight, value * weight, is_padding))
        return Part(terms, sum(t.product for t in terms))

    def _total(self, parts: Sequence[Part]) -> Number:
        if self.is_pool:
            (part,) = parts
            seen = [t.value for t in part.terms if not t.is_padding]
            return max(seen) if self.operation == "max" else plain(Fraction(sum(seen)) / len(seen))
        total = sum(p.total for p in parts)
        return plain(Fraction(total) / self.kernel.divisor + self.bias)


def places(axis: Axis, step: int) -> Sequence[int]:
    """The pixels of an axis that the window shows; those outside of 0 to n are padding."""
    first = step * axis.stride - axis.begin
    return range(first, first + axis.extent, axis.dilation)
