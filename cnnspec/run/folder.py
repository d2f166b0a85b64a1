"""What does the folder of a training run hold?"""

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from safetensors.numpy import save as pack

from cnnspec import zoo
from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph
from cnnspec.run import checkpoint
from cnnspec.run.checkpoint import Position, State
from cnnspec.run.events import EpochDone
from cnnspec.run.files import BadFile
from cnnspec.run.session import runtime
from cnnspec.run.weights import read_weights
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.version import VERSION
from cnnspec.writing import replacing

SPEC, RUN, STEP, INIT = "spec.cnn", "run.json", "step.onnx", "init.safetensors"
CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
METRICS, MODEL, REPORT = "metrics.jsonl", "model.onnx", "report.html"


class Facts(BaseModel):
    """How a run is made: `run.json`."""

    cnnspec: str = VERSION
    python: str = platform.python_version()
    numpy: str = np.__version__
    runtime: str = ""
    machine: str = ""
    device: str = "cpu"
    threads: int | None = None
    blocked: bool = False
    """Is it computed with the runtime's own convolutions?"""
    file: str = ""
    """What the user called the spec."""
    base: str = ""
    """Where relative paths in it begin."""
    data_dir: str | None = None
    skip_bad: bool = False
    """Are pictures left out that cannot be read?"""
    seed: int = 0
    data: str = ""
    """The digest of all that was read."""
    examples: dict[str, int] = {}
    settings: list[str] = []
    test: dict[str, float] = {}
    memory: int = 0
    """The most that the process took of it, in bytes; 0 where nobody knows."""

    @classmethod
    def here(cls, **known: Any) -> "Facts":
        """With what is so on this machine."""
        return cls(runtime=runtime(), machine=platform.platform(), **known)


class NoRun(ValueError):
    """A folder that holds no run, or holds one where a new one was to begin."""


class Folder:
    """The folder of a run; each of its files is written whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # ── how it begins ──────────────────────────────────────────────────────────────────────────

    def prepare(self) -> None:
        """Be there, without what a run that was killed left unfinished."""
        if self.path.exists() and not self.path.is_dir():
            raise NoRun(f"{self.path} is a file; a run needs a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        for left in self.path.glob(".*.part"):
            left.unlink(missing_ok=True)

    def refuse_used(self) -> None:
        if (self.path / RUN).exists() or (self.path / CHECKPOINT).exists():
            raise NoRun(
                f"{self.path}: there is a run already; `--resume {self.path}` goes on with it"
            )

    def flat(self, graph: Graph) -> Graph:
        """A network with its recipe as `write_spec` writes it and `network` reads it again."""
        return self._read(expand(graph))

    def write_spec(self, graph: Graph) -> None:
        with replacing(self.path / SPEC) as file:
            file.write(expand(graph).encode())

    def network(self) -> Graph:
        """The network of the run. Raises `BadFile` where the file was changed to be none."""
        path = self.path / SPEC
        if not path.is_file():
            raise NoRun(f"{self.path}: there is no run to go on with: it has no {SPEC}")
        return self._read(path.read_text(encoding="utf-8"))

    def _read(self, text: str) -> Graph:
        path, sink = self.path / SPEC, Sink()
        graph = check(Source(str(path), text), {}, sink, zoo.read)
        if graph is None or graph.recipe is None:
            said = next((d.message for d in sink.ordered()), "it trains nothing")
            raise BadFile(path, f"the spec of the run was changed: {said}")
        return graph

    def write_init(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """All weights before the first step, where a user gave some."""
        with replacing(self.path / INIT) as file:
            file.write(pack({name: np.ascontiguousarray(x) for name, x in weights.items()}))

    def init(self) -> dict[str, NDArray[Any]]:
        path = self.path / INIT
        return {n: t.read() for n, t in read_weights(path).items()} if path.exists() else {}

    # ── how it is made ─────────────────────────────────────────────────────────────────────────

    def facts(self) -> Facts:
        path = self.path / RUN
        try:
            return Facts.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise NoRun(f"{self.path}: there is no run to go on with: it has no {RUN}") from None
        except ValidationError:
            raise BadFile(path, "it does not say how a run is made") from None

    def write_facts(self, facts: Facts) -> None:
        with replacing(self.path / RUN) as file:
            file.write((facts.model_dump_json(indent=1) + "\n").encode())

    # ── how it goes on ─────────────────────────────────────────────────────────────────────────

    def save(self, state: State, position: Position) -> None:
        checkpoint.write(self.path / CHECKPOINT, state, position)

    def saved(self) -> tuple[dict[str, NDArray[Any]], Position] | None:
        """What was put down last; none where the run was killed before its first step."""
        path = self.path / CHECKPOINT
        return checkpoint.read(path) if path.exists() else None

    def save_best(self, weights: State, position: Position) -> None:
        # The same weights make the same file, however long they took.
        checkpoint.write(self.path / BEST, weights, replace(position, seconds=0.0))

    def best(self) -> dict[str, NDArray[Any]] | None:
        path = self.path / BEST
        return checkpoint.read(path)[0] if path.exists() else None

    def log(self, done: EpochDone) -> None:
        """Add a line to the metrics, in place of one that this epoch has already."""
        said = {
            "epoch": done.epoch,
            "train": dict(done.train),
            "validation": dict(done.validation),
            "lr": done.rate,
            "seconds": round(done.seconds, 3),
        }
        path = self.path / METRICS
        before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in before if json.loads(line)["epoch"] < done.epoch]
        with replacing(path) as file:
            file.write("".join(f"{line}\n" for line in [*kept, json.dumps(said)]).encode())
