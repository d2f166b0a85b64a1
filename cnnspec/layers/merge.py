"""add, mul, concat and their like: several branches become one value."""

from collections.abc import Sequence

from cnnspec.layers.base import Layer
from cnnspec.layers.window import axis_index, axis_names
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.param import choice
from cnnspec.vocab.value import Shape, show_shape


class Merge(Layer):
    """Base of the merges that work number by number.

    A branch may have size 1 along an axis where others have more: its one number serves for all.
    """

    is_merge = True
    exactly: int | None = None
    """How many branches it takes, if not any number."""

    def shape(self, *xs: Shape) -> Shape:
        if self.exactly is not None and len(xs) != self.exactly:
            raise Refusal(
                "wrong-branches", f"`{self.kind}` takes {self.exactly} branches; here are {len(xs)}"
            )
        y = xs[0]
        for number, x in enumerate(xs[1:], 2):
            y = self._join(y, x, number)
        return y

    def _join(self, y: Shape, x: Shape, number: int) -> Shape:
        if len(x) != len(y):
            raise _disagree(self.kind, number, y, x, _flat_hint(y, x))
        joined: list[int] = []
        for axis, (a, b) in enumerate(zip(y, x, strict=True)):
            if a != b and 1 not in (a, b):
                raise _disagree(self.kind, number, y, x, _hint(axis, y, x))
            joined.append(max(a, b))
        return tuple(joined)


def _disagree(kind: str, number: int, y: Shape, x: Shape, hint: str | None) -> Refusal:
    axes = ["channels", *axis_names(len(y) - 1)] if len(y) > 1 else ["units"]
    where = [
        f"{a} {name} against {b}"
        for name, a, b in zip(axes, y, x, strict=False)
        if a != b and 1 not in (a, b)
    ]
    detail = f": {' and '.join(where)}" if where and len(x) == len(y) else ""
    return Refusal(
        "branches-disagree",
        f"branch {number} of `{kind}` ends with {show_shape(x)}, "
        f"{'the first' if number == 2 else 'those before it'} with {show_shape(y)}{detail}",
        hint=hint,
    )


def _hint(axis: int, y: Shape, x: Shape) -> str | None:
    """What would make one axis agree, where one thing plainly would."""
    if axis == 0:
        return f"a `conv {y[0]} 1x1` at the end of the branch makes {y[0]} channels"
    large, small = max(y[axis], x[axis]), min(y[axis], x[axis])
    if large % small == 0:
        return f"a stride of {large // small} in the other branch makes {small} of {large}"
    if (large - small) % 2 == 0 and large - small <= 12:
        return f"pad={(large - small) // 2} more in the smaller branch makes {large} of {small}"
    return None


def _flat_hint(y: Shape, x: Shape) -> str:
    return f"one is flat, of {x[0] if len(x) == 1 else y[0]}; the other is a map"


class Add(Merge):
    """The sum of the branches: the shortcut of residual networks."""

    kind = "add"


class Sub(Merge):
    """The first branch minus the second."""

    kind = "sub"
    exactly = 2


class Mul(Merge):
    """The product of the branches, number by number: gates, squeeze-and-excitation."""

    kind = "mul"


class Div(Merge):
    """The first branch divided by the second, number by number."""

    kind = "div"
    exactly = 2


class Max(Merge):
    """The largest of the branches, number by number: maxout."""

    kind = "max"


class Min(Merge):
    """The smallest of the branches, number by number."""

    kind = "min"


class Mean(Merge):
    """The mean of the branches, number by number."""

    kind = "mean"


class Concat(Layer):
    """The branches one behind the other along an axis, by default their maps stacked.

    All other axes have to agree.
    """

    kind = "concat"
    is_merge = True

    axis: str = choice(
        "along which axis", "channels", "height", "width", "depth", "length", default="channels"
    )

    def shape(self, *xs: Shape) -> Shape:
        first = xs[0]
        axis = axis_index(first, self.axis)
        for number, x in enumerate(xs[1:], 2):
            if len(x) != len(first):
                raise _disagree("concat", number, first, x, _flat_hint(first, x))
            for other, (a, b) in enumerate(zip(first, x, strict=True)):
                if a != b and other != axis:
                    raise self._refusal(number, first, x, axis, other)
        return tuple(sum(x[i] for x in xs) if i == axis else n for i, n in enumerate(first))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        axis = axis_index(y, self.axis)
        return [f"{self.axis} {' + '.join(str(x[axis]) for x in xs)} = {y[axis]}"]

    def _refusal(self, number: int, first: Shape, x: Shape, axis: int, other: int) -> Refusal:
        names = ["channels", *axis_names(len(first) - 1)] if len(first) > 1 else ["channels"]
        return Refusal(
            "branches-disagree",
            f"branch {number} of `concat` ends with {show_shape(x)}, the first with "
            f"{show_shape(first)}; along {names[axis]} they may differ, "
            f"but not in {names[other]}: {x[other]} against {first[other]}",
            hint=_hint(other, first, x) if other else None,
        )
