"""How does a picture's file become numbers of the size that a network takes?"""

import re
import struct
import threading
import warnings
import zlib
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnspec.run.wanted import Array, Fit, Wanted, show_size
from cnnspec.text.record import record

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""Those that Pillow reads itself: for others, PostScript for one, it would start programs."""

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm"),
)

MOST_PIXELS = 90_000_000
"""Beyond these a file of a few kilobytes could take the memory of the machine."""

MODES: dict[int, Literal["L", "RGB", "RGBA"]] = {1: "L", 3: "RGB", 4: "RGBA"}
WIDE = ("I;16", "I;16B", "I;16L", "I;16N")
UNSCALED = ("I", "F")

# Broken files are met by Pillow's decoders in all of these ways; the last are Pillow's own faults.
FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
)

QUIET = threading.Lock()
OURS: list[object] = []
"""The filter that keeps Pillow quiet, which somebody else may have put away."""


@record
class Picture:
    """The numbers of one picture, and its width and height before if they had to change."""

    values: Array
    resized_from: tuple[int, int] | None


def read_image(
    source: str | IO[bytes], wanted: Wanted, fit: Fit | None = None, *, strict: bool = False
) -> Picture:
    """The picture in a file as one item of an input.

    Turned upright, in as many channels as the network takes, on white where one sees through it,
    and resized smoothly. Of several frames it is the first. Raises `ValueError`, which says in a
    clause what is wrong.
    """
    be_quiet()
    try:
        return _read(source, wanted, fit or wanted.fit, strict)
    except Image.DecompressionBombError:
        raise ValueError(f"it claims more than {MOST_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ValueError("it is neither a picture nor an array that is read here") from None
    except Refused as fault:
        raise ValueError(str(fault)) from None
    except FAULTS as fault:
        raise ValueError(_reason(fault)) from None


def be_quiet() -> None:
    """Pillow warns of large pictures and odd tags; here the former are refused, the latter read.

    What it says is never shown from the first picture on, also beyond this module: to put filters
    back behind each picture would not do, since they are all threads' and pictures are read by
    several at once.
    """
    with QUIET:
        if not any(ours in warnings.filters for ours in OURS):
            warnings.filterwarnings("ignore", module=r"PIL\.")
            OURS[:] = warnings.filters[:1]


class Refused(Exception):
    """A picture that can be decoded, but not given to this network."""


def _read(source: str | IO[bytes], wanted: Wanted, fit: Fit, strict: bool) -> Picture:
    size = wanted.picture
    if size is None:
        raise Refused(f"the network takes {show_size(wanted.shape)}, which is no picture")
    with Image.open(source, formats=FORMATS) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise Refused(
                f"it claims {opened.width:,}x{opened.height:,} pixels, more than {MOST_PIXELS:,}"
            )
        opened.load()
        image = _upright(opened)
    channels, height, width = size
    image = _in_channels(image, channels)
    before = image.size
    after = (width or before[0], height or before[1])
    if before != after:
        if strict:
            raise Refused(f"it has {_by(before)} pixels, the network takes {_by(after)}")
        image = _resized(image, after, fit)
    return Picture(_values(image, wanted), None if before == after else before)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera says; tags that cannot be read say nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except FAULTS:
        return image.copy()


def _in_channels(image: Image.Image, channels: int) -> Image.Image:
    mode = MODES[channels]
    if image.mode in UNSCALED:
        raise Refused("its pixels are 32-bit numbers, of which nobody says how bright they are")
    if image.mode in WIDE:
        # `convert` would cut 16 bits off at 255.
        wide = np.asarray(image).astype(np.float32) / 257
        if channels == 1:
            return Image.fromarray(wide)
        # Colours have eight bits each.
        return Image.fromarray(np.rint(wide).astype(np.uint8)).convert(mode)
    if image.has_transparency_data and mode != "RGBA":
        seen = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, seen)
    return image if image.mode == mode else image.convert(mode)


def _resized(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    # Bilinear with a support that grows with the factor: shrinking does not alias.
    smooth = Image.Resampling.BILINEAR
    match fit:
        case "stretch":
            return image.resize(size, smooth)
        case "crop":
            return ImageOps.fit(image, size, smooth)
        case "pad":
            return ImageOps.pad(image, size, smooth)


def _values(image: Image.Image, wanted: Wanted) -> Array:
    x = np.asarray(image)
    x = x[:, :, None] if x.ndim == 2 else x
    x = x if wanted.layout == "hwc" else x.transpose(2, 0, 1)
    x = np.ascontiguousarray(x)
    if len(wanted.size) == 1:
        x = x.reshape(-1)
    return from_bytes(x, wanted)


def from_bytes(x: Array, wanted: Wanted) -> Array:
    """Values of 0 to 255 as the network takes them."""
    if wanted.dtype.kind != "f":
        return np.rint(x.astype(np.float32)).astype(wanted.dtype)
    scaled: NDArray[np.float32] = x.astype(np.float32)
    return (scaled if wanted.raw else scaled / np.float32(255)).astype(wanted.dtype)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _reason(fault: BaseException) -> str:
    """What a decoder says, as one clause."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror.lower()
    said = re.sub(r"\s+", " ", str(fault)).strip().rstrip(".")
    if isinstance(fault, MemoryError) or not said:
        return f"it cannot be decoded ({type(fault).__name__})"
    return f"it cannot be decoded: {said[:1].lower()}{said[1:]}"
