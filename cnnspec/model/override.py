"""What does `name=value` say from outside a spec, on a command line?"""

from cnnspec.model.evaluate import Site, evaluate
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.vocab.value import UNKNOWN


def read_override(text: str) -> tuple[str, object]:
    """A param's name and value; the value is written as in a spec. Raises `ValueError`."""
    name, equals, written = text.partition("=")
    name = name.strip()
    if not equals or not name.isidentifier():
        raise ValueError(f"`{text}` does not read name=value")
    if "\n" in written:
        raise ValueError(f"the value of `{name}` has several lines")
    sink = Sink()
    file = parse(Source("--set", f"param {name} = {written}\n"), sink)
    if not sink.diagnostics and len(file.items) == 1 and isinstance(file.items[0], tree.Param):
        value = evaluate(file.items[0].value, Site(sink, None, lambda _: None, list[str]))
        if value is not UNKNOWN:
            return name, value
    said = sink.diagnostics[0].message if sink.diagnostics else "this is no value"
    raise ValueError(f"`{text}`: {said}")
