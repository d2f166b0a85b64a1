"""What can be wrong about a layer's use? Arguments drawn without regard for what enters it."""

import random
from collections.abc import Callable

from cnnspec.layers import KINDS
from cnnspec.vocab.value import Shape, Word
from emit.generator import Args, maybe, sizes


def use(r: random.Random) -> tuple[str, Args, list[Shape]]:
    """A kind, arguments without regard for the values that enter, and their shapes."""
    kind = r.choice(list(WILD))
    rank = r.choice((1, 2, 3) if "shuffle" in kind else (0, 1, 2, 3))
    x = (r.randint(1, 8), *(r.randint(1, 6) for _ in range(rank)))
    given = {name: value for name, value in WILD[kind](r).items() if value is not None}
    if not KINDS[kind].is_merge:
        return kind, given, [x]
    # One that differs a little, seldom in the number of its axes.
    other = tuple(n if r.random() < 0.6 else r.randint(1, 6) for n in x)
    if r.random() < 0.1:
        other = other[: r.randint(1, len(other))]
    return kind, given, [x, other]


def windowed(r: random.Random, dilates: bool) -> Args:
    rank = r.choice((1, 2, 2, 3))
    return {
        "kernel": sizes(r, rank, 1, 7),
        "stride": maybe(r, sizes(r, rank, 1, 3)),
        "pad": maybe(r, sizes(r, r.choice((rank, 2 * rank)), 0, 4)),
        "dilation": maybe(r, sizes(r, rank, 1, 3)) if dilates else None,
    }


def conv(r: random.Random) -> Args:
    groups = r.choice((None, None, 2, 3))
    return windowed(r, True) | {"filters": r.randint(1, 6), "groups": groups}


WILD: dict[str, Callable[[random.Random], Args]] = {
    "conv": conv,
    "deconv": lambda r: conv(r) | {"output_pad": maybe(r, r.randint(0, 3), 0.3)},
    "maxpool": lambda r: windowed(r, False) | {"ceil": maybe(r, True)},
    "avgpool": lambda r: windowed(r, False) | {"ceil": maybe(r, True)},
    "lppool": lambda r: windowed(r, False),
    "fc": lambda r: {"units": r.randint(1, 6)},
    "gn": lambda r: {"groups": r.randint(1, 5)},
    "channelshuffle": lambda r: {"groups": r.randint(1, 5)},
    "pixelshuffle": lambda r: {"factor": r.randint(1, 3)},
    "pixelunshuffle": lambda r: {"factor": r.randint(1, 3)},
    "reshape": lambda r: {"size": tuple(r.randint(1, 6) for _ in range(r.randint(2, 4)))},
    "add": lambda r: {},
    "sub": lambda r: {},
    "max": lambda r: {},
    "concat": lambda r: {"axis": Word(r.choice(("channels", "channels", "height", "width")))},
    "matmul": lambda r: {"transpose": maybe(r, True)},
}
