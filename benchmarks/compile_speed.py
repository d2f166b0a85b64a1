# pyright: basic, reportMissingImports=false
"""How fast is a network compiled, and how fast does it run, beside PyTorch where it is installed?

Compiling is timed as whole processes, of which much is the import of libraries; so that import is
timed too, in turn with the others, and LeNet-5 may take 150 ms more than it, ResNet-50 1.5 s more.
torch.onnx.export does the same work from the same networks. Then ONNX Runtime runs the compiled
networks in turn with PyTorch, both on two threads. Fails where a limit is broken.

Other programs at work spoil the second part above all: PyTorch's threads wait for each other, so
where one of them has lost its processor, both stand still, and the ratio flatters us. What others
took of the machine is therefore measured and shown (on Linux).
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

IMPORTS = "import onnx, lark, click, pydantic, numpy"
ALLOWED = {"lenet5": 0.15, "resnet50": 1.5}
"""Seconds for compiling, beyond the imports."""

SHAPES = {"lenet5": (1, 28, 28), "resnet50": (3, 224, 224)}
PARAMETERS = {"lenet5": 61_706, "resnet50": 25_557_032}

LATENCIES = (("lenet5", 1, 200), ("lenet5", 64, 50), ("resnet50", 1, 3))
"""Network, batch, and how many runs one turn takes."""

# As after an installation: modules are compiled once, and that is kept.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

THREADS = 2
QUIET = 0.05
"""The share of the machine that others may take before the numbers say little."""

EXPORT = "--export"


def main() -> int:
    if sys.argv[1:2] == [EXPORT]:
        export(*sys.argv[2:])
        return 0
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=7)
    runs = arguments.parse_args().runs
    with TemporaryDirectory() as folder:
        before = seconds_of_processors()
        failed = compile_times(Path(folder), runs)
        tell_of_others(before)
        if find_spec("torch") is None:
            print("\nPyTorch is not installed: no comparison with it")
        else:
            before = seconds_of_processors()
            latencies(Path(folder), runs)
            tell_of_others(before)
    return int(failed)


def seconds_of_processors() -> tuple[float, float, float] | None:
    """What all programs took, what this one and those it called took, and the time."""
    try:
        user, nice, system, _, _, irq, softirq, *_ = map(
            int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        )
    except (OSError, ValueError):
        return None
    everyone = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    return everyone, sum(os.times()[:4]), time.perf_counter()


def tell_of_others(before: tuple[float, float, float] | None) -> None:
    after = seconds_of_processors()
    if before is None or after is None or after[0] == before[0]:
        print("what other programs took meanwhile is not known")
        return
    everyone, own, wall = (b - a for a, b in zip(before, after, strict=True))
    share = max(0.0, everyone - own) / (wall * (os.cpu_count() or 1))
    print(f"other programs took {share:.0%} of the machine meanwhile", end="")
    print(": too busy for these numbers to count" if share > QUIET else "")


def compile_times(folder: Path, runs: int) -> bool:
    """A table of whole processes; whether one takes longer than it may."""
    commands = {"imports": ["-c", IMPORTS]}
    for name in ALLOWED:
        target = str(folder / f"{name}.onnx")
        commands[f"cnnspec compile {name}"] = ["-m", "cnnspec", "compile", name, "-o", target]
    if can_export():
        for name in ALLOWED:
            target = str(folder / f"{name}_torch.onnx")
            commands[f"torch.onnx.export {name}"] = [__file__, EXPORT, name, target]
    times = in_turn({what: process(command) for what, command in commands.items()}, runs)
    print(f"whole processes, median of {runs}{'':18}in all  beyond the imports")
    for what, taken in times.items():
        print(f"{what:42}{median(taken):8.3f} s{beyond(times, what):12.3f} s")
    failed = False
    for name, allowed in ALLOWED.items():
        taken = beyond(times, f"cnnspec compile {name}")
        if taken > allowed:
            print(f"{name} takes {taken:.3f} s beyond the imports, more than {allowed} s")
            failed = True
    return failed


def beyond(times: Mapping[str, Sequence[float]], what: str) -> float:
    pairs = zip(times[what], times["imports"], strict=True)
    return median(taken - imports for taken, imports in pairs)


def process(command: Sequence[str]) -> Callable[[], object]:
    def run() -> None:
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, env=ENVIRONMENT
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"

    return run


def in_turn(jobs: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each job: A B, then B A, so that a slow minute of the machine meets them all."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        # Once for nothing: files come from the disk, memory from the system.
        job()
    for turn in range(runs):
        for name in list(jobs)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            jobs[name]()
            times[name].append(time.perf_counter() - start)
    return times


def can_export() -> bool:
    if find_spec("torch") is None:
        return False
    if find_spec("onnxscript") is None:
        print("torch.onnx.export needs onnxscript, which is not installed: left out\n")
        return False
    return True


def latencies(folder: Path, runs: int) -> None:
    import torch

    torch.set_num_threads(THREADS)
    head = f"one run, {THREADS} threads{'':14}ONNX Runtime"
    print(f"\n{head}   PyTorch {torch.__version__}   ratio")
    for name, batch, repeats in LATENCIES:
        # An even number of turns, so that each goes first as often.
        times = in_turn(rivals(folder / f"{name}.onnx", name, batch, repeats), 2 * runs)
        ours, theirs = times.values()
        ratio = median(o / t for o, t in zip(ours, theirs, strict=True))
        each = [f"{1e3 * median(taken) / repeats:10.3f} ms" for taken in (ours, theirs)]
        print(f"{name:12} batch {batch:<10}{each[0]:>16}{each[1]:>16}{ratio:12.2f}")


def rivals(path: Path, name: str, batch: int, repeats: int) -> dict[str, Callable[[], object]]:
    """The compiled network and PyTorch's, each run some times in a turn."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    x = np.random.default_rng(0).standard_normal((batch, *SHAPES[name]), np.float32)
    model, tensor = torch_model(name), torch.from_numpy(x)

    def ours() -> None:
        for _ in range(repeats):
            session.run(None, {source.name: x})

    def theirs() -> None:
        with torch.inference_mode():
            for _ in range(repeats):
                model(tensor)

    return {"ours": ours, "theirs": theirs}


def export(name: str, path: str) -> None:
    """What the process that is compared with `cnnspec compile` does."""
    import torch

    torch.onnx.export(torch_model(name), (torch.zeros(1, *SHAPES[name]),), path, verbose=False)


def torch_model(name: str):
    """The network of the spec, ready to be run."""
    model = (_lenet5() if name == "lenet5" else _resnet50()).eval()
    params = sum(p.numel() for p in model.parameters())
    assert params == PARAMETERS[name], f"{name} has {params:,} parameters"
    return model


def _lenet5():
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh()),
        *(nn.Linear(84, 10), nn.Softmax(dim=1)),
    )


def _resnet50():
    from torch import nn

    def unit(before: int, maps: int, kernel: int, stride: int = 1) -> nn.Sequential:
        conv = nn.Conv2d(before, maps, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(maps))

    class Bottleneck(nn.Module):
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.relu = nn.ReLU(inplace=True)
            middle = unit(width, width, 3, stride), nn.ReLU(inplace=True)
            first = unit(before, width, 1), nn.ReLU(inplace=True)
            self.branch = nn.Sequential(*first, *middle, unit(width, 4 * width, 1))
            changes = stride != 1 or before != 4 * width
            self.shortcut = unit(before, 4 * width, 1, stride) if changes else nn.Identity()

        def forward(self, x):
            return self.relu(self.branch(x) + self.shortcut(x))

    layers = [unit(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for stage, count in enumerate((3, 4, 6, 3)):
        width = 64 * 2**stage
        for i in range(count):
            layers.append(Bottleneck(before, width, 2 if i == 0 and stage else 1))
            before = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000))


if __name__ == "__main__":
    sys.exit(main())
