"""What of a run's page is pictures: drawn seldom, shown again and again?"""

from collections.abc import Mapping, Sequence

from cnnspec.pages import pictures
from cnnspec.pages.pictures import Picture, Row
from cnnspec.run.gallery import Gallery, Seen
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record

TITLES = {
    "classes": "The surest mistakes",
    "masks": "Where most pixels are wrong",
    "pictures": "What is furthest from what was wanted",
    "numbers": "Where it is furthest off",
}


@record
class Card:
    """An example: pictures beside each other."""

    pictures: Sequence[Picture]
    text: str


@record
class Sights:
    """The pictures of a gallery, ready to be shown."""

    seen: str
    """With which weights, and on what, they were made; or why there are none."""
    gives: str
    title: str
    worst: Sequence[Card]
    samples: Sequence[Card]
    cam_of: str | None
    legend: Mapping[str, str]
    kernels_of: str
    kernels: Sequence[Row]
    through: Sequence[tuple[str, Sequence[Row]]]
    notes: Sequence[str]


NOTHING = Sights("", "", "", (), (), None, {}, "", (), (), ())


def sights(gallery: Gallery, seen: str, labels: Sequence[str], classes: int) -> Sights:
    """The pictures of a gallery; `classes` is how many the network tells apart."""
    found = gallery.kernels
    return Sights(
        seen,
        gallery.gives,
        TITLES[gallery.gives],
        [_card(one, gallery, labels) for one in gallery.worst],
        [_card(one, gallery, labels) for one in gallery.samples],
        gallery.cam_of,
        pictures.legend(labels, max(2, classes)) if gallery.gives == "masks" else {},
        found.path if found is not None else "",
        pictures.kernels(found) if found is not None else [],
        _through(gallery, labels),
        gallery.notes,
    )


def _card(seen: Seen, gallery: Gallery, labels: Sequence[str]) -> Card:
    found = [*pictures.answered(seen, gallery, labels), *pictures.explained(seen, gallery)]
    if gallery.gives in ("classes", "numbers"):
        inputs = len(seen.inputs)
        text = found[inputs - 1].text
        plain = [Picture(p.shown, "" if k < inputs else p.text) for k, p in enumerate(found)]
        return Card(plain, text)
    return Card(found, f"example {seen.index}")


def _through(gallery: Gallery, labels: Sequence[str]) -> list[tuple[str, Sequence[Row]]]:
    return [
        (_card(seen, gallery, labels).text, [_first(seen), *pictures.through(seen, gallery)])
        for seen in gallery.samples
        if seen.maps
    ]


def _first(seen: Seen) -> Row:
    shown = [
        Picture(pictures.shown(x, f"example {seen.index}, {safe(name)}"), "")
        for name, x in seen.inputs.items()
    ]
    return Row(" · ".join(safe(name) for name in seen.inputs), "", shown)
