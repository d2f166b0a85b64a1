"""How does a network train, batch by batch, without ever losing what it has learnt?"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.emit.compile import compile_graph, source_of, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import CLOCK
from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.proto import save
from cnnspec.run.better import is_best, is_enough
from cnnspec.run.binding import Judge, Stepper, as_run, lies_in_blocks, put
from cnnspec.run.checkpoint import Position
from cnnspec.run.events import EpochDone, Event, Finished, Stepped
from cnnspec.run.feeding import Feeding
from cnnspec.run.files import BadFile
from cnnspec.run.folder import CHECKPOINT, MODEL, STEP, Facts, Folder
from cnnspec.run.history import peak_memory
from cnnspec.run.measures import Measures
from cnnspec.run.memory import Memory
from cnnspec.run.model import CompiledModel
from cnnspec.run.sets import BadData, Part, Splits
from cnnspec.run.stream import Batch, batches
from cnnspec.run.trouble import NotFinite, first_not_finite, not_finite
from cnnspec.train.contract import exported
from cnnspec.train.schedule import Rates
from cnnspec.train.step import (
    APPLY,
    CORRECT,
    LOSS,
    OUT,
    RATE,
    SHARE,
    build_evaluation,
    build_step,
)

Arrays = Mapping[str, NDArray[Any]]

SAVED_EVERY = 30.0
"""Seconds between checkpoints within an epoch."""


class Training:
    """One run of training in a folder of its own.

    Iterating does the work: `for event in training: …`. What `is_asked_to_stop` ends, and what a
    signal kills, goes on from the folder to the same weights.
    """

    def __init__(
        self,
        graph: Graph,
        splits: Splits,
        folder: Folder,
        facts: Facts,
        *,
        given: Arrays | None = None,
        saved_every: float = SAVED_EVERY,
        loaders: int = 1,
        callbacks: Sequence[Callable[[Event], object]] = (),
    ) -> None:
        assert graph.recipe is not None, "what is trained says how"
        self.graph, self.recipe, self.splits = graph, graph.recipe, splits
        self.folder, self.facts = folder, facts
        self.position = Position()
        self.is_asked_to_stop = False
        self._saved_every, self._loaders = saved_every, loaders
        self._callbacks = list(callbacks)
        self.measured: dict[str, Measures] = {}
        """What was measured last, by the part: `validation` after each epoch, in the end `test`."""
        self.shown: Callable[[], str] | None = None
        """What a notebook shows of it."""
        self._weight = source_of(
            {name: lambda x=x: x for name, x in (given or {}).items()}, self.recipe.seed
        )
        self._step = build_step(graph, self.recipe, self._weight, for_gpu=facts.device == "cuda")
        self._evaluation = build_evaluation(graph, self.recipe, self._weight)
        self._all = self._drawn()
        threads = facts.threads
        model = put(self._step.model, facts.device, blocked=facts.blocked)
        self.lies_in_blocks = lies_in_blocks(model)
        """Does a step convolve with the runtime's own operators?"""
        content = CompiledModel(model).to_bytes()
        self.stepper = Stepper(self._step, content, self._start(), facts.device, threads)
        content = as_run(self._evaluation.model, facts.device, blocked=facts.blocked)
        self._judge = Judge(self._evaluation, content, self.stepper.device, threads)
        self._feeding = Feeding(self._step, self.recipe, splits.train)
        self._judging = Feeding(self._evaluation, self.recipe, splits.train)
        self._batches = -(-len(splits.train) // self.recipe.batch)
        self._steps = -(-self._batches // self.recipe.accumulate)
        self.rates = Rates(
            self.recipe.schedule, self.recipe.optimizer.lr, self._steps, self.recipe.epochs
        )
        self._memory = Memory()
        self._is_torn = False
        """Was a step interrupted, so that weights and position may not belong together?"""
        self._before = 0.0
        self._began = self._saved = time.monotonic()

    # ── the run ────────────────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[Event]:
        """Train; what has happened, as it happens."""
        with closing(self._events()) as events:
            for event in events:
                for callback in self._callbacks:
                    callback(event)
                yield event

    def listen(self, callback: Callable[[Event], object]) -> None:
        """Tell one more of what happens."""
        self._callbacks.append(callback)

    def model(self) -> CompiledModel:
        """The network for use, after what is left to train: with its best weights so far, should
        the run be asked to stop."""
        if not self.is_done or not (self.folder.path / MODEL).exists():
            for _ in self:
                pass
        return CompiledModel(self._compiled(self.folder.best() or self.weights()))

    def __repr__(self) -> str:
        p, of = self.position, self.recipe.epochs
        return f"<training of {self.graph.name} in {self.folder.path}: {p.epoch} of {of} epochs>"

    def _repr_html_(self) -> str | None:
        return self.shown() if self.shown is not None else None

    def _events(self) -> Generator[Event]:
        if self._is_torn:
            self.resume()
        p = self.position
        self._before, self._began = p.seconds, time.monotonic()
        while not self.is_done and not self.is_asked_to_stop:
            yield from self._epoch()
            done = None if self.is_asked_to_stop else self._validated()
            if done is None:
                break
            if p.epoch < self.recipe.epochs and is_enough(p, self.recipe):
                p.why = f"no better for {p.waited} epochs"
            self._save()
            yield done
        yield self._finished()

    @property
    def is_done(self) -> bool:
        return bool(self.position.why) or self.position.epoch >= self.recipe.epochs

    def write_start(self) -> None:
        """What a run folder has from the beginning beside its spec: the step, how it is made, and
        the first checkpoint."""
        save(exported(self.graph, self.recipe, self._weight), self.folder.path / STEP)
        self.folder.write_facts(self.facts)
        self._save()

    def resume(self) -> None:
        """Go on from the checkpoint in the folder."""
        saved = self.folder.saved()
        if saved is None:
            return
        state, self.position = saved
        self._is_torn = False
        state[CLOCK] = np.array(self.position.step + 1)
        for k in self._step.kept:
            if k.name not in state or state[k.name].shape != k.shape:
                raise BadFile(
                    self.folder.path / CHECKPOINT,
                    f"it lacks `{k.name}` as this network has it: it is of another run",
                )
        self.stepper.load(state)
        self.rates.lowered = self.position.lowered

    def _epoch(self) -> Generator[Stepped]:
        p, every = self.position, self.recipe.accumulate
        began, before = time.monotonic(), p.batch
        # Before the first: between two steps the processor has forgotten how to work them out.
        rates = [self.rates.at(p.epoch * self._steps + i) for i in range(self._steps)]
        with closing(self._fed()) as source:
            for batch in source:
                rate = rates[p.batch // every]
                self._is_torn = True
                told = self._stepped(batch, rate)
                p.batch, p.step = p.batch + 1, p.step + 1
                p.seen += len(batch)
                p.loss_sum += told[LOSS] * len(batch)
                if CORRECT in told:
                    p.right += told[CORRECT]
                    p.counted += self._counted(batch)
                self._is_torn = False
                now = time.monotonic()
                if now - self._saved >= self._saved_every:
                    self._save()
                try:
                    yield self._told(rate, (now - began) / (p.batch - before))
                except GeneratorExit:
                    # Nobody wants to hear more for now.
                    self._save()
                    raise
                if self.is_asked_to_stop:
                    self._save()
                    return

    def _fed(self) -> Generator[Batch]:
        """The rest of this epoch's batches."""
        with (
            closing(
                batches(
                    self.splits.train,
                    self.recipe.batch,
                    seed=self.recipe.seed,
                    epoch=self.position.epoch,
                    shuffle=self.recipe.shuffle,
                    augment=self.recipe.augment,
                    threads=self._loaders,
                    start=self.position.batch,
                    classes=self.classes,
                    memory=self._memory,
                )
            ) as source,
            self._saving(),
        ):
            yield from source

    @contextmanager
    def _saving(self) -> Generator[None]:
        """A file may vanish: nothing is wrong with what was learnt before."""
        try:
            yield
        except (OSError, BadData):
            self._save()
            raise

    def _stepped(self, batch: Batch, rate: float) -> Mapping[str, float]:
        p, every = self.position, self.recipe.accumulate
        feeds = self._feeding.feeds(batch)
        feeds[RATE] = np.array(rate, np.float32)
        if every > 1:
            size = self.recipe.batch
            first = p.batch // every * every * size
            together = min(len(self.splits.train), first + every * size) - first
            is_last = (p.batch + 1) % every == 0 or p.batch + 1 == self._batches
            feeds[SHARE] = np.array(len(batch) / together, np.float32)
            feeds[APPLY] = np.array(is_last)
        told = self.stepper.do(feeds)
        if not math.isfinite(told[LOSS]):
            raise self._not_finite(feeds, told[LOSS])
        return told

    def _counted(self, batch: Batch) -> int:
        """How many could have been right: examples, or pixels."""
        if self.splits.train.gives == "classes":
            return len(batch)
        target: NDArray[Any] = batch.targets
        # Pixels of class -1 do not count.
        return int(np.count_nonzero(target >= 0))

    def _told(self, rate: float, seconds: float) -> Stepped:
        p = self.position
        left = self._batches * (self.recipe.epochs - p.epoch) - p.batch
        return Stepped(
            p.epoch + 1,
            self.recipe.epochs,
            p.batch,
            self._batches,
            p.loss_sum / p.seen,
            self._share_right,
            rate,
            self.recipe.batch / max(1e-9, seconds),
            left * seconds,
        )

    @property
    def _share_right(self) -> float | None:
        p = self.position
        return p.right / max(1, p.counted) if CORRECT in self._step.outputs else None

    @property
    def classes(self) -> int:
        """How many the network tells apart."""
        shape = self.graph.nodes[self.graph.main.node].shape
        return shape[0] if shape else 0

    # ── validation ─────────────────────────────────────────────────────────────────────────────

    def _validated(self) -> EpochDone | None:
        """The epoch's end; none where the run is asked to stop meanwhile."""
        p, part = self.position, self.splits.validation
        held: Mapping[str, float] = {}
        weights = self.weights()
        if part is not None and len(part):
            with self._saving():
                measures = self.judge(part, weights)
            if measures is None:
                return None
            self.measured["validation"] = measures
            held = measures.values
        train = {"loss": p.loss_sum / max(1, p.seen)}
        if (share := self._share_right) is not None:
            train["accuracy"] = share
        rate = self.rates.at(max(0, (p.epoch + 1) * self._steps - 1))
        p.epoch, p.batch, p.seen, p.loss_sum, p.right, p.counted = p.epoch + 1, 0, 0, 0.0, 0.0, 0
        is_new = is_best(p, self.recipe, held or train)
        self.rates.lowered = p.lowered
        if is_new:
            self.folder.save_best(weights, p)
        done = EpochDone(p.epoch, self.recipe.epochs, train, held, rate, self._seconds, is_new)
        self.folder.log(done)
        return done

    def judge(self, part: Part, weights: Arrays | None = None) -> Measures | None:
        """How well the network does on a part, with these weights or those it has now; none where
        the run is asked to stop meanwhile."""
        self._judge.load(self.weights() if weights is None else weights)
        measures = Measures(self.graph, self.recipe, part)
        made = batches(part, self.recipe.batch, threads=self._loaders, memory=self._memory)
        with closing(made) as source:
            for batch in source:
                found = self._judge.do(self._judging.feeds(batch))
                heads = {k.removeprefix(OUT): y for k, y in found.items() if k.startswith(OUT)}
                measures.add(batch, heads, float(found[LOSS]))
                if self.is_asked_to_stop:
                    return None
        return measures

    def weights(self) -> dict[str, NDArray[Any]]:
        """The weights as they would be used: their moving means, where there are such."""
        known = {**self._all, **self.stepper.state()}
        known |= {name: known[mean] for name, mean in self._step.averaged.items()}
        return {name: known[name] for name in wanted_weights(self.graph)}

    # ── what is kept ───────────────────────────────────────────────────────────────────────────

    @property
    def _seconds(self) -> float:
        return self._before + time.monotonic() - self._began

    def _save(self) -> None:
        """Put down what is known, unless it is worth nothing any more."""
        p = self.position
        p.seconds = self._seconds
        state = {k: x for k, x in self.stepper.state().items() if k != CLOCK}
        if spoilt := not_finite(state):
            raise NotFinite(
                f"after step {p.step} `{spoilt[-1]}` is not finite any more{self._kept}"
            )
        self.folder.save(state, p)
        self._saved = time.monotonic()

    def _finished(self) -> Finished:
        p = self.position
        test: Mapping[str, float] = {}
        if not self.is_done:
            self._save()
            return Finished(p.epoch, False, "", test, self._seconds)
        best = self.folder.best() or self.weights()
        part = self.splits.test
        if part is not None and len(part):
            self.is_asked_to_stop = False
            measures = self.judge(part, best)
            if measures is not None:
                self.measured["test"] = measures
                test = measures.values
        save(self._compiled(best), self.folder.path / MODEL)
        known = {"test": dict(test), "memory": peak_memory()}
        self.facts = self.facts.model_copy(update=known)
        self.folder.write_facts(self.facts)
        return Finished(p.epoch, True, p.why, test, self._seconds)

    def _compiled(self, weights: Arrays) -> Model:
        """The network for use, with these weights."""
        labels = self.recipe.labels or self.splits.train.classes or ()
        given = {name: lambda x=x: x for name, x in weights.items()}
        options = Options(
            seed=self.recipe.seed, labels=tuple(labels) if len(labels) == self.classes else ()
        )
        return compile_graph(self.graph, options, given)

    # ── parts ──────────────────────────────────────────────────────────────────────────────────

    def _drawn(self) -> dict[str, NDArray[Any]]:
        """All weights as they are before the first step."""
        return {
            f"{n.owner}.{key}": self._weight(f"{n.owner}.{key}", w)
            for n in self.graph.nodes
            if n.facts is not None
            for key, w in n.facts.weights.items()
        }

    def _start(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as it is before the first step."""
        return {
            k.name: self._all[k.name.removesuffix("/average")]
            if k.start is None
            else np.full(k.shape, k.start)
            for k in self._step.kept
        }

    @property
    def _kept(self) -> str:
        there = (self.folder.path / CHECKPOINT).exists()
        kept = "the last good checkpoint is kept, and " if there else ""
        return f"; {kept}a smaller learning rate may help"

    def _not_finite(self, feeds: Arrays, loss: float) -> NotFinite:
        """The step, and the first layer whose values or gradients are no numbers any more."""
        p = self.position
        place = first_not_finite(self._step, feeds, self.stepper.before())
        return NotFinite(
            f"the loss is {loss} at step {p.step + 1} (epoch {p.epoch + 1}, batch {p.batch + 1})"
            + (f": {place}" if place else "")
            + self._kept
        )
