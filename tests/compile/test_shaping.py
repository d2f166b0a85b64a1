"""Are cuts, heads, folded normalisations and open sizes what was asked for?"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cnnspec import load, loads
from cnnspec.emit.options import CannotCompile
from cnnspec.run.model import CompiledModel
from nets import ROOT

RNG = np.random.default_rng(0)


def ops(model: CompiledModel) -> list[str]:
    return [n.op_type for n in model.onnx.graph.node]


def outputs(model: CompiledModel) -> dict[str, list[Any]]:
    return {
        o.name: [d.dim_param or d.dim_value for d in o.type.tensor_type.shape.dim]
        for o in model.onnx.graph.output
    }


def noise(batch: int, shape: Sequence[int | str | None]) -> np.ndarray:
    sizes = [n for n in shape[1:] if isinstance(n, int)]
    return RNG.normal(size=(batch, *sizes)).astype(np.float32)


def stirred(spec: str, seed: int = 0, **options: Any) -> CompiledModel:
    """A model whose normalisations do something: statistics and factors unlike the first ones."""
    network = load(spec) if "{" not in spec else loads(spec)
    random = np.random.default_rng(seed)
    weights = {
        f"{n.owner}.{key}": (
            random.uniform(0.5, 2, w.shape)
            if key in ("var", "scale")
            else random.normal(0, max(1, np.prod(w.shape[1:])) ** -0.5, w.shape)
        ).astype(np.float32)
        for n in network.layers
        if n.facts is not None
        for key, w in n.facts.weights.items()
    }
    return network.compile(weights=weights, **options)


def test_lenet_is_what_the_lecture_shows() -> None:
    model = load("lenet5").compile()
    assert ops(model) == (
        ["Conv", "Tanh", "AveragePool"] * 2 + ["Flatten"] + ["Gemm", "Tanh"] * 2
    ) + ["Gemm", "Softmax"]
    nodes = model.onnx.graph.node
    assert [n.name for n in nodes][:3] == ["conv6_5x5", "conv6_5x5_tanh", "conv6_5x5_avgpool"]
    assert all(n.name == n.output[0] for n in nodes)
    assert nodes[0].doc_string == "lenet5.cnn:7:3: conv 6 5x5 pad=2"


def test_no_zoo_net_has_litter() -> None:
    """Nothing that copies, and no shapes worked out at run time."""
    for spec in ("resnet18", "googlenet", "densenet121", "efficientnet_b0", "mobilenet_v2", "unet"):
        assert not {
            "Identity",
            "Reshape",
            "Shape",
            "Constant",
            "Cast",
            "Unsqueeze",
            "Gather",
        } & set(ops(load(spec).compile(no_weights=True))), spec


# ── outputs ────────────────────────────────────────────────────────────────────────────────────


def test_until_cuts_the_rest_off_with_its_weights() -> None:
    model = load("lenet5").compile(until="conv16_5x5_avgpool")
    assert outputs(model) == {"conv16_5x5_avgpool": ["N", 16, 5, 5]}
    assert {t.name for t in model.onnx.graph.initializer} == {
        f"{layer}.{w}" for layer in ("conv6_5x5", "conv16_5x5") for w in ("weight", "bias")
    }


def test_until_takes_the_name_of_a_block() -> None:
    model = load("unet").compile(until="e2")
    assert outputs(model) == {"e2.conv64_3x3_2_relu": ["N", 64, 64, 64]}


def test_more_outputs_leave_as_well() -> None:
    model = load("lenet5").compile(add_outputs=["conv6_5x5_tanh", "fc84"])
    whole = load("lenet5").compile()
    x = RNG.random((2, 1, 28, 28), np.float32)
    found = model.run(x)
    assert list(found) == ["fc10_softmax", "conv6_5x5_tanh", "fc84"]
    np.testing.assert_array_equal(found["fc10_softmax"], whole.run(x)["fc10_softmax"])
    assert found["conv6_5x5_tanh"].shape == (2, 6, 28, 28)


def test_a_map_before_its_normalisation_can_be_asked_for() -> None:
    text = "network { input 3x8x8 -> conv 4 3x3 as c -> bn as b -> relu }"
    asked = stirred(text, add_outputs=["c"])
    assert ops(asked) == ["Conv", "BatchNormalization", "Relu"]
    folded = stirred(text, add_outputs=["b"])
    assert ops(folded) == ["Conv", "Relu"]
    x = RNG.random((2, 3, 8, 8), np.float32)
    kept = stirred(text, add_outputs=["b"], fold_bn=False)
    np.testing.assert_allclose(folded.run(x)["b"], kept.run(x)["b"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "head", "last"),
    [
        ("lenet5", "none", ("fc10", ["N", 10])),
        ("lenet5", "softmax", ("fc10_softmax", ["N", 10])),
        ("lenet5", "labels", ("label", ["N"])),
        ("cnn1d", "softmax", ("softmax", ["N", 2])),
        ("cnn1d", "none", ("fc2", ["N", 2])),
        ("unet", "labels", ("label", ["N", 128, 128])),
    ],
)
def test_heads(spec: str, head: Any, last: tuple[str, list[Any]]) -> None:
    model = load(spec).compile(head=head)
    assert outputs(model) == {last[0]: last[1]}


def test_labels_are_the_largest_output_or_the_nearest_code() -> None:
    x = RNG.random((8, 1, 32, 32), np.float32)
    scores = load("lenet5_1998").compile()
    (distances,) = scores.run(x).values()
    (label,) = load("lenet5_1998").compile(head="labels").run(x).values()
    np.testing.assert_array_equal(label, distances.argmin(1))
    x = RNG.random((8, 1, 28, 28), np.float32)
    (shares,) = load("lenet5").compile().run(x).values()
    (label,) = load("lenet5").compile(head="labels").run(x).values()
    np.testing.assert_array_equal(label, shares.argmax(1))


def test_what_comes_in_can_go_out_twice() -> None:
    """Values that nothing is done to are still outputs of their own."""
    model = loads("network { input 3 -> dropout }").compile()
    assert ops(model) == ["Identity"]
    np.testing.assert_array_equal(model.run(np.ones((2, 3)))["input_dropout"], np.ones((2, 3)))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"until": "conv6"}, "there is no layer `conv6`; `report` lists them"),
        (
            {"add_outputs": ["fc120_tahn"]},
            "there is no layer `fc120_tahn`; did you mean `fc120_tanh`?",
        ),
        ({"until": "fc84", "head": "none"}, "a network that is cut off has no head"),
        ({"labels": ["a", "b"]}, "there are 2 labels for 10 outputs"),
        ({"opset": 12}, "opset 12 is not written; opsets 13 to 26 are"),
        ({"opset": 27}, "opset 27 is not written; opsets 13 to 26 are"),
    ],
)
def test_refusals(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotCompile) as caught:
        load("lenet5").compile(**options)
    assert str(caught.value) == said


# ── normalisation ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("input 3x9x9 -> conv 4 3x3 -> bn -> relu", 0),
        ("input 3x9x9 -> conv 4 3x3 bias=no -> bn -> relu", 0),
        ("input 4x9x9 -> conv 8 3x3 groups=4 -> bn", 0),
        ("input 4x9x9 -> deconv 6 3x3 stride=2 groups=2 -> bn", 0),
        ("input 4x9x9 -> deconv 6 3x3 bias=no -> bn", 0),
        ("input 9 -> fc 4 -> bn -> relu", 0),
        ("input 3x9x9 -> conv 4 3x3 -> bn affine=no", 0),
        ("input 3x9x9 -> conv 4 3x3 -> relu -> bn", 1),
        ("input 3x9x9 -> bn -> conv 4 3x3", 1),
        ("input 3x9x9 -> conv 3 3x3 pad=1 as c -> add { | bn | c }", 1),
        # Weights that two layers share: each takes its own normalisation in.
        ("input 3x9x9 -> conv 3 3x3 pad=1 as a -> bn -> conv 3 3x3 pad=1 weights=a -> bn", 0),
    ],
)
def test_folding_keeps_what_comes_out(text: str, left: int) -> None:
    text = f"network {{ {text} }}"
    folded, kept = stirred(text), stirred(text, fold_bn=False)
    assert ops(folded).count("BatchNormalization") == left
    (port,) = folded.session("cpu").inputs
    x = noise(3, port.shape)
    for (name, y), (other, z) in zip(folded.run(x).items(), kept.run(x).items(), strict=True):
        assert name == other
        assert np.abs(y - z).max() <= 1e-5 * max(1, np.abs(z).max())


@pytest.mark.parametrize("spec", ["resnet20", "cifar10_residual", "cnn1d"])
def test_whole_networks_are_folded_alike(spec: str) -> None:
    folded, kept = stirred(spec), stirred(spec, fold_bn=False)
    assert "BatchNormalization" in ops(kept)
    assert "BatchNormalization" not in ops(folded)
    (port,) = folded.session("cpu").inputs
    x = noise(2, port.shape)
    (y,), (z,) = folded.run(x).values(), kept.run(x).values()
    assert np.abs(y - z).max() <= 1e-5 * np.abs(z).max()


# ── sizes ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spec", "sizes", "step"),
    [
        ("unet", [(32, 32), (48, 132)], "4"),
        ("squeezenet1_1", [(64, 96), (80, 48)], "16"),
        ("denoiser", [(16, 21)], "1"),
        ("shufflenet_v2", [(64, 96)], "1"),
        ("super_resolution", [(10, 7)], "1"),
    ],
)
def test_sizes_that_are_open_are_right(spec: str, sizes: list[tuple[int, int]], step: str) -> None:
    """The same network, checked at another size, computes the same."""
    text = (ROOT / f"specs/{spec}.cnn").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.strip().startswith("expect"))
    model = load(spec).compile(dynamic_size=True)
    assert model.metadata["cnnspec.size_step"] == step
    shape = loads(text).layers[0].shape
    assert shape is not None
    channels, *here = shape
    for height, width in sizes:
        written = f"input {channels}x{here[0]}x{here[1]}"
        assert written in text
        other = loads(text.replace(written, f"input {channels}x{height}x{width}")).compile()
        x = RNG.random((2, channels, height, width), np.float32)
        (y,), (z,) = model.run(x).values(), other.run(x).values()
        np.testing.assert_allclose(y, z, rtol=1e-4, atol=1e-5)


def test_open_sizes_have_words() -> None:
    graph = load("unet").compile(dynamic_size=True, no_weights=True).onnx.graph
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*graph.input, *graph.value_info, *graph.output)
    }
    assert shapes["input"] == ["N", 1, "height", "width"]
    assert shapes["e1_maxpool"] == ["N", 32, "height_over_2", "width_over_2"]
    assert shapes["conv2_1x1"] == ["N", 2, "height", "width"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "input 1x28x28 -> conv 6 5x5 -> flatten -> fc 10",
            "its size cannot be left open: `fc10` has other weights for other sizes, "
            "10x3456 at 1x28x28, 10x4992 at 1x92x28"[:62],
        ),
        ("input 3x8x8 -> ln -> conv 2 1x1", "`input_ln` has other weights for other sizes"),
        ("input 3x8x8 -> avgpool to=4", "`input_avgpool` is written for one size"),
        ("input 3x8x8 -> softmax axis=pixels", "`input_softmax` is written for one size"),
        ("input 8 -> fc 2", "no input is a map, so no size can be left open"),
    ],
)
def test_sizes_that_cannot_be_open(text: str, said: str) -> None:
    with pytest.raises(CannotCompile) as caught:
        loads(f"network {{ {text} }}").compile(dynamic_size=True)
    assert said in str(caught.value)


def test_a_fixed_batch() -> None:
    model = load("lenet5").compile(batch=4)
    assert outputs(model) == {"fc10_softmax": [4, 10]}
    assert model.run(np.zeros((4, 1, 28, 28)))["fc10_softmax"].shape == (4, 10)
    with pytest.raises(
        ValueError, match="the input is input 4x1x28x28 float32; 2x1x28x28 is given"
    ):
        model.run(np.zeros((2, 1, 28, 28)))


# ── weights and metadata ───────────────────────────────────────────────────────────────────────


def test_the_architecture_alone() -> None:
    model = load("lenet5").compile(no_weights=True)
    graph = model.onnx.graph
    assert not graph.initializer
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in graph.input}
    assert shapes["fc120.weight"] == [120, 400]
    whole = load("lenet5").compile()
    x = RNG.random((2, 1, 28, 28), np.float32)
    weights = {t.name: load_tensor(t) for t in whole.onnx.graph.initializer}
    (y,), (z,) = model.run({"input": x, **weights}).values(), whole.run(x).values()
    # The runtime lays out weights anew where it knows them, and then sums in another order.
    np.testing.assert_allclose(y, z, rtol=1e-5)


def load_tensor(tensor: Any) -> np.ndarray:
    from onnx.numpy_helper import to_array

    return to_array(tensor)


def test_another_layer_changes_no_other_weight() -> None:
    one = loads("network { input 4 -> fc 3 as a -> fc 2 as b }").compile().onnx.graph
    two = loads("network { input 4 -> fc 3 as a -> relu -> fc 3 as new -> fc 2 as b }").compile()
    held = {t.name: t.raw_data for t in two.onnx.graph.initializer}
    for tensor in one.initializer:
        assert held[tensor.name] == tensor.raw_data


def test_a_model_says_what_it_is() -> None:
    said = load("lenet5").compile(seed=7).metadata
    assert said["cnnspec.seed"] == "7"
    assert json.loads(said["cnnspec.labels"]) == list("0123456789")
    assert said["cnnspec.spec"] == (ROOT / "specs/lenet5.cnn").read_text(encoding="utf-8")
    assert json.loads(said["cnnspec.params"]) == {"classes": 10}
    assert json.loads(said["cnnspec.preprocessing"]) == {
        "input": {"size": [1, 28, 28], "type": "float", "layout": "chw", "raw": False}
    }
    assert json.loads(said["cnnspec.outputs"]) == {
        "fc10_softmax": {"head": "output", "kind": "softmax"}
    }


def test_labels_of_a_spec_and_of_a_call() -> None:
    text = 'network { input 4 -> fc 2 }\ntrain { labels [cat, "polar bear"] }'
    assert loads(text).compile().labels == ("cat", "polar bear")
    assert loads(text).compile(labels=["a", "b"]).labels == ("a", "b")


@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_raw_bytes_are_prepared_inside(layout: str) -> None:
    model = loads(
        "network { input 3x4x5 scale=1/255 mean=[0.5, 0.4, 0.3] std=[0.2, 0.3, 0.4] "
        f"type=uint8 layout={layout} -> affine mul=1 }}"
    ).compile(until="input")
    raw = RNG.integers(0, 256, (2, 3, 4, 5), np.uint8)
    given = raw.transpose(0, 2, 3, 1) if layout == "hwc" else raw
    (y,) = model.run(given).values()
    mean, std = (np.array(n).reshape(3, 1, 1) for n in ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4]))
    np.testing.assert_allclose(y, (raw / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    assert ops(model) == [*(["Transpose"] if layout == "hwc" else []), "Cast", "Mul", "Add"]


def test_the_spec_in_a_model_stands_alone() -> None:
    """ResNet-20's says `use "resnet.cnn"`, which is not there where the model is."""
    said = load("resnet20").compile(no_weights=True).metadata
    again = loads(said["cnnspec.spec"], **json.loads(said["cnnspec.params"]))
    assert [n.path for n in again.layers] == [n.path for n in load("resnet20").layers]


def test_a_model_too_large_for_one_file_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnspec.run.model.LARGEST", 1000)
    monkeypatch.setattr("cnnspec.run.model.ROOM", 0)
    model = load("lenet5").compile()
    with pytest.raises(ValueError, match="do not fit into one file"):
        model.to_bytes()
    assert model.run(np.zeros((1, 1, 28, 28)))["fc10_softmax"].shape == (1, 10)
