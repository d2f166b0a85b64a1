"""How is cnnspec used from Python?"""

import os
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, SupportsIndex, cast

from cnnspec import zoo
from cnnspec.layers.base import count
from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph, Node
from cnnspec.text.diagnostic import Diagnostic, Sink, SpecError
from cnnspec.text.source import Source
from cnnspec.vocab.value import Word

if TYPE_CHECKING:
    from cnnspec.report.facts import Report


class Network:
    """A checked network: its layers with their shapes and counts.

    `print(network)` shows the table that `cnnspec report` shows, and so does a notebook.
    """

    def __init__(self, graph: Graph, warnings: Iterable[Diagnostic]) -> None:
        self.graph = graph
        """What all else is worked out from; its form may change between versions."""
        self.diagnostics: tuple[Diagnostic, ...] = tuple(warnings)
        """Warnings; a network with errors is not made."""

    @property
    def name(self) -> str:
        """As the spec has it: `network LeNet5 { … }`."""
        return self.graph.name

    @property
    def layers(self) -> tuple[Node, ...]:
        """Every use of a layer in the order of the text, inputs included.

        Each has `.path`, `.shape`, `.layer` and `.inputs`, the indices of those that it takes.
        """
        return tuple(self.graph.nodes)

    @property
    def params(self) -> Mapping[str, object]:
        """The params of the spec, with the values that they have here."""
        return dict(self.graph.params)

    def report(self, batch: int = 1, *, explain: bool = False) -> "Report":
        """Every shape, count and size as data, memory for a batch of images.

        `.totals.params` and its like are the numbers, `.model_dump()` gives all of them as plain
        objects. With `explain`, each row carries its arithmetic.
        """
        from cnnspec.report.facts import facts

        return facts(self.graph, batch, explain=explain)

    def expand(self) -> str:
        """The flat spec, after blocks, loops and conditions."""
        return expand(self.graph)

    def __repr__(self) -> str:
        layers = sum(1 for node in self.graph.nodes if node.inputs)
        return f"<network {self.name}: {count(layers, 'layer')}>"

    def __str__(self) -> str:
        from cnnspec.report.table import text

        return text(self.report())

    def _repr_html_(self) -> str:
        from cnnspec.report.notebook import html

        return html(self.report())


def load(spec: "str | os.PathLike[str]", /, **params: object) -> Network:
    """The network of a spec: a path, a name of the zoo, or the text itself.

    A string with a brace or a line end is text. Keyword arguments set the spec's params: numbers,
    yes and no, lists of these; a string stands for a word of the language. Raises `SpecError`,
    which prints what the command line prints, `OSError` for a file that cannot be read, and
    `ValueError` for one that is not UTF-8.

    >>> load("lenet5").report().totals.params
    61706
    >>> load("alexnet", classes=10).layers[-1].shape
    (10,)
    """
    if isinstance(spec, str) and ("\n" in spec or "{" in spec):
        return loads(spec, **params)
    return _network(zoo.read(zoo.resolve(os.fspath(spec))), params)


def loads(text: str, /, **params: object) -> Network:
    """The network of a spec's text; params and errors as for `load`.

    >>> loads("network { input 8 -> fc 2 }")
    <network network: one layer>
    """
    return _network(Source("<text>", text), params)


def _network(source: Source, params: Mapping[str, object]) -> Network:
    sink = Sink()
    graph = check(source, {k: _value(v) for k, v in params.items()}, sink, zoo.read)
    diagnostics = sink.ordered()
    if graph is None:
        raise SpecError(diagnostics, lambda: _shown(diagnostics))
    return Network(graph, diagnostics)


def _shown(diagnostics: Sequence[Diagnostic]) -> str:
    from cnnspec.text.render import render_all

    # A traceback ends in `SpecError: ` and this.
    return "\n" + render_all(diagnostics)


def _value(value: object) -> object:
    """A value of Python as one of the language."""
    match value:
        case bool():
            return value
        case str():
            return Word(value)
        case float():
            return float(value)
        case list() | tuple():
            return tuple(_value(v) for v in cast("Sequence[object]", value))
        case SupportsIndex():
            # Whole numbers of other libraries among them.
            return index(value)
        case _:
            raise TypeError(f"a param is a number, yes or no, a word or a list of these: {value!r}")
