"""Do the rules for windows say what finite differences say, and who gets it where several tie?"""

from typing import Any

import numpy as np
import pytest

from cnnspec.grad.reverse import gradients
from cnnspec.onnxir.graph import BATCH
from grad.check import Array, Runner, apart, check_rule, distinct, one_operator

# kernel, image, and what is not as it is without being said
WINDOWS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((3,), (9,), {"strides": (3,)}),
    ((3,), (9,), {"strides": (2,), "pads": (1, 2)}),
    ((2, 2), (4, 6), {"strides": (2, 2)}),
    ((2, 2), (5, 7), {"strides": (2, 2)}),
    ((2, 2), (5, 7), {"strides": (2, 2), "pads": (0, 0, 1, 1)}),
    ((2, 2), (4, 4), {}),
    ((3, 2), (5, 7), {"strides": (3, 2)}),
    ((3, 3), (7, 6), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((3, 3), (5, 6), {"pads": (1, 1, 1, 1)}),
    ((3, 2), (7, 6), {"strides": (2, 3), "pads": (1, 0, 2, 1)}),
    ((4, 3), (4, 3), {}),
    ((3, 3), (6, 9), {"strides": (3, 3)}),
    ((3, 1), (6, 4), {"strides": (3, 1)}),
    ((1, 1), (2, 3), {}),
    ((1, 1), (5, 4), {"strides": (2, 2)}),
    ((1, 2), (1, 6), {"strides": (1, 2)}),
    ((2, 2, 2), (4, 4, 2), {"strides": (2, 2, 2)}),
    ((3, 2, 2), (5, 4, 3), {"strides": (2, 1, 1), "pads": (1, 1, 0, 1, 0, 1)}),
]


def case(kernel: tuple[int, ...], rest: dict[str, Any]) -> dict[str, Any]:
    return {"kernel_shape": kernel, **rest}


# ── the largest number ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kernel", "image", "rest"), WINDOWS)
@pytest.mark.parametrize("examples", [1, 3])
def test_largest(
    examples: int, kernel: tuple[int, ...], image: tuple[int, ...], rest: dict[str, Any]
):
    x = distinct((examples, 2, *image))
    check_rule("MaxPool", [x], case(kernel, rest), batch=[0])


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_largest_of_spread_windows(opset: int):
    attributes = {"kernel_shape": (2, 3), "strides": (2, 1), "dilations": (2, 2)}
    x = distinct((3, 2, 7, 8))
    check_rule("MaxPool", [x], attributes, batch=[0], opset=opset)


@pytest.mark.parametrize(("kernel", "image", "rest"), [w for w in WINDOWS if len(w[0]) == 2])
@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("opset", [13, 17])
def test_the_first_of_equal_ones_gets_it_all(
    opset: int,
    levels: int,
    kernel: tuple[int, int],
    image: tuple[int, int],
    rest: dict[str, Any],
):
    # Every number is one of a few, as in the flat parts of an image: nearly all windows tie.
    x = np.random.default_rng(levels).integers(0, levels, (3, 2, *image)).astype(float)
    attributes = case(kernel, rest)
    dx = gradient("MaxPool", x, attributes, opset)
    np.testing.assert_allclose(dx, largest_by_loops(x, attributes), rtol=0, atol=1e-6)


def largest_by_loops(x: Array, attributes: dict[str, Any]) -> Array:
    """Row by row through each window, the first number that is larger than all before."""
    (kh, kw), (sh, sw) = attributes["kernel_shape"], attributes.get("strides", (1, 1))
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    n, c, h, w = x.shape
    rows, columns = (h + top + bottom - kh) // sh + 1, (w + left + right - kw) // sw + 1
    u, dx = weights_of_loss((n, c, rows, columns)), np.zeros(x.shape, np.float32)
    for b, m, i, j in np.ndindex(n, c, rows, columns):
        best, place = -np.inf, None
        for p in range(i * sh - top, i * sh - top + kh):
            for q in range(j * sw - left, j * sw - left + kw):
                if 0 <= p < h and 0 <= q < w and x[b, m, p, q] > best:
                    best, place = x[b, m, p, q], (b, m, p, q)
        assert place is not None
        dx[place] += u[b, m, i, j]
    return dx


@pytest.mark.parametrize("image", [(5,), (4, 3), (2, 3, 2), (1, 1)])
@pytest.mark.parametrize("examples", [1, 3])
def test_largest_of_all(examples: int, image: tuple[int, ...]):
    x = distinct((examples, 2, *image))
    # The reference of onnx 1.23 takes the maximum over the wrong axes but in images.
    check_rule("GlobalMaxPool", [x], {}, batch=[0], dtype="float")


def test_the_first_of_equal_ones_in_a_map_gets_it_all():
    x = np.random.default_rng(0).integers(0, 2, (3, 2, 3, 4)).astype(float)
    dx = gradient("GlobalMaxPool", x, {}, 17)
    flat, u = x.reshape(3, 2, -1), weights_of_loss((3, 2, 1, 1))
    wins = np.eye(12)[flat.argmax(2)] * u.reshape(3, 2, 1)
    np.testing.assert_array_equal(dx.reshape(3, 2, -1), wins.astype(np.float32))


def gradient(op: str, x: Array, attributes: dict[str, Any], opset: int) -> Array:
    """The gradient of Σ u·y, which differences cannot say where numbers tie."""
    model, loss = one_operator(op, [x], attributes, [0], opset=opset, batch=[0])
    dx = gradients(model, loss, ["x0"], BATCH)["x0"]
    assert dx is not None
    return Runner(model, [dx.name], "float")({"x0": x})[0]


def weights_of_loss(shape: tuple[int, ...]) -> Array:
    """The u of the loss Σ u·y that is checked."""
    rng = np.random.default_rng(100)
    return rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)


# ── the mean and the p-norm ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kernel", "image", "rest"), WINDOWS)
@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize("examples", [1, 3])
def test_mean(
    examples: int,
    count_include_pad: int,
    kernel: tuple[int, ...],
    image: tuple[int, ...],
    rest: dict[str, Any],
):
    x = apart((examples, 2, *image))
    attributes = case(kernel, rest) | {"count_include_pad": count_include_pad}
    check_rule("AveragePool", [x], attributes, batch=[0])


@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_mean_of_spread_windows(count_include_pad: int):
    x = apart((3, 2, 7, 8))
    attributes: dict[str, Any] = {"kernel_shape": (2, 3), "strides": (2, 1), "dilations": (2, 2)}
    attributes |= {"pads": (1, 0, 1, 2), "count_include_pad": count_include_pad}
    check_rule("AveragePool", [x], attributes, batch=[0], opset=19)


@pytest.mark.parametrize("image", [(5,), (4, 3), (2, 3, 2), (1, 1)])
@pytest.mark.parametrize("examples", [1, 3])
def test_mean_of_all(examples: int, image: tuple[int, ...]):
    check_rule("GlobalAveragePool", [apart((examples, 2, *image))], {}, batch=[0])


@pytest.mark.parametrize(("kernel", "image", "rest"), WINDOWS)
@pytest.mark.parametrize("p", [1, 2, 3])
def test_norm(p: int, kernel: tuple[int, ...], image: tuple[int, ...], rest: dict[str, Any]):
    attributes = case(kernel, rest) | {"p": p}
    check_rule("LpPool", [apart((3, 2, *image))], attributes, batch=[0], dtype="float")


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("image", [(5,), (4, 3), (2, 3, 2), (1, 1)])
def test_norm_of_all(p: int, image: tuple[int, ...]):
    check_rule("GlobalLpPool", [apart((3, 2, *image))], {"p": p}, batch=[0], dtype="float")


@pytest.mark.parametrize("p", [1, 2, 5])
def test_norm_of_nothing(p: int):
    # At 0 a length has no slope; the gradient there is 0, not the quotient 0/0.
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 3, 3] = 2
    attributes = {"kernel_shape": (2, 2), "p": p}
    dx = gradient("LpPool", x, attributes, 17)
    expected = np.zeros(x.shape)
    expected[0, 0, 3, 3] = weights_of_loss((1, 1, 3, 3))[0, 0, 2, 2]
    np.testing.assert_allclose(dx, expected, rtol=1e-5)


# ── pixels copied and interpolated ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("image", "scales"),
    [((5,), (3,)), ((4, 3), (2, 3)), ((4, 3), (1, 2)), ((2, 3, 2), (2, 1, 3)), ((4, 5), (2.5, 2))],
)
def test_copies(image: tuple[int, ...], scales: tuple[float, ...]):
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    resize(image, scales, attributes)


@pytest.mark.parametrize(
    ("image", "scales"),
    [
        ((5,), (3,)),
        ((4, 3), (2, 3)),
        ((4, 3), (1, 2)),
        ((4, 3), (2, 1)),
        ((1, 3), (4, 2)),
        ((7, 5), (10 / 7 * (1 + 2e-7), 13 / 5 * (1 + 2e-7))),
        ((2, 3, 2), (2, 1, 3)),
        ((2, 3, 2), (2, 5 / 3 * (1 + 2e-7), 2)),
    ],
)
def test_between(image: tuple[int, ...], scales: tuple[float, ...]):
    resize(image, scales, {"mode": "linear", "coordinate_transformation_mode": "half_pixel"})


def resize(image: tuple[int, ...], scales: tuple[float, ...], attributes: dict[str, Any]) -> None:
    x = apart((3, 2, *image))
    factors = np.array([1, 1, *scales], np.float32)
    check_rule("Resize", [x, None, factors], attributes, by=[0], batch=[0])


def test_a_size_instead_of_a_factor():
    x = apart((3, 2, 4, 5))
    sizes = np.array([3, 2, 7, 10], np.int64)
    attributes = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    check_rule("Resize", [x, None, None, sizes], attributes, by=[0])
