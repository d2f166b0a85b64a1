"""Is this spec right, and what network does it describe?"""

import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial

from cnnspec.model.elaborate import Elaborator
from cnnspec.model.evaluate import evaluate
from cnnspec.model.expects import check_here, check_network
from cnnspec.model.graph import Graph
from cnnspec.model.lint import lint_graph, lint_names
from cnnspec.model.module import Loader, Module, Read
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink, TooManyErrors
from cnnspec.text.source import Source, Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import show


def check(source: Source, overrides: Mapping[str, object], sink: Sink, read: Read) -> Graph | None:
    """The network that a source describes, or none where something is wrong; the sink has why."""
    with _uncollected():
        try:
            return check_file(parse(source, sink), overrides, sink, read)
        except TooManyErrors:
            return None


def check_file(
    file: tree.File, overrides: Mapping[str, object], sink: Sink, read: Read
) -> Graph | None:
    """The same from a tree, whose syntax errors, if any, the sink has."""
    module, used = Loader(sink, read).load(file, overrides)
    for name, value in overrides.items():
        if name not in used:
            _unknown_param(name, value, module, sink)
    if module.network is None:
        _no_network(file, sink)
        return None
    network, home = module.network
    name = network.name.name if network.name else "network"
    graph = Graph(name, file, network.keyword_span, params=dict(module.params))
    elaborator = Elaborator(sink, graph)
    elaborator.network(network, home)
    _check_inputs(network, graph, sink)
    if module.train is not None:
        from cnnspec.settings.recipe import read_recipe

        train, origin = module.train
        graph.recipe = read_recipe(train, partial(_evaluate, origin, sink), sink, origin.names)
    if not sink.failed:
        site = module.site(sink)
        end = next((graph.nodes[o.node] for o in graph.outputs if o.name == "output"), None)
        for claim in (c for item in module.expects for c in item.claims):
            # Behind the network, so a shape is that of what leaves it.
            check_here(claim, end, site, elaborator.claims)
        check_network(graph, elaborator.claims)
        if graph.recipe is not None:
            from cnnspec.model.fit import fit_recipe

            fit_recipe(graph, sink)
        lint_names(module, sink)
    lint_graph(graph, sink)
    return None if sink.failed else graph


@contextmanager
def _uncollected() -> Generator[None]:
    """Without the cycle collector, which would look through the growing tree and graph again and
    again and find nothing: a third of the time at 50,000 layers."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _evaluate(module: Module, sink: Sink, expr: tree.Expr) -> object:
    return evaluate(expr, module.site(sink))


def _check_inputs(network: tree.Network, graph: Graph, sink: Sink) -> None:
    if not network.body.statements:
        sink.error(
            "empty-network",
            "the network is empty",
            network.keyword_span,
            hint="it begins with its input, as in `input 1x28x28`",
        )
    elif not graph.outputs and not sink.failed:
        sink.error(
            "empty-network",
            "the network has no layers: nothing comes out of it",
            network.keyword_span,
        )


def _no_network(file: tree.File, sink: Sink) -> None:
    if sink.failed:
        return
    sink.error(
        "missing-network",
        "the file has no network" if file.items else "the file is empty",
        Span(file.source, 0, 0),
        hint="a network reads `network Name { input 1x28x28 … }`",
    )


def _unknown_param(name: str, value: object, module: Module, sink: Sink) -> None:
    source = Source("--set", f"{name}={show(value)}")
    known = ", ".join(module.params)
    sink.error(
        "unknown-param",
        f"{module.file.source.name} has no param `{name}`",
        Span(source, 0, len(name)),
        hint=did_you_mean(name, module.params)
        or (f"its params: {known}" if known else "it has no params"),
    )
