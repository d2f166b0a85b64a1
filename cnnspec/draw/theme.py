"""Which colours does a figure have, on light paper and on dark?

Hues are those of Okabe and Ito (2008), which people with any kind of colour vision tell apart, as
tints behind dark letters and as shades behind light ones. The light colours stand in a figure's
attributes, which every program reads; the dark ones in a style that follows the reader's wish.
"""

from typing import Literal

Theme = Literal["auto", "light", "dark"]

Role = Literal[
    "paper",
    "panel",
    "ink",
    "soft",
    "line",
    "faint",
    "mark",
    "input",
    "conv",
    "pool",
    "dense",
    "norm",
    "activation",
    "merge",
    "shape",
    "curve0",
    "curve1",
    "curve2",
    "curve3",
    "curve4",
    "curve5",
    "curve6",
    "curve7",
]

COLOURS: dict[Role, tuple[str, str]] = {
    # surfaces, letters and lines: the page, a box on it, letters, quieter letters, edges,
    # a grid, what is pointed at
    "paper": ("#ffffff", "#14181d"),
    "panel": ("#f4f6f8", "#1e242b"),
    "ink": ("#1a1f24", "#e8ecf0"),
    "soft": ("#57606a", "#a4b0bc"),
    "line": ("#6b7580", "#8b98a5"),
    "faint": ("#d8dee4", "#343d46"),
    "mark": ("#d55e00", "#ff8a3d"),
    # families of layers
    "input": ("#e3e7eb", "#3a444e"),
    "conv": ("#bcdcf5", "#1c4f7a"),
    "pool": ("#fbdca6", "#7a5310"),
    "dense": ("#b5e3d2", "#0f5c45"),
    "norm": ("#f7f0b0", "#5f5a17"),
    "activation": ("#f9cdb3", "#7d3a12"),
    "merge": ("#edcfe0", "#6d3456"),
    "shape": ("#eceff2", "#2c343c"),
    # curves, in the order in which they are given out
    "curve0": ("#0072b2", "#56b4e9"),
    "curve1": ("#d55e00", "#ff8a3d"),
    "curve2": ("#008f68", "#2fd0a3"),
    "curve3": ("#b3578a", "#e59ac4"),
    "curve4": ("#a87400", "#f0b429"),
    "curve5": ("#3f4a55", "#c3ccd5"),
    "curve6": ("#2f8fca", "#8ccbf2"),
    "curve7": ("#8a7d00", "#e8dc5a"),
}
"""For light and for dark."""

CURVES: tuple[Role, ...] = tuple(role for role in COLOURS if role.startswith("curve"))


def colour(role: Role, theme: Theme) -> str:
    """As it stands in an attribute; for `auto` that of light paper."""
    light, dark = COLOURS[role]
    return dark if theme == "dark" else light


def rules(theme: Theme) -> str:
    """The style that turns a figure dark where the reader's system is."""
    if theme != "auto":
        return ""
    parts = [
        f".f-{role}{{fill:{dark}}}.s-{role}{{stroke:{dark}}}" for role, (_, dark) in COLOURS.items()
    ]
    return f"@media (prefers-color-scheme:dark){{{''.join(parts)}}}"
