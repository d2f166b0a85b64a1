"""What does a network take, as the model's file says it?"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from cnnspec.text.record import record

Array = NDArray[np.generic]
Arrays = Mapping[str, Array]
Fit = Literal["stretch", "crop", "pad"]

PREPROCESSING = "cnnspec.preprocessing"

CHANNELS = (1, 3, 4)
"""How many a picture can have: grey, colours, colours with what is seen through."""

DTYPES = {"float": "float32", "double": "float64"}
"""Where ONNX has another word than NumPy."""


class Port(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> Sequence[int | str | None]: ...
    @property
    def dtype(self) -> str: ...


class Session(Protocol):
    """As much of a model that can be run as is asked here."""

    @property
    def inputs(self) -> Sequence[Port]: ...
    @property
    def outputs(self) -> Sequence[Port]: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...
    def run(self, given: Mapping[str, Array]) -> Mapping[str, Array]: ...


class Preparation(BaseModel):
    """What a model that cnnspec wrote says of one input."""

    size: list[int]
    type: Literal["float", "uint8"]
    layout: Literal["chw", "hwc"]
    raw: bool
    fit: Fit = "stretch"


@record
class Wanted:
    """One input of a network."""

    name: str
    size: tuple[int | None, ...]
    """Channels first, without the batch; none for an axis that may have any length."""
    dtype: np.dtype[np.generic]
    layout: Literal["chw", "hwc"] = "chw"
    raw: bool = False
    """Are the values of a picture those of its file, 0 to 255? Otherwise they are 0 to 1."""
    batch: int | None = None
    """How many items it takes at a time, if that is fixed."""
    fit: Fit = "stretch"

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of one item, as the graph takes it."""
        return (*self.size[1:], self.size[0]) if self.layout == "hwc" else self.size

    @property
    def picture(self) -> tuple[int, int | None, int | None] | None:
        """Channels, height and width of a picture for it; none where a picture cannot be meant."""
        if self.dtype.kind != "f" and self.dtype != np.uint8:
            return None
        match self.size:
            case (int(c), h, w) if c in CHANNELS:
                return c, h, w
            # A flat vector as long as a square has pixels, as in a perceptron for digits.
            case (int(n),) if n > 1 and math.isqrt(n) ** 2 == n:
                return 1, math.isqrt(n), math.isqrt(n)
            case _:
                return None


def wanted(session: Session) -> tuple[list[Wanted], str | None]:
    """What each input takes; and in a line what had to be guessed, if anything was.

    Raises `ValueError` for an input without an axis for the batch, or of no numbers, and for a
    model without its weights.
    """
    told, note = _told(session.metadata)
    names = [port.name for port in session.inputs]
    weights = [name for name in names if name not in told]
    if 0 < len(weights) < len(names):
        raise ValueError(f"it was compiled without weights: `{weights[0]}` would have to be given")
    found: list[Wanted] = []
    for port in session.inputs:
        guess = _guessed(port.name, port.shape, dtype_of(port.dtype))
        by_us = _by_us(guess, told.get(port.name))
        if by_us is None and note is None:
            note = "the model does not say how pictures become its input"
        found.append(by_us or guess)
    pictures = next((w for w in found if w.picture), None)
    if note is None or pictures is None:
        return found, None
    return found, f"{note}; they are given as {_manner(pictures)}"


def _told(metadata: Mapping[str, str]) -> tuple[Mapping[str, Preparation], str | None]:
    text = metadata.get(PREPROCESSING)
    if text is None:
        return {}, None
    try:
        return TypeAdapter(dict[str, Preparation]).validate_json(text), None
    except ValidationError:
        return {}, f"the model's `{PREPROCESSING}` is not what cnnspec writes"


def _by_us(guess: Wanted, told: Preparation | None) -> Wanted | None:
    """What the metadata say, unless the graph takes something else."""
    if told is None:
        return None
    by_us = Wanted(
        guess.name,
        tuple(told.size),
        guess.dtype,
        told.layout,
        told.raw or told.type == "uint8",
        guess.batch,
        told.fit,
    )
    pairs = zip(by_us.shape, guess.shape, strict=False)
    agrees = len(by_us.size) == len(guess.size) and all(b is None or a == b for a, b in pairs)
    return by_us if agrees else None


def _guessed(name: str, shape: Sequence[int | str | None], dtype: np.dtype[np.generic]) -> Wanted:
    if not shape:
        raise ValueError(f"the input `{name}` has no axis for the batch")
    batch, *size = (n if isinstance(n, int) and n > 0 else None for n in shape)
    is_raw = dtype == np.uint8
    if len(size) == 3 and size[0] not in CHANNELS and size[-1] in CHANNELS:
        return Wanted(name, (size[2], size[0], size[1]), dtype, "hwc", is_raw, batch)
    return Wanted(name, tuple(size), dtype, "chw", is_raw, batch)


def dtype_of(kind: str) -> np.dtype[np.generic]:
    """`tensor(float)` and `float32` alike."""
    word = kind.removeprefix("tensor(").removesuffix(")")
    try:
        dtype = np.dtype(DTYPES.get(word, word))
    except TypeError:
        raise ValueError(f"an input of type {kind} cannot be given") from None
    if dtype.kind not in "biuf":
        raise ValueError(f"an input of type {kind} is not given in numbers")
    return dtype


def _manner(w: Wanted) -> str:
    """`1x28x28, values 0 to 1`."""
    values = "0 to 255" if w.raw else "0 to 1"
    order = "" if len(w.size) == 1 else ", channels last" if w.layout == "hwc" else ""
    return f"{show_size(w.shape)}{order}, values {values}"


def show_size(size: Sequence[int | None]) -> str:
    return "x".join("?" if n is None else str(n) for n in size) or "one number"
