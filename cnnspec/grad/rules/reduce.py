"""Operators that make one number of many: each of the many gets its part of dy."""

from collections.abc import Mapping
from functools import partial

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.shaping import shape_of
from cnnspec.onnxir.graph import Value

LEAST = 1e-19
"""Below this the square of a float32 is no normal number, and a length may come out as 0."""


def axes_of(n: Use) -> tuple[int, ...]:
    """The axes that go: an attribute in older opsets, an input in newer; all where none is said."""
    rank = len(n.input(0).shape)
    axes = n.ints(1) if n.has(1) else n.wholes("axes")
    if axes:
        return tuple(sorted(a % rank for a in axes))
    return () if n.whole("noop_with_empty_axes", 0) else tuple(range(rank))


def kept(g: Adjoint, y: Value, n: Use) -> Value:
    """A result, or its gradient, with the axes that went at size 1, so that it meets x."""
    axes = axes_of(n)
    dims = tuple(1 if i in axes else size for i, size in enumerate(n.input(0).shape))
    if y.shape == dims:
        return y
    return g.op("Unsqueeze", y, g.ints("axes", axes), dims=dims)


def stretched(g: Adjoint, dy: Value, n: Use) -> Value:
    """dy for each number that went into it."""
    x, dy = n.input(0), kept(g, dy, n)
    return dy if dy.shape == x.shape else g.op("Expand", dy, shape_of(g, x), dims=x.shape)


def total(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (stretched(g, dy, n),)


def mean(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = 1/k·Σ x ⇒ dx = dy/k
    x, k = n.input(0), 1
    for axis in axes_of(n):
        size = x.shape[axis]
        if isinstance(size, str):
            return (stretched(g, g.op("Div", dy, _count(g, n)), n),)
        k *= size
    return (stretched(g, g.op("Mul", dy, g.scalar("share", 1 / k)), n),)


def _count(g: Adjoint, n: Use) -> Value:
    """How many numbers go into one, where only the graph knows."""
    sizes = [
        g.op("Cast", g.op("Size", v, dims=(), dtype="int64"), dtype="float", to=1)
        for v in (n.input(0), n.y[0])
    ]
    return g.op("Div", *sizes, part="count")


def extreme(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Where several are the largest (smallest), each gets an equal share.
    x, y = n.input(0), kept(g, n.y[0], n)
    hits = g.op("Cast", g.op("Equal", x, y, dtype="bool"), dtype=x.dtype, to=1)
    axes = axes_of(n)
    count = g.reduce("ReduceSum", hits, axes, dims=y.shape, keepdims=1, part="count")
    share = g.op("Div", kept(g, dy, n), count)
    return (g.op("Mul", hits, share),)


def length(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = √Σ x² ⇒ dx = dy·x/y, and 0 where all are 0.
    y = g.op("Max", kept(g, n.y[0], n), g.scalar("least", LEAST))
    return (g.op("Mul", n.input(0), g.op("Div", kept(g, dy, n), y)),)


def sizes(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = Σ |x| ⇒ dx = dy·sign(x)
    return (g.op("Mul", g.op("Sign", n.input(0)), kept(g, dy, n)),)


def squares(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = Σ x² ⇒ dx = 2·dy·x
    twice = g.op("Mul", kept(g, dy, n), g.scalar("two", 2))
    return (g.op("Mul", n.input(0), twice),)


def log_sum(g: Adjoint, dy: Value, n: Use, is_exp: bool) -> Grads:
    # y = log Σ x ⇒ dx = dy/Σ x = dy·e^-y;  y = log Σ e^x ⇒ dx = dy·e^(x-y)
    y = kept(g, n.y[0], n)
    if is_exp:
        return (g.op("Mul", g.op("Exp", g.op("Sub", n.input(0), y)), kept(g, dy, n)),)
    return (stretched(g, g.op("Mul", kept(g, dy, n), g.op("Exp", g.op("Neg", y))), n),)


RULES: Mapping[str, Rule] = {
    "ReduceSum": total,
    "ReduceMean": mean,
    "ReduceMax": extreme,
    "ReduceMin": extreme,
    "ReduceL1": sizes,
    "ReduceL2": length,
    "ReduceSumSquare": squares,
    "ReduceLogSum": partial(log_sum, is_exp=False),
    "ReduceLogSumExp": partial(log_sum, is_exp=True),
}
