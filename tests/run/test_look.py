"""Are the pictures of what a network looks at true? Each against numbers that came another way."""

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from cnnspec import load, loads
from cnnspec.run.look import Given, Look, Wishes, look
from cnnspec.run.look_answer import NoClass
from cnnspec.run.look_layers import NoLayer, layers, usual, where_last
from cnnspec.run.look_model import CannotSlope, Opened
from cnnspec.run.look_view import view
from cnnspec.run.looking import last_maps, stages
from cnnspec.run.model import CompiledModel
from cnnspec.run.wanted import wanted

RNG = np.random.default_rng(0)

Array = NDArray[Any]

PAIR = """
network Pair {
  input 1x9x9 as left
  conv 4 3x3 -> relu as a
  input 1x9x9 as right
  conv 4 3x3 -> relu as b
  concat { | a | b } -> flatten -> fc 1 -> sigmoid
}
"""


def network(text: str) -> Any:
    return loads(f"network {{ {text} }}")


def looked(text: str, x: Array, weights: dict[str, Array] | None = None, **wishes: Any) -> Look:
    return network(text).look(np.asarray(x, np.float32), weights=weights, **wishes).found


def at(model: onnx.ModelProto, x: Array, **wishes: Any) -> Look:
    """A model of another program, which says nothing of itself."""
    wants, _ = wanted(CompiledModel(model).session("cpu"))
    (want,) = wants
    feeds = {want.name: x.astype(want.dtype)}
    return look(Given(model, None, feeds, [view(want, feeds[want.name][0])], "x"), Wishes(**wishes))


# ── slopes ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["", " -> softmax"])
def test_saliency_is_the_slope_of_the_score(end: str) -> None:
    text = "input 2x5x5 -> conv 4 3x3 -> tanh -> avgpool 2x2 stride=1 -> flatten -> fc 3"
    x = RNG.normal(size=(2, 5, 5)).astype(np.float32)
    found = looked(text + end, x, label="1", seed=1)
    h = 1e-2
    steps = h * np.eye(x.size, dtype=np.float32).reshape(-1, *x.shape)
    plain = network(text).compile(seed=1)
    up, down = (next(iter(plain.run(x + s * steps).values()))[:, 1] for s in (1, -1))
    slopes = ((up - down) / (2 * h)).reshape(x.shape)
    np.testing.assert_allclose(found.saliency["input"], np.abs(slopes).max(0), atol=2e-4)
    np.testing.assert_allclose(found.times_input["input"], (slopes * x).sum(0), atol=4e-4)


def test_grad_cam_by_hand() -> None:
    # Maps x and -2x; the score of class k is Σ_j w_kj mean(A_j), so that each place of A_j counts
    # w_kj/16, and L = max(0, w_k0/16·x - w_k1/16·2x).
    x = RNG.normal(size=(1, 4, 4)).astype(np.float32)
    w = np.array([[1.0, 0.0], [-3.0, 5.0]], np.float32)
    weights = {
        "c.weight": np.array([1.0, -2.0], np.float32).reshape(2, 1, 1, 1),
        "c.bias": np.zeros(2, np.float32),
        "fc2.weight": w,
        "fc2.bias": np.zeros(2, np.float32),
    }
    text = "input 1x4x4 -> conv 2 1x1 as c -> avgpool global -> flatten -> fc 2"
    for k in range(2):
        (found,) = looked(text, x, weights, label=str(k)).cams
        wanted_map = np.maximum(0, (w[k, 0] * x[0] - 2 * w[k, 1] * x[0]) / 16)
        assert found.layer == "c"
        np.testing.assert_allclose(found.values, wanted_map, rtol=1e-5, atol=1e-7)


def test_of_yes_and_no_the_opposite_speaks_for_no() -> None:
    x = np.array([1.0, -2.0, 0.5], np.float32)
    weights = {"fc1.weight": np.array([[1.0, 2.0, 3.0]]), "fc1.bias": np.zeros(1)}
    found = looked("input 3 -> fc 1 -> sigmoid", x, weights)
    assert (found.how.gives, found.label) == ("yes or no", "no")
    np.testing.assert_allclose(found.times_input["input"].reshape(-1), [-1, 4, -1.5])
    assert found.top[0].probability is not None
    np.testing.assert_allclose(found.top[0].probability, 1 / (1 + np.exp(-1.5)), rtol=1e-6)


def test_a_network_of_distances_says_the_nearest() -> None:
    x = RNG.random((1, 1, 32, 32), np.float32)
    net = load("lenet5_1998")
    found = net.look(x).found
    y = next(iter(net.compile(fold_bn=False).run(x).values()))[0]
    assert found.index == int(y.argmin()) == found.top[0].index
    np.testing.assert_allclose(sum(c.probability or 0 for c in found.top), 1, atol=0.02)


# ── occlusion ───────────────────────────────────────────────────────────────────────────────────


def one_pixel(x: Array, **wishes: Any) -> Look:
    """A network that sees the pixel in row 2, column 3."""
    w = np.zeros((1, 36), np.float32)
    w[0, 2 * 6 + 3] = 1
    weights = {"fc1.weight": w, "fc1.bias": np.zeros(1, np.float32)}
    return looked("input 1x6x6 -> flatten -> fc 1", x, weights, **wishes)


def test_what_is_hidden_matters_where_it_is_seen() -> None:
    x = RNG.random((1, 6, 6)).astype(np.float32)
    found = one_pixel(x, occlude=(1,)).occlusion
    assert found is not None
    expected = np.zeros((6, 6))
    expected[2, 3] = x[0, 2, 3] - x.mean()
    np.testing.assert_allclose(found.drop, expected, atol=1e-6)
    assert (found.count, found.size, found.step) == (36, (1, 1), (1, 1))
    assert found.whole == pytest.approx(float(x[0, 2, 3]))


def test_a_place_has_the_mean_of_the_patches_over_it() -> None:
    x = RNG.random((1, 6, 6)).astype(np.float32)
    found = one_pixel(x, occlude=(3, 2)).occlusion
    assert found is not None
    drop = float(x[0, 2, 3] - x.mean())
    total, covered = np.zeros((6, 6)), np.zeros((6, 6))
    for i in range(4):
        for j in range(5):
            covered[i : i + 3, j : j + 2] += 1
            if i <= 2 < i + 3 and j <= 3 < j + 2:
                total[i : i + 3, j : j + 2] += drop
    np.testing.assert_allclose(found.drop, total / covered, atol=1e-6)
    assert found.count == 20


def test_a_patch_larger_than_the_input_hides_all_of_it() -> None:
    x = RNG.random((1, 6, 6)).astype(np.float32)
    found = one_pixel(x, occlude=(99,)).occlusion
    assert found is not None
    np.testing.assert_allclose(found.drop, float(x[0, 2, 3] - x.mean()), atol=1e-6)
    with pytest.raises(ValueError, match="a patch of 3 sizes does not fit an input of 6x6"):
        one_pixel(x, occlude=(1, 1, 1))


def test_a_model_of_a_fixed_batch_is_given_that_many() -> None:
    net = network("input 1x6x6 -> conv 3 3x3 -> relu -> flatten -> fc 3")
    x = RNG.random((1, 1, 6, 6), np.float32)
    free, fixed = (
        at(net.compile(batch=n).onnx, np.repeat(x, n or 1, 0), occlude=(2,), attack="fgsm")
        for n in (None, 4)
    )
    assert free.occlusion is not None
    assert fixed.occlusion is not None
    assert free.attack is not None
    assert fixed.attack is not None
    np.testing.assert_allclose(fixed.occlusion.drop, free.occlusion.drop, atol=1e-6)
    np.testing.assert_allclose(fixed.saliency["input"], free.saliency["input"], atol=1e-6)
    assert fixed.attack.eps == pytest.approx(free.attack.eps, rel=1e-3)


# ── attacks ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["", " -> softmax"])
@pytest.mark.parametrize("kind", ["fgsm", "pgd"])
def test_of_two_classes_it_is_the_margin_over_the_norm(kind: str, end: str) -> None:
    # z₁ - z₀ changes by at most ε·‖w₁ - w₀‖₁, and FGSM does change it by that.
    w, b = RNG.normal(size=(2, 7)).astype(np.float32), np.array([0.3, -0.2], np.float32)
    x = RNG.normal(size=7).astype(np.float32)
    weights = {"fc2.weight": w, "fc2.bias": b}
    found = looked(f"input 7 -> fc 2{end}", x, weights, attack=kind, eps=3.0).attack
    z = w @ x + b
    least = abs(z[1] - z[0]) / np.abs(w[1] - w[0]).sum()
    assert found is not None
    # PGD stops at a hundredth of it; both are upper bounds.
    assert found.eps == pytest.approx(least, rel=1e-4 if kind == "fgsm" else 0.02)
    assert found.eps is not None
    assert found.eps >= least * (1 - 1e-4)
    assert (found.before, found.after) == (int(z.argmax()), int(z.argmin()))


def test_of_one_number_it_is_its_distance_from_the_border() -> None:
    w, x = RNG.normal(size=(1, 7)).astype(np.float32), RNG.normal(size=7).astype(np.float32)
    weights = {"fc1.weight": w, "fc1.bias": np.zeros(1)}
    found = looked("input 7 -> fc 1 -> sigmoid", x, weights, attack="fgsm", eps=3.0).attack
    assert found is not None
    assert found.eps == pytest.approx(abs((w @ x).item()) / np.abs(w).sum(), rel=1e-4)


def test_of_many_classes_it_is_the_first_border_on_the_way() -> None:
    w, x = RNG.normal(size=(5, 9)).astype(np.float32), RNG.normal(size=9).astype(np.float32)
    weights = {"fc5.weight": w, "fc5.bias": np.zeros(5)}
    found = looked("input 9 -> fc 5", x, weights, attack="fgsm", eps=5.0).attack
    z = (w @ x).astype(np.float64)
    p, c = np.exp(z - z.max()) / np.exp(z - z.max()).sum(), int(z.argmax())
    sign = np.sign((p - np.eye(5)[c]) @ w)
    borders = {j: (z[c] - z[j]) / (sign @ (w[j] - w[c])) for j in range(5) if j != c}
    first = min((e, j) for j, e in borders.items() if e > 0)
    assert found is not None
    assert found.eps == pytest.approx(first[0], rel=1e-4)
    assert found.after == first[1]


def test_many_steps_do_with_no_more_than_one() -> None:
    text = "input 1x8x8 -> conv 6 3x3 -> relu -> conv 8 3x3 -> relu -> flatten -> fc 4 -> softmax"
    better = 0
    for seed in range(2):
        x = np.random.default_rng(seed).random((1, 8, 8)).astype(np.float32)
        one, many = (
            looked(text, x, attack=kind, eps=0.9, seed=seed).attack for kind in ("fgsm", "pgd")
        )
        assert one is not None
        assert many is not None
        assert many.eps is not None
        assert many.x is not None
        assert many.eps <= (one.eps or 0.9) * (1 + 1e-6)
        assert 0 <= many.x.min() <= many.x.max() <= 1
        assert np.abs(many.x - x).max() == pytest.approx(many.eps, abs=1e-6)
        better += many.eps < (one.eps or 0.9)
    # Otherwise the steps would be for nothing.
    assert better


def test_what_stays_in_range_may_flip_nothing() -> None:
    # Only a pixel above 1 would do: z₁ - z₀ = 2·(1.5 - Σx), at most… never below 0 within [0, 1].
    weights = {
        "fc2.weight": np.array([[1.0] * 64, [-1.0] * 64], np.float32) / 64,
        "fc2.bias": np.array([0.0, 1.5 * 2], np.float32),
    }
    x = np.full((1, 8, 8), 0.5, np.float32)
    found = looked("input 1x8x8 -> flatten -> fc 2", x, weights, attack="pgd", eps=100.0).attack
    assert found is not None
    assert (found.eps, found.x, found.after, found.most) == (None, None, None, 100.0)


def test_a_network_that_does_not_look_cannot_be_led_astray() -> None:
    weights = {"fc2.weight": np.zeros((2, 4)), "fc2.bias": np.array([0.0, 1.0])}
    found = looked("input 4 -> fc 2", np.ones(4), weights, attack="fgsm").attack
    assert found is not None
    assert (found.eps, found.why) == (None, "the slope of the loss is 0 everywhere")


@pytest.mark.parametrize("kind", ["fgsm", "pgd"])
def test_bytes_change_by_whole_numbers(kind: str) -> None:
    net = network("input 3x9x9 type=uint8 layout=hwc -> conv 4 3x3 -> relu -> flatten -> fc 3")
    x = np.random.default_rng(3).integers(0, 256, (9, 9, 3), np.uint8)
    found = net.look(x, attack=kind, steps=5).found
    a = found.attack
    assert a is not None
    assert a.eps is not None
    assert a.x is not None
    assert a.eps == int(a.eps) >= 1
    assert np.array_equal(a.x, np.rint(a.x))
    # The very bytes, given to the model as it is written.
    model = net.compile()
    before, after = (
        next(iter(model.run(y[None]).values())).argmax()
        for y in (x, np.moveaxis(a.x, 0, -1).astype(np.uint8))
    )
    assert (int(before), int(after)) == (a.before, a.after)
    # Nothing smaller along the same way does, as FGSM tries each.
    assert found.saliency["input"].shape == (9, 9)


@pytest.mark.parametrize(
    ("text", "shape", "said"),
    [
        ("input 5 -> fc 1", (5,), "no attack: the network gives numbers"),
        (
            "input 1x6x6 -> conv 2 3x3 -> softmax",
            (1, 6, 6),
            "no attack: the network gives a class for",
        ),
        (
            "input 1x6x6 -> conv 2 3x3",
            (1, 6, 6),
            "what it hangs on is not shown: the output of 2x4x4",
        ),
    ],
)
def test_what_is_not_possible_is_said(text: str, shape: tuple[int, ...], said: str) -> None:
    found = looked(text, RNG.random(shape), attack="fgsm")
    assert found.attack is None
    assert any(note.startswith(said) for note in found.notes), found.notes


def test_where_numbers_break_is_to_be_seen() -> None:
    weights = {"c.weight": np.full((2, 1, 1, 1), 1e30), "c.bias": np.zeros(2)}
    weights |= {"fc2.weight": np.full((2, 32), 1e30), "fc2.bias": np.zeros(2)}
    text = "input 1x4x4 -> conv 2 1x1 as c -> relu -> flatten -> fc 2"
    found = looked(text, np.ones((1, 4, 4)), weights, attack="pgd")
    assert "the answer has numbers that are not finite: it is no class" in found.notes
    assert [m.layer.name for m in found.maps] == ["c_relu", "fc2"]
    assert found.maps[0].high == pytest.approx(1e30)
    with pytest.raises(ValueError, match="array: it has numbers that are not finite"):
        looked(text, np.full((1, 4, 4), np.nan), weights)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        ("ReduceSum", "the output `y` does not have one entry for each input"),
        ("SequenceConstruct", "`y` is no array of numbers"),
    ],
)
def test_an_answer_that_is_none_is_told_of(op: str, said: str) -> None:
    node = helper.make_node(op, ["x"], ["y"])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [])
    if op == "ReduceSum":
        node.attribute.append(helper.make_attribute("keepdims", 0))
    if op == "SequenceConstruct":
        out = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(
        [node],
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3])],
        [out],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ValueError, match=said):
        at(model, np.ones((1, 3), np.float32))


def test_of_several_inputs_there_are_slopes_by_each() -> None:
    net = loads(PAIR)
    model = net.compile(seed=1)
    wants, _ = wanted(model.session("cpu"))
    feeds = {w.name: RNG.random((1, *(n or 1 for n in w.shape))).astype("f") for w in wants}
    views = [view(w, feeds[w.name][0]) for w in wants]
    found = look(Given(model.onnx, net.graph, feeds, views, "pair"), Wishes(attack="fgsm"))
    assert list(found.saliency) == [w.name for w in wants]
    assert (found.occlusion, found.attack) == (None, None)
    assert sum("several inputs" in note for note in found.notes) == 2


# ── maps of classes ─────────────────────────────────────────────────────────────────────────────


def test_of_masks_it_is_about_the_places_of_a_class() -> None:
    x = RNG.random((3, 6, 6)).astype(np.float32)
    w = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    weights = {"c.weight": w, "c.bias": np.zeros(3)}
    found = looked("input 3x6x6 -> conv 3 1x1 as c -> softmax", x, weights, label="2")
    has = x.argmax(0) == 2
    expected = np.where(has, 1 / has.sum(), 0)
    np.testing.assert_allclose(found.saliency["input"], expected, atol=1e-6)
    p = np.exp(x) / np.exp(x).sum(0)
    assert found.occlusion is not None
    assert found.occlusion.whole == pytest.approx(float(p[2][has].mean()), rel=1e-5)


# ── names ───────────────────────────────────────────────────────────────────────────────────────


def test_layers_are_meant_by_names_beginnings_and_patterns() -> None:
    x = np.zeros((1, 28, 28), np.float32)
    net = load("lenet5")
    names = lambda *asked: [m.layer.name for m in net.look(x, layers=asked).found.maps]  # noqa: E731
    assert names("fc84") == ["fc84"]
    assert names("fc8", "conv6") == [
        *("conv6_5x5", "conv6_5x5_tanh", "conv6_5x5_avgpool", "fc84", "fc84_tanh"),
    ]
    assert names("*pool") == ["conv6_5x5_avgpool", "conv16_5x5_avgpool"]
    with pytest.raises(NoLayer) as told:
        names("fc48")
    assert str(told.value).startswith("there is no layer `fc48`; there are fc84, ")
    assert "conv6_5x5" in str(told.value)


def test_classes_are_meant_by_names_and_numbers() -> None:
    x = RNG.random(4).astype(np.float32)
    net = network("input 4 -> fc 3 -> softmax")
    by = lambda word: net.look(x, label=word, labels=("cat", "dog", "7")).found.index  # noqa: E731
    assert [by("dog"), by("2"), by("7")] == [1, 2, 2]
    with pytest.raises(NoClass, match="no class `dgo`: there are 3, numbered 0 to 2; did you mean"):
        by("dgo")
    with pytest.raises(NoClass, match=r"no class `3`: there are 3, numbered 0 to 2; they are cat"):
        by("3")


# ── maps and kernels ────────────────────────────────────────────────────────────────────────────


def test_dead_maps_are_counted_and_kernels_are_the_weights() -> None:
    w = RNG.normal(size=(3, 1, 2, 2)).astype(np.float32)
    w[1] = -np.abs(w[1])
    weights = {"c.weight": w, "c.bias": np.zeros(3), "fc2.weight": np.zeros((2, 27))}
    weights["fc2.bias"] = np.zeros(2)
    x = RNG.random((1, 4, 4)).astype(np.float32)
    text = "input 1x4x4 -> conv 3 2x2 as c -> relu -> flatten -> fc 2"
    found = looked(text, x, weights, layers=("c_relu", "fc2"))
    relu, end = found.maps
    assert (relu.dead, relu.shape, end.dead) == (1, (3, 3, 3), 2)
    assert relu.values.min() == 0
    np.testing.assert_array_equal(found.kernels[0].values, w)
    assert found.kernels[0].is_first


def test_of_a_perceptron_rows_are_pictures() -> None:
    found = load("mlp").look(RNG.random(784)).found
    (kernels,) = found.kernels
    assert kernels.values.shape == (64, 1, 28, 28)
    assert found.saliency["input"].shape == (28, 28)


# ── models of others ────────────────────────────────────────────────────────────────────────────


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what we say beside the graph, its shapes and the names of its operators."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    del other.metadata_props[:]
    del other.graph.value_info[:]
    for node in other.graph.node:
        node.name = ""
    return other


@pytest.mark.parametrize("name", ["lenet5", "cnn1d", "resnet18", "googlenet"])
def test_a_bare_model_shows_the_same(name: str) -> None:
    net = load(name)
    shape = net.layers[0].shape
    assert shape is not None
    proto = net.compile(seed=2, fold_bn=False).onnx
    feeds = {"input": RNG.random((1, *shape), np.float32)}
    ours, other = Opened(proto, feeds), Opened(bare(proto), feeds)
    assert where_last(other, None) == last_maps(net.graph) == where_last(ours, net.graph)
    assert [x.name for x in usual(layers(ours, net.graph), ours, net.graph)] == stages(net.graph)
    slopes = [o.sloped(["input"], is_distance=False) for o in (ours, other)]
    d = np.zeros(slopes[0].shape)
    d[:, 1] = 1
    a, b = (s.slopes(feeds, d, ["input"])["input"] for s in slopes)
    np.testing.assert_allclose(a, b, atol=1e-6 * np.abs(a).max())
    plain = net.gradient(seed=2).run({**feeds, "target": np.array([1])})["input/gradient"]
    np.testing.assert_allclose(a, plain, atol=1e-4 * np.abs(plain).max())


def foreign(opset: int = 17, flatten: str = "shape") -> onnx.ModelProto:
    """As other programs write models: sizes worked out in the graph, constants as operators."""
    w = np.random.default_rng(5).normal(size=(4, 3, 3, 3)).astype(np.float32)
    v = np.random.default_rng(6).normal(size=(64, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["1"], name="/conv/Conv", strides=[2, 2]),
        helper.make_node("Relu", ["1"], ["2"], name="/relu"),
        helper.make_node("Dropout", ["2"], ["3"]),
        helper.make_node("Shape", ["3"], ["4"]),
        helper.make_node("Constant", [], ["5"], value=numpy_helper.from_array(np.array(0))),
        helper.make_node("Gather", ["4", "5"], ["6"], axis=0),
        helper.make_node("Constant", [], ["7"], value=numpy_helper.from_array(np.array([0]))),
        helper.make_node("Constant", [], ["8"], value=numpy_helper.from_array(np.array([-1]))),
        helper.make_node("Reshape", ["6", "8"], ["9"]),
        helper.make_node("Concat", ["9", "8"], ["10"], axis=0),
        helper.make_node("Reshape", ["3", "10"], ["11"]),
        helper.make_node("MatMul", ["11", "v"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "main",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 3])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(v, "v")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 7
    return made


@pytest.mark.parametrize("opset", [11, 17, 20])
def test_a_model_of_another_program_has_slopes_too(opset: int) -> None:
    model = foreign(opset)
    x = RNG.random((1, 3, 9, 9), np.float32)
    found = at(model, x, label="2", attack="fgsm", eps=1.0)
    w, v = (numpy_helper.to_array(t).astype(np.float64) for t in model.graph.initializer)
    maps = np.zeros((4, 4, 4))
    for i in range(4):
        for j in range(4):
            maps[:, i, j] = (w * x[0, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]).sum((1, 2, 3))
    slope = np.zeros((3, 9, 9))
    counts = (v[:, 2].reshape(4, 4, 4)) * (maps > 0)
    for i in range(4):
        for j in range(4):
            part = (w * counts[:, i, j, None, None, None]).sum(0)
            slope[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += part
    np.testing.assert_allclose(found.saliency["x"], np.abs(slope).max(0), rtol=1e-4, atol=1e-5)
    assert found.notes == []
    assert found.attack is not None
    assert [c.layer for c in found.cams] == ["2"]
    assert {m.layer.name for m in found.maps} >= {"2", "y"}
    np.testing.assert_array_equal(found.kernels[0].values, w.astype(np.float32))


def test_operators_are_layers_by_their_names_too() -> None:
    found = at(foreign(), RNG.random((1, 3, 9, 9)), layers=("/conv",))
    assert [m.layer.name for m in found.maps] == ["1"]


def test_what_has_no_slopes_shows_all_else() -> None:
    model = foreign()
    branch = helper.make_graph(
        [helper.make_node("Identity", ["y0"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["b", 3])],
    )
    model.graph.node[-1].output[0] = "y0"
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(
        helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    )
    found = at(model, RNG.random((1, 3, 9, 9)), occlude=(3,), attack="fgsm")
    assert any("not shown" in note for note in found.notes)
    assert any(note.startswith("no attack") for note in found.notes)
    assert found.occlusion is not None
    assert (found.saliency, found.cams, found.attack) == ({}, [], None)
    assert [m.layer.name for m in found.maps]


def test_operators_that_are_of_no_standard_are_named() -> None:
    model = foreign()
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[1].op_type, model.graph.node[1].domain = "QuickGelu", "com.microsoft"
    x = RNG.random((1, 3, 9, 9), np.float32)
    with pytest.raises(CannotSlope, match="`/relu` is no operator of the standard"):
        Opened(model, {"x": x}).sloped(["x"], is_distance=False)
    assert at(model, x).occlusion is not None


def test_half_precision_shows_nearly_the_same() -> None:
    net = network("input 1x8x8 -> conv 4 3x3 -> relu -> conv 4 3x3 -> relu -> flatten -> fc 3")
    x = RNG.random((1, 1, 8, 8), np.float32)
    plain, half = (
        at(net.compile(precision=p).onnx, x, label="0", occlude=(2,)) for p in ("fp32", "fp16")
    )
    assert half.occlusion is not None
    assert plain.occlusion is not None
    # Eleven bits of each number: 5e-4 of them, in sums of some dozens.
    np.testing.assert_allclose(half.occlusion.drop, plain.occlusion.drop, atol=2e-3)
    np.testing.assert_allclose(half.saliency["input"], plain.saliency["input"], atol=5e-3)


def test_quantised_numbers_have_no_slopes_but_all_else() -> None:
    net = network("input 1x8x8 -> conv 4 3x3 -> relu -> flatten -> fc 3 -> softmax")
    x = RNG.random((8, 1, 8, 8), np.float32)
    made = net.compile(precision="int8", calibrate=x)
    found = at(made.onnx, x[:1], label="0", occlude=(2,))
    (note,) = (n for n in found.notes if "not shown" in n)
    assert note.endswith("the answer does not hang on `input` other than by whole numbers")
    assert found.occlusion is not None
    assert found.occlusion.whole == pytest.approx(float(made.run(x[:1])["fc3_softmax"][0, 0]))
    hidden = x[:1].copy()
    hidden[0, 0, :2, :2] = x[0].mean()
    p = float(made.run(hidden)["fc3_softmax"][0, 0])
    # Only the first patch lies over the corner.
    assert found.occlusion.drop[0, 0] == pytest.approx(found.occlusion.whole - p, abs=1e-6)
