"""How do pictures of another size, or of other colours, come to those of the input?"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageOps

from cnnspec.run.sets.part import Arrays, BadData, Held, Indices, Kept, Source
from cnnspec.run.wanted import Array, Wanted, show_size
from cnnspec.settings.data import Data, Pictures
from cnnspec.vocab.value import Shape

COLOURS = {1: "greys", 3: "colours", 4: "colours with transparency"}


def fitted(source: Source, shape: Shape, data: Data, wanted: Wanted) -> Source:
    """The source with its examples as the input takes them.

    Raises `BadData` where the settings do not say how they come to that.
    """
    size = tuple(wanted.size)
    if shape == size or (len(size) == 1 and math.prod(shape) == size[0]):
        return source
    picture = wanted.picture
    if not isinstance(data, Pictures) or picture is None or len(shape) != 3:
        raise BadData(
            f"the examples of `{data.kind}` are {show_size(shape)}, the input takes "
            f"{show_size(size)}"
        )
    channels, height, width = picture
    need_colours(f"the pictures of `{data.kind}` have", shape[0], channels, data)
    target = (width or shape[2], height or shape[1])
    need_size(f"the pictures of `{data.kind}` have", (shape[2], shape[1]), target, data)
    size = (channels, target[1], target[0])
    return Fitted(source, size, lambda x: _brought(x, channels, target, data.fit))


def need_colours(
    who: str, have: int, takes: int, data: Pictures, whom: str = "the input takes"
) -> None:
    """Nothing where the channels are those of the input, or may be made so."""
    if have != takes and not data.convert:
        raise BadData(f"{who} {COLOURS[have]}, {whom} {COLOURS[takes]}: `convert=yes`")


def need_size(
    who: str,
    have: tuple[int, int],
    takes: tuple[int, int],
    data: Pictures,
    whom: str = "the input takes",
) -> None:
    """Nothing where width and height are those of the input, or may be made so."""
    if have != takes and data.fit == "exact":
        raise BadData(
            f"{who} {have[0]}x{have[1]} pixels, {whom} {takes[0]}x{takes[1]}: "
            "`fit=stretch`, `fit=crop` or `fit=pad`"
        )


class Fitted:
    """A source whose pictures are brought to another size when they are first asked for."""

    def __init__(self, source: Source, size: Shape, bring: Callable[[Array], Array]) -> None:
        self._source, self._bring = source, bring
        self._held = Kept(len(source), size, np.dtype(np.uint8))

    @property
    def labels(self) -> Indices | None:
        return self._source.labels

    def __len__(self) -> int:
        return len(self._source)

    def inputs(self, indices: Indices) -> Arrays:
        def bring(i: int) -> Array:
            (x,) = self._source.inputs(np.array([i])).values()
            return self._bring(x[0])

        return {self._source.names[0]: self._held.read(indices, bring)}

    @property
    def names(self) -> Sequence[str]:
        return self._source.names

    def targets(self, indices: Indices) -> Array:
        return self._source.targets(indices)


def _brought(x: Array, channels: int, size: tuple[int, int], fit: str) -> Array:
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    image = Image.fromarray(np.ascontiguousarray(x[0] if len(x) == 1 else x.transpose(1, 2, 0)))
    image = image if image.mode == mode else image.convert(mode)
    y = np.asarray(resized(image, size, fit))
    return y[None] if y.ndim == 2 else y.transpose(2, 0, 1)


def resized(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """As `cnnspec run` does it."""
    smooth = Image.Resampling.BILINEAR
    match fit:
        case _ if image.size == size:
            return image
        case "crop":
            return ImageOps.fit(image, size, smooth)
        case "pad":
            return ImageOps.pad(image, size, smooth)
        case _:
            return image.resize(size, smooth)


def held(name: str, x: Array, y: Array, data: Data, wanted: Wanted) -> Source:
    """Pictures in an array, with their classes, for the input of that name."""
    return fitted(Held({name: x}, y), x.shape[1:], data, wanted)
