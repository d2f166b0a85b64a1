"""How does a figure within a page lead to the rows of a table, and they to it?

A box of a figure that stands for a layer or a block has its path as `data-path`, and an
id.
"""

from collections.abc import Mapping
from xml.etree import ElementTree

from markupsafe import Markup

from cnnspec.draw.svg import Element, Figure, node
from cnnspec.text.record import record

PATH, ALIKE = "data-path", "data-also"

LEAST_SHRUNK, MOST_GROWN = 0.92, 1.4


@record
class Drawing:
    """A figure under a name."""

    label: str
    svg: Markup
    boxes: Mapping[str, str]
    """The ids of its boxes, by paths."""


def drawing(label: str, figure: Figure, rows: Mapping[str, str]) -> Drawing:
    """Each box whose path has a row becomes a link to that row."""
    root = figure.element()
    # A small one may grow, a wide one shrink: but it scrolls before its letters become too small.
    most, least = round(MOST_GROWN * figure.width), round(LEAST_SHRUNK * figure.width)
    root.set("style", f"width:min(100%,{most}px);min-width:{least}px")
    boxes = _boxes(root)
    _link_all(root, rows)
    # Elements, whose texts are escaped as they are written.
    return Drawing(label, Markup(ElementTree.tostring(root, encoding="unicode")), boxes)


def _boxes(root: Element) -> Mapping[str, str]:
    """A box may hold parts with paths of their own, and may stand for further ones that are
    alike."""
    found: dict[str, str] = {}
    for box in root.iter():
        id = box.get("id")
        if box.get(PATH) and id:
            for part in box.iter():
                for path in (part.get(PATH, ""), *part.get(ALIKE, "").split(" ")):
                    found.setdefault(path, id)
    found.pop("", None)
    return found


def _link_all(parent: Element, rows: Mapping[str, str]) -> None:
    for i, part in enumerate(parent):
        row = rows.get(part.get(PATH, ""))
        if row is None:
            _link_all(part, rows)
        elif any(inner.get(PATH) for inner in part.iter() if inner is not part):
            # Links do not lie in links: each part of the box becomes one of its own.
            for k, inner in enumerate(part):
                if inner.tag != "title":
                    part[k] = _link(inner, rows.get(inner.get(PATH, ""), row))
        else:
            parent[i] = _link(part, row)


def _link(part: Element, row: str) -> Element:
    return node("a", part, href=f"#{row}")


def box_of(path: str, boxes: Mapping[str, str]) -> str | None:
    """The box of a layer, or of the smallest block around it that has one."""
    while path:
        if path in boxes:
            return boxes[path]
        path = path.rpartition(".")[0]
    return None
