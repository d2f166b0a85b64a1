"""How does a test come to a network? From a program's text, or from a file of the repository."""

from pathlib import Path
from textwrap import dedent

from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source

ROOT = Path(__file__).resolve().parent.parent


def build(text: str, name: str = "net.cnn", **params: object) -> Graph:
    """The network of a program, which must be right."""
    return _checked(Source(name, dedent(text)), params)


def build_file(path: str, **params: object) -> Graph:
    """The network of a file, named from the root of the repository."""
    return _checked(read(path), params)


def read(path: str) -> Source:
    return Source(path, (ROOT / path).read_text(encoding="utf-8"))


def _checked(source: Source, params: dict[str, object]) -> Graph:
    sink = Sink()
    graph = check(source, params, sink, read)
    said = [f"{d.span.place()}: {d.message}" for d in sink.ordered()]
    assert graph is not None, "\n".join(said)
    return graph
