"""How is a graph built up, node by node, with every edge named and its shape known?"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cnnspec.onnxir.graph import Attribute, Dims, DType, Model, Node, Tensor, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class Builder:
    """Adds nodes to a model. Within `layer(path)`, the node that makes the layer's result and the
    result itself carry the layer's path; what leads to it is `path/part`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._path = ""
        self._source = ""

    @property
    def opset(self) -> int:
        return self.model.opset

    @contextmanager
    def layer(self, path: str, source: str) -> Generator[None]:
        before = self._path, self._source
        self._path, self._source = path, source
        try:
            yield
        finally:
            self._path, self._source = before

    def op(
        self,
        op: str,
        *inputs: Value | None,
        shape: Dims | None = None,
        dtype: DType | None = None,
        part: str = "",
        **attributes: Attribute | None,
    ) -> Value:
        """One node with one result, of its first input's shape and type where none is given.

        Without `part` it makes the layer's result. Attributes that are none are left out.
        """
        first = next(x for x in inputs if x is not None)
        value = Value(
            self._name(part),
            first.shape if shape is None else shape,
            first.dtype if dtype is None else dtype,
        )
        self._add(op, inputs, [value], attributes)
        return value

    def split(
        self,
        op: str,
        *inputs: Value | None,
        results: Sequence[Value],
        **attributes: Attribute | None,
    ) -> Sequence[Value]:
        """One node with several results, named `path/part` by their values' names."""
        named = [Value(self._name(v.name), v.shape, v.dtype) for v in results]
        self._add(op, inputs, named, attributes)
        return named

    def input(self, name: str, shape: Dims, dtype: DType = "float") -> Value:
        value = Value(name, shape, dtype)
        self.model.inputs.append(value)
        return value

    def output(self, value: Value) -> None:
        self.model.outputs.append(value)

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        draw: "Callable[[], NDArray[Any]]",
        dtype: DType = "float",
    ) -> Value:
        """A weight under its own name."""
        value = Value(name, shape, dtype)
        self.model.tensors[name] = Tensor(value, draw)
        return value

    def ints(self, part: str, numbers: Sequence[int]) -> Value:
        """A constant vector of whole numbers, such as a shape."""
        return self._constant(part, tuple(numbers), (len(numbers),), "int64")

    def floats(
        self, part: str, numbers: Sequence[float], shape: tuple[int, ...] | None = None
    ) -> Value:
        """A constant tensor; a vector where no shape is given."""
        return self._constant(part, tuple(numbers), shape or (len(numbers),), "float")

    def scalar(self, part: str, number: float, dtype: DType = "float") -> Value:
        return self._constant(part, (number,), (), dtype)

    def _constant(
        self, part: str, numbers: tuple[float, ...], shape: tuple[int, ...], dtype: DType
    ) -> Value:
        def draw() -> "NDArray[Any]":
            import numpy as np

            return np.array(numbers, NUMPY_NAMES[dtype]).reshape(shape)

        return self.tensor(self._name(part), shape, draw, dtype)

    def _name(self, part: str) -> str:
        base = f"{self._path}/{part}" if part else self._path
        name, n = base, 1
        while name in self.model.values or name in self.model.tensors:
            n += 1
            name = f"{base}_{n}"
        return name

    def _add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        results: Sequence[Value],
        attributes: "dict[str, Attribute | None]",
    ) -> None:
        names = [x.name if x is not None else "" for x in inputs]
        while names and not names[-1]:
            names.pop()
        given = {k: v for k, v in attributes.items() if v is not None}
        node = Node(
            op, tuple(names), tuple(v.name for v in results), given, results[0].name, self._source
        )
        self.model.nodes.append(node)
        self.model.values.update((v.name, v) for v in results)


NUMPY_NAMES: dict[DType, str] = {
    "float": "float32",
    "float16": "float16",
    "double": "float64",
    "int8": "int8",
    "uint8": "uint8",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
}
