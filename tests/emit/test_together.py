"""Do convolutions over all examples at once give what those example by example give?"""

import numpy as np
import pytest

from cnnspec.api import loads
from cnnspec.emit.passes.together import HEAVY, gather_examples
from cnnspec.onnxir.graph import Model
from cnnspec.run.model import CompiledModel
from train.stepping import Stepping


def compiled(text: str) -> Model:
    made = loads(text).compile(seed=1)._model
    assert isinstance(made, Model)
    return made


def gathered(model: Model) -> list[str]:
    return [n.name for n in gather_examples(model).nodes if n.name.endswith("/together/maps")]


@pytest.mark.parametrize(
    "conv",
    [
        "conv 96 3x3 pad=1",
        "conv 96 3x3 pad=1 bias=no",
        "conv 96 3x3 stride=2",
        "conv 96 3x3 pad=2 dilation=2",
        "conv 700 1x1",
    ],
)
def test_the_values_are_the_same(conv: str) -> None:
    plain = compiled(f"network {{ input 96x9x7 -> {conv} -> relu }}")
    changed = gather_examples(plain)
    changed.verify()
    assert len(gathered(plain)) == 1
    x = np.random.default_rng(0).standard_normal((5, 96, 9, 7), np.float32)
    (expected,) = CompiledModel(plain).run(x).values()
    (found,) = CompiledModel(changed).run(x).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "network { input 3x9x9 -> conv 8 3x3 }",  # few numbers
        "network { input 96x32x32 -> conv 96 3x3 }",  # many places
        "network { input 512x9x9 -> conv 512 3x3 groups=64 }",
        "network { input 96x40 -> conv 400 3 }",  # one axis
        "network { input 96x4x4x4 -> conv 96 3x3x3 }",
    ],
)
def test_others_stay_as_they_are(text: str) -> None:
    assert gathered(compiled(text)) == []


def test_a_step_has_both_directions_changed_and_learns_the_same() -> None:
    network = loads(
        "network { input 96x6x6 -> conv 96 3x3 pad=1 -> relu -> conv 96 3x3 -> flatten -> fc 4 }"
    )
    x = np.random.default_rng(0).standard_normal((6, 96, 6, 6), np.float32)
    feeds = {"input": x, "target": np.arange(6) % 4}
    plain = Stepping(network.graph)
    assert gathered(plain.step.model) == [
        "conv96_3x3/together/maps",
        "conv96_3x3_2/together/maps",
        "conv96_3x3_2/grad/image/together/maps",
    ]
    changed = Stepping(network.graph, change=gather_examples)
    for _ in range(3):
        expected, found = plain.do(feeds, 0.01), changed.do(feeds, 0.01)
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for name, x in plain.kept.items():
        apart = np.linalg.norm(changed.kept[name] - x)
        assert apart <= 1e-5 * np.linalg.norm(x), name


def test_the_bound_is_of_numbers_in_all_kernels() -> None:
    assert HEAVY == 65536
    assert gathered(compiled("network { input 256x4x4 -> conv 256 1x1 }"))
    assert not gathered(compiled("network { input 256x4x4 -> conv 255 1x1 }"))


def test_what_is_exported_is_plain() -> None:
    network = loads("network { input 96x6x6 -> conv 96 3x3 -> flatten -> fc 4 }")
    for model in (network.compile(), network.training_step()):
        assert not any("together" in node.name for node in model.onnx.graph.node)
