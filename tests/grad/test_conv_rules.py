"""Do the rules for convolutions say what differences say, to the last bit?

A convolution is linear in each of what it takes: so Σ u·(f(x + v) - f(x)) is Σ dx·v for any step v.
With small whole numbers nothing is rounded, and the two are equal.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cnnspec.grad.reverse import gradients
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Model, Value
from grad.check import Array, Runner, apart, check_rule

Case = tuple[int, Sequence[int], int, Sequence[int], dict[str, Any]]

# channels, image, maps, kernel, attributes
CASES: dict[str, Case] = {
    "1d": (4, (9,), 6, (3,), {}),
    "1d-all": (4, (9,), 6, (3,), {"strides": (2,), "pads": (1, 2), "dilations": (2,), "group": 2}),
    "first-layer": (2, (7, 8), 5, (3, 2), {"pads": (1, 0, 1, 1)}),
    "first-layer-same": (1, (6, 6), 3, (5, 5), {"pads": (2, 2, 2, 2)}),
    "turned-kernels": (20, (7, 8), 5, (3, 3), {"pads": (1, 1, 1, 1)}),
    "turned-dilated": (20, (7, 8), 5, (3, 2), {"pads": (1, 0, 2, 1), "dilations": (2, 1)}),
    "dilated-columns": (20, (7, 8), 5, (3, 2), {"pads": (1, 0, 2, 1), "dilations": (1, 2)}),
    "stride": (4, (8, 9), 5, (3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
    "strides": (40, (8, 9), 5, (3, 3), {"strides": (2, 3), "pads": (1, 1, 0, 2)}),
    "unreached": (5, (11, 10), 2, (3, 3), {"strides": (4, 4)}),
    "points": (4, (8, 9), 5, (1, 1), {}),
    "points-stride": (4, (8, 9), 5, (1, 1), {"strides": (2, 3)}),
    "points-padded": (4, (8, 9), 5, (1, 1), {"strides": (2, 2), "pads": (1, 0, 0, 1)}),
    "points-padded-behind": (4, (8, 9), 5, (1, 1), {"pads": (0, 0, 1, 2)}),
    "points-padded-stride": (40, (8, 9), 5, (1, 1), {"strides": (2, 3), "pads": (0, 0, 1, 1)}),
    "depthwise": (6, (8, 7), 6, (3, 3), {"pads": (1, 1, 1, 1), "group": 6}),
    "depthwise-2": (6, (8, 7), 12, (3, 3), {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": 6}),
    "groups": (6, (8, 7), 4, (2, 3), {"strides": (2, 1), "dilations": (1, 2), "group": 2}),
    "3d": (3, (5, 6, 4), 4, (3, 2, 2), {"strides": (1, 2, 1), "pads": (1, 0, 1, 1, 1, 0)}),
    "3d-wide": (20, (5, 6, 4), 4, (3, 2, 2), {"pads": (1, 0, 1, 1, 1, 0)}),
    "3d-groups": (4, (5, 6, 4), 6, (3, 2, 2), {"dilations": (1, 1, 2), "group": 2}),
    "one-pixel": (1, (1, 1), 1, (1, 1), {}),
    "one-row": (3, (1, 9), 2, (1, 3), {"strides": (1, 4)}),
}

# Windows that see only padding: a convolution can have them, a transposed one cannot.
PADDED: dict[str, Case] = {
    "more-padding": (20, (3, 3), 2, (3, 3), {"pads": (4, 3, 4, 3)}),
    "uneven-padding": (2, (2, 2), 2, (2, 2), {"pads": (3, 3, 0, 1)}),
}


@pytest.mark.parametrize("name", [*CASES, *PADDED])
@pytest.mark.parametrize("batch", [BATCH, 3])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("for_gpu", [False, True])
def test_convolution(name: str, batch: int | str, has_bias: bool, for_gpu: bool):
    c, image, maps, kernel, attributes = {**CASES, **PADDED}[name]
    w = (maps, c // attributes.get("group", 1), *kernel)
    shapes = [(3, c, *image), w, *([(maps,)] if has_bias else [])]
    given = {"kernel_shape": kernel, **attributes}
    check_exactly("Conv", shapes, given, batch, for_gpu=for_gpu)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("batch", [BATCH, 3])
@pytest.mark.parametrize("is_longer", [True, False])
@pytest.mark.parametrize("for_gpu", [False, True])
def test_transposed(name: str, batch: int | str, is_longer: bool, for_gpu: bool):
    c, image, maps, kernel, attributes = CASES[name]
    given = {"kernel_shape": kernel, **attributes}
    if is_longer:
        given["output_padding"] = [s - 1 for s in attributes.get("strides", [1] * len(kernel))]
    shapes = [(3, c, *image), (c, maps // attributes.get("group", 1), *kernel), (maps,)]
    check_exactly("ConvTranspose", shapes, given, batch, for_gpu=for_gpu)


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_other_opsets(op: str, opset: int):
    for c, image, maps, kernel, attributes in CASES.values():
        w = (maps, c) if op == "Conv" else (c, maps)
        shape = (w[0], w[1] // attributes.get("group", 1), *kernel)
        shapes = [(2, c, *image), shape, (maps,)]
        check_exactly(op, shapes, {"kernel_shape": kernel, **attributes}, BATCH, opset)


def test_against_the_reference():
    # In double, by an implementation that is not the runtime's.
    inputs = [apart((2, 3, 6, 5)), apart((4, 3, 3, 3), seed=1), apart((4,), seed=2)]
    attributes = {"kernel_shape": (3, 3), "strides": (2, 1), "pads": (1, 1, 0, 1)}
    check_rule("Conv", inputs, attributes, batch=[0])


# ── how it is checked ──────────────────────────────────────────────────────────────────────────


def check_exactly(
    op: str,
    shapes: Sequence[tuple[int, ...]],
    attributes: dict[str, Any],
    batch: int | str,
    opset: int = 17,
    for_gpu: bool = False,
) -> None:
    """Also for smaller batches than the first, where their size is open."""
    rng = np.random.default_rng(0)

    def whole(shape: Sequence[int]) -> Array:
        return rng.integers(-3, 4, shape).astype(np.float32)

    model, y = one(op, shapes, attributes, batch, opset)
    forward = Runner(model, [y.name], "float")
    size = forward({v.name: whole(s) for v, s in zip(model.inputs, shapes, strict=True)})[0].shape
    backward, names = with_gradients(model, y, size, for_gpu)
    for examples in (3, 2, 1) if batch == BATCH and shapes[0][0] == 3 else (shapes[0][0],):
        sizes = [(examples, *shapes[0][1:]), *shapes[1:]]
        feeds = {name: whole(shape) for name, shape in zip(names, sizes, strict=True)}
        u = whole((examples, *size[1:]))
        made = backward({**feeds, "u": u})
        before = forward(feeds)[0]
        for name, dx in zip(names, made, strict=True):
            assert dx.shape == feeds[name].shape
            v = whole(dx.shape)
            after = forward({**feeds, name: feeds[name] + v})[0]
            assert np.sum(dx * v) == np.sum(u * (after - before)), f"{name} of {examples}"


def one(
    op: str,
    shapes: Sequence[tuple[int, ...]],
    attributes: dict[str, Any],
    batch: int | str,
    opset: int,
) -> tuple[Model, Value]:
    model = Model("one", opset)
    g = Builder(model, batch)
    for k, shape in enumerate(shapes):
        model.inputs.append(Value(f"x{k}", shape if k else (batch, *shape[1:])))
    with g.layer("y", ""):
        size = result(op, shapes, attributes)
        return model, g.op(op, *model.inputs, shape=size, **attributes)


def result(
    op: str, shapes: Sequence[tuple[int, ...]], attributes: dict[str, Any]
) -> tuple[int, ...]:
    """The maps and their sizes."""
    image, kernel = shapes[0][2:], attributes["kernel_shape"]
    rank = len(kernel)
    strides = attributes.get("strides", (1,) * rank)
    dilations = attributes.get("dilations", (1,) * rank)
    pads = attributes.get("pads", (0,) * 2 * rank)
    more = attributes.get("output_padding", (0,) * rank)
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    sides = [a + b for a, b in zip(pads[:rank], pads[rank:], strict=True)]
    columns = list(zip(image, strides, reach, sides, more, strict=True))
    if op == "Conv":
        return (shapes[1][0], *((n + p - r) // s + 1 for n, s, r, p, _ in columns))
    maps = shapes[1][1] * attributes.get("group", 1)
    return (maps, *((n - 1) * s + r - p + m for n, s, r, p, m in columns))


def with_gradients(
    model: Model, y: Value, size: Sequence[int], for_gpu: bool
) -> tuple[Runner, list[str]]:
    """The gradient of Σ u·y with u given."""
    names = [v.name for v in model.inputs]
    u = Value("u", y.shape)
    model.inputs.append(u)
    g = Builder(model, y.shape[0])
    with g.layer("loss", ""):
        loss = g.op("ReduceSum", g.op("Mul", y, u, part="uy"), dims=(), keepdims=0)
    found = gradients(model, loss, names, y.shape[0], for_gpu=for_gpu)
    made = [dx for name in names if (dx := found[name]) is not None]
    assert len(made) == len(names)
    return Runner(model, [dx.name for dx in made], "float"), names
