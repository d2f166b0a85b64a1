"""What is wrong with a spec, and where: diagnostics as data."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cnnspec.text.record import record
from cnnspec.text.source import Span


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@record
class Label:
    """A second place that matters, with what is to be said of it."""

    span: Span
    text: str


@record
class Frame:
    """One step on the way from the network's text to a layer: a block's call, a loop's turn."""

    text: str
    span: Span
    parent: "Frame | None" = None

    def chain(self) -> list["Frame"]:
        """This frame and those around it, innermost first."""
        frames: list[Frame] = []
        at: Frame | None = self
        while at is not None:
            frames.append(at)
            at = at.parent
        return frames


@record
class Diagnostic:
    """One mistake: a true sentence at the narrowest place, what led to it, and the nearest fix.

    `message` must stand alone; `notes` are facts (how a shape came about), `hint` is one imperative
    or one fact, given only when it is known to help.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    trail: Frame | None = None
    hint: str | None = None


class Refusal(Exception):
    """A rule says no. The stage that asked knows the place and makes a diagnostic of it.

    `param` names the argument at fault, so that the stage can point at it.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        hint: str | None = None,
        notes: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.hint = hint
        self.notes = tuple(notes)


class SpecError(Exception):
    """A spec that cannot be used; prints as the command line prints it."""

    def __init__(self, diagnostics: Iterable[Diagnostic], render: Callable[[], str]) -> None:
        self.diagnostics = tuple(diagnostics)
        self._render = render
        super().__init__()

    def __str__(self) -> str:
        return self._render()


class TooManyErrors(Exception):
    """So much is wrong that saying more would not help; stages stop at once."""


@dataclass(slots=True)
class Sink:
    """Collects diagnostics: the same thing said of the same place is said once."""

    limit: int = 100
    diagnostics: list[Diagnostic] = field(default_factory=list[Diagnostic])
    work: int = 0
    """How many items of lists have been looked at; stages bound it."""
    _seen: set[tuple[str, int, int, int]] = field(default_factory=set[tuple[str, int, int, int]])

    def add(self, diagnostic: Diagnostic) -> None:
        span = diagnostic.span
        key = (diagnostic.code, id(span.source), span.start, span.end)
        if key in self._seen:
            return
        self._seen.add(key)
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) >= self.limit:
            raise TooManyErrors

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        hint: str | None = None,
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        trail: Frame | None = None,
    ) -> None:
        self.add(
            Diagnostic(
                code, Severity.ERROR, message, span, tuple(labels), tuple(notes), trail, hint
            )
        )

    def warning(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        hint: str | None = None,
        labels: Iterable[Label] = (),
        notes: Iterable[str] = (),
        trail: Frame | None = None,
    ) -> None:
        self.add(
            Diagnostic(
                code, Severity.WARNING, message, span, tuple(labels), tuple(notes), trail, hint
            )
        )

    @property
    def failed(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    def ordered(self) -> list[Diagnostic]:
        """In the order of the text, file by file as they were met."""
        files: dict[int, int] = {}
        for d in self.diagnostics:
            files.setdefault(id(d.span.source), len(files))
        return sorted(
            self.diagnostics, key=lambda d: (files[id(d.span.source)], d.span.start, d.span.end)
        )


def strict(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The same, with every warning raised to an error."""
    return [replace(d, severity=Severity.ERROR) for d in diagnostics]
