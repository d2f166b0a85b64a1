"""Which layer does a call with these arguments mean?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from cnnspec.layers import KINDS
from cnnspec.layers.base import Layer
from cnnspec.model.evaluate import evaluate
from cnnspec.model.module import BlockDef
from cnnspec.model.place import Place
from cnnspec.model.scope import Definition
from cnnspec.syntax import tree
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.bind import Argument, Site, bind
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Mismatch, Param
from cnnspec.vocab.value import UNKNOWN, Word

UNIVERSAL = ("weights", "frozen")
"""Arguments that every use with weights takes, layers and blocks alike."""


class Sharing(NamedTuple):
    """What the universal arguments say."""

    weights: str | None = None
    """The label of the use whose weights this one takes."""
    weights_span: Span | None = None
    frozen: bool = False
    frozen_span: Span | None = None


class Settled(NamedTuple):
    """A call, its arguments read; `layer` is none where something was wrong."""

    layer: Layer | None
    spans: Mapping[str, Span]
    sharing: Sharing


NO_SHARING = Sharing()


@dataclass(slots=True, eq=False)
class Calls:
    """Reads the arguments of calls. The same words with the same arguments are one `Layer`."""

    sink: Sink
    layers: dict[tuple[str, tuple[tuple[str, object], ...]], Layer] = field(
        default_factory=dict[tuple[str, tuple[tuple[str, object], ...]], Layer]
    )
    constant: dict[int, Settled] = field(default_factory=dict[int, Settled])
    """Calls of plain numbers, by identity of the tree's node: the same in every turn of a loop."""
    blocks: dict[str, type[Kind]] = field(default_factory=dict[str, type[Kind]])
    kinds_of_blocks: dict[int, type[Kind]] = field(default_factory=dict[int, type[Kind]])

    def settle(self, call: tree.Call, kind: type[Layer], place: Place) -> Settled:
        """The layer that a call means."""
        known = self.constant.get(id(call))
        if known is not None:
            return known
        given, sharing = self._arguments(call, place, kind.params)
        bound = bind(kind, given, Site(self.sink, call.name_span, place.trail, place.names))
        layer = self._layer(kind, bound.values) if bound.is_whole else None
        settled = Settled(layer, bound.spans, sharing)
        if all(isinstance(a.value, tree.Number | tree.Size) for a in call.args):
            self.constant[id(call)] = settled
        return settled

    def bind_block(
        self, call: tree.Call, block: BlockDef, place: Place
    ) -> tuple[dict[str, Definition] | None, Sharing]:
        """What each parameter of a block is in this call, or none where something was wrong."""
        kind = self._kind_of(block.tree)
        given, sharing = self._arguments(call, place, kind.params)
        bound = bind(kind, given, Site(self.sink, call.name_span, place.trail, place.names))
        if not bound.is_whole:
            return None, sharing
        site = block.home.site(self.sink)
        meanings: dict[str, Definition] = {}
        for formal in block.tree.formals:
            if formal.name in bound.values:
                value = bound.values[formal.name]
            else:
                assert formal.default is not None, "bind has asked for what has no default"
                value = evaluate(formal.default, site)
            meanings[formal.name] = Definition(value, "parameter of the block", formal.span)
        return meanings, sharing

    def _arguments(
        self, call: tree.Call, place: Place, params: Mapping[str, Param]
    ) -> tuple[list[Argument], Sharing]:
        given: list[Argument] = []
        sharing = NO_SHARING
        for arg in call.args:
            if arg.name in UNIVERSAL and arg.name not in params:
                sharing = self._universal(arg, place, sharing)
                continue
            value = evaluate(arg.value, place)
            given.append(Argument(arg.name, value, arg.value.span, arg.name_span))
        return given, sharing

    def _universal(self, arg: tree.Arg, place: Place, sharing: Sharing) -> Sharing:
        if arg.name == "weights":
            if isinstance(arg.value, tree.Ref) and arg.value.name in place.room.labels:
                return sharing._replace(weights=arg.value.name, weights_span=arg.value.span)
            self.sink.error(
                "unknown-label",
                "`weights` names an earlier use of the same layer or block, one with a label",
                arg.value.span,
                hint=did_you_mean(arg.value.span.text, place.room.labels),
                trail=place.trail,
            )
            return sharing
        value = evaluate(arg.value, place)
        if isinstance(value, bool):
            return sharing._replace(frozen=value, frozen_span=arg.value.span)
        if value is not UNKNOWN:
            self.sink.error(
                "wrong-argument",
                "`frozen` takes yes or no",
                arg.value.span,
                trail=place.trail,
            )
        return sharing

    def _layer(self, kind: type[Layer], values: dict[str, object]) -> Layer:
        key = (kind.kind, tuple(values.items()))
        layer = self.layers.get(key)
        if layer is None:
            layer = self.layers[key] = kind(**values)
        return layer

    def _kind_of(self, block: tree.Block) -> type[Kind]:
        """A block as a kind, so that its calls are read, and refused, like any other."""
        kind = self.kinds_of_blocks.get(id(block))
        if kind is None:
            kind = type("BlockKind", (Kind,), {"kind": block.name.name})
            kind.params = {f.name: _param(f) for f in block.formals}
            kind.positional = tuple(f.name for f in block.formals)
            self.kinds_of_blocks[id(block)] = kind
        return kind


class Anything:
    """What a block's parameter takes: any value, and any word that some layer knows."""

    words = ()

    def describe(self) -> str:
        return "a value"

    def read(self, value: object) -> object:
        if isinstance(value, Word) and value not in _all_words():
            raise Mismatch
        return value


def _param(formal: tree.Formal) -> Param:
    param = Param(Anything(), "a parameter of the block")
    param.name = formal.name
    if formal.default is not None:
        param.default = None
    return param


_WORDS: set[str] = set()


def _all_words() -> set[str]:
    if not _WORDS:
        _WORDS.update(w for k in KINDS.values() for p in k.params.values() for w in p.type.words)
    return _WORDS
