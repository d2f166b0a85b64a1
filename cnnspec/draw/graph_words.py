"""What stands in the boxes of a graph figure, and how large does that make them?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from cnnspec.draw.family import is_small, role
from cnnspec.draw.fold import Box, Group, Item, Plan, layers_of
from cnnspec.draw.letters import fitted, width
from cnnspec.draw.theme import Role
from cnnspec.model.graph import Node
from cnnspec.model.tally import facts_of
from cnnspec.report.calls import arguments, beyond_name
from cnnspec.vocab.value import Shape, show_shape

TITLE, SMALL = 12.5, 11.0
ROW, HEAD = 17.0, 20.0
PAD, GAP = 8.0, 12.0
NARROWEST, WIDEST = 104.0, 216.0
STACK = 4.0
"""By how much the sheets behind what is repeated stand out."""


@dataclass(slots=True, eq=False)
class Cell:
    """One layer in a box, or a line about a block."""

    bold: str
    plain: str
    role: Role
    node: int | None = None
    x: float = 0.0
    width: float = 0.0

    @property
    def least(self) -> float:
        space = 5.0 if self.bold and self.plain else 0.0
        return width(self.bold, TITLE, bold=True) + space + width(self.plain, SMALL)


@dataclass(slots=True, eq=False)
class Card:
    """A box with its rows of cells and the line below them."""

    item: Item
    rows: list[list[Cell]]
    left: str
    right: str
    badge: str
    tip: str
    width: float = 0.0
    height: float = 0.0
    tops: list[float] = field(default_factory=list[float])

    @property
    def role(self) -> Role:
        """The family of the box as a whole: of the layer that leads it."""
        cells = [cell for row in self.rows for cell in row]
        return next((c for c in cells if c.bold), cells[0]).role

    @property
    def has_foot(self) -> bool:
        return bool(self.left or self.right)

    @property
    def least(self) -> float:
        """How wide it has to be for all that it says."""
        rows = [sum(c.least + 2 * PAD for c in row) for row in self.rows]
        badge = width(self.badge, TITLE, bold=True) + GAP if self.badge else 0.0
        rows[0] += badge
        foot = width(self.left, SMALL) + width(self.right, SMALL) + 2 * PAD
        foot += GAP if self.left and self.right else 0.0
        return max(*rows, foot)


def card(plan: Plan, item: Item) -> Card:
    made = _box(plan, item) if isinstance(item, Box) else _block(plan, item)
    made.width = min(WIDEST, max(NARROWEST, made.least))
    return made


def said(made: Card) -> list[str]:
    """The rows of a box as lines of text."""
    lines = [" · ".join(f"{c.bold} {c.plain}".strip() for c in row) for row in made.rows]
    lines[0] += f" {made.badge}" if made.badge else ""
    return lines


def foot_of(made: Card) -> str:
    """The line below, where numbers need a word to be understood."""
    right = f"{made.right} params" if made.right[:1].isdigit() else made.right
    return " · ".join(part for part in (made.left, right) if part)


def heading(plan: Plan, group: Group) -> str:
    """The title of a frame."""
    return f"{title_of(plan, group)} {_badge(group)}".strip()


def sized(made: Card, wide: float) -> None:
    """Share the width among the cells, in more rows where they need them."""
    made.width = wide
    badge = width(made.badge, TITLE, bold=True) + GAP if made.badge else 0.0
    rows: list[list[Cell]] = []
    for row in made.rows:
        rows += _filled(row, wide - (badge if not rows else 0.0))
    made.rows = rows
    made.tops, y = [], 0.0
    for row in rows:
        made.tops.append(y)
        y += HEAD if any(c.bold for c in row) else ROW
        room = wide - (badge if row is rows[0] else 0.0)
        spare = (room - sum(c.least + 2 * PAD for c in row)) / len(row)
        x = 0.0
        for cell in row:
            cell.x, cell.width = x, cell.least + 2 * PAD + spare
            x += cell.width
        row[-1].width += wide - x
    made.tops.append(y)
    made.height = y + (ROW if made.has_foot else 0.0)


def _filled(row: list[Cell], room: float) -> list[list[Cell]]:
    rows: list[list[Cell]] = [[]]
    used = 0.0
    for cell in row:
        if cell.least + 2 * PAD > room:
            _shorten(cell, room - 2 * PAD)
        need = cell.least + 2 * PAD
        if rows[-1] and used + need > room:
            rows.append([])
            used = 0.0
        rows[-1].append(cell)
        used += need
    return rows


def _shorten(cell: Cell, room: float) -> None:
    cell.bold = fitted(cell.bold, room, TITLE, bold=True) if cell.bold else ""
    rest = room - width(cell.bold, TITLE, bold=True) - (5.0 if cell.bold else 0.0)
    cell.plain = fitted(cell.plain, rest, SMALL) if cell.plain and rest > 2 * SMALL else ""


# ── layers ─────────────────────────────────────────────────────────────────────────────────────


def _box(plan: Plan, box: Box) -> Card:
    nodes = [plan.graph.nodes[i] for i in box.nodes]
    rows: list[list[Cell]] = []
    for small, members in groupby(nodes, is_small):
        if small:
            rows.append([_cell(node) for node in members])
        else:
            rows += [row for node in members for row in _lead(node)]
    rows += [
        [Cell("", _cut(f"output {name}", SMALL), "input")] for name, _ in _outputs(plan, box.nodes)
    ]
    tip = "\n".join(_tip(plan, node) for node in nodes)
    if not nodes[0].inputs:
        return Card(box, rows, "", "", "", tip)
    return Card(box, rows, _shapes(plan, box), _sizes(plan, box), _badge(box), tip)


def _lead(node: Node) -> list[list[Cell]]:
    """A layer that has a row to itself: its label, its call, what does not fit beside that."""
    words = arguments(node.layer.text())
    colour = role(node)
    own = node.path.rpartition(".")[2]
    if not node.inputs:
        named = own if own != "input" else "input"
        return [[Cell(_cut(named), words[1] if len(words) > 1 else "", colour, node.index)]]
    head = [words[0], *(w for w in words[1:] if "=" not in w)]
    rest = [w for w in words[1:] if "=" in w and w not in ("bias=no", "bias=yes")]
    rows: list[list[Cell]] = []
    if beyond_name(own, words) == words and len(words) > 1:
        rows.append([Cell(_cut(own), "", colour, node.index)])
    bold = Cell(" ".join(head), " ".join(rest), colour, node.index)
    if bold.least + 2 * PAD <= WIDEST or not rest:
        return [*rows, [bold]]
    first = Cell(bold.bold, "", colour, node.index)
    return [*rows, [first], *([Cell("", line, colour, None)] for line in _wrapped(rest))]


def _wrapped(words: Sequence[str]) -> list[str]:
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width(longer, SMALL) > WIDEST - 2 * PAD:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _cell(node: Node) -> Cell:
    words = arguments(node.layer.text())
    return Cell("", _cut(" ".join(words), SMALL), role(node), node.index)


def _cut(text: str, size: float = TITLE) -> str:
    return fitted(text, WIDEST - 2 * PAD, size, bold=size == TITLE)


def _tip(plan: Plan, node: Node) -> str:
    facts, own = facts_of(node), plan.counts[node.index]
    parts = [f"{node.path}: {node.layer.text()}", show_shape(facts.shape)]
    if own.params:
        parts.append(f"{own.params:,} params" + (", frozen" if node.frozen else ""))
    if node.is_sharing and facts.weights:
        parts.append(f"weights of {node.owner}")
    if facts.work.macs:
        parts.append(f"{facts.work.macs:,} macs")
    return " · ".join(parts)


# ── blocks ─────────────────────────────────────────────────────────────────────────────────────


def _block(plan: Plan, group: Group) -> Card:
    """A folded block in one box."""
    title = Cell(_cut(title_of(plan, group)), "", "faint")
    layers = len(layers_of(plan.graph, group.nodes))
    macs = sum(facts_of(plan.graph.nodes[i]).work.macs for i in group.nodes)
    words = [f"{layers} layer{'' if layers == 1 else 's'}"]
    if macs:
        words.append(f"{short(macs)} macs")
    rows = [[title], [Cell("", " · ".join(words), "panel")]]
    for name, shape in _outputs(plan, group.nodes):
        rows.append([Cell("", _cut(f"output {name} {shape}", SMALL), "input")])
    shapes, sizes = _shapes(plan, group), _sizes(plan, group)
    return Card(group, rows, shapes, sizes, _badge(group), tip_of(plan, group))


def _outputs(plan: Plan, nodes: range) -> list[tuple[str, str]]:
    """The heads of the network among some nodes, with their shapes."""
    found = [o for o in plan.graph.outputs if o.node in nodes and o.name != "output"]
    return [(o.name, show_shape(facts_of(plan.graph.nodes[o.node]).shape)) for o in found]


def title_of(plan: Plan, group: Group) -> str:
    """The block's own name, with the word for the block where that says more."""
    if not group.path:
        return "repeated"
    own = group.path.rpartition(".")[2]
    block = block_of(plan, group)
    return own if not block or own.startswith(block) else f"{own}: {block}"


def block_of(plan: Plan, group: Group) -> str:
    """The name of the block that is used, where the text tells."""
    trail = plan.graph.nodes[group.nodes.start].trail
    frames = [f for f in reversed(trail.chain()) if f.text.startswith("block `")] if trail else []
    level = group.path.count(".")
    parts = plan.graph.nodes[group.nodes.start].path.count(".")
    # A head is a part of paths too, but no block.
    return frames[level].text[len("block `") : -1] if group.path and len(frames) == parts else ""


def tip_of(plan: Plan, group: Group) -> str:
    params = sum(plan.counts[i].params for i in group.nodes)
    macs = sum(facts_of(plan.graph.nodes[i]).work.macs for i in group.nodes)
    layers = len(layers_of(plan.graph, group.nodes))
    what = group.path or "repeated"
    borrowed = lender(plan, group.nodes)
    words = [f"{layers:,} layers", _shapes(plan, group), f"{params:,} params", f"{macs:,} macs"]
    words += [f"{group.times} times"] if group.times > 1 else []
    words += [f"weights of {borrowed}"] if borrowed else []
    return f"{what}: {' · '.join(words)}"


def lender(plan: Plan, nodes: range) -> str | None:
    """The block or layer whose weights all of these use, where there is one."""
    kept = [plan.graph.nodes[i] for i in nodes if facts_of(plan.graph.nodes[i]).weights]
    if not kept or not all(n.is_sharing for n in kept):
        return None
    lent = {n.owner for n in kept} if len(kept) == 1 else {_block_path(n, kept) for n in kept}
    return lent.pop() if len(lent) == 1 else None


def _block_path(node: Node, kept: Sequence[Node]) -> str:
    """The part of the owner's path that stands for what all have in common."""
    parts = [n.path.split(".") for n in kept]
    same = 0
    while all(len(p) > same + 1 and p[same] == parts[0][same] for p in parts):
        same += 1
    inner = len(node.path.split(".")) - same
    return ".".join(node.owner.split(".")[:-inner])


# ── what boxes and blocks have in common ───────────────────────────────────────────────────────


def _badge(item: Box | Group) -> str:
    return f"× {item.times}" if item.times > 1 else ""


def _shapes(plan: Plan, item: Box | Group) -> str:
    """Of the output; where it is flattened, before that too; where it grows, from what to what."""
    nodes = plan.graph.nodes
    last = facts_of(nodes[item.nodes[-1]]).shape
    if item.also:
        end = facts_of(nodes[item.also[-1][-1]]).shape
        if end != last:
            return grown(last, end)
    for before, after in pairwise(item.nodes):
        x, y = facts_of(nodes[before]).shape, facts_of(nodes[after]).shape
        if len(x) > 1 and len(y) == 1 and after == item.nodes[-1] and isinstance(item, Box):
            return f"{show_shape(x)} → {show_shape(y)}"
    return show_shape(last)


def grown(first: Shape, last: Shape) -> str:
    """`96…256x56x56`: what grows is the number of maps."""
    return "x".join([f"{first[0]}…{last[0]}", *map(str, last[1:])])


def _sizes(plan: Plan, item: Box | Group) -> str:
    """Parameters: of one, or of the first and the last of those that grow."""
    params = sum(plan.counts[i].params for i in item.nodes)
    borrowed = lender(plan, item.nodes)
    if borrowed:
        return f"of {borrowed.rpartition('.')[2]}" if isinstance(item, Group) else "shared"
    if not params:
        return ""
    if item.also:
        end = sum(plan.counts[i].params for i in item.also[-1])
        if end != params:
            return f"{short(params)}…{short(end)}"
    frozen = all(plan.graph.nodes[i].frozen for i in item.nodes if plan.counts[i].params)
    return f"{params:,}" + (" frozen" if frozen else "")


def short(n: int) -> str:
    """`13.2M`: three digits are enough beside a box."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if n >= size:
            return f"{n / size:.3g}{unit}" if n / size < 999.5 else f"{n / size:.0f}{unit}"
    return str(n)
