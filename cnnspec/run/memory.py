"""How is memory used again, once nothing is in it any more?

The system gives new memory page by page, as it is first written to, which can take longer than to
work out what is written there. What was freed goes back to it, or not, as the C library sees fit.
"""

import math
import weakref
from collections import deque

import numpy as np
from numpy.typing import NDArray

LARGEST = 1 << 24
"""Bytes that are kept for later; the pages of more are the least of what is done with it."""
MOST = 4
"""As many pieces of a size wait at most."""


class Memory:
    """Pieces of memory, each of which goes back here with the last array that lies in it."""

    def __init__(self) -> None:
        self._free: dict[int, deque[NDArray[np.uint8]]] = {}

    def floats(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """An array of that shape, whatever is in it."""
        size = 4 * math.prod(shape)
        if not 0 < size <= LARGEST:
            return np.empty(shape, np.float32)
        free = self._free.setdefault(size, deque(maxlen=MOST))
        try:
            piece = free.pop()
        except IndexError:
            piece = np.empty(size, np.uint8)
        # As it is on a view of bytes and no array, all arrays made of this one keep it alive.
        whole = np.frombuffer(piece.data, np.float32)
        weakref.finalize(whole, free.append, piece).atexit = False
        return whole.reshape(shape)
