"""Does every kind compute what its page says? Each against a formula of its own."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from cnnspec.emit.compile import compile_graph, wanted_weights
from cnnspec.emit.options import Options
from cnnspec.layers import KINDS
from cnnspec.layers.codes import CODES
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.proto import to_proto
from emit import witnesses as by
from emit.cases import (
    BORDERED,
    LINE,
    MAP,
    SHAPES,
    TWO,
    VOLUME,
    Case,
    Draw,
    anywhere,
    around,
    at,
    bordered,
    counted,
    in_turn,
    inverse,
    large,
    length,
    mean_of,
    merged,
    negative,
    per_channel,
    pooled,
    positive,
    ranks,
    raw,
    reduced,
    size,
    with_nothing,
)
from emit.witnesses import Array
from nets import build

OPSETS = (13, 17, 21, 26)

TOLERANCE = 1e-5
"""Of the largest number. Single precision rounds by 6e-8; the sums are of at most some hundred
products, whose errors add up to a few times that, and the functions are good to some 1e-6."""


def after_conv(xs: list[Array], w: by.Weights) -> Array:
    return by.batchnorm()([by.conv()(xs, {"weight": w["conv3_3x3.weight"]})], w)


TABLE = [[0, 1], [3], [0, 1, 2, 3], [2, 1]]
"""Which of 4 maps each of 4 reads; in the last row they are not in their order."""

CASES: dict[str, list[Case]] = {
    "input": [
        raw("input 3x4x5", lambda xs, w: xs[0]),
        raw("input 6 scale=0.5 mean=(1,) std=(2,)", per_channel([0.25] * 6, [-0.5] * 6)),
        raw("input 2x9 mean=(1, 2)", per_channel([1, 1], [-1, -2])),
        raw("input 2x9 std=(1, 2)", per_channel([1, 0.5], [0, 0])),
        raw(
            "input 3x4x5 scale=1/255 mean=(0.5, 0.4, 0.3) std=(0.2, 0.25, 0.5) type=uint8",
            per_channel([1 / 255 / 0.2, 1 / 255 / 0.25, 1 / 255 / 0.5], [-0.5 / 0.2, -1.6, -0.6]),
        ),
        raw("input 3x4x5 layout=hwc", per_channel([1] * 3, [0] * 3, channels_last=True)),
        raw("input 2x7 layout=hwc type=uint8", per_channel([1] * 2, [0] * 2, channels_last=True)),
        raw(
            "input 2x3x4x5 layout=hwc type=uint8 scale=2 mean=(3, 4)",
            per_channel([2] * 2, [-3, -4], channels_last=True),
        ),
    ],
    "conv": [
        at("conv 5 3", by.conv(), LINE),
        at("conv 5 3x3", by.conv()),
        at("conv 5 2x3x2 pad=1", by.conv(pad=1), VOLUME),
        at("conv 5 3x2 stride=2 pad=(1, 0, 0, 2) bias=no", by.conv((2, 2), (1, 0, 0, 2))),
        at("conv 5 3x2 stride=2x3 pad=same", by.conv((2, 3), "same")),
        at("conv 5 4x4 pad=same", by.conv(1, "same")),
        at("conv 6 3x3 dilation=2x1 pad=2 groups=2", by.conv(1, 2, (2, 1), 2)),
        at("conv 8 3x3 dilation=2 pad=same groups=4", by.conv(1, "same", 2, 4)),
        at("conv 4 5x5 connect=[[0, 1], [3], [0, 1, 2, 3], [2, 1]]", by.conv(connect=TABLE)),
        at(
            "conv 4 2 stride=2 pad=1 connect=[[0, 1], [3], [0, 1, 2, 3], [2, 1]] bias=no",
            by.conv(2, 1, connect=TABLE),
            LINE,
        ),
        at("conv 3 1x1 stride=3 pad=valid", by.conv(3)),
    ],
    "deconv": [
        at("deconv 3 2 stride=2", by.deconv(2, 2), LINE),
        at("deconv 3 3x3", by.deconv(3)),
        at("deconv 3 2x2x2 stride=2 pad=1", by.deconv(2, 2, 1), VOLUME),
        at("deconv 3 3x4 stride=2x3 pad=(1, 0, 0, 2)", by.deconv((3, 4), (2, 3), (1, 0, 0, 2))),
        at("deconv 3 3x3 stride=2 pad=same", by.deconv(3, 2, "same")),
        at("deconv 3 2x5 stride=3 pad=same", by.deconv((2, 5), 3, "same")),
        at("deconv 3 3x3 stride=3 pad=1 output_pad=2x1", by.deconv(3, 3, 1, (2, 1))),
        at("deconv 3 1 stride=3 output_pad=2 bias=no", by.deconv(1, 3, 0, 2), LINE),
        at("deconv 6 3x2 stride=2 dilation=2x3", by.deconv((3, 2), 2, 0, 0, (2, 3))),
        at("deconv 6 3x3 stride=2 groups=2 pad=1", by.deconv(3, 2, 1, groups=2)),
    ],
    "local": [
        at("local 3 3", by.local((3,)), LINE),
        at("local 3 3x2 stride=2 pad=1", by.local((3, 2), 2, 1)),
        at("local 3 3x3 pad=same bias=no", by.local((3, 3), 1, "same")),
        at(
            "local 2 2x2x1 stride=2 pad=(0, 0, 1, 1, 0, 0)",
            by.local((2, 2, 1), 2, (0, 0, 1, 1, 0, 0)),
            VOLUME,
        ),
    ],
    "fc": [
        at("fc 5", lambda xs, w: xs[0] @ w["weight"].T + w["bias"], (9,)),
        at("fc 5 bias=no", lambda xs, w: xs[0] @ w["weight"].T, (9,)),
    ],
    "maxpool": [
        *pooled("maxpool", by.largest),
        *[
            at(f"{border} -> maxpool {window}", of, draw=negative)
            for border, window, of in BORDERED
        ],
    ],
    "avgpool": [
        *pooled("avgpool", by.mean),
        *counted(),
        at("pad 2 -> avgpool 2x2", in_turn(TWO, by.pool(by.mean, 2))),
        at("pad 2 -> avgpool 2x2 pad=1", in_turn(TWO, by.pool(by.mean, 2, None, 1))),
    ],
    "lppool": [
        *pooled("lppool", by.norm(2)),
        *pooled("lppool", by.norm(1), " p=1"),
        *pooled("lppool", by.norm(3), " p=3"),
        *pooled("lppool", by.norm(2.5), " p=2.5"),
    ],
    "bn": [
        *anywhere("bn", by.batchnorm()),
        *ranks("bn eps=2 affine=no momentum=0.3", by.batchnorm(2)),
        at("conv 3 3x3 bias=no -> bn", after_conv),
    ],
    "ln": [
        *anywhere("ln", by.layernorm()),
        *anywhere("ln axes=channels", by.layernorm(over_channels=True)),
        *anywhere("ln affine=no eps=1", by.layernorm(eps=1)),
        *anywhere("ln axes=channels affine=no", by.layernorm(over_channels=True)),
    ],
    "gn": [
        *ranks("gn 2", by.groupnorm(2)),
        *ranks("gn 4 eps=1", by.groupnorm(4, 1)),
        *ranks("gn 1 affine=no", by.groupnorm(1)),
        at("gn 3", by.groupnorm(3), (9,)),
    ],
    "instancenorm": [
        *ranks("instancenorm", by.instancenorm()),
        *ranks("instancenorm affine=yes eps=1", by.instancenorm(1)),
    ],
    "lrn": [
        *ranks("lrn", by.lrn(5)),
        *ranks("lrn 3 alpha=0.5 beta=0.5 k=2", by.lrn(3, 0.5, 0.5, 2)),
        *ranks("lrn 2 alpha=0.5", by.lrn(2, 0.5)),
        *ranks("lrn 4 alpha=0.5 beta=1.5", by.lrn(4, 0.5, 1.5)),
        at("lrn 9 alpha=2", by.lrn(9, 2)),
        at("lrn 1 alpha=2", by.lrn(1, 2)),
    ],
    "l2norm": [
        *anywhere("l2norm", by.l2norm()),
        *[at("l2norm", by.l2norm(), x, draw=with_nothing) for x in ((9,), *SHAPES)],
        at("l2norm eps=2", by.l2norm(2)),
    ],
    "scale": [
        *anywhere("scale", by.trained_line),
        *anywhere("scale bias=yes", by.trained_line),
        *anywhere("scale shared=yes bias=yes", by.trained_line),
    ],
    "dropout": [
        *anywhere("relu -> dropout 0.3", by.each(lambda x: np.maximum(x, 0))),
        at("dropout channels=yes", lambda xs, w: xs[0]),
    ],
    "droppath": [at("droppath 0.3", lambda xs, w: xs[0]), at("droppath", lambda xs, w: xs[0])],
    "relu": [
        *anywhere("relu", by.each(lambda x: np.maximum(x, 0))),
        at("relu max=6", by.each(lambda x: np.clip(x, 0, 6)), draw=around),
    ],
    "leaky": [
        *anywhere("leaky", by.each(lambda x: np.where(x > 0, x, 0.01 * x))),
        at("leaky 0.2", by.each(lambda x: np.where(x > 0, x, 0.2 * x))),
        at("leaky 0", by.each(lambda x: np.maximum(x, 0))),
    ],
    "prelu": [*anywhere("prelu", by.prelu), *anywhere("prelu shared=yes init=0.5", by.prelu)],
    "elu": [
        *anywhere("elu", by.each(lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1))),
        at(
            "elu alpha=0.5", by.each(lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))))
        ),
    ],
    "selu": anywhere(
        "selu",
        by.each(
            lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))
        ),
    ),
    "gelu": [
        *anywhere("gelu", by.each(by.gelu)),
        *anywhere("gelu tanh", by.each(by.gelu_tanh)),
        at("gelu", by.each(by.gelu), draw=around),
        at("gelu tanh", by.each(by.gelu_tanh), draw=around),
    ],
    "silu": anywhere("silu", by.each(lambda x: x * by.sigmoid(x))),
    "mish": [
        *anywhere("mish", by.each(lambda x: x * np.tanh(np.log1p(np.exp(x))))),
        at("mish", by.each(lambda x: x * np.tanh(np.log1p(np.exp(x)))), draw=large),
    ],
    "hswish": [
        *anywhere("hswish", by.each(lambda x: x * np.clip(x + 3, 0, 6) / 6)),
        at("hswish", by.each(lambda x: x * np.clip(x + 3, 0, 6) / 6), draw=around),
    ],
    "hsigmoid": [
        *anywhere("hsigmoid", by.each(lambda x: np.clip(x + 3, 0, 6) / 6)),
        at("hsigmoid", by.each(lambda x: np.clip(x + 3, 0, 6) / 6), draw=around),
    ],
    "softplus": [
        *anywhere("softplus", by.each(lambda x: np.logaddexp(0, x))),
        at("softplus", by.each(lambda x: np.logaddexp(0, x)), draw=large),
    ],
    "sigmoid": [
        *anywhere("sigmoid", by.each(by.sigmoid)),
        at("sigmoid", by.each(by.sigmoid), draw=large),
    ],
    "tanh": anywhere("tanh", by.each(np.tanh)),
    "scaledtanh": [
        *anywhere("scaledtanh", by.each(lambda x: 1.7159 * np.tanh(2 / 3 * x))),
        at("scaledtanh a=2 b=0.5", by.each(lambda x: 2 * np.tanh(x / 2))),
    ],
    "softmax": [
        *anywhere("softmax", by.each(by.softmax)),
        at("softmax", by.each(by.softmax), draw=large),
        *[
            at("softmax axis=pixels", by.each(lambda x, axes=axes: by.softmax(x, axes)), shape)
            for shape, axes in ((LINE, (2,)), (MAP, (2, 3)), (VOLUME, (2, 3, 4)))
        ],
    ],
    "logsoftmax": [
        *anywhere("logsoftmax", by.each(lambda x: np.log(by.softmax(x)))),
        at("logsoftmax axis=pixels", by.each(lambda x: np.log(by.softmax(x, (2, 3))))),
    ],
    "abs": anywhere("abs", by.each(np.abs)),
    "square": anywhere("square", by.each(np.square)),
    "sqrt": [
        *anywhere("sqrt", by.each(lambda x: np.sqrt(np.maximum(x, 0)))),
        at("sqrt", by.each(np.sqrt), draw=positive),
    ],
    "exp": anywhere("exp", by.each(np.exp)),
    "log": [
        at("log", by.each(np.log), draw=positive),
        *anywhere("log eps=0.5", by.each(lambda x: np.log(np.maximum(x, 0.5)))),
        at("log", by.each(lambda x: np.log(np.maximum(x, 1e-12)))),
    ],
    "affine": [
        at("affine mul=2 add=0.5", by.each(lambda x: 2 * x + 0.5)),
        at("affine mul=-1", by.each(lambda x: -x)),
        at("affine add=3", by.each(lambda x: x + 3)),
        at("affine", by.each(lambda x: x)),
        at("affine mul=0 add=2", by.each(lambda x: 0 * x + 2), (9,)),
    ],
    "clip": [
        *anywhere("clip (-0.5) 0.7", by.each(lambda x: np.clip(x, -0.5, 0.7))),
        at("clip 1 2", by.each(lambda x: np.clip(x, 1, 2))),
    ],
    "reduce": [
        at(f"reduce {word} {axis}", reduced(how, over), shape)
        for word, how in (
            ("mean", np.mean),
            ("sum", np.sum),
            ("max", np.max),
            ("min", np.min),
            ("l2", length),
        )
        for axis, over, shape in (
            ("", (1,), (9,)),
            ("", (1,), MAP),
            ("length", (2,), LINE),
            ("height", (2,), MAP),
            ("width", (3,), MAP),
            ("depth", (2,), VOLUME),
            ("space", (2,), LINE),
            ("space", (2, 3), MAP),
            ("space", (2, 3, 4), VOLUME),
        )
    ],
    "flatten": [
        at("flatten", lambda xs, w: xs[0].reshape(len(xs[0]), -1), x) for x in ((9,), *SHAPES)
    ],
    "reshape": [
        at("reshape 6x28", by.reshape(6, 28)),
        at("reshape 168", by.reshape(168)),
        at("reshape 1x3x3", by.reshape(1, 3, 3), (9,)),
        at("reshape 4x7x6", by.reshape(4, 7, 6)),
        at("reshape 2x3x7x4", by.reshape(2, 3, 7, 4)),
    ],
    "permute": [
        at("permute [1, 2, 0]", lambda xs, w: xs[0].transpose(0, 2, 3, 1)),
        at("permute [0, 2, 1]", lambda xs, w: xs[0].transpose(0, 1, 3, 2)),
        at("permute [1, 0]", lambda xs, w: xs[0].transpose(0, 2, 1), LINE),
        at("permute [3, 0, 2, 1]", lambda xs, w: xs[0].transpose(0, 4, 1, 3, 2), VOLUME),
        at("permute [0, 1, 2]", lambda xs, w: xs[0]),
    ],
    "slice": [
        at("slice 1 3", lambda xs, w: xs[0][:, 1:3]),
        at("slice 2", lambda xs, w: xs[0][:, 2:]),
        at("slice 0 4", lambda xs, w: xs[0]),
        at("slice 3 8", lambda xs, w: xs[0][:, 3:8], (9,)),
        at("slice 1 2 axis=height", lambda xs, w: xs[0][:, :, 1:2]),
        at("slice 2 axis=width", lambda xs, w: xs[0][..., 2:]),
        at("slice 2 5 axis=length", lambda xs, w: xs[0][..., 2:5], LINE),
        at("slice 1 axis=depth", lambda xs, w: xs[0][:, :, 1:], VOLUME),
    ],
    "channelshuffle": [
        *[at("channelshuffle 2", by.channelshuffle(2), x) for x in SHAPES],
        at("channelshuffle 3", by.channelshuffle(3), (12, 2, 3)),
        at("channelshuffle 4", by.channelshuffle(4), (12, 2, 3)),
        at("channelshuffle 1", lambda xs, w: xs[0]),
    ],
    "pixelshuffle": [
        at("pixelshuffle 2", by.pixelshuffle(2), (6, 4)),
        at("pixelshuffle 2", by.pixelshuffle(2), (8, 3, 2)),
        at("pixelshuffle 3", by.pixelshuffle(3), (18, 2, 3)),
        at("pixelshuffle 2", by.pixelshuffle(2), (16, 2, 3, 1)),
        at("pixelshuffle 1", lambda xs, w: xs[0]),
    ],
    "pixelunshuffle": [
        at("pixelunshuffle 3", by.pixelunshuffle(3), (2, 9)),
        at("pixelunshuffle 2", by.pixelunshuffle(2), (3, 4, 6)),
        at("pixelunshuffle 3", by.pixelunshuffle(3), (2, 6, 3)),
        at("pixelunshuffle 2", by.pixelunshuffle(2), (2, 4, 2, 6)),
        at("pixelunshuffle 1", lambda xs, w: xs[0]),
    ],
    "upsample": [
        at("upsample 2", by.nearest(22), LINE),
        at("upsample 2x3", by.nearest(14, 18)),
        at("upsample 1x2", by.nearest(7, 12)),
        at("upsample 2", by.nearest(10, 8, 6), VOLUME),
        at("upsample to=7", by.nearest(7), (2, 5)),
        at("upsample to=11x6", by.nearest(11, 6)),
        at("upsample to=9x13", by.nearest(9, 13)),
        at("upsample to=7x5x3", by.nearest(7, 5, 3), VOLUME),
        at("upsample 2 mode=linear", by.linear(22), LINE),
        at("upsample 2x3 mode=linear", by.linear(14, 18)),
        at("upsample 2 mode=linear", by.linear(10, 8, 6), VOLUME),
        at("upsample to=7 mode=linear", by.linear(7), (2, 5)),
        at("upsample to=9x13 mode=linear", by.linear(9, 13)),
        at("upsample to=7x5x3 mode=linear", by.linear(7, 5, 3), VOLUME),
        at("upsample to=5x4 mode=linear", by.linear(5, 4), (2, 1, 1)),
    ],
    "pad": [
        at("pad 1", bordered((1, 1), (1, 1))),
        at("pad 0x2 fill=-1.5", bordered((0, 0), (2, 2), constant_values=-1.5)),
        at("pad (0, 1, 2, 3) mode=reflect", bordered((0, 2), (1, 3), mode="reflect")),
        at("pad (3, 1, 0, 9) mode=edge", bordered((3, 0), (1, 9), mode="edge")),
        at("pad 2 mode=reflect", bordered((2, 2), mode="reflect"), LINE),
        at("pad (1, 0, 2, 0, 1, 0)", bordered((1, 0), (0, 1), (2, 0)), VOLUME),
        at("pad 1x0x2 mode=edge", bordered((1, 1), (0, 0), (2, 2), mode="edge"), VOLUME),
        at("pad 1x2x0 mode=reflect", bordered((1, 1), (2, 2), (0, 0), mode="reflect"), VOLUME),
        at("pad 0", lambda xs, w: xs[0]),
    ],
    "crop": [
        at("crop 1", lambda xs, w: xs[0][:, :, 1:-1, 1:-1]),
        at("crop 2x0", lambda xs, w: xs[0][:, :, 2:-2]),
        at("crop (0, 1, 2, 0)", lambda xs, w: xs[0][:, :, :5, 1:]),
        # An odd pixel goes at the end.
        at("crop to=4x3", lambda xs, w: xs[0][:, :, 1:5, 1:4]),
        at("crop to=4", lambda xs, w: xs[0][:, :, 3:7], LINE),
        at("crop 1", lambda xs, w: xs[0][:, :, 1:-1, 1:-1, 1:-1], VOLUME),
        at("crop 0", lambda xs, w: xs[0]),
    ],
    "add": merged("add", np.add, 9),
    "sub": merged("sub", np.subtract, 2),
    "mul": merged("mul", np.multiply, 9),
    "div": [
        at(case.body, case.formula, *case.shapes, draw=positive)
        for case in merged("div", np.divide, 2)
    ],
    "max": merged("max", np.maximum, 9),
    "min": merged("min", np.minimum, 9),
    "mean": [at(case.body, mean_of, *case.shapes) for case in merged("mean", np.add, 9)],
    "concat": [
        at("concat { | a | b }", lambda xs, w: np.concatenate(xs, 1), (4,), (9,)),
        at("concat { | a | b | a }", lambda xs, w: np.concatenate([*xs, xs[0]], 1), MAP, (2, 7, 6)),
        at("concat axis=width { | a | b }", lambda xs, w: np.concatenate(xs, 3), MAP, (4, 7, 1)),
        at("concat axis=length { | a | b }", lambda xs, w: np.concatenate(xs, 2), LINE, (4, 2)),
        at("concat axis=depth { | a | b }", lambda xs, w: np.concatenate(xs, 2), VOLUME, VOLUME),
        at("concat { | a }", lambda xs, w: xs[0]),
    ],
    "matmul": [
        at("matmul { | a | b }", lambda xs, w: xs[0] @ xs[1], (4, 11), (11, 3)),
        at("matmul { | a | b }", lambda xs, w: xs[0] @ xs[1], (2, 4, 5), (2, 5, 3)),
        at("matmul { | a | b }", lambda xs, w: xs[0] @ xs[1], (2, 3, 4, 5), (2, 3, 5, 3)),
        at("matmul transpose=yes { | a | b }", inverse, (4, 11), (3, 11)),
        at("matmul transpose=yes { | a | b }", inverse, (2, 4, 5), (2, 3, 5)),
        at("matmul transpose=yes { | a | a }", lambda xs, w: xs[0] @ xs[0].swapaxes(-1, -2), MAP),
    ],
    "subsampling": [
        at("subsampling 2", by.subsampling(2), LINE),
        at("subsampling 2x2", by.subsampling(2)),
        at("subsampling 3x2 stride=1x2", by.subsampling((3, 2), (1, 2))),
        at("subsampling 2x2 how=mean", by.subsampling(2, is_mean=True)),
        at(
            "subsampling 2x1x2 stride=2 how=mean",
            by.subsampling((2, 1, 2), 2, is_mean=True),
            VOLUME,
        ),
        at("subsampling 2x1x2", by.subsampling((2, 1, 2)), VOLUME),
        at("pad 2 -> subsampling 2x2 how=mean", in_turn(TWO, by.subsampling(2, is_mean=True))),
    ],
    "rbf": [
        at("rbf", lambda xs, w: _distances(xs[0], 10), (84,)),
        at("rbf 3", lambda xs, w: _distances(xs[0], 3), (84,)),
    ],
}


def _distances(x: Array, units: int) -> Array:
    return np.stack([((x - np.array(code)) ** 2).sum(1) for code in CODES[:units]], 1)


def test_every_kind_has_cases() -> None:
    assert set(CASES) == set(KINDS)
    assert all(kind in case.body for kind, cases in CASES.items() for case in cases)


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_its_page_says(kind: str) -> None:
    wrong = [said for case in CASES[kind] for said in examined(case)]
    assert not wrong, "\n".join(wrong)


def examined(case: Case) -> Iterator[str]:
    """What is wrong with it, opset by opset."""
    random = np.random.default_rng(len(case.body))
    graph = build(case.text)
    weights = drawn_weights(graph, random)
    feeds = drawn_inputs(compile_graph(graph, Options()), case.draw, random)
    wanted = case.formula([x.astype(np.float64) for x in feeds.values()], by_name(weights))
    for opset in OPSETS:
        given = {name: partial(np.asarray, w) for name, w in weights.items()}
        proto = to_proto(compile_graph(graph, Options(opset=opset, fold_bn=False), given))
        (y,) = by.run(proto, feeds)
        # What an image gives does not hang on its company.
        (alone,) = by.run(proto, {name: x[:1] for name, x in feeds.items()})
        where = f"`{case.body}` on {', '.join(map(size, case.shapes))}, opset {opset}"
        if y.shape != wanted.shape:
            yield f"{where}: {y.shape} is not {wanted.shape}"
        elif not (far := by.apart(wanted, y)) < TOLERANCE:
            yield f"{where}: off by {far:.1e} of the largest"
        elif not (far := by.apart(y[:1], alone)) < TOLERANCE:
            yield f"{where}: one image alone is off by {far:.1e} of the largest"


def by_name(weights: dict[str, Array]) -> dict[str, Array]:
    """By their full names and, as networks here have mostly one layer, by their last words."""
    doubles = {name: w.astype(np.float64) for name, w in weights.items()}
    return {name.rpartition(".")[2]: w for name, w in doubles.items()} | doubles


def drawn_weights(graph: Graph, random: np.random.Generator) -> dict[str, Array]:
    """Numbers for every weight, such that none of them is without effect; codes as they are."""
    found: dict[str, Array] = {}
    for name, shape in wanted_weights(graph).items():
        drawn = random.normal(size=shape).astype(np.float32)
        if not name.endswith(".codes"):
            found[name] = np.abs(drawn) + 0.5 if name.endswith(".var") else drawn
    return found


def drawn_inputs(model: Model, draw: Draw | None, random: np.random.Generator) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for value in model.inputs:
        shape = (3, *value.inner)
        if value.dtype == "uint8":
            found[value.name] = random.integers(0, 256, shape, np.uint8)
        else:
            drawn = random.normal(size=shape) if draw is None else draw(random, shape)
            found[value.name] = np.asarray(drawn, np.float32)
    return found
