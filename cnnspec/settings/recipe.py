"""How is a network to be trained, according to its spec?

A `Recipe` is a value; the words that it may hold, and what reads them, are imported only when a
spec has a `train` part.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Sink
from cnnspec.text.record import record
from cnnspec.text.source import Source, Span

if TYPE_CHECKING:
    from cnnspec.settings.augment import Augmentation
    from cnnspec.settings.base import Word
    from cnnspec.settings.data import Data
    from cnnspec.settings.loss import Loss
    from cnnspec.settings.metrics import Metric
    from cnnspec.settings.optimizer import Optimizer
    from cnnspec.settings.plain import ClassWeights, Clipping, EarlyStopping, Ema, Freeze
    from cnnspec.settings.schedule import Schedule

Evaluate = Callable[[tree.Expr], object]
"""The value of an expression: a `Word` for a bare name that nothing is called, `UNKNOWN` where
something is wrong and has been said."""


@record
class Place:
    """Where a word stands, and each of its arguments."""

    span: Span
    args: Mapping[str, Span]


@record
class Line:
    """One setting as written: its words with their arguments."""

    setting: str
    words: "tuple[Word, ...]"
    places: tuple[Place, ...]
    """One for each word."""
    span: Span

    def text(self) -> str:
        from cnnspec.settings.base import Plain

        line = " -> ".join(word.text() for word in self.words)
        return line if isinstance(self.words[0], Plain) else f"{self.setting} {line}"


@record
class Recipe:
    """Every setting: as written, or what a user expects where its line is missing."""

    lines: tuple[Line, ...]
    """What was written, in its order."""
    places: "Mapping[Word, Place]"
    """Where each word was written; a default has no place."""
    data: "Data | None"
    """None: to be named when training begins."""
    losses: "tuple[Loss, ...]"
    """By default `mse` where the targets are pictures or numbers, otherwise `cross_entropy`."""
    optimizer: "Optimizer"
    """By default `adam`."""
    schedule: "Schedule"
    """By default `constant`."""
    epochs: int
    """By default 10."""
    batch: int
    """By default 64."""
    augment: "tuple[Augmentation, ...]"
    metrics: "tuple[Metric, ...]"
    """By default `accuracy` where there are classes, also `iou` where these are of pixels, and
    `psnr` where pictures are compared."""
    clip: "Clipping | None"
    accumulate: int
    ema: "Ema | None"
    early_stopping: "EarlyStopping | None"
    class_weights: "ClassWeights | None"
    freeze: "tuple[Freeze, ...]"
    labels: tuple[str, ...]
    """What the classes are called: by default as the data set has it, empty where it does not."""
    shuffle: bool
    seed: int

    def text(self) -> list[str]:
        """What was written, as canonical lines."""
        return [line.text() for line in self.lines]

    def was_given(self, setting: str) -> bool:
        return any(line.setting == setting for line in self.lines)

    def word(self, setting: str) -> "Word | None":
        """The first word that was written for a setting."""
        return next((line.words[0] for line in self.lines if line.setting == setting), None)

    def but(self, other: "Recipe") -> "Recipe":
        """This recipe, with each setting that `other` was given taken from there."""
        return _assemble(_put(self.lines, other.lines))


def with_words(recipe: Recipe, words: "Sequence[Word]") -> Recipe:
    """The recipe with these words in place of what it says of the same settings; freezing adds
    up, and what it says nothing of stands behind it."""
    from cnnspec.settings.plain import Freeze

    added: list[Line] = []
    for word in words:
        text = word.text()
        span = Span(Source(f"--{word.kind}", text), 0, len(text))
        added.append(Line(word.kind, (word,), (Place(span, {}),), span))
    over = [line for line in added if not isinstance(line.words[0], Freeze)]
    over = [line for line in over if recipe.was_given(line.setting)]
    return _assemble([*_put(recipe.lines, over), *(line for line in added if line not in over)])


def _put(lines: Sequence[Line], others: Sequence[Line]) -> list[Line]:
    """The lines with what others say of the same settings where they say it, and the rest behind
    them: so a run that goes on for longer has the very spec that one begun so has."""
    made: list[Line] = []
    left = list(others)
    for line in lines:
        told = [other for other in others if other.setting == line.setting]
        made += [other for other in told if other in left] if told else [line]
        left = [other for other in left if other not in told]
    return [*made, *left]


def default_recipe() -> Recipe:
    """The recipe of a spec without a `train` part."""
    return _assemble([])


def read_recipe(
    train: tree.Train, evaluate: Evaluate, sink: Sink, names: Callable[[], Iterable[str]]
) -> Recipe | None:
    """The recipe that a `train` part describes, or none where something in it is wrong, which the
    sink then has. `names` are the names in scope."""
    from cnnspec.settings.agree import agree
    from cnnspec.settings.read import Reader

    lines, is_whole = Reader(evaluate, sink, names).lines(train.body)
    recipe = _assemble(lines)
    agrees = agree(recipe, sink, is_whole=is_whole)
    return recipe if is_whole and agrees else None


def _assemble(lines: Sequence[Line]) -> Recipe:
    from cnnspec.settings.assemble import assemble

    return assemble(lines)
