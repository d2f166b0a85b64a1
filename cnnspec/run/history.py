"""How did a run go, as far as its folder still says it?"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from cnnspec.layers.base import count
from cnnspec.model.graph import Graph
from cnnspec.run import checkpoint
from cnnspec.run.checkpoint import Position
from cnnspec.run.files import BadFile
from cnnspec.run.folder import BEST, CHECKPOINT, METRICS, MODEL, RUN, SPEC, Facts, Folder, NoRun
from cnnspec.text.record import record

T = TypeVar("T")


class Epoch(BaseModel):
    """A line of the metrics."""

    epoch: int
    train: dict[str, float] = {}
    validation: dict[str, float] = {}
    lr: float = float("nan")
    seconds: float = float("nan")


@record
class History:
    """All that a folder says of its run, without reading weights or data."""

    path: Path
    graph: Graph | None
    facts: Facts | None
    epochs: Sequence[Epoch]
    position: Position | None
    """Where it stands; none where no checkpoint says it."""
    best: int | None
    """The epoch whose weights are kept as the best, from 1."""
    is_done: bool
    missing: Sequence[str]
    """What could not be read, a sentence each."""

    @property
    def total(self) -> int | None:
        """How many epochs it is to have."""
        recipe = self.graph.recipe if self.graph is not None else None
        return recipe.epochs if recipe is not None else None

    @property
    def seconds(self) -> float | None:
        return self.epochs[-1].seconds if self.epochs else None


def read_history(path: Path, graph: Graph | None = None) -> History:
    """Whatever there is; with the network, where it is known already. Raises `NoRun` for a folder
    without a trace of a run."""
    if not path.is_dir():
        raise NoRun(f"{path}: there is no such folder")
    if not any((path / name).is_file() for name in (SPEC, RUN, METRICS, CHECKPOINT)):
        raise NoRun(f"{path}: it is no folder of a run: it has no {SPEC} and no {METRICS}")
    missing: list[str] = []
    folder = Folder(path)
    epochs, faults = read_epochs(path)
    graph = graph or _tried(folder.network, SPEC, path, missing)
    facts = _tried(folder.facts, RUN, path, missing)
    missing += faults
    position = _tried(lambda: checkpoint.position(path / CHECKPOINT), CHECKPOINT, path, missing)
    kept = _tried(lambda: checkpoint.position(path / BEST), BEST, path, missing)
    return History(
        path,
        graph,
        facts,
        epochs,
        position,
        kept.best_epoch if kept is not None else None,
        (path / MODEL).is_file(),
        missing,
    )


def read_epochs(path: Path) -> tuple[list[Epoch], list[str]]:
    """The epochs that are done, and what is wrong with what says so."""
    file = path / METRICS
    if not file.is_file():
        return [], [f"{METRICS} is not there"]
    found: dict[int, Epoch] = {}
    spoilt = 0
    for line in file.read_bytes().splitlines():
        try:
            epoch = Epoch.model_validate_json(line)
        except ValidationError:
            spoilt += 1
        else:
            found[epoch.epoch] = epoch
    faults = [f"{count(spoilt, 'line')} of {METRICS} cannot be read"] if spoilt else []
    return [found[k] for k in sorted(found)], faults


def _tried(read: Callable[[], T], name: str, path: Path, missing: list[str]) -> T | None:
    try:
        return read() if (path / name).exists() else _none(name, missing)
    except (BadFile, NoRun, OSError, UnicodeDecodeError) as fault:
        said = str(fault).removeprefix(f"{path / name}: ")
        missing.append(f"{name} cannot be read: {said}")
        return None


def _none(name: str, missing: list[str]) -> None:
    missing.append(f"{name} is not there")


def peak_memory() -> int:
    """The most memory that this process had so far, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
