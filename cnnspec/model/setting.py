"""What do settings say that were made outside of a spec, on a command line or in Python?"""

from collections.abc import Sequence

from cnnspec.layers.base import count
from cnnspec.model.evaluate import Site, evaluate
from cnnspec.model.fit import fit_recipe
from cnnspec.model.graph import Graph
from cnnspec.settings.agree import agree
from cnnspec.settings.assemble import assemble
from cnnspec.settings.base import Targets, Word
from cnnspec.settings.plain import Epochs, Freeze, Seed
from cnnspec.settings.recipe import Line, Recipe, default_recipe, read_recipe, with_words
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Diagnostic, Severity, Sink
from cnnspec.text.source import Source
from cnnspec.vocab.value import Word as Bare
from cnnspec.vocab.value import show


def with_settings(
    graph: Graph,
    sink: Sink,
    *,
    data: str | None = None,
    words: Sequence[Word] = (),
    is_training: bool = False,
) -> Recipe | None:
    """The recipe of a network with other data and other words than its spec has; none where they
    contradict each other or the network, and the sink has why."""
    recipe = graph.recipe or default_recipe()
    if data is not None:
        other = _read(data, sink)
        if other is None:
            return None
        recipe = recipe.but(other)
    recipe = with_words(recipe, words)
    if data is None and not words and not is_training:
        return recipe
    if any(isinstance(word, Epochs) for word in words):
        recipe = _warming(recipe, sink)
    return _agreeing(graph, recipe, sink, is_training=is_training)


def with_targets(graph: Graph, gives: Targets, sink: Sink) -> Recipe | None:
    """The recipe of a network with what the targets of its data are, where only the files could say
    that; none where something contradicts it, and the sink has why."""
    recipe = graph.recipe or default_recipe()
    data = recipe.data
    if data is None or data.targets_given() is not None:
        return recipe
    line = next(line for line in recipe.lines if line.setting == "data")
    word = type(data)(**{**data.given, "targets": Bare(gives)})
    told = assemble([Line(line.setting, (word,), line.places, line.span)])
    return _agreeing(graph, recipe.but(told), sink, is_training=True)


def _agreeing(graph: Graph, recipe: Recipe, sink: Sink, *, is_training: bool) -> Recipe | None:
    """The recipe, unless it contradicts itself or the network."""
    found = Sink()
    before, graph.recipe = graph.recipe, recipe
    try:
        agree(recipe, found)
        fit_recipe(graph, found, is_training=is_training)
    finally:
        graph.recipe = before
    # Other warnings were told of the spec, or are no surprise to who asks for it.
    for diagnostic in found.ordered():
        if diagnostic.severity is Severity.ERROR or _is_of_option(diagnostic):
            sink.add(diagnostic)
    return None if sink.failed else recipe


def _is_of_option(diagnostic: Diagnostic) -> bool:
    return diagnostic.span.source.name.startswith("--")


def _warming(recipe: Recipe, sink: Sink) -> Recipe:
    """With a shorter warm-up where the option leaves no more epochs than that takes."""
    schedule = recipe.schedule
    line = next((line for line in recipe.lines if line.setting == "schedule"), None)
    if line is None or schedule.warmup < recipe.epochs:
        return recipe
    shorter = recipe.epochs / 2
    place = line.places[0]
    short = "one epoch" if shorter == 1 else f"{show(shorter)} epochs"
    sink.warning(
        "idle-setting",
        f"training ends after {count(recipe.epochs, 'epoch')}: its warm-up is shortened to {short}",
        place.args.get("warmup", place.span),
    )
    given = {name: schedule.value(name) for name in schedule.given}
    word = type(schedule)(**given | {"warmup": shorter})
    return recipe.but(assemble([Line(line.setting, (word,), line.places, line.span)]))


def words(
    *, epochs: int | None = None, seed: int | None = None, freeze: Sequence[str] = ()
) -> list[Word]:
    """What options say, as the words of a spec."""
    return [
        *([Seed(number=seed)] if seed is not None else []),
        *([Freeze(layers=tuple(freeze))] if freeze else []),
        # Last, where they also come to stand when a run goes on for more.
        *([Epochs(count=epochs)] if epochs is not None else []),
    ]


def _read(data: str, sink: Sink) -> Recipe | None:
    """`folder "pictures"`, as behind `data` in a spec."""
    file = parse(Source("--data", f"train {{ data {data} }}\n"), sink)
    if sink.failed or len(file.items) != 1 or not isinstance(file.items[0], tree.Train):
        return None
    site = Site(sink, None, lambda _: None, list[str])
    return read_recipe(file.items[0], lambda expr: evaluate(expr, site), sink, list[str])
