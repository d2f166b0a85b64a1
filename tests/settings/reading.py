"""How does a test come to a recipe? From the lines of a `train` part."""

from textwrap import indent

from cnnspec.model.evaluate import Site, evaluate
from cnnspec.settings.recipe import Recipe, read_recipe
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Diagnostic, Sink
from cnnspec.text.source import Source


def attempt(lines: str, **params: object) -> tuple[Recipe | None, list[Diagnostic]]:
    """The recipe of these lines, and what is said of them; `params` are names in scope."""
    sink = Sink()
    file = parse(Source("net.cnn", f"train {{\n{indent(lines.strip(), '  ')}\n}}\n"), sink)
    (train,) = file.items
    assert isinstance(train, tree.Train)
    site = Site(sink, None, params.get, lambda: params)
    recipe = read_recipe(train, lambda expr: evaluate(expr, site), sink, lambda: params)
    return recipe, sink.ordered()


def recipe(lines: str, **params: object) -> Recipe:
    """The recipe of lines with which nothing is wrong."""
    found, said = attempt(lines, **params)
    assert said == [], [d.message for d in said]
    assert found is not None
    return found


def only(lines: str, **params: object) -> Diagnostic:
    """The one thing that is said of these lines; an error if and only if there is no recipe."""
    found, said = attempt(lines, **params)
    assert len(said) == 1, [d.message for d in said]
    assert (found is None) == (said[0].severity == "error")
    return said[0]
