"""What does a gradient rule get, and what does it answer?"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Attribute, Dims, DType, Model, Node, Tensor, Value
from cnnspec.text.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Grads = Sequence[Value | None]
"""One for each input; none where there is no gradient, on purpose."""


class Adjoint(Builder):
    """A builder whose nodes are called by their operator, unless a rule has a better word."""

    def __init__(self, model: Model, batch: int | str, *, for_gpu: bool = False) -> None:
        super().__init__(model, batch)
        self.for_gpu = for_gpu
        """Will it run where copying is cheap, and a few long sums are not?"""

    def op(
        self,
        op: str,
        *inputs: Value | None,
        shape: Sequence[int] | None = None,
        dims: Dims | None = None,
        dtype: DType | None = None,
        part: str = "",
        **attributes: Attribute | None,
    ) -> Value:
        return super().op(
            op, *inputs, shape=shape, dims=dims, dtype=dtype, part=part or op, **attributes
        )


@record
class Use:
    """An operator where it stands: its inputs and outputs, and what is constant among them."""

    node: Node
    x: tuple[Value | None, ...]
    y: tuple[Value, ...]
    dy: tuple[Value | None, ...]
    """The gradient of each output; none where the scalar does not hang on it."""
    tensors: Mapping[str, Tensor]

    def input(self, k: int) -> Value:
        x = self.x[k]
        assert x is not None, f"`{self.node.name}` has no input {k}"
        return x

    def has(self, k: int) -> bool:
        """Is there an input `k`, or is it left out?"""
        return k < len(self.x) and self.x[k] is not None

    def is_constant(self, k: int) -> bool:
        return self.input(k).name in self.tensors

    def constant(self, k: int) -> "NDArray[Any]":
        """The numbers of an input that is a tensor of the model."""
        assert self.is_constant(k), f"`{self.node.name}` works out its input {k}: no constant"
        return self.tensors[self.input(k).name].draw()

    def ints(self, k: int) -> tuple[int, ...]:
        """The numbers of a constant input, in a row."""
        return tuple(int(n) for n in self.constant(k).reshape(-1))

    def number(self, name: str, otherwise: float) -> float:
        value = self.node.attributes.get(name, otherwise)
        assert isinstance(value, int | float)
        return value

    def whole(self, name: str, otherwise: int) -> int:
        value = self.node.attributes.get(name, otherwise)
        assert isinstance(value, int)
        return value

    def wholes(self, name: str) -> tuple[int, ...] | None:
        value = self.node.attributes.get(name)
        if value is None:
            return None
        assert not isinstance(value, int | float | str)
        return tuple(int(n) for n in value)

    def word(self, name: str, otherwise: str) -> str:
        value = self.node.attributes.get(name, otherwise)
        assert isinstance(value, str)
        return value


Rule = Callable[[Adjoint, Value, Use], Grads]
"""From the gradient of an operator's (first) output to those of its inputs. The walk undoes
broadcasting and adds up; a rule does neither."""

R = TypeVar("R", bound=Rule)


def rules(*tables: Mapping[str, Rule]) -> Mapping[str, Rule]:
    """One table of several, in which no operator stands twice."""
    found: dict[str, Rule] = {}
    for table in tables:
        twice = found.keys() & table.keys()
        assert not twice, f"two rules for {', '.join(sorted(twice))}"
        found.update(table)
    return found
