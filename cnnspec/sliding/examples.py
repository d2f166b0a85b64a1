"""Which small pictures have a name, so that an exercise can begin with them?"""

from cnnspec.sliding.matrix import Plane, planes
from cnnspec.text.suggest import nearest

DIGITS = "digits"
"""Of the set that comes along: `digits:17` is one of them."""

EXAMPLES: dict[str, tuple[str, str]] = {
    "edge": (";".join(["10 10 10 0 0 0"] * 6), "bright on the left, dark on the right"),
    "ramp": (";".join(["0 1 2 3 4 5"] * 6), "ever brighter: its slope is the same everywhere"),
    "checker": (";".join(["1 0 1 0 1 0", "0 1 0 1 0 1"] * 3), "a chessboard"),
    "impulse": (
        "0 0 0 0 0; 0 0 0 0 0; 0 0 1 0 0; 0 0 0 0 0; 0 0 0 0 0",
        "a single one: convolution answers with the kernel, correlation with the kernel turned",
    ),
    "cross": (
        "9 0 0 0 0 0 9; 0 9 0 0 0 9 0; 0 0 9 0 9 0 0; 0 0 0 9 0 0 0;"
        "0 0 9 0 9 0 0; 0 9 0 0 0 9 0; 9 0 0 0 0 0 9",
        "two diagonals",
    ),
    "counting": (
        "1 2 3 4 5; 6 7 8 9 10; 11 12 13 14 15; 16 17 18 19 20; 21 22 23 24 25",
        "1 to 25",
    ),
}


def example(name: str) -> list[Plane]:
    """The one of a name. Raises `ValueError` with the nearest where there is none."""
    if name not in EXAMPLES:
        meant = nearest(name, [*EXAMPLES, DIGITS])
        hint = (
            f"did you mean `{meant}`?" if meant else f"there are {', '.join(EXAMPLES)}, digits:17"
        )
        raise ValueError(f"there is no such file, and no example of that name; {hint}")
    return planes(EXAMPLES[name][0])
