"""How large is the loss of a batch? Each loss as operators.

The formulas are those of `settings/loss.py`. Classes are whole numbers, one for each example (or
pixel); a mixture of classes has a share for each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.settings.loss import (
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    Difference,
    Hinge,
    Huber,
    Loss,
    MeanAbsolute,
    MeanSquared,
    Reading,
)
from cnnspec.text.record import record

LEAST = 1e-12
"""The least probability that a logarithm is taken of."""


@record
class Case:
    """What a loss compares: numbers of the network, what they are, and the targets."""

    z: Value
    reading: Reading
    target: Value
    """Whole numbers for classes; otherwise numbers like z's."""
    weights: Value | None = None
    """How much each class counts."""
    ignores: bool = False
    """Do pixels of class -1 not count?"""
    counted: Value | None = None
    """Then 1 for each pixel that counts, else 0, with one channel."""

    @property
    def has_classes(self) -> bool:
        return self.target.dtype == "int64"


def loss_of(g: Builder, loss: Loss, case: Case) -> Value:
    """The loss of a batch, one number; its name is the loss's own."""
    if case.ignores:
        case = replace(case, counted=_counted(g, case))
    if case.reading == "distances":
        # The nearest wins, as the largest of other numbers does.
        near = g.op("Neg", case.z, part="nearness")
        case = replace(case, z=near, reading=loss.plain)
    value = RULES[type(loss)](g, loss, case)
    return g.op("Mul", value, g.scalar("weight", loss.weight)) if loss.weight != 1 else value


def total(g: Builder, losses: Sequence[Value]) -> Value:
    return losses[0] if len(losses) == 1 else g.op("Sum", *losses, part="total")


# ── the losses ─────────────────────────────────────────────────────────────────────────────────


def _cross_entropy(g: Builder, o: CrossEntropy, case: Case) -> Value:
    # -Σ t·log p over the classes, t = (1 - s)·y + s/n
    z = case.z
    match case.reading:
        case "log-probabilities":
            logs = z
        case "probabilities":
            logs = g.op("Log", _above_zero(g, z), part="logs")
        case _:
            logs = g.op("LogSoftmax", z, part="logs", axis=1)
    target = one_hot(g, case)
    if o.smoothing:
        n = z.shape[1]
        assert isinstance(n, int), "the number of classes is known"
        kept = g.op("Mul", target, g.scalar("kept", 1 - o.smoothing), part="sharp")
        target = g.op("Add", kept, g.scalar("spread", o.smoothing / n), part="smooth")
        if case.counted is not None:
            target = g.op("Mul", target, case.counted, part="smooth_counted")
    if case.weights is None:
        sums = _negative_sum(g, g.op("Mul", target, logs, part="parts"))
        # A pixel that does not count has a target of zeros.
        return _mean_of(g, sums) if case.counted is None else _ratio(g, sums, case.counted)
    # Σ w·l/Σ w, the weight of an example being that of its class.
    weighed = g.op("Mul", target, g.by_channel(case.weights, len(z.shape) - 1), part="weighed")
    sums = _negative_sum(g, g.op("Mul", weighed, logs, part="parts"))
    return _ratio(g, sums, weighed)


def _binary(g: Builder, o: BinaryCrossEntropy, case: Case) -> Value:
    # -y·log p - (1 - y)·log(1 - p); of numbers z before the sigmoid: y·f(-z) + (1 - y)·f(z) with
    # f = softplus, which loses nothing where p is near 0 or 1.
    z = case.z
    y = one_hot(g, case) if case.has_classes else case.target
    if o.smoothing:
        kept = g.op("Mul", y, g.scalar("kept", 1 - o.smoothing), part="sharp")
        y = g.op("Add", kept, g.scalar("spread", o.smoothing / 2), part="smooth")
    one = g.scalar("one", 1)
    if case.reading == "probabilities":
        yes = g.op("Neg", g.op("Log", _above_zero(g, z), part="log_p"), part="yes")
        rest = g.op("Sub", one, z, part="rest")
        no = g.op("Neg", g.op("Log", _above_zero(g, rest), part="log_rest"), part="no")
    else:
        yes = g.op("Softplus", g.op("Neg", z, part="minus"), part="yes")
        no = g.op("Softplus", z, part="no")
    if o.positive != 1:
        yes = g.op("Mul", yes, g.scalar("positive", o.positive), part="yes_weighed")
    parts = g.op(
        "Add",
        g.op("Mul", y, yes, part="of_yes"),
        g.op("Mul", g.op("Sub", one, y, part="not_y"), no, part="of_no"),
        part="parts",
    )
    if case.weights is not None:
        parts = g.op("Mul", parts, _by_answer(g, case, case.weights), part="parts_weighed")
    return _mean_of(g, parts, case.counted)


def _squared(g: Builder, o: Difference, case: Case) -> Value:
    d = _apart(g, case)
    return _mean_of(g, g.op("Mul", d, d, part="squares"), case.counted)


def _absolute(g: Builder, o: MeanAbsolute, case: Case) -> Value:
    return _mean_of(g, g.op("Abs", _apart(g, case), part="sizes"), case.counted)


def _huber(g: Builder, o: Huber, case: Case) -> Value:
    # With c = min(|d|, delta): c·(|d| - c/2), which is d²/2 below delta and delta·(|d| - delta/2)
    # beyond it.
    size = g.op("Abs", _apart(g, case), part="sizes")
    near = g.op("Clip", size, None, g.scalar("delta", o.delta), part="near")
    half = g.op("Mul", near, g.scalar("half", 0.5), part="half_near")
    far = g.op("Sub", size, half, part="far")
    return _mean_of(g, g.op("Mul", near, far, part="parts"), case.counted)


def _by_answer(g: Builder, case: Case, weights: Value) -> Value:
    """What each number counts by its class; of one number alone, by whether yes or no is right."""
    z = case.z
    if z.shape[1] != 1:
        return g.by_channel(weights, len(z.shape) - 1)
    no, yes = (
        g.op("Gather", weights, g.whole(f"class{k}", k), dims=(), part=f"weight{k}") for k in (0, 1)
    )
    more = g.op("Mul", one_hot(g, case), g.op("Sub", yes, no, part="more"), part="more_of_yes")
    return g.op("Add", no, more, part="weight_of_answer")


def _hinge(g: Builder, o: Hinge, case: Case) -> Value:
    # Σ max(0, margin - z[y] + z[k]) over k ≠ y
    z, y = case.z, one_hot(g, case)
    own = g.reduce(
        "ReduceSum",
        g.op("Mul", z, y, part="own_parts"),
        (1,),
        dims=(z.shape[0], 1, *z.shape[2:]),
        part="own",
        keepdims=1,
    )
    ahead = g.op("Sub", z, own, part="ahead")
    over = g.op("Relu", g.op("Add", ahead, g.scalar("margin", o.margin), part="in"), part="over")
    if o.squared:
        over = g.op("Mul", over, over, part="squared")
    wrong = g.op("Mul", over, g.op("Sub", g.scalar("one", 1), y, part="others"), part="wrong")
    if case.weights is None:
        return _mean_of(g, _sum_over_classes(g, wrong, keepdims=1), case.counted)
    weighed = g.op("Mul", y, g.by_channel(case.weights, len(z.shape) - 1), part="weighed")
    weight = _sum_over_classes(g, weighed, "weight_of")
    sums = g.op("Mul", _sum_over_classes(g, wrong), weight, part="sums_weighed")
    return _ratio(g, sums, weighed)


def _dice(g: Builder, o: Dice, case: Case) -> Value:
    # 1 - (2·Σ p·y + s)/(Σ p + Σ y + s) over the pixels of each map of each example
    z, y = case.z, one_hot(g, case)
    single = z.shape[1] == 1
    p = z
    if case.reading != "probabilities":
        p = g.op("Sigmoid", z, part="p") if single else g.op("Softmax", z, part="p", axis=1)
    if case.counted is not None:
        p = g.op("Mul", p, case.counted, part="p_counted")
    places = range(2, len(z.shape))
    maps = z.shape[:2]

    def area(x: Value, part: str) -> Value:
        return g.reduce("ReduceSum", x, places, dims=maps, part=part, keepdims=0)

    both = area(g.op("Mul", p, y, part="overlap"), "both")
    smooth = g.scalar("smooth", o.smooth)
    twice = g.op("Mul", both, g.scalar("two", 2), part="twice")
    above = g.op("Add", twice, smooth, part="above")
    sides = g.op("Add", area(p, "of_p"), area(y, "of_y"), part="sides")
    ratio = g.op("Div", above, g.op("Add", sides, smooth, part="below"), part="ratio")
    return _mean_of(g, g.op("Sub", g.scalar("one", 1), ratio, part="apart"))


RULES: Mapping[type[Loss], Callable[[Builder, Any, Case], Value]] = {
    CrossEntropy: _cross_entropy,
    BinaryCrossEntropy: _binary,
    MeanSquared: _squared,
    MeanAbsolute: _absolute,
    Huber: _huber,
    Hinge: _hinge,
    Dice: _dice,
}


# ── parts ──────────────────────────────────────────────────────────────────────────────────────


def one_hot(g: Builder, case: Case) -> Value:
    """1 for the right class and 0 for the others, or the shares that are given."""
    if not case.has_classes:
        return case.target
    z = case.z
    n = z.shape[1]
    assert isinstance(n, int), "the number of classes is known"
    if n == 1:
        # One number that says yes or no.
        flat = g.op("Cast", case.target, dtype="float", part="yes_or_no", to=1)
        axis = g.ints("class_axis", (1,))
        y = g.op("Unsqueeze", flat, axis, dims=z.shape, part="target")
        return y if case.counted is None else g.op("Mul", y, case.counted, part="target_counted")
    target = case.target
    if case.ignores:
        # -1 would be the last class; a number that is none is no class at all.
        is_none = g.op("Less", target, g.whole("none", 0), dtype="bool", part="is_none")
        target = g.op("Where", is_none, g.whole("no_class", n), target, dtype="int64", part="known")
    return g.op(
        "OneHot",
        target,
        g.whole("classes", n),
        g.floats("off_on", (0, 1)),
        dims=z.shape,
        dtype="float",
        part="target",
        axis=1,
    )


def _counted(g: Builder, case: Case) -> Value:
    target = case.target
    dims = (target.shape[0], 1, *target.shape[1:])
    none = g.op("Less", target, g.whole("first", 0), dtype="bool", part="uncounted")
    ones = g.op("Cast", g.op("Not", none, part="is_counted"), dtype="float", part="ones", to=1)
    return g.op("Unsqueeze", ones, g.ints("channel", (1,)), dims=dims, part="counted")


def _apart(g: Builder, case: Case) -> Value:
    return g.op("Sub", case.z, one_hot(g, case), part="apart")


def _above_zero(g: Builder, p: Value) -> Value:
    return g.op("Clip", p, g.scalar("least", LEAST), part=f"{p.name.split('/')[-1]}_above_zero")


def _sum_over_classes(g: Builder, x: Value, part: str = "sums", keepdims: int = 0) -> Value:
    dims = (x.shape[0], *((1,) * keepdims), *x.shape[2:])
    return g.reduce("ReduceSum", x, (1,), dims=dims, part=part, keepdims=keepdims)


def _negative_sum(g: Builder, x: Value) -> Value:
    return g.op("Neg", _sum_over_classes(g, x), part="surprise")


def _mean_of(g: Builder, x: Value, counted: Value | None = None) -> Value:
    """The mean over all numbers, or over those of the pixels that count."""
    if counted is None:
        return g.reduce("ReduceMean", x, range(len(x.shape)), dims=(), keepdims=0, part="mean")
    n = x.shape[1]
    assert isinstance(n, int), "the number of channels is known"
    weights = g.op("Mul", counted, g.scalar("channels", n), part="counted_numbers")
    return _ratio(g, g.op("Mul", x, counted, part="counted_parts"), weights)


def _ratio(g: Builder, sums: Value, weights: Value) -> Value:
    above = g.reduce("ReduceSum", sums, range(len(sums.shape)), dims=(), keepdims=0, part="sum")
    below = g.reduce(
        "ReduceSum", weights, range(len(weights.shape)), dims=(), keepdims=0, part="weights"
    )
    # Where nothing in a batch counts, its loss is 0.
    least = g.op("Max", below, g.scalar("least", LEAST), part="weights_above_zero")
    return g.op("Div", above, least, part="mean")
