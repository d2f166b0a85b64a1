"""How are two folders read, of pictures and of what belongs to each of them?"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cnnspec.run.pictures import FAULTS
from cnnspec.run.sets.decoding import Decoder, File, files_in, names_of, opened, usable
from cnnspec.run.sets.fitting import need_size
from cnnspec.run.sets.folder import size_of
from cnnspec.run.sets.part import Arrays, BadData, Found, Indices, Kept, digest_of
from cnnspec.run.wanted import CHANNELS, Array, Wanted, show_size
from cnnspec.settings.sets import Masks, Pairs
from cnnspec.vocab.value import Shape, listing

IGNORED = -1
"""The class of pixels that do not count."""

DECODED = 64
"""So many masks are decoded before training begins, evenly chosen; up to twice as many where
there are few."""

UNKNOWN = -2
"""What stands for a grey that no class has."""


def read_pairs(
    data: Pairs, folder: Path, wanted: Wanted, output: Shape | None, *, skip_bad: bool
) -> Found:
    """Pictures, and what shall be made of them, which has the size of the output."""
    inputs, targets, digest = _matched(folder, data.inputs, data.targets)
    made = output if output is not None and len(output) == 3 else size_of(wanted)
    if made[0] not in CHANNELS:
        raise BadData(f"the network gives {show_size(made)}, which is no picture")
    return _found(
        wanted.name,
        Decoder(inputs, size_of(wanted), data),
        Decoder(targets, made, data, "the network gives" if made is output else "the input takes"),
        "pictures",
        digest,
        skip_bad,
    )


def read_masks(
    data: Masks, folder: Path, wanted: Wanted, output: Shape | None, *, skip_bad: bool
) -> Found:
    """Pictures, and a class for each of their pixels."""
    inputs, masks, digest = _matched(folder, data.images, data.masks)
    # One output says yes or no.
    count = None if output is None else max(output[0], 2)
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
    tables = [_named(files_in(root), root) for root in roots]
    for here, there, k in ((0, 1, 1), (1, 0, 0)):
        alone = [name for name in tables[here] if name not in tables[there]]
        if alone:
            back = next((name for name in tables[there] if name not in tables[here]), None)
            also = "" if back is None else f"; there, `{back}` has no partner"
            shown = ", ".join(alone[:3]) + (", …" if alone[3:] else "")
            raise BadData(
                f"{len(alone):,} of {len(tables[here]):,} files in {roots[here]} have none of "
                f"their name in {roots[k]}: {shown}{also}"
            )
    names = sorted(tables[0])
    ordered = [[table[name] for name in names] for table in tables]
    digest = digest_of(*(names_of(f, root) for f, root in zip(ordered, roots, strict=True)))
    return ordered[0], ordered[1], digest


def _named(files: Sequence[File], root: Path) -> dict[str, File]:
    """The files by their names without what follows the dot."""
    found: dict[str, File] = {}
    for file in files:
        place = file.path.relative_to(root)
        name = place.with_suffix("").as_posix()
        if name in found:
            first = found[name].path.relative_to(root)
            raise BadData(f"{root} has `{first}` and `{place}`, which differ only behind the dot")
        found[name] = file
    if not found:
        raise BadData(f"{root} has no pictures")
    return found


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
        self.target_size = targets.size
        """To which all targets are brought."""

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
        self._files, self.size, self._data, self._count = files, size, data, count
        self.ignores = data.ignore is not None
        self._classes = np.full(256, UNKNOWN, np.int16)
        self._greys = _stand_for(data, count)
        for new, grey in enumerate(self._greys):
            self._classes[grey] = new
        if data.ignore is not None:
            self._classes[data.ignore] = IGNORED
        self._outside = data.ignore if data.ignore is not None else self._greys[0]
        self._kept = Kept(len(files), size, np.dtype(np.int16))

    def read(self, indices: Indices) -> Array:
        return self._kept.read(indices, self.decoded).astype(np.int64)

    def look(self, i: int) -> None:
        if i % max(len(self._files) // DECODED, 1) == 0:
            # Greys are mostly wrong in all of the masks.
            self.read(np.array([i]))
            return
        with opened(self._files[i].path) as image:
            self._need_size(self._files[i].path, image)

    def decoded(self, i: int) -> Array:
        path = self._files[i].path
        with opened(path) as image:
            self._need_size(path, image)
            try:
                greys = np.asarray(self._fitted(_greys(image, path)))
            except BadData:
                raise
            except FAULTS as fault:
                raise BadData(f"{path} cannot be decoded: {str(fault).lower()}") from None
        classes = self._classes[greys]
        if classes.min() == UNKNOWN:
            raise BadData(self._unknown(path, greys[classes == UNKNOWN]))
        return classes

    def _need_size(self, path: Path, image: Image.Image) -> None:
        height, width = self.size
        need_size(f"{path} has", image.size, (width, height), self._data)

    def _fitted(self, image: Image.Image) -> Image.Image:
        height, width = self.size
        size, nearest = (width, height), Image.Resampling.NEAREST
        match self._data.fit:
            case "crop" if image.size != size:
                return ImageOps.fit(image, size, nearest)
            case "pad" if image.size != size:
                return ImageOps.pad(image, size, nearest, self._outside)  # pyright: ignore[reportArgumentType]
            case _:
                return image if image.size == size else image.resize(size, nearest)

    def _unknown(self, path: Path, greys: Array) -> str:
        found = f"the mask {path} has pixels of grey {int(greys.min())}"
        if self._data.values is not None:
            named = listing([str(v) for v in self._data.values], "and")
            lossy = path.suffix.lower() in (".jpg", ".jpeg")
            return f"{found}; `values` names {named}{'; JPEG changes greys' if lossy else ''}"
        count = len(self._greys)
        told = f"the network tells {count} classes apart, 0 to {count - 1}"
        return f"{found}; {told}: `values=` or `ignore=`"


def _stand_for(data: Masks, count: int | None) -> Sequence[int]:
    """The grey of each class."""
    if data.values is None:
        # Of more classes than a byte has values, a file cannot have all.
        return range(256 if count is None else min(count, 256))
    twice = next((v for i, v in enumerate(data.values) if v in data.values[:i]), None)
    if twice is not None:
        raise BadData(f"`values` names grey {twice} twice")
    if data.ignore in data.values:
        raise BadData(f"`ignore` and `values` both name grey {data.ignore}")
    return data.values


def _greys(image: Image.Image, path: Path) -> Image.Image:
    """One number a pixel: of a palette the place in it, of two tones 0 and 1."""
    numbers = np.asarray(image)
    match image.mode:
        case "L" | "P" | "1":
            flat = numbers
        case "LA" | "PA" | "La":
            flat = numbers[..., 0]
        case "RGB" | "RGBA" | "RGBX" | "RGBa":
            if bool(np.any(numbers[..., :1] != numbers[..., :3])):
                raise BadData(f"the mask {path} has colours, no greys")
            flat = numbers[..., 0]
        case _ if numbers.ndim == 3:
            raise BadData(f"the mask {path} has colours, no greys")
        case _:
            flat = numbers
    if flat.dtype.itemsize == 1:
        return Image.fromarray(flat.astype(np.uint8))
    # Written so that `nan` is none either.
    wrong = ~((flat >= 0) & (flat <= 255) & (flat == np.floor(flat)))
    if wrong.any():
        found = f"{flat[wrong][0]:g}"
        raise BadData(f"the mask {path} has a pixel of {found}; greys are whole numbers, 0 to 255")
    return Image.fromarray(flat.astype(np.uint8))
