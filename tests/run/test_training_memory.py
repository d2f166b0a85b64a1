"""Training takes as much memory as the report says: the peak of a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from cnnspec.model.memory import training
from nets import build

PLAIN = """
network Plain {
  input 3x32x32
  conv 32 3x3 pad=1 -> relu
  conv 32 3x3 pad=1 -> relu -> maxpool 2x2
  conv 64 3x3 pad=1 -> relu -> maxpool 2x2
  flatten
  fc 10
}
train { loss cross_entropy
  optimizer momentum lr=0.01 }
"""

RESIDUAL = """
block basic(c) {
  add { | conv c 3x3 pad=1 bias=no -> bn -> relu -> conv c 3x3 pad=1 bias=no -> bn | in }
  relu
}
network Residual {
  input 3x32x32
  conv 16 3x3 pad=1 bias=no -> bn -> relu
  repeat 2 { basic 16 }
  avgpool global -> flatten
  fc 10
}
train { loss cross_entropy
  optimizer adam lr=0.01 }
"""

BATCH = 128

PEAK = """
import sys
from pathlib import Path

import numpy as np

from cnnspec.emit.compile import source_of
from cnnspec.run.binding import Stepper, as_run
from cnnspec.train.step import RATE, build_step
from nets import build


def resident(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))


batch, graph = int(sys.argv[1]), build(sys.argv[2])
before = resident("VmRSS:")
draw = np.random.default_rng(0)
step = build_step(graph, graph.recipe, source_of({}, 0))
start = {
    k.name: draw.normal(0, 0.1, k.shape) if k.start is None else np.full(k.shape, k.start)
    for k in step.kept
}
stepper = Stepper(step, as_run(step.model, "cpu"), start, threads=1)
(given,), (target,) = step.inputs.values(), step.targets.values()
x, y = draw.standard_normal((batch, 3, 32, 32), np.float32), np.zeros(batch, np.int64)
for _ in range(2):
    stepper.do({given: x, target.name: y, RATE: np.array(0.001, np.float32)})
print(resident("VmHWM:") - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux says how large a process was at most"
)
@pytest.mark.parametrize("text", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_a_step_takes_what_the_report_says(text: str) -> None:
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(BATCH), text],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{folder}:{folder.parent}", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    peak, said = int(done.stdout), training(build(text), BATCH).total
    assert abs(said / peak - 1) <= 0.25, f"the report says {said:,}, the process took {peak:,}"
