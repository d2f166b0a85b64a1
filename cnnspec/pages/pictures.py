"""How do the examples and kernels of a gallery look in a page?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cnnspec.draw.chart import signal
from cnnspec.draw.confusion import called
from cnnspec.pages import images
from cnnspec.pages.page import figure
from cnnspec.run.gallery import Gallery, Kernels, Seen
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record
from cnnspec.vocab.value import show_shape

Array = NDArray[np.float32]

WIDE, SMALL = 96, 56
"""How wide a picture is on the page, more or less; and a map."""

MOST_KERNELS = 32

NOT_SHOWN = "…"


@record
class Picture:
    """A picture with what stands below it."""

    shown: Markup
    text: str


@record
class Row:
    """Pictures that belong together, with what stands before them."""

    title: str
    more: str
    pictures: Sequence[Picture]


# ── kernels ─────────────────────────────────────────────────────────────────────────────────────


def kernels(found: Kernels) -> list[Row]:
    """A row of kernels before the first step and one of what has become of them, in one scale."""
    rows = {"before": found.before, "after": found.after}
    known = [x for x in rows.values() if x is not None]
    most = max(float(np.abs(np.nan_to_num(x)).max(initial=0)) for x in known) or 1.0
    few = min(MOST_KERNELS, len(found.after))
    more = f"{few} of {found.count}" if few < found.count else ""
    return [
        Row(
            "before training" if name == "before" else "now",
            more,
            [Picture(_kernel(x[k], most, f"kernel {k}, {name}"), "") for k in range(few)],
        )
        for name, x in rows.items()
        if x is not None
    ]


def _kernel(x: Array, most: float, text: str) -> Markup:
    if not images.is_picture(x):
        values = x.reshape(-1, x.shape[-1]).tolist()[:4]
        return figure(signal(values, text, size=(84, 44), span=(-most, most)))
    flat = images.flat(x)
    if len(flat) == 3:
        colours = np.moveaxis((np.nan_to_num(flat) / most + 1) / 2, 0, -1)
        return images.image(_bytes(colours), text, wide=SMALL)
    return images.image(images.signed(flat[0], most), text, wide=SMALL)


def _bytes(x: NDArray[Any]) -> NDArray[np.uint8]:
    return np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)


# ── examples ────────────────────────────────────────────────────────────────────────────────────


def answered(seen: Seen, gallery: Gallery, labels: Sequence[str]) -> list[Picture]:
    """An example with what it is and what it was taken for: one picture, or those to compare."""
    inputs = [Picture(shown(x, f"{_alt(seen)}{_of(name, seen)}"), "") for name, x in _inputs(seen)]
    match gallery.gives:
        case "masks":
            pairs = (("what is so", seen.so), ("what it said", seen.said))
            masks = [
                Picture(images.image(_mask(m), f"{_alt(seen)}: {text}", wide=WIDE), text)
                for text, m in pairs
            ]
            return [Picture(inputs[0].shown, "input"), *inputs[1:], *masks]
        case "pictures":
            low, high = _span(seen.so)
            pairs = (("output", seen.said), ("wanted", seen.so))
            made = [
                Picture(shown((x - low) / (high - low), f"{_alt(seen)}: {text}"), text)
                for text, x in pairs
            ]
            return [Picture(inputs[0].shown, "input"), *inputs[1:], *made]
        case "numbers":
            text = f"is {_numbers(seen.so)}, said {_numbers(seen.said)}"
        case "classes":
            text = _verdict(seen, labels)
    return [*inputs[:-1], Picture(inputs[-1].shown, text)]


def _verdict(seen: Seen, labels: Sequence[str]) -> str:
    """`said 7, 99.2% sure; it is 2`."""
    said = called(int(seen.said), labels)
    sure = f", {seen.sure:.1%} sure" if seen.sure is not None and np.isfinite(seen.sure) else ""
    if np.ndim(seen.so):
        return f"said {said}{sure}"
    so = called(int(seen.so), labels)
    return f"{so}: right{sure}" if said == so else f"said {said}{sure}; it is {so}"


def explained(seen: Seen, gallery: Gallery) -> list[Picture]:
    """What the score of the class that was said hangs on."""
    found: list[Picture] = []
    for name, x in _inputs(seen):
        if name in seen.saliency:
            text = f"{_alt(seen)}: saliency{_of(name, seen)}"
            found.append(Picture(_heat(seen.saliency[name], text), "saliency"))
        if seen.cam is not None:
            text = f"{_alt(seen)}: Grad-CAM of {safe(gallery.cam_of or '')}{_of(name, seen)}"
            found.append(Picture(_over(x, seen.cam, text), "Grad-CAM"))
    return found


def through(seen: Seen, gallery: Gallery) -> Iterator[Row]:
    """What layer after layer makes of an example."""
    for path, x in seen.maps.items():
        most = float(np.abs(np.nan_to_num(x)).max(initial=0)) or 1.0
        shape = gallery.shapes[path]
        of = f", the first {len(x)}" if len(x) < shape[0] else ""
        yield Row(safe(path), f"{show_shape(shape)}{of}", [*_maps(x, path, most)])


def _maps(x: Array, path: str, most: float) -> Iterator[Picture]:
    if x.ndim == 1 or x[0].size == 1:
        # A vector as rows of cells, from the left.
        values = np.nan_to_num(x.reshape(-1))
        wide = min(len(values), 32)
        cells = np.zeros(-(-len(values) // wide) * wide, np.float32)
        cells[: len(values)] = values
        grid = images.signed(cells.reshape(-1, wide), most)
        yield Picture(
            images.image(grid, f"{safe(path)}, {len(values)} numbers", wide=wide * 10), ""
        )
        return
    for k, one in enumerate(x):
        text = f"{safe(path)}, map {k}"
        if one.ndim == 1:
            low, high = float(np.nanmin(x)), float(np.nanmax(x))
            yield Picture(
                figure(signal([one.tolist()], text, size=(110, 44), span=(low, high))), ""
            )
        else:
            pixels = images.shrunk(images.flat(one[None]))[0]
            yield Picture(images.image(images.signed(pixels, most), text, wide=SMALL), "")


def shown(x: Array, text: str) -> Markup:
    """An example as people see it: a picture, a signal, or a vector as one."""
    if images.is_picture(x):
        return images.image(images.picture(x), text, wide=WIDE)
    channels = x.reshape(-1, x.shape[-1])[:8]
    return figure(signal(channels.tolist(), text, span=(0.0, 1.0)))


def _heat(x: Array, text: str) -> Markup:
    if x.ndim == 1:
        return _strip(x, text)
    flat = x[len(x) // 2] if x.ndim == 3 else x
    return images.image(images.heat(images.shrunk(flat)), text, wide=WIDE)


def _over(x: Array, cam: Array, text: str) -> Markup:
    """Heat over an example; over a signal, a strip of it."""
    if not images.is_picture(x):
        wide = images.resized(cam.reshape(1, -1), 1, x.shape[-1])[0]
        return _strip(wide, text)
    flat = cam[len(cam) // 2] if cam.ndim == 3 else cam
    return images.image(images.over(images.picture(x), flat), text, wide=WIDE)


def _strip(x: Array, text: str) -> Markup:
    """Heat from the left to the right, as wide as the signal."""
    pixels = images.heat(images.resized(x.reshape(1, -1), 1, 220))
    return images.image(np.repeat(pixels, 24, 0), text, wide=220)


def _mask(mask: Any) -> NDArray[np.uint8]:
    x = np.asarray(mask)
    return images.classes(x[x.shape[0] // 2] if x.ndim == 3 else x)


def _inputs(seen: Seen) -> Sequence[tuple[str, Array]]:
    return list(seen.inputs.items())


def _of(name: str, seen: Seen) -> str:
    """Which input, where there are several."""
    return f", {safe(name)}" if len(seen.inputs) > 1 else ""


def _alt(seen: Seen) -> str:
    return f"example {seen.index}"


def _span(x: Any) -> tuple[float, float]:
    """The range of a picture that is wanted; 0 to 1 where it lies within."""
    low, high = float(np.nanmin(x)), float(np.nanmax(x))
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _numbers(x: Any) -> str:
    values = np.asarray(x).reshape(-1)
    more = f", {NOT_SHOWN}" if len(values) > 4 else ""
    return ", ".join(f"{v:.4g}" for v in values[:4].tolist()) + more


def legend(labels: Sequence[str], n: int) -> Mapping[str, str]:
    """Each class of pixels with its colour."""
    return {called(k, labels): images.class_colour(k) for k in range(min(n, 16))}
