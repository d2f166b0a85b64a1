"""Is a normalisation in plainer operators the same?"""

import numpy as np
import onnx
import pytest

from cnnspec.api import loads
from cnnspec.emit.passes.spelled import spell_out
from cnnspec.onnxir.graph import Model
from cnnspec.run.binding import as_run
from train.stepping import Stepping


def norms(model: Model) -> int:
    return sum(n.op == "BatchNormalization" for n in model.nodes if "training_mode" in n.attributes)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ("3x8x8", "conv 4 3x3 -> bn -> relu -> conv 4 3x3 bias=no -> bn affine=no"),
        ("3x12", "conv 4 3 -> bn -> relu"),
        ("2x4x4x4", "conv 4 3x3x3 -> bn eps=1e-3"),
        ("7", "fc 5 -> bn -> relu"),
    ],
)
@pytest.mark.parametrize("n", [2, 7])
def test_a_step(size: str, text: str, n: int) -> None:
    network = loads(f"network {{\n input {size} -> {text}\n flatten -> fc 3\n}}")
    x = np.random.default_rng(0).standard_normal((n, *map(int, size.split("x"))), np.float32)
    feeds = {"input": 3 + 2 * x, "target": np.arange(n) % 3}
    plain = Stepping(network.graph, lines="optimizer sgd")
    assert norms(plain.step.model) == text.count("bn")
    changed = spell_out(plain.step.model)
    changed.verify()
    assert not norms(changed)
    made = Stepping(network.graph, lines="optimizer sgd", change=spell_out)
    for _ in range(2):
        expected, found = plain.do(feeds, 0.01), made.do(feeds, 0.01)
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for name, y in plain.kept.items():
        np.testing.assert_allclose(made.kept[name], y, rtol=1e-4, atol=1e-5, err_msg=name)


def test_cuda_is_given_no_operator_whose_statistics_it_does_not_make() -> None:
    network = loads("network { input 3x8x8 -> conv 4 3x3 -> bn -> relu -> flatten -> fc 3 }")
    step = Stepping(network.graph).step.model
    for device, count in (("cpu", 1), ("cuda", 0)):
        nodes = onnx.load_model_from_string(as_run(step, device)).graph.node
        trained = [n for n in nodes for a in n.attribute if a.name == "training_mode" and a.i]
        assert len(trained) == count


def test_the_variance_of_numbers_far_from_0() -> None:
    network = loads("network { input 3x6x6 -> bn affine=no -> flatten -> fc 2 }")
    x = 1000 + np.random.default_rng(0).standard_normal((8, 3, 6, 6), np.float32)
    made = Stepping(network.graph, change=spell_out)
    made.do({"input": x, "target": np.arange(8) % 2})
    (name,) = (k for k in made.kept if k.endswith("bn.var"))
    # The layer goes a tenth of the way from 1.
    wanted = 0.9 + 0.1 * x.astype(np.float64).var((0, 2, 3), ddof=1)
    np.testing.assert_allclose(made.kept[name], wanted, rtol=1e-4)
