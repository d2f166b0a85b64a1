"""Do the settings of a recipe fit each other, whatever the network is?

Only what is certain from the recipe alone. What depends on the network (its heads, its last layer,
its number of classes) is asked where the network is known.
"""

from collections.abc import Callable

from cnnspec.settings.base import Word
from cnnspec.settings.data import Data
from cnnspec.settings.loss import Loss
from cnnspec.settings.metrics import METRICS
from cnnspec.settings.plain import EarlyStopping
from cnnspec.settings.recipe import Line, Recipe
from cnnspec.settings.schedule import MultiStep, OneCycle, Plateau, Step
from cnnspec.text.diagnostic import Label, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.vocab.value import show

SAID = {
    "classes": "a class for each example",
    "masks": "a class for each pixel",
    "pictures": "pictures",
    "numbers": "numbers",
}


def agree(recipe: Recipe, sink: Sink, *, is_whole: bool = True) -> bool:
    """Say what contradicts itself or has no effect; is the recipe free of contradictions?

    It is not whole where a line could not be read: then defaults say nothing.
    """
    check = _Agreement(recipe, sink, is_whole, [])
    for rule in RULES:
        rule(check)
    return not check.errors


@record
class _Agreement:
    recipe: Recipe
    sink: Sink
    is_whole: bool
    errors: list[str]

    def line(self, setting: str) -> Line | None:
        return next((line for line in self.recipe.lines if line.setting == setting), None)

    def label(self, setting: str) -> list[Label]:
        """Where a setting that matters as well was made."""
        line = self.line(setting)
        return [Label(line.span, "set here")] if line else []

    def span(self, word: Word, param: str | None = None) -> Span:
        assert word in self.recipe.places, "only what was written is found fault with"
        place = self.recipe.places[word]
        return place.args.get(param or "", place.span)

    def error(self, message: str, span: Span, *others: str, hint: str | None = None) -> None:
        self.errors.append(message)
        labels = [label for name in others for label in self.label(name)]
        self.sink.error("wrong-setting", message, span, labels=labels, hint=hint)

    def idle(self, message: str, span: Span, *others: str, hint: str | None = None) -> None:
        labels = [label for name in others for label in self.label(name)]
        self.sink.warning("idle-setting", message, span, labels=labels, hint=hint)


# ── times ──────────────────────────────────────────────────────────────────────────────────────


def _warmup(check: _Agreement) -> None:
    schedule, epochs = check.recipe.schedule, check.recipe.epochs
    if isinstance(schedule, OneCycle) and {"warmup", "rise"} <= set(schedule.given):
        check.error(
            "`warmup` and `rise` both say how long the rate of `one_cycle` rises",
            check.span(schedule, "rise"),
            hint="keep one of them",
        )
    # Without `epochs` in the spec their number is chosen when training begins.
    if check.recipe.was_given("epochs") and schedule.warmup >= epochs:
        check.error(
            f"a warm-up of {_epochs(schedule.warmup)} leaves nothing of {_epochs(epochs)}",
            check.span(schedule, "warmup"),
            "epochs",
        )


def _drops(check: _Agreement) -> None:
    schedule, epochs = check.recipe.schedule, check.recipe.epochs
    if isinstance(schedule, MultiStep):
        falls = [(a, b) for a, b in zip(schedule.at, schedule.at[1:], strict=False) if b <= a]
        if falls:
            check.error(
                f"`at` names epochs in rising order; {falls[0][1]} follows {falls[0][0]}",
                check.span(schedule, "at"),
            )
            return
    if not check.recipe.was_given("epochs"):
        return
    match schedule:
        case MultiStep(at=at) if at[-1] >= epochs:
            late = [n for n in at if n >= epochs]
            check.idle(
                f"the rate does not drop after epoch {late[0]}: training ends after {epochs}",
                check.span(schedule, "at"),
                "epochs",
            )
        case Step(every=every) if every >= epochs:
            check.idle(
                f"the rate never drops: training ends after {_epochs(epochs)}, "
                f"the first drop comes after {every}",
                check.span(schedule, "every"),
                "epochs",
            )
        case _:
            pass


def _patience(check: _Agreement) -> None:
    epochs = check.recipe.epochs
    for word in _watchers(check.recipe):
        if check.recipe.was_given("epochs") and word.patience >= epochs:
            check.idle(
                f"a patience of {_epochs(word.patience)} never ends in training of "
                f"{_epochs(epochs)}",
                check.span(word, "patience"),
                "epochs",
            )
        data = check.recipe.data
        if data is not None and data.was_given("split") and not data.keeps_validation:
            check.error(
                f"`{word.kind}` watches validation, and `split` keeps no examples for it",
                check.span(word),
                "data",
                hint="the second part of `split` is for validation",
            )


def _watchers(recipe: Recipe) -> list[EarlyStopping | Plateau]:
    found = (recipe.schedule, recipe.early_stopping)
    return [word for word in found if isinstance(word, EarlyStopping | Plateau)]


def _epochs(n: float) -> str:
    return "1 epoch" if n == 1 else f"{show(n)} epochs"


# ── what is compared with what ─────────────────────────────────────────────────────────────────


def _targets(check: _Agreement) -> None:
    data = check.recipe.data
    given = data.targets_given() if data else None
    if data is None or given is None:
        return
    for loss in check.recipe.losses:
        if loss in check.recipe.places and not loss.is_of_input and given not in loss.compares:
            _unfit(check, f"loss {loss.kind}", loss, loss.compares, data)
    # An output that is compared with the input is a picture, whatever comes with the examples.
    if not check.is_whole or any(loss.is_of_input for loss in check.recipe.losses):
        return
    for metric in check.recipe.metrics:
        if metric in check.recipe.places and given not in metric.compares:
            _unfit(check, metric.kind, metric, metric.compares, data)
    for word in _watchers(check.recipe):
        kind = METRICS.get(word.watch)
        if kind is not None and given not in kind.compares:
            _unfit(check, word.watch, word, kind.compares, data, "watch")


def _unfit(
    check: _Agreement,
    what: str,
    word: Word,
    compares: tuple[str, ...],
    data: Data,
    param: str | None = None,
) -> None:
    given = data.targets_given()
    assert given is not None
    needs = "classes" if "classes" in compares else " or ".join(SAID[c] for c in compares)
    check.error(
        f"`{what}` compares with {needs}; `data {data.kind}` gives {SAID[given]}",
        check.span(word, param),
        "data",
        hint="`loss mse` compares with any of these" if isinstance(word, Loss) else None,
    )


def _twice(check: _Agreement) -> None:
    """The same loss of the same output, the same metric of the same output."""
    seen: dict[tuple[object, ...], Word] = {}
    for line in check.recipe.lines:
        if line.setting not in ("loss", "metrics"):
            continue
        for word in line.words:
            telling = [word.value(name) for name in ("on", "to", "k") if name in word.params]
            before = seen.setdefault((line.setting, word.kind, *telling), word)
            if before is not word:
                _repeated(check, word, before)


def _repeated(check: _Agreement, word: Word, before: Word) -> None:
    on = word.value("on")
    of = "the main output" if on is None else f"head `{on}`"
    check.errors.append(f"`{word.kind}` of {of} is there twice")
    check.sink.error(
        "duplicate-setting",
        check.errors[-1],
        check.span(word),
        labels=[Label(check.span(before), "the first is here")],
    )


# ── what has no effect, or cannot be done ──────────────────────────────────────────────────────


def _mixtures(check: _Agreement) -> None:
    mixing = [word for word in check.recipe.augment if word.is_of_batches]
    if not mixing:
        return
    if mixing[0] is not check.recipe.augment[-1]:
        check.error(
            f"`{mixing[0].kind}` mixes finished examples, so it stands last",
            check.span(mixing[0]),
        )
    for loss in check.recipe.losses:
        if not loss.takes_mixtures:
            check.error(
                f"`{mixing[0].kind}` makes targets of several classes; `loss {loss.kind}` takes "
                "one class for each example",
                check.span(loss),
                "augment",
            )


def _weights(check: _Agreement) -> None:
    weights, losses = check.recipe.class_weights, check.recipe.losses
    if weights is not None and not any(loss.weighs_classes for loss in losses):
        check.idle(
            "`class_weights` has no effect: no loss here tells classes apart",
            check.span(weights),
            "loss",
        )
    elif weights is not None and not isinstance(weights.weights, str) and not any(weights.weights):
        check.error(
            "all `class_weights` are 0: no example would count", check.span(weights, "weights")
        )


def _decay(check: _Agreement) -> None:
    optimizer = check.recipe.optimizer
    if optimizer.was_given("decay") and optimizer.weight_decay == 0:
        check.idle(
            "`decay` has no effect: `weight_decay` is 0",
            check.span(optimizer, "decay"),
            hint="say how much decays, as in `weight_decay=1e-4`",
        )


def _batch(check: _Agreement) -> None:
    recipe, data = check.recipe, check.recipe.data
    line = check.line("accumulate") or check.line("batch")
    if data is None or line is None or not check.is_whole:
        return
    there, needed = data.training_examples(), recipe.batch * recipe.accumulate
    if there is None or needed <= there:
        return
    step = f"a batch of {recipe.batch:,}"
    if recipe.accumulate > 1:
        step = f"a step of {recipe.accumulate}·{recipe.batch:,} = {needed:,} examples"
    check.sink.warning(
        "large-batch",
        f"{step} is more than the {there:,} examples that `{data.kind}` trains on",
        line.span,
    )


RULES: tuple[Callable[[_Agreement], None], ...] = (
    _warmup,
    _drops,
    _patience,
    _targets,
    _twice,
    _mixtures,
    _weights,
    _decay,
    _batch,
)
