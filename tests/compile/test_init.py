"""Are new weights what their names say, and each its own?"""

from collections.abc import Callable

import numpy as np
import pytest

from cnnspec.emit.init import draw, fans
from cnnspec.layers.base import Weight
from nets import build


def weights_of(text: str) -> dict[str, Weight]:
    return {
        f"{n.owner}.{key}": w
        for n in build(text).nodes
        if n.facts is not None
        for key, w in n.facts.weights.items()
    }


@pytest.mark.parametrize(
    ("init", "deviation", "is_uniform"),
    [
        ("he", (2 / 288) ** 0.5, False),
        ("lecun", (1 / 288) ** 0.5, False),
        ("xavier", (2 / (288 + 576)) ** 0.5, True),
        ("normal", 0.01, False),
    ],
)
def test_the_spread_is_that_of_the_paper(init: str, deviation: float, is_uniform: bool) -> None:
    # 64 filters of 3x3 over 32 maps: 288 numbers into each output, 576 outputs of each input.
    found = draw(Weight((64, 32, 3, 3), init), 0, "conv.weight")
    assert found.dtype == np.float32
    # 18,432 numbers: the deviation's own is deviation/√(2·18432), five of which are 2.6 %.
    assert found.std() == pytest.approx(deviation, rel=0.026)
    assert abs(found.mean()) < 5 * deviation / found.size**0.5
    kurtosis = float(((found / found.std()) ** 4).mean())
    assert kurtosis == pytest.approx(1.8 if is_uniform else 3.0, rel=0.06)


@pytest.mark.parametrize("shape", [(8, 3, 3, 3), (40, 3, 3, 3), (10, 10), (1, 7), (7, 1)])
def test_orthogonal_rows_or_columns(shape: tuple[int, ...]) -> None:
    found = draw(Weight(shape, "orthogonal"), 0, "w").reshape(shape[0], -1).astype(np.float64)
    few = min(found.shape)
    gram = found @ found.T if found.shape[0] == few else found.T @ found
    # Rounding to single precision leaves 6e-8 in each number.
    np.testing.assert_allclose(gram, np.eye(few), atol=1e-6)


def test_a_weight_hangs_on_its_seed_and_name_alone() -> None:
    weight = Weight((4, 4))
    one = draw(weight, 0, "fc.weight")
    assert np.array_equal(one, draw(weight, 0, "fc.weight"))
    assert not np.array_equal(one, draw(weight, 1, "fc.weight"))
    assert not np.array_equal(one, draw(weight, 0, "fc_2.weight"))


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("network { input 4x8x8 -> conv 6 3x3 groups=2 }", "conv6_3x3.weight", (18, 54)),
        ("network { input 10 -> fc 3 }", "fc3.weight", (10, 3)),
        # Each of 2x2 taps meets one output pixel in four.
        ("network { input 4x8x8 -> deconv 6 2x2 stride=2 }", "deconv6_2x2.weight", (4, 24)),
        ("network { input 4x8x8 -> deconv 6 3x3 }", "deconv6_3x3.weight", (36, 54)),
        ("network { input 2x5x5 -> local 3 3x3 }", "local3_3x3.weight", (18, 27)),
        # Four pairs for two outputs and three inputs, of 9 taps each.
        (
            "network { input 3x5x5 -> conv 2 3x3 connect=[[0, 1], [1, 2]] }",
            "conv2_3x3.weight",
            (18, 12),
        ),
    ],
)
def test_fans(text: str, name: str, expected: tuple[float, float]) -> None:
    assert fans(weights_of(text)[name]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "name", "check"),
    [
        ("conv 4 3x3", "conv4_3x3.bias", lambda w: (w == 0).all()),
        ("bn", "bn.scale", lambda w: (w == 1).all()),
        ("bn", "bn.var", lambda w: (w == 1).all()),
        ("prelu init=0.1", "prelu.slope", lambda w: (w == np.float32(0.1)).all()),
        ("subsampling 2x2", "subsampling.coefficient", lambda w: (w == 0.25).all()),
        ("flatten -> fc 84 -> rbf", "rbf.codes", lambda w: set(np.unique(w)) == {-1, 1}),
    ],
)
def test_what_is_not_drawn(text: str, name: str, check: Callable[[np.ndarray], bool]) -> None:
    found = weights_of(f"network {{ input 2x6x6 -> {text} }}")
    (path,) = (p for p in found if p.endswith(name))
    assert check(draw(found[path], 0, path))
