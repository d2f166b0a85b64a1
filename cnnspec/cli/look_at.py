"""Which network, and which input of it, does a call of `look` mean?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnspec.cli.models import Failed, is_spec
from cnnspec.cli.models import given as model_of
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    import onnx

    from cnnspec.model.graph import Graph
    from cnnspec.run.look import Given
    from cnnspec.run.sets import Part
    from cnnspec.run.wanted import Fit, Wanted


@dataclass(frozen=True)
class Subject:
    """A network with its weights."""

    name: str
    proto: "onnx.ModelProto"
    graph: "Graph | None"
    base: Path
    """Where relative paths of its data begin."""
    data_dir: Path | None
    labels: Sequence[str] | None
    notes: Sequence[str]


def opened(
    name: str, overrides: Overrides, weights: str | None, seed: int | None, colour: str
) -> Subject:
    """Raises `ValueError`, and `Failed`."""
    options = {"--set": overrides, "--weights": weights, "--seed": seed}
    if os.path.isdir(name):
        _refuse(name, "a run", options)
        return _run(name)
    if is_spec(name):
        return _spec(name, overrides, weights, seed, colour)
    _refuse(name, "a compiled model", options)
    from cnnspec.run.look_model import read_model

    found = model_of(name)
    graph = found.network.graph if found.network is not None else None
    return Subject(name, read_model(name), graph, Path(), None, None, ())


def _refuse(name: str, what: str, options: Mapping[str, object]) -> None:
    for option, value in options.items():
        if value is not None and value != ():
            raise click.UsageError(f"{option} is for specs; {name} is {what}.")


def _spec(
    name: str, overrides: Overrides, weights: str | None, seed: int | None, colour: str
) -> Subject:
    from cnnspec.api import Network

    graph = need_graph(source_of(name), overrides, colour)
    # With each batch normalisation by itself, so that all layers are there.
    made = Network(graph, ()).compile(seed=seed, weights=weights, fold_bn=False)
    notes: list[str] = []
    if "cnnspec.seed" in made.metadata:
        notes.append(
            f"{name}: untrained; its weights are drawn from seed {made.metadata['cnnspec.seed']}"
        )
        click.echo(safe(notes[0]), err=True)
    base = Path(os.path.dirname(name)) if name != "-" else Path()
    return Subject(name, made.onnx, graph, base, None, None, notes)


def _run(name: str) -> Subject:
    """The best weights of a run, or what else of them it has."""
    from cnnspec.api import Network
    from cnnspec.run.folder import BEST, MODEL, RUN, SPEC, Folder

    folder = Path(name)
    path = Folder(folder)
    notes: list[str] = []
    if not (folder / SPEC).is_file():
        if (folder / MODEL).is_file():
            found = opened(str(folder / MODEL), (), None, None, "auto")
            return _noted(found, name, f"{name}: it has no {SPEC}; this is its {MODEL}")
        raise Failed(f"{name}: it is no folder of a run: it has no {SPEC} and no {MODEL}")
    graph = path.network()
    if not (folder / BEST).is_file():
        if not (folder / MODEL).is_file():
            raise Failed(f"{name}: no epoch of the run is done: it has no {BEST} and no {MODEL}")
        found = opened(str(folder / MODEL), (), None, None, "auto")
        return _noted(found, name, f"{name}: it has no {BEST}; this is its {MODEL}")
    made = Network(graph, ()).compile(weights=str(folder / BEST), fold_bn=False)
    base, data_dir = Path(), None
    if (folder / RUN).is_file():
        facts = path.facts()
        base, data_dir = Path(facts.base), Path(facts.data_dir) if facts.data_dir else None
    else:
        notes.append(f"{name}: it has no {RUN}, which says where its data is")
    for note in notes:
        click.echo(safe(note), err=True)
    return Subject(name, made.onnx, graph, base, data_dir, _labels(folder / MODEL), notes)


def _noted(found: Subject, name: str, note: str) -> Subject:
    click.echo(safe(note), err=True)
    return Subject(
        name, found.proto, found.graph, found.base, found.data_dir, found.labels, (note,)
    )


def _labels(path: Path) -> Sequence[str] | None:
    """The names of classes that training found, which the spec need not say."""
    from cnnspec.run.answers import labels_of
    from cnnspec.run.files import read_onnx

    if not path.is_file():
        return None
    return labels_of({p.key: p.value for p in read_onnx(str(path)).metadata_props})


# ── the input ──────────────────────────────────────────────────────────────────────────────────


def given(
    subject: Subject,
    image: str | None,
    example: int | None,
    part: str | None,
    data_dir: str | None,
    fit: "Fit | None",
    strict: bool,
) -> "tuple[Given, list[str]]":
    """The model with its input, and what is to be known of that."""
    from cnnspec.run.model import CompiledModel
    from cnnspec.run.wanted import wanted

    try:
        wants, note = wanted(CompiledModel(subject.proto).session("cpu"))
    except ValueError as fault:
        raise Failed(f"{subject.name}: {fault}") from None
    notes = [note] if note is not None else []
    if image is None:
        assert example is not None, "one of both is there"
        found = _example(subject, wants, example, part, data_dir, notes)
    else:
        found = _file(subject, wants, image, example, fit, strict, notes)
    return found, notes


def _file(
    subject: Subject,
    wants: "list[Wanted]",
    path: str,
    which: int | None,
    fit: "Fit | None",
    strict: bool,
    notes: list[str],
) -> "Given":
    from cnnspec.run.inputs import stacked
    from cnnspec.run.look import Given
    from cnnspec.run.look_view import read_item, view

    try:
        item = read_item(path, wants, which, fit=fit, strict=strict)
    except ValueError as fault:
        raise Failed(f"{path}: {fault}") from None
    if item.resized_from is not None:
        size = "x".join(map(str, item.resized_from))
        notes.append(f"{path}: resized from {size} pixels ({fit or wants[0].fit})")
    if item.siblings > 1 and which is None:
        notes.append(f"{path}: the first of {item.siblings:,} items; --example takes another")
    views = [view(w, item.arrays[w.name]) for w in wants]
    name = os.path.basename(item.name)
    return Given(subject.proto, subject.graph, stacked([item], wants), views, name, subject.labels)


def _example(
    subject: Subject,
    wants: "list[Wanted]",
    which: int,
    name: str | None,
    data_dir: str | None,
    notes: list[str],
) -> "Given":
    from cnnspec.run.gallery import examples
    from cnnspec.run.inputs import Item, stacked
    from cnnspec.run.look import Given
    from cnnspec.run.look_view import view

    part, called = _part(subject, wants, name, data_dir, notes)
    if which >= len(part):
        raise Failed(f"{called} has {len(part):,} examples, 0 to {len(part) - 1:,}; no {which}")
    found = examples(part, [which])
    arrays = {w.name: found.inputs[w.name][0] for w in wants}
    labels = subject.labels or part.classes
    truth = int(found.targets[0]) if part.gives == "classes" else None
    views = [view(w, arrays[w.name], _limits(part, w)) for w in wants]
    item = Item(f"example {which} of {called}", arrays)
    feeds = stacked([item], wants)
    return Given(subject.proto, subject.graph, feeds, views, item.name, labels, truth)


def _limits(part: "Part", wanted: "Wanted") -> tuple[float, float] | None:
    """The range of the data as the network takes it."""
    low, high = part.range
    if (low, high) == (0.0, 255.0) and not wanted.raw and wanted.dtype.kind == "f":
        return 0.0, 1.0
    return (low, high) if (low, high) == (0.0, 255.0) else None


def _part(
    subject: Subject,
    wants: "list[Wanted]",
    name: str | None,
    data_dir: str | None,
    notes: list[str],
) -> "tuple[Part, str]":
    from cnnspec.cli.fetching import Fetching
    from cnnspec.run.sets import open_set

    recipe = subject.graph.recipe if subject.graph is not None else None
    if recipe is None or recipe.data is None:
        raise Failed(f"{subject.name}: it does not say what it was trained on; name an IMAGE")
    folder = Path(data_dir) if data_dir is not None else subject.data_dir
    splits = open_set(
        recipe.data,
        wants,
        data_dir=folder,
        folder=subject.base,
        seed=recipe.seed,
        progress=Fetching(),
    )
    notes += splits.notes
    parts = {"test": splits.test, "validation": splits.validation, "train": splits.train}
    there = {k: p for k, p in parts.items() if p is not None and len(p)}
    if name is not None and name not in there:
        known = " and ".join(f"--part {k}" for k in there)
        raise Failed(f"`data {recipe.data.kind}` leaves no examples for {name}; there is {known}")
    chosen = name or next(iter(there))
    return there[chosen], f"{recipe.data.kind}, {chosen}"
