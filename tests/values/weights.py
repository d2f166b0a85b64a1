"""With which numbers are the networks compared? Drawn from names, alike wherever they are drawn.

Only the raw bits of numpy's Philox are used, whose stream is promised not to change, and arithmetic
that rounds once; so another version of numpy or another machine draws the very same weights.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import prod, sqrt

import numpy as np

from cnnspec import Network

# Of a uniform distribution on [-1, 1) the deviation is 1/√3.
UNIT = sqrt(3)


def inputs_for(name: str, shape: Sequence[int]) -> np.ndarray:
    """Noise on a colour: through a deep network with random weights all noise looks alike."""
    plain = (*shape[:2], *(1 for _ in shape[2:]))
    noise = _spread(f"noise of {name}", shape, 0, UNIT)
    return noise + _spread(f"colours of {name}", plain, 0, UNIT / 2)


def weights_for(path: str, shape: Sequence[int]) -> np.ndarray:
    """A weight by its name, `conv6_5x5.weight`, in the range that a trained network has it in."""
    match path.rpartition(".")[2]:
        case "weight":
            # A little above He's deviation, since gates and silu take more than relu does.
            return _spread(path, shape, 0, UNIT * sqrt(2.5 / prod(shape[1:])))
        case "scale":
            return _spread(path, shape, 1, 0.1)
        case "var":
            return _spread(path, shape, 1, 0.2)
        case "bias" | "mean":
            return _spread(path, shape, 0, UNIT * 0.05)
        case "coefficient":
            # A subsampling's sum of four becomes about their mean.
            return _spread(path, shape, 0.25, 0.025)
        case "codes":
            return _spread(path, shape, 0, 1)
        case _:
            raise AssertionError(f"no rule for {path}")


def shapes_of(network: Network) -> Mapping[str, tuple[int, ...]]:
    """The weights that are kept, by name, in the order of use."""
    return {
        f"{node.path}.{name}": weight.shape
        for node in network.layers
        if node.facts is not None and not node.is_sharing
        for name, weight in node.facts.weights.items()
    }


def weights_of(network: Network) -> dict[str, np.ndarray]:
    return {path: weights_for(path, shape) for path, shape in shapes_of(network).items()}


def _spread(name: str, shape: Sequence[int], middle: float, reach: float) -> np.ndarray:
    """Evenly distributed on [middle - reach, middle + reach), as float32."""
    key = int.from_bytes(sha256(name.encode()).digest()[:16], "little")
    size = prod(shape)
    raw = np.random.Philox(key=key).random_raw(-(-size // 2))
    bits = raw.astype("<u8", copy=False).view("<u4")[:size]
    # 24 bits fill a float32's significand, so that only the two last lines round.
    bits >>= 8
    x = bits.astype(np.float32)
    x *= np.float32(2**-23)
    x -= np.float32(1)
    x *= np.float32(reach)
    x += np.float32(middle)
    return x.reshape(shape)
