"""What does a report state? Its numbers as typed, versioned data, which every renderer shows."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cnnspec.model.graph import Graph, Node
from cnnspec.model.measure import Measure, measure
from cnnspec.model.memory import training
from cnnspec.model.receptive import Field as Seen
from cnnspec.model.receptive import fields
from cnnspec.model.tally import Count, counts, facts_of, value_bytes
from cnnspec.report.arithmetic import arithmetic
from cnnspec.vocab.value import show

SCHEMA = 1


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sum(Model):
    """One line of the arithmetic of a layer."""

    of: Literal["size", "parameters", "buffers", "macs", "connections", "receptive_field"] = Field(
        description="what the line works out"
    )
    text: str = Field(description="the formula with its numbers and its result")

    @property
    def label(self) -> str:
        """What it is about, as short as the title of its column."""
        return "rf" if self.of == "receptive_field" else self.of


class Row(Model):
    """One use of a layer, or several folded into one row."""

    path: str = Field(description="unique and dotted; weights are `path.weight`, `path.bias`, …")
    block: str = Field(description="path of the innermost block around it; empty outside blocks")
    kind: str = Field(description="the word of the language, or `block` for a folded row")
    call: str = Field(description="the call as the language writes it, defaults left out")
    layers: int = Field(description="how many uses of layers the row stands for; 0 for an input")
    source: str = Field(description="file:line:column of the call")
    shape: tuple[int, ...] = Field(description="of the output, channels first, without the batch")
    params: int = Field(description="trainable numbers, frozen ones among them")
    frozen: int = Field(description="how many of them are kept as they are")
    buffers: int = Field(description="running statistics and fixed tables")
    shares: str | None = Field(description="path of the use that its weights belong to")
    macs: int = Field(description="multiply-accumulates for one image")
    connections: int = Field(description="uses of weights, biases and pooled inputs by outputs")
    receptive_field: tuple[int, ...] | None = Field(
        description="pixels of the input along each axis; none after a layer sees the whole map"
    )
    jump: tuple[float, ...] | None = Field(
        description="input pixels between the views of neighbours, along each axis"
    )
    start: tuple[float, ...] | None = Field(
        description="input pixel at which the first view begins; negative in the padding"
    )
    activation_bytes: int = Field(description="of the output for the batch; 0 for a view")
    arithmetic: tuple[Sum, ...] = Field(description="how the numbers come about, where asked for")


class End(Model):
    """A value that enters or leaves the network."""

    name: str = Field(description="of the input, or of the `head`")
    path: str = Field(description="the row that makes it")
    shape: tuple[int, ...] = Field(description="channels first, without the batch")


class Share(Model):
    """What one kind of layer contributes."""

    kind: str = Field(description="the word of the language")
    layers: int = Field(description="how many uses of it have parameters or work")
    params: int = Field(description="trainable numbers of all of them")
    params_share: float = Field(description="of the network's parameters, from 0 to 1")
    macs: int = Field(description="multiply-accumulates of all of them")
    macs_share: float = Field(description="of the network's macs, from 0 to 1")


class InferenceMemory(Model):
    """Bytes to run one batch."""

    total: int = Field(description="weights + values")
    weights: int = Field(description="of all weights, buffers among them")
    values: int = Field(description="the largest sum of values alive together")
    peak: str = Field(description="path of the layer at which that is")


class TrainingMemory(Model):
    """Bytes for one step on one batch."""

    total: int = Field(description="the sum of what follows")
    weights: int = Field(
        description="of all weights, buffers among them; those that a step changes twice, as one "
        "copy is read and the other written"
    )
    gradients: int = Field(description="the most of those of weights that are alive together")
    optimizer: str = Field(description="the optimizer assumed")
    state: int = Field(description="what the optimizer keeps, twice as well")
    values: int = Field(
        description="those of the forward pass that the backward pass needs, where most is alive"
    )
    value_gradients: int = Field(
        description="their gradients then, and copies that are made on the way to gradients"
    )
    spare: int = Field(
        description="room for one more of the largest block, as what is given back lies in pieces"
    )


class Totals(Model):
    """The network as a whole."""

    params: int = Field(description="trainable numbers: trained + frozen")
    trained: int = Field(description="those that training changes")
    frozen: int = Field(description="those that the spec keeps as they are")
    buffers: int = Field(description="running statistics and fixed tables")
    weight_bytes: int = Field(description="of params and buffers, at 4 bytes a number")
    macs: int = Field(description="multiply-accumulates for one image")
    flops: int = Field(description="2·macs")
    connections: int = Field(description="uses of weights, biases and pooled inputs by outputs")
    receptive_field: tuple[int, ...] = Field(
        description="along each axis, of the last value before a layer sees the whole map"
    )
    layers: int = Field(description="uses of layers, inputs not counted")
    depth: int = Field(description="longest path, counted in layers that multiply by weights")
    inference: InferenceMemory = Field(description="memory to run a batch")
    training: TrainingMemory = Field(description="memory to train on a batch")


class Conventions(Model):
    """What the numbers count."""

    macs: str = (
        "1 MAC = 1 multiply-add; FLOPs = 2·MACs; biases, activations and normalisation "
        "are not counted"
    )
    sharing: str = "weights that several uses share are counted once, work for every use"
    receptive_field: str = (
        "pixels of the input that can change a value; gates and normalisation over the whole map "
        "are left aside"
    )
    depth: str = "the longest path, counted in layers that multiply by weights"
    memory: str = (
        "an estimate: 4 bytes a number; what must be alive together (in training: twice what a "
        "step changes, what the backward pass needs, the copies made for it, and room for one more "
        "of the largest), without the workspace of kernels and the runtime's own needs"
    )


class Report(Model):
    """Everything that is known of a network without its weights' values."""

    schema_: Literal[1] = Field(SCHEMA, alias="schema", description="version of this layout")
    network: str = Field(description="its name")
    file: str = Field(description="the spec it stands in, as it was named in the call")
    settings: dict[str, str] = Field(description="the values of the file's params")
    batch: int = Field(description="images at once, for all that is in bytes")
    inputs: tuple[End, ...] = Field(description="the values that enter")
    outputs: tuple[End, ...] = Field(description="the end of the body, and of each head")
    rows: tuple[Row, ...] = Field(description="in the order in which the layers run")
    totals: Totals = Field(description="the network as a whole")
    shares: tuple[Share, ...] = Field(description="by parameters, the largest first")
    conventions: Conventions = Field(description="what the numbers count, in sentences")


def facts(graph: Graph, batch: int = 1, *, explain: bool = False) -> Report:
    """The report of a network whose every shape is known; with `explain`, the arithmetic too."""
    rows = _rows(graph, batch, explain=explain)
    totals = measure(graph, batch)
    nodes = graph.nodes
    return Report(
        schema=SCHEMA,
        network=graph.name,
        file=graph.span.source.name,
        settings={name: show(value) for name, value in graph.params.items()},
        batch=batch,
        inputs=tuple(End(name=n.path, path=n.path, shape=facts_of(n).shape) for n in graph.inputs),
        outputs=tuple(
            End(name=o.name, path=nodes[o.node].path, shape=facts_of(nodes[o.node]).shape)
            for o in graph.outputs
        ),
        rows=rows,
        totals=_totals(graph, totals, batch),
        shares=shares(rows),
        conventions=Conventions(),
    )


def as_json(report: Report) -> str:
    return report.model_dump_json(by_alias=True, indent=2)


def shares(rows: Sequence[Row]) -> tuple[Share, ...]:
    """What each kind with parameters or work contributes."""
    kinds: dict[str, list[int]] = {}
    for row in rows:
        if row.params or row.macs:
            sums = kinds.setdefault(row.kind, [0, 0, 0])
            sums[0] += row.layers
            sums[1] += row.params
            sums[2] += row.macs
    params = sum(s[1] for s in kinds.values()) or 1
    macs = sum(s[2] for s in kinds.values()) or 1
    found = [
        Share(kind=kind, layers=n, params=p, params_share=p / params, macs=m, macs_share=m / macs)
        for kind, (n, p, m) in kinds.items()
    ]
    return tuple(sorted(found, key=lambda s: (-s.params, -s.macs, s.kind)))


def _rows(graph: Graph, batch: int, *, explain: bool) -> tuple[Row, ...]:
    seen = fields(graph)
    parts = zip(graph.nodes, counts(graph), value_bytes(graph), seen, strict=True)
    return tuple(
        _row(
            node,
            own,
            batch * size,
            field,
            arithmetic(graph, node, seen) if explain else [],
        )
        for node, own, size, field in parts
    )


def _row(node: Node, own: Count, size: int, field: Seen, sums: Sequence[tuple[str, str]]) -> Row:
    facts = facts_of(node)
    placed = bool(field.axes) and not field.is_global
    return Row(
        path=node.path,
        block=node.path.rpartition(".")[0],
        kind=node.layer.kind,
        call=_call(node),
        layers=1 if node.inputs else 0,
        source=node.span.place(),
        shape=facts.shape,
        params=own.params,
        frozen=own.params if node.frozen else 0,
        buffers=own.buffers,
        shares=node.owner if node.is_sharing and facts.weights else None,
        macs=facts.work.macs,
        connections=facts.work.connections,
        receptive_field=field.sizes if placed else None,
        jump=field.jumps if placed else None,
        start=field.starts if placed else None,
        activation_bytes=size,
        arithmetic=tuple(Sum.model_validate({"of": of, "text": text}) for of, text in sums),
    )


def _call(node: Node) -> str:
    words = [node.layer.text()]
    if node.is_sharing:
        words.append(f"weights={node.owner}")
    if node.frozen:
        words.append("frozen=yes")
    return " ".join(words)


def _totals(graph: Graph, found: Measure, batch: int) -> Totals:
    weights, run = found.weights, found.inference
    step = training(graph, batch, weights)
    return Totals(
        params=weights.params,
        trained=weights.trained,
        frozen=weights.frozen,
        buffers=weights.buffers,
        weight_bytes=weights.bytes,
        macs=found.macs,
        flops=found.flops,
        connections=found.connections,
        receptive_field=found.field,
        layers=found.layers,
        depth=found.depth,
        inference=InferenceMemory(
            total=run.total,
            weights=run.weights,
            values=run.values,
            peak=graph.nodes[run.peak].path,
        ),
        training=TrainingMemory(
            total=step.total,
            weights=step.weights,
            gradients=step.gradients,
            optimizer=step.optimizer,
            state=step.state,
            values=step.values,
            value_gradients=step.value_gradients,
            spare=step.spare,
        ),
    )
