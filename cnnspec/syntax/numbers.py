"""Is this a number, a size, or neither? `6`, `1e-3`, `61_706`, `0.5M`, `10MB`, `3x224x224`."""

import re
from collections.abc import Mapping

from cnnspec.syntax.tree import Number, Size
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Span
from cnnspec.text.suggest import nearest

UNITS: Mapping[str, int] = {
    "k": 1000,
    "M": 1000**2,
    "G": 1000**3,
    "T": 1000**4,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "TiB": 1024**4,
}

_NUMBER = re.compile(r"((?:\d+(?:_\d+)*)?(?:\.\d+)?)([eE][+-]?\d+)?([A-Za-z]*)")
_SIZE = re.compile(r"\d+(?:x\d+)+")


def read_number(text: str, span: Span, sink: Sink) -> Number | Size:
    """The number or size that a word beginning with a digit is; says so where it is none."""
    if text.isdigit() and len(text) < 19:
        return Number(span, text)
    if _SIZE.fullmatch(text):
        numbers = [int(n) if len(n) < 19 else 10**18 for n in text.split("x")]
        return Size(span, tuple(numbers))
    match = _NUMBER.fullmatch(text)
    if match and match[1] and (not match[3] or match[3] in UNITS) and len(match[2] or "") < 6:
        return Number(span, text)
    sink.error("wrong-number", f"`{text[:40]}` is no number", span, hint=_hint(text, match))
    return Number(span, "1")


def value_of(text: str) -> int | float:
    """The value of a number that has been read: underscores, exponent and unit worked out."""
    match = _NUMBER.fullmatch(text)
    assert match is not None, f"`{text}` has been read as a number"
    digits, exponent, unit = match[1].replace("_", ""), match[2] or "", match[3]
    scale = UNITS[unit] if unit else 1
    # Python refuses to read whole numbers of thousands of digits; all of these are too large.
    if digits.isdigit() and not exponent and len(digits) < 400:
        return int(digits) * scale
    return float(digits + exponent) * scale


def _hint(text: str, match: re.Match[str] | None) -> str:
    if re.fullmatch(r"\d+(?:[xX*]\d+)+", text):
        return f"a size is written {text.lower().replace('*', 'x')}"
    if text.rstrip("xX") != text:
        return "a size has a number on both sides of each x, as in 3x3"
    if match and match[3]:
        meant = nearest(match[3], UNITS)
        if meant:
            return f"did you mean `{match[1]}{match[2] or ''}{meant}`?"
        return f"the units are {', '.join(UNITS)}"
    return "numbers are written as in 6, 0.5, 1e-3, 61_706 or 0.5M"
