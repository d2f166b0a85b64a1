"""Does the network keep what its author expects of it?"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from cnnspec.model.evaluate import Site, Surroundings, compare, evaluate_closed, truth
from cnnspec.model.functions import is_number
from cnnspec.model.graph import Graph, Node
from cnnspec.model.measure import Measure, measure
from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Label
from cnnspec.text.record import record
from cnnspec.vocab.value import Unknown, Word, show, show_shape


@record
class Metric:
    """A number of the whole network that an `expect` may name."""

    doc: str
    of: Callable[[Measure], float]


METRICS: Mapping[str, Metric] = {
    "params": Metric("trained and frozen parameters, shared ones once", lambda m: m.params),
    "macs": Metric(
        "multiply-accumulates of convolutions and fully connected layers, for one image",
        lambda m: m.macs,
    ),
    "flops": Metric("two for each multiply-accumulate", lambda m: m.flops),
    "connections": Metric(
        "uses of weights, biases and pooled inputs by units", lambda m: m.connections
    ),
    "receptive_field": Metric(
        "input pixels that one place of the last map sees, along its smallest axis",
        lambda m: m.receptive_field,
    ),
    "memory": Metric(
        "bytes that inference on one image needs at its peak, weights included",
        lambda m: m.memory,
    ),
    "layers": Metric("layers, inputs left out", lambda m: m.layers),
    "depth": Metric("layers with weights on the longest way through", lambda m: m.depth),
}


class Claim(NamedTuple):
    """A comparison about the whole network, and the names around it."""

    claim: tree.Expr
    site: Surroundings


def check_here(
    claim: tree.Expr, node: Node | None, place: Surroundings, later: list[Claim]
) -> None:
    """Check an `expect` in a body: the shape there, a condition, or, later, the whole network."""
    if _is_about_network(claim, place):
        later.append(Claim(claim, place))
        return
    value = evaluate_closed(claim, place)
    if isinstance(value, Unknown | Word):
        return
    if isinstance(value, bool):
        if not value:
            _say_condition(claim, place)
        return
    expected = (value,) if isinstance(value, int) else value
    if not isinstance(expected, tuple) or any(
        type(n) is not int for n in cast("tuple[object, ...]", expected)
    ):
        place.sink.error(
            "wrong-claim",
            f"`expect` takes a shape or a condition; here it is {show(value)}",
            claim.span,
            trail=place.trail,
        )
        return
    _check_shape(claim, cast("tuple[int, ...]", expected), node, place)


def _check_shape(
    claim: tree.Expr, expected: tuple[int, ...], node: Node | None, place: Surroundings
) -> None:
    if node is None or node.shape is None or node.shape == expected:
        return
    place.sink.error(
        "expect-failed",
        f"the shape here is {show_shape(node.shape)}; {show_shape(expected)} is expected",
        claim.span,
        labels=[Label(node.span, f"this makes {show_shape(node.shape)}")],
        trail=place.trail,
    )


def check_network(graph: Graph, claims: list[Claim]) -> None:
    """Check what is expected of the finished network."""
    if not claims:
        return
    measures = measure(graph)
    for claim, site in claims:
        if isinstance(claim, tree.Compare):
            _check_comparison(claim, _with_metrics(site, measures))
        elif truth(claim, _with_metrics(site, measures)) is False:
            _say_condition(claim, site)


def _check_comparison(claim: tree.Compare, site: Surroundings) -> None:
    left, right = evaluate_closed(claim.left, site), evaluate_closed(claim.right, site)
    for value, part in ((left, claim.left), (right, claim.right)):
        if not isinstance(value, Unknown) and not is_number(value):
            site.sink.error(
                "wrong-claim",
                f"a metric is compared with a number; this is {show(value)}",
                part.span,
            )
            return
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return
    a, b = cast("float", left), cast("float", right)
    if compare(a, claim.op, b):
        return
    site.sink.error(
        "expect-failed",
        f"{claim.left.span.text.strip()} is {_number(a)}; "
        f"{claim.op} {_number(b)} is expected, a difference of {_number(abs(a - b))}",
        claim.span,
    )


def _say_condition(claim: tree.Expr, site: Surroundings) -> None:
    notes: list[str] = []
    if isinstance(claim, tree.Compare):
        left = evaluate_closed(claim.left, site)
        right = evaluate_closed(claim.right, site)
        notes.append(f"the left side is {show(left)}, the right side {show(right)}")
    site.sink.error(
        "expect-failed",
        f"`{claim.span.text.strip()}` does not hold",
        claim.span,
        notes=notes,
        trail=site.trail,
    )


def _number(value: float) -> str:
    return f"{value:,}" if type(value) is int else f"{value:,.6g}"


@record
class _Metrics:
    site: Surroundings
    measures: Measure

    def lookup(self, name: str) -> object | None:
        found = self.site.lookup(name)
        return METRICS[name].of(self.measures) if found is None and name in METRICS else found


def _with_metrics(site: Surroundings, measures: Measure) -> Site:
    names = [*METRICS, *site.names()]
    return Site(site.sink, site.trail, _Metrics(site, measures).lookup, lambda: names)


def _is_about_network(expr: tree.Expr, site: Surroundings) -> bool:
    """Does it name a metric that is not a name of the author's own?"""
    match expr:
        case tree.Ref():
            return expr.name in METRICS and site.lookup(expr.name) is None
        case tree.Compare():
            return _is_about_network(expr.left, site) or _is_about_network(expr.right, site)
        case tree.Chain():
            return any(_is_about_network(e, site) for e in (expr.first, *(r for _, r in expr.rest)))
        case tree.Paren() | tree.Sign() | tree.Not():
            return _is_about_network(expr.inner, site)
        case tree.Index():
            return _is_about_network(expr.base, site) or _is_about_network(expr.index, site)
        case tree.Tuple():
            return any(_is_about_network(e, site) for e in expr.items)
        case tree.Invoke():
            return any(_is_about_network(e, site) for e in expr.arguments)
        case tree.Number() | tree.Size() | tree.Text():
            return False
