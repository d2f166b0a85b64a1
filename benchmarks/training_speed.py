# pyright: basic, reportMissingImports=false
"""How fast is a training step beside PyTorch's?

One step is forward, loss, gradients and plain SGD on one batch of the size that the spec says; ours
also counts what is right and tells the loss. Ours runs as it is exported, but for which axis comes
first, and with `--blocked`; PyTorch's eager with NCHW, which the goals are about, and with
channels_last, which is reported beside. All are run in turn, on two threads. Each ratio is the
median of those of the rounds: PyTorch's time by ours, so that more is better. Then two networks
train as `cnnspec train` does it, and how fast that is is given as a share of the bare step's speed:
LeNet-5, its digits shuffled, shifted and rotated meanwhile, and the CIFAR-10 example on pictures of
noise, cropped and flipped.

Goals that are not met are told of, and nothing fails: other programs at work spoil these numbers,
and what they took of the machine is shown (on Linux).
"""

import argparse
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from compile_speed import seconds_of_processors, tell_of_others

from cnnspec import zoo
from cnnspec.emit.compile import source_of
from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.run.binding import Stepper, as_run
from cnnspec.run.events import EpochDone
from cnnspec.run.start import Wishes, begin
from cnnspec.settings.loss import CrossEntropy
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.train.step import RATE as RATE_INPUT
from cnnspec.train.step import Step, build_step

SPECS = Path(__file__).resolve().parents[1] / "specs"

THREADS, RATE = 2, 0.01

STEPS = {"lenet5": 60, "cifar10": 3, "resnet20": 4}
"""How many steps one turn takes."""

GOALS = {"lenet5": 1.5, "cifar10": 1.0, "resnet20": 0.85}
"""Least ratios to PyTorch's eager step with NCHW."""
OURS = ("standard", "--blocked")
LAST = "channels_last"
FED_GOAL = 0.95
"""The least share of the bare step's speed with data feeding."""
NOISE = 1280
"""How many pictures stand for those of CIFAR-10."""

PARAMETERS = {"lenet5": 61_706, "cifar10": 1_250_858, "resnet20": 272_474}
CLASSES = 10

Job = Callable[[], float]
"""Some steps; seconds for each."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=10)
    rounds = arguments.parse_args().rounds
    if hasattr(os, "getloadavg"):
        print("load average", *(f"{load:.2f}" for load in os.getloadavg()))
    before = seconds_of_processors()
    if find_spec("torch") is None:
        print("PyTorch is not installed: no comparison with it")
    else:
        beside_torch(rounds)
    fed(rounds)
    tell_of_others(before)


def in_turn(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[float]]:
    """Seconds of a step of each job: A B, then B A, so that a slow minute meets them all."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        # Once for nothing: memory comes from the system.
        job()
    for turn in range(rounds):
        for name in list(jobs)[:: -1 if turn % 2 else 1]:
            times[name].append(jobs[name]())
    return times


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def verdict(found: float, goal: float) -> str:
    return f"{goal:8.2f}  {'met' if found >= goal else 'not met'}"


# ── beside PyTorch ─────────────────────────────────────────────────────────────────────────────


def beside_torch(rounds: int) -> None:
    import torch

    torch.set_num_threads(THREADS)
    print(f"one step, {THREADS} threads, PyTorch {torch.__version__}")
    print(f"{'':9}{'batch':>6}{'':18}ms   of PyTorch  goal{'':15}of {LAST}")
    for name, goal in GOALS.items():
        graph = network(name)
        x, y = examples(graph)
        jobs = {
            "standard": our_steps(graph, STEPS[name]),
            "--blocked": our_steps(graph, STEPS[name], blocked=True),
            "PyTorch": torch_steps(name, graph, x, y, torch.contiguous_format),
            LAST: torch_steps(name, graph, x, y, torch.channels_last),
        }
        times = in_turn(jobs, rounds)
        for form, own in times.items():
            found, beside = ratio(times["PyTorch"], own), ratio(times[LAST], own)
            said = verdict(found, goal) if form in OURS else ""
            row = f"{form:13}{milliseconds(own)}{found:13.2f}{said:20}{beside:13.2f}"
            print(f"{name:9}{len(x):6}  {row}", flush=True)


def milliseconds(times: Sequence[float]) -> str:
    return f"{1e3 * median(times):9.3f}"


def network(name: str, *others: tuple[str, str]) -> Graph:
    """The spec's network and recipe, but with plain SGD, and with other lines that are given."""
    path = SPECS / f"{name}.cnn"
    text = path.read_text(encoding="utf-8")
    for word, line in (("optimizer", f"optimizer sgd lr={RATE}"), *others):
        text, count = re.subn(rf"(?m)^  {word} .*$", f"  {line}", text)
        assert count == 1, f"{name} says its {word} in another way"
    graph = check(Source(str(path), text), {}, Sink(), zoo.read)
    assert graph is not None
    return graph


def examples(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    assert graph.recipe is not None
    draw, batch = np.random.default_rng(0), graph.recipe.batch
    shape = next(node.shape for node in graph.nodes if not node.inputs)
    assert shape is not None
    x = draw.standard_normal((batch, *shape), np.float32)
    return x, draw.integers(0, CLASSES, batch)


def stepper_of(graph: Graph, *, blocked: bool = False) -> tuple[Step, Stepper]:
    """The network's step as a run of training has it, before the first one."""
    assert graph.recipe is not None
    source = source_of({}, graph.recipe.seed)
    step = build_step(graph, graph.recipe, source)
    weights = {
        f"{node.owner}.{key}": weight
        for node in graph.nodes
        if node.facts is not None
        for key, weight in node.facts.weights.items()
    }
    start = {
        k.name: source(k.name, weights[k.name]) if k.start is None else np.full(k.shape, k.start)
        for k in step.kept
    }
    content = as_run(step.model, "cpu", blocked=blocked)
    return step, Stepper(step, content, start, threads=THREADS)


def our_steps(graph: Graph, steps: int, *, blocked: bool = False) -> Job:
    step, stepper = stepper_of(graph, blocked=blocked)
    x, y = examples(graph)
    (source_name,), (target,) = step.inputs, step.targets.values()
    feeds = {source_name: x, target.name: y, RATE_INPUT: np.array(RATE, np.float32)}
    return timed(lambda: stepper.do(feeds), steps)


def torch_steps(name: str, graph: Graph, x: np.ndarray, y: np.ndarray, layout) -> Job:
    import torch

    model = torch_model(name).to(memory_format=layout)
    images = torch.from_numpy(x).to(memory_format=layout)
    labels = torch.from_numpy(y)
    assert graph.recipe is not None
    (loss,) = graph.recipe.losses
    assert isinstance(loss, CrossEntropy)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=loss.smoothing)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(images), labels).backward()
        optimizer.step()

    return timed(step, STEPS[name])


def timed(step: Callable[[], object], steps: int) -> Job:
    def run() -> float:
        # The first is not counted: threads of those before may still wait busily.
        step()
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return (time.perf_counter() - start) / steps

    return run


# ── with data feeding ──────────────────────────────────────────────────────────────────────────


def fed(rounds: int) -> None:
    """Epochs of training by turns with as many bare steps."""
    print("\none step within an epoch of training")
    print(f"{'':12}{'bare':>12}{'fed':>12}{'share':>8}{'goal':>8}")
    with TemporaryDirectory() as folder:
        told_of_feeding("lenet5", network("lenet5"), Path(folder), rounds)
        draw = np.random.default_rng(0)
        pictures = draw.integers(0, 256, (NOISE, 3, 32, 32), np.uint8)
        np.savez(Path(folder) / "noise.npz", x=pictures, y=draw.integers(0, CLASSES, NOISE))
        data = "data", f'data npz "{(Path(folder) / "noise.npz").as_posix()}"'
        graph = network("cifar10", data, ("augment", "augment crop 4 -> flip"))
        told_of_feeding("cifar10", graph, Path(folder), rounds)


def told_of_feeding(name: str, graph: Graph, folder: Path, rounds: int) -> None:
    assert graph.recipe is not None
    assert graph.recipe.epochs > rounds, "each round takes an epoch, and the first is for nothing"
    wishes = Wishes(base=SPECS, file=f"{name}.cnn", device="cpu", threads=THREADS)
    training = begin(graph, folder / name, wishes)
    events = iter(training)
    size, batch = len(training.splits.train), graph.recipe.batch

    def epoch() -> float:
        """From the first batch that is asked for to the last step; what follows, judging and
        saving, is no part of it."""
        start = end = time.perf_counter()
        while not isinstance(next(events), EpochDone):
            end = time.perf_counter()
        return (end - start) * batch / size

    times = in_turn({"bare": our_steps(graph, size // batch), "fed": epoch}, rounds)
    bare, whole = times.values()
    found = ratio(bare, whole)
    print(f"{name:12}{milliseconds(bare)}{milliseconds(whole)}{found:8.2f}", end="")
    print(verdict(found, FED_GOAL), flush=True)


# ── the networks ───────────────────────────────────────────────────────────────────────────────


def torch_model(name: str):
    """The network of the spec, ready to be trained; the loss has the softmax."""
    model = {"lenet5": _lenet5, "cifar10": _cifar10, "resnet20": _resnet20}[name]()
    params = sum(p.numel() for p in model.parameters())
    assert params == PARAMETERS[name], f"{name} has {params:,} parameters"
    return model.train()


def _lenet5():
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh()),
        nn.Linear(84, CLASSES),
    )


def _cifar10():
    from torch import nn

    def unit(before: int, maps: int, pad: int):
        return nn.Conv2d(before, maps, 3, padding=pad), nn.ReLU(inplace=True)

    def stage(before: int, maps: int):
        return *unit(before, maps, 1), *unit(maps, maps, 0), nn.MaxPool2d(2), nn.Dropout(0.25)

    return nn.Sequential(
        *stage(3, 32),
        *stage(32, 64),
        *(nn.Flatten(), nn.Linear(2304, 512), nn.ReLU(inplace=True), nn.Dropout(0.5)),
        nn.Linear(512, CLASSES),
    )


def _resnet20():
    from torch import nn

    def unit(before: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
        conv = nn.Conv2d(before, maps, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(maps))

    class Basic(nn.Module):
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)
            first = unit(before, width, 3, stride), nn.ReLU(inplace=True)
            self.branch = nn.Sequential(*first, unit(width, width, 3))
            changes = stride != 1 or before != width
            self.shortcut = unit(before, width, 1, stride) if changes else nn.Identity()

        def forward(self, x):
            return self.relu(self.branch(x) + self.shortcut(x))

    layers = [unit(3, 16, 3), nn.ReLU(inplace=True)]
    before = 16
    for width, first in ((16, 1), (32, 2), (64, 2)):
        for stride in (first, 1, 1):
            layers.append(Basic(before, width, stride))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


if __name__ == "__main__":
    main()
