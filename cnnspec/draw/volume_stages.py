"""Which maps of a network are drawn, and which layers go along with them?

A map is drawn for what changes a shape or joins branches. What only works on a map number by
number (an activation, a normalisation, dropout, the sum at the end of a residual branch), or puts
an earlier map beside it, is said at the map; a block deeper than asked is one map, its output; like
maps that follow each other are drawn together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cnnspec.draw.family import role
from cnnspec.layers.base import product
from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import facts_of
from cnnspec.vocab.value import Shape


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A map that is drawn, and the layers that make it."""

    nodes: tuple[Node, ...]
    """All of them; of a folded block all that lie in it, of a run those of all its turns."""
    before: tuple[Node, ...]
    """What is done to the maps that come in, without a map of its own being drawn: `flatten`."""
    maker: Node
    """The layer that makes the map; of a block its last."""
    after: tuple[Node, ...]
    """What is done to the map then."""
    sources: tuple[int, ...]
    """The stages whose maps it takes, those first that the maker takes."""
    joins: tuple[int, ...]
    """Those of them that a residual sum among `after` takes."""
    block: str = ""
    """The path of the block that is folded into it."""
    turns: "tuple[Stage, ...]" = ()
    """Of a run what follows each other."""

    @property
    def shape(self) -> Shape:
        return facts_of(self.after[-1] if self.after else self.maker).shape

    @property
    def own_shape(self) -> Shape:
        """Before others are put beside it."""
        names = [n.layer.kind for n in self.after]
        if "concat" not in names:
            return self.shape
        k = names.index("concat")
        return facts_of(self.after[k - 1] if k else self.maker).shape

    @property
    def times(self) -> int:
        return len(self.turns) or 1

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """One for each turn."""
        return tuple(s.shape for s in self.turns) or (self.shape,)


def stages(graph: Graph, depth: int) -> list[Stage]:
    """With 0 each block of the network's body is one map."""
    return _in_runs(_Gathering(graph, depth).stages())


def deepest(graph: Graph) -> int:
    """The depth from which on nothing is folded any more."""
    return max(n.path.count(".") for n in graph.nodes)


# ── pieces: single layers, and blocks folded ───────────────────────────────────────────────────


@dataclass(slots=True, eq=False)
class _Piece:
    nodes: tuple[Node, ...]
    block: str
    takes: list[int]
    """Pieces, in the order of the branches."""
    gives: list[int]
    leads: int | None = None
    """The piece with whose map it is said, if that is another one's."""
    is_early: bool = False
    """Is it done before that map is made?"""

    @property
    def node(self) -> Node:
        return self.nodes[-1]

    @property
    def shape(self) -> Shape:
        return facts_of(self.node).shape


class _Gathering:
    """Finds for every piece the map with which it is said."""

    def __init__(self, graph: Graph, depth: int) -> None:
        self._pieces = _pieces(graph, depth)
        self._origins: list[int] = []
        """For each piece the inputs that reach it, as a set of bits."""
        self._reach: list[int] = []
        """The most pieces on a way to it."""
        self._leaves = {o.node for o in graph.outputs}

    def stages(self) -> list[Stage]:
        for k, piece in enumerate(self._pieces):
            own = 0 if piece.takes else 1 << k
            for t in piece.takes:
                own |= self._origins[t]
            self._origins.append(own)
            self._reach.append(1 + max((self._reach[t] for t in piece.takes), default=0))
            if piece.leads is None and not piece.block:
                self._settle(k, piece)
        return self._made()

    def _settle(self, k: int, piece: _Piece) -> None:
        if len(piece.takes) > 1:
            piece.leads = self._summed(piece)
            return
        if not piece.takes or not _is_quiet(piece.node, self._pieces[piece.takes[0]].shape):
            return
        before = self._pieces[piece.takes[0]]
        early = self._heralds(k)
        if self._is_last_word(before) and (early is None or _keeps_places(piece, before)):
            piece.leads = self._map_of(piece.takes[0])
        elif early is not None:
            # It and what follows it up to the layer that makes a map.
            at = k
            while at != early:
                self._pieces[at].leads, self._pieces[at].is_early = early, True
                at = self._pieces[at].gives[0]

    def _is_last_word(self, piece: _Piece) -> bool:
        """Does nothing else see the map as it is so far?"""
        return len(piece.gives) == 1 and not piece.is_early and bool(piece.nodes[0].inputs)

    def _heralds(self, k: int) -> int | None:
        """The layer that a quiet piece prepares maps for, if it is for that layer alone."""
        at = k
        while True:
            piece = self._pieces[at]
            if len(piece.gives) != 1 or piece.node.index in self._leaves:
                return None
            after = self._pieces[piece.gives[0]]
            if after.block or len(after.takes) > 1:
                return None
            at = piece.gives[0]
            if not _is_quiet(after.node, piece.shape):
                return at

    def _summed(self, piece: _Piece) -> int | None:
        """The map with which the end of a skip is said: that of the longest branch."""
        main = max(piece.takes, key=lambda t: self._reach[t])
        others = [t for t in piece.takes if t != main]
        if not self._is_last_word(self._pieces[main]):
            return None
        if piece.node.layer.kind == "add" and self._pieces[main].shape == piece.shape:
            fits = all(self._origins[t] & self._origins[main] for t in others)
        else:
            # Side by side with what it was made of, rather than with another branch.
            is_wider = piece.node.layer.kind == "concat" and _differ_in_maps(self._pieces, piece)
            fits = is_wider and all(self._leads_to(t, main) for t in others)
        return self._map_of(main) if fits else None

    def _leads_to(self, start: int, end: int) -> bool:
        seen, stack = {end}, [end]
        while stack:
            for t in self._pieces[stack.pop()].takes:
                if t == start:
                    return True
                if t > start and t not in seen:
                    seen.add(t)
                    stack.append(t)
        return False

    def _map_of(self, k: int) -> int:
        leads = self._pieces[k].leads
        return k if leads is None else self._map_of(leads)

    def _made(self) -> list[Stage]:
        """The maps, in an order in which each follows what it takes."""
        maps = [k for k, p in enumerate(self._pieces) if p.leads is None]
        members: dict[int, list[int]] = {k: [] for k in maps}
        for k in range(len(self._pieces)):
            members[self._map_of(k)].append(k)
        ordered = list(_ordered({k: self._takes(k, ms) for k, ms in members.items()}))
        numbers = {k: i for i, k in enumerate(ordered)}
        return [self._stage(k, members[k], numbers) for k in ordered]

    def _takes(self, k: int, members: Sequence[int]) -> list[int]:
        first = self._pieces[k].takes
        more = [t for m in members if m != k for t in self._pieces[m].takes]
        return [m for t in (*first, *more) if (m := self._map_of(t)) != k]

    def _stage(self, k: int, members: Sequence[int], numbers: dict[int, int]) -> Stage:
        piece = self._pieces[k]
        early = tuple(self._pieces[m].node for m in members if self._pieces[m].is_early)
        late = [m for m in members if m != k and not self._pieces[m].is_early]
        sums = [t for m in late for t in self._pieces[m].takes if self._map_of(t) != k]
        return Stage(
            nodes=tuple(n for m in members for n in self._pieces[m].nodes),
            before=early,
            maker=piece.node,
            after=tuple(self._pieces[m].node for m in late),
            sources=tuple(dict.fromkeys(numbers[t] for t in self._takes(k, members))),
            joins=tuple(dict.fromkeys(numbers[self._map_of(t)] for t in sums)),
            block=piece.block,
        )


def _pieces(graph: Graph, depth: int) -> list[_Piece]:
    def block(node: Node) -> str:
        parts = node.path.split(".")
        return ".".join(parts[: depth + 1]) if len(parts) > depth + 1 else ""

    made: list[_Piece] = []
    place: list[int] = []
    for path, members in groupby(graph.nodes, block):
        inside = tuple(members)
        for nodes in [inside] if path else [(n,) for n in inside]:
            here = len(made)
            place += [here] * len(nodes)
            takes = [place[i] for n in nodes for i in n.inputs]
            made.append(_Piece(nodes, path, _once([t for t in takes if t != here]), []))
    for k, piece in enumerate(made):
        for t in piece.takes:
            made[t].gives.append(k)
    return made


def _once(numbers: Sequence[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


def _is_quiet(node: Node, x: Shape) -> bool:
    """Does it work on a map number by number, or only name the numbers otherwise?"""
    y, kind = facts_of(node).shape, node.layer.kind
    if kind in ("flatten", "reshape"):
        return True
    if kind in ("dropout", "droppath", "channelshuffle"):
        return True
    return role(node) in ("norm", "activation") and y == x


def _keeps_places(piece: _Piece, before: _Piece) -> bool:
    """Is the map still one, or was it none even before? A flattened map is drawn as a map."""
    return piece.shape == before.shape or product(before.shape[1:]) == 1


def _differ_in_maps(pieces: Sequence[_Piece], piece: _Piece) -> bool:
    """Is what is joined alike but for how many maps there are?"""
    return all(pieces[t].shape[1:] == piece.shape[1:] != () for t in piece.takes)


def _ordered(takes: dict[int, list[int]]) -> Iterator[int]:
    """Maps such that each follows what it takes; otherwise as they stand in the text."""
    done: set[int] = set()
    for start in takes:
        stack = [start]
        while stack:
            k = stack[-1]
            missing = [t for t in takes[k] if t not in done]
            if k in done:
                stack.pop()
            elif missing:
                stack += reversed(missing)
            else:
                stack.pop()
                done.add(k)
                yield k


# ── runs: the same map over and over ───────────────────────────────────────────────────────────


def _in_runs(found: Sequence[Stage]) -> list[Stage]:
    """Maps that follow each other and are alike, as one stage."""
    users = [0] * len(found)
    for stage in found:
        for s in stage.sources:
            users[s] += 1
    runs: list[list[int]] = []
    for k, stage in enumerate(found):
        if runs and _goes_on(found, runs[-1], stage, users):
            runs[-1].append(k)
        else:
            runs.append([k])
    numbers = {k: i for i, run in enumerate(runs) for k in run}
    return [_run([found[k] for k in run], numbers) for run in runs]


def _goes_on(found: Sequence[Stage], run: Sequence[int], stage: Stage, users: list[int]) -> bool:
    last = found[run[-1]]
    alike = _alike_blocks(found, run, stage) if stage.block else _alike_layers(last, stage)
    return alike and set(stage.sources) == {run[-1]} and users[run[-1]] == 1


def _alike_layers(one: Stage, two: Stage) -> bool:
    kinds = [[n.layer.kind for n in (*s.before, *s.after)] for s in (one, two)]
    return (
        not (one.block or two.before or is_labelled(one) or is_labelled(two))
        and bool(one.sources)
        and one.maker.layer.text() == two.maker.layer.text()
        and one.shape == two.shape
        and kinds[0] == kinds[1]
    )


def _alike_blocks(found: Sequence[Stage], run: Sequence[int], stage: Stage) -> bool:
    last = found[run[-1]]
    if block_name(last) != block_name(stage) or is_labelled(last) or is_labelled(stage):
        return False
    if last.shape == stage.shape:
        return True
    if last.shape[1:] != stage.shape[1:] or len(last.sources) != 1:
        return False
    # As many maps more each time, as in a DenseNet.
    before = found[last.sources[0]].shape
    growth = stage.shape[0] - last.shape[0]
    return len(before) == len(last.shape) and last.shape[0] - before[0] == growth


def _run(members: Sequence[Stage], numbers: dict[int, int]) -> Stage:
    first, last = members[0], members[-1]
    return replace(
        last,
        nodes=tuple(n for m in members for n in m.nodes),
        before=first.before,
        sources=_again(first.sources, numbers),
        joins=_again(first.joins, numbers),
        turns=tuple(members) if len(members) > 1 else (),
    )


def _again(old: Sequence[int], numbers: dict[int, int]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers[k] for k in old))


# ── names ──────────────────────────────────────────────────────────────────────────────────────


def block_name(stage: Stage) -> str:
    """As the block is called in the text: `bottleneck`."""
    blocks = [f.text for f in reversed(stage.maker.trail.chain())] if stage.maker.trail else []
    names = [text.split("`")[1] for text in blocks if text.startswith("block `")]
    level = stage.block.count(".")
    return names[level] if level < len(names) else own_name(stage)


def own_name(stage: Stage) -> str:
    """The last part of the path of its block or of the layer that makes the map."""
    return (stage.block or stage.maker.path).rpartition(".")[2]


def is_labelled(stage: Stage) -> bool:
    """Has the author given it a name?"""
    if stage.block:
        return not own_name(stage).startswith(block_name(stage))
    name, layer = own_name(stage), stage.maker.layer
    return not _is_derived(name, layer.base_name())


def _is_derived(name: str, base: str) -> bool:
    """`conv64_3x3`, `conv64_3x3_2`, or after a neighbour: `conv64_3x3_maxpool_2`."""
    stem, _, number = name.rpartition("_")
    plain = stem if number.isdigit() else name
    return any(n == base or n.endswith(f"_{base}") for n in (name, plain))
