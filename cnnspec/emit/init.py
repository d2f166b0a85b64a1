"""What are a network's weights before training?

Each is drawn from the seed and its own name, so that adding a layer changes no other weight.
"""

from hashlib import sha256
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

from cnnspec.layers.base import Weight
from cnnspec.layers.codes import CODES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NORMAL = 0.01
"""The deviation of `init=normal`, AlexNet's."""


def draw(weight: Weight, seed: int, name: str) -> "NDArray[np.float32]":
    """The numbers of a new weight."""
    import numpy as np

    match weight.init:
        case "zeros":
            return np.zeros(weight.shape, np.float32)
        case "ones":
            return np.ones(weight.shape, np.float32)
        case "constant":
            return np.full(weight.shape, weight.value, np.float32)
        case "codes":
            return np.array(CODES[: weight.shape[0]], np.float32)
        case _:
            return _drawn(weight, generator(seed, name))


def generator(seed: int, name: str) -> "np.random.Generator":
    """Random numbers of their own for a seed and a name."""
    import numpy as np

    digest = sha256(f"{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def fans(weight: Weight) -> tuple[float, float]:
    """How many numbers go into an output, and out of an input."""
    if weight.fans is not None:
        return weight.fans
    outputs, *rest = weight.shape
    places = prod(rest[1:])
    return (rest[0] if rest else 1) * places, outputs * places


def _drawn(weight: Weight, random: "np.random.Generator") -> "NDArray[np.float32]":
    import numpy as np

    into, out = fans(weight)
    match weight.init:
        case "he":
            spread = sqrt(2 / into)
        case "lecun":
            spread = sqrt(1 / into)
        case "normal":
            spread = NORMAL
        case "xavier":
            # Uniform, as in the paper: deviation √(2/(in + out)), so ends at √3 times that.
            found = random.random(weight.shape, np.float32)
            found -= np.float32(0.5)
            found *= np.float32(2 * sqrt(6 / (into + out)))
            return found
        case "orthogonal":
            return _orthogonal(weight.shape, random)
        case _:
            raise AssertionError(f"`{weight.init}` is no way to start")
    found = random.standard_normal(weight.shape, np.float32)
    found *= np.float32(spread)
    return found


def _orthogonal(shape: tuple[int, ...], random: "np.random.Generator") -> "NDArray[np.float32]":
    """Rows (or, where they are more than the columns, columns) at right angles, of length 1.

    By Gram and Schmidt, done twice for its rounding. A library's QR would be faster, and would
    give other bits with other numbers of threads.
    """
    import numpy as np

    rows, columns = shape[0], prod(shape[1:])
    few, many = min(rows, columns), max(rows, columns)
    found: NDArray[Any] = random.standard_normal((few, many))
    for k in range(few):
        for _ in range(2):
            shares = np.einsum("ij,j->i", found[:k], found[k])
            found[k] -= np.einsum("i,ij->j", shares, found[:k])
        found[k] /= np.sqrt(np.einsum("i,i->", found[k], found[k]))
    return (found if rows <= columns else found.T).reshape(shape).astype(np.float32)
