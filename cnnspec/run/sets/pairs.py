"""How are two folders read, of pictures and of what belongs to each of them?"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnnspec.run.pictures import FAULTS, FORMATS
from cnnspec.run.sets.decoding import Decoder, File, files_in, names_of, usable
from cnnspec.run.sets.folder import size_of
from cnnspec.run.sets.part import Arrays, BadData, Found, Indices, Kept, digest_of
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.sets import Masks, Pairs
from cnnspec.vocab.value import Shape, listing

IGNORED = -1
"""The class of pixels that do not count."""


def read_pairs(
    data: Pairs, folder: Path, wanted: Wanted, output: Shape | None, *, skip_bad: bool
) -> Found:
    """Pictures, and what shall be made of them, which has the size of the output."""
    inputs, targets, digest = _matched(folder, data.inputs, data.targets)
    made = output if output is not None and len(output) == 3 else size_of(wanted)
    return _found(
        wanted.name,
        Decoder(inputs, size_of(wanted), data),
        Decoder(targets, made, data),
        "pictures",
        digest,
        skip_bad,
    )


def read_masks(
    data: Masks, folder: Path, wanted: Wanted, output: Shape | None, *, skip_bad: bool
) -> Found:
    """Pictures, and a class for each of their pixels."""
    inputs, masks, digest = _matched(folder, data.images, data.masks)
    count = output[0] if output is not None and output[0] > 1 else None
    return _found(
        wanted.name,
        Decoder(inputs, size_of(wanted), data),
        MaskDecoder(masks, size_of(wanted)[1:], data, count),
        "masks",
        digest,
        skip_bad,
    )


def _matched(folder: Path, first: str, second: str) -> tuple[list[File], list[File], str]:
    """The files of both folders that have the same names, apart from what follows the dot."""
    roots = [folder / Path(name).expanduser() for name in (first, second)]
    for root in roots:
        if not root.is_dir():
            raise BadData(f"there is no folder {root}")
    lists = [files_in(root) for root in roots]
    tables = [
        {f.path.relative_to(root).with_suffix("").as_posix(): f for f in files}
        for root, files in zip(roots, lists, strict=True)
    ]
    for here, there, k in ((0, 1, 1), (1, 0, 0)):
        alone = [name for name in tables[here] if name not in tables[there]]
        if alone:
            raise BadData(
                f"{len(alone):,} of {len(tables[here]):,} files in {roots[here]} have none of "
                f"their name in {roots[k]}: {', '.join(alone[:3])}{', …' if alone[3:] else ''}"
            )
    if not tables[0]:
        raise BadData(f"{roots[0]} has no pictures")
    names = sorted(tables[0])
    ordered = [[table[name] for name in names] for table in tables]
    digest = digest_of(*(names_of(f, root) for f, root in zip(ordered, roots, strict=True)))
    return ordered[0], ordered[1], digest


def _found(
    name: str,
    inputs: Decoder,
    targets: "Decoder | MaskDecoder",
    gives: str,
    digest: str,
    skip_bad: bool,
) -> Found:
    def both(
        first: Callable[[int], object], second: Callable[[int], object]
    ) -> Callable[[int], None]:
        def read(i: int) -> None:
            first(i)
            second(i)

        return read

    keep, notes = usable(
        len(inputs),
        both(inputs.look, targets.look),
        both(inputs.decoded, targets.decoded),
        skip_bad,
    )
    source = Matched(name, inputs, targets, keep)
    if gives == "pictures":
        return Found(source, "pictures", digest, notes=notes)
    ignored = IGNORED if isinstance(targets, MaskDecoder) and targets.ignores else None
    return Found(source, "masks", digest, notes=notes, ignored=ignored)


class Matched:
    """Pictures, and for each a mask or another picture."""

    def __init__(
        self, name: str, inputs: Decoder, targets: "Decoder | MaskDecoder", keep: Indices
    ) -> None:
        self._name, self._inputs, self._targets, self._keep = name, inputs, targets, keep

    @property
    def names(self) -> Sequence[str]:
        return (self._name,)

    @property
    def labels(self) -> Indices | None:
        return None

    def __len__(self) -> int:
        return len(self._keep)

    def inputs(self, indices: Indices) -> Arrays:
        return {self._name: self._inputs.read(self._keep[indices])}

    def targets(self, indices: Indices) -> Array:
        return self._targets.read(self._keep[indices])


class MaskDecoder:
    """The files of masks, as classes of one size."""

    def __init__(self, files: list[File], size: Shape, data: Masks, count: int | None) -> None:
        self._files, self._size, self._data, self._count = files, size, data, count
        self.ignores = data.ignore is not None
        self._classes = np.full(256, -2, np.int16)
        values = range(256 if count is None else count) if data.values is None else data.values
        for new, grey in enumerate(values):
            self._classes[grey] = new
        if data.ignore is not None:
            self._classes[data.ignore] = IGNORED
        self._outside = data.ignore if data.ignore is not None else next(iter(values))
        self._kept = Kept(len(files), size, np.dtype(np.int16))

    def read(self, indices: Indices) -> Array:
        return self._kept.read(indices, self.decoded).astype(np.int64)

    def look(self, i: int) -> None:
        path = self._files[i].path
        height, width = self._size
        with self._opened(path) as image:
            size = image.size
        if size != (width, height) and self._data.fit == "exact":
            raise BadData(
                f"{path} has {size[0]}x{size[1]} pixels, the input takes {width}x{height}: "
                "`fit=stretch`, `fit=crop` or `fit=pad`"
            )

    def decoded(self, i: int) -> Array:
        path = self._files[i].path
        try:
            with self._opened(path) as image:
                greys = self._fitted(_greys(image), path)
        except FAULTS as fault:
            if isinstance(fault, BadData):
                raise
            raise BadData(f"{path} cannot be decoded: {str(fault).lower()}") from None
        classes = self._classes[np.asarray(greys)]
        if classes.min() == -2:
            raise BadData(self._unknown(path, np.asarray(greys)[classes == -2]))
        return classes

    def _opened(self, path: Path) -> Image.Image:
        try:
            return Image.open(path, formats=FORMATS)
        except FAULTS:
            raise BadData(f"{path}: it is no picture that is read here") from None

    def _fitted(self, image: Image.Image, path: Path) -> Image.Image:
        height, width = self._size
        size, nearest = (width, height), Image.Resampling.NEAREST
        match self._data.fit:
            case _ if image.size == size:
                return image
            case "stretch":
                return image.resize(size, nearest)
            case "crop":
                return ImageOps.fit(image, size, nearest)
            case "pad":
                return ImageOps.pad(image, size, nearest, self._outside)  # pyright: ignore[reportArgumentType]
            case _:
                raise BadData(
                    f"{path} has {image.width}x{image.height} pixels, the input takes "
                    f"{width}x{height}: `fit=stretch`, `fit=crop` or `fit=pad`"
                )

    def _unknown(self, path: Path, greys: Array) -> str:
        found = f"the mask {path} has pixels of grey {int(greys.min())}"
        if self._data.values is not None:
            return f"{found}; `values` names {listing([str(v) for v in self._data.values], 'and')}"
        return (
            f"{found}; the network tells {self._count} classes apart, 0 to {(self._count or 1) - 1}"
        )


def _greys(image: Image.Image) -> Image.Image:
    """One number a pixel: of a palette the place in it, of two tones 0 and 1."""
    match image.mode:
        case "L":
            return image.copy()
        case "P":
            return Image.fromarray(np.asarray(image).astype(np.uint8))
        case "1":
            return Image.fromarray(np.asarray(image).astype(np.uint8))
        case _:
            numbers = np.asarray(image)
            if numbers.ndim == 3 and bool(np.any(numbers[..., :1] != numbers[..., :3])):
                raise BadData(f"the mask {getattr(image, 'filename', '')} has colours, no greys")
            flat = numbers[..., 0] if numbers.ndim == 3 else numbers
            if int(flat.max(initial=0)) > 255:
                raise BadData(f"the mask {getattr(image, 'filename', '')} has greys above 255")
            return Image.fromarray(flat.astype(np.uint8))
