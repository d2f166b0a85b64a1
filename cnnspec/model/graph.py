"""What is a network, once everything about it is known: layers with names, shapes and edges."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cnnspec.layers.base import Layer, Weight, Work
from cnnspec.syntax.tree import File
from cnnspec.text.diagnostic import Frame
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.vocab.value import Shape

if TYPE_CHECKING:
    from cnnspec.settings.recipe import Recipe


@record
class Facts:
    """What a layer says of itself on given input shapes; shared by all uses that are alike."""

    shape: Shape
    weights: Mapping[str, Weight]
    work: Work


@dataclass(slots=True, eq=False)
class Node:
    """One use of a layer."""

    index: int
    path: str
    """Dotted and unique: `bottleneck64.conv64_1x1`. Weights are `path.weight`, `path.bias`, …"""
    layer: Layer
    inputs: tuple[int, ...]
    """Indices of the nodes whose values it takes; none for an input of the network."""
    facts: Facts | None
    """None where it, or what reaches it, is wrong."""
    span: Span
    """The call in the text."""
    arg_spans: Mapping[str, Span]
    trail: Frame | None
    owner: str
    """The path under which its weights are kept: its own, or that of the use it shares them
    with."""
    frozen: bool

    @property
    def shape(self) -> Shape | None:
        return self.facts.shape if self.facts else None

    @property
    def is_sharing(self) -> bool:
        return self.owner != self.path


@record
class Output:
    """A value that leaves the network: the end of the body, or of a `head`."""

    name: str
    node: int


@dataclass(slots=True, eq=False)
class Graph:
    """A whole network. Nodes stand in an order in which each follows what it takes."""

    name: str
    file: File
    span: Span
    nodes: list[Node] = field(default_factory=list[Node])
    outputs: list[Output] = field(default_factory=list[Output])
    params: dict[str, object] = field(default_factory=dict[str, object])
    recipe: "Recipe | None" = None

    @property
    def inputs(self) -> list[Node]:
        return [n for n in self.nodes if not n.inputs]

    @property
    def main(self) -> Output:
        """The end of the body; of a network that ends in a head, its first head."""
        return next((o for o in self.outputs if o.name == "output"), self.outputs[0])

    @property
    def leaving(self) -> list[Output]:
        """The outputs as a model has them: the main one first, whatever stands first in the
        text."""
        main = self.main
        return [main, *(o for o in self.outputs if o is not main)]

    @property
    def is_whole(self) -> bool:
        """Is every shape known?"""
        return bool(self.nodes) and all(n.facts is not None for n in self.nodes)

    def find(self, path: str) -> Node | None:
        return next((n for n in self.nodes if n.path == path), None)
