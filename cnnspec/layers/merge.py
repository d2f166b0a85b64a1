"""add, mul, concat and their like: several branches become one value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from cnnspec.layers.base import Layer, Work, count, dims, product, times
from cnnspec.layers.frame import AXES
from cnnspec.layers.window import axis_index, axis_names
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice, flag
from cnnspec.vocab.value import Shape, listing, show_shape


class Merge(Layer):
    """Base of what takes several branches."""

    is_merge = True
    exactly: int | None = None
    """How many branches it takes, if not any number."""

    def check_count(self, xs: Sequence[Shape]) -> None:
        if self.exactly is not None and len(xs) != self.exactly:
            raise Refusal(
                "wrong-branches",
                f"`{self.kind}` takes {count(self.exactly, 'branch', 'branches')}; "
                f"here {'is' if len(xs) == 1 else 'are'} {count(len(xs), 'branch', 'branches')}",
                hint="a branch that is empty stands for the value that enters"
                if len(xs) < self.exactly
                else None,
            )

    def check_ranks(self, xs: Sequence[Shape]) -> None:
        """Refuse flat vectors among maps, and maps of other axes."""
        for k, x in enumerate(xs[1:], 2):
            if len(x) != len(xs[0]):
                raise Refusal(
                    "branches-disagree",
                    f"branch 1 of `{self.kind}` ends in {_what(xs[0])}, branch {k} in {_what(x)}",
                    hint=_rank_hint(xs[0], x, k),
                )


class Elementwise(Merge):
    """Base of the merges that go number by number.

    Along an axis where a branch has size 1, its one number serves for all that others have there.
    """

    op: ClassVar[str]
    takes_many: ClassVar[bool] = False
    """Does the operator of ONNX take any number of values, or two?"""

    def shape(self, *xs: Shape) -> Shape:
        self.check_count(xs)
        if len(set(xs)) == 1:
            return xs[0]
        self.check_ranks(xs)
        for sizes in zip(*xs, strict=True):
            if len({n for n in sizes if n != 1}) > 1:
                # The first branch that has more than one here, and the first that differs from it.
                i = next(k for k, n in enumerate(sizes) if n != 1)
                j = next(k for k, n in enumerate(sizes) if n not in (1, sizes[i]))
                raise disagreement(self.kind, xs, i, j, list(_differing(xs[i], xs[j])))
        return tuple(max(sizes) for sizes in zip(*xs, strict=True))

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        if len(xs) == 1:
            return xs[0]
        if self.takes_many or len(xs) == 2:
            op = "Sum" if self.op == "Add" and len(xs) > 2 else self.op
            return g.op(op, *xs, shape=y)
        so_far = xs[0]
        for k, x in enumerate(xs[1:], 2):
            sizes = [max(a, b) for a, b in zip(so_far.inner, x.inner, strict=True)]
            so_far = g.op(self.op, so_far, x, shape=sizes, part="" if k == len(xs) else "so_far")
        return so_far


class Add(Elementwise):
    """The sum of the branches, number by number: the shortcut of residual networks.

    `add { | conv 64 3x3 pad=1 | in }` adds what enters to what a convolution makes of it. The
    branches end in the same shape; an axis of size 1 fits any other.
    """

    kind = "add"
    op = "Add"
    takes_many = True


class Sub(Elementwise):
    """The first branch minus the second, number by number. An axis of size 1 fits any other."""

    kind = "sub"
    op = "Sub"
    exactly = 2


class Mul(Elementwise):
    """The product of the branches, number by number: gates.

    An axis of size 1 fits any other, so that one factor for each map (Cx1x1:
    squeeze-and-excitation) or for each place (1xHxW) can be multiplied onto maps of CxHxW.
    """

    kind = "mul"
    op = "Mul"


class Div(Elementwise):
    """The first branch divided by the second, number by number.

    An axis of size 1 fits any other: maps can be divided by one number for each place.
    """

    kind = "div"
    op = "Div"
    exactly = 2


class Max(Elementwise):
    """The largest of the branches, number by number: maxout. An axis of size 1 fits any other."""

    kind = "max"
    op = "Max"
    takes_many = True


class Min(Elementwise):
    """The smallest of the branches, number by number. An axis of size 1 fits any other."""

    kind = "min"
    op = "Min"
    takes_many = True


class Mean(Elementwise):
    """The mean of the branches, number by number. An axis of size 1 fits any other."""

    kind = "mean"
    op = "Mean"
    takes_many = True


class Concat(Merge):
    """The branches one behind the other along an axis: by default their maps, stacked.

    All other axes have to agree: Inception's branches end in maps of one size, whatever their
    number.
    """

    kind = "concat"

    axis: str = choice("along which axis", *AXES, default="channels")

    def shape(self, *xs: Shape) -> Shape:
        self.check_ranks(xs)
        first = xs[0]
        axis = axis_index(first, self.axis)
        for k, x in enumerate(xs[1:], 1):
            if wrong := [i for i in range(len(x)) if i != axis and x[i] != first[i]]:
                raise disagreement("concat", xs, 0, k, wrong, along=axis)
        return tuple(sum(x[i] for x in xs) if i == axis else n for i, n in enumerate(first))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        axis = axis_index(y, self.axis)
        return [f"{self.axis} {' + '.join(str(x[axis]) for x in xs)} = {y[axis]}"]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        if len(xs) == 1:
            return xs[0]
        return g.op("Concat", *xs, shape=y, axis=axis_index(y, self.axis) + 1)


class MatMul(Merge):
    """The matrix product of two branches, over their last two axes.

    Of `matmul { | a | b }` the rows come from a, the columns from b: RxK and KxC give RxC, for 1-D
    maps as they are, for maps of more axes one product for each map. `transpose=yes` turns b round
    first, so that both branches have their K numbers last: attention's scores are `matmul
    transpose=yes { | queries | keys }`.
    """

    kind = "matmul"
    exactly = 2

    transpose: bool = flag("exchanges the last two axes of the second branch", default=False)

    @property
    def is_global(self) -> bool:
        return True

    def shape(self, *xs: Shape) -> Shape:
        self.check_count(xs)
        self.check_ranks(xs)
        a, b = xs
        if len(a) == 1 or len(b) == 1:
            raise Refusal(
                "wrong-rank",
                f"`matmul` takes matrices; its branches end in flat vectors of {a[0]} and {b[0]}",
                hint=f"`reshape 1x{a[0]}` makes a matrix of one row",
            )
        columns, inner = (b[-2], b[-1]) if self.transpose else (b[-1], b[-2])
        if a[-1] != inner or a[:-2] != b[:-2]:
            self._refuse(a, b, inner)
        return (*a[:-1], columns)

    def work(self, y: Shape, *xs: Shape) -> Work:
        return Work(product(y) * xs[0][-1], product(y) * xs[0][-1])

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        macs = f"{times(y)}·{xs[0][-1]} = {self.work(y, *xs).macs:,}"
        return [f"sums of {xs[0][-1]} products each", f"macs {macs}"]

    def _refuse(self, a: Shape, b: Shape, inner: int) -> None:
        other = b[-1] if not self.transpose else b[-2]
        turn = f"transpose={'no' if self.transpose else 'yes'} would fit"
        raise Refusal(
            "branches-disagree",
            f"rows of {a[-1]} numbers cannot be multiplied with columns of {inner}: branch 1 of "
            f"`matmul` ends in {show_shape(a)}, branch 2 in {show_shape(b)}"
            if a[-1] != inner
            else f"branch 1 of `matmul` ends in {show_shape(a)}, branch 2 in {show_shape(b)}: "
            "but for the last two their axes have to agree",
            hint=turn if a[-1] == other != inner and a[:-2] == b[:-2] else None,
        )

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        a, b = xs
        if self.transpose:
            rank = len(b.shape)
            perm = [*range(rank - 2), rank - 1, rank - 2]
            turned = tuple(b.shape[i] for i in perm)
            b = g.op("Transpose", b, dims=turned, part="turned", perm=perm)
        return g.op("MatMul", a, b, shape=y)


# ── what is wrong, and what would make it right ────────────────────────────────────────────────


def disagreement(
    kind: str, xs: Sequence[Shape], i: int, j: int, axes: Sequence[int], along: int | None = None
) -> Refusal:
    """Branches i and j (from 0) end in shapes that differ in these axes."""
    one, other = xs[i], xs[j]
    wrong = [(one[a], other[a]) for a in axes]
    names = ("channels", *axis_names(len(one) - 1))
    first = listing([_size(names[a], n) for a, (n, _) in zip(axes, wrong, strict=True)], "and")
    second = listing([_size(names[a], n) for a, (_, n) in zip(axes, wrong, strict=True)], "and")
    free = "" if along is None else f"; only the {names[along]} may differ"
    return Refusal(
        "branches-disagree",
        f"branch {i + 1} of `{kind}` ends with {first}, branch {j + 1} with {second}{free}",
        hint=_hint(one, other, i + 1, j + 1, axes),
    )


def _differing(one: Shape, other: Shape) -> Iterator[int]:
    for axis, (a, b) in enumerate(zip(one, other, strict=True)):
        if a != b and 1 not in (a, b):
            yield axis


def _size(name: str, n: int) -> str:
    return count(n, "channel") if name == "channels" else f"a {name} of {n}"


def _what(x: Shape) -> str:
    return f"a flat vector of {x[0]}" if len(x) == 1 else f"a map of {show_shape(x)}"


def _rank_hint(first: Shape, x: Shape, k: int) -> str | None:
    """Where a flat vector meets a map: its shape as a map, or `flatten` for the map."""
    flat, full, who, other = (x, first, k, 1) if len(x) == 1 else (first, x, 1, k)
    if len(flat) != 1:
        return None
    if flat[0] == full[0]:
        ones = show_shape((flat[0], *(1 for _ in full[1:])))
        return f"`reshape {ones}` at the end of branch {who} makes one number for each channel"
    return f"`flatten` at the end of branch {other} makes a vector of {product(full):,}"


def _hint(one: Shape, other: Shape, i: int, j: int, axes: Sequence[int]) -> str | None:
    """What, put at the end of one of two branches, makes them agree in these axes."""
    if axes == [0]:
        if len(one) == 1:
            return f"`fc {one[0]}` at the end of branch {j} makes {one[0]} of {other[0]}"
        pixel = dims((1,) * (len(one) - 1))
        return f"`conv {one[0]} {pixel}` at the end of branch {j} makes {one[0]} channels"
    # Let branch i be the one with the smaller maps; where neither is, nothing simple helps.
    if all(one[a] >= other[a] for a in axes if a):
        one, other, i, j = other, one, j, i
    if not all(one[a] <= other[a] for a in axes if a):
        return None
    if 0 in axes:
        stride = _stride(other[1:], one[1:])
        pixel = dims((1,) * (len(one) - 1))
        conv = f"`conv {one[0]} {pixel} stride={stride}` at the end of branch {j}"
        return f"{conv} makes {show_shape(one)}" if stride else None
    return _fit(one, other, i, j, axes)


def _fit(small: Shape, large: Shape, i: int, j: int, axes: Sequence[int]) -> str:
    """The smaller map made larger where that is a whole factor, else the larger one cropped."""
    places = range(1, len(small))
    if all(large[a] % small[a] == 0 for a in axes):
        factors = tuple(large[a] // small[a] if a in axes else 1 for a in places)
        factor = factors[0] if len(set(factors)) == 1 else factors
        made = dims(tuple(large[a] if a in axes else small[a] for a in places))
        return f"`upsample {dims(factor)}` at the end of branch {i} makes {made}"
    kept = dims(tuple(small[a] if a in axes else large[a] for a in places))
    return f"`crop to={kept}` at the end of branch {j} makes {kept}"


def _stride(large: Sequence[int], small: Sequence[int]) -> int:
    """The stride with which a window of one pixel makes these sizes of those, or 0."""
    stride = -(-large[0] // small[0])
    fits = all(-(-b // stride) == a for a, b in zip(small, large, strict=True))
    return stride if fits else 0
