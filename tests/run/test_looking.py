"""Is what a network looks at what it looks at?"""

import numpy as np
import pytest

from cnnspec import load, loads, zoo
from cnnspec.emit.compile import wanted_weights
from cnnspec.emit.options import CannotCompile
from cnnspec.run.looking import (
    Lens,
    cam,
    feature_maps,
    grad_cam,
    last_maps,
    saliency,
    source,
    stages,
)

RNG = np.random.default_rng(0)
NET = "network { input 2x6x6 -> conv 4 3x3 -> tanh -> avgpool 2x2 -> flatten -> fc 3 -> softmax }"


def drawn(network: object) -> dict[str, np.ndarray]:
    graph = network.graph  # pyright: ignore[reportAttributeAccessIssue]
    shapes = wanted_weights(graph)
    return {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_maps_are_those_of_the_model() -> None:
    network = loads(NET)
    weights, x = drawn(network), RNG.normal(size=(3, 2, 6, 6)).astype(np.float32)
    paths = ["input", "conv4_3x3", "conv4_3x3_tanh", "fc3_softmax"]
    found = feature_maps(network.graph, weights, {"input": x}, paths)
    model = network.compile(weights=weights, add_outputs=paths[1:3])
    wanted = model.run(x)
    assert list(found) == paths
    np.testing.assert_array_equal(found["input"], x)
    for path in paths[1:]:
        np.testing.assert_allclose(found[path], wanted[path], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("path", ["conv4_3x3", "conv4_3x3_tanh", "conv4_3x3_avgpool"])
def test_the_gradient_by_a_layer_is_the_slope_of_the_score(path: str) -> None:
    network = loads(NET)
    weights = drawn(network)
    x, target = RNG.normal(size=(2, 2, 6, 6)).astype(np.float32), np.array([2, 0])
    seen = Lens(network.graph, source(weights), maps=[path], by=[path]).see({"input": x}, target)
    # The rest of the network, from that layer on.
    rest = {
        "conv4_3x3": "input 4x4x4 -> tanh -> avgpool 2x2 -> flatten -> fc 3",
        "conv4_3x3_tanh": "input 4x4x4 -> avgpool 2x2 -> flatten -> fc 3",
        "conv4_3x3_avgpool": "input 4x2x2 -> flatten -> fc 3",
    }[path]
    tail = loads(f"network {{ {rest} }}").compile(
        weights={n: w for n, w in weights.items() if n.startswith("fc3.")}
    )
    v, h = RNG.normal(size=seen.values[path].shape).astype(np.float32), 1e-2
    up, down = (next(iter(tail.run(seen.values[path] + s * h * v).values())) for s in (1, -1))
    slopes = (up - down)[np.arange(2), target] / (2 * h)
    found = (seen.gradients[path] * v).reshape(2, -1).sum(1)
    np.testing.assert_allclose(found, slopes, rtol=5e-3, atol=1e-3)


def test_grad_cam_by_hand() -> None:
    values = np.array([[[[1, 2], [3, 4]], [[1, 0], [0, 1]]]], np.float32)
    gradient = np.array([[[[1, 1], [1, 1]], [[-8, 0], [0, 0]]]], np.float32)
    # w = (1, -2); 1·A₁ - 2·A₂ = (-1, 2; 3, 2)
    np.testing.assert_array_equal(cam(values, gradient), [[[0, 2], [3, 2]]])


def test_grad_cam_finds_what_decides() -> None:
    """A kernel that sees bright spots, and classes that count them: the heat is at the spot."""
    network = loads("network { input 1x8x8 -> conv 1 3x3 pad=1 -> relu -> flatten -> fc 2 }")
    weights = {
        "conv1_3x3.weight": np.ones((1, 1, 3, 3), np.float32),
        "conv1_3x3.bias": np.zeros(1, np.float32),
        "fc2.weight": np.stack([np.ones(64), -np.ones(64)]).astype(np.float32),
        "fc2.bias": np.zeros(2, np.float32),
    }
    x = np.zeros((1, 1, 8, 8), np.float32)
    x[0, 0, 2, 5] = 1
    heat = grad_cam(network.graph, weights, {"input": x}, np.array([0]))
    wanted = np.zeros((8, 8))
    wanted[1:4, 4:7] = 1
    np.testing.assert_allclose(heat[0], wanted, atol=1e-6)
    against = grad_cam(network.graph, weights, {"input": x}, np.array([1]))
    assert not against.any()
    shown = saliency(network.graph, weights, {"input": x}, np.array([0]))["input"]
    assert shown.shape == (1, 8, 8)
    assert shown[0, 2, 5] == pytest.approx(9)


def test_bytes_and_channels_last() -> None:
    """What is given as bytes, channels last, is looked at as maps."""
    network = loads(
        "network { input 3x6x6 type=uint8 layout=hwc scale=0.01 -> conv 4 3x3 -> relu -> flatten"
        " -> fc 2 }"
    )
    x = RNG.integers(0, 255, (2, 6, 6, 3)).astype(np.uint8)
    found = saliency(network.graph, drawn(network), {"input": x}, np.array([0, 1]))
    assert found["input"].shape == (2, 6, 6)
    assert found["input"].any()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lenet5", "conv16_5x5_tanh"),  # before the pool: it shows more
        ("resnet18", "basic512_2.relu"),
        ("cnn1d", "conv16_3_relu"),
        ("conv3d", "conv32_3x3x3_leaky"),
        ("mlp", None),
    ],
)
def test_the_last_maps(name: str, path: str | None) -> None:
    found = last_maps(load(name).graph)
    assert found == path


def test_a_network_without_maps_is_told() -> None:
    network = load("mlp")
    with pytest.raises(ValueError, match="no maps in which something has a place"):
        grad_cam(network.graph, {}, {"input": np.zeros((1, 784), np.float32)}, np.array([0]))


def test_a_layer_that_is_not_there() -> None:
    network = loads(NET)
    x = {"input": np.zeros((1, 2, 6, 6), np.float32)}
    with pytest.raises(CannotCompile, match="no layer `conv4_3x`; did you mean `conv4_3x3`"):
        feature_maps(network.graph, drawn(network), x, ["conv4_3x"])


@pytest.mark.parametrize("name", zoo.names())
def test_every_network_has_stages(name: str) -> None:
    graph = load(name).graph
    found = stages(graph)
    assert 1 <= len(found) <= 8
    assert len(set(found)) == len(found)
    assert all(graph.find(path) is not None for path in found)
