"""Where does elaboration stand, and what do names mean there?"""

from collections.abc import Iterator

from cnnspec.model.graph import Node
from cnnspec.model.module import Module
from cnnspec.model.scope import BROKEN, NOTHING, Room, Scope, Wire
from cnnspec.text.diagnostic import Frame, Sink
from cnnspec.vocab.value import UNKNOWN, Shape

AXES = ("height", "width", "depth", "length")


class Place:
    """A body under elaboration: in which use of which block, and what value has entered it."""

    __slots__ = (
        "current",
        "depth",
        "entered",
        "module",
        "nodes",
        "room",
        "scope",
        "sink",
        "trail",
        "turns",
    )

    def __init__(
        self,
        nodes: list[Node],
        sink: Sink,
        module: Module,
        room: Room,
        scope: Scope,
        entered: int,
        trail: Frame | None = None,
        depth: int = 0,
        turns: int = 1,
    ) -> None:
        self.nodes = nodes
        self.sink = sink
        self.module = module
        self.room = room
        self.scope = scope
        self.entered = entered
        self.current = entered
        """The value that flows at the statement under way."""
        self.trail = trail
        self.depth = depth
        self.turns = turns
        """How often the loops around, multiplied, run this body."""

    def body(self, entered: int, *, trail: Frame | None = None, turns: int = 1) -> "Place":
        """A body inside this one: a branch, an arm of an `if`, one turn of a loop."""
        return Place(
            self.nodes,
            self.sink,
            self.module,
            self.room,
            Scope(self.scope),
            entered,
            trail or self.trail,
            self.depth + 1,
            self.turns * turns,
        )

    def room_of(
        self, module: Module, room: Room, scope: Scope, entered: int, trail: Frame | None
    ) -> "Place":
        """The body of a block used here, or of a head."""
        return Place(
            self.nodes,
            self.sink,
            module,
            room,
            scope,
            entered,
            trail,
            self.depth + 1,
            self.turns,
        )

    def lookup(self, name: str) -> object | None:
        """What a dotted name means: a name as it stands, or a size of the value before the dot."""
        meaning = self._plain(name)
        if meaning is None and "." in name:
            base, _, attribute = name.rpartition(".")
            wire = self._plain(base)
            if isinstance(wire, Wire):
                return self._size(wire, attribute)
            if wire is UNKNOWN:
                return UNKNOWN
        return meaning

    def wire(self, name: str) -> Wire | None:
        """The value of the network that a name stands for in place of a call."""
        meaning = self._plain(name)
        return meaning if isinstance(meaning, Wire) else None

    def names(self) -> Iterator[str]:
        yield from self.scope.all_names()
        yield from self.room.labels
        yield from ("in", "here")

    def shape(self, node: int) -> Shape | None:
        return None if node < 0 else self.nodes[node].shape

    def _plain(self, name: str) -> object | None:
        found = self.scope.find(name)
        if found is not None:
            return found.value
        label = self.room.labels.get(name)
        if label is not None:
            return label.wire
        if name in ("in", "skip"):
            return Wire(self.entered)
        return Wire(self.current) if name == "here" else None

    def _size(self, wire: Wire, attribute: str) -> object | None:
        """`channels`, `height`, … of a value; none where it has no such size."""
        if wire.node == NOTHING:
            return None
        shape = self.shape(wire.node)
        if wire.node == BROKEN or shape is None:
            return UNKNOWN
        return sizes(shape).get(attribute)


def sizes(shape: Shape) -> dict[str, int]:
    """What can be asked of a value by name."""
    size = 1
    for n in shape:
        size *= n
    known = {"channels": shape[0], "size": size, "rank": len(shape) - 1}
    match shape[1:]:
        case (length,):
            known["length"] = length
        case (height, width):
            known |= {"height": height, "width": width}
        case (depth, height, width):
            known |= {"depth": depth, "height": height, "width": width}
        case _:
            pass
    return known
