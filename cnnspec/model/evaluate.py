"""What does an expression come to?"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from cnnspec.model.scope import NOTHING, SIZES, Wire
from cnnspec.syntax import tree
from cnnspec.syntax.numbers import value_of
from cnnspec.text.diagnostic import Frame, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import UNKNOWN, Unknown, Word, show

LARGEST = 10**15
"""Beyond this a number is a mistake: no network has a quadrillion of anything."""

LONGEST = 100_000
"""The longest list that an expression may make."""


@dataclass(frozen=True, slots=True)
class Fault(Exception):
    """A computation that has no answer."""

    code: str
    message: str
    hint: str | None = None


@record
class Site:
    """In what surroundings an expression is evaluated."""

    sink: Sink
    trail: Frame | None
    lookup: Callable[[str], object | None]
    """The value of a dotted name, `UNKNOWN`, or none if nothing is called so."""
    names: Callable[[], Iterable[str]]


@lru_cache(maxsize=4096)
def number(text: str) -> int | float:
    """The value of a number as written."""
    return tidy(value_of(text))


def tidy(value: float) -> int | float:
    """A whole value as a whole number: 64 * 0.5 is 32."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    return value


def evaluate(expr: tree.Expr, site: Site) -> object:
    """The value; `UNKNOWN` where something is wrong (and has been said) or not known.

    A bare name that nothing is called is a `Word`: the parameter that takes it knows whether it
    means something.
    """
    try:
        return _evaluate(expr, site)
    except _Said:
        return UNKNOWN


def evaluate_closed(expr: tree.Expr, site: Site) -> object:
    """The same where no parameter waits for a word: there a name must be known."""
    value = evaluate(expr, site)
    if isinstance(value, Word):
        unknown_name(value, expr.span, site)
        return UNKNOWN
    return value


def truth(expr: tree.Expr, site: Site) -> bool | Unknown:
    """A condition's answer."""
    value = evaluate_closed(expr, site)
    if isinstance(value, bool | Unknown):
        return value
    site.sink.error(
        "wrong-condition",
        f"a condition is yes or no; this is {_what(value)}",
        expr.span,
        hint=f"compare it, as in `{expr.span.text.strip()} > 0`" if _is_number(value) else None,
        trail=site.trail,
    )
    return UNKNOWN


def unknown_name(name: str, span: Span, site: Site) -> None:
    message = f"nothing here is called `{name}`"
    hint = did_you_mean(name, site.names())
    base, _, size = name.rpartition(".")
    value = site.lookup(base) if base else None
    if isinstance(value, Wire):
        hint = did_you_mean(size, SIZES) or f"a value has {', '.join(SIZES)}"
        message = f"`{base}` has no `{size}`"
        if value.node == NOTHING:
            message = f"nothing has entered here, so `{name}` has no meaning"
            hint = f"`here.{size}` asks the value that flows at this place"
    site.sink.error("unknown-name", message, span, hint=hint, trail=site.trail)


class _Said(Exception):
    """Something was wrong, or not known, inside; it has been said."""


def _evaluate(expr: tree.Expr, site: Site) -> object:
    match expr:
        case tree.Number():
            return _guard(expr.span, site, number, expr.text)
        case tree.Size():
            return expr.numbers
        case tree.Ref():
            return _name(expr, site)
        case tree.Text():
            return expr.text
        case tree.Paren():
            return _evaluate(expr.inner, site)
        case tree.Tuple():
            return tuple(_evaluate(item, site) for item in expr.items)
        case tree.Chain():
            return _chain(expr, site)
        case tree.Compare():
            return _compare(expr, site)
        case tree.Sign():
            return -_number(expr.inner, site)
        case tree.Not():
            return not _truth(expr.inner, site)
        case tree.Index():
            return _index(expr, site)
        case tree.Invoke():
            return _invoke(expr, site)


def _name(expr: tree.Ref, site: Site) -> object:
    value = site.lookup(expr.name)
    if value is UNKNOWN:
        raise _Said
    if value is not None:
        return value
    if expr.name == "yes":
        return True
    if expr.name == "no":
        return False
    if "." in expr.name:
        unknown_name(expr.name, expr.span, site)
        raise _Said
    return Word(expr.name)


def _chain(expr: tree.Chain, site: Site) -> object:
    op = expr.rest[0][0]
    if op in ("and", "or"):
        # Like everywhere, what follows a decided `and` or `or` is not looked at.
        value = _truth(expr.first, site)
        for _, right in expr.rest:
            if value is (op == "or"):
                return value
            value = _truth(right, site)
        return value
    if op == "**":
        return _power(expr, site)
    total = _number(expr.first, site)
    for operator, right in expr.rest:
        operand = _number(right, site)
        total = _guard(expr.span, site, _ARITHMETIC[operator], total, operand)
    return total


def _power(expr: tree.Chain, site: Site) -> int | float:
    # From the right: 2 ** 3 ** 2 is 2 ** 9.
    *bases, last = (_number(e, site) for e in (expr.first, *(right for _, right in expr.rest)))
    value = last
    for base in reversed(bases):
        value = _guard(expr.span, site, _raise, base, value)
    return value


def _guard(
    span: Span, site: Site, compute: Callable[..., int | float], *args: object
) -> int | float:
    """A computed number, or a diagnostic where there is none or it is absurd."""
    try:
        value = tidy(compute(*args))
        if not abs(value) <= LARGEST:  # also where it is not a number at all
            raise OverflowError
    except Fault as fault:
        site.sink.error(fault.code, fault.message, span, hint=fault.hint, trail=site.trail)
        raise _Said from None
    except OverflowError:
        site.sink.error(
            "number-too-large",
            f"`{_shorten(span.text)}` is beyond {LARGEST:.0e}",
            span,
            trail=site.trail,
        )
        raise _Said from None
    return value


def _add(a: float, b: float) -> float:
    return a + b


def _sub(a: float, b: float) -> float:
    return a - b


def _mul(a: float, b: float) -> float:
    return a * b


def _not_zero(a: float, b: float, sign: str) -> None:
    if b == 0:
        raise Fault("division-by-zero", f"{show(a)} {sign} 0 has no answer")


def _div(a: float, b: float) -> float:
    _not_zero(a, b, "/")
    return a // b if type(a) is int and type(b) is int and a % b == 0 else a / b


def _floor_div(a: float, b: float) -> float:
    _not_zero(a, b, "//")
    return a // b


def _mod(a: float, b: float) -> float:
    _not_zero(a, b, "%")
    return a % b


def _raise(a: float, b: float) -> float:
    if a == 0 and b < 0:
        raise Fault("division-by-zero", f"0 ** {show(b)} divides by zero")
    if a < 0 and type(b) is not int:
        raise Fault("not-a-number", f"{show(a)} ** {show(b)} is no real number")
    if abs(a) > 1 and b * math.log2(abs(a)) > 64:
        raise OverflowError
    return a**b if b >= 0 or type(a) is float else float(a) ** b


_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": _add,
    "-": _sub,
    "*": _mul,
    "/": _div,
    "//": _floor_div,
    "%": _mod,
}


def _compare(expr: tree.Compare, site: Site) -> bool:
    left, right = _evaluate(expr.left, site), _evaluate(expr.right, site)
    for value, part in ((left, expr.left), (right, expr.right)):
        # `kind == word` compares words, so a name may be unknown on one side only.
        if isinstance(value, Word) and not isinstance(left if value is right else right, str):
            unknown_name(value, part.span, site)
            raise _Said
    if expr.op in ("==", "!="):
        return (left == right) is (expr.op == "==")
    return compare(_as_number(left, expr.left, site), expr.op, _as_number(right, expr.right, site))


def compare(left: float, op: str, right: float) -> bool:
    match op:
        case "<":
            return left < right
        case "<=":
            return left <= right
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "==":
            return left == right
        case _:
            return left != right


def _index(expr: tree.Index, site: Site) -> object:
    base, index = _evaluate(expr.base, site), _evaluate(expr.index, site)
    if not isinstance(base, tuple):
        return _wrong(f"only a list has items; this is {_what(base)}", expr.base.span, site)
    items = cast("tuple[object, ...]", base)
    if type(index) is bool:
        index = int(index)
    if type(index) is not int:
        return _wrong(f"an index is a whole number; this is {_what(index)}", expr.index.span, site)
    if not 0 <= index < len(items):
        return _wrong(
            f"the list has items 0 to {len(items) - 1}; {index} is asked for",
            expr.index.span,
            site,
        )
    return items[index]


def _invoke(expr: tree.Invoke, site: Site) -> object:
    function = FUNCTIONS.get(expr.name)
    if function is None:
        site.sink.error(
            "unknown-function",
            f"there is no function `{expr.name}`",
            expr.name_span,
            hint=did_you_mean(expr.name, FUNCTIONS)
            or f"the functions: {', '.join(sorted(FUNCTIONS))}",
            trail=site.trail,
        )
        raise _Said
    values = [_evaluate(argument, site) for argument in expr.arguments]
    for value, part in zip(values, expr.arguments, strict=True):
        if isinstance(value, Word):
            unknown_name(value, part.span, site)
            raise _Said
    if expr.name in LISTS:
        try:
            return function.compute(values)
        except Fault as fault:
            site.sink.error(fault.code, fault.message, expr.span, hint=fault.hint, trail=site.trail)
            raise _Said from None
    return _guard(expr.span, site, function.compute, values)


def _number(expr: tree.Expr, site: Site) -> int | float:
    return _as_number(_evaluate(expr, site), expr, site)


def _as_number(value: object, expr: tree.Expr, site: Site) -> int | float:
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, Word):
        unknown_name(value, expr.span, site)
        raise _Said
    return _wrong(f"a number is needed here; this is {_what(value)}", expr.span, site)


def _truth(expr: tree.Expr, site: Site) -> bool:
    value = truth(expr, site)
    if isinstance(value, Unknown):
        raise _Said
    return value


def _wrong(message: str, span: Span, site: Site) -> int:
    site.sink.error("wrong-operand", message, span, trail=site.trail)
    raise _Said


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _what(value: object) -> str:
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


# ── functions ──────────────────────────────────────────────────────────────────────────────────


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
        if not _is_number(value):
            raise Fault("wrong-operand", f"`{call}` takes numbers; {_what(value)} is given")
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
