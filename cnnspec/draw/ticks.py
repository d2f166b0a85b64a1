"""At which round numbers does an axis have its ticks, and how are they written?"""

from collections.abc import Sequence
from math import ceil, floor, isfinite, log10
from typing import Literal

from cnnspec.text.record import record

Scale = Literal["linear", "log"]

STEPS = (1, 2, 2.5, 5, 10)

NEAR = 1e-9
"""Of a step: what sums of steps may be off by."""


@record
class Axis:
    """Values from `low` to `high`, and the ticks between."""

    low: float
    high: float
    ticks: Sequence[float]
    scale: Scale = "linear"

    def share(self, value: float) -> float:
        """Where on the axis a value lies: 0 at its low end, 1 at its high one."""
        low, high, value = (
            (log10(x) for x in (self.low, self.high, value))
            if self.scale == "log"
            else (self.low, self.high, value)
        )
        return (value - low) / (high - low)


def linear(low: float, high: float, about: int, *, whole: bool = False) -> Axis:
    """An axis that ends at these values, with some `about` ticks within."""
    if high <= low:
        apart = 0.5 if whole else max(abs(high) * 0.1, 1e-6)
        low, high = low - apart, high + apart
    step = _step((high - low) / max(1, about))
    if whole:
        step = max(1.0, ceil(step - NEAR))
    first, last = ceil(low / step - NEAR), floor(high / step + NEAR)
    return Axis(low, high, [round(k * step, 12) for k in range(first, last + 1)])


def logarithmic(low: float, high: float, about: int) -> Axis:
    """A log axis, with ticks at powers of ten, or at 3 or 2 and 5 times these too where there is
    room; below a decade at round numbers."""
    if high <= low:
        low, high = low / 2, high * 2
    if high < 10 * low:
        return Axis(low, high, linear(low, high, about).ticks, "log")
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    found: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5)):
        more = [f * 10.0**d for d in decades for f in factors]
        more = [t for t in more if low * (1 - NEAR) <= t <= high * (1 + NEAR)]
        if not found or len(more) <= about:
            found = more
    return Axis(low, high, found[:: ceil(len(found) / about)], "log")


def _step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return next(s * power for s in STEPS if s * power >= rough * (1 - NEAR))


def written(values: Sequence[float], *, percent: bool = False) -> list[str]:
    """Numbers with as many digits as tell them apart: `0.25`, `98%`, `1e-5`, `20k`."""
    if percent:
        return [f"{text}%" for text in written([100 * v for v in values])]
    most = max((abs(v) for v in values if isfinite(v)), default=0.0)
    if most >= 10_000:
        return [_thousands(v) for v in values]
    if 0 < most < 1e-3:
        return [short(v) for v in values]
    digits = next((n for n in range(7) if all(_is_exact(v, n) for v in values)), 7)
    return [f"{v:,.{digits}f}" for v in values]


def short(value: float) -> str:
    """One number in few letters: `0.002`, `1.5e-5`, `61,706`."""
    if not isfinite(value):
        return str(value)
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, power = f"{value:.2e}".partition("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"
    text = f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_exact(value: float, digits: int) -> bool:
    return abs(value - round(value, digits)) <= NEAR * max(1.0, abs(value))


def _thousands(value: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
