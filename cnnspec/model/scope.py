"""Which names are known at a place of the text, and what do they stand for?"""

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cnnspec.text.record import record
from cnnspec.text.source import Span

NOTHING: Final = -1
"""The flow before any `input`."""

BROKEN: Final = -2
"""A value whose maker is wrong; whoever takes it stays silent."""


RESERVED: Final = frozenset({"in", "skip", "here", "yes", "no"})
"""Names with a meaning of their own: what entered the body, what flows, and the two answers."""

SIZES: Final = ("channels", "height", "width", "depth", "length", "size", "rank")
"""What can be asked of a value by a dot."""


@record
class Wire:
    """A value of the network: the index of the node that makes it, `NOTHING` or `BROKEN`."""

    node: int

    def __str__(self) -> str:
        return "a value of the network"


class Definition(NamedTuple):
    """What a name stands for, as what it was defined, and where."""

    value: object
    role: str
    span: Span


@dataclass(slots=True, eq=False)
class Scope:
    """Names of one body; what is not here is looked for further out."""

    parent: "Scope | None" = None
    names: dict[str, Definition] = field(default_factory=dict[str, Definition])

    def find(self, name: str) -> Definition | None:
        scope: Scope | None = self
        while scope is not None:
            found = scope.names.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def all_names(self) -> Iterator[str]:
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent


@dataclass(slots=True, eq=False)
class Label:
    """A use that was given a name: `as e1`."""

    wire: Wire
    path: str
    span: Span


@dataclass(slots=True, eq=False)
class Room:
    """One use of a block (or the network itself): where names of layers are unique.

    Labels are known throughout the room from where they stand, also those set in a branch.
    """

    prefix: str
    owner: str
    """The prefix under which weights are kept: the own one, or that of the use shared with."""
    frozen: bool
    taken: dict[str, int] = field(default_factory=dict[str, int])
    labels: MutableMapping[str, Label] = field(default_factory=dict[str, Label])
    anchors: dict[int, str] = field(default_factory=dict[int, str])
    """For a node whose value is in this room: the name that what follows it is named after."""

    def unique(self, base: str) -> str:
        """The name itself where it is free, otherwise with the next free number."""
        count = self.taken.get(base, 0) + 1
        self.taken[base] = count
        if count == 1:
            return base
        name = f"{base}_{count}"
        while name in self.taken:
            count += 1
            self.taken[base] = count
            name = f"{base}_{count}"
        self.taken[name] = 1
        return name
