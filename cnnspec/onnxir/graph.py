"""What is an ONNX graph before it is written? Values with shapes, nodes, tensors yet to draw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cnnspec.text.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

DType = Literal["float", "float16", "double", "int8", "uint8", "int32", "int64", "bool"]
Dims = tuple[int | str, ...]
"""Sizes of a value; a word is a symbolic size, such as the batch."""

Attribute = int | float | str | Sequence[int] | Sequence[float]

Draw = Callable[[], "NDArray[Any]"]
"""What makes the numbers of a tensor, the same ones each time."""

BATCH = "N"
"""The name of the batch, one for all inputs and outputs."""

NUMPY_NAMES: Mapping[DType, str] = {
    "float": "float32",
    "float16": "float16",
    "double": "float64",
    "int8": "int8",
    "uint8": "uint8",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}

BYTES: Mapping[DType, int] = {
    "float": 4,
    "float16": 2,
    "double": 8,
    "int8": 1,
    "uint8": 1,
    "int32": 4,
    "int64": 8,
    "bool": 1,
}


@record
class Value:
    """An edge of the graph: its name, its shape with the batch, its type."""

    name: str
    shape: Dims
    dtype: DType = "float"

    @property
    def inner(self) -> tuple[int, ...]:
        """The shape without the batch."""
        return tuple(n for n in self.shape[1:] if isinstance(n, int))


@record
class Node:
    """One operator. `name` is the layer's path, or begins with it; `source` is its place in the
    spec."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str
    source: str = ""
    domain: str = ""
    """Whose operator it is; ONNX's own in all that is exported."""


@record
class Tensor:
    """A weight or a constant. Its numbers are drawn when it is written, not before: a network of a
    gigabyte never lies in memory as a whole."""

    value: Value
    draw: Draw
    is_weight: bool = False

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(n for n in self.value.shape if isinstance(n, int))

    @property
    def bytes(self) -> int:
        n = BYTES[self.value.dtype]
        for d in self.shape:
            n *= d
        return n


@dataclass(slots=True, eq=False)
class Model:
    """A graph with all that goes into its file."""

    name: str
    opset: int
    inputs: list[Value] = field(default_factory=list[Value])
    outputs: list[Value] = field(default_factory=list[Value])
    nodes: list[Node] = field(default_factory=list[Node])
    tensors: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    values: dict[str, Value] = field(default_factory=dict[str, Value])
    """Every edge that a node makes."""
    metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def bytes(self) -> int:
        """What its tensors take."""
        return sum(t.bytes for t in self.tensors.values())

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take each value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def living(self) -> "Model":
        """The same without nodes that no output hangs on; runtimes run these too."""
        wanted = {v.name for v in self.outputs}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if any(name in wanted for name in node.outputs):
                wanted.update(node.inputs)
                kept.append(node)
        return self.with_nodes(kept[::-1])

    def with_nodes(self, nodes: Sequence[Node]) -> "Model":
        """The same with other nodes, and without what none of them makes or takes any more."""
        taken = {name for node in nodes for name in node.inputs}
        taken |= {value.name for value in self.outputs}
        made = {name for node in nodes for name in node.outputs}
        return Model(
            self.name,
            self.opset,
            list(self.inputs),
            list(self.outputs),
            list(nodes),
            {name: t for name, t in self.tensors.items() if name in taken},
            {name: v for name, v in self.values.items() if name in made},
            dict(self.metadata),
        )

    def emptied(self) -> "Model":
        """The same without nodes, for a pass that writes them anew."""
        return Model(
            self.name,
            self.opset,
            list(self.inputs),
            list(self.outputs),
            tensors=dict(self.tensors),
            metadata=dict(self.metadata),
        )

    def known(self) -> dict[str, Value]:
        """Every value by its name."""
        tensors = {name: t.value for name, t in self.tensors.items()}
        return {**{v.name: v for v in self.inputs}, **tensors, **self.values}

    def verify(self) -> None:
        """What a legal model is: every name made once, before it is taken, and known by shape."""
        made = {v.name for v in self.inputs} | set(self.tensors)
        assert len(made) == len(self.inputs) + len(self.tensors), "an input has a tensor's name"
        names: set[str] = set()
        for node in self.nodes:
            assert node.name not in names, f"two nodes are called `{node.name}`"
            names.add(node.name)
            for name in node.inputs:
                assert not name or name in made, (
                    f"`{node.name}` takes `{name}`, which nothing makes"
                )
            for name in node.outputs:
                assert name not in made, f"`{name}` is made twice"
                assert name in self.values, f"`{name}` has no shape"
                made.add(name)
        for value in self.outputs:
            assert value.name in made, f"the output `{value.name}` is made by nothing"
