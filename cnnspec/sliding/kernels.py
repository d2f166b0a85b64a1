"""Which kernels have a name, and how is another one written?"""

import re
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from cnnspec.sliding.matrix import Plane, planes
from cnnspec.sliding.numbers import Number, number, plain, show
from cnnspec.text.record import record
from cnnspec.text.suggest import nearest

MOST_DIVISOR = 100_000
"""A common denominator beyond this explains nothing: the weights are then decimals."""


@record
class Kernel:
    """Weights as they are written on a slide: whole numbers, and what all are divided by."""

    name: str
    planes: Sequence[Plane]
    divisor: Number = 1

    @property
    def size(self) -> tuple[int, int]:
        return len(self.planes[0]), len(self.planes[0][0])

    @property
    def total(self) -> Fraction:
        """The sum of its weights: zero for one that finds edges, one for one that keeps light."""
        return Fraction(sum(x for p in self.planes for row in p for x in row)) / self.divisor

    def turned(self) -> "Kernel":
        """By 180 degrees, each channel by itself."""
        found = [[list(reversed(row)) for row in reversed(p)] for p in self.planes]
        return Kernel(self.name, found, self.divisor)

    def is_turned_alike(self) -> bool:
        return [[list(row) for row in p] for p in self.planes] == self.turned().planes

    def of_channels(self, n: int) -> "Kernel":
        """For each channel one; a single one serves them all."""
        if len(self.planes) == 1 and n > 1:
            return Kernel(self.name, [self.planes[0]] * n, self.divisor)
        if len(self.planes) != n:
            raise ValueError(f"the kernel has {len(self.planes)} channels, the input {n}")
        return self


_NAMED: dict[str, tuple[str, str]] = {
    "identity": ("0 0 0; 0 1 0; 0 0 0", "changes nothing"),
    "shift": ("0 0 0; 1 0 0; 0 0 0", "moves all to the right by one; turned, to the left"),
    "box": ("(1 1 1; 1 1 1; 1 1 1)/9", "the mean of a neighbourhood: blurs"),
    "gauss": ("(1 2 1; 2 4 2; 1 2 1)/16", "blurs, the middle counts most"),
    "gauss5": (
        "(1 4 6 4 1; 4 16 24 16 4; 6 24 36 24 6; 4 16 24 16 4; 1 4 6 4 1)/256",
        "blurs more",
    ),
    "sharpen": ("0 -1 0; -1 5 -1; 0 -1 0", "makes differences larger"),
    "laplace": ("0 1 0; 1 -4 1; 0 1 0", "edges of all directions: the second derivative"),
    "laplace8": ("1 1 1; 1 -8 1; 1 1 1", "the same with the diagonals"),
    "edge": ("-1 -1 -1; -1 8 -1; -1 -1 -1", "outlines: what differs from its neighbours"),
    "sobel-x": ("-1 0 1; -2 0 2; -1 0 1", "upright edges, dark to bright from left to right"),
    "sobel-y": ("-1 -2 -1; 0 0 0; 1 2 1", "level edges, dark to bright from top to bottom"),
    "prewitt-x": ("-1 0 1; -1 0 1; -1 0 1", "upright edges, all rows alike"),
    "prewitt-y": ("-1 -1 -1; 0 0 0; 1 1 1", "level edges, all columns alike"),
    "scharr-x": ("-3 0 3; -10 0 10; -3 0 3", "upright edges, most alike in all directions"),
    "scharr-y": ("-3 -10 -3; 0 0 0; 3 10 3", "level edges, most alike in all directions"),
    "emboss": ("-2 -1 0; -1 1 1; 0 1 2", "as if lit from the corner"),
}

DOCS = {name: doc for name, (_, doc) in _NAMED.items()}

SAME = {
    "blur": "box",
    "mean": "box",
    "gaussian": "gauss",
    "laplacian": "laplace",
    "none": "identity",
}
"""Other words for some of them."""

_DIVIDED = re.compile(r"\s*[(\[](.*)[)\]]\s*/\s*([^/\s;|]+)\s*", re.DOTALL)
_TIMES = re.compile(r"\s*([0-9.]+/[0-9.]+)\s*[*·×]?\s*[(\[](.*)[)\]]\s*", re.DOTALL)


def kernel(text: str) -> Kernel:
    """The one of a name, or that is written out. Raises `ValueError` with what is wrong."""
    name = SAME.get(text.strip().lower(), text.strip().lower())
    if name in _NAMED:
        return _written(name, _NAMED[name][0])
    if re.fullmatch(r"[A-Za-z][\w-]*", text.strip()):
        meant = nearest(name, [*_NAMED, *SAME])
        hint = f"did you mean `{meant}`?" if meant else "--list shows those that have one"
        raise ValueError(f"no kernel is called `{text.strip()}`; {hint}")
    try:
        return _written("", text)
    except ValueError as fault:
        raise ValueError(f"the kernel: {fault}") from None


def _written(name: str, text: str) -> Kernel:
    if found := _DIVIDED.fullmatch(text):
        inner, divisor = found[1], number(found[2])
        if not divisor:
            raise ValueError(f"`/{found[2]}` divides by zero")
        return Kernel(name, planes(inner), divisor)
    if found := _TIMES.fullmatch(text):
        factor = number(found[1])
        if not factor:
            raise ValueError(f"`{found[1]}` makes all of it zero")
        return Kernel(name, planes(found[2]), plain(1 / Fraction(factor)))
    read = planes(text)
    return _over_one_line(name, read) if "/" in text else Kernel(name, read)


def _over_one_line(name: str, read: Sequence[Plane]) -> Kernel:
    """Ninths as ones, divided by nine."""
    divisor = lcm(*(x.denominator for p in read for row in p for x in row))
    if divisor > MOST_DIVISOR:
        return Kernel(name, read)
    whole = [[[plain(Fraction(x) * divisor) for x in row] for row in p] for p in read]
    return Kernel(name, whole, divisor)


def written(k: Kernel) -> str:
    """As it can be given again."""
    text = " | ".join("; ".join(" ".join(map(show, row)) for row in p) for p in k.planes)
    return text if k.divisor == 1 else f"({text})/{show(k.divisor)}"


def named() -> list[Kernel]:
    return [kernel(name) for name in _NAMED]
