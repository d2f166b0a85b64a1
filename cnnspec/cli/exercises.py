"""How do the words of a call become an exercise with its result?"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, Literal

from cnnspec.layers.window import Window, window
from cnnspec.sliding.examples import DIGITS, example
from cnnspec.sliding.exercise import Exercise, Result, Rows
from cnnspec.sliding.kernels import Kernel, kernel
from cnnspec.sliding.matrix import Plane, is_written, planes
from cnnspec.sliding.numbers import Number, number, plain
from cnnspec.sliding.slide import Operation, Slide

EXACT = 100_000
"""Products that are calculated one by one, without rounding; more are left to NumPy."""

MOST = 90_000_000
"""Numbers of an output."""

MOST_TEXT = 64_000_000
"""Bytes of a file of text."""

TEXTUAL = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
"""Pictures that begin like text."""

OTHER: dict[Operation, Operation] = {"correlation": "convolution", "convolution": "correlation"}


@dataclass(frozen=True)
class Asked:
    """What a call says."""

    image: str
    kernel: str | None
    pool: tuple[Literal["max", "avg"], Any] | None
    stride: Any
    pad: Any
    dilation: Any
    bias: str
    is_true: bool
    colours: Literal["grey", "rgb"] | None
    place: tuple[int, int] | None


@dataclass(frozen=True)
class Input:
    """The numbers to slide over: rows that were written, or an array."""

    name: str
    channels: Sequence[Rows]
    names: Sequence[str]
    is_picture: bool
    array: Any = None

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.channels), len(self.channels[0]), len(self.channels[0][0])

    @property
    def value(self) -> Callable[[int, int, int], Number]:
        channels = self.channels
        return lambda c, i, j: exact(channels[c][i][j])


def exact(x: Any) -> Number:
    """A float as the decimal number that it is written as."""
    return x if isinstance(x, int | Fraction) else plain(Fraction(repr(float(x))))


def exercise_of(asked: Asked) -> Exercise:
    """Raises `ValueError` and `Refusal` with what is wrong."""
    given = _input(asked)
    slide = _slide(asked, given)
    rows, columns = slide.out
    if rows * columns > MOST:
        raise ValueError(f"the output would be {rows:,}x{columns:,}, more than {MOST:,} numbers")
    if asked.place is not None and (asked.place[0] > rows or asked.place[1] > columns):
        raise ValueError(f"--at {asked.place[0]},{asked.place[1]}: the output is {rows}x{columns}")
    other = None
    if slide.operation in OTHER and not slide.kernel.is_turned_alike():
        turned = _as(slide, OTHER[slide.operation])
        other = Result(turned, _output(turned, given))
    result = Result(slide, _output(slide, given))
    return Exercise(given.name, given.is_picture, given.channels, result, other)


def _as(slide: Slide, operation: Operation) -> Slide:
    return Slide(operation, slide.value, slide.channels, slide.window, slide.kernel, slide.bias)


def _slide(asked: Asked, given: Input) -> Slide:
    if asked.pool is not None:
        which, size = asked.pool
        if len(given.channels) > 1:
            raise ValueError("a pool goes through each channel by itself; give it one")
        stride = size if asked.stride is None else asked.stride
        w = window(f"{which}pool", given.shape, size, stride, asked.pad)
        if w.sees_only_padding:
            raise ValueError("some windows would hold nothing but padding; --pad must be smaller")
        ones = Kernel(asked.pool[0], [[[1] * w.kernel[1]] * w.kernel[0]])
        return Slide(which, given.value, given.names, w, ones)
    assert asked.kernel is not None
    k = kernel(asked.kernel).of_channels(len(given.channels))
    w = _window(asked, given, k)
    operation: Operation = "convolution" if asked.is_true else "correlation"
    return Slide(operation, given.value, given.names, w, k, _bias(asked.bias))


def _window(asked: Asked, given: Input, k: Kernel) -> Window:
    stride = 1 if asked.stride is None else asked.stride
    return window("conv", given.shape, k.size, stride, asked.pad, asked.dilation)


def _bias(text: str) -> Number:
    try:
        return number(text.strip())
    except ValueError as fault:
        raise ValueError(f"--bias: {fault}") from None


def _output(slide: Slide, given: Input) -> Rows:
    if prod(slide.out) * prod(slide.kernel.size) * len(slide.channels) <= EXACT:
        return slide.output()
    import numpy as np

    from cnnspec.run.filtering import filtered

    array = given.array if given.array is not None else np.asarray(given.channels, np.float64)
    weights = [[[float(x) for x in row] for row in plane] for plane in slide.weights.planes]
    k = slide.kernel
    return filtered(
        array, slide.operation, slide.window, weights, float(k.divisor), float(slide.bias)
    )


# ── the input ───────────────────────────────────────────────────────────────────────────────────


def _input(asked: Asked) -> Input:
    name = asked.image.strip()
    if asked.image == "-":
        return _of_bytes("<stdin>", _stdin(), asked)
    if os.path.isdir(asked.image):
        raise ValueError(f"{asked.image}: it is a folder, not an image")
    # Also a pipe, as the shell's `<(…)` gives one.
    if os.path.exists(asked.image):
        with open(asked.image, "rb") as file:
            return _of_bytes(asked.image, file.read(), asked)
    if name.startswith(f"{DIGITS}:"):
        return _digit(name, asked)
    try:
        found = planes(name) if is_written(name) else example(name)
    except ValueError as fault:
        raise fault if is_written(name) else ValueError(f"{name}: {fault}") from None
    if asked.colours is not None:
        raise ValueError("--channels is for pictures; a matrix has the channels that it has")
    return _input_of("input" if is_written(name) else name, found)


def _input_of(name: str, found: Sequence[Plane]) -> Input:
    names = [name] if len(found) == 1 else [f"channel {k}" for k in range(1, len(found) + 1)]
    return Input(name, found, names, is_picture=False)


def _digit(name: str, asked: Asked) -> Input:
    from cnnspec.run.planes import digit

    k = name.partition(":")[2]
    if not (k.isascii() and k.isdigit() and len(k) < 9):
        raise ValueError(f"{name}: behind the colon stands the digit's number, as in digits:17")
    if asked.colours == "rgb":
        raise ValueError(f"{name}: it is grey")
    try:
        found = digit(int(k))
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None
    return Input(name, list(found.values), found.channels, is_picture=True, array=found.values)


def _of_bytes(name: str, data: bytes, asked: Asked) -> Input:
    try:
        text = _text(data)
        if text is not None:
            if asked.colours is not None:
                raise ValueError("it is no picture, which --channels is for")
            return _input_of(os.path.basename(name), planes(text))
        from cnnspec.run.planes import read_planes

        read = read_planes(data, asked.colours)
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from None
    return Input(
        os.path.basename(name), list(read.values), read.channels, read.is_picture, read.values
    )


def _text(data: bytes) -> str | None:
    """None for what is no text, but a picture or an array."""
    if b"\0" in data[:4096] or data.startswith(TEXTUAL):
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    if len(data) > MOST_TEXT:
        raise ValueError(f"it has more than {MOST_TEXT:,} bytes of text")
    return text


def _stdin() -> bytes:
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return sys.stdin.buffer.read()
