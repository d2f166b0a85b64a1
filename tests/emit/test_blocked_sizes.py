"""Is a graph right in blocks of any size, such as other processors have?

With the runtime's operators done by their definition; for the size that this processor has, the
definition is held against the runtime too.
"""

import numpy as np
import pytest

from cnnspec.emit.passes.blocked import in_blocks
from cnnspec.onnxir.graph import NUMPY_NAMES, Model
from cnnspec.run.model import CompiledModel
from emit.blocked_reference import Array, run_in_blocks
from emit.blocking import B, compiled, told
from train.stepping import Stepping, session

SIZES = sorted({4, 8, 16, B})

BODIES = {
    "convolutions": """
      conv C 3x2 pad=[1, 0, 0, 2] -> relu -> conv 2*C 3x3 groups=2 dilation=2 pad=2
      conv 2*C 3x3 groups=2*C stride=2 pad=1 -> relu -> deconv C 2x3 pad=1 -> conv C 1x1
    """,
    "pools": """
      conv C 3x3 pad=1 -> maxpool 3x3 stride=2 pad=1 -> avgpool 2x2 stride=1 pad=1
      conv C 3x3 pad=1 -> avgpool 3x3 stride=1 pad=1 count_pad=yes
      add { | avgpool global | maxpool global }
    """,
    "sums": """
      conv C 3x3 pad=1 -> bn
      add { | in | conv C 3x3 pad=1 -> bn -> relu -> conv C 3x3 pad=1 -> bn } -> relu
      mul { | in | sigmoid } -> scale
    """,
    "shapes": """
      conv C 3x3 pad=1 as a
      concat { | slice 0 C//2 -> relu | slice C//2 | in } -> pad 1 mode=edge -> crop [1, 0, 2, 1]
      concat axis=width { | in | tanh } -> permute [1, 2, 0]
    """,
}


def body(name: str, size: int) -> str:
    return BODIES[name].replace("C", str(2 * size))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("size", SIZES)
def test_a_network(name: str, size: int) -> None:
    text = f"network {{\ninput 3x9x8\n{body(name, size)}\n}}"
    plain = compiled(text)
    made = in_blocks(plain, size)
    draw = np.random.default_rng(0)
    feeds = {"input": draw.standard_normal((3, 3, 9, 8), np.float32)}
    agree(run_in_blocks(made, size, feeds), CompiledModel(plain).run(feeds))
    if size == B:
        agree(told(made), told(plain))
        agree(run_in_blocks(made, size, feeds), CompiledModel(made).run(feeds))


@pytest.mark.parametrize("size", SIZES)
def test_a_step(size: int) -> None:
    kept = "input 3x6x5 -> conv C 3x3 pad=1 bias=no -> bn -> tanh -> maxpool 2x2"
    text = f"network {{\n{kept}\nconv C 3x3 pad=1 -> relu -> conv C 1x1 -> flatten -> fc 3\n}}"
    plain = Stepping(text.replace("C", str(2 * size)), lines="optimizer sgd")
    draw = np.random.default_rng(0)
    feeds = {"input": draw.standard_normal((4, 3, 6, 5), np.float32), "target": np.arange(4) % 3}
    model = plain.step.model
    given = typed(model, {**plain.kept, **feeds, "lr": np.array(0.1)})
    names = [v.name for v in model.outputs]
    wanted = dict(zip(names, map(np.asarray, session(model).run(names, given)), strict=True))
    agree(run_in_blocks(in_blocks(model, size), size, given), wanted)


def typed(model: Model, given: dict[str, Array]) -> dict[str, Array]:
    return {v.name: np.asarray(given[v.name], NUMPY_NAMES[v.dtype]) for v in model.inputs}


def agree(found: dict[str, Array], wanted: dict[str, Array]) -> None:
    assert list(found) == list(wanted)
    for name, y in wanted.items():
        least = 1e-5 * max(1, np.abs(y).max())
        np.testing.assert_allclose(found[name], y, rtol=1e-4, atol=least, err_msg=name)
