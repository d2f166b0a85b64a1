"""How does one step of training become one graph?

Forward, loss, gradients and optimizer; what is kept from step to step (weights, running
statistics, what the optimizer remembers) enters as inputs and leaves as outputs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from cnnspec.emit.lower import WeightSource, lower_into
from cnnspec.grad.reverse import gradients
from cnnspec.model.graph import Graph, Node
from cnnspec.onnxir.builder import CLOCK, OWN, Builder
from cnnspec.onnxir.graph import BATCH, DType, Model, Tensor, Value
from cnnspec.settings.loss import DISTANCES, Loss, Reading
from cnnspec.settings.plain import ClipNorm, ClipValue
from cnnspec.settings.recipe import Recipe
from cnnspec.text.record import record
from cnnspec.train.loss import Case, loss_of
from cnnspec.train.optimiser import Moment, slots, update

OPSET = 17

RATE = "lr"
"""The input with the learning rate."""

LOSS, CORRECT = "loss", "correct"
"""Outputs: the mean loss, how many are right."""

TARGET = "target"
"""The input with what is right; of a head that a loss names, `target.head`."""

OUT = "out/"
"""The beginning of the name of a head's output in an evaluation."""

SHARE, APPLY = "share", "apply"
"""Inputs of a recipe with `accumulate`: which part of a step's examples are in this batch, and
whether the weights follow now."""

STEPS = "steps"
"""What is kept then: how often the weights have followed."""

CLASS_WEIGHTS = "class_weights"
"""The input with how much each class counts, where the data says it; of a head that a loss names,
`class_weights.head`."""

NEXT = "/next"
"""The end of the name under which a kept value leaves the step."""

FIRST = "first/"
"""The beginning of the name of a kept value before the first step."""


@record
class Kept:
    """A value that is kept from step to step: what it is called and what it starts at."""

    name: str
    shape: tuple[int, ...]
    dtype: DType
    start: float | None
    """A number for all, or none for a weight, which has its own."""

    @property
    def next(self) -> str:
        return self.name + NEXT


@record
class Step:
    """The graph of a step and what it is to be given."""

    model: Model
    inputs: Mapping[str, str]
    """The network's own inputs, as it calls them, and what they are called here."""
    targets: Mapping[str, Value]
    """For each head that a loss is taken of, the input with what is right."""
    class_weights: Mapping[str, Value]
    """For each head whose classes count as the data says, the input with how much."""
    kept: tuple[Kept, ...]
    trained: tuple[str, ...]
    """The weights that follow gradients."""
    averaged: Mapping[str, str]
    """For each weight with a moving mean, that mean's name."""
    outputs: tuple[str, ...]
    """What is told of each step."""


class NothingToTrain(ValueError):
    """A network without a weight that could follow a gradient."""


def build_step(
    graph: Graph,
    recipe: Recipe,
    weights: WeightSource,
    *,
    is_frozen: Callable[[Node], bool] | None = None,
    has_start: bool = False,
    for_gpu: bool = False,
) -> Step:
    """The step of a network with its recipe. With `has_start` the graph also has outputs with what
    is kept before the first step, so that its file alone is enough to train from. `for_gpu` has
    the same numbers worked out as a GPU does it faster."""
    making = _Making(graph, recipe, weights, is_frozen or frozen_by(recipe))
    return making.step(has_start, for_gpu)


def build_evaluation(graph: Graph, recipe: Recipe, weights: WeightSource) -> Step:
    """What a network with given weights makes of a batch, with its loss: with running statistics,
    and nothing left out. All weights enter as inputs; the outputs of heads are `out/head`."""
    return _Making(graph, recipe, weights, lambda _: False).evaluation()


def frozen_by(recipe: Recipe) -> Callable[[Node], bool]:
    """Does a layer keep its weights: by its own word, or by a pattern of the recipe?"""
    return lambda node: node.frozen or any(f.covers(node.path) for f in recipe.freeze)


def _own_names(graph: Graph, recipe: Recipe) -> Iterator[str]:
    """What inputs and outputs are called that are no layer's. A layer of such a name makes way."""
    yield from (RATE, CLOCK, TARGET, LOSS, CORRECT, CLASS_WEIGHTS, SHARE, APPLY, STEPS)
    yield from (f"{TARGET}.{loss.on}" for loss in recipe.losses if loss.on is not None)
    yield from (f"{CLASS_WEIGHTS}.{loss.on}" for loss in recipe.losses if loss.on is not None)
    yield from (OUT + head.name for head in graph.outputs)
    for kept in (CLOCK, STEPS):
        yield from (kept + NEXT, FIRST + kept)


class _Making:
    def __init__(
        self,
        graph: Graph,
        recipe: Recipe,
        weights: WeightSource,
        is_frozen: Callable[[Node], bool],
    ) -> None:
        self.graph = graph
        self.recipe = recipe
        self.weights = weights
        self.is_frozen = is_frozen
        self.model = Model(graph.name, OPSET)
        self.g = Builder(self.model)
        self.kept: list[Kept] = []
        self.targets: dict[str, Value] = {}
        self.class_weights: dict[str, Value] = {}
        self.averaged: dict[str, str] = {}
        self.applies: Value | None = None
        self.g.reserved = frozenset(_own_names(graph, recipe))

    def evaluation(self) -> Step:
        ends = [self._end(loss) for loss in self.recipe.losses]
        wanted = [n.index for n in ends] + [o.node for o in self.graph.outputs]
        values = lower_into(self.g, self.graph, wanted, self.weights)
        self.inputs = self._entered()
        self._all_enter()
        self._loss(values, ends)
        outputs = [LOSS, *self._right(values, ends)]
        for name in outputs:
            self.g.output(self.model.values[name])
        for head in self.graph.outputs:
            with self.g.layer(OUT + head.name, ""):
                self.g.output(self.g.op("Identity", values[head.node]))
        model = self.model.living()
        model.verify()
        outputs += [OUT + head.name for head in self.graph.outputs]
        return self._done(model, (), outputs)

    def step(self, has_start: bool, for_gpu: bool) -> Step:
        ends = [self._end(loss) for loss in self.recipe.losses]
        values = lower_into(
            self.g, self.graph, [n.index for n in ends], self.weights, self.is_frozen
        )
        self.inputs = self._entered()
        starts = self._weights_enter()
        loss = self._loss(values, ends)
        outputs = [LOSS, *self._right(values, ends)]
        names = [k.name for k in self.kept if self._is_trained(k.name)]
        found = gradients(self.model, loss, names, BATCH, for_gpu=for_gpu)
        grads = {name: dw for name in names if (dw := found[name]) is not None}
        if not grads:
            raise NothingToTrain("no weight is trained: all are frozen, or there are none")
        self._gather(grads)
        self._follow(self._clipped(grads))
        for name, value in self.g.updates.items():
            self._leaves(name, value)
        self._clock_ticks()
        for name in outputs:
            self.g.output(self.model.values[name])
        if has_start:
            self._start(starts)
        model = self.model.living()
        model.verify()
        return self._done(model, tuple(grads), outputs)

    def _done(self, model: Model, trained: tuple[str, ...], outputs: Sequence[str]) -> Step:
        return Step(
            model,
            self.inputs,
            self.targets,
            self.class_weights,
            tuple(self.kept),
            trained,
            self.averaged,
            tuple(outputs),
        )

    # ── what enters ────────────────────────────────────────────────────────────────────────────

    def _entered(self) -> Mapping[str, str]:
        """The inputs so far: the network's own."""
        names = [v.name for v in self.model.inputs if v.name != CLOCK]
        return {name.removesuffix(OWN): name for name in names}

    def _end(self, loss: Loss) -> Node:
        """The layer whose values a loss takes: the head's last, or the one before where the loss
        takes over the work of a softmax or sigmoid."""
        node = self._last(loss)
        takes_over = node.layer.kind in loss.ends and loss.reads(node.layer.kind) == "probabilities"
        is_asked = "from" in loss.params and loss.value("from") == "probabilities"
        return self.graph.nodes[node.inputs[0]] if takes_over and not is_asked else node

    def _last(self, loss: Loss) -> Node:
        name = loss.on or self.graph.main.name
        return next(self.graph.nodes[o.node] for o in self.graph.outputs if o.name == name)

    def _reading(self, loss: Loss, end: Node) -> Reading:
        """What the values that a loss takes are."""
        if end is self._last(loss):
            return loss.reads(end.layer.kind)
        return "logits"

    def _all_enter(self) -> None:
        for tensor in [t for t in self.model.tensors.values() if t.is_weight]:
            del self.model.tensors[tensor.name]
            self._keep(tensor.name, tensor.shape, None)

    def _weights_enter(self) -> dict[str, Tensor]:
        """Weights as inputs, but for those of layers that are frozen; what they start at."""
        frozen = {
            f"{n.owner}.{key}"
            for n in self.graph.nodes
            if n.facts is not None and self.is_frozen(n)
            for key in n.facts.weights
        }
        fixed = {
            f"{n.owner}.{key}"
            for n in self.graph.nodes
            if n.facts is not None
            for key, w in n.facts.weights.items()
            if not w.trained and f"{n.owner}.{key}" not in self.g.updates
        }
        starts = {
            t.name: t
            for t in self.model.tensors.values()
            if t.is_weight and t.name not in frozen | fixed
        }
        for tensor in starts.values():
            del self.model.tensors[tensor.name]
            self._keep(tensor.name, tensor.shape, None)
        return starts

    def _keep(self, name: str, shape: tuple[int, ...], start: float | None) -> Value:
        value = Value(name, shape)
        self.model.inputs.append(value)
        self.kept.append(Kept(name, shape, "float", start))
        return value

    def _is_trained(self, name: str) -> bool:
        return name not in self.g.updates

    def _number(self, name: str) -> Value:
        """A number that is told each time."""
        value = Value(name, ())
        self.model.inputs.append(value)
        return value

    # ── loss ───────────────────────────────────────────────────────────────────────────────────

    def _loss(self, values: Mapping[int, Value], ends: Sequence[Node]) -> Value:
        parts: list[Value] = []
        for k, (loss, end) in enumerate(zip(self.recipe.losses, ends, strict=True)):
            z = values[end.index]
            weights = self._class_weights(loss, z)
            target = self._target(loss, z)
            ignores = len(target.shape) > 1 and target.dtype == "int64"
            case = Case(z, self._reading(loss, end), target, weights, ignores)
            with self.g.layer(f"loss{k}" if len(ends) > 1 else "mean_loss", ""):
                parts.append(loss_of(self.g, loss, case))
        with self.g.layer(LOSS, ""):
            op = "Identity" if len(parts) == 1 else "Sum"
            return self.g.op(op, *parts)

    def _target(self, loss: Loss, z: Value) -> Value:
        """What is right: the input itself, classes, or numbers like the network's."""
        head = loss.on or self.graph.main.name
        if head not in self.targets:
            name = TARGET if loss.on is None else f"{TARGET}.{head}"
            is_class = self._are_classes and bool({"classes", "masks"} & set(loss.compares))
            mixes = any(word.is_of_batches for word in self.recipe.augment)
            if loss.is_of_input:
                # Without the noise that the network may be given: told apart.
                own = self.model.inputs[0]
                value = Value(name, own.shape)
            elif is_class and not mixes:
                value = Value(name, (z.shape[0], *z.shape[2:]), "int64")
            else:
                value = Value(name, z.shape)
            self.model.inputs.append(value)
            self.targets[head] = value
        return self.targets[head]

    @property
    def _are_classes(self) -> bool:
        """Does the data give classes, or may it?"""
        data = self.recipe.data
        return data is None or data.targets_given() in (None, "classes", "masks")

    def _class_weights(self, loss: Loss, z: Value) -> Value | None:
        """A number for each class: written in the spec, or counted from the data and told."""
        word = self.recipe.class_weights
        if word is None or not loss.weighs_classes or loss.is_of_input or not self._are_classes:
            return None
        if not isinstance(word.weights, str):
            with self.g.layer("class", ""):
                return self.g.floats("weights", word.weights)
        head = loss.on or self.graph.main.name
        if head not in self.class_weights:
            n = z.shape[1]
            assert isinstance(n, int), "the number of classes is known"
            name = CLASS_WEIGHTS if loss.on is None else f"{CLASS_WEIGHTS}.{loss.on}"
            # One number that says yes or no tells two classes apart.
            self.class_weights[head] = Value(name, (max(n, 2),))
            self.model.inputs.append(self.class_weights[head])
        return self.class_weights[head]

    def _right(self, values: Mapping[int, Value], ends: Sequence[Node]) -> list[str]:
        """How many examples (or pixels) the main head gets right, where it tells classes apart."""
        head = self.graph.main.name
        target = self.targets.get(head)
        z = values[ends[0].index]
        if (
            target is None
            or target.dtype != "int64"
            or self.recipe.losses[0].on not in (None, head)
        ):
            return []
        with self.g.layer(CORRECT, ""):
            if z.shape[1] == 1:
                return []
            op = "ArgMin" if ends[0].layer.kind == DISTANCES else "ArgMax"
            best = self.g.op(
                op, z, dims=target.shape, dtype="int64", part="best", axis=1, keepdims=0
            )
            hits = self.g.op("Equal", best, target, dtype="bool", part="hits")
            ones = self.g.op("Cast", hits, dtype="float", part="ones", to=1)
            self.g.reduce("ReduceSum", ones, range(len(ones.shape)), dims=(), keepdims=0)
        return [CORRECT]

    # ── several batches make a step ────────────────────────────────────────────────────────────

    def _gather(self, grads: dict[str, Value]) -> None:
        """Gradients become those of all examples since the last step.

        The mean over examples is Σ share·mean of each batch, as share = its examples/all of them.
        """
        if self.recipe.accumulate == 1:
            return
        g, shapes = self.g, {k.name: k.shape for k in self.kept}
        share, self.applies = self._number(SHARE), Value(APPLY, (), "bool")
        self.model.inputs.append(self.applies)
        for name, dw in grads.items():
            held = self._keep(f"{name}/sum", shapes[name], 0.0)
            with g.layer(f"{name}/gather", ""):
                grads[name] = g.op("Add", held, g.op("Mul", dw, share, part="share"))
                none = g.scalar("none", 0)
                kept = g.op("Where", self.applies, none, grads[name], dtype="float", part="kept")
            self._leaves(f"{name}/sum", kept)

    def _if_applied(self, name: str, after: Value) -> Value:
        """What is kept changes only where several batches have made a step."""
        if self.applies is None:
            return after
        before = next(v for v in self.model.inputs if v.name == name)
        with self.g.layer(f"{name}/if", ""):
            return self.g.op("Where", self.applies, after, before, dtype="float")

    def _steps(self) -> Value:
        """How many steps there are with this one."""
        g = self.g
        if self.applies is None:
            with g.layer("time", ""):
                return g.op("Cast", g.clock(), dtype="float", part="steps", to=1)
        before = self._keep(STEPS, (), 0.0)
        with g.layer("time", ""):
            now = g.op("Add", before, g.scalar("one", 1), part="steps")
        self._leaves(STEPS, self._if_applied(STEPS, now))
        return now

    # ── what follows ───────────────────────────────────────────────────────────────────────────

    def _clipped(self, grads: dict[str, Value]) -> dict[str, Value]:
        word, g = self.recipe.clip, self.g
        if isinstance(word, ClipValue):
            for name, dw in grads.items():
                with g.layer(f"{name}/clip", ""):
                    low, high = g.scalar("low", -word.limit), g.scalar("high", word.limit)
                    grads[name] = g.op("Clip", dw, low, high)
        if isinstance(word, ClipNorm):
            with g.layer("clip", ""):
                share = self._share(grads, word.limit)
            for name, dw in grads.items():
                with g.layer(f"{name}/clip", ""):
                    grads[name] = g.op("Mul", dw, share)
        return grads

    def _share(self, grads: Mapping[str, Value], limit: float) -> Value:
        """min(1, limit/length) of all gradients as one vector."""
        g = self.g
        squares: list[Value] = []
        for dw in grads.values():
            square = g.op("Mul", dw, dw, part="square")
            axes = range(len(dw.shape))
            squares.append(g.reduce("ReduceSum", square, axes, dims=(), keepdims=0, part="sum"))
        length = g.op("Sqrt", g.op("Sum", *squares, dims=(), part="all"), part="length")
        least = g.op("Add", length, g.scalar("eps", 1e-6), part="above_zero")
        return g.op(
            "Min", g.op("Div", g.scalar("limit", limit), least, part="ratio"), g.scalar("one", 1)
        )

    def _follow(self, grads: Mapping[str, Value]) -> None:
        """Every weight after its gradient."""
        optimizer, g = self.recipe.optimizer, self.g
        now = Moment(self._number(RATE), self._steps())
        shapes = {k.name: k.shape for k in self.kept}
        for name, dw in grads.items():
            held = {
                slot: self._keep(f"{name}/{slot}", shapes[name], start)
                for slot, start in slots(optimizer).items()
            }
            w = next(v for v in self.model.inputs if v.name == name)
            decays = optimizer.decay == "all" or name.endswith(".weight")
            with g.layer(f"{name}/step", ""):
                after, remembered = update(g, optimizer, w, dw, held, now, decays=decays)
            self._leaves(name, self._if_applied(name, after))
            for slot, value in remembered.items():
                slot = f"{name}/{slot}"
                self._leaves(slot, self._if_applied(slot, value))
            self._average(name, after)

    def _average(self, name: str, after: Value) -> None:
        """The moving mean of a weight, which starts as the weight does."""
        if self.recipe.ema is None:
            return
        decay, g = self.recipe.ema.decay, self.g
        mean = f"{name}/average"
        shape = tuple(n for n in after.shape if isinstance(n, int))
        before = self._keep(mean, shape, None)
        self.averaged[name] = mean
        with g.layer(f"{mean}/step", ""):
            old = g.op("Mul", before, g.scalar("decay", decay), part="old")
            new = g.op("Mul", after, g.scalar("share", 1 - decay), part="new")
            now = g.op("Add", old, new)
        self._leaves(mean, self._if_applied(mean, now))

    def _leaves(self, name: str, value: Value) -> None:
        """A kept value as it is after the step."""
        with self.g.layer(name + NEXT, ""):
            self.g.output(self.g.op("Identity", value))

    def _clock_ticks(self) -> None:
        g = self.g
        with g.layer(CLOCK + NEXT, ""):
            g.output(g.op("Add", g.clock(), g.whole("one", 1)))
        self.kept.append(Kept(CLOCK, (), "int64", 1))

    def _start(self, starts: Mapping[str, Tensor]) -> None:
        """Outputs with everything that is kept as it is before the first step."""
        g = self.g
        for kept in self.kept:
            with g.layer(FIRST + kept.name, ""):
                if kept.start is None:
                    own = starts[kept.name.removesuffix("/average")]
                    held = g.weight(own.name + "/first", own.shape, own.draw)
                    g.output(g.op("Identity", held))
                elif kept.dtype == "int64":
                    g.output(g.op("Identity", g.whole("start", int(kept.start))))
                else:
                    size = g.ints("size", kept.shape)
                    number = g.floats("start", (kept.start,))
                    g.output(g.op("Expand", number, size, dims=kept.shape))
