"""How does what was found of an input look: each thing as a picture with what its colours mean?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from cnnspec.draw.chart import signal
from cnnspec.draw.ticks import short
from cnnspec.pages import images
from cnnspec.pages.page import figure
from cnnspec.run.look import Look, Maps
from cnnspec.run.look_kernels import Kernels
from cnnspec.run.look_view import View
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record

Array = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Colours = Literal["rising", "apart"]
Span = tuple[float, float]

WIDE, SMALL = 240, 64
"""How wide an input is on the page, more or less; and a map or a kernel."""

MOST_PIXELS = 256
"""Of a side of an input; of a map half of what fits beside others."""

SIGNAL = (480.0, 110.0)
CELLS = 32
"""Numbers of a vector in a row."""


@record
class Scale:
    """What the colours of a picture mean: numbers from the left of a bar to its right."""

    colours: Colours
    low: str
    high: str
    middle: str = ""

    @property
    def css(self) -> str:
        table = images.RISING if self.colours == "rising" else images.APART
        stops = ", ".join(f"rgb({r:.0f} {g:.0f} {b:.0f})" for r, g, b in table.tolist())
        return f"linear-gradient(to right, {stops})"


@record
class Shown:
    """A picture, as an element of a page and as pixels."""

    name: str
    title: str
    shown: Markup
    pixels: Bytes
    text: str = ""
    scale: Scale | None = None
    is_wide: bool = False


@record
class Grid:
    """What a layer makes, or looks for: many small pictures in one scale."""

    name: str
    title: str
    more: str
    pictures: Sequence[Markup]
    pixels: Bytes
    scale: Scale | None


# ── the input and what the answer hangs on ──────────────────────────────────────────────────────


def inputs(found: Look) -> Iterator[Shown]:
    for name, x in found.inputs.items():
        title = "input" if len(found.inputs) == 1 else safe(name)
        yield _input(x, found.views[name], _slug("input", name, found), title)


def _input(
    x: Array, view: View, name: str, title: str, text: str = "", span: Span | None = None
) -> Shown:
    if not view.is_picture:
        return _signal(x, name, title, text, span)
    return _picture(images.picture(view.shown(x), MOST_PIXELS), name, title, text)


def reasons(found: Look) -> Iterator[Shown]:
    """What the score of the class hangs on, place by place."""
    said = safe(found.label)
    for name in found.saliency:
        view = found.views[name]
        slope = found.saliency[name]
        of = f", {safe(name)}" if len(found.views) > 1 else ""
        yield _heat(
            slope,
            view,
            _slug("saliency", name, found),
            f"saliency{of}",
            f"how much the score of {said} changes with each place: |slope|"
            + (", the largest of the channels" if view.shape[0] > 1 else ""),
        )
        yield _signed(
            found.times_input[name],
            view,
            _slug("gradient-times-input", name, found),
            f"slope × input{of}",
            f"orange speaks for {said}, blue against it",
        )
    for cam in found.cams:
        for name, x in found.inputs.items():
            if np.ndim(cam.values) != len(found.views[name].places):
                continue
            slug = "grad-cam" if len(found.cams) == 1 else f"grad-cam-{_plain(cam.layer)}"
            yield _cam(cam.values, x, found.views[name], _slug(slug, name, found), cam.layer, said)
    if found.occlusion is not None:
        o, (view,) = found.occlusion, found.views.values()
        size = "x".join(map(str, o.size))
        what = "the number" if found.how.gives == "numbers" else f"the probability of {said}"
        yield _signed(
            o.drop,
            view,
            "occlusion",
            f"occlusion by {size}",
            f"how far {what} falls from {o.whole:.4g} where a patch of the input's mean hides a "
            f"place; the least is {o.lowest:.4g}, of {o.count:,} patches",
        )


def attacked(found: Look) -> Iterator[Shown]:
    """The input, what was added to it, and their sum."""
    a = found.attack
    if a is None or a.x is None or a.eps is None or a.after is None or found.sure is None:
        return
    (view,), (x,) = found.views.values(), found.inputs.values()
    before, after = (safe(found.how.label(k)) for k in (a.before, a.after))
    sure = [f"{p:.2%}" for p in found.sure]
    # In one scale: what is the same is to look the same.
    span = float(min(x.min(), a.x.min())), float(max(x.max(), a.x.max()))
    yield _input(x, view, "attack-original", "original", f"{before}, {sure[0]}", span)
    change = a.x - x
    if view.is_picture:
        yield _change(change, view, x, a.eps)
    else:
        yield _signal(change, "attack-change", "what is added", f"at most {short(a.eps)}")
    yield _input(a.x, view, "attack-result", "together", f"{after}, {sure[1]}", span)


def _change(change: Array, view: View, x: Array, eps: float) -> Shown:
    """What is added, so much stronger that it can be seen."""
    name, title = "attack-change", "what is added"
    text = f"at most {short(eps)} to each number"
    if len(change) == 3:
        span = view.high - view.low if np.isfinite(view.high - view.low) else float(np.ptp(x))
        grown = np.clip(0.5 + change / (2 * eps), 0, 1).astype(np.float32)
        text += f", here {span / (2 * eps):.3g} times as strong; grey is nothing"
        return _picture(images.picture(grown, MOST_PIXELS), name, title, text)
    pixels = images.signed(_plane(change.mean(0)), eps)
    return _picture(pixels, name, title, text, Scale("apart", f"-{short(eps)}", short(eps), "0"))


def _cam(x: Array, given: Array, view: View, name: str, layer: str, said: str) -> Shown:
    text = f"where in the maps of {safe(layer)} is what speaks for {said}"
    scale = Scale("rising", "0", short(float(np.nan_to_num(x).max(initial=0))))
    if not view.is_picture:
        wide = images.resized(x.reshape(1, -1), 1, given.shape[-1])[0]
        return _strip(images.heat(_row(wide)), name, "Grad-CAM", text, scale)
    flat = x[len(x) // 2] if x.ndim == 3 else x
    below = images.picture(view.shown(given), MOST_PIXELS)
    return _picture(images.over(below, flat), name, "Grad-CAM", text, scale)


def _heat(x: Array, view: View, name: str, title: str, text: str) -> Shown:
    scale = Scale("rising", "0", short(float(np.nan_to_num(x).max(initial=0))))
    if not view.is_picture:
        return _strip(images.heat(_row(x)), name, title, text, scale)
    return _picture(images.heat(_plane(x)), name, title, text, scale)


def _signed(x: Array, view: View, name: str, title: str, text: str) -> Shown:
    most = short(float(np.abs(np.nan_to_num(x)).max(initial=0)))
    scale = Scale("apart", f"-{most}", most, "0")
    if not view.is_picture:
        return _strip(images.signed(_row(x)), name, title, text, scale)
    return _picture(images.signed(_plane(x)), name, title, text, scale)


def _plane(x: Array) -> Array:
    """Of a volume the middle slice, not larger than need be."""
    return images.shrunk(images.flat(x[None]), MOST_PIXELS)[0]


def _picture(pixels: Bytes, name: str, title: str, text: str, scale: Scale | None = None) -> Shown:
    return Shown(name, title, images.image(pixels, title, wide=WIDE), pixels, text, scale)


# ── signals ─────────────────────────────────────────────────────────────────────────────────────


def _row(x: Array) -> Array:
    """As wide as a signal is drawn."""
    n = round(SIGNAL[0])
    places = np.minimum(np.arange(n) * x.size // n, x.size - 1)
    return x.reshape(-1)[places][None]


def _strip(pixels: Bytes, name: str, title: str, text: str, scale: Scale) -> Shown:
    pixels = np.repeat(pixels, 28, 0)
    element = images.image(pixels, title, wide=pixels.shape[1])
    return Shown(name, title, element, pixels, text, scale, is_wide=True)


def _signal(x: Array, name: str, title: str, text: str, span: Span | None = None) -> Shown:
    channels = x.reshape(-1, x.shape[-1])[:8]
    low, high = span or (float(np.nanmin(channels)), float(np.nanmax(channels)))
    drawn = figure(signal(channels.tolist(), title, size=SIGNAL, span=(low, high)))
    said = (
        f"{len(channels)} x {channels.shape[1]} numbers, drawn from {short(low)} to {short(high)}"
    )
    text = f"{text}; {said}" if text else said
    return Shown(name, title, drawn, _drawn(channels, low, high), text, is_wide=True)


def _drawn(channels: Array, low: float, high: float) -> Bytes:
    """Lines as pixels, for a file: dark on light."""
    wide, tall = round(SIGNAL[0]), round(SIGNAL[1])
    pixels = np.full((tall, wide, 3), 255, np.uint8)
    for k, values in enumerate(np.nan_to_num(channels)):
        places = np.arange(wide) * (len(values) - 1) / (wide - 1)
        left = np.minimum(places.astype(int), max(len(values) - 2, 0))
        right = np.minimum(left + 1, len(values) - 1)
        at = values[left] + (values[right] - values[left]) * (places - left)
        rows = np.rint((tall - 9) * (1 - (at - low) / ((high - low) or 1)) + 4).astype(int)
        colour = images.classes(np.array([[k + 4]]))[0, 0]
        for column, (a, b) in enumerate(pairwise([*rows.tolist(), int(rows[-1])])):
            pixels[min(a, b) : max(a, b) + 2, column] = colour
    return pixels


# ── layers ──────────────────────────────────────────────────────────────────────────────────────


def grid(maps: Maps) -> Grid:
    """What a layer makes, all in one scale."""
    x = np.nan_to_num(maps.values)
    low, high = min(maps.low, 0.0), max(maps.high, 0.0)
    name = safe(maps.layer.name)
    scale = _scale(low, high)
    more = f"{safe(maps.layer.what)} · {'x'.join(map(str, maps.shape))}"
    if x.ndim == 1:
        pixels = _cells(x, low, high)
        one = images.image(pixels, f"{name}: {x.size} numbers", wide=min(x.size, CELLS) * 14)
        zeros = f" · {maps.dead:,} of {x.size:,} are 0" if maps.dead else ""
        return Grid(_plain(maps.layer.name), name, more + zeros, [one], pixels, scale)
    planes = [_small(one) for one in x]
    if x.ndim == 2:
        drawn = [
            figure(signal([one.tolist()], f"{name}, map {k}", size=(110, 44), span=(low, high)))
            for k, one in enumerate(x)
        ]
        pixels = np.concatenate([np.pad(_drawn(o[None], low, high), WHITE) for o in x])
        scale = None
        more += f" · from {short(low)} to {short(high)}"
    else:
        coloured = [_coloured(p, low, high) for p in planes]
        drawn = [images.image(p, f"{name}, map {k}", wide=SMALL) for k, p in enumerate(coloured)]
        pixels = together(coloured)
    few = f" · the first {len(x)} of {maps.shape[0]}" if len(x) < maps.shape[0] else ""
    dead = f" · {maps.dead:,} of {maps.shape[0]:,} dead" if maps.dead else ""
    return Grid(_plain(maps.layer.name), name, more + few + dead, drawn, pixels, scale)


WHITE: Any = ((2, 2), (2, 2), (0, 0))


def kernels(found: Kernels) -> Grid:
    """Kernels in one scale: in colour where they look at colours."""
    x = np.nan_to_num(found.values)
    most = float(np.abs(x).max(initial=0)) or 1.0
    name = safe(found.layer)
    size = "x".join(map(str, x.shape[2:]))
    few = f"the first {found.few} of {found.count}" if found.few < found.count else f"{found.count}"
    channels = f", {found.channels} channels" if found.channels > 1 else ""
    more = f"{few} kernels of {size}{channels}"
    if x.shape[1] < found.channels:
        more += "; of each its first channel"
    scale: Scale | None = Scale("apart", f"-{short(most)}", short(most), "0")
    if x.ndim == 3:
        drawn = [
            figure(signal(k.tolist(), f"{name}, kernel {i}", size=(84, 44), span=(-most, most)))
            for i, k in enumerate(x)
        ]
        pixels = np.concatenate([np.pad(_drawn(k, -most, most), WHITE) for k in x])
        return Grid(_plain(found.layer), name, more, drawn, pixels, None)
    coloured = [_kernel(k, most) for k in x]
    if x.shape[1] == 3:
        more += f"; grey is 0, full colours are ±{short(most)}"
        scale = None
    drawn = [images.image(p, f"{name}, kernel {i}", wide=48) for i, p in enumerate(coloured)]
    return Grid(_plain(found.layer), name, more, drawn, together(coloured), scale)


def _kernel(x: Array, most: float) -> Bytes:
    flat = images.flat(x)
    if len(flat) == 3:
        colours = np.moveaxis((flat / most + 1) / 2, 0, -1)
        return np.rint(colours.clip(0, 1) * 255).astype(np.uint8)
    return images.signed(flat[0], most)


def together(planes: Sequence[Bytes], columns: int = 8) -> Bytes:
    """Many small pictures as one, on white."""
    height, width = planes[0].shape[:2]
    rows = -(-len(planes) // columns)
    wide = min(len(planes), columns)
    whole = np.full((rows * (height + 1) - 1, wide * (width + 1) - 1, 3), 255, np.uint8)
    for k, plane in enumerate(planes):
        y, x = k // columns * (height + 1), k % columns * (width + 1)
        whole[y : y + height, x : x + width] = plane
    return whole


def _small(x: Array) -> Array:
    if x.ndim < 2:
        return x
    return images.shrunk(images.flat(x[None]), SMALL)[0]


def _cells(x: Array, low: float, high: float) -> Bytes:
    """A vector as rows of cells, from the left; nothing behind its end."""
    wide = min(x.size, CELLS)
    cells = np.zeros((-(-x.size // wide) * wide, 4), np.uint8)
    cells[: x.size, :3] = _coloured(x[None], low, high)[0]
    cells[: x.size, 3] = 255
    return cells.reshape(-1, wide, 4)


def _scale(low: float, high: float) -> Scale:
    if low >= 0:
        return Scale("rising", "0", short(high))
    most = max(-low, high)
    return Scale("apart", f"-{short(most)}", short(most), "0")


def _coloured(x: Array, low: float, high: float) -> Bytes:
    """In the scale of a layer: rising from 0, or apart from it where there is something below."""
    if low < 0:
        return images.signed(x, max(-low, high))
    # The largest of the layer may be in another map.
    marked = np.append(x.reshape(-1), np.float32(high))
    return images.heat(marked[None])[0, :-1].reshape(*x.shape, 3)


def _slug(word: str, name: str, found: Look) -> str:
    return word if len(found.views) == 1 else f"{word}-{_plain(name)}"


def _plain(name: str) -> str:
    """As a part of a file's name."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)[:80]


def files(found: Look) -> Mapping[str, tuple[Bytes, str]]:
    """All as pictures, by the names of their files, each with what it shows."""
    made: dict[str, tuple[Bytes, str]] = {}
    for one in (*inputs(found), *reasons(found), *attacked(found)):
        made[f"{one.name}.png"] = one.pixels, _described(one.title, one.text, one.scale)
    for k in found.kernels:
        g = kernels(k)
        made[f"kernels-{g.name}.png"] = g.pixels, _described(g.title, g.more, g.scale)
    for m in found.maps:
        g = grid(m)
        made[f"maps-{g.name}.png"] = g.pixels, _described(g.title, g.more, g.scale)
    return made


def _described(title: str, text: str, scale: Scale | None) -> str:
    span = f" [{scale.low} … {scale.high}]" if scale is not None else ""
    return f"{title}{span}: {text}" if text else title + span
