"""How does a small picture become a file that is large enough to look at, and says what it is?"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.pages.images import png

WIDE = 384
"""As wide a picture is at least, each pixel being so many times as large."""

HEAD = 33
"""Bytes of a PNG up to the end of its first chunk."""


def described(pixels: NDArray[np.uint8], text: str) -> bytes:
    """With what it shows as its description, which viewers tell."""
    factor = max(1, -(-WIDE // max(pixels.shape[:2])))
    large: NDArray[Any] = pixels.repeat(factor, 0).repeat(factor, 1)
    whole = png(large)
    said = b"Description\0\0\0\0\0" + text.encode()
    content = struct.pack(">I", len(said)) + b"iTXt" + said
    chunk = content + struct.pack(">I", zlib.crc32(content[4:]))
    return whole[:HEAD] + chunk + whole[HEAD:]
