"""Which words stand below a map, in its tip, and for the figure as a whole?"""

from collections import Counter
from collections.abc import Iterator, Sequence

from cnnspec.draw.letters import fitted, width
from cnnspec.draw.volume_stages import Stage, block_name, is_labelled, own_name
from cnnspec.model.graph import Graph, Node
from cnnspec.model.measure import Measure
from cnnspec.model.tally import count, counts, facts_of
from cnnspec.report.calls import arguments
from cnnspec.text.excerpt import safe
from cnnspec.vocab.value import Shape, show_shape

SIZE = 14.0
"""Of all letters: on a slide of 1280 pixels, 1600 of ours, they are 11 pixels high."""

LINES = 7
"""Below one map; a tip has all."""

UNSAID = ("bias=", "init=", "connect=", "ceil=")
USUAL = ("stride=1", "pad=0", "groups=1", "dilation=1")
"""Arguments that a tip has, but a picture does without."""

Line = tuple[str, bool]
"""A line below a map, and whether it is bold."""


class Captions:
    """The words of a network's stages."""

    def __init__(self, graph: Graph) -> None:
        self._counts = counts(graph)
        self._heads = {o.node: o.name for o in graph.outputs if o.name != "output"}

    def lines(self, stage: Stage, room: float) -> list[Line]:
        """As many as fit below a map, none wider than the room."""
        made = [(line, True) for line in _wrapped(title(stage), room, bold=True)]
        for text in self._facts(stage):
            made += [(line, False) for line in _wrapped(text, room)]
        return made if len(made) <= LINES else [*made[: LINES - 1], ("…", False)]

    def _facts(self, stage: Stage) -> Iterator[str]:
        yield from self._ends(stage)
        yield from _call(stage)
        if stage.before:
            yield f"after {_kinds(stage.before)}"
        if stage.after:
            yield f"then {_kinds(stage.after)}" if _is_last(stage) else f"+ {_added(stage)}"
        shared = _owner(stage)
        if shared:
            yield f"weights of {shared}"
        params = self.params(stage)
        if params:
            yield f"{short(params)} params"

    def _ends(self, stage: Stage) -> Iterator[str]:
        """Its shape, and the heads that end in it; those of several, each with its own."""
        ends = [n for n in stage.nodes if n.index in self._heads]
        if len(ends) > 1:
            for n in ends:
                # The block is named above.
                name = self._heads[n.index].removeprefix(f"{stage.block}.")
                yield f"→ {name} {show_map(facts_of(n).shape)}"
            return
        yield shapes(stage)
        names = [self._heads[n.index] for n in ends]
        # A head that is folded is called by its name anyway.
        yield from (f"→ {name}" for name in names if name != title(stage))

    def params(self, stage: Stage) -> int:
        return sum(self._counts[n.index].params for n in stage.nodes)

    def tip(self, stage: Stage) -> str:
        """What the pointer shows on a map: everything, exactly."""
        macs = sum(facts_of(n).work.macs for n in stage.nodes)
        place = stage.block or stage.maker.path
        told = [n.layer.text() for n in stage.nodes] if not stage.block else [title(stage)]
        params = self.params(stage)
        parts = [place, " → ".join(told[:12]), shapes(stage)]
        parts += [f"{params:,} parameters"] if params else []
        parts += [f"{macs:,} MACs"] if macs else []
        return safe(" · ".join(parts))


def title(stage: Stage) -> str:
    """What it is called: its label, or else what is called there; with how often."""
    times = f" ×{stage.times}" if stage.times > 1 else ""
    if is_labelled(stage) or not stage.sources:
        return own_name(stage) + times
    if stage.block:
        return block_name(stage) + times
    return " ".join(_head(stage.maker)) + times


def shapes(stage: Stage) -> str:
    """`6@28x28`, of a run that grows `128→512@28x28`."""
    first, last = stage.shapes[0], stage.shapes[-1]
    if stage.own_shape != stage.shape:
        return show_map(stage.own_shape)
    if first == last:
        return show_map(last)
    return f"{first[0]}→{show_map(last)}"


def show_map(shape: Shape) -> str:
    """`6@28x28`, as in the papers; of a vector its length."""
    return str(shape[0]) if len(shape) == 1 else f"{shape[0]}@{show_shape(shape[1:])}"


def short(n: int) -> str:
    """`7,850`, `61.7k`, `138M`: exact as long as that is short."""
    if n < 10_000:
        return f"{n:,}"
    amount = float(n)
    for unit in ("k", "M", "G"):
        amount /= 1000
        if amount < 999.5 or unit == "G":
            digits = max(0, 3 - len(str(int(amount))))
            return f"{amount:,.{digits}f}{unit}"
    raise AssertionError("billions take any number")


def _head(node: Node) -> list[str]:
    """The call without what has a name."""
    return [w for w in arguments(node.layer.text()) if "=" not in w]


def _call(stage: Stage) -> Iterator[str]:
    """What its call says beyond the title; of a block what is in it."""
    if not stage.sources:
        return
    if stage.block:
        if is_labelled(stage):
            yield block_name(stage)
        yield _contents(stage)
        return
    words = arguments(stage.maker.layer.text())
    named = [w for w in words if "=" in w and w not in USUAL and not w.startswith(UNSAID)]
    placed = " ".join(_head(stage.maker))
    yield from (t for t in (placed if is_labelled(stage) else "", ", ".join(named)) if t)


def _contents(stage: Stage) -> str:
    """`3–4 conv, 1 add`: what works and what joins in a block, from turn to turn."""
    turns = [_tally(turn) for turn in (stage.turns or (stage,))]
    kinds = dict.fromkeys(kind for turn in turns for kind in turn)
    spans = {k: (min(t[k] for t in turns), max(t[k] for t in turns)) for k in kinds}
    said = [f"{a}–{b} {k}" if a != b else f"{b} {k}" for k, (a, b) in spans.items()]
    return ", ".join(said[:3]) + (", …" if len(said) > 3 else "")


def _tally(stage: Stage) -> Counter[str]:
    """The layers of a block that multiply by weights, or join or pool, the most frequent first."""
    told = [n for n in stage.nodes if _is_told(n) and n not in stage.after]
    return Counter(n.layer.kind for n in told)


def _is_told(node: Node) -> bool:
    facts = facts_of(node)
    return bool(facts.weights and facts.work.macs) or node.layer.is_merge


def _kinds(nodes: Sequence[Node]) -> str:
    """`bn, relu`; of dropout and the like nothing but the word."""
    return ", ".join(n.layer.kind for n in nodes)


def _added(stage: Stage) -> str:
    """What is done to the map; of a concatenation also how many maps there are then, of a run in
    how many of its turns."""
    said = _kinds(stage.after)
    if stage.own_shape != stage.shape:
        return f"{said} to {stage.shape[0]}"
    some = sum(1 for turn in stage.turns if turn.after)
    return said if some in (0, stage.times) else f"{said} in {some} of {stage.times}"


def _is_last(stage: Stage) -> bool:
    """Is it done once, at the end of a run?"""
    return len(stage.turns) > 1 and not any(turn.after for turn in stage.turns[:-1])


def _owner(stage: Stage) -> str:
    """The use that it shares its weights with."""
    owners = [n.owner for n in stage.nodes if n.is_sharing and count(facts_of(n)).params]
    if not owners:
        return ""
    if not stage.block:
        return owners[0]
    # The block that stands where ours does.
    return ".".join(owners[0].split(".")[: stage.block.count(".") + 1])


def _wrapped(text: str, room: float, *, bold: bool = False) -> list[str]:
    """In lines that the room holds, broken between words."""
    lines: list[str] = []
    for word in safe(text).split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, SIZE, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(fitted(word, room, SIZE, bold=bold))
    return lines


# ── of the whole ───────────────────────────────────────────────────────────────────────────────


def heading(graph: Graph, found: Measure) -> str:
    """`61,706 parameters · 416,520 MACs · 1x28x28 → 10`."""
    enter = ", ".join(show_shape(facts_of(n).shape) for n in graph.inputs)
    leave = ", ".join(show_shape(facts_of(graph.nodes[o.node]).shape) for o in graph.outputs[:4])
    more = f" and {len(graph.outputs) - 4} more" if len(graph.outputs) > 4 else ""
    return f"{_long(found.params)} parameters · {_long(found.macs)} MACs · {enter} → {leave}{more}"


def _long(n: int) -> str:
    """Exact up to hundreds of millions, which a heading has room for."""
    return f"{n:,}" if n < 10**9 else short(n)


def description(graph: Graph, stages: Sequence[Stage], totals: str, folded: str) -> str:
    """What the network is, in words, map after map."""
    said = [f"{title(s)} ({shapes(s)}{_behind(s)})" for s in stages[:40]]
    more = f", and {len(stages) - 40} more" if len(stages) > 40 else ""
    skips = [
        f"{title(stages[s])} is also taken by {title(stage)}"
        for k, stage in enumerate(stages)
        for s in stage.sources
        if len(stage.sources) > 1 and s != k - 1
    ]
    sentences = [
        f"The network {graph.name}: {totals}",
        f"Its maps from left to right: {', '.join(said)}{more}",
        *(["; ".join(skips[:12]) + ("; …" if len(skips) > 12 else "")] if skips else []),
        *([folded] if folded else []),
    ]
    return ". ".join(sentences) + "."


def _behind(stage: Stage) -> str:
    return f" with {_kinds(stage.after)}" if stage.after else ""


def folded(stages: Sequence[Stage], depth: int) -> str:
    """What is not drawn layer by layer; nothing where all is."""
    found = [s for s in stages if s.block]
    if not found:
        return ""
    blocks = sum(s.times for s in found)
    layers = sum(len(s.nodes) - len(s.after) for s in found)
    return (
        f"Folded at depth {depth}: {blocks:,} block{'s' * (blocks > 1)} "
        f"with {layers:,} layers, each drawn as the map that leaves it"
    )
