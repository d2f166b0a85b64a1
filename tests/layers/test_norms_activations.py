"""Layers that keep the shape: their weights, their sums, what they refuse."""

import math

import pytest

from cnnspec.layers import KINDS
from cnnspec.layers.activation import Activation, Clip, LogSoftmax, Prelu, ScaledTanh, Softmax
from cnnspec.layers.base import Layer, Weight, Work
from cnnspec.layers.dropout import Dropout, DropPath
from cnnspec.layers.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    L2Norm,
    LayerNorm,
    LocalResponseNorm,
    Norm,
    Scale,
)
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape, Word

MAP: Shape = (64, 7, 9)
NEEDED: dict[str, dict[str, object]] = {"gn": {"groups": 8}, "clip": {"low": -1, "high": 1}}
KEEPING = [
    kind for kind in KINDS.values() if issubclass(kind, Activation | Norm | Dropout | DropPath)
]


def weights(layer: Layer, x: Shape) -> dict[str, Weight]:
    return dict(layer.weights(x))


@pytest.mark.parametrize("kind", KEEPING, ids=lambda k: k.kind)
@pytest.mark.parametrize("x", [(64, 24), MAP, (8, 2, 3, 4)])
def test_maps_of_every_rank_keep_their_shape(kind: type[Layer], x: Shape) -> None:
    layer = kind(**NEEDED.get(kind.kind, {}))
    assert layer.shape(x) == x
    assert layer.work(x, x) == Work()
    assert layer.views(x, x) == ()


@pytest.mark.parametrize("kind", KEEPING, ids=lambda k: k.kind)
def test_flat_vectors_keep_theirs_where_there_is_something_to_do(kind: type[Layer]) -> None:
    layer = kind(**NEEDED.get(kind.kind, {}))
    if kind in (InstanceNorm, LocalResponseNorm):
        with pytest.raises(Refusal) as refused:
            layer.shape((64,))
        assert refused.value.code == "wrong-rank"
    else:
        assert layer.shape((64,)) == (64,)


@pytest.mark.parametrize(
    "kind", [k for k in KEEPING if issubclass(k, Activation)], ids=lambda k: k.kind
)
def test_an_activation_says_its_formula(kind: type[Layer]) -> None:
    assert "y = " in (kind.__doc__ or "")


# ── normalisation ──────────────────────────────────────────────────────────────────────────────


def test_batch_norm_has_two_trained_and_two_running_numbers_for_a_channel() -> None:
    assert weights(BatchNorm(), MAP) == {
        "scale": Weight((64,), "ones"),
        "bias": Weight((64,), "zeros"),
        "mean": Weight((64,), "zeros", trained=False),
        "var": Weight((64,), "ones", trained=False),
    }
    assert BatchNorm().sums(MAP, MAP) == [
        "parameters 2·64 = 128",
        "running statistics 2·64 = 128",
    ]


def test_batch_norm_without_scale_and_bias_still_counts_its_batches() -> None:
    bare = BatchNorm(affine=False)
    assert list(weights(bare, MAP)) == ["mean", "var"]
    assert bare.sums(MAP, MAP) == ["running statistics 2·64 = 128"]


def test_layer_norm_over_all_numbers_has_a_scale_for_each() -> None:
    assert weights(LayerNorm(), MAP)["scale"] == Weight(MAP, "ones")
    assert LayerNorm().sums(MAP, MAP) == ["parameters 2·64·7·9 = 8,064"]
    assert weights(LayerNorm(), (10,))["bias"] == Weight((10,), "zeros")


def test_layer_norm_over_channels_has_a_scale_for_each_channel() -> None:
    # The stem of ConvNeXt-T: 96 channels.
    norm = LayerNorm(axes=Word("channels"), eps=1e-6)
    assert sum(w.size for w in norm.weights((96, 56, 56)).values()) == 192
    assert norm.sums((96, 56, 56), (96, 56, 56)) == ["parameters 2·96 = 192"]
    assert LayerNorm(affine=False).weights(MAP) == {}
    assert LayerNorm(affine=False).sums(MAP, MAP) == []


def test_groups_that_do_not_divide_are_refused_with_those_that_do() -> None:
    with pytest.raises(Refusal) as refused:
        GroupNorm(groups=5).shape(MAP)
    assert refused.value.code == "indivisible-groups"
    assert refused.value.message == "64 channels do not split into 5 equal groups"
    assert refused.value.hint == "64 divides by 1, 2, 4, 8, 16, 32, 64"
    assert refused.value.param == "groups"


def test_group_and_instance_norm_have_a_scale_for_each_channel() -> None:
    assert weights(GroupNorm(groups=8), MAP)["scale"].shape == (64,)
    assert weights(InstanceNorm(), MAP) == {}
    assert weights(InstanceNorm(affine=True), MAP)["scale"].shape == (64,)


def test_norms_without_statistics_have_no_weights() -> None:
    for layer in (LocalResponseNorm(), L2Norm()):
        assert layer.weights(MAP) == {}
        assert layer.sums(MAP, MAP) == []


def test_the_documented_alexnet_is_the_formula_of_the_paper() -> None:
    # The paper: b = a/(k + α Σ a²)^β with k = 2, n = 5, α = 1e-4, β = 0.75.
    doc, layer = LocalResponseNorm.__doc__ or "", LocalResponseNorm(size=5, alpha=5e-4, k=2)
    assert "`lrn 5 alpha=5e-4 k=2`" in doc
    assert (layer.alpha / layer.size, layer.beta, layer.k) == (pytest.approx(1e-4), 0.75, 2)


def test_a_scale_starts_where_it_is_told() -> None:
    assert weights(Scale(init=1e-6), MAP) == {"scale": Weight((64,), "constant", value=1e-6)}
    assert list(weights(Scale(bias=True), MAP)) == ["scale", "bias"]
    assert Scale(bias=True).sums(MAP, MAP) == ["parameters 2·64 = 128"]
    assert weights(Scale(shared=True, init=0), MAP)["scale"].shape == (1,)


# ── activations ────────────────────────────────────────────────────────────────────────────────


def test_prelu_has_a_slope_for_each_channel_or_one() -> None:
    assert weights(Prelu(), MAP) == {"slope": Weight((64,), "constant", value=0.25)}
    assert weights(Prelu(shared=True), MAP)["slope"].shape == (1,)
    assert Prelu().sums(MAP, MAP) == ["parameters 1·64 = 64"]


def test_lecuns_tangent_takes_one_to_one() -> None:
    layer = ScaledTanh()
    assert layer.a * math.tanh(layer.b) == pytest.approx(1, abs=1e-4)


def test_the_ends_of_clip_are_in_order() -> None:
    with pytest.raises(Refusal) as refused:
        Clip(low=1, high=1).shape(MAP)
    assert refused.value.code == "wrong-argument"
    assert refused.value.message == ("the lower end of `clip`, 1, is not below the upper end, 1")


@pytest.mark.parametrize("kind", [Softmax, LogSoftmax])
def test_softmax_over_pixels_needs_some(kind: type[Softmax]) -> None:
    layer = kind(axis=Word("pixels"))
    assert layer.shape(MAP) == MAP
    with pytest.raises(Refusal) as refused:
        layer.shape((10,))
    assert refused.value.code == "wrong-rank"
    assert kind().shape((10,)) == (10,)
