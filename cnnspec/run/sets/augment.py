"""How are training examples changed at random?

Bytes stay bytes as long as nothing comes between two of them; all else is done in single precision,
in the file's own range. Each word draws for each example by itself, so that neither the batch, nor
another word, nor a thread changes what is drawn.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.sets.draws import Draws, key, permutation
from cnnspec.run.sets.moving import Movement, flipped, rotated, scaled, shifted
from cnnspec.run.sets.part import Arrays, BadData, Indices
from cnnspec.run.wanted import Array
from cnnspec.settings.augment import (
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    Mixup,
    Moving,
    Noise,
    Rotate,
    Shift,
    Zoom,
)
from cnnspec.settings.base import Targets
from cnnspec.text.record import record

Floats = NDArray[np.float32]

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@record
class Examples:
    """A batch on its way through the augmentations."""

    inputs: Arrays
    targets: Array
    gives: Targets
    indices: Indices
    range: tuple[float, float]
    outside: int = 0
    """The class, in masks, of what comes in from outside."""
    clips: bool = False
    """Are there numbers of pixels, which stay in their range?"""


def augmented(words: Sequence[Augmentation], given: Examples, *seeds: object) -> Examples:
    """The examples after all these words; `seeds` say for which epoch of which training."""
    used: dict[str, int] = {}
    for word in words:
        if isinstance(word, Mixup):
            continue
        nth = used[word.kind] = used.get(word.kind, 0) + 1
        given = _done(word, given, ("augment", word.kind, nth, *seeds))
    return given


def _done(word: Augmentation, given: Examples, seeds: tuple[object, ...]) -> Examples:
    draws = Draws(given.indices, *seeds)
    chosen = _chosen(word, draws)
    if chosen is None:
        return given
    change = _change(word, draws, chosen, given)
    inputs = {name: _put(x, chosen, change(x[chosen], "input")) for name, x in given.inputs.items()}
    targets = given.targets
    if word.moves_pixels and given.gives in ("masks", "pictures"):
        targets = _put(targets, chosen, change(targets[chosen], given.gives))
    return _with(given, inputs, targets)


def _chosen(word: Augmentation, draws: Draws) -> slice | Indices | None:
    """Which examples it is done to; none where to none."""
    if word.chance == 1:
        draws.skip()
        return slice(None)
    which = np.flatnonzero(draws.uniform() < word.chance)
    return which if len(which) else None


def _with(given: Examples, inputs: Arrays, targets: Array) -> Examples:
    return Examples(
        inputs, targets, given.gives, given.indices, given.range, given.outside, given.clips
    )


def _put(x: Array, chosen: slice | Indices, y: Array) -> Array:
    if isinstance(chosen, slice):
        return y
    x = x.astype(y.dtype)
    x[chosen] = y
    return x


Change = Callable[[Array, str], Array]


def _change(word: Augmentation, draws: Draws, chosen: slice | Indices, given: Examples) -> Change:
    """What is done to the chosen examples, and likewise to their masks or pictures."""
    rank = next(iter(given.inputs.values())).ndim - 2

    def uniform(by: float) -> Floats:
        return draws.uniform(-by, by)[chosen].astype(np.float32)

    match word:
        case Flip():
            axis = _axis(word, rank)
            return lambda x, _: flipped(x, axis)
        case Crop(pad=by) | Shift(by=by):
            most = _each(word, by, rank)
            offsets = np.stack([draws.whole(-n, n)[chosen] for n in most], 1)
            return _moving(word, given, lambda x, how: shifted(x, offsets, how))
        case Rotate(degrees=degrees):
            angles = np.deg2rad(uniform(degrees))
            return _moving(word, given, lambda x, how: rotated(x, angles, how))
        case Zoom(by=by):
            factors = 1 + uniform(by)
            return _moving(word, given, lambda x, how: scaled(x, factors, how))
        case Brightness(by=by):
            low, high = given.range
            steps = uniform(by) * np.float32(high - low)
            return lambda x, _: _clipped(_floats(x) + _along(steps, x), given)
        case Contrast(by=by):
            factors = 1 + uniform(by)
            return lambda x, _: _clipped(_stretched(_floats(x), factors), given)
        case Noise(by=by):
            low, high = given.range
            deviation = np.float32(by * (high - low))
            return lambda x, _: _floats(x) + deviation * draws.normal(x.shape[1:])[chosen]
        case Cutout(size=size):
            return _cutting(draws, chosen, size)
        case _:
            raise AssertionError(f"nothing does `{word.kind}`")


def _moving(word: Moving, given: Examples, move: Callable[[Array, Movement], Array]) -> Change:
    def change(x: Array, what: str) -> Array:
        if what != "masks":
            return move(x, Movement(word.fill))
        # A mask has classes, between which there is nothing, and no axis of channels.
        return move(x[:, None], Movement(word.fill, given.outside, between=False))[:, 0]

    return change


def _axis(word: Flip, rank: int) -> int:
    """Counted from the end, so that it is the same in a mask."""
    names = AXIS_NAMES.get(rank, ())
    if word.axis is None or word.axis in names:
        return -1 if word.axis is None else names.index(word.axis) - rank
    raise BadData(f"the examples have no axis `{word.axis}` along which `flip` could mirror them")


def _each(word: Augmentation, by: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    sizes = (by,) if isinstance(by, int) else by
    sizes = sizes * rank if len(sizes) == 1 else sizes
    if len(sizes) != rank:
        raise BadData(f"`{word.kind}` is given for {len(sizes)} axes; the examples have {rank}")
    return sizes


# ── what changes numbers in their places ────────────────────────────────────────────────────────


def _floats(x: Array) -> Floats:
    return x.astype(np.float32, copy=False)


def _along(numbers: Floats, x: Array) -> Floats:
    return numbers.reshape(-1, *[1] * (x.ndim - 1))


def _stretched(x: Floats, factors: Floats) -> Floats:
    means = x.mean(axis=tuple(range(1, x.ndim)), keepdims=True)
    return np.asarray(means + (x - means) * _along(factors, x), np.float32)


def _clipped(x: Floats, given: Examples) -> Floats:
    low, high = given.range
    return np.clip(x, np.float32(low), np.float32(high)) if given.clips else x


def _cutting(draws: Draws, chosen: slice | Indices, size: int) -> Change:
    # Its middle is anywhere, so that at the border a part of the square is outside.
    places: Mapping[int, NDArray[np.float64]] = {
        axis: draws.uniform()[chosen] for axis in (-1, -2, -3)
    }

    def change(x: Array, _: str) -> Array:
        x = x.copy()
        for i in range(len(x)):
            cut: list[slice] = []
            for axis in range(2 - x.ndim, 0):
                first = int(places[axis][i] * x.shape[axis]) - size // 2
                cut.append(slice(max(first, 0), max(first + size, 0)))
            x[(i, slice(None), *cut)] = 0
        return x

    return change


# ── what mixes examples ─────────────────────────────────────────────────────────────────────────


def mixed(word: Mixup, given: Examples, classes: int, *seeds: object) -> Examples:
    """λ·a + (1 - λ)·b, where b is the batch in another order. Classes become shares of each."""
    n = len(given.indices)
    seeds = ("augment", word.kind, *seeds, given.indices.tobytes())
    order = permutation(n, *seeds)
    generator = np.random.Generator(np.random.Philox(key=key(*seeds)))
    shares = generator.beta(word.alpha, word.alpha, n)
    shares[generator.random(n) >= word.chance] = 1
    shares = shares.astype(np.float32)

    def mix(x: Floats) -> Array:
        share = _along(shares, x)
        return share * x + (np.float32(1) - share) * x[order]

    y = given.targets
    if given.gives in ("classes", "masks"):
        assert classes, "what is mixed has a share of each class, so their number is known"
        y = shares_of(y, classes)
    inputs = {name: mix(_floats(x)) for name, x in given.inputs.items()}
    return _with(given, inputs, mix(_floats(y)))


def shares_of(y: Array, classes: int) -> Floats:
    """1 for the class, 0 for all others, along a second axis; a class beyond them has no 1.

    Where one number says yes or no, it is the class.
    """
    if classes == 1:
        return _floats(np.expand_dims(y, 1))
    return (np.expand_dims(y, 1) == _classes(classes, y.ndim)).astype(np.float32)


def _classes(n: int, rank: int) -> NDArray[np.int64]:
    return np.arange(n).reshape(n, *[1] * (rank - 1))
