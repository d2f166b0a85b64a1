"""In which form does each value of a graph lie, with its axes in order or in blocks of channels?

ONNX Runtime has convolutions and pools of its own (`com.microsoft.nchwc`) for maps that lie with a
block of channels innermost: [n, c, i, j] at [n, c / b, i, j, c % b], where b is as many numbers as
the processor multiplies at once. With four axes a value in blocks keeps its shape in words, as
these operators have it; of any other rank it has the block as its last axis: [n, c, …] becomes
[n, c / b, …, b]. A value is turned into its other form when somebody takes it so, once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import prod

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Attribute, Dims, Model, Node, Value

DOMAIN = "com.microsoft.nchwc"

Said = Mapping[str, Attribute]

Rule = Callable[["Blocks", Node], bool]
"""Does in blocks what a node does, and says so; or says that it does not."""


class Blocks:
    """A model that is written anew, and in which form each of its values is there by now."""

    def __init__(self, model: Model, size: int) -> None:
        self.size = size
        self._model = model
        self._known = model.known()
        self._readers = Counter(name for node in model.nodes for name in node.inputs)
        self._readers.update(v.name for v in model.outputs)
        self._made = model.emptied()
        self.g = Builder(self._made)
        self.g.coming = frozenset(model.values)
        self._plain = {v.name for v in model.inputs} | set(model.tensors)
        self._blocked: dict[str, Value] = {}
        self._convolutions: dict[str, Node] = {}

    def of(self, path: str, source: str = "") -> AbstractContextManager[None]:
        """What is written belongs to a value of the model."""
        return self.g.layer(path, source)

    def finished(self) -> Model:
        """The model, with its outputs in plain form."""
        for value in self._model.outputs:
            self.plain(value.name)
        made = self._made.living()
        made.verify()
        return made

    # ── what is known ──────────────────────────────────────────────────────────────────────────

    def value(self, name: str) -> Value:
        """A value of the model as it was."""
        return self._known[name]

    def fits(self, name: str) -> bool:
        """May it lie in blocks: do its channels make whole ones?"""
        value = self._known[name]
        if value.dtype != "float" or len(value.shape) < 3:
            return False
        channels, *sizes = value.shape[1:]
        is_known = all(isinstance(n, int) for n in sizes)
        return is_known and isinstance(channels, int) and channels % self.size == 0

    def has_only(self, name: str) -> bool:
        """Does it lie in blocks and nowhere else?"""
        return name in self._blocked and name not in self._plain

    def is_worth(self, names: Sequence[str]) -> bool:
        """Is there one that lies in blocks alone, or are there no others?"""
        are_all = bool(names) and all(name in self._blocked for name in names)
        return are_all or any(map(self.has_only, names))

    def numbers(self, name: str) -> tuple[int, ...] | None:
        """Those of a constant, in a row."""
        tensor = self._model.tensors.get(name)
        return None if tensor is None else tuple(int(n) for n in tensor.draw().reshape(-1))

    # ── in one form or the other ───────────────────────────────────────────────────────────────

    def keep(self, node: Node) -> None:
        """A node as it is, with all that it takes in plain form."""
        for name in node.inputs:
            if name:
                self.plain(name)
        self._made.nodes.append(node)
        self._made.values.update((name, self._known[name]) for name in node.outputs)
        self._plain.update(node.outputs)

    def plain(self, name: str) -> Value:
        """A value with its axes in order."""
        value = self._known[name]
        if name not in self._plain:
            with self.of(name):
                self._in_order(self.with_four_axes(name), value)
            self._plain.add(name)
        return value

    def _in_order(self, held: Value, value: Value) -> None:
        c, *sizes = value.inner
        said = {"channels": c}
        if len(sizes) == 2:
            self.own("ReorderOutput", held, dims=value.shape, said=said)
            return
        flat = self.own("ReorderOutput", held, dims=held.shape, part="in_order", said=said)
        self.g.op("Reshape", flat, self.g.ints("shape", (0, c, *sizes)), dims=value.shape)

    def blocked(self, name: str) -> Value:
        """A value in blocks."""
        if name not in self._blocked:
            value = self.plain(name)
            with self.of(name):
                flat = value if len(value.shape) == 4 else self._shaped(value, _flat(value))
                held = self.own("ReorderInput", flat, dims=flat.shape, part="blocked")
                if flat is not value:
                    held = self._shaped(held, self.apart(value))
            self._blocked[name] = held
        return self._blocked[name]

    def with_four_axes(self, name: str) -> Value:
        """A value in blocks as the runtime's own operators take it, whatever its rank."""
        held, value = self.blocked(name), self._known[name]
        return held if len(value.shape) == 4 else self._shaped(held, _flat(value))

    def opened(self, name: str) -> Value:
        """A value in blocks with the block as its last axis, and all others at their places."""
        held, value = self.blocked(name), self._known[name]
        return held if len(value.shape) != 4 else self._shaped(held, self.apart(value))

    def close(self, name: str, opened: Value) -> None:
        """A value of the model lies here, with the block as its last axis."""
        value = self._known[name]
        if len(value.shape) == 4:
            opened = self._shaped(opened, value.shape)
        self.hold(name, opened)

    def hold(self, name: str, held: Value) -> None:
        """A value of the model lies here in blocks."""
        self._blocked[name] = held

    def hold_plain(self, name: str) -> None:
        """A value of the model was made under its own name."""
        self._plain.add(name)

    def apart(self, value: Value) -> Dims:
        """The shape of a value in blocks with the block as its last axis."""
        c, *sizes = value.inner
        return (value.shape[0], c // self.size, *sizes, self.size)

    def _shaped(self, x: Value, dims: Dims) -> Value:
        shape = self.g.ints("shape", (0, *(n for n in dims[1:] if isinstance(n, int))))
        return self.g.op("Reshape", x, shape, dims=dims, part="shaped")

    # ── what is written ────────────────────────────────────────────────────────────────────────

    def own(
        self,
        op: str,
        *inputs: Value | None,
        dims: Dims,
        part: str = "",
        said: Said | None = None,
    ) -> Value:
        """One of the runtime's own operators, on values with four axes."""
        return self.g.node(op, inputs, said or {}, dims=dims, part=part, domain=DOMAIN)

    def convolve(self, name: str, inputs: Sequence[Value | None], said: Said) -> None:
        """A value of the model is what the runtime's own convolution makes."""
        dims = self._known[name].shape
        self.hold(name, self.own("Conv", *inputs, dims=dims, part="blocked", said=said))
        self._convolutions[name] = self._made.nodes[-1]

    def convolution(self, name: str) -> Node | None:
        """What made a value that one node alone takes, where it is such a convolution: that node's
        work may be done with it."""
        is_seen = self._readers[name] > 1 or name in self._plain
        return None if is_seen else self._convolutions.get(name)

    def rewrite(self, name: str, node: Node, added: Value | None, said: Said) -> None:
        """A value of the model is what a convolution makes that does more than the one before."""
        inputs = [self._at_hand(i) if i else None for i in node.inputs]
        if added is not None:
            inputs += [*(None for _ in range(3 - len(inputs))), added]
        self.convolve(name, inputs, {**node.attributes, **said})

    def _at_hand(self, name: str) -> Value:
        tensor = self._made.tensors.get(name)
        return self._made.values.get(name) or (tensor.value if tensor else self._known[name])


def _flat(value: Value) -> Dims:
    """A shape with all places of a map along one axis."""
    c, *sizes = value.inner
    return (value.shape[0], c, prod(sizes), 1)


def wholes(node: Node, name: str) -> tuple[int, ...]:
    """Whole numbers that a node says; none where it leaves them to what is usual."""
    said = node.attributes.get(name, ())
    assert not isinstance(said, int | float | str)
    return tuple(int(n) for n in said)
