"""Which functions does the language have, and what do they compute?"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from cnnspec.text.record import record
from cnnspec.vocab.value import show

LARGEST = 10**15
"""Beyond this a number is a mistake: no network has a quadrillion of anything."""

LONGEST = 100_000
"""The longest list that an expression may make, the items of lists in it counted too."""


@dataclass(frozen=True, slots=True)
class Fault(Exception):
    """A computation that has no answer."""

    code: str
    message: str
    hint: str | None = None


def tidy(value: float) -> int | float:
    """A whole value as a whole number: 64 * 0.5 is 32."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    return value


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def what(value: object) -> str:
    match value:
        case bool():
            return f"the answer {show(value)}"
        case int() | float():
            return f"the number {show(value)}"
        case str():
            return f"the text {show(value)}"
        case tuple():
            return f"the list {show(value)}"  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return f"{value}"


@record
class Function:
    """A function of the language: how it is called, what it says, what it computes."""

    call: str
    doc: str
    compute: Callable[[list[object]], Any]


def _numbers(values: list[object], call: str, least: int, most: int | None = None) -> list[float]:
    """The arguments as numbers; a single list stands for its items where several are taken."""
    if most is None and len(values) == 1 and isinstance(values[0], tuple):
        values = list(cast("tuple[object, ...]", values[0]))
    if len(values) < least or (most is not None and len(values) > most):
        raise Fault(
            "wrong-operand", f"`{call}` is what is taken; {len(values)} arguments are given"
        )
    for value in values:
        if not is_number(value):
            raise Fault("wrong-operand", f"`{call}` takes numbers; {what(value)} is given")
    return cast("list[float]", values)


def _one(call: str, compute: Callable[[float], float]) -> Callable[[list[object]], object]:
    def run(values: list[object]) -> object:
        (x,) = _numbers(values, call, 1, 1)
        try:
            return tidy(compute(x))
        except ValueError:
            raise Fault("not-a-number", f"{call.replace('x', show(x))} is no real number") from None

    return run


def _round(x: float) -> float:
    # Halves go away from zero, as taught in school, not to the even neighbour.
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def _multiple_of(values: list[object]) -> object:
    """The multiple of n nearest to x, at least n, and never more than a tenth below x."""
    x, n = _numbers(values, "multiple_of(x, n)", 2, 2)
    if n <= 0:
        raise Fault("wrong-operand", f"`multiple_of(x, n)` takes an n above 0; {show(n)} is given")
    best = max(n, math.floor((x + n / 2) / n) * n)
    return tidy(best + n if best < 0.9 * x else best)


def _range(values: list[object]) -> object:
    numbers = _numbers(values, "range(n), range(from, to) or range(from, to, step)", 1, 3)
    if any(type(v) is not int for v in numbers):
        raise Fault("wrong-operand", "`range` takes whole numbers")
    start, stop, step = {1: (0, *numbers, 1), 2: (*numbers, 1), 3: tuple(numbers)}[len(numbers)]
    if step == 0:
        raise Fault("wrong-operand", "`range` takes a step other than 0")
    items = range(int(start), int(stop), int(step))
    if len(items) > LONGEST:
        raise Fault("number-too-large", f"a list of {len(items)} items; at most {LONGEST} are made")
    return tuple(items)


def _len(values: list[object]) -> object:
    if len(values) != 1 or not isinstance(values[0], tuple):
        raise Fault("wrong-operand", "`len(list)` takes one list")
    return len(cast("tuple[object, ...]", values[0]))


def _where(values: list[object]) -> object:
    if len(values) != 3 or not isinstance(values[0], bool):
        raise Fault("wrong-operand", "`where(condition, a, b)` takes a condition and two values")
    return values[1] if values[0] else values[2]


LISTS = frozenset({"range", "where"})
"""Functions whose result may be something else than a number."""

FUNCTIONS: Mapping[str, Function] = {
    "min": Function("min(a, b, …)", "the smallest", lambda v: min(_numbers(v, "min(a, b, …)", 1))),
    "max": Function("max(a, b, …)", "the largest", lambda v: max(_numbers(v, "max(a, b, …)", 1))),
    "sum": Function(
        "sum(list)", "the sum of its items", lambda v: math.fsum(_numbers(v, "sum(list)", 0))
    ),
    "round": Function("round(x)", "the nearest whole number, halves up", _one("round(x)", _round)),
    "floor": Function("floor(x)", "rounded down", _one("floor(x)", math.floor)),
    "ceil": Function("ceil(x)", "rounded up", _one("ceil(x)", math.ceil)),
    "sqrt": Function("sqrt(x)", "the square root", _one("sqrt(x)", math.sqrt)),
    "log": Function("log(x)", "the natural logarithm", _one("log(x)", math.log)),
    "exp": Function("exp(x)", "e to the x", _one("exp(x)", math.exp)),
    "abs": Function("abs(x)", "without its sign", _one("abs(x)", abs)),
    "multiple_of": Function(
        "multiple_of(x, n)",
        "the multiple of n nearest to x, at least n and at least 0.9 x (MobileNet's rounding)",
        _multiple_of,
    ),
    "range": Function("range(from, to, step)", "whole numbers; `to` is left out", _range),
    "len": Function("len(list)", "how many items", _len),
    "where": Function("where(c, a, b)", "a if the condition c holds, else b", _where),
}
