"""What comes of one use of a layer: its shape, its name, its weights, a node, or a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cnnspec.layers.base import Layer, product
from cnnspec.model.calls import Sharing
from cnnspec.model.graph import Facts, Graph, Node
from cnnspec.model.place import Place
from cnnspec.model.scope import BROKEN, RESERVED, Label, Room, Wire
from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Label as Note
from cnnspec.text.diagnostic import Refusal, Sink
from cnnspec.text.source import Span
from cnnspec.vocab.value import Shape, show_shape

LARGEST_TENSOR = 2**36
"""More numbers than this in one tensor is a mistake: 256 GiB."""


@dataclass(slots=True, eq=False)
class Uses:
    """Adds nodes to a graph. The same layer on the same shapes is asked once."""

    sink: Sink
    graph: Graph
    kinds: Mapping[str, object]
    """Names that a label may not take: they would no longer be calls."""
    answers: dict[tuple[int, tuple[Shape, ...]], Facts | Refusal] = field(
        default_factory=dict[tuple[int, tuple[Shape, ...]], "Facts | Refusal"]
    )
    by_path: dict[str, Node] = field(default_factory=dict[str, Node])

    def add(
        self,
        call: tree.Call,
        layer: Layer,
        spans: Mapping[str, Span],
        sharing: Sharing,
        inputs: Sequence[int],
        flow: int,
        place: Place,
    ) -> int:
        """The node that a call makes of its inputs, or `BROKEN`."""
        shapes = tuple(self.graph.nodes[i].shape or () for i in inputs)
        answer = self._ask(layer, shapes)
        if isinstance(answer, Refusal):
            self._refuse(answer, call, spans, inputs, place)
            return BROKEN
        room = place.room
        own = self.name(call, layer.base_name(), layer.anchors, flow, place)
        path = room.prefix + own
        node = Node(
            len(self.graph.nodes),
            path,
            layer,
            tuple(inputs),
            answer,
            call.span,
            spans,
            place.trail,
            path,
            room.frozen or sharing.frozen,
        )
        if answer.weights:
            self._share(node, own, call, sharing, place)
        elif sharing.weights_span or sharing.frozen_span:
            span = sharing.weights_span or sharing.frozen_span
            assert span is not None
            self.sink.error(
                "wrong-argument",
                f"`{layer.kind}` has no weights to share or to freeze",
                span,
                trail=place.trail,
            )
        self.graph.nodes.append(node)
        self.by_path[path] = node
        self._anchor(room, node.index, own, flow, is_anchor=layer.anchors or call.label is not None)
        return node.index

    def name(self, call: tree.Call, base: str, is_anchor: bool, flow: int, place: Place) -> str:
        """The name of a use in its room: its label, or from its kind and what flows into it."""
        room = place.room
        if call.label is not None:
            return self._labelled(call.label, place)
        if not is_anchor:
            before = room.anchors.get(flow)
            base = base if before is None else f"{before}_{base}"
        name = room.unique(base)
        while room.prefix + name in self.by_path:
            name = room.unique(base)
        return name

    def label(self, call: tree.Call, name: str, value: int, place: Place) -> None:
        """Let a label stand for a value from here on."""
        if call.label is not None:
            path = place.room.prefix + name
            place.room.labels[call.label.name] = Label(Wire(value), path, call.label.span)

    def adopt(self, room: Room, value: int, name: str) -> None:
        """What follows a block is named after the block."""
        if value >= 0:
            room.anchors[value] = name

    def history(self, node: int) -> tuple[str, ...]:
        """How a shape arose: the last layers that changed it, oldest first."""
        steps: list[str] = []
        nodes = self.graph.nodes
        at: Node | None = nodes[node]
        while at is not None and len(steps) < 5:
            before = nodes[at.inputs[0]] if at.inputs else None
            if before is None or before.shape != at.shape:
                line, _ = at.span.source.position(at.span.start)
                steps.append(f"{show_shape(at.shape or ())} by `{at.layer.kind}` in line {line}")
            at = before
        if len(steps) < 2:
            return ()
        return (f"the shape: {' → '.join(reversed(steps))}",)

    def _ask(self, layer: Layer, shapes: tuple[Shape, ...]) -> Facts | Refusal:
        key = (id(layer), shapes)
        answer = self.answers.get(key)
        if answer is None:
            answer = self.answers[key] = _facts(layer, shapes)
        return answer

    def _anchor(self, room: Room, node: int, own: str, flow: int, *, is_anchor: bool) -> None:
        if is_anchor:
            room.anchors[node] = own
        elif flow in room.anchors:
            room.anchors[node] = room.anchors[flow]

    def _labelled(self, label: tree.Label, place: Place) -> str:
        room, name = place.room, label.name
        if name in self.kinds or name in place.module.blocks or name in RESERVED:
            what = "a word of the language" if name not in self.kinds else "a kind of layer"
            what = "a block" if name in place.module.blocks else what
            if name != "input":
                self.sink.error(
                    "duplicate-name",
                    f"`{name}` is {what}; a value needs another name",
                    label.span,
                    trail=place.trail,
                )
                return room.unique(name)
        other = room.labels.get(name)
        taken = room.prefix + name in self.by_path or name in room.taken
        if taken and (other is None or other.span != label.span):
            first = other.span if other else None
            node = self.by_path.get(room.prefix + name)
            first = node.span if first is None and node else first
            self.sink.error(
                "duplicate-name",
                f"something here is called `{name}` already",
                label.span,
                labels=[Note(first, "it is here")] if first else [],
                trail=place.trail,
            )
        return room.unique(name)

    def _share(self, node: Node, own: str, call: tree.Call, sharing: Sharing, place: Place) -> None:
        """Lead a node to the weights that it shares, by its own argument or by its block's."""
        room = place.room
        owner, span = room.owner + own, call.span
        if sharing.weights is not None:
            owner = room.labels[sharing.weights].path
            span = sharing.weights_span or span
        if owner == node.path:
            return
        other = self.by_path.get(owner)
        assert node.facts is not None
        same = (
            other is not None
            and other.facts is not None
            and other.layer.kind == node.layer.kind
            and dict(other.facts.weights) == dict(node.facts.weights)
        )
        if other is None or not same:
            self.sink.error(
                "weights-differ",
                f"`{owner}` has no weights that fit: {_weights(node)} are needed"
                + (f", it has {_weights(other)}" if other else ""),
                span,
                labels=[Note(other.span, "this one")] if other else [],
                trail=place.trail,
            )
            return
        # What is frozen for one use is frozen for all: it is the same tensor.
        owning = self.by_path[other.owner]
        owning.frozen = node.frozen = node.frozen or owning.frozen
        node.owner = other.owner

    def _refuse(
        self,
        refusal: Refusal,
        call: tree.Call,
        spans: Mapping[str, Span],
        inputs: Sequence[int],
        place: Place,
    ) -> None:
        """Make a diagnostic of a rule's no: where, what was found, how that came about."""
        span = spans.get(refusal.param or "", call.name_span)
        nodes = self.graph.nodes
        labels = [
            Note(
                nodes[i].span,
                f"{f'branch {k} ends' if len(inputs) > 1 else 'its input comes from'} here: "
                f"{show_shape(nodes[i].shape or ())}",
            )
            for k, i in enumerate(inputs, 1)
        ]
        notes = [*refusal.notes, *(self.history(inputs[0]) if len(inputs) == 1 else ())]
        self.sink.error(
            refusal.code,
            refusal.message,
            span,
            hint=refusal.hint,
            labels=labels[:4],
            notes=notes,
            trail=place.trail,
        )


def _facts(layer: Layer, shapes: tuple[Shape, ...]) -> Facts | Refusal:
    try:
        y = layer.shape(*shapes)
        weights = layer.weights(*shapes)
        for what, shape in (("output", y), *((n, w.shape) for n, w in weights.items())):
            if product(shape) > LARGEST_TENSOR:
                raise Refusal(
                    "too-large",
                    f"the {what} of `{layer.kind}` would have {product(shape):,} numbers, "
                    f"{4 * product(shape) / 1e9:,.0f} GB",
                )
        return Facts(y, weights, layer.work(y, *shapes))
    except Refusal as refusal:
        return refusal


def _weights(node: Node) -> str:
    assert node.facts is not None
    found = [f"{n} {show_shape(w.shape)}" for n, w in node.facts.weights.items()]
    return ", ".join(found) or "none"
