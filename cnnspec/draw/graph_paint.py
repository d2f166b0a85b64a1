"""How does a graph figure look, once each box has its place?"""

from collections.abc import Iterator, Sequence
from hashlib import blake2s

from cnnspec.draw.family import is_small
from cnnspec.draw.fold import Group, Item, Plan
from cnnspec.draw.graph_paths import ROUND, cornered, rounded, tip
from cnnspec.draw.graph_place import FRAME_TITLE, Frame, Line, Place, Scene
from cnnspec.draw.graph_words import GAP, PAD, SMALL, STACK, TITLE, Card, Cell, lender, tip_of
from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role
from cnnspec.text.excerpt import safe

DASHES = "5 3"
"""Of a border whose layers have no weights of their own."""


class Painter:
    """Paints a scene: frames below, then lines, then boxes."""

    def __init__(self, made: Plan, figure: Figure) -> None:
        self.made, self.figure = made, figure
        self.taken: set[str] = set()

    def paint(self, scene: Scene) -> None:
        figure = self.figure
        figure.add(*(self._frame(f) for f in scene.frames))
        figure.add(self._lines(scene.lines))
        figure.add(*(self._place(p) for p in scene.places))

    def _frame(self, frame: Frame) -> Element:
        figure, group = self.figure, frame.group
        fill: Role = "panel" if frame.depth % 2 else "paper"
        shared = lender(self.made, group.nodes)
        shape = {"width": frame.width, "height": frame.height, "rx": 9.0}
        made = node("g", class_="group", **self._marks(group))
        made.append(_title(tip_of(self.made, group)))
        if group.times > 1:
            made.append(_sheet(figure, frame.x, frame.y, shape, fill))
        paint = figure.paint(fill, "line")
        dash = DASHES if shared else None
        made.append(node("rect", x=frame.x, y=frame.y, **shape, **paint, stroke_dasharray=dash))
        x, y = frame.title_x + 9, frame.y + 15.5
        made.append(figure.text(frame.title, x, y, size=FRAME_TITLE, bold=True))
        if frame.badge:
            x += width(frame.title, FRAME_TITLE, bold=True) + 6
            made.append(figure.text(frame.badge, x, y, size=FRAME_TITLE, bold=True, role="mark"))
        return made

    def _lines(self, lines: list[Line]) -> Element:
        figure = self.figure
        group = node("g", class_="lines")
        for line in lines:
            paint = figure.paint(None, "line")
            group.append(node("path", d=rounded(line.points), **paint, stroke_width=1.4))
        tips = " ".join(tip(line.points) for line in lines if line.has_tip)
        group.append(node("path", d=tips, **figure.paint("line")))
        return group

    def _place(self, place: Place) -> Element:
        card, figure, x, y = place.card, self.figure, place.x, place.y
        shape = {"width": card.width, "height": card.height, "rx": ROUND}
        group = node("g", class_="layer", **self._marks(card.item))
        group.append(_title(card.tip))
        if card.item.times > 1:
            group.append(_sheet(figure, x, y, shape, "paper"))
        group.append(node("rect", x=x, y=y, **shape, **figure.paint("panel")))
        group.extend(self._rows(place))
        if card.badge:
            middle = y + (card.tops[0] + card.tops[1]) / 2 + 4.4
            right = x + card.width - PAD
            group.append(
                figure.text(card.badge, right, middle, size=TITLE, anchor="end", bold=True)
            )
        group.extend(self._foot(place))
        dash = DASHES if lender(self.made, card.item.nodes) else None
        border = figure.paint(None, "line")
        group.append(node("rect", x=x, y=y, **shape, **border, stroke_dasharray=dash))
        return group

    def _rows(self, place: Place) -> Iterator[Element]:
        """The cells, of which those in the corners of the box have round corners."""
        rows = place.card.rows
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                first, last = j == 0, j == len(row) - 1
                top, bottom = i == 0, i == len(rows) - 1 and not place.card.has_foot
                corners = (top and first, top and last, bottom and last, bottom and first)
                yield self._cell(place, cell, i, corners)

    def _foot(self, place: Place) -> Iterator[Element]:
        card, y = place.card, place.y + place.card.tops[-1] + 12.5
        if card.left:
            yield self.figure.text(card.left, place.x + PAD, y, size=SMALL)
        if card.right:
            room = card.width - 2 * PAD - (width(card.left, SMALL) + GAP if card.left else 0.0)
            words, right = fitted(card.right, room + 0.01, SMALL), place.x + card.width - PAD
            yield self.figure.text(words, right, y, size=SMALL, anchor="end", role="soft")

    def _cell(self, place: Place, cell: Cell, row: int, corners: Sequence[bool]) -> Element:
        card, figure = place.card, self.figure
        top, bottom = place.y + card.tops[row], place.y + card.tops[row + 1]
        start = place.x + cell.x
        path: str | None = None
        if cell.node is not None and len(card.item.nodes) > 1:
            path = self.made.graph.nodes[cell.node].path
        made = node("g", data_path=path)
        box = (start, top, cell.width, bottom - top)
        made.append(node("path", d=cornered(box, corners), **figure.paint(cell.role)))
        left = start + PAD
        right = start + cell.width - PAD - (self._badge(card) if row == 0 else 0.0)
        base = (top + bottom) / 2 + (4.4 if cell.bold else 4.0)
        if cell.bold:
            made.append(figure.text(cell.bold, left, base, size=TITLE, bold=True))
        if cell.plain:
            x, anchor = (right, "end") if cell.bold else (left, "start")
            if not cell.bold and cell.node is not None:
                x, anchor = (left + right) / 2, "middle"
            made.append(figure.text(cell.plain, x, base, size=SMALL, anchor=anchor))
        return made

    def _badge(self, card: Card) -> float:
        """What the count takes of the first row."""
        return width(card.badge, TITLE, bold=True) + GAP if card.badge else 0.0

    def _marks(self, item: Item) -> dict[str, str | None]:
        """What leads from the figure to a table and back: the path, and those of all others that
        the box stands for."""
        nodes = self.made.graph.nodes
        if isinstance(item, Group):
            if not item.path:
                return {}
            level = item.path.count(".") + 1
            paths = [".".join(nodes[r.start].path.split(".")[:level]) for r in item.also]
            return {"id": self._id(item.path), "data_path": item.path, "data_also": _joined(paths)}
        lead = next((i for i in item.nodes if not is_small(nodes[i])), item.nodes[0])
        paths = [nodes[i].path for r in item.also for i in r]
        path = nodes[lead].path
        return {"id": self._id(path), "data_path": path, "data_also": _joined(paths)}

    def _id(self, path: str) -> str:
        """Of letters, digits, `-` and `_`, and given once."""
        slug = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in path)
        found = f"layer-{slug}"
        if found in self.taken or slug != path.replace(".", "-"):
            found += f"-{blake2s(path.encode(), digest_size=3).hexdigest()}"
        n = 2
        while found in self.taken:
            found, n = f"layer-{slug}-{n}", n + 1
        self.taken.add(found)
        return found


def _joined(paths: Sequence[str]) -> str | None:
    return " ".join(paths) or None


def _title(words: str) -> Element:
    """What a reader sees who points at it."""
    made = node("title")
    made.text = "\n".join(safe(line) for line in words.split("\n"))
    return made


def _sheet(figure: Figure, x: float, y: float, shape: dict[str, float], fill: Role) -> Element:
    return node("rect", x=x + STACK, y=y + STACK, **shape, **figure.paint(fill, "line"))
