"""What does an expression come to?"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol, cast

from cnnspec.model.functions import FUNCTIONS, LARGEST, LISTS, LONGEST, Fault, is_number, tidy, what
from cnnspec.model.scope import NOTHING, SIZES, Wire
from cnnspec.syntax import tree
from cnnspec.syntax.numbers import value_of
from cnnspec.text.diagnostic import Frame, Sink, TooManyErrors
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import UNKNOWN, Unknown, Word, show

DEEPEST = 32
"""How many lists may lie in each other."""

MOST_ITEMS = 5_000_000
"""How many items of lists may be looked at in all; small loops multiply to a lot."""


class Surroundings(Protocol):
    """In what surroundings an expression is evaluated."""

    @property
    def sink(self) -> Sink: ...

    @property
    def trail(self) -> Frame | None: ...

    def lookup(self, name: str, /) -> object | None:
        """The value of a dotted name, `UNKNOWN`, or none if nothing is called so."""
        ...

    def names(self) -> Iterable[str]: ...


@record
class Site:
    """A site put together of its parts."""

    sink: Sink
    trail: Frame | None
    lookup: Callable[[str], object | None]
    names: Callable[[], Iterable[str]]


@lru_cache(maxsize=4096)
def number(text: str) -> int | float:
    """The value of a number as written."""
    return tidy(value_of(text))


def evaluate(expr: tree.Expr, site: Surroundings) -> object:
    """The value; `UNKNOWN` where something is wrong (and has been said) or not known.

    A bare name that nothing is called is a `Word`: the parameter that takes it knows whether it
    means something.
    """
    try:
        return _evaluate(expr, site)
    except _Said:
        return UNKNOWN


def evaluate_closed(expr: tree.Expr, site: Surroundings) -> object:
    """The same where no parameter waits for a word: there a name must be known."""
    value = evaluate(expr, site)
    if isinstance(value, Word):
        unknown_name(value, expr.span, site)
        return UNKNOWN
    return value


def truth(expr: tree.Expr, site: Surroundings) -> bool | Unknown:
    """A condition's answer."""
    value = evaluate_closed(expr, site)
    if isinstance(value, bool | Unknown):
        return value
    site.sink.error(
        "wrong-condition",
        f"a condition is yes or no; this is {what(value)}",
        expr.span,
        hint=f"compare it, as in `{expr.span.text.strip()} > 0`" if is_number(value) else None,
        trail=site.trail,
    )
    return UNKNOWN


def unknown_name(name: str, span: Span, site: Surroundings) -> None:
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


def _evaluate(expr: tree.Expr, site: Surroundings) -> object:
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
            return _tuple(expr, site)
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


def _tuple(expr: tree.Tuple, site: Surroundings) -> object:
    value = tuple(_evaluate(item, site) for item in expr.items)
    size, depth = _measure(value)
    spend(size, expr.span, site)
    if size > LONGEST or depth > DEEPEST:
        site.sink.error(
            "number-too-large",
            f"the list has more than {LONGEST:,} items, those of lists in it counted"
            if size > LONGEST
            else f"lists lie in each other more than {DEEPEST} deep",
            expr.span,
            trail=site.trail,
        )
        raise _Said
    return value


def _measure(items: tuple[object, ...]) -> tuple[int, int]:
    """How many items a list has, those of lists in it counted too, and how deep they lie; not
    further than to the first bound."""
    size, depth = len(items), 0
    for item in items:
        if isinstance(item, tuple):
            inner, below = _measure(cast("tuple[object, ...]", item))
            size, depth = size + inner, max(depth, below)
        if size > LONGEST:
            break
    return size, depth + 1


def _length(value: object) -> int:
    return len(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else 0


def spend(items: int, span: Span, site: Surroundings) -> None:
    """Count items that are looked at; end everything where there is no end to them."""
    site.sink.work += items
    if site.sink.work > MOST_ITEMS:
        site.sink.error(
            "number-too-large",
            f"more than {MOST_ITEMS:,} items of lists are looked at",
            span,
            trail=site.trail,
        )
        raise TooManyErrors


def _name(expr: tree.Ref, site: Surroundings) -> object:
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


def _chain(expr: tree.Chain, site: Surroundings) -> object:
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


def _power(expr: tree.Chain, site: Surroundings) -> int | float:
    # From the right: 2 ** 3 ** 2 is 2 ** 9.
    *bases, last = (_number(e, site) for e in (expr.first, *(right for _, right in expr.rest)))
    value = last
    for base in reversed(bases):
        value = _guard(expr.span, site, _raise, base, value)
    return value


def _guard(
    span: Span, site: Surroundings, compute: Callable[..., int | float], *args: object
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


def _compare(expr: tree.Compare, site: Surroundings) -> bool:
    left, right = _evaluate(expr.left, site), _evaluate(expr.right, site)
    for value, part in ((left, expr.left), (right, expr.right)):
        # `kind == word` compares words, so a name may be unknown on one side only.
        if isinstance(value, Word) and not isinstance(left if value is right else right, str):
            unknown_name(value, part.span, site)
            raise _Said
    if expr.op in ("==", "!="):
        if isinstance(left, tuple) and isinstance(right, tuple):
            spend(_measure(cast("tuple[object, ...]", left))[0], expr.span, site)
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


def _index(expr: tree.Index, site: Surroundings) -> object:
    base, index = _evaluate(expr.base, site), _evaluate(expr.index, site)
    for value, part in ((base, expr.base), (index, expr.index)):
        if isinstance(value, Word):
            unknown_name(value, part.span, site)
            raise _Said
    if not isinstance(base, tuple):
        return _wrong(f"only a list has items; this is {what(base)}", expr.base.span, site)
    items = cast("tuple[object, ...]", base)
    if type(index) is bool:
        index = int(index)
    if type(index) is not int:
        return _wrong(f"an index is a whole number; this is {what(index)}", expr.index.span, site)
    if not 0 <= index < len(items):
        return _wrong(
            f"the list has items 0 to {len(items) - 1}; {index} is asked for",
            expr.index.span,
            site,
        )
    return items[index]


def _invoke(expr: tree.Invoke, site: Surroundings) -> object:
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
        spend(_length(value), part.span, site)
    if expr.name in LISTS:
        try:
            made = cast("object", function.compute(values))
            spend(_length(made), expr.span, site)
            return made
        except Fault as fault:
            site.sink.error(fault.code, fault.message, expr.span, hint=fault.hint, trail=site.trail)
            raise _Said from None
    return _guard(expr.span, site, function.compute, values)


def _number(expr: tree.Expr, site: Surroundings) -> int | float:
    return _as_number(_evaluate(expr, site), expr, site)


def _as_number(value: object, expr: tree.Expr, site: Surroundings) -> int | float:
    if type(value) is int or type(value) is float:
        return value
    if isinstance(value, Word):
        unknown_name(value, expr.span, site)
        raise _Said
    return _wrong(f"a number is needed here; this is {what(value)}", expr.span, site)


def _truth(expr: tree.Expr, site: Surroundings) -> bool:
    value = truth(expr, site)
    if isinstance(value, Unknown):
        raise _Said
    return value


def _wrong(message: str, span: Span, site: Surroundings) -> int:
    site.sink.error("wrong-operand", message, span, trail=site.trail)
    raise _Said


def _shorten(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}…"
