"""What is an ONNX graph before it is written? Values with shapes, nodes, tensors yet to draw."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from numpy.typing import NDArray

DType = Literal["float", "float16", "double", "int8", "uint8", "int32", "int64", "bool", "string"]
Dims = tuple[int | str, ...]
"""Sizes of a value; a word is a symbolic size, such as the batch."""

Attribute = int | float | str | Sequence[int] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Value:
    """An edge of the graph: its name, its shape with the batch, its type."""

    name: str
    shape: Dims
    dtype: DType = "float"


@dataclass(frozen=True, slots=True)
class Node:
    """One operator. `source` is where in the spec it comes from."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    name: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A weight or a constant. Its numbers are drawn when it is written, not before."""

    value: Value
    draw: "Callable[[], NDArray[Any]]"

    @property
    def size(self) -> int:
        n = 1
        for d in self.value.shape:
            assert isinstance(d, int), "a tensor has no symbolic size"
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

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take each value."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in node.inputs:
                found.setdefault(name, []).append(node)
        return found

    def used_tensors(self) -> Iterable[Tensor]:
        """Tensors that some node takes, in their own order."""
        used = {name for node in self.nodes for name in node.inputs}
        used |= {value.name for value in self.outputs}
        return (t for name, t in self.tensors.items() if name in used)

    def verify(self) -> None:
        """What a legal model is: every name made once, before it is taken, and known by shape."""
        made = {v.name for v in self.inputs} | set(self.tensors)
        for node in self.nodes:
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
