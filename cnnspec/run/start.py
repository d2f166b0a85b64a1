"""How does a training run begin, or begin again?"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnnspec.emit.compile import wanted_weights
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph
from cnnspec.model.setting import with_settings, with_targets, words
from cnnspec.run.blocks import block_size
from cnnspec.run.events import Event
from cnnspec.run.files import BadFile
from cnnspec.run.folded import folded
from cnnspec.run.folder import BEST, MODEL, Facts, Folder
from cnnspec.run.loop import SAVED_EVERY, Training
from cnnspec.run.session import CannotRun, Device, choose
from cnnspec.run.sets import BadData, Splits, open_set
from cnnspec.run.sets.download import Progress
from cnnspec.run.sets.inputs import outputs_of, wants_of
from cnnspec.run.weights import match, read_weights
from cnnspec.text.diagnostic import Sink, SpecError
from cnnspec.text.render import render_all

FEW = 3
"""Of the weights that are not those of a file, so many are named."""

WHOLE = f"the run's folder, its {BEST}, or a model compiled with --keep-bn"
"""Where kernels are by themselves."""


class Different(ValueError):
    """A run is to go on with another network, recipe or data than it began with."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user says beside the spec."""

    base: Path = Path()
    """Where relative paths in the spec begin."""
    file: str = ""
    """What the spec is called; empty where a run goes on with its own."""
    data_dir: Path | None = None
    init: Path | None = None
    epochs: int | None = None
    """For how long a run goes on that was resumed; a new one trains as its recipe says."""
    device: Device = "auto"
    threads: int | None = None
    blocked: bool = False
    """Shall the CPU compute with operators of the runtime's own, which are faster?"""
    loaders: int = 1
    skip_bad: bool = False
    saved_every: float = SAVED_EVERY
    callbacks: Sequence[Callable[[Event], object]] = ()
    note: Callable[[str], object] = lambda _: None
    """Is told what a user should know, a sentence each time."""
    progress: Progress | None = None


def start(
    graph: Graph | None,
    out: "str | os.PathLike[str] | None",
    resumed: "str | os.PathLike[str] | None",
    wishes: Wishes,
) -> Training:
    """A new run, or one to go on with, for which the folder has the network."""
    if resumed is not None:
        return resume(Path(resumed), wishes, graph)
    assert graph is not None, "a new run needs a network"
    return begin(graph, Path(out) if out is not None else _free(graph.name), wishes)


def begin(graph: Graph, out: Path, wishes: Wishes) -> Training:
    """A new run of a network as its recipe says, in a folder of its own."""
    folder = Folder(out)
    folder.refuse_used()
    device = _device(wishes)
    splits = _opened(graph, wishes)
    given = _given(graph, wishes)
    # Trained is what the folder will say, so that it is enough to go on from.
    graph = folder.flat(_settled(graph, splits))
    assert graph.recipe is not None, "it was written"
    facts = Facts.here(
        device=device,
        threads=wishes.threads,
        blocked=wishes.blocked,
        file=wishes.file,
        base=str(wishes.base.absolute()),
        data_dir=str(wishes.data_dir.absolute()) if wishes.data_dir else None,
        skip_bad=wishes.skip_bad,
        seed=graph.recipe.seed,
        data=splits.train.digest,
        examples={name: len(part) for name, part in _parts(splits) if part is not None},
        settings=graph.recipe.text(),
    )
    training = _training(graph, splits, folder, facts, given, wishes)
    # What cannot be trained leaves no folder.
    folder.prepare()
    folder.write_spec(graph)
    if given:
        folder.write_init(given)
    training.write_start()
    return training


def resume(out: Path, wishes: Wishes, graph: Graph | None = None) -> Training:
    """Go on with the run in a folder, perhaps for more epochs. A spec that is given must say the
    same but for these. Raises `Different` where it does not."""
    folder = Folder(out)
    own, facts = folder.network(), folder.facts()
    folder.prepare()
    base = wishes.base if wishes.file else Path(facts.base)
    data_dir = wishes.data_dir or (Path(facts.data_dir) if facts.data_dir else None)
    wishes = replace(
        wishes,
        skip_bad=wishes.skip_bad or facts.skip_bad,
        blocked=_stays_blocked(wishes, facts),
    )
    device = _device(wishes)
    splits = _opened(own, wishes, base, data_dir)
    if graph is not None:
        _compare(own, _settled(graph, splits), folder)
    if wishes.epochs is not None:
        recipe = with_settings(own, Sink(), words=words(epochs=wishes.epochs))
        assert recipe is not None, "epochs contradict nothing but a warm-up, which is shortened"
        own = folder.flat(replace(own, recipe=recipe))
    assert own.recipe is not None, "it was trained"
    if splits.train.digest != facts.data:
        raise Different(
            f"the data is not what the run in {out} began with: its digest was "
            f"{facts.data[:12]}, now it is {splits.train.digest[:12]}"
        )
    made = {
        "device": device,
        "threads": wishes.threads or facts.threads,
        "blocked": wishes.blocked,
        "skip_bad": wishes.skip_bad,
        "settings": own.recipe.text(),
    }
    facts = facts.model_copy(update=made)
    training = _training(own, splits, folder, facts, folder.init(), wishes)
    training.resume()
    if wishes.epochs is not None:
        # What cannot go on stays as it is.
        folder.write_spec(own)
    return training


def _device(wishes: Wishes) -> str:
    """What it is computed on."""
    if not wishes.blocked:
        return choose(wishes.device)
    if wishes.device == "cuda":
        raise CannotRun("blocked convolutions are for the CPU: leave out `--blocked`")
    # Whoever asks for them asks for the CPU. Without them there is nothing to begin.
    block_size()
    return "cpu"


def _stays_blocked(wishes: Wishes, facts: Facts) -> bool:
    """A run goes on as it began, but where it is told to compute, or computes, elsewhere."""
    if wishes.blocked or not facts.blocked or wishes.device == "cuda":
        return wishes.blocked
    try:
        block_size()
    except CannotRun as fault:
        wishes.note(f"{fault}: the run goes on with others")
        return False
    return True


def _free(name: str) -> Path:
    """The first of runs/NAME-1, runs/NAME-2, … that is not there."""
    return next(p for n in count(1) if not (p := Path(f"runs/{name}-{n}")).exists())


def _training(
    graph: Graph,
    splits: Splits,
    folder: Folder,
    facts: Facts,
    given: Mapping[str, NDArray[Any]],
    wishes: Wishes,
) -> Training:
    training = Training(
        graph,
        splits,
        folder,
        facts,
        given=given,
        saved_every=wishes.saved_every,
        loaders=wishes.loaders,
        callbacks=wishes.callbacks,
    )
    if facts.blocked and not training.lies_in_blocks:
        wishes.note(
            f"no convolution of this network lies in blocks of {block_size()} channels: "
            "it is computed as usual"
        )
    return training


def _opened(
    graph: Graph, wishes: Wishes, base: Path | None = None, data_dir: Path | None = None
) -> Splits:
    recipe = graph.recipe
    if recipe is None or recipe.data is None:
        raise BadData(
            "the spec does not say what to train on; write `train { data digits }`, or another set"
        )
    splits = open_set(
        recipe.data,
        wants_of(graph),
        outputs=outputs_of(graph),
        batch=recipe.batch,
        data_dir=data_dir or wishes.data_dir,
        folder=wishes.base if base is None else base,
        seed=recipe.seed,
        skip_bad=wishes.skip_bad,
        progress=wishes.progress,
    )
    for note in splits.notes:
        wishes.note(note)
    return splits


def _settled(graph: Graph, splits: Splits) -> Graph:
    """With what the targets are, where only the data could say."""
    sink = Sink()
    recipe = with_targets(graph, splits.train.gives, sink)
    if recipe is None:
        found = sink.ordered()
        raise SpecError(found, lambda: render_all(found))
    return replace(graph, recipe=recipe)


def _parts(splits: Splits) -> Sequence[tuple[str, Any]]:
    return (
        ("train", splits.train),
        ("validation", splits.validation),
        ("test", splits.test),
    )


# ── weights to begin with ──────────────────────────────────────────────────────────────────────


def _given(graph: Graph, wishes: Wishes) -> Mapping[str, NDArray[Any]]:
    """The weights that a user's file has for this network."""
    if wishes.init is None:
        return {}
    path = _file_of(wishes.init)
    wanted = wanted_weights(graph)
    fitting = match(wanted, read_weights(path), strict=False)
    if not fitting:
        raise BadData(f"{path} has no weight that fits this network by its name and shape")
    if said := folded(graph, path, fitting):
        raise BadFile(path, f"{said}; {WHOLE} has both")
    others = [name for name in wanted if name not in fitting]
    wishes.note(f"{len(fitting)} of {len(wanted)} weights are those of {path}{_but(others)}")
    return {name: tensor.read().reshape(wanted[name]) for name, tensor in fitting.items()}


def _but(names: Sequence[str]) -> str:
    """What is said of weights that are not taken: the first few by their names."""
    if not names:
        return ""
    more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
    return f"; not {', '.join(names[:FEW])}{more}"


def _file_of(path: Path) -> Path:
    """The best weights of a run where a folder is named."""
    if not path.is_dir():
        return path
    found = next((path / name for name in (BEST, MODEL) if (path / name).exists()), None)
    if found is None:
        raise BadData(f"{path} has no weights of a run: neither {BEST} nor {MODEL}")
    return found


# ── is it the same run? ────────────────────────────────────────────────────────────────────────


def _compare(own: Graph, graph: Graph, folder: Folder) -> None:
    there, here = _lines(own), _lines(graph)
    ours = next((line for line in there if line not in here), None)
    theirs = next((line for line in here if line not in there), None)
    if ours is None and theirs is None and there != here:
        ours, theirs = next((a, b) for a, b in zip(there, here, strict=False) if a != b)
    if ours is not None or theirs is not None:
        says = [
            *([f"there it says `{ours.strip()}`"] if ours else []),
            *([f"here it says `{theirs.strip()}`"] if theirs else []),
        ]
        raise Different(f"the spec is not what the run in {folder.path} trains: {', '.join(says)}")


def _lines(graph: Graph) -> list[str]:
    """A network and its recipe, but for how long it trains."""
    lines = [line for line in expand(graph).splitlines() if not line.startswith("  epochs ")]
    # In what order settings stand means nothing, and older versions moved them.
    train = lines.index("train {")
    return [*lines[:train], *sorted(lines[train:])]
