"""How is the arithmetic of one step written out?"""

from collections.abc import Iterable

from cnnspec.sliding.numbers import Number, in_parentheses, is_whole_truth, show
from cnnspec.sliding.slide import Part, Slide, Step


def sentences(slide: Slide, step: Step) -> list[str]:
    """`1·1 + 2·0 = 1`; of several channels a line for each, then one for their sum."""
    if slide.is_pool:
        return [_pooled(slide, step)]
    if len(step.parts) == 1:
        (part,) = step.parts
        return [_whole(_products(part), show(part.total), slide, step)]
    lines = [
        f"{name}: {_products(part)} {_equals(part.total)} {show(part.total)}"
        for name, part in zip(slide.channels, step.parts, strict=True)
    ]
    sums = _added(show(p.total) for p in step.parts)
    total = show(sum(p.total for p in step.parts))
    return [*lines, f"together: {_whole(sums, total, slide, step)}"]


def _whole(terms: str, total: str, slide: Slide, step: Step) -> str:
    """What is added up, divided, given a bias, and what that comes to."""
    if slide.kernel.divisor == 1:
        return f"{terms}{_bias(slide)} {_equals(step.total)} {show(step.total)}"
    divisor = in_parentheses(slide.kernel.divisor)
    bias = _bias(slide)
    return (
        f"({terms})/{divisor}{bias} = {total}/{divisor}{bias} "
        f"{_equals(step.total)} {show(step.total)}"
    )


def _products(part: Part) -> str:
    found = (f"{in_parentheses(t.value)}·{in_parentheses(t.weight)}" for t in part.terms)
    return " + ".join(found)


def _added(numbers: Iterable[str]) -> str:
    """`308 - 498 + 164`."""
    return " + ".join(numbers).replace("+ -", "- ")


def _bias(slide: Slide) -> str:
    if not slide.bias:
        return ""
    sign = "-" if slide.bias < 0 else "+"
    return f" {sign} bias {show(abs(slide.bias))}"


def _pooled(slide: Slide, step: Step) -> str:
    seen = [t.value for t in step.parts[0].terms if not t.is_padding]
    result = f"{_equals(step.total)} {show(step.total)}"
    if slide.operation == "max":
        return f"max({', '.join(map(show, seen))}) {result}"
    terms = " + ".join(in_parentheses(x) for x in seen)
    return f"({terms})/{len(seen)} = {show(sum(seen))}/{len(seen)} {result}"


def _equals(x: Number) -> str:
    return "=" if is_whole_truth(x) else "≈"
