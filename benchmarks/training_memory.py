# pyright: basic, reportMissingImports=false
"""How much memory does training take, beside PyTorch's and beside what the report says?

Each network trains for some steps in a process of its own, ours as `cnnspec train` runs it, and
PyTorch's eager with NCHW. What is measured is the peak of the process, less what it had after all
imports, before there was a model: so weights, what the optimizer keeps, values, gradients, and all
that the runtime keeps for itself. Beside it stands what `cnnspec report --batch N` says.

Needs Linux, which says how large a process was at most. Fails where a goal is not met: unlike
time, memory is the same whatever else the machine does.
"""

import argparse
import gc
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from training_speed import stepper_of

from cnnspec import zoo
from cnnspec.model.check import check
from cnnspec.model.graph import Graph
from cnnspec.model.memory import training
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.train.step import RATE

SPECS = Path(__file__).resolve().parents[1] / "specs"
STATUS = Path("/proc/self/status")

STEPS, THREADS, CLASSES = 4, 2, 10

MOST = 1.5
"""The goal: our peak by PyTorch's."""
APART = 0.25
"""The goal: by how much the report's number may differ from the peak."""

VGG = """
network VggLike {
  input 3x32x32
  for (width, n) in [(64, 1), (128, 1), (256, 2), (512, 2)] {
    repeat n { conv width 3x3 pad=1 bias=no -> bn -> relu }
    maxpool 2x2
  }
  flatten
  fc 512 -> relu
  fc 10
}
"""

PLAIN_VGG = VGG.replace(" bias=no -> bn", "").replace("VggLike", "PlainVgg")

MOBILE = """
block inverted(c, stride, t) {
  add {
    | conv t*in.channels 1x1 bias=no -> bn -> relu max=6
      conv t*in.channels 3x3 stride=stride pad=1 groups=in.channels bias=no -> bn -> relu max=6
      conv c 1x1 bias=no -> bn
    | conv c 1x1 stride=stride bias=no
  }
}
network MobileLike {
  input 3x64x64
  conv 16 3x3 stride=2 pad=1 bias=no -> bn -> relu max=6
  inverted 24 1 6
  inverted 32 2 6
  inverted 64 2 6
  avgpool global -> flatten
  fc 10
}
"""

DENSE = """
block dense(growth) {
  concat { | in | bn -> relu -> conv 4*growth 1x1 bias=no -> bn -> relu
    conv growth 3x3 pad=1 bias=no }
}
network DenseBlock {
  input 3x32x32
  conv 24 3x3 pad=1 bias=no
  repeat 4 { dense 12 }
  bn -> relu -> avgpool global -> flatten
  fc 10
}
"""

WRITTEN = {"vgg": VGG, "plain_vgg": PLAIN_VGG, "mobile": MOBILE, "dense": DENSE}
"""Networks that are not in the zoo."""

BESIDE_TORCH = (
    ("resnet20", 128, "sgd lr=0.01"),
    ("resnet20", 128, "momentum lr=0.01"),
    ("resnet20", 128, "adam lr=0.001"),
    ("vgg", 64, "sgd lr=0.01"),
    ("vgg", 128, "momentum lr=0.01"),
    ("plain_vgg", 128, "momentum lr=0.01"),
    ("vgg", 128, "adam lr=0.001"),
)
ALONE = (
    ("lenet5", 1024, "sgd lr=0.01"),
    ("mobile", 32, "sgd lr=0.01"),
    ("mobilenet_v2", 16, "sgd lr=0.01"),
    ("dense", 64, "sgd lr=0.01"),
    ("unet", 8, "sgd lr=0.01"),
    ("cnn1d", 8192, "sgd lr=0.01"),
)
"""Of these only the report's number is judged."""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--measure", nargs=4, metavar=("WHOSE", "NETWORK", "BATCH", "OPTIMIZER"))
    arguments.add_argument("--only", help="measure this network alone")
    chosen = arguments.parse_args()
    if not STATUS.exists():
        print("nothing is measured: only Linux says how large a process was at most")
        return 0
    if chosen.measure:
        whose, name, batch, optimizer = chosen.measure
        print((ours if whose == "ours" else theirs)(name, int(batch), optimizer))
        return 0
    return compare(chosen.only)


def compare(only: str | None) -> int:
    has_torch = find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is not installed: no comparison with it")
    head = f"{'MB at most':14}{'batch':>6}  {'optimizer':17}{'ours':>7}{'PyTorch':>9}{'ratio':>7}"
    print(f"{head}  {f'goal {MOST}':10}{'report':>7}{'apart':>7}  goal {APART:.0%}")
    failed = False
    for row in (*BESIDE_TORCH, *ALONE):
        name, batch, optimizer = row
        if only not in (None, name):
            continue
        mine = measured("ours", *row)
        said = training(network(name, optimizer), batch).total
        apart = said / mine - 1
        failed |= abs(apart) > APART
        print(f"{name:14}{batch:6}  {optimizer:17}{mine / 1e6:7.0f}", end="")
        if has_torch and row in BESIDE_TORCH:
            other = measured("theirs", *row)
            failed |= mine > MOST * other
            print(f"{other / 1e6:9.0f}{mine / other:7.2f}  {met(mine <= MOST * other):10}", end="")
        else:
            print(" " * 28, end="")
        print(f"{said / 1e6:7.0f}{apart:+7.0%}  {met(abs(apart) <= APART)}", flush=True)
    return int(failed)


def met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def measured(whose: str, name: str, batch: int, optimizer: str) -> int:
    """Bytes, by a process of its own."""
    command = [sys.executable, __file__, "--measure", whose, name, str(batch), optimizer]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return int(done.stdout)


def resident(key: str) -> int:
    """`VmRSS`: bytes now; `VmHWM`: at most."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{key}:"))
    return 1024 * int(line.split()[1])


def network(name: str, optimizer: str) -> Graph:
    """A network with a recipe of nothing but cross-entropy and an optimizer."""
    path = SPECS / f"{name}.cnn"
    text = WRITTEN.get(name) or path.read_text(encoding="utf-8")
    text = re.sub(r"(?ms)^train \{.*?^\}", "", text)
    text += f"\ntrain {{\n  loss cross_entropy\n  optimizer {optimizer}\n}}\n"
    sink = Sink()
    graph = check(Source(str(path), text), {}, sink, zoo.read)
    assert graph is not None, [d.message for d in sink.diagnostics]
    return graph


# ── in a process of its own ────────────────────────────────────────────────────────────────────


def ours(name: str, batch: int, optimizer: str) -> int:
    graph = network(name, optimizer)
    x = images(graph, batch)
    before = resident("VmRSS")
    step, stepper = stepper_of(graph)
    (given,) = step.inputs.values()
    (target,) = step.targets.values()
    shape = [n if isinstance(n, int) else batch for n in target.shape]
    feeds = {given: x, RATE: np.array(0.01, np.float32)}
    feeds[target.name] = np.zeros(shape, "int64" if target.dtype == "int64" else "float32")
    for _ in range(STEPS):
        stepper.do(feeds)
    return resident("VmHWM") - before


def theirs(name: str, batch: int, optimizer: str) -> int:
    import torch

    torch.set_num_threads(THREADS)
    graph = network(name, optimizer)
    tensor, labels = torch.from_numpy(images(graph, batch)), torch.zeros(batch, dtype=torch.long)
    # Imported when they are used first; nothing of the model's own.
    warm = torch.nn.Linear(1, 1)
    torch.optim.SGD(warm.parameters(), lr=0.1).zero_grad()
    before = resident("VmRSS")
    model = torch_model(name).train()
    wanted = sum(
        w.size for n in graph.nodes if n.facts for w in n.facts.weights.values() if w.trained
    )
    assert wanted == sum(p.numel() for p in model.parameters()), f"{name} is another network"
    method = optimizer.split()[0]
    if method == "adam":
        follow = torch.optim.Adam(model.parameters(), lr=0.001)
    else:
        momentum = 0.9 if method == "momentum" else 0.0
        follow = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(STEPS):
        follow.zero_grad()
        loss_of(model(tensor), labels).backward()
        follow.step()
    return resident("VmHWM") - before


def images(graph: Graph, batch: int) -> np.ndarray:
    shape = next(node.shape for node in graph.nodes if not node.inputs)
    x = np.random.default_rng(0).standard_normal((batch, *(shape or ())), np.float32)
    gc.collect()
    return x


def torch_model(name: str):
    if name.endswith("vgg"):
        return torch_vgg(is_plain=name == "plain_vgg")
    from training_speed import torch_model

    return torch_model(name)


def torch_vgg(*, is_plain: bool):
    from torch import nn

    layers: list[nn.Module] = []
    before = 3
    for width, count in ((64, 1), (128, 1), (256, 2), (512, 2)):
        for _ in range(count):
            layers.append(nn.Conv2d(before, width, 3, padding=1, bias=is_plain))
            layers += [] if is_plain else [nn.BatchNorm2d(width)]
            layers.append(nn.ReLU(inplace=True))
            before = width
        layers.append(nn.MaxPool2d(2))
    head = nn.Flatten(), nn.Linear(2048, 512), nn.ReLU(inplace=True), nn.Linear(512, CLASSES)
    return nn.Sequential(*layers, *head)


if __name__ == "__main__":
    sys.exit(main())
