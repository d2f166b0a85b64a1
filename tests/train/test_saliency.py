"""Is the gradient by an input that of the class that is asked about, example by example?"""

import numpy as np
import pytest

from cnnspec import load, loads
from cnnspec.emit.options import CannotCompile
from cnnspec.layers.codes import CODES

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "text",
    [
        "input 2x6x6 -> conv 4 3x3 -> tanh -> avgpool 2x2 -> flatten -> fc 3 -> softmax",
        "input 2x6x6 -> conv 4 3x3 -> bn -> sigmoid -> avgpool global -> flatten -> fc 3",
        "input 5 -> fc 4 -> tanh -> fc 3 -> logsoftmax",
    ],
)
def test_it_is_the_slope_of_the_score(text: str) -> None:
    network = loads(f"network {{ {text} }}")
    model = network.gradient("input", seed=1)
    shape = network.layers[0].shape
    assert shape is not None
    x = RNG.normal(size=(3, *shape)).astype(np.float32)
    target = np.array([0, 2, 1])
    found = model.run({"input": x, "target": target})["input/gradient"]
    last = next(n.path for n in reversed(network.layers) if n.layer.kind == "fc")
    scores = network.compile(seed=1, until=last)
    v = RNG.normal(size=x.shape).astype(np.float32)
    h = 1e-2
    up, down = (next(iter(scores.run(x + s * h * v).values())) for s in (1, -1))
    slopes = (up - down)[np.arange(3), target] / (2 * h)
    # Differences over 2e-2 in single precision: 1e-7 of scores near 1, over that, is 1e-5.
    np.testing.assert_allclose((found * v).reshape(3, -1).sum(1), slopes, rtol=2e-3, atol=1e-4)


def test_the_score_of_a_class_falls_with_its_distance() -> None:
    x, target = RNG.normal(size=(3, 84)).astype(np.float32), np.array([0, 2, 1])
    found = loads("network { input 84 -> rbf 3 }").gradient().run({"input": x, "target": target})
    # -|x - c|², by x
    wanted = -2 * (x - np.array(CODES)[target])
    np.testing.assert_allclose(found["input/gradient"], wanted, rtol=1e-5)


def test_the_answer_comes_with_it() -> None:
    x = RNG.random((2, 1, 28, 28), np.float32)
    found = load("lenet5").gradient(seed=2).run({"input": x, "target": np.array([3, 4])})
    assert list(found) == ["fc10_softmax", "input/gradient"]
    plain = load("lenet5").compile(seed=2).run(x)
    np.testing.assert_allclose(found["fc10_softmax"], plain["fc10_softmax"], rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input 3 -> fc 2", "there is no input `x`; there is `input`"),
        ("input 3x4x4 type=uint8 as x -> flatten -> fc 2", "`x` takes whole numbers"),
    ],
)
def test_refusals(text: str, said: str) -> None:
    with pytest.raises(CannotCompile, match=said):
        loads(f"network {{ {text} }}").gradient("x")


def test_what_is_called_target_makes_way() -> None:
    x, classes = RNG.normal(size=(3, 4)).astype(np.float32), np.array([0, 2, 1])
    body = "-> fc 3 as y"
    wanted = loads(f"network {{ input 4 {body} }}").gradient(seed=1)
    wanted = wanted.run({"input": x, "target": classes})["input/gradient"]
    found = loads(f"network {{ input 4 as target {body} }}").gradient("target", seed=1)
    found = found.run({"target/own": x, "target": classes})["target/gradient"]
    np.testing.assert_array_equal(found, wanted)
