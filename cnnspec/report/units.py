"""How are numbers written for people?"""

from collections.abc import Sequence


def grouped(n: int) -> str:
    """`61,706`; nothing for zero, which would only be noise in a column."""
    return f"{n:,}" if n else ""


def number(x: float) -> str:
    """A whole number as such, a fraction with what digits it needs: `4`, `0.5`."""
    nearest = round(x)
    return str(nearest) if abs(x - nearest) < 1e-9 else f"{x:.4g}"


def sizes(values: Sequence[float]) -> str:
    """One number where all axes agree, otherwise one for each: `7`, `1x7`."""
    texts = [number(v) for v in values]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def of_bytes(n: int) -> str:
    """`246.8 kB`, in the decimal units of the language."""
    if n < 1000:
        return f"{n} B"
    amount = float(n)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.95 or unit == "TB":
            return f"{amount:,.1f} {unit}"
    raise AssertionError("terabytes take any size")


def short(n: int) -> str:
    """`61,706`, and of more than seven digits the first three: `25.6 M`, `4.09 G`."""
    if n < 10**7:
        return f"{n:,}"
    for size, unit in ((10**6, "M"), (10**9, "G"), (10**12, "T")):
        if n < 999.5 * size or unit == "T":
            digits = 2 if n < 9.995 * size else 1 if n < 99.95 * size else 0
            return f"{n / size:,.{digits}f} {unit}"
    raise AssertionError("trillions take any number")


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"
