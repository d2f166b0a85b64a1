"""How is cnnspec used from Python?"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cnnspec import zoo
from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph, Node
from cnnspec.text.diagnostic import Diagnostic, Sink, SpecError
from cnnspec.text.render import render_all
from cnnspec.text.source import Source
from cnnspec.vocab.value import Word

if TYPE_CHECKING:
    from cnnspec.report.facts import Report


class Network:
    """A checked network: its layers with their shapes and counts."""

    def __init__(self, graph: Graph, warnings: Iterable[Diagnostic]) -> None:
        self.graph = graph
        self.diagnostics: tuple[Diagnostic, ...] = tuple(warnings)
        """Warnings; a network with errors is not made."""

    @property
    def name(self) -> str:
        return self.graph.name

    @property
    def layers(self) -> tuple[Node, ...]:
        """Every use of a layer in the order of the text, inputs included."""
        return tuple(self.graph.nodes)

    @property
    def params(self) -> Mapping[str, object]:
        """The params of the spec, with the values that they have here."""
        return dict(self.graph.params)

    def report(self, batch: int = 1, *, explain: bool = False) -> "Report":
        """Every shape, count and size as data; `print` shows the table, `.model_dump()` the
        numbers."""
        from cnnspec.report.facts import facts

        return facts(self.graph, batch, explain=explain)

    def expand(self) -> str:
        """The flat spec, after blocks, loops and conditions."""
        return expand(self.graph)

    def __repr__(self) -> str:
        return f"<network {self.name}: {len(self.layers)} layers>"

    def __str__(self) -> str:
        from cnnspec.report.table import text

        return text(self.report())

    def _repr_html_(self) -> str:
        from cnnspec.report.notebook import html

        return html(self.report())


def load(spec: str | Path, /, **params: object) -> Network:
    """The network of a spec: a path, a name of the zoo, or the text itself.

    Keyword arguments set the spec's params; a string stands for a word of the language.
    Raises `SpecError`, which prints what the command line prints, and `OSError` for a file that
    cannot be read.

    >>> load("lenet5").name
    'LeNet5'
    """
    source = _source(spec)
    sink = Sink()
    graph = check(source, {k: _value(v) for k, v in params.items()}, sink, zoo.read)
    diagnostics = sink.ordered()
    if graph is None:
        raise SpecError(diagnostics, lambda: "\n" + render_all(diagnostics))
    return Network(graph, diagnostics)


def _source(spec: str | Path) -> Source:
    if isinstance(spec, str) and ("\n" in spec or "{" in spec):
        return Source("<text>", spec)
    return zoo.read(zoo.resolve(str(spec)))


def _value(value: object) -> object:
    """A value of Python as one of the language."""
    match value:
        case bool() | int() | float():
            return value
        case str():
            return Word(value)
        case list() | tuple():
            return tuple(_value(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
        case _:
            raise TypeError(f"a param is a number, yes or no, a word or a list of these: {value!r}")
