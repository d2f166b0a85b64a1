"""How wide is a text in a figure?

A reader's machine chooses the font, so a figure leaves room for DejaVu Sans, the widest of those
that `FONT` names.
"""

from cnnspec.text.excerpt import columns, safe

FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

# Hundredths of the size that DejaVu Sans, regular and bold, takes for each letter from ` ` to `~`.
_REGULAR = (
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64),
    *(64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86),
    *(75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63),
    *(62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64),
    *(34, 64, 84),
)
_BOLD = (
    *(35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70),
    *(70, 70, 70, 40, 40, 84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100),
    *(84, 85, 73, 85, 77, 72, 68, 81, 77, 110, 77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72),
    *(68, 44, 72, 71, 34, 34, 67, 34, 104, 71, 69, 72, 72, 49, 60, 48, 71, 65, 92, 65, 65, 58, 71),
    *(37, 71, 84),
)
_OTHER, _COLUMN = {"·": 38, "…": 100, "é": 68}, 105
"""Of a letter that no table has: no more than this for each column that a terminal gives it."""

LINE = 1.25
"""From one line to the next, in sizes."""


def width(text: str, size: float, *, bold: bool = False, mono: bool = False) -> float:
    """No less than a browser takes for it."""
    if mono:
        return 0.62 * size * columns(text)
    table = _BOLD if bold else _REGULAR
    return sum(_advance(c, table) for c in text) * size / 100


def _advance(character: str, table: tuple[int, ...]) -> int:
    place = ord(character) - 32
    if 0 <= place < len(table):
        return table[place]
    return _OTHER.get(character, _COLUMN * columns(character))


def fitted(text: str, room: float, size: float, *, bold: bool = False, mono: bool = False) -> str:
    """As much of a text as fits, with … for what does not; control characters made visible."""
    text = safe(text)
    if width(text, size, bold=bold, mono=mono) <= room:
        return text
    while text and width(f"{text}…", size, bold=bold, mono=mono) > room:
        text = text[:-1]
    return f"{text}…"
