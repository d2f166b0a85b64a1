"""Does the way of training fit the network?

What a spec contradicts itself in is an error. Data that does not fit, and what is said of other
classes or layers than the network has, hinders nobody to count and compile it: `check` warns of
that, and training refuses it.
"""

import math
from collections.abc import Callable

from cnnspec.layers.base import count
from cnnspec.model.graph import Graph, Node
from cnnspec.model.lint import SOFTMAXES
from cnnspec.settings.base import Targets, Word
from cnnspec.settings.data import Data, Pictures
from cnnspec.settings.loss import CrossEntropy, Hinge, Loss
from cnnspec.settings.plain import ClassWeights, Labels
from cnnspec.settings.recipe import Recipe
from cnnspec.text.diagnostic import Label, Sink
from cnnspec.text.record import record
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import Shape

DROPS = ("dropout", "droppath")
"""Layers that training alone does anything with, without weights of their own."""

COLOURS = {1: "greys", 3: "colours", 4: "colours with transparency"}


def fit_recipe(graph: Graph, sink: Sink, *, is_training: bool = False) -> None:
    """Say what does not fit; for training all of that is an error."""
    recipe = graph.recipe
    if recipe is None:
        return
    check = _Fit(graph, recipe, sink, is_training)
    for rule in RULES:
        rule(check)


@record
class _Fit:
    graph: Graph
    recipe: Recipe
    sink: Sink
    is_training: bool

    @property
    def ends(self) -> dict[str, Node]:
        return {output.name: self.graph.nodes[output.node] for output in self.graph.outputs}

    @property
    def given(self) -> Targets | None:
        """What comes with each example, where that is known."""
        data = self.recipe.data
        return data.targets_given() if data is not None else None

    def end(self, loss: Loss) -> Node | None:
        """The last layer of the head that a loss is taken of."""
        return self.ends.get(loss.on or self.graph.main.name)

    def tells(self, loss: Loss) -> bool:
        """Are the targets of a loss classes, as far as is known?"""
        return not loss.is_of_input and (
            self.given in ("classes", "masks") or (self.given is None and loss.weighs_classes)
        )

    def span(self, word: Word, param: str | None = None) -> Span | None:
        place = self.recipe.places.get(word)
        return None if place is None else place.args.get(param or "", place.span)

    def unfit(self, message: str, span: Span, *labels: Label, hint: str | None = None) -> None:
        if self.is_training:
            self.sink.error("unfit-setting", message, span, labels=labels, hint=hint)
        else:
            self.sink.warning("unfit-setting", message, span, labels=labels, hint=hint)


# ── losses and their heads ─────────────────────────────────────────────────────────────────────


def _heads(check: _Fit) -> None:
    ends = check.ends
    for loss in check.recipe.losses:
        span = check.span(loss, "on")
        end = ends.get(loss.on or "output")
        if end is None and span is not None:
            what = f"a head called `{loss.on}`" if loss.on else "a main output"
            check.sink.error(
                "wrong-setting",
                f"`loss {loss.kind}` is taken of {what}; the network has none",
                span,
                hint=f"its outputs: {', '.join(ends)}; `on=` names one of them",
            )


def _softmax_twice(check: _Fit) -> None:
    for loss in check.recipe.losses:
        end, span = check.ends.get(loss.on or "output"), check.span(loss)
        if end is None or span is None or end.layer.kind not in SOFTMAXES:
            continue
        if loss.reads(end.layer.kind) in ("logits", "scores"):
            check.sink.warning(
                "softmax-twice",
                f"`loss {loss.kind}` takes plain numbers; the network ends in `{end.layer.kind}`",
                span,
                labels=[Label(end.span, "this makes probabilities")],
                hint=f"leave `{end.layer.kind}` out"
                + (", or write from=auto" if "from" in loss.params else ""),
            )


def _alone(check: _Fit) -> None:
    """One number cannot be compared with those of other classes: such a loss is always 0."""
    for loss in check.recipe.losses:
        end = check.end(loss)
        if not isinstance(loss, CrossEntropy | Hinge) or end is None or not end.shape:
            continue
        if end.shape[0] != 1:
            continue
        span, what = check.span(loss), "compares the numbers of several classes"
        hint = "`loss binary_cross_entropy` takes one number for yes or no"
        if span is None:
            if check.given is None:
                # With numbers as targets it will be another loss.
                continue
            said = f"`loss {loss.kind}`, as none is named, {what}; this output has one number"
            check.unfit(said, end.span, hint=hint)
            continue
        check.sink.error(
            "wrong-setting",
            f"`loss {loss.kind}` {what}; this output has one number",
            span,
            labels=[_numbers(end)],
            hint=hint,
        )


def _main(check: _Fit) -> None:
    """Is the main output, of which no loss is taken, trained by those of others?"""
    main, nodes = check.graph.main, check.graph.nodes
    losses = check.recipe.losses
    ends = [end for loss in losses if (end := check.end(loss)) is not None]
    spans = [span for loss in losses if (span := check.span(loss, "on")) is not None]
    if not spans or len(ends) < len(losses) or nodes[main.node] in ends:
        return
    reached = {nodes[i].owner for i in _before(check, [end.index for end in ends])}
    frozen = check.recipe.freeze
    for node in (nodes[i] for i in sorted(_before(check, [main.node]))):
        is_kept = node.frozen or any(word.covers(node.path) for word in frozen)
        if node.owner in reached or is_kept or not _trains(node):
            continue
        what = "the main output" if main.name == "output" else f"the main output, `{main.name}`"
        check.sink.warning(
            "untrained-output",
            f"no loss is taken of {what}: `{node.path}` is not trained",
            spans[0],
            labels=[Label(node.span, "only the main output comes of this")],
            hint="a line `loss` without `on=` is taken of it"
            if main.name == "output"
            else f"`on={main.name}` takes a loss of it",
        )
        return


def _before(check: _Fit, ends: list[int]) -> set[int]:
    """The layers that some are computed from, and these."""
    found, left = set(ends), list(ends)
    while left:
        more = set(check.graph.nodes[left.pop()].inputs) - found
        found |= more
        left += more
    return found


def _trains(node: Node) -> bool:
    return node.facts is not None and any(w.trained for w in node.facts.weights.values())


# ── classes ────────────────────────────────────────────────────────────────────────────────────


def _classes(check: _Fit) -> None:
    """Does the network have a number for each class of the data?"""
    data = check.recipe.data
    there = data.class_count() if data is not None else None
    for loss in check.recipe.losses:
        end = check.end(loss)
        if data is None or there is None or end is None or not end.shape or not check.tells(loss):
            continue
        told, span = _told_apart(end), check.span(data)
        if there > told and span is not None:
            check.unfit(
                f"`{data.kind}` has {there} classes; the network tells {told} apart",
                span,
                _numbers(end),
                hint="`classes=` chooses among them",
            )
            return


def _class_weights(check: _Fit) -> None:
    word = check.recipe.class_weights
    if word is None or isinstance(word.weights, str):
        return
    for loss in check.recipe.losses:
        end = check.end(loss)
        if loss.weighs_classes and check.tells(loss) and end is not None and end.shape:
            _numbered(check, word, "weights", len(word.weights), end)


def _labels(check: _Fit) -> None:
    word = check.recipe.word("labels")
    end = check.ends.get(check.graph.main.name)
    losses = [loss for loss in check.recipe.losses if loss.on in (None, check.graph.main.name)]
    if isinstance(word, Labels) and end is not None and any(map(check.tells, losses)):
        _numbered(check, word, "names", len(word.names), end)


def _numbered(check: _Fit, word: ClassWeights | Labels, param: str, given: int, end: Node) -> None:
    """Is there one of the word's items for each class?"""
    told, span = _told_apart(end), check.span(word, param)
    if given != told and span is not None:
        check.unfit(
            f"`{word.kind}` has {given} for the {told} classes that the network tells apart",
            span,
            _numbers(end),
        )


def _numbers(end: Node) -> Label:
    made = end.shape[0] if end.shape else 0
    return Label(end.span, f"makes {count(made, 'number')}")


def _told_apart(end: Node) -> int:
    # One number says yes or no.
    return max(end.shape[0], 2) if end.shape else 0


# ── layers and inputs ──────────────────────────────────────────────────────────────────────────


def _freeze(check: _Fit) -> None:
    """Is there a layer for each pattern?"""
    layers = [n for n in check.graph.nodes if n.inputs]
    for word in check.recipe.freeze:
        for pattern in word.layers:
            alone = type(word)(layers=(pattern,))
            span = check.span(word, "layers")
            covered = [n for n in layers if alone.covers(n.path)]
            if span is None or any(map(_can_freeze, covered)):
                continue
            if covered:
                said = f"no layer that `{pattern}` names has weights: nothing is frozen by that"
                check.sink.warning("idle-setting", said, span)
                continue
            near = did_you_mean(pattern, _names([n.path for n in layers]))
            check.unfit(
                f"no layer is called `{pattern}`: nothing is frozen by that",
                span,
                hint=near or "`*` stands for anything in a name",
            )


def _can_freeze(node: Node) -> bool:
    """Does it do anything else when it is frozen? Dropout then leaves nothing out."""
    return node.facts is None or bool(node.facts.weights) or node.layer.kind in DROPS


def _names(paths: list[str]) -> set[str]:
    """Those of layers and of the blocks around them."""
    parts = [path.split(".") for path in paths]
    return {".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)}


def _data(check: _Fit) -> None:
    """Do the examples of a set whose shape is known fit the input?"""
    data, inputs = check.recipe.data, check.graph.inputs
    if data is None or data.shape is None or len(inputs) != 1 or inputs[0].shape is None:
        return
    size, span = inputs[0].shape, check.span(data)
    if span is None or size == data.shape or size == (math.prod(data.shape),):
        return
    said = _differing(data, data.shape, size)
    if said is not None:
        message, hint = said
        takes = Label(inputs[0].span, f"takes {'x'.join(map(str, size))}")
        check.unfit(message, span, takes, hint=hint)


def _differing(data: Data, have: Shape, takes: Shape) -> tuple[str, str | None] | None:
    shown = "x".join(map(str, have))
    picture = _picture(takes) if isinstance(data, Pictures) and len(have) == 3 else None
    if not isinstance(data, Pictures) or picture is None:
        return f"the examples of `{data.kind}` are {shown}, which is not what the input takes", None
    if picture[0] != have[0] and not data.convert:
        told = f"the pictures of `{data.kind}` have {COLOURS[have[0]]}, the input takes "
        return told + COLOURS[picture[0]], "`convert=yes` turns them into each other"
    if picture[1:] != have[1:] and data.fit == "exact":
        sizes = [f"{w}x{h}" for _, h, w in (have, picture)]
        told = f"the pictures of `{data.kind}` have {sizes[0]} pixels, the input takes {sizes[1]}"
        return told, "`fit=stretch`, `fit=crop` or `fit=pad` brings them to that size"
    return None


def _picture(size: Shape) -> tuple[int, int, int] | None:
    """Channels, height and width; a flat vector may be a square."""
    if len(size) == 3 and size[0] in COLOURS:
        return size[0], size[1], size[2]
    side = math.isqrt(size[0])
    return (1, side, side) if len(size) == 1 and side * side == size[0] else None


RULES: tuple[Callable[[_Fit], None], ...] = (
    _heads,
    _main,
    _softmax_twice,
    _alone,
    _data,
    _classes,
    _class_weights,
    _labels,
    _freeze,
)
