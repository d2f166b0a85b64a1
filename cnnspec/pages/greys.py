"""How do the numbers that a kernel gives become a picture again?"""

from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from cnnspec.pages import images
from cnnspec.sliding.exercise import Result, Rows
from cnnspec.text.record import record

Manner = Literal["clip", "stretch", "signed"]

Floats = NDArray[np.float64]

MANY = 10_000
"""Numbers from which on the few strongest edges do not make all others pale."""

USUAL = 0.995


@record
class Scale:
    """Which numbers are black and white, and a sentence that says so."""

    black: float
    white: float
    words: str

    def greys(self, x: Floats) -> images.Bytes:
        share = (x - self.black) / ((self.white - self.black) or 1.0)
        return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def array(rows: Rows) -> Floats:
    if isinstance(rows, np.ndarray):
        return np.asarray(cast("Floats", rows), np.float64)
    return np.array([[float(x) for x in rows[r]] for r in range(len(rows))])


def scale(result: Result, manner: Manner | None, *, is_picture: bool) -> Scale:
    """As asked for, or else: a kernel whose weights add up to nothing has answers on both sides of
    zero, one of a picture's numbers gives a picture's numbers."""
    x = array(result.output)
    slide = result.slide
    if manner is None:
        is_edge = not slide.is_pool and slide.kernel.total == 0
        manner = "signed" if is_edge else "clip" if is_picture else "stretch"
    match manner:
        case "clip":
            return Scale(0.0, 255.0, _clipped(x))
        case "stretch":
            least, most = float(x.min()), float(x.max())
            return Scale(least, most, f"black is {least:g}, white is {most:g}")
        case "signed":
            most, largest = _usual(x)
            more = " and beyond" if most < largest else ""
            return Scale(-most, most, f"grey is 0, black is {-most:g}, white is {most:g}{more}")


def _usual(x: Floats) -> tuple[float, float]:
    """How far from zero most numbers of a picture are at most, and how far any is."""
    away = np.abs(x)
    largest = float(away.max()) or 1.0
    if x.size < MANY:
        return largest, largest
    return float(np.quantile(away, USUAL)) or largest, largest


def _clipped(x: Floats) -> str:
    said = "black is 0, white is 255"
    out = int(((x < 0) | (x > 255)).sum())
    if not out:
        return said
    return f"{said}; {out:,} of {x.size:,} numbers lie beyond and are cut off there"


def picture_of(result: Result, manner: Manner | None, *, is_picture: bool) -> tuple[bytes, str]:
    """A PNG of the output, and what its greys mean."""
    found = scale(result, manner, is_picture=is_picture)
    return images.png(found.greys(array(result.output))), found.words
