"""How is a graph built up, node by node, with every edge named and its shape known?"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

from cnnspec.onnxir.graph import (
    BATCH,
    NUMPY_NAMES,
    Attribute,
    Dims,
    Draw,
    DType,
    Model,
    Node,
    Tensor,
    Value,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

REDUCTIONS_TAKE_AXES = 18
"""The first opset in which all reductions take their axes as an input, as ReduceSum did before."""


CLOCK = "step"
"""The input that counts steps, from 1."""

OWN = "/own"
"""Behind the path of a layer whose name the graph needs for something of its own."""

# Squares of numbers below the prime stay below 2^62.
PRIME, STRIDE, SPREAD, ROUNDS = 2**31 - 1, 1_103_515_245, 747_796_405, 3

BROADCASTING = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", "PRelu", "Where"),
        *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or"),
    )
)
"""Operators that stretch axes of size 1 to meet the others'."""


def broadcast(shapes: Iterable[Dims]) -> Dims:
    """The shape in which these meet."""
    met: Dims = ()
    for shape in shapes:
        long, short = (met, shape) if len(met) >= len(shape) else (shape, met)
        ahead = len(long) - len(short)
        pairs = zip(long[ahead:], short, strict=True)
        met = (*long[:ahead], *(b if a == 1 else a for a, b in pairs))
    return met


class Builder:
    """Adds nodes to a model. Within `layer(path)`, the node that makes the layer's result and the
    result itself carry the layer's path; what leads to it is `path/part`."""

    def __init__(
        self,
        model: Model,
        batch: int | str = BATCH,
        *,
        is_dynamic: bool = False,
        is_training: bool = False,
    ) -> None:
        self.model = model
        self.batch = batch
        self.is_training = is_training
        """Is it the graph of a step, in which statistics are those of the batch, and some numbers
        are left out at random?"""
        self.updates: dict[str, Value] = {}
        """For weights that follow no gradient: what they are after the step, by their names."""
        self.reserved: frozenset[str] = frozenset()
        """Names that layers leave alone: the graph has inputs and outputs of its own."""
        self.coming: frozenset[str] = frozenset()
        """Names of results that are yet to be made: no part of one is called so."""
        self.is_dynamic = is_dynamic
        """Shall the graph do for other sizes of maps too, where that costs a plainer node?"""
        self._examples: Value | None = None
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
        shape: Sequence[int] | None = None,
        dims: Dims | None = None,
        dtype: DType | None = None,
        part: str = "",
        **attributes: Attribute | None,
    ) -> Value:
        """One node with one result, of its first input's shape and type where none is given.

        `shape` is without the batch, `dims` with whatever stands in front. Without `part` it makes
        the layer's result. Attributes that are none are left out.
        """
        first = next(x for x in inputs if x is not None)
        if dims is None and shape is not None:
            dims = (self.batch, *shape)
        elif dims is None:
            is_wide = op in BROADCASTING
            dims = broadcast(x.shape for x in inputs if x is not None) if is_wide else first.shape
        value = Value(self._name(part), dims, first.dtype if dtype is None else dtype)
        self._add(op, inputs, (value,), attributes)
        return value

    def node(
        self,
        op: str,
        inputs: Sequence[Value | None],
        attributes: Mapping[str, Attribute],
        *,
        dims: Dims,
        part: str = "",
        domain: str = "",
    ) -> Value:
        """The same with attributes that are at hand together, perhaps of somebody's own domain."""
        value = Value(self._name(part), dims)
        self._add(op, inputs, (value,), attributes, domain)
        return value

    def ops(
        self,
        op: str,
        *inputs: Value | None,
        results: Sequence[tuple[str, Dims, DType]],
        **attributes: Attribute | None,
    ) -> tuple[Value, ...]:
        """One node with several results, each given by its part, shape and type."""
        made = tuple(Value(self._name(part), dims, dtype) for part, dims, dtype in results)
        self._add(op, inputs, made, attributes)
        return made

    def input(self, shape: Sequence[int], dtype: DType = "float") -> Value:
        """What the network is given, under the layer's path."""
        value = Value(self._name(""), (self.batch, *shape), dtype)
        self.model.inputs.append(value)
        return value

    def examples(self) -> Value:
        """How many there are in this batch, as a number of the graph."""
        if self._examples is None:
            with self.layer("batch", ""):
                shape = self.op("Shape", self.model.inputs[0], dims=(1,), dtype="int64", end=1)
                size = self.op("Cast", shape, dtype="float", part="number", to=1)
                self._examples = self.op("Squeeze", size, dims=(), part="size")
        return self._examples

    def clock(self) -> Value:
        """How many steps there have been, an input of the step."""
        if not any(v.name == CLOCK for v in self.model.inputs):
            self.model.inputs.append(Value(CLOCK, (), "int64"))
        return next(v for v in self.model.inputs if v.name == CLOCK)

    def chance(self, dims: Dims, share: float) -> Value:
        """True at random places, `share` of them in the mean.

        The numbers come from the layer's name, the step and the place alone: a step that is done
        again leaves out the same ones, in whatever program it is done. Each example and each of its
        places has a number that went three times through x ↦ x² + k modulo a prime; their sum
        goes twice, for remainders of whole numbers are what takes the time.
        """
        shape = self._sizes(dims)
        prime, key = self.whole("prime", PRIME), self._key()
        time = self.op("Mul", self.clock(), self.whole("stride", STRIDE), part="time")
        start = self.op("Mod", self.op("Add", time, key, part="time_key"), prime, part="start")
        inner = [n for n in dims[1:] if isinstance(n, int)]
        examples = self.op("Cast", self.examples(), dtype="int64", part="examples", to=7)
        row = self._scattered(examples, dims[0], start)
        # Other numbers than those of the examples, of which the first were the same otherwise.
        far = self.op("Mul", start, self.whole("spread", SPREAD), part="far")
        other = self.op("Mod", far, prime, part="other_start")
        column = self._scattered(self.whole("places", prod(inner)), prod(inner), other)
        row = self.op("Unsqueeze", row, self.ints("behind", (1,)), dims=(dims[0], 1), part="row")
        x = self.op("Add", row, column, part="met")
        for _ in range(2):
            square = self.op("Mul", x, x, part="met_square")
            x = self.op("Mod", self.op("Add", square, start, part="met_key"), prime, part="random")
        limit = self.whole("limit", round(share * PRIME))
        hits = self.op("Less", x, limit, dtype="bool", part="hits")
        return self.op("Reshape", hits, shape, dims=dims, part="chances")

    def _scattered(self, count: Value, size: int | str, start: Value) -> Value:
        """For each of so many a number of its own, below half of the prime."""
        zero, one = self.whole("zero", 0), self.whole("one_place", 1)
        prime, half = self.whole("prime", PRIME), self.whole("half", 2)
        x = self.op("Range", zero, count, one, dims=(size,), dtype="int64", part="counted")
        x = self.op("Mul", x, self.whole("spread", SPREAD), part="spread_out")
        for _ in range(ROUNDS):
            x = self.op("Mod", self.op("Add", x, start, part="moved"), prime, part="within")
            x = self.op("Mul", x, x, part="square")
        x = self.op("Mod", self.op("Add", x, start, part="moved"), prime, part="scattered")
        return self.op("Div", x, half, part="halved")

    def _sizes(self, dims: Dims) -> Value:
        """A shape as a vector of the graph; the batch is that of this step."""
        known = [n for n in dims[1:] if isinstance(n, int)]
        assert len(known) == len(dims) - 1, f"only the batch is open: {dims}"
        number = self.op("Cast", self.examples(), dtype="int64", part="batch", to=7)
        first = self.op("Unsqueeze", number, self.ints("first", (0,)), dims=(1,), part="one_batch")
        if not known:
            return first
        rest = self.ints("rest", known)
        return self.op("Concat", first, rest, dims=(len(dims),), part="shape", axis=0)

    def _key(self) -> Value:
        from hashlib import sha256

        digest = sha256(self._path.encode()).digest()
        return self.whole("key", int.from_bytes(digest[:4], "big") % PRIME)

    def output(self, value: Value) -> None:
        self.model.outputs.append(value)

    def weight(self, name: str, shape: tuple[int, ...], draw: Draw) -> Value:
        """A weight under its own name; the same one again where it is shared."""
        if name not in self.model.tensors:
            self.model.tensors[name] = Tensor(Value(name, shape), draw, is_weight=True)
        return self.model.tensors[name].value

    def ints(self, part: str, numbers: Sequence[int], shape: Sequence[int] | None = None) -> Value:
        """A constant tensor of whole numbers, a vector where no shape is given."""
        return self._constant(part, numbers, (len(numbers),) if shape is None else shape, "int64")

    def floats(
        self, part: str, numbers: Sequence[float], shape: Sequence[int] | None = None
    ) -> Value:
        """A constant tensor; a vector where no shape is given."""
        return self._constant(part, numbers, (len(numbers),) if shape is None else shape, "float")

    def ones(self, part: str, shape: Sequence[int]) -> Value:
        return self._filled(part, shape, 1)

    def zeros(self, part: str, shape: Sequence[int]) -> Value:
        return self._filled(part, shape, 0)

    def picks(self, part: str, channels: int, kernel: Sequence[int]) -> Value:
        """Kernels of a depthwise convolution that makes a map of each number under its window."""

        def draw() -> "NDArray[Any]":
            import numpy as np

            size = int(np.prod(kernel))
            one = np.eye(size, dtype=np.float32).reshape(size, 1, *kernel)
            return np.tile(one, (channels, *(1 for _ in one.shape[1:])))

        size = channels
        for n in kernel:
            size *= n
        return self._tensor(part, Value("", (size, 1, *kernel)), draw)

    def by_channel(self, weight: Value, rank: int) -> Value:
        """A weight with one number for each channel, such that it meets maps of `rank` axes."""
        if rank == 1:
            return weight
        shape = (*weight.shape, *(1 for _ in range(rank - 1)))
        name = weight.name.rpartition(".")[2]
        sizes = [n for n in shape if isinstance(n, int)]
        return self.op(
            "Reshape", weight, self.ints(f"{name}_shape", sizes), dims=shape, part=f"{name}_column"
        )

    def channels(self, part: str, numbers: Sequence[float], rank: int) -> Value:
        """A constant for each channel, or one alone where all are the same."""
        if len(set(numbers)) == 1:
            return self.scalar(part, numbers[0])
        return self.floats(part, numbers, (len(numbers), *(1 for _ in range(rank - 1))))

    def reduce(
        self,
        op: str,
        x: Value,
        axes: Sequence[int],
        *,
        keepdims: int,
        shape: Sequence[int] | None = None,
        dims: Dims | None = None,
        part: str = "",
    ) -> Value:
        """A reduction over axes, which are an attribute in older opsets and an input in newer."""
        if op != "ReduceSum" and self.opset < REDUCTIONS_TAKE_AXES:
            return self.op(
                op, x, shape=shape, dims=dims, part=part, axes=tuple(axes), keepdims=keepdims
            )
        over = self.ints(f"{part}_axes" if part else "axes", axes)
        return self.op(op, x, over, shape=shape, dims=dims, part=part, keepdims=keepdims)

    def slice(
        self,
        x: Value,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        y: Sequence[int],
    ) -> Value:
        """A part of some axes, as the layer's result."""
        parts = (("starts", starts), ("ends", ends), ("axes", axes))
        return self.op("Slice", x, *(self.ints(name, ns) for name, ns in parts), shape=y)

    def whole(self, part: str, number: int) -> Value:
        return self._constant(part, (number,), (), "int64")

    def scalar(self, part: str, number: float) -> Value:
        return self._constant(part, (number,), (), "float")

    def _constant(
        self, part: str, numbers: Sequence[float], shape: Sequence[int], dtype: DType
    ) -> Value:
        kept = tuple(numbers)

        def draw() -> "NDArray[Any]":
            import numpy as np

            return np.array(kept, NUMPY_NAMES[dtype]).reshape(shape)

        return self._tensor(part, Value("", tuple(shape), dtype), draw)

    def _filled(self, part: str, shape: Sequence[int], number: float) -> Value:
        def draw() -> "NDArray[Any]":
            import numpy as np

            return np.full(shape, number, np.float32)

        return self._tensor(part, Value("", tuple(shape)), draw)

    def _tensor(self, part: str, like: Value, draw: Draw) -> Value:
        value = Value(self._name(part), like.shape, like.dtype)
        self.model.tensors[value.name] = Tensor(value, draw)
        return value

    def _name(self, part: str) -> str:
        base = f"{self._path}/{part}" if part else self._path
        # Only what stands in a spec has a source.
        if self._source and base in self.reserved:
            base += OWN
        name, n = base, 1
        while self._is_taken(name) or (part and name in self.coming):
            n += 1
            name = f"{base}_{n}"
        return name

    def _is_taken(self, name: str) -> bool:
        return name in self.model.values or name in self.model.tensors

    def _add(
        self,
        op: str,
        inputs: Sequence[Value | None],
        results: Sequence[Value],
        attributes: "Mapping[str, Attribute | None]",
        domain: str = "",
    ) -> None:
        names = [x.name if x is not None else "" for x in inputs]
        while names and not names[-1]:
            names.pop()
        given = {k: v for k, v in attributes.items() if v is not None}
        self.model.nodes.append(
            Node(
                op,
                tuple(names),
                tuple(v.name for v in results),
                given,
                results[0].name,
                self._source,
                domain,
            )
        )
        self.model.values.update((v.name, v) for v in results)
