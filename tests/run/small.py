"""Which runs do tests of pages train? Small ones, one for each kind of targets."""

from pathlib import Path
from typing import Any

import numpy as np

from cnnspec.api import loads
from cnnspec.run.loop import Training
from cnnspec.run.start import Wishes, begin

CLASSES = """\
network Tiny {
  input 1x8x8
  conv 4 3x3 bias=no -> bn -> relu -> dropout 0.2
  flatten -> fc 3
}
train {
  data npz "classes.npz"
  batch 16
  epochs 3
  optimizer adam lr=1e-2
}
"""

NETS = {
    "classes": CLASSES,
    "masks": """\
network Masks { input 1x8x8 -> conv 4 3x3 pad=1 -> relu -> conv 2 1x1 }
train {
  data npz "masks.npz"
  epochs 2
}
""",
    "restored": """\
network Restored { input 1x28x28 -> conv 4 3x3 pad=1 -> relu -> conv 1 3x3 pad=1 }
train {
  data digits limit=100 noise=0.1
  loss mse to=input
  epochs 2
}
""",
    "numbers": """\
network Numbers { input 1x8x8 -> conv 4 3x3 -> relu -> flatten -> fc 2 }
train {
  data npz "numbers.npz"
  loss mse
  epochs 2
}
""",
    "signals": """\
network Signals { input 2x16 -> conv 4 3 -> relu -> flatten -> fc 3 }
train {
  data npz "signals.npz"
  epochs 2
}
""",
    "volumes": """\
network Volumes { input 1x4x6x6 -> conv 2 3x3x3 -> relu -> flatten -> fc 3 }
train {
  data npz "volumes.npz"
  epochs 2
}
""",
    "vectors": """\
network Vectors { input 12 -> fc 5 -> tanh -> fc 3 -> softmax }
train {
  data npz "vectors.npz"
  epochs 2
}
""",
    "binary": """\
network Binary { input 3x8x8 -> conv 4 3x3 -> relu -> flatten -> fc 1 -> sigmoid }
train {
  data npz "binary.npz"
  loss binary_cross_entropy
  epochs 2
}
""",
    "pair": """\
network Pair {
  input 1x8x8 as left -> conv 2 3x3 -> relu -> flatten as a
  input 1x8x8 as right -> conv 2 3x3 -> relu -> flatten as b
  concat { | a | b } -> fc 2
}
train {
  data npz "pair.npz"
  epochs 2
}
""",
}


def write_data(folder: Path) -> None:
    draw = np.random.default_rng(0)
    n = 96
    y = draw.integers(0, 3, n)

    def floats(*shape: int) -> np.ndarray:
        return draw.normal(size=(n, *shape)).astype(np.float32)

    x = floats(1, 8, 8)
    x[np.arange(n), 0, y, y] += 4
    np.savez(folder / "classes.npz", x=x, y=y)
    np.savez(folder / "masks.npz", x=x, y=(x[:, 0] > 0.5).astype(np.int64))
    np.savez(folder / "numbers.npz", x=x, y=floats(2))
    np.savez(folder / "signals.npz", x=floats(2, 16), y=y)
    np.savez(folder / "volumes.npz", x=floats(1, 4, 6, 6), y=y)
    np.savez(folder / "vectors.npz", x=floats(12), y=y)
    np.savez(folder / "binary.npz", x=floats(3, 8, 8), y=y % 2)
    np.savez(folder / "pair.npz", left=x, right=floats(1, 8, 8), y=y % 2)


def begun(text: str, out: str = "run", **wishes: Any) -> Training:
    wishes.setdefault("device", "cpu")
    return begin(loads(text).graph, Path(out), Wishes(**wishes))


def done(training: Training) -> Training:
    for _ in training:
        pass
    return training
