"""How are random numbers drawn that depend on nothing but what they are for?

An order comes from Philox, whose stream is the same in every release of NumPy. What is done to an
example comes from a hash of its place (seed, epoch, index), for a whole batch at once: a generator
for each example would take longer than the augmentation itself.
"""

import math
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

BLOCK = 16384
"""As many numbers at a time, which stay near the processor."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key(*parts: object) -> int:
    """128 bits that are another number for other parts."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:16], "little")


def permutation(n: int, *parts: object) -> NDArray[np.int64]:
    """An order of n things. Two draws of 64 bits are alike once in 10^7 sets of a million."""
    draws = np.random.Philox(key=key(*parts)).random_raw(n)
    return np.argsort(draws, kind="stable").astype(np.int64)


class Draws:
    """Numbers for each example of a batch: the next call gives others."""

    def __init__(self, indices: NDArray[np.int64], *parts: object) -> None:
        start = np.uint64(key(*parts) & (2**64 - 1))
        self.keys: Keys = _mixed(indices.astype(np.uint64) + start)
        self._calls = 0

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Floats:
        """One number for each example, from `low` to below `high`."""
        self._calls += 1
        bits = _mixed(self.keys + np.uint64(self._calls * int(GOLDEN) & (2**64 - 1)))
        return low + (high - low) * ((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53)

    def skip(self) -> None:
        """Leave out what the next call would give."""
        self._calls += 1

    def whole(self, low: int, high: int) -> NDArray[np.int64]:
        """One whole number for each example, from `low` to `high`, both included."""
        return np.floor(self.uniform(low, high + 1)).astype(np.int64)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Normally distributed numbers of that shape for each example."""
        self._calls += 1
        size = math.prod(shape)
        y = np.empty((len(self.keys), size), np.float32)
        step = max(BLOCK // max(size, 1), 1)
        # Pairs of numbers come from one hash of the example's own and the pair's place.
        places = np.arange(1, (size + 1) // 2 + 1, dtype=np.uint64) * GOLDEN
        own = _mixed(self.keys + np.uint64(self._calls))
        for i in range(0, len(y), step):
            bits = _mixed(own[i : i + step, None] + places)
            y[i : i + step] = _normal(bits)[:, :size]
        return y.reshape(-1, *shape)


def _normal(bits: Keys) -> NDArray[np.float32]:
    """Two normally distributed numbers from each 64 bits. (Box & Muller, 1958)"""
    scale = np.float32(2.0**-32)
    first = (bits >> np.uint64(32)).astype(np.uint32).astype(np.float32)
    second = bits.astype(np.uint32).astype(np.float32)
    length = np.sqrt(np.float32(-2) * np.log((first + np.float32(0.5)) * scale))
    angle = second * (scale * np.float32(2 * np.pi))
    return np.concatenate([length * np.cos(angle), length * np.sin(angle)], axis=-1)


def _mixed(x: Keys) -> Keys:
    """The finaliser of SplitMix64: each bit of its argument turns about half of the others."""
    x = (x ^ (x >> np.uint64(30))) * FIRST
    x = (x ^ (x >> np.uint64(27))) * SECOND
    return x ^ (x >> np.uint64(31))
