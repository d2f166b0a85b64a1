"""What is an exercise as a whole: an input, what slides over it, and what comes out?"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from cnnspec.sliding.numbers import Number
from cnnspec.sliding.slide import TITLES, Slide
from cnnspec.text.record import record


class Rows(Protocol):
    """Rows of numbers: lists that were calculated exactly, or an array."""

    def __len__(self) -> int: ...
    def __getitem__(self, i: int, /) -> Sequence[float] | Sequence[Number]: ...


@record
class Result:
    """A way to slide, and all that comes out of it."""

    slide: Slide
    output: Rows


@record
class Exercise:
    """What is asked for, and the other of correlation and convolution where it differs."""

    name: str
    is_picture: bool
    """Are its numbers those of pixels, 0 to 255?"""
    channels: Sequence[Rows]
    """The input."""
    result: Result
    other: Result | None

    @property
    def results(self) -> Iterator[Result]:
        yield self.result
        if self.other is not None:
            yield self.other

    @property
    def title(self) -> str:
        return TITLES[self.result.slide.operation]

    def facts(self) -> list[str]:
        """How the window moves, in words, where it is not one by one and without a border."""
        slide = self.result.slide
        down, right = slide.window.axes
        pads = [down.begin, down.end, right.begin, right.end]
        sides = "top {}, bottom {}, left {}, right {}".format(*pads)
        found = [
            f"stride {_both(down.stride, right.stride)}",
            f"padding {pads[0] if len(set(pads)) == 1 else sides}" if any(pads) else "no padding",
        ]
        if (down.dilation, right.dilation) != (1, 1):
            found.append(f"dilation {_both(down.dilation, right.dilation)}")
        first, *others = slide.kernel.planes
        if others and all(plane is first for plane in others):
            found.append(
                f"the same kernel for each of {len(slide.channels)} channels, all added up"
            )
        return found


def _both(a: int, b: int) -> str:
    return str(a) if a == b else f"{a}x{b}"
