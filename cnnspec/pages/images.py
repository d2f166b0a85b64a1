"""How do arrays become pictures in a page?

As PNGs within it, written here: they are small, and Pillow is met where files of users are read.
"""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

MOST_PIXELS = 128
"""Of a side: larger pictures are shrunk, for the sake of the page's size."""

# From dark blue over green to yellow: in OKLab, a space in which equal steps look equal, each step
# is as long as any other and as much lighter, so that it reads in grey and for the colour-blind.
RISING = np.array(
    [
        *((13, 14, 59), (0, 43, 91), (0, 75, 117), (0, 107, 127), (0, 137, 132)),
        *((43, 168, 132), (109, 196, 122), (179, 219, 112), (247, 237, 108)),
    ],
    np.float32,
)
# Blue below zero, orange above, and nothing between.
APART = np.array(
    [(0, 60, 120), (70, 150, 205), (247, 247, 245), (238, 140, 60), (150, 55, 0)], np.float32
)
# Okabe and Ito's, then mixtures of them; the first class is mostly the background.
_CLASSES = np.array(
    [
        *((38, 44, 52), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)),
        *((0, 114, 178), (213, 94, 0), (204, 121, 167), (150, 150, 150), (120, 70, 20)),
        *((170, 220, 190), (250, 200, 160), (90, 60, 140), (60, 110, 60), (200, 230, 250)),
        *((130, 30, 60),),
    ],
    np.uint8,
)


def png(pixels: Bytes) -> bytes:
    """A picture's file: height and width, and behind them nothing or three or four channels."""
    height, width, *rest = pixels.shape
    kind = {(): 0, (3,): 2, (4,): 6}[tuple(rest)]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    # Each row begins with the number of its filter; 0 is none.
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(raw, 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def image(pixels: Bytes, text: str, *, wide: int = 96, kind: str = "pixels") -> Markup:
    """An element; `text` says what it shows. Enlarged by a whole number towards `wide`."""
    height, width = pixels.shape[:2]
    factor = max(1, round(wide / max(width, 1)))
    source = f"data:image/png;base64,{base64.b64encode(png(pixels)).decode()}"
    element = '<img class="{}" src="{}" width="{}" height="{}" alt="{}">'
    return Markup(element).format(kind, source, width * factor, height * factor, text)


# ── what an array shows ─────────────────────────────────────────────────────────────────────────


def is_picture(x: NDArray[Any]) -> bool:
    """Can it be seen as a picture: channels, height, width, perhaps with a depth between?"""
    return x.ndim in (3, 4) and min(x.shape[-2:]) > 0


def picture(x: Floats, most: int = MOST_PIXELS) -> Bytes:
    """Numbers from 0 to 1 as a picture: of a volume the middle slice; in colour where there are
    three channels, else the mean of them."""
    x = shrunk(flat(x), most)
    pixels = np.rint(np.nan_to_num(x) * 255).clip(0, 255).astype(np.uint8)
    if len(x) in (3, 4):
        return np.ascontiguousarray(np.moveaxis(pixels[:3], 0, -1))
    return pixels[0] if len(x) == 1 else np.rint(pixels.mean(0)).astype(np.uint8)


def flat(x: NDArray[Any]) -> NDArray[Any]:
    """Of a volume the middle slice."""
    return x[:, x.shape[1] // 2] if x.ndim == 4 else x


def shrunk(x: Floats, most: int = MOST_PIXELS) -> Floats:
    """Means over blocks, where the last two axes are larger than need be."""
    factor = -(-max(x.shape[-2:]) // most)
    if factor == 1:
        return x
    h, w = x.shape[-2] // factor, x.shape[-1] // factor
    if not h or not w:
        return x[..., :most, :most]
    cut = x[..., : h * factor, : w * factor]
    return cut.reshape(*x.shape[:-2], h, factor, w, factor).mean((-3, -1))


def heat(x: Floats) -> Bytes:
    """From the least number, dark, to the largest, light."""
    return _mixed(RISING, _unit(x, float(np.nanmin(x, initial=0))))


def signed(x: Floats, most: float | None = None) -> Bytes:
    """Blue below zero, orange above; as strong as far from it."""
    most = most or float(np.abs(np.nan_to_num(x)).max(initial=0)) or 1.0
    return _mixed(APART, (np.nan_to_num(x) / most + 1) / 2)


def over(below: Bytes, x: Floats) -> Bytes:
    """A picture in grey with heat over it, of its own size."""
    grey = below.astype(np.float32)
    grey = grey.mean(2) if grey.ndim == 3 else grey
    weight = _unit(resized(np.nan_to_num(x), *grey.shape), 0.0)
    colours = _mixed(RISING, weight).astype(np.float32)
    strength = (0.25 + 0.5 * weight)[..., None]
    return np.rint(grey[..., None] * (1 - strength) + colours * strength).astype(np.uint8)


def classes(mask: NDArray[Any], most: int = MOST_PIXELS) -> Bytes:
    """Each class of pixels in a colour of its own; pixels that do not count in white."""
    step = -(-max(mask.shape[-2:]) // most)
    mask = mask[..., ::step, ::step].astype(np.int64)
    return np.where((mask < 0)[..., None], np.uint8(255), _CLASSES[mask % len(_CLASSES)])


def class_colour(k: int) -> str:
    """The same for a legend."""
    r, g, b = _CLASSES[k % len(_CLASSES)].tolist()
    return f"#{r:02x}{g:02x}{b:02x}"


def resized(x: Floats, height: int, width: int) -> Floats:
    """Bilinear, with corners on corners' pixels as wide as their cells."""
    for axis, n in ((0, height), (1, width)):
        m = x.shape[axis]
        at = np.clip((np.arange(n) + 0.5) * m / n - 0.5, 0, m - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, m - 1)
        share = (at - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


def _unit(x: Floats, low: float) -> Floats:
    x = np.nan_to_num(x)
    return (x - low) / ((float(x.max(initial=low)) - low) or 1.0)


def _mixed(table: Floats, share: NDArray[Any]) -> Bytes:
    """Colours between those of a table."""
    at = np.clip(share, 0, 1) * (len(table) - 1)
    low = np.minimum(at.astype(int), len(table) - 2)
    part = (at - low)[..., None]
    return np.rint(table[low] * (1 - part) + table[low + 1] * part).astype(np.uint8)
