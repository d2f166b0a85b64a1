"""How is the page of a run made again, of what its folder still has?

The best weights are measured anew on the data, where both are there. Nothing is downloaded, and
nothing in the folder is changed.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cnnspec.emit.compile import compile_graph, source_of, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.model.graph import Graph
from cnnspec.pages.sights import Sights, sights
from cnnspec.pages.training import Judged, Story, training_page
from cnnspec.report.facts import facts
from cnnspec.run.files import BadFile
from cnnspec.run.folder import Folder
from cnnspec.run.gallery import gallery
from cnnspec.run.history import History, read_history
from cnnspec.run.judging import judge
from cnnspec.run.model import CompiledModel
from cnnspec.run.session import CannotRun
from cnnspec.run.sets import BadData, Part, Splits, open_set
from cnnspec.run.sets.inputs import outputs_of, wants_of

Weights = dict[str, NDArray[Any]]

FAULTS = (BadData, BadFile, CannotRun, OSError)
"""What may be wrong with a folder, or with data that were there once; it is told on the page."""


def reread(path: Path, note: Callable[[str], object] = lambda _: None) -> str:
    """The page as one text; `note` is told what is missing. Raises `NoRun` for a folder without a
    trace of a run."""
    history = read_history(path)
    lacks: list[str] = []
    judged: Sequence[Judged] = ()
    shown: Sights | None = None
    graph = history.graph
    if graph is not None:
        known = _weights(history, graph, lacks)
        splits = _splits(history, graph, lacks) if known is not None else None
        if known is not None and splits is not None:
            judged, shown = _measured(history, graph, *known, splits, lacks)
    for line in (*history.missing, *lacks):
        note(line)
    position = history.position
    return training_page(
        Story(
            history,
            facts(graph, graph.recipe.batch) if graph is not None and graph.recipe else None,
            judged,
            shown,
            position.why if position is not None else "",
            is_running=False,
            cost=None,
            memory=history.facts.memory if history.facts is not None else 0,
            notes=lacks,
        )
    )


def _weights(history: History, graph: Graph, lacks: list[str]) -> tuple[Weights, str] | None:
    """The best so far, or those of the checkpoint, with what they are; all that the network
    wants."""
    folder, wanted = Folder(history.path), wanted_weights(graph)
    for read, which in ((folder.best, "best weights"), (folder.saved, "last weights")):
        try:
            found = read()
        except FAULTS as fault:
            lacks.append(f"the {which} cannot be read: {fault}")
            continue
        state = found[0] if isinstance(found, tuple) else found or {}
        if all(name in state and state[name].shape == shape for name, shape in wanted.items()):
            return {name: state[name] for name in wanted}, which
    lacks.append("without weights there are no mistakes, kernels and maps to show")
    return None


def _splits(history: History, graph: Graph, lacks: list[str]) -> Splits | None:
    facts_, recipe = history.facts, graph.recipe
    if recipe is None or recipe.data is None:
        return None
    try:
        found = open_set(
            recipe.data,
            wants_of(graph),
            outputs=outputs_of(graph),
            data_dir=Path(facts_.data_dir) if facts_ is not None and facts_.data_dir else None,
            folder=Path(facts_.base) if facts_ is not None else Path(),
            seed=recipe.seed,
            skip_bad=facts_ is not None and facts_.skip_bad,
            may_fetch=False,
        )
    except FAULTS as fault:
        lacks.append(f"the data cannot be read: {fault}")
        return None
    if facts_ is not None and facts_.data and found.train.digest != facts_.data:
        lacks.append("the data is not what the run was trained on")
    return found


def _measured(
    history: History,
    graph: Graph,
    weights: Weights,
    which: str,
    splits: Splits,
    lacks: list[str],
) -> tuple[Sequence[Judged], Sights | None]:
    """The parts that training does not see, and the pictures of the first of them."""
    assert graph.recipe is not None, "it has data"
    of_input = any(loss.is_of_input for loss in graph.recipe.losses)
    parts = {"test": splits.test, "validation": splits.validation}
    judged = list[tuple[Part, Judged]]()
    try:
        model = CompiledModel(compile_graph(graph, Options(), _given(weights)))
        for name, part in parts.items():
            if part is not None and len(part):
                session = model.session("cpu")
                measures = judge(session, part.wants, part, graph, graph.recipe.batch)
                judged.append((part, Judged(name, which, measures)))
        part = judged[0][0] if judged else splits.train
        bad = judged[0][1].measures.worst.found if judged else []
        where = judged[0][1].part if judged else "training"
        init = Folder(history.path).init()
        first = source_of(_given(init), graph.recipe.seed)
        found = gallery(graph, weights, first, part, bad, of_input=of_input)
    except (*FAULTS, ValueError) as fault:
        lacks.append(f"the examples cannot be shown: {fault}")
        return [one for _, one in judged], None
    lacks += found.notes
    labels = graph.recipe.labels or part.classes or ()
    shape = graph.nodes[graph.main.node].shape or (0,)
    seen = f"With the {which}, on examples of {where}."
    return [one for _, one in judged], sights(found, seen, labels, shape[0])


def _given(weights: Weights) -> dict[str, Callable[[], NDArray[Any]]]:
    return {name: lambda x=x: x for name, x in weights.items()}
