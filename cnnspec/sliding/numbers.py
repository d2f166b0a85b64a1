"""How are the numbers of an exercise read and written? Exactly: 1/9 is a ninth."""

import re
from fractions import Fraction

Number = int | Fraction

LONGEST = 40
"""Letters of one number: enough for any that somebody writes."""

MOST = Fraction(10**60)
"""What comes of numbers up to here, and down to one over it, is still within a float's reach."""

LEAST = 1 / MOST

FEW = 18
"""Digits that surely stay below that: most numbers have no more, and are read at once."""

PLACES = 4
"""Digits behind the point that are shown at most."""

LARGE = 10**12
"""From here on a number is shown by its first digits and a power of ten."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")


def number(text: str) -> Number:
    """`3`, `-0.5`, `1e-3`, `1/9`. Raises `ValueError` with what is wrong, as a clause."""
    if text.isdigit() and text.isascii() and len(text) <= FEW:
        return int(text)
    above, slash, below = text.replace("\N{MINUS SIGN}", "-").partition("/")
    if len(text) > LONGEST or not _NUMBER.fullmatch(above):
        raise ValueError(f"`{_short(text)}` is no number{_why(text)}")
    if slash and not _NUMBER.fullmatch(below):
        raise ValueError(f"`{_short(text)}` is no fraction such as 1/9")
    if slash and not Fraction(below):
        raise ValueError(f"`{_short(text)}` divides by zero")
    found = Fraction(above) / Fraction(below) if slash else Fraction(above)
    if found and not LEAST <= abs(found) <= MOST:
        raise ValueError(f"`{_short(text)}` is too {'large' if abs(found) > 1 else 'small'}")
    return plain(found)


def is_number(text: str) -> bool:
    """Does it look like one, whatever its size?"""
    return bool(_NUMBER.fullmatch(text.replace("\N{MINUS SIGN}", "-").partition("/")[0]))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _why(text: str) -> str:
    if len(text) > LONGEST:
        return f" of at most {LONGEST} letters"
    return " to count with" if text.lower().lstrip("+-") in ("nan", "inf", "infinity") else ""


def plain(x: Number) -> Number:
    """A whole number as `int`, which is the faster one."""
    return x.numerator if x.denominator == 1 else x


def show(x: Number) -> str:
    """`3`, `-0.5`, and `0.1111` for a ninth."""
    x = plain(x)
    if abs(x) >= LARGE:
        return f"{float(x):.6g}"
    if isinstance(x, int):
        return str(x)
    if abs(x) < Fraction(1, 10 ** (PLACES - 1)):
        return f"{float(x):.{PLACES}g}"
    return f"{float(x):.{PLACES}f}".rstrip("0").rstrip(".")


def is_whole_truth(x: Number) -> bool:
    """Is what `show` writes the number itself?"""
    return Fraction(show(x)) == x


def in_parentheses(x: Number) -> str:
    """As it stands behind an operator."""
    return f"({show(x)})" if x < 0 else show(x)
