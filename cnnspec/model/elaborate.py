"""What network does a body describe? Blocks, loops and conditions worked out, shapes as they arise.

Conditions may ask for shapes (`if in.channels != 64`), so expansion and inference go together: each
call is bound, its shape rule asked and a node added, in the order of the text.
"""

from collections import ChainMap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from cnnspec.layers import KINDS
from cnnspec.model.calls import Calls, Sharing
from cnnspec.model.estimate import Estimate
from cnnspec.model.evaluate import evaluate_closed, truth
from cnnspec.model.expects import Claim, check_here
from cnnspec.model.graph import Graph, Node, Output
from cnnspec.model.module import BlockDef, Module, bind_let, bind_names
from cnnspec.model.place import Place
from cnnspec.model.scope import BROKEN, NOTHING, Label, Room, Scope, Wire
from cnnspec.model.uses import Uses
from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Frame, Sink
from cnnspec.text.diagnostic import Label as Note
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import Unknown, show

DEEPEST = 64
"""How many bodies may lie in each other, blocks' bodies included."""

MOST_LAYERS = 100_000
MOST_STATEMENTS = 300_000


class TooLarge(Exception):
    """The network is beyond all bounds, which has been said; elaboration ends at once."""


@dataclass(slots=True, eq=False)
class Elaborator:
    """Walks a network's body and fills a graph."""

    sink: Sink
    graph: Graph
    claims: list[Claim] = field(default_factory=list[Claim])
    """What is expected of the network as a whole, to be checked when it is complete."""
    calls: Calls = field(init=False)
    uses: Uses = field(init=False)
    estimate: Estimate = field(default_factory=Estimate)
    under_way: list[BlockDef] = field(default_factory=list[BlockDef])
    statements: int = 0
    heads: set[str] = field(default_factory=set[str])
    """Names of outputs."""
    has_missed_input: bool = False
    ends_in_head: bool = False

    def __post_init__(self) -> None:
        self.calls = Calls(self.sink)
        self.uses = Uses(self.sink, self.graph, KINDS)

    def network(self, network: tree.Network, module: Module) -> None:
        room = Room("", "", frozen=False)
        place = Place(self.graph.nodes, self.sink, module, room, Scope(module.scope), NOTHING)
        try:
            end = self._body(network.body, place, NOTHING)
        except TooLarge:
            return
        if end >= 0 and not self.ends_in_head:
            self.graph.outputs.append(Output("output", end))

    # ── statements ─────────────────────────────────────────────────────────────────────────────

    def _body(self, body: tree.Body, place: Place, flow: int) -> int:
        """The value that leaves a body which `flow` enters."""
        if place.depth > DEEPEST:
            self.sink.error(
                "nesting-too-deep",
                f"bodies lie in each other more than {DEEPEST} deep",
                body.span._replace(end=body.span.start + 1),
                trail=place.trail,
            )
            raise TooLarge
        for statement in body.statements:
            self._count(statement.span)
            place.current = flow
            match statement:
                case tree.Flow():
                    for call in statement.calls:
                        place.current = flow
                        flow = self._call(call, place, flow)
                case tree.Repeat():
                    flow = self._repeat(statement, place, flow)
                case tree.For():
                    flow = self._for(statement, place, flow)
                case tree.If():
                    flow = self._if(statement, place, flow)
                case tree.Head():
                    self._head(statement, place, flow)
                case tree.Let():
                    bind_let(statement, place.scope, place)
                case tree.Expect():
                    for claim in statement.claims:
                        check_here(claim, self._node(flow), place, self.claims)
                case tree.Broken():
                    flow = BROKEN
        return flow

    def _repeat(self, loop: tree.Repeat, place: Place, flow: int) -> int:
        count = evaluate_closed(loop.count, place)
        if isinstance(count, Unknown):
            # One turn, so that mistakes in the body are found too.
            self._body(loop.body, place.body(BROKEN), BROKEN)
            return BROKEN
        if type(count) is not int or count < 0:
            self.sink.error(
                "wrong-count",
                f"`repeat` takes a whole number of at least 0; here it is {show(count)}",
                loop.count.span,
                trail=place.trail,
            )
            return BROKEN
        self._bound(loop.body, place, loop.count.span, count)
        for turn in range(1, count + 1):
            trail = Frame(f"repeat {turn} of {count}", loop.span, place.trail)
            flow = self._body(loop.body, place.body(flow, trail=trail, turns=count), flow)
        return flow

    def _for(self, loop: tree.For, place: Place, flow: int) -> int:
        value = evaluate_closed(loop.items, place)
        if isinstance(value, Unknown):
            return BROKEN
        if not isinstance(value, tuple):
            self.sink.error(
                "wrong-tuple",
                f"`for` takes a list; here it is {show(value)}",
                loop.items.span,
                hint=f"range({show(value)}) counts from 0" if type(value) is int else None,
                trail=place.trail,
            )
            return BROKEN
        items = cast("tuple[object, ...]", value)
        self._bound(loop.body, place, loop.items.span, len(items))
        for turn, item in enumerate(items, 1):
            trail = Frame(f"turn {turn} of {len(items)} of `for`", loop.span, place.trail)
            inner = place.body(flow, trail=trail, turns=len(items))
            bind_names(
                loop.names,
                loop.is_tuple,
                item,
                "loop variable",
                loop.items.span,
                inner.scope,
                inner,
            )
            flow = self._body(loop.body, inner, flow)
        return flow

    def _if(self, choice: tree.If, place: Place, flow: int) -> int:
        for condition, body in choice.arms:
            answer = truth(condition, place)
            if isinstance(answer, Unknown):
                return BROKEN
            if answer:
                return self._body(body, place.body(flow), flow)
        if choice.otherwise is not None:
            return self._body(choice.otherwise, place.body(flow), flow)
        return flow

    def _head(self, head: tree.Head, place: Place, flow: int) -> None:
        """A side branch; its end is an output."""
        name = place.room.prefix + head.name.name
        if name in self.heads or name == "output":
            self.sink.error(
                "duplicate-name",
                f"there is an output called `{name}` already"
                if name in self.heads
                else "the end of the network is called `output`; a head needs another name",
                head.name.span,
                trail=place.trail,
            )
            return
        self.heads.add(name)
        own = place.room.unique(head.name.name)
        room = Room(f"{place.room.prefix}{own}.", f"{place.room.owner}{own}.", place.room.frozen)
        inner = place.room_of(place.module, room, Scope(place.scope), flow, place.trail)
        # Labels of the trunk are known in its heads.
        room.labels = ChainMap({}, place.room.labels)
        end = self._body(head.body, inner, flow)
        if end == NOTHING:
            self._missing_input(head.name.span, place)
        if end >= 0:
            self.graph.outputs.append(Output(name, end))
        self.ends_in_head = True

    # ── calls ──────────────────────────────────────────────────────────────────────────────────

    def _call(self, call: tree.Call, place: Place, flow: int) -> int:
        """The value that a call makes of the flow: a layer, a block, or a value's bare name."""
        self.ends_in_head = False
        value = self._value(call, place)
        if value is not None:
            return value
        kind = KINDS.get(call.name)
        if kind is not None:
            if call.branches is not None and not kind.is_merge:
                self._no_branches(call, place)
                return BROKEN
            return self._layer(call, place, flow)
        block = place.module.blocks.get(call.name)
        if block is not None:
            if call.branches is not None:
                self._no_branches(call, place)
                return BROKEN
            return self._block(call, block, place, flow)
        self._unknown(call, place)
        return BROKEN

    def _value(self, call: tree.Call, place: Place) -> int | None:
        """The value that a bare name stands for, or none if it is no such name."""
        if call.args or call.branches is not None:
            return None
        if call.name in KINDS and call.name != "input":
            return None
        wire = place.wire(call.name)
        if wire is None:
            return None
        if wire.node == NOTHING:
            self._missing_input(call.name_span, place)
            return BROKEN
        if call.label is not None:
            node = self._node(wire.node)
            path = node.path if node else call.label.name
            place.room.labels[call.label.name] = Label(wire, path, call.label.span)
        return wire.node

    def _layer(self, call: tree.Call, place: Place, flow: int) -> int:
        kind = KINDS[call.name]
        settled = self.calls.settle(call, kind, place)
        if kind.kind == "input":
            inputs: Sequence[int] = ()
        elif kind.is_merge:
            inputs = self._branches(call, place, flow)
        else:
            inputs = (flow,)
            if flow == NOTHING:
                self._missing_input(call.name_span, place)
        if settled.layer is None or any(i < 0 for i in inputs):
            self._label(call, BROKEN, place)
            return BROKEN
        if len(self.graph.nodes) >= MOST_LAYERS:
            self._too_large(f"the network has more than {MOST_LAYERS:,} layers", call.span)
        node = self.uses.add(
            call, settled.layer, settled.spans, settled.sharing, inputs, flow, place
        )
        self._label(call, node, place)
        if kind.kind == "input" and node >= 0 and call.label is None:
            # An input without a label is known by its own name.
            path = self.graph.nodes[node].path
            place.room.labels.setdefault(path, Label(Wire(node), path, call.span))
        return node

    def _branches(self, call: tree.Call, place: Place, flow: int) -> list[int]:
        """The ends of a merge's branches."""
        if call.branches is None:
            self.sink.error(
                "branches-missing",
                f"`{call.name}` joins branches and has none",
                call.name_span,
                hint=f"write `{call.name} {{ | … | in }}`",
                trail=place.trail,
            )
            return [BROKEN]
        ends: list[int] = []
        for branch in call.branches:
            end = self._body(branch, place.body(flow), flow)
            if end == NOTHING:
                self._missing_input(branch.span._replace(end=branch.span.start + 1), place)
                end = BROKEN
            ends.append(end)
        return ends

    def _block(self, call: tree.Call, block: BlockDef, place: Place, flow: int) -> int:
        if block in self.under_way:
            self._recursion(call, block, place)
            return BROKEN
        meanings, sharing = self.calls.bind_block(call, block, place)
        if meanings is None:
            self._label(call, BROKEN, place)
            return BROKEN
        base = call.name
        first = next(iter(meanings.values()), None)
        if first is not None and type(first.value) is int and first.value >= 0:
            base = f"{call.name}{first.value}"
        own = self.uses.name(call, base, True, flow, place)
        self._count(call.span, 1 + len(block.tree.formals))
        self._bound(block.tree.body, place, call.span, 1)
        room = self._room(own, sharing, place)
        trail = Frame(f"block `{call.name}`", call.span, place.trail)
        scope = Scope(block.home.scope, meanings)
        inner = place.room_of(block.home, room, scope, flow, trail)
        self.under_way.append(block)
        end = self._body(block.tree.body, inner, flow)
        self.under_way.pop()
        if end != flow:
            # A block that hands on what entered it renames nothing.
            self.uses.adopt(place.room, end, own)
        if call.label is not None:
            path = place.room.prefix + own
            place.room.labels[call.label.name] = Label(Wire(end), path, call.label.span)
        return end

    def _room(self, own: str, sharing: Sharing, place: Place) -> Room:
        owner = place.room.owner + own
        if sharing.weights is not None:
            owner = place.room.labels[sharing.weights].path
        return Room(f"{place.room.prefix}{own}.", f"{owner}.", place.room.frozen or sharing.frozen)

    def _label(self, call: tree.Call, value: int, place: Place) -> None:
        if call.label is not None:
            path = self.graph.nodes[value].path if value >= 0 else call.label.name
            place.room.labels[call.label.name] = Label(Wire(value), path, call.label.span)

    def _node(self, flow: int) -> Node | None:
        return self.graph.nodes[flow] if flow >= 0 else None

    # ── what may be wrong ──────────────────────────────────────────────────────────────────────

    def _bound(self, body: tree.Body, place: Place, span: Span, turns: int) -> None:
        """Refuse, before the first turn, loops and blocks that multiply to too much."""
        least = max(1, self.estimate.of_body(body, place.module))
        total = place.turns * turns * least
        if total > MOST_LAYERS and turns > 0:
            self._too_large(
                f"{total:,} layers would come of this; {MOST_LAYERS:,} are the most", span, place
            )

    def _count(self, span: Span, steps: int = 1) -> None:
        """Bound what is run, so that statements that make no layer have an end too."""
        self.statements += steps
        if self.statements > MOST_STATEMENTS:
            self._too_large(
                f"more than {MOST_STATEMENTS:,} statements are run, "
                "blocks and their parameters counted",
                span,
            )

    def _too_large(self, message: str, span: Span, place: Place | None = None) -> None:
        trail = place.trail if place else None
        self.sink.error("network-too-large", message, span, trail=trail)
        raise TooLarge

    def _missing_input(self, span: Span, place: Place) -> None:
        """Say once that nothing flows yet."""
        if not self.has_missed_input:
            self.has_missed_input = True
            self.sink.error(
                "missing-input",
                f"nothing reaches `{span.text}`: no `input` stands before it",
                span,
                hint="begin the network with its input, as in `input 1x28x28`",
                trail=place.trail,
            )

    def _no_branches(self, call: tree.Call, place: Place) -> None:
        merges = ", ".join(name for name, kind in KINDS.items() if kind.is_merge)
        self.sink.error(
            "branches-unexpected",
            f"`{call.name}` takes no branches",
            call.name_span,
            hint=f"branches are joined by one of {merges}",
            trail=place.trail,
        )

    def _recursion(self, call: tree.Call, block: BlockDef, place: Place) -> None:
        way = [b.tree.name.name for b in self.under_way[self.under_way.index(block) :]]
        self.sink.error(
            "block-recursion",
            f"block `{call.name}` is used inside itself",
            call.name_span,
            labels=[Note(block.tree.name.span, "it is defined here")],
            notes=[" uses ".join([*way, call.name])] if len(way) > 1 else [],
            trail=place.trail,
        )

    def _unknown(self, call: tree.Call, place: Place) -> None:
        meaning = place.lookup(call.name)
        if isinstance(meaning, Unknown):
            return
        if isinstance(meaning, Wire):
            what = f"`{call.name}` is a value, which takes no arguments"
        elif meaning is not None:
            what = f"`{call.name}` is {show(meaning)}, not a layer, a block or a value that flows"
        else:
            what = f"there is no layer, block or value called `{call.name}`"
        known = [*KINDS, *place.module.blocks, *place.room.labels]
        self.sink.error(
            "unknown-layer" if meaning is None else "wrong-step",
            what,
            call.name_span,
            hint=did_you_mean(call.name, known) or (ALIASES.get(call.name.lower())),
            trail=place.trail,
        )


def _said(word: str) -> str:
    return f"here it is called `{word}`"


ALIASES = {
    "dense": _said("fc"),
    "linear": _said("fc"),
    "fullyconnected": _said("fc"),
    "conv1d": _said("conv"),
    "conv2d": _said("conv"),
    "conv3d": _said("conv"),
    "convolution": _said("conv"),
    "convtranspose": _said("deconv"),
    "convtranspose2d": _said("deconv"),
    "batchnorm": _said("bn"),
    "batchnorm2d": _said("bn"),
    "layernorm": _said("ln"),
    "groupnorm": _said("gn"),
    "maxpool2d": _said("maxpool"),
    "avgpool2d": _said("avgpool"),
    "globalavgpool": "here it is called `avgpool global`",
    "globalaveragepool": "here it is called `avgpool global`",
    "gap": "here it is called `avgpool global`",
    "leakyrelu": _said("leaky"),
    "swish": _said("silu"),
    "cat": _said("concat"),
    "sum": _said("add"),
}
"""Words of other tools."""
