"""How long does a model take, as a whole and layer by layer?

The runtime fuses operators and gives the result the name of the last; a row then stands for the
layers before it too, whose work it does.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.session import Device, Session, open_session
from cnnspec.text.record import record

Feeds = Mapping[str, NDArray[Any]]

FEWEST, MOST = 5, 1000
"""How often a model runs for a median, whatever that takes, and at most."""

WARM = 3
"""Runs before the first that counts: they allocate, and fill caches."""

OWN = "(the runtime's own)"
"""The row of what belongs to no layer: numbers brought into another layout and back."""

SUFFIX = "_kernel_time"

FUSED = "fused "
"""How the runtime begins the names of some of what it fused."""


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


def latency(session: Session, feeds: Feeds, batch: int, seconds: float) -> Latency:
    """The time of one run, over as many as fit into some seconds."""
    for _ in range(WARM):
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
    layers: Sequence[str],
    macs: Mapping[str, int] | None,
    *,
    device: Device = "auto",
    threads: int | None = None,
    runs: int = 20,
) -> list[LayerTime]:
    """What each layer takes, in the order of the network; `macs` are those of the whole batch."""
    events = _profile(model, feeds, device, threads, runs)
    times: defaultdict[str, list[float]] = defaultdict(lambda: [0.0] * runs)
    ops: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for run, name, op, seconds in events:
        layer = owner(name, layers)
        times[layer][run] += seconds
        ops[layer].setdefault(op)
    medians = {layer: median(found) for layer, found in times.items()}
    total = sum(medians.values())
    work = _gathered(layers, set(medians), macs) if macs is not None else {}
    return [
        LayerTime(layer, tuple(ops[layer]), medians[layer], medians[layer] / total, work.get(layer))
        for layer in (*layers, OWN)
        if layer in medians
    ]


def owner(name: str, layers: Sequence[str]) -> str:
    """The layer that an operator of the runtime belongs to, by the longest name that fits."""
    name = name.removeprefix(FUSED)
    return max(
        (path for path in layers if name == path or name.startswith((f"{path}/", f"{path}_"))),
        key=len,
        default=OWN,
    )


def _gathered(layers: Sequence[str], timed: set[str], macs: Mapping[str, int]) -> dict[str, int]:
    """The work of layers that have no time of their own, with the next one that has."""
    found: dict[str, int] = {}
    waiting = 0
    for layer in layers:
        waiting += macs.get(layer, 0)
        if layer in timed:
            found[layer], waiting = waiting, 0
    return found


def _profile(
    model: "str | bytes", feeds: Feeds, device: Device, threads: int | None, runs: int
) -> list[tuple[int, str, str, float]]:
    """For each operator of each run that counts: the run, its name, what it is, its seconds."""
    with tempfile.TemporaryDirectory(prefix="cnnspec-") as folder:
        session = open_session(model, device, threads=threads, profile=f"{folder}/profile")
        for _ in range(WARM + runs):
            session.run(feeds)
        path = Path(session.end_profiling())
        events = json.loads(path.read_text(encoding="utf-8"))
        del session
    found: list[tuple[int, str, str, float]] = []
    counts: defaultdict[str, int] = defaultdict(int)
    for event in events:
        name = event.get("name", "")
        if event.get("cat") != "Node" or not name.endswith(SUFFIX):
            continue
        name = name.removesuffix(SUFFIX)
        run = counts[name] - WARM
        counts[name] += 1
        if 0 <= run < runs:
            found.append((run, name, str(event["args"]["op_name"]), event["dur"] * 1e-6))
    return found


def drawn(inputs: Sequence[Any], sizes: Mapping[str, Sequence[int]], batch: int) -> dict[str, Any]:
    """Numbers for each input, drawn from one seed."""
    random = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for port in inputs:
        shape = (batch, *sizes[port.name])
        if np.dtype(port.dtype).kind in "iu":
            found[port.name] = random.integers(0, 256, shape).astype(port.dtype)
        else:
            found[port.name] = random.random(shape).astype(port.dtype)
    return found
