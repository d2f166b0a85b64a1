"""`cnnspec eval`: how well does a model do on a data set?"""

import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from cnnspec.cli.models import Failed, Given, failed, given, is_spec, model_argument
from cnnspec.cli.options import device_option, format_option, set_option
from cnnspec.cli.specs_of import Overrides, tell
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.cli.judged import Judged
    from cnnspec.model.graph import Graph
    from cnnspec.run.folder import Facts
    from cnnspec.run.judging import LossOf
    from cnnspec.run.session import Device, Session
    from cnnspec.run.sets import Part, Splits
    from cnnspec.run.wanted import Wanted
    from cnnspec.settings.recipe import Recipe

PARTS = ("train", "validation", "test")

PartName = Literal["train", "validation", "test"]


@click.command()
@model_argument("model", "MODEL|RUN|SPEC")
@click.option("--data", metavar="WORD…", help="Other data than the spec's, written as there.")
@click.option("--data-dir", metavar="DIR", help="Where the files of data sets are.")
@click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be read.")
@click.option("--part", type=click.Choice(PARTS), default="test", help="Of the data set.")
@click.option("--batch", type=click.IntRange(1), default=64, help="How many examples at a time.")
@device_option
@set_option
@click.option("--weights", metavar="PATH", help="Weights for a spec.")
@format_option
def command(
    model: str,
    data: str | None,
    data_dir: str | None,
    skip_bad: bool,
    part: PartName,
    batch: int,
    device: "Device",
    overrides: Overrides,
    weights: str | None,
    form: str,
) -> int:
    """Measure a model on a data set.

    The data set is that of the spec, which a model that cnnspec wrote carries; --data names
    another, as in --data 'folder "faces"'. RUN is the folder of a training run, whose model is
    taken, or while it trains its best weights.

    Of classes: loss, accuracy, how often the right one is among the five likeliest, what is
    taken for what, and each class by itself. Of masks the same of pixels, with IoU. Of pictures
    and numbers the errors, with PSNR. A model that another program wrote has no loss here; its
    first output is taken for scores of classes.

    \b
    Example:
      cnnspec eval lenet5 --part validation
    """
    try:
        found = _opened(model, overrides, weights, data, data_dir, skip_bad)
        judged = _judged(found, part, batch, device)
    except ValueError as fault:
        raise failed(model, fault) from None
    from cnnspec.cli.judged import as_json, table

    if form == "json":
        click.echo(json.dumps(as_json(judged), allow_nan=False, ensure_ascii=False))
    else:
        for line in table(judged):
            click.echo(line)
    return 0


@dataclass(frozen=True)
class Subject:
    """A model and what is known of it and of its data."""

    name: str
    given: Given
    graph: "Graph | None"
    recipe: "Recipe"
    base: Path
    """Where relative paths of the data begin."""
    data_dir: Path | None
    skips_bad: bool
    """Are pictures left out that cannot be read?"""


# ── the model ──────────────────────────────────────────────────────────────────────────────────


def _opened(
    name: str,
    overrides: Overrides,
    weights: str | None,
    data: str | None,
    data_dir: str | None,
    skip_bad: bool,
) -> Subject:
    base, known_dir = Path(), None
    if os.path.isdir(name):
        if overrides or weights is not None:
            raise click.UsageError(f"--set and --weights are for specs; {name} is a run.")
        found, graph, facts = _run(name)
        base, known_dir = Path(facts.base), facts.data_dir
        skip_bad = skip_bad or (facts.skip_bad and data is None)
    else:
        found = given(name, overrides, weights)
        graph = found.network.graph if found.network is not None else None
        if is_spec(name):
            base = Path(os.path.dirname(name)) if name != "-" else base
        if found.is_drawn:
            click.echo(f"{safe(name)}: untrained; its weights are drawn anew", err=True)
    recipe = _recipe(graph, data)
    if data is not None:
        base = Path()
    place = data_dir or known_dir
    return Subject(name, found, graph, recipe, base, Path(place) if place else None, skip_bad)


def _run(name: str) -> "tuple[Given, Graph, Facts]":
    """The model of a run, or what its best weights make; with how it is made."""
    from cnnspec.run.folder import BEST, MODEL, SPEC, Folder

    folder = Path(name)
    if not (folder / SPEC).is_file():
        raise Failed(f"{name}: it is no folder of a run: it has no {SPEC}")
    graph, facts = Folder(folder).network(), Folder(folder).facts()
    if (folder / MODEL).is_file():
        found = given(str(folder / MODEL))
    elif (folder / BEST).is_file():
        click.echo(f"{safe(name)}: it is still to end; these are its best weights", err=True)
        found = given(str(folder / SPEC), weights=str(folder / BEST))
    else:
        raise Failed(f"{name}: no epoch of the run is done: it has no {MODEL} and no {BEST}")
    return found, graph, facts


def _recipe(graph: "Graph | None", data: str | None) -> "Recipe":
    """The recipe of the network, with other data where that is asked for."""
    from cnnspec.model.setting import with_settings
    from cnnspec.run.judging import stand_in
    from cnnspec.text.diagnostic import Sink

    sink = Sink()
    recipe = with_settings(graph or stand_in(), sink, data=data)
    if recipe is None:
        tell(sink.ordered())
        raise click.exceptions.Exit(1)
    if recipe.data is None:
        raise ValueError("it does not say what it was trained on; --data names a data set")
    return recipe


# ── the judgement ──────────────────────────────────────────────────────────────────────────────


def _judged(subject: Subject, name: PartName, batch: int, device: "Device") -> "Judged":
    from cnnspec.cli.judged import Judged
    from cnnspec.run.answers import labels_of
    from cnnspec.run.judging import judge, numbered_as, stand_in
    from cnnspec.run.session import open_session
    from cnnspec.run.wanted import wanted

    session = open_session(subject.given.content, device)
    wants, note = wanted(session)
    if note is not None:
        click.echo(note, err=True)
    splits = _splits(subject, wants)
    labels = labels_of(session.metadata) or []
    part = numbered_as(_part(splits, name, subject), labels)
    train = numbered_as(splits.train, labels)
    graph = subject.graph or stand_in()
    graph.recipe = subject.recipe
    loss = _loss(subject, session, train, part)
    with _watched(len(part)) as done:
        measures = judge(session, wants, part, graph, batch, loss, done)
    data = subject.recipe.data
    assert data is not None, "it was asked for"
    return Judged(
        subject.name,
        data.kind,
        name,
        len(part),
        part.gives,
        has_loss=loss is not None,
        measures=measures,
        labels=labels or list(part.classes or ()),
    )


@contextmanager
def _watched(length: int) -> "Generator[Callable[[int], object]]":
    """What is told how many examples are done, with a bar where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, file=sys.stderr) as bar:
        yield bar.update


def _splits(subject: Subject, wants: "Sequence[Wanted]") -> "Splits":
    from cnnspec.cli.fetching import Fetching
    from cnnspec.run.sets import open_set

    data, graph = subject.recipe.data, subject.graph
    assert data is not None, "it was asked for"
    # What is compared with its own input may have any classes.
    is_checked = not any(loss.is_of_input for loss in subject.recipe.losses)
    shape = graph.nodes[graph.main.node].shape if graph and is_checked else None
    splits = open_set(
        data,
        wants,
        outputs=() if shape is None else (shape,),
        data_dir=subject.data_dir,
        skip_bad=subject.skips_bad,
        folder=subject.base,
        seed=subject.recipe.seed,
        progress=Fetching(),
    )
    for note in splits.notes:
        click.echo(safe(note), err=True)
    return splits


def _part(splits: "Splits", name: PartName, subject: Subject) -> "Part":
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    part = parts[name]
    if part is None or not len(part):
        there = [f"--part {n}" for n, p in parts.items() if p is not None and len(p)]
        assert subject.recipe.data is not None, "it was asked for"
        raise ValueError(
            f"`data {subject.recipe.data.kind}` leaves no examples for {name}; there is "
            + " and ".join(there)
        )
    return part


def _loss(subject: Subject, session: "Session", train: "Part", part: "Part") -> "LossOf | None":
    """The loss of the recipe; none where the model has no recipe, or answers something else."""
    from cnnspec.run.judging import LossOf
    from cnnspec.run.rarity import balanced

    graph = subject.graph
    if graph is None or graph.recipe is None:
        return None
    kinds = _kinds(session)
    heads = [o.name for o in graph.leaving][: len(kinds)]
    loss = LossOf(subject.recipe, heads, kinds[: len(heads)])
    if not loss.can_be_had(part):
        return None
    word = subject.recipe.class_weights
    if word is not None and isinstance(word.weights, str) and part.gives in ("classes", "masks"):
        for head in graph.outputs:
            shape = graph.nodes[head.node].shape
            assert shape is not None, "a model was made of it"
            loss.weigh(head.name, balanced(train, shape[0]))
    return loss


def _kinds(session: "Session") -> list[str]:
    """For each output, the kind of its last layer, as the model says it."""
    try:
        told: Any = json.loads(session.metadata.get("cnnspec.outputs", "{}"))
        return [str(told[o.name]["kind"]) for o in session.outputs]
    except (KeyError, TypeError, ValueError):
        return []
