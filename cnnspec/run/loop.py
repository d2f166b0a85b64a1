"""How does a network train, batch by batch, without ever losing what it has learnt?"""

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.emit.compile import compile_graph, wanted_weights
from cnnspec.emit.init import draw
from cnnspec.emit.options import Options
from cnnspec.layers.base import Weight
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import CLOCK
from cnnspec.onnxir.proto import save
from cnnspec.run import checkpoint
from cnnspec.run.binding import Stepper
from cnnspec.run.checkpoint import Position
from cnnspec.run.measures import Measures
from cnnspec.run.model import CompiledModel
from cnnspec.run.session import Session, open_session
from cnnspec.run.sets import Part, Splits
from cnnspec.run.stream import Batch, batches
from cnnspec.settings.recipe import Recipe
from cnnspec.train.contract import exported
from cnnspec.train.schedule import Rates
from cnnspec.train.step import (
    CLASS_WEIGHTS,
    CORRECT,
    LOSS,
    OUT,
    RATE,
    Step,
    build_evaluation,
    build_step,
)
from cnnspec.version import VERSION
from cnnspec.writing import replacing

Arrays = Mapping[str, NDArray[Any]]

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"
MODEL = "model.onnx"
METRICS = "metrics.jsonl"
STEP = "step.onnx"
SPEC = "spec.cnn"
RUN = "run.json"

SAVED_EVERY = 30.0
"""Seconds between checkpoints within an epoch."""


class NotFinite(ValueError):
    """A loss that is no number any more; it names the step and where it began."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """A batch is done."""

    epoch: int
    batch: int
    batches: int
    loss: float
    """Of the epoch so far."""
    accuracy: float | None
    rate: float
    examples_per_second: float


@dataclass(frozen=True, slots=True)
class EpochDone:
    """An epoch is done and validated."""

    epoch: int
    epochs: int
    train: Mapping[str, float]
    validation: Mapping[str, float]
    rate: float
    seconds: float
    is_best: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The run is over, or was put down."""

    epochs: int
    is_done: bool
    why: str
    test: Mapping[str, float]
    seconds: float


Event = Stepped | EpochDone | Finished


class Training:
    """One run of training in a folder of its own.

    Iterating does the work: `for event in training.events(): …`.
    """

    def __init__(
        self,
        graph: Graph,
        recipe: Recipe,
        splits: Splits,
        out: Path,
        *,
        device: str = "cpu",
        given: "Mapping[str, Any] | None" = None,
        threads: int | None = None,
        loaders: int = 1,
    ) -> None:
        self.graph, self.recipe, self.splits, self.out = graph, recipe, splits, out
        self.position = Position()
        self.is_asked_to_stop = False
        self._given = given or {}
        self._loaders = loaders
        self._step = build_step(graph, recipe, self._weight)
        self._evaluation = build_evaluation(graph, recipe, self._weight)
        start = self._start(self._step)
        content = CompiledModel(self._step.model).to_bytes()
        self.stepper = Stepper(self._step, content, start, device, threads)
        self._judge = open_session(
            CompiledModel(self._evaluation.model).to_bytes(),
            "cuda" if self.stepper.device == "cuda" else "cpu",
            threads=threads,
        )
        self._constants = self._class_weights()
        per_epoch = -(-len(splits.train) // recipe.batch)
        self.rates = Rates(recipe.schedule, recipe.optimizer.lr, per_epoch, recipe.epochs)
        self._batches = per_epoch
        self._began = time.monotonic()

    # ── the run ────────────────────────────────────────────────────────────────────────────────

    def events(self) -> Iterator[Event]:
        self.out.mkdir(parents=True, exist_ok=True)
        self._began = time.monotonic()
        already = self.position.seconds
        why = ""
        while not self.position.is_done and not self.is_asked_to_stop:
            yield from self._epoch(already)
            if self.is_asked_to_stop:
                why = "stopped"
                break
            done = self._validated(already)
            yield done
            if self._is_enough():
                why = f"no better for {self.position.waited} epochs"
                self.position.is_done = True
            self.position.is_done |= self.position.epoch >= self.recipe.epochs
            self._save()
        yield self._finished(why, already)

    def resume(self) -> None:
        """Go on from the checkpoint in the folder."""
        state, self.position = checkpoint.read(self.out / CHECKPOINT)
        state = {**state, CLOCK: np.array(self.position.step + 1)}
        missing = [k.name for k in self._step.kept if k.name not in state]
        if missing:
            raise checkpoint.BadFile(
                self.out / CHECKPOINT,
                f"it lacks `{missing[0]}`: it is of another network or recipe",
            )
        self.stepper.load(state)
        self.rates.lowered = self.position.lowered

    def _epoch(self, already: float) -> Iterator[Stepped]:
        p = self.position
        began, seen_before = time.monotonic(), p.seen
        saved = time.monotonic()
        source = batches(
            self.splits.train,
            self.recipe.batch,
            seed=self.recipe.seed,
            epoch=p.epoch,
            shuffle=self.recipe.shuffle,
            augment=self.recipe.augment,
            threads=self._loaders,
            start=p.batch,
        )
        try:
            for batch in source:
                rate = self.rates.at(p.step)
                told = self.stepper.do(self._feeds(batch, rate))
                if not np.isfinite(told[LOSS]):
                    raise NotFinite(self._where(batch, rate, told[LOSS]))
                p.batch, p.step = p.batch + 1, p.step + 1
                p.seen += len(batch)
                p.loss_sum += told[LOSS] * len(batch)
                p.right += told.get(CORRECT, 0.0)
                speed = (p.seen - seen_before) / max(1e-9, time.monotonic() - began)
                yield Stepped(
                    p.epoch + 1,
                    p.batch,
                    self._batches,
                    p.loss_sum / p.seen,
                    self._share_right(),
                    rate,
                    speed,
                )
                p.seconds = already + time.monotonic() - self._began
                if self.is_asked_to_stop or time.monotonic() - saved > SAVED_EVERY:
                    self._save()
                    saved = time.monotonic()
                if self.is_asked_to_stop:
                    return
        finally:
            source.close()  # type: ignore[attr-defined]

    def _share_right(self) -> float | None:
        p = self.position
        return p.right / p.seen if CORRECT in self._step.outputs else None

    def _feeds(self, batch: Batch, rate: float) -> dict[str, NDArray[Any]]:
        return {
            **batch.inputs,
            **self._targets(batch),
            **self._constants,
            RATE: np.array(rate, np.float32),
        }

    def _targets(self, batch: Batch) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for value in self._step.targets.values():
            is_input = any(loss.is_of_input for loss in self.recipe.losses)
            y = next(iter(batch.clean.values())) if is_input else batch.targets
            dtype = np.int64 if value.dtype == "int64" else np.float32
            found[value.name] = np.ascontiguousarray(y, dtype)
        return found

    # ── validation ─────────────────────────────────────────────────────────────────────────────

    def _validated(self, already: float) -> EpochDone:
        p = self.position
        rate = self.rates.at(max(0, p.step - 1))
        train = {"loss": p.loss_sum / max(1, p.seen)}
        if (share := self._share_right()) is not None:
            train["accuracy"] = share
        part = self.splits.validation
        held = self.judge(part).values if part is not None and len(part) else {}
        p.epoch, p.batch, p.seen, p.loss_sum, p.right = p.epoch + 1, 0, 0, 0.0, 0.0
        p.seconds = already + time.monotonic() - self._began
        is_best = self._remember(held or train)
        done = EpochDone(p.epoch, self.recipe.epochs, train, held, rate, p.seconds, is_best)
        self._log(done)
        return done

    def judge(self, part: Part, weights: Arrays | None = None) -> Measures:
        """How well the network does on a part, with these weights or those it has now."""
        state = self.weights() if weights is None else weights
        fixed = {k.name: state[k.name] for k in self._evaluation.kept}
        measures = Measures(self.graph, self.recipe, part)
        for batch in batches(part, self.recipe.batch, threads=self._loaders):
            feeds = {**batch.inputs, **self._targets(batch), **self._constants, **fixed}
            names = {v.name for v in self._evaluation.model.inputs}
            found = self._judge.run({k: x for k, x in feeds.items() if k in names})
            heads = {k.removeprefix(OUT): y for k, y in found.items() if k.startswith(OUT)}
            measures.add(batch, heads, float(found[LOSS]))
        return measures

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights as they would be used: their moving means, where there are such."""
        state = self.stepper.state()
        known = {**self._fixed(), **state}
        for name, mean in self._step.averaged.items():
            known[name] = state[mean]
        return {name: known[name] for name in wanted_weights(self.graph)}

    def _fixed(self) -> dict[str, NDArray[Any]]:
        """Weights that training does not touch."""
        return {
            f"{n.owner}.{key}": self._weight(f"{n.owner}.{key}", w)
            for n in self.graph.nodes
            if n.facts is not None
            for key, w in n.facts.weights.items()
            if f"{n.owner}.{key}" not in {k.name for k in self._step.kept}
        }

    def _remember(self, values: Mapping[str, float]) -> bool:
        """Keep the weights if validation has never been better."""
        p, word = self.position, self.recipe.early_stopping
        watch = word.watch if word is not None else ("accuracy" if "accuracy" in values else "loss")
        if watch not in values:
            watch = "loss"
        score = values[watch] if watch in HIGHER else -values[watch]
        least = word.least if word is not None else 0.0
        is_best = p.best is None or score > p.best + least
        p.waited = 0 if is_best else p.waited + 1
        if is_best:
            p.best, p.best_epoch = score, p.epoch
            checkpoint.write(self.out / BEST, self.weights(), p)
        self._plateau(values)
        return is_best

    def _plateau(self, values: Mapping[str, float]) -> None:
        from cnnspec.settings.schedule import Plateau

        p, word = self.position, self.recipe.schedule
        if not isinstance(word, Plateau):
            return
        watch = word.watch if word.watch in values else "loss"
        score = values[watch] if watch in HIGHER else -values[watch]
        if p.plateau_best is None or score > p.plateau_best + word.better * abs(p.plateau_best):
            p.plateau_best, p.plateau_waited = score, 0
            return
        p.plateau_waited += 1
        if p.plateau_waited > word.patience:
            p.plateau_waited, p.lowered = 0, p.lowered + 1
            self.rates.lowered = p.lowered

    def _is_enough(self) -> bool:
        word = self.recipe.early_stopping
        return word is not None and self.position.waited >= word.patience

    # ── the folder ─────────────────────────────────────────────────────────────────────────────

    def _save(self) -> None:
        state = {k: x for k, x in self.stepper.state().items() if k != CLOCK}
        checkpoint.write(self.out / CHECKPOINT, state, self.position)

    def _log(self, done: EpochDone) -> None:
        line = {
            "epoch": done.epoch,
            "train": dict(done.train),
            "validation": dict(done.validation),
            "lr": done.rate,
            "seconds": round(done.seconds, 3),
        }
        path = self.out / METRICS
        before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [text for text in before if json.loads(text)["epoch"] < done.epoch]
        with replacing(path) as file:
            file.write("".join(f"{text}\n" for text in [*kept, json.dumps(line)]).encode())

    def _finished(self, why: str, already: float) -> Finished:
        p = self.position
        test: Mapping[str, float] = {}
        if p.is_done:
            best = self._best()
            part = self.splits.test
            if part is not None and len(part):
                test = self.judge(part, best).values
            self._write_model(best)
            self._describe(test)
        return Finished(p.epoch, p.is_done, why, test, already + time.monotonic() - self._began)

    def _best(self) -> dict[str, NDArray[Any]]:
        path = self.out / BEST
        return checkpoint.read(path)[0] if path.exists() else self.weights()

    def _write_model(self, weights: Arrays) -> None:
        labels = self.splits.train.classes or ()
        shape = self.graph.nodes[self.graph.outputs[0].node].shape or ()
        fits = bool(shape) and len(labels) == shape[0]
        given = {name: lambda x=x: x for name, x in weights.items()}
        options = Options(seed=self.recipe.seed, labels=tuple(labels) if fits else ())
        save(compile_graph(self.graph, options, given), self.out / MODEL)

    def write_start(self, spec: str) -> None:
        """What a run folder has from the beginning: the spec, the step, and how it is made."""
        self.out.mkdir(parents=True, exist_ok=True)
        with replacing(self.out / SPEC) as file:
            file.write(spec.encode())
        save(exported(self.graph, self.recipe, self._weight), self.out / STEP)
        self._describe({})

    def _describe(self, test: Mapping[str, float]) -> None:
        said = {
            "cnnspec": VERSION,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "device": self.stepper.device,
            "seed": self.recipe.seed,
            "data": self.splits.train.digest,
            "examples": {
                name: len(part)
                for name, part in (
                    ("train", self.splits.train),
                    ("validation", self.splits.validation),
                    ("test", self.splits.test),
                )
                if part is not None
            },
            "settings": self.recipe.text(),
            "test": dict(test),
        }
        with replacing(self.out / RUN) as file:
            file.write((json.dumps(said, indent=1) + os.linesep).encode())

    # ── parts ──────────────────────────────────────────────────────────────────────────────────

    def _weight(self, name: str, weight: Weight) -> NDArray[Any]:
        return self._given[name]() if name in self._given else draw(weight, self.recipe.seed, name)

    def _start(self, step: Step) -> dict[str, NDArray[Any]]:
        own = {
            f"{n.owner}.{key}": w
            for n in self.graph.nodes
            if n.facts is not None
            for key, w in n.facts.weights.items()
        }
        found: dict[str, NDArray[Any]] = {}
        for k in step.kept:
            if k.start is not None:
                found[k.name] = np.full(k.shape, k.start)
            else:
                name = k.name.removesuffix("/average")
                found[k.name] = self._weight(name, own[name])
        return found

    def _class_weights(self) -> dict[str, NDArray[Any]]:
        """How rare each class is: examples/(classes·examples of the class)."""
        if all(v.name != CLASS_WEIGHTS for v in self._step.model.inputs):
            return {}
        labels = self.splits.train.labels
        assert labels is not None, "balanced weights need a class for each example"
        (n,) = (v.shape[0] for v in self._step.model.inputs if v.name == CLASS_WEIGHTS)
        assert isinstance(n, int)
        counts = np.maximum(np.bincount(labels, minlength=n), 1)
        return {CLASS_WEIGHTS: (len(labels) / (n * counts)).astype(np.float32)}

    def _where(self, batch: Batch, rate: float, loss: float) -> str:
        """The step, and the first layer whose values or gradients are no numbers any more."""
        p = self.position
        place = first_not_finite(self._step, self._feeds(batch, rate), self.stepper.before())
        return (
            f"the loss is {loss} at step {p.step + 1} (epoch {p.epoch + 1}, batch {p.batch + 1})"
            f"{place}; the last checkpoint is kept, and a smaller learning rate may help"
        )


HIGHER = ("accuracy", "f1", "iou", "psnr")
"""Measures of which more is better."""


def first_not_finite(step: Step, feeds: Arrays, state: Arrays) -> str:
    """Where in the graph the first value lies that is not finite, as a clause to add."""
    from cnnspec.run.session import open_session

    model = step.model.with_nodes(step.model.nodes)
    known = {v.name for v in model.outputs}
    inner = [v for v in model.values.values() if v.name not in known and v.dtype == "float"]
    model.outputs = [*model.outputs, *inner]
    session: Session = open_session(CompiledModel(model).to_bytes(), "cpu", optimise=False)
    found = session.run({**feeds, **state}, only=[v.name for v in inner])
    order = [o for n in model.nodes for o in n.outputs]
    for name in order:
        if name in found and not np.isfinite(found[name]).all():
            layer, _, part = name.partition("/")
            what = "gradients" if part.startswith("grad") else "values"
            return f": the first {what} that are not finite are those of `{layer}`"
    return ""
