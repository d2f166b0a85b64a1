"""What must a layer say about itself?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.value import Shape, show, show_shape

Sizes = int | tuple[int, ...]
"""One number for all axes, or one for each."""


class Weight(NamedTuple):
    """A tensor that belongs to a layer.

    `init` names how it starts (`he`, `xavier`, `lecun`, `orthogonal`, `zeros`, `ones`, `constant`,
    `normal`, …); `trained` is false for running statistics and fixed tables.
    """

    shape: tuple[int, ...]
    init: str = "he"
    trained: bool = True
    value: float = 0.0
    """What a `constant` starts at."""
    fans: tuple[float, float] | None = None
    """How many numbers go into one of the layer's outputs, and to how many outputs one of its
    inputs goes; where nothing is said, by the shape: (outputs, inputs, kernel…)."""

    @property
    def size(self) -> int:
        n = 1
        for d in self.shape:
            n *= d
        return n


class Work(NamedTuple):
    """What one image costs: multiply-accumulates, and connections as LeCun counts them.

    A connection is one use of a weight, a bias or a pooled input by one output unit. Layers that
    are part of their unit (activations, normalisation) have none of their own.
    """

    macs: int = 0
    connections: int = 0


class View(NamedTuple):
    """What one output pixel sees of the layer's input, along one axis.

    `extent` input pixels wide, moving by `step` input pixels per output pixel, the first one
    starting at `start` (negative inside the padding). `step` is a fraction where the map grows.
    """

    extent: float
    step: float
    start: float


class Layer(Kind):
    """Base of the layers that take one value. A merge (see `merge.py`) takes several.

    Rules are called with shapes without the batch. They raise `Refusal` where the layer is
    impossible, naming the parameter at fault. All of them are pure, so that the same layer on the
    same shape is worked out once however often a network repeats it.
    """

    anchors: ClassVar[bool] = False
    """Does it name what follows it? `conv 6 5x5 -> tanh` is `conv6_5x5` and `conv6_5x5_tanh`."""

    is_merge: ClassVar[bool] = False
    """Does it take the ends of several branches rather than the one value that flows?"""

    is_view: ClassVar[bool] = False
    """Does it only rename the same numbers (flatten, reshape), taking no memory of its own?"""

    @property
    def is_global(self) -> bool:
        """Does it end the receptive field: each output sees the whole map (fc, global pooling), or
        has no place on it any more (flatten)?"""
        return False

    def shape(self, *xs: Shape) -> Shape:
        """The shape of the result; `Refusal` where there is none."""
        raise AssertionError(f"`{self.kind}` has no shape rule")

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        return {}

    def work(self, y: Shape, *xs: Shape) -> Work:
        return Work()

    def views(self, y: Shape, *xs: Shape) -> Sequence[View]:
        """One view for each spatial axis of the input; none where a pixel only sees itself."""
        return ()

    def dropped(self, *xs: Shape) -> Sequence[int]:
        """How many real pixels at the far end of each axis no window reads, against the author's
        probable wish; empty where none are."""
        return ()

    def keep_hint(self, *xs: Shape) -> str | None:
        """What would read the pixels that `dropped` counts, or silence the warning on purpose."""
        return None

    def sees_only_padding(self, *xs: Shape) -> bool:
        """Does some window lie wholly in the padding?"""
        return False

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        """The arithmetic of this use as on a lecture slide: sizes first, then parameters, then
        multiply-accumulates; each line a formula with its numbers and result."""
        return ()

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        """The layer in operators of ONNX: from the values that it takes and its weights to the one
        that it makes, of shape y behind the batch. What changes nothing gives back what it took."""
        raise AssertionError(f"`{self.kind}` has no lowering")

    def base_name(self) -> str:
        """The name of an unnamed use: the kind, and for anchors what tells it from its sisters."""
        return self.kind


def spatial(x: Shape) -> tuple[int, ...]:
    return x[1:]


def product(numbers: Sequence[int]) -> int:
    n = 1
    for k in numbers:
        n *= k
    return n


def divisors(n: int, most: int = 12) -> str:
    """The smallest numbers that divide `n`, as a list to read."""
    found = [d for d in range(1, min(n, 4096) + 1) if n % d == 0][:most]
    return ", ".join(map(str, found))


def times(numbers: Iterable[int]) -> str:
    """The factors of a product as on a slide: `5·5·6`."""
    return "·".join(f"{n:,}" for n in numbers)


def dims(size: Sizes) -> str:
    """A size as part of a name: `5`, `5x5`."""
    return str(size) if isinstance(size, int) else "x".join(str(n) for n in size)


def need_map(kind: str, x: Shape, what: str = "a map with channels and at least one axis") -> None:
    """Refuse a flat vector."""
    if len(x) == 1:
        raise Refusal(
            "wrong-rank",
            f"`{kind}` takes {what}; a flat vector of {x[0]} reaches it",
            hint="put it before `flatten` and `fc`, or make a map of the vector with `reshape`",
        )


def need_vector(kind: str, x: Shape) -> None:
    """Refuse a map where a flat vector is needed."""
    if len(x) > 1:
        raise Refusal(
            "flatten-missing",
            f"`{kind}` takes a flat vector; a map of {show_shape(x)} reaches it",
            hint=f"put `flatten` before it: {times(x)} = {product(x):,}",
        )


def need_rank(what: str, x: Shape, param: str) -> None:
    """Refuse maps of more axes than anything can be done with."""
    if len(x) > 4:
        raise Refusal(
            "wrong-rank",
            f"{what} has channels and at most three axes; {show_shape(x)} has {len(x) - 1} axes",
            param=param,
        )


def per_axis(value: Sizes, rank: int, param: str, kind: str) -> tuple[int, ...]:
    """One number for each spatial axis, from one for all or one each."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        like = f"{dims((value[0],) * rank)}, or " if rank > 1 else ""
        raise _wrong_axes(value, rank, param, kind, f"write {like}one number for all axes")
    return value


def per_side(
    value: Sizes, rank: int, param: str, kind: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What is at the beginning and at the end of each axis: from one number for all sides, one for
    each axis, or all begins and then all ends."""
    if isinstance(value, tuple) and len(value) == 2 * rank:
        return value[:rank], value[rank:]
    if isinstance(value, tuple) and len(value) != rank:
        each = f"{rank} (one for each axis) or " if rank > 1 else ""
        hint = f"write one number, {each}{2 * rank} (begins, then ends)"
        raise _wrong_axes(value, rank, param, kind, hint)
    both = per_axis(value, rank, param, kind)
    return both, both


def _wrong_axes(value: tuple[int, ...], rank: int, param: str, kind: str, hint: str) -> Refusal:
    return Refusal(
        "wrong-axes",
        f"`{param}` of `{kind}` has {count(len(value), 'number')}, {show(value)}; "
        f"the map has {count(rank, 'axis', 'axes')}",
        param=param,
        hint=hint,
    )


def count(n: int, one: str, many: str | None = None) -> str:
    """`one axis`, `2 axes`."""
    return f"one {one}" if n == 1 else f"{n} {many or one + 's'}"
