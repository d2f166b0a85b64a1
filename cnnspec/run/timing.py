"""How long does a model take, as a whole and layer by layer, and for how much work?

The runtime fuses operators and gives the result the name of one of them; a row then stands for the
layers before it too, whose work it does.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from statistics import mean, median, quantiles
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.session import CannotRun, Device, Session, open_session
from cnnspec.text.record import record

Feeds = Mapping[str, NDArray[Any]]

FEWEST, MOST = 3, 1000
"""How often a model runs for a median, whatever that takes, and at most."""

WARM = 3
"""Runs before the first that counts: they allocate, and fill caches. One is enough where that alone
takes as long as all that count may."""

LARGEST = 2**28
"""Numbers that are drawn for an input: files claim what they like."""

OWN = "(the runtime's own)"
"""The row of what belongs to no layer: numbers brought into another layout and back."""

SUFFIX = "_kernel_time"

PREFIXES = ("fused ", "InsertedPrecisionFreeCast_")
"""How the runtime begins the names of what it fused, and of what it computes more precisely."""

CONVOLVING = ("Conv", "ConvInteger", "DeformConv", "FusedConv", "QLinearConv")
MULTIPLYING = ("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul")
WORKING = frozenset((*CONVOLVING, *MULTIPLYING, "ConvTranspose", "Gemm", "FusedGemm", "QGemm"))

UNCOUNTED = frozenset(("Attention", "Einsum", "GRU", "LSTM", "MultiHeadAttention", "QGemm", "RNN"))
"""Operators that multiply and accumulate in a number that their shapes do not simply give."""


@record
class Latency:
    """How long one run takes, in seconds."""

    batch: int
    median: float
    low: float
    """A tenth of the runs are faster."""
    high: float
    """A tenth of the runs are slower."""
    runs: int

    @property
    def images_per_second(self) -> float:
        return self.batch / self.median


@record
class LayerTime:
    """What one layer, or what was fused into one operator, takes of a run."""

    layer: str
    ops: tuple[str, ...]
    seconds: float
    share: float
    macs: int | None
    """For the whole batch; none where they are not known."""

    @property
    def flops_per_second(self) -> float | None:
        return None if not self.macs or not self.seconds else 2 * self.macs / self.seconds


@record
class Work:
    """What a model computes, counted over its operators."""

    macs: dict[str, int]
    """By layer, for the whole batch."""
    uncounted: tuple[str, ...]
    """Operators whose work is not known; the sum is then too small."""


@record
class _Event:
    """One operator in one run."""

    run: int
    name: str
    op: str
    seconds: float
    is_inside: bool
    """Is it in the body of another, whose time has its own in it?"""
    inputs: Sequence[Sequence[int]]
    outputs: Sequence[Sequence[int]]


def latency(session: Session, feeds: Feeds, batch: int, seconds: float) -> Latency:
    """The time of one run, over as many as fit into some seconds."""
    end = perf_counter() + seconds
    session.run(feeds)
    for _ in range(WARM - 1):
        if perf_counter() < end:
            session.run(feeds)
    times: list[float] = []
    end = perf_counter() + seconds
    while len(times) < FEWEST or (len(times) < MOST and perf_counter() < end):
        before = perf_counter()
        session.run(feeds)
        times.append(perf_counter() - before)
    tenths = quantiles(times, n=10, method="inclusive")
    return Latency(batch, median(times), tenths[0], tenths[-1], len(times))


def by_layer(
    model: "str | bytes",
    feeds: Feeds,
    names: Mapping[str, str],
    macs: Mapping[str, int] | None,
    *,
    device: Device = "auto",
    threads: int | None = None,
    runs: int = 20,
) -> list[LayerTime]:
    """What each layer takes, in the order of the network; `macs` are those of the whole batch.

    `names` are what operators may be called, each with its layer.
    """
    times: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * runs)
    ops: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for event in _profile(model, feeds, device, threads, runs):
        if event.is_inside:
            continue
        layer = owner(event.name, names)
        times[layer][event.run] += event.seconds
        ops[layer].setdefault(event.op)
    medians = {layer: median(found) for layer, found in times.items()}
    if not any(medians.values()):
        # The runtime's clock has no parts of a microsecond.
        medians = {layer: mean(found) for layer, found in times.items()}
    total = sum(medians.values()) or 1.0
    layers = list(dict.fromkeys(names.values()))
    # Where a layer that computes cannot be told from the runtime's own, no row knows its work.
    is_lost = not WORKING.isdisjoint(ops[OWN])
    work = {} if macs is None or is_lost else _gathered(layers, set(medians), macs)
    return [
        LayerTime(layer, tuple(ops[layer]), medians[layer], medians[layer] / total, work.get(layer))
        for layer in (*layers, OWN)
        if layer in medians
    ]


def owner(name: str, names: Mapping[str, str]) -> str:
    """The layer that an operator of the runtime belongs to, by the longest name that fits."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    # `conv1_nchwc` is of `conv1`, and so is `conv1/kernels`; `conv10` is not.
    ends = (k for k in range(len(name), 0, -1) if k == len(name) or name[k] in "/_ ")
    return next((names[name[:k]] for k in ends if name[:k] in names), OWN)


def _gathered(layers: Sequence[str], timed: set[str], macs: Mapping[str, int]) -> dict[str, int]:
    """The work of layers that have no time of their own, with the next one that has."""
    found: dict[str, int] = {}
    waiting = 0
    last = next((layer for layer in reversed(layers) if layer in timed), None)
    for layer in layers:
        waiting += macs.get(layer, 0)
        if layer in timed:
            found[layer], waiting = waiting, 0
    if last is not None:
        found[last] += waiting
    return found


# ── work ───────────────────────────────────────────────────────────────────────────────────────


def counted(
    model: "str | bytes",
    graph: Any,
    feeds: Feeds,
    names: Mapping[str, str],
    device: Device = "auto",
) -> Work:
    """What a model computes with these inputs: one run, with its operators as they are written.

    The runtime packs some weights and no longer says their shape; that is in the `graph`.
    """
    kernels = _kernels(graph)
    found: defaultdict[str, int] = defaultdict(int)
    uncounted: dict[str, None] = {}
    for event in _profile(model, feeds, device, None, 1, warm=0, optimise=False):
        n = _macs(event, kernels.get(event.name))
        if n is None:
            uncounted.setdefault(event.op)
        else:
            found[owner(event.name, names)] += n
    return Work(dict(found), tuple(uncounted))


KERNELS = {"QLinearConv": 3}
"""Where the kernels stand among the inputs, if not second."""


def _kernels(graph: Any) -> dict[str, Sequence[int]]:
    """The shapes of the kernels of each node whose are in the file."""
    held = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    found: dict[str, Sequence[int]] = {}
    for k, node in enumerate(graph.node):
        at = KERNELS.get(node.op_type, 1)
        if len(node.input) > at and node.input[at] in held:
            found[called(node, k)] = held[node.input[at]]
    return found


def called(node: Any, k: int) -> str:
    """What the runtime calls the node at a place in the graph, which may have no name."""
    return node.name or f"{node.op_type}_{k}"


def _macs(event: _Event, kernel: Sequence[int] | None) -> int | None:
    """None where it is not known."""
    x, y = event.inputs, event.outputs
    at = KERNELS.get(event.op, 1)
    w = kernel if kernel is not None else x[at] if len(x) > at else ()
    match event.op:
        # Each number of Y[n,o,…] is a sum over all of W[o,…], which is [out, in/groups, *kernel].
        case op if op in CONVOLVING:
            return prod(y[0]) * prod(w[1:]) if y and len(w) == len(y[0]) else None
        # Each number of X[n,i,…] is spread over all of W[i,…], which is [in, out/groups, *kernel].
        case "ConvTranspose":
            return prod(x[0]) * prod(w[1:]) if x and len(w) == len(x[0]) else None
        # A[M,K] B[K,N], either of them transposed: each number of A meets N others.
        case "Gemm" | "FusedGemm":
            return prod(x[0]) * y[0][-1] if x and y and y[0] else None
        case op if op in MULTIPLYING:
            return prod(y[0]) * x[0][-1] if x and y and x[0] else None
        case op:
            return None if op in UNCOUNTED else 0


# ── the runtime's profile ──────────────────────────────────────────────────────────────────────


def _profile(
    model: "str | bytes",
    feeds: Feeds,
    device: Device,
    threads: int | None,
    runs: int,
    *,
    warm: int = 1,
    optimise: bool = True,
) -> list[_Event]:
    """Each operator of each run that counts."""
    with tempfile.TemporaryDirectory(prefix="cnnspec-") as folder:
        prefix = f"{folder}/profile"
        session = open_session(model, device, threads=threads, profile=prefix, optimise=optimise)
        try:
            for _ in range(warm + runs):
                session.run(feeds)
        finally:
            # Otherwise it is written when the session goes, where the folder is no more.
            path = Path(session.end_profiling())
        events: list[Any] = json.loads(path.read_text(encoding="utf-8"))
        del session
    # The runtime says what a run was made of, and after it that there was one.
    found: list[_Event] = []
    run: list[Any] = []
    k = -warm
    for event in events:
        if event.get("cat") == "Node" and event.get("name", "").endswith(SUFFIX):
            run.append(event)
        elif event.get("name") == "model_run":
            found += _read(k, run) if k >= 0 else []
            run, k = [], k + 1
    return found


def _read(run: int, events: Sequence[Any]) -> Iterator[_Event]:
    end = 0
    for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
        is_inside = event["ts"] < end
        end = max(end, event["ts"] + event["dur"])
        yield _event(run, event, is_inside)


def _event(run: int, event: Any, is_inside: bool) -> _Event:
    said = event["args"]
    inputs, outputs = (
        [size for port in said.get(key, ()) for size in port.values()]
        for key in ("input_type_shape", "output_type_shape")
    )
    name = event["name"].removesuffix(SUFFIX)
    seconds = event["dur"] * 1e-6
    return _Event(run, name, str(said["op_name"]), seconds, is_inside, inputs, outputs)


def drawn(inputs: Sequence[Any], sizes: Mapping[str, Sequence[int]], batch: int) -> dict[str, Any]:
    """Numbers for each input, drawn from one seed. Raises `CannotRun` where they are too many."""
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for port in inputs:
        shape = (batch, *sizes[port.name])
        if prod(shape) > LARGEST:
            size = "x".join(map(str, shape))
            raise CannotRun(f"the input `{port.name}` is {size}, more numbers than can be drawn")
        if np.dtype(port.dtype).kind in "iu":
            found[port.name] = random.integers(0, 256, shape).astype(port.dtype)
        else:
            found[port.name] = random.random(shape).astype(port.dtype)
    return found
