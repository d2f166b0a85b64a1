"""How does a training run keep its page up to date, without being held up or harmed by it?

What is quick is drawn after each epoch; what is not, when it has been earned: all of it together
takes no more than a small share of the time that training takes. In the end everything is drawn.
"""

import os
import time
from collections.abc import Callable

from cnnspec.emit.compile import source_of
from cnnspec.pages.notebook import curves_html
from cnnspec.pages.sights import Sights, sights
from cnnspec.pages.training import Judged, Story, training_page
from cnnspec.report.facts import Report, facts
from cnnspec.run.events import EpochDone, Event, Finished
from cnnspec.run.folder import REPORT
from cnnspec.run.gallery import gallery
from cnnspec.run.history import peak_memory, read_history
from cnnspec.run.loop import Training
from cnnspec.run.sets import BadData, Part
from cnnspec.run.worst import Bad
from cnnspec.text.excerpt import safe
from cnnspec.writing import replacing

QUICK, ALL = 0.03, 0.02
"""Shares of the time so far: what is quick takes no more, and what is not waits until all that was
drawn takes no more with it."""

GUESS = 3.0
"""The first gallery is taken to cost so many pages."""


def watch(training: Training, note: Callable[[str], object] = lambda _: None) -> None:
    """Keep `report.html` in the folder of a run; `note` is told once what keeps it from that."""
    training.listen(Watch(training, note))


def show(training: Training) -> None:
    """Let a notebook show the curves of a run where it would show the run."""
    training.shown = lambda: curves_html(training)


class Watch:
    """What is told of a run and draws it."""

    def __init__(self, training: Training, note: Callable[[str], object]) -> None:
        self._training, self._note = training, note
        self._sights: Sights | None = None
        self._report: Report | None = None
        self._lacks: list[str] = []
        self._spent = self._quick = 0.0
        """Seconds for all that was drawn, and for pages alone but the first."""
        self._page = self._show = 0.0
        """Seconds that the quickest page took, and the last gallery."""
        self._began = time.monotonic()
        self._has_failed = False

    def __call__(self, event: Event) -> None:
        match event:
            case EpochDone():
                self._drawn(event.epoch, None)
            case Finished():
                self._drawn(event.epochs, event)
            case _:
                pass

    def _drawn(self, epoch: int, end: Finished | None) -> None:
        is_last = end is not None
        so_far = time.monotonic() - self._began
        if not is_last and self._page and self._quick + self._page > QUICK * so_far:
            return
        began = time.monotonic()
        try:
            cost = self._show or GUESS * self._page
            if is_last or (cost and self._spent + cost + self._page <= ALL * so_far):
                self._look(epoch, is_last=is_last and end.is_done)
            self._write(end, self._spent + time.monotonic() - began)
        except Exception as fault:
            # Whatever is wrong with a page, hours of training shall not be lost to it.
            if os.environ.get("CNNSPEC_TRACEBACK"):
                raise
            self._fail(fault)
        self._spent += time.monotonic() - began

    def _fail(self, fault: Exception) -> None:
        if self._has_failed:
            return
        self._has_failed = True
        path = self._training.folder.path / REPORT
        reason = fault.strerror.lower() if isinstance(fault, OSError) and fault.strerror else fault
        said = str(reason) or type(fault).__name__
        self._note(safe(f"{path} is not written: {' '.join(said.split())}; training goes on"))

    # ── what is shown ──────────────────────────────────────────────────────────────────────────

    def _look(self, epoch: int, *, is_last: bool) -> None:
        began, training = time.monotonic(), self._training
        best = training.folder.best() if is_last else None
        part, bad, where = self._part(is_last)
        weights = best if best is not None else training.weights()
        which = "With the best weights" if best is not None else f"After epoch {epoch}"
        given = training.folder.init()
        first = source_of({n: lambda x=x: x for n, x in given.items()}, training.recipe.seed)
        of_input = any(loss.is_of_input for loss in training.recipe.losses)
        try:
            found = gallery(training.graph, weights, first, part, bad, of_input=of_input)
        except (OSError, BadData) as fault:
            self._lacks = [f"the examples cannot be read: {fault}"]
        else:
            seen = f"{which}, on examples of {where}."
            labels = training.recipe.labels or part.classes or ()
            self._sights = sights(found, seen, labels, training.classes)
            self._lacks = [*found.notes]
        self._show = time.monotonic() - began

    def _part(self, is_last: bool) -> tuple[Part, list[Bad], str]:
        """The examples that are shown: of the test split only when all is over."""
        splits, measured = self._training.splits, self._training.measured
        parts = {"test": splits.test if is_last else None, "validation": splits.validation}
        for name, part in parts.items():
            if part is not None and len(part):
                known = measured.get(name)
                return part, known.worst.found if known is not None else [], name
        return splits.train, [], "training"

    def _write(self, end: Finished | None, cost: float) -> None:
        began, training = time.monotonic(), self._training
        text = training_page(self._story(end, cost))
        with replacing(training.folder.path / REPORT) as file:
            file.write(text.encode())
        took = time.monotonic() - began
        # The first also reads the templates.
        self._quick += took if self._page else 0.0
        self._page = min(self._page or took, took)

    def _story(self, end: Finished | None, cost: float) -> Story:
        training = self._training
        if self._report is None:
            self._report = facts(training.graph, training.recipe.batch)
        weights = {"validation": f"after epoch {training.position.epoch}", "test": "best weights"}
        order = [name for name in ("test", "validation") if name in training.measured]
        return Story(
            read_history(training.folder.path, training.graph),
            self._report,
            [Judged(name, weights[name], training.measured[name]) for name in order],
            self._sights,
            end.why if end is not None else "",
            end is None,
            cost,
            peak_memory(),
            self._lacks,
        )
