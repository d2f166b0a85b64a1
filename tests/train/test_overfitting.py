"""Does training reach what it must: 32 examples learned by heart, through every kind of layer?

A kind stands between layers that learn and a last one that does not, so that nothing but the
gradients that go through it can make the loss small; and where it has weights of its own, these
learn alone.
"""

from collections.abc import Mapping
from math import log

import numpy as np
import pytest
from small_zoo import FAMILIES, UNREACHED, ZOO, Array, N, Small
from stepping import Stepping, evaluated

from cnnspec.layers import KINDS
from cnnspec.model.graph import Graph
from nets import ROOT, build, build_file

CLASSES = 4

SHARE = 0.01
"""Of the loss at the start, and of what an answer costs that is the same for all examples."""


def learned(steps: Stepping, feeds: Mapping[str, Array], lr: float, most: int, guess: float) -> int:
    """After how many steps the loss is small."""
    first = loss = steps.do(feeds, lr)["loss"]
    limit = SHARE * min(first, guess)
    for k in range(1, most + 1):
        loss = steps.do(feeds, lr)["loss"]
        if loss < limit:
            print(f"{k} steps from {first:.3g} to {loss:.3g}")
            return k
    raise AssertionError(f"{most} steps from {first:.3g} to {loss:.3g}, not to {limit:.3g}")


# ── every kind ─────────────────────────────────────────────────────────────────────────────────

FORMS: Mapping[str, tuple[str, ...]] = {
    "conv": (
        "conv 8 3x3",
        "conv 8 3x3 stride=2 pad=same",
        "conv 8 3x3 dilation=2 pad=2",
        "conv 8 3x3 groups=4 bias=no",
        "conv in.channels 3x3 pad=1 groups=in.channels",
        "conv 4 3x3 connect=[[0, 1, 2], [2, 3], [4, 5, 6, 7], [0, 7]]",
    ),
    "deconv": (
        "deconv 6 2x2 stride=2",
        "deconv 6 3x3 stride=2 pad=1 output_pad=1",
        "deconv 8 3x3 groups=4 dilation=2",
    ),
    "local": ("local 4 3x3", "local 4 3x3 stride=2 pad=1"),
    "fc": ("flatten -> fc 32",),
    "maxpool": (
        "maxpool 2x2",
        "maxpool 3x3 stride=2 pad=1 ceil=yes",
        "maxpool to=4x4",
        "maxpool global",
    ),
    "avgpool": (
        "avgpool 2x2",
        "avgpool 3x3 stride=2 pad=1 count_pad=yes ceil=yes",
        "avgpool to=4x4",
        "avgpool global",
    ),
    "lppool": (
        "lppool 2x2",
        "lppool 2x2 p=3",
        "relu -> lppool 3x3 stride=2 pad=1 p=1.5",
        "relu -> lppool to=4x4",
        "lppool global",
    ),
    "bn": ("bn", "bn affine=no"),
    "ln": ("ln", "ln axes=channels"),
    "gn": ("gn 4",),
    "instancenorm": ("instancenorm affine=yes",),
    "lrn": ("lrn 3 alpha=1", "lrn 4 alpha=1"),
    "l2norm": ("l2norm",),
    "scale": ("scale bias=yes", "scale shared=yes"),
    "relu": ("relu", "relu max=2"),
    "leaky": ("leaky 0.1",),
    "prelu": ("prelu", "prelu shared=yes"),
    "elu": ("elu",),
    "selu": ("selu",),
    "gelu": ("gelu", "gelu tanh"),
    "silu": ("silu",),
    "mish": ("mish",),
    "hswish": ("hswish",),
    "hsigmoid": ("hsigmoid",),
    "softplus": ("softplus",),
    "sigmoid": ("sigmoid",),
    "tanh": ("tanh",),
    "scaledtanh": ("scaledtanh",),
    "softmax": ("softmax -> affine mul=9", "softmax axis=pixels -> affine mul=9"),
    "logsoftmax": ("logsoftmax",),
    "abs": ("abs",),
    "square": ("square",),
    "sqrt": ("sqrt",),
    "exp": ("exp",),
    "log": ("log eps=0.01",),
    "affine": ("affine mul=-2 add=1",),
    "clip": ("clip -1 1",),
    "reduce": (
        "reduce mean",
        "reduce sum height",
        "reduce max width",
        "reduce min",
        "reduce l2",
        "reduce l2 space",
    ),
    "flatten": ("flatten",),
    "reshape": ("reshape 16x3x6",),
    "permute": ("permute [1, 2, 0] -> conv 4 3x3",),
    "slice": ("slice 2 6", "slice 1 axis=height"),
    "channelshuffle": ("channelshuffle 4 -> conv 4 3x3 groups=4",),
    "pixelshuffle": ("pixelshuffle 2",),
    "pixelunshuffle": ("pixelunshuffle 2",),
    "upsample": ("upsample 2", "upsample 2 mode=linear", "upsample to=9x8 mode=linear"),
    "pad": ("pad 1 -> conv 4 3x3", "pad 2 mode=reflect", "pad 2 mode=edge"),
    "crop": ("crop 1",),
    "add": ("add { | in | tanh | reduce mean }",),
    "sub": ("sub { | tanh | reduce mean }",),
    "mul": ("mul { | in | avgpool global -> sigmoid | reduce mean -> sigmoid }",),
    "div": ("div { | in | abs -> affine add=1 }",),
    "max": ("max { | in | affine mul=-0.5 | reduce mean }",),
    "min": ("min { | in | affine mul=-0.5 }",),
    "mean": ("mean { | in | tanh | reduce mean }",),
    "concat": ("concat { | in | tanh }", "concat axis=height { | in | tanh }"),
    "matmul": ("matmul { | in | tanh }", "matmul transpose=yes { | in | in }"),
    "subsampling": ("subsampling 2x2", "subsampling 2x2 how=mean"),
    "rbf": ("flatten -> fc 84 -> tanh -> rbf 10 -> ln affine=no -> affine mul=4",),
}
"""Uses of each kind on a map of 8x6x6."""

SERIES = (
    "conv 8 5 stride=2",
    "conv 8 3 pad=same groups=8",
    "deconv 6 4 stride=2 pad=1",
    "local 4 3",
    "maxpool 3 stride=2",
    "avgpool 2",
    "lppool 2",
    "gn 2",
    "instancenorm",
    "lrn 3 alpha=0.1",
    "upsample 2 mode=linear",
)
VOLUMES = (
    "conv 8 3x3x3 pad=1",
    "deconv 4 2x2x2 stride=2",
    "local 4 2x2x2",
    "maxpool 2x2x2",
    "avgpool 2x2x2",
    "lppool 2x2x2",
    "ln axes=channels",
    "lrn 3 alpha=1",
    "upsample 2 mode=linear",
)

ELSEWHERE = {
    "input": "it has no weights, and nothing lies before it that could learn",
    "dropout": "it is random in training: judged by the evaluation, below",
    "droppath": "it is random in training: judged by the evaluation, below",
}


def test_every_kind_is_here() -> None:
    assert set(FORMS) | set(ELSEWHERE) == set(KINDS)
    assert not set(FORMS) & set(ELSEWHERE)


EVERY_FORM = [(kind, form) for kind, uses in FORMS.items() for form in uses]


def examples(*size: int) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    return {"input": rng.normal(size=(N, *size)), "target": np.arange(N) % CLASSES}


def between(form: str, size: str = "2x6x6", kernel: str = "3x3") -> str:
    """A network in which only what lies before this use of a layer learns."""
    return f"""
        block middle {{ {form} }}
        network {{
          input {size}
          conv 24 {kernel} pad=1 -> tanh -> conv 8 {kernel} pad=1
          middle as kind
          flatten -> fc {CLASSES} as answer
        }}
    """


def learn_before(graph: Graph, frozen: str = '["kind", "answer"]') -> None:
    (own,) = graph.inputs
    assert own.shape is not None
    steps = Stepping(graph, lines=f"optimizer adam\nfreeze {frozen}")
    learned(steps, examples(*own.shape), 0.02, 300, log(CLASSES))


@pytest.mark.parametrize(("kind", "form"), EVERY_FORM)
def test_what_lies_before_it_learns(kind: str, form: str) -> None:
    graph = build(between(form))
    assert kind in {node.layer.kind for node in graph.nodes}
    # A normalisation that is frozen takes the running statistics.
    learn_before(graph, '"answer"' if kind == "bn" else '["kind", "answer"]')


@pytest.mark.parametrize("form", SERIES)
def test_what_lies_before_it_learns_in_a_series(form: str) -> None:
    learn_before(build(between(form, "2x16", "3")))


@pytest.mark.parametrize("form", VOLUMES)
def test_what_lies_before_it_learns_in_a_volume(form: str) -> None:
    learn_before(build(between(form, "2x4x4x4", "3x3x3")))


def has_weights(kind: str, form: str) -> bool:
    """Enough of them to learn by: one number for all channels is not."""
    return "shared" not in form and any(
        weight.trained
        for node in build(between(form)).nodes
        if node.layer.kind == kind and node.path.startswith("kind") and node.facts is not None
        for weight in node.facts.weights.values()
    )


OWN = [(kind, form) for kind, form in EVERY_FORM if has_weights(kind, form)]


def test_every_kind_with_weights_learns() -> None:
    with_weights = "conv deconv local fc bn ln gn instancenorm scale prelu subsampling"
    assert {kind for kind, _ in OWN} == set(with_weights.split())


@pytest.mark.parametrize(("kind", "form"), OWN)
def test_its_own_weights_learn(kind: str, form: str) -> None:
    """Alone: nothing before them, and what comes behind is frozen."""
    graph = build(f"""
        block middle {{ {form} }}
        network {{
          input 96x4x4
          middle as kind
          flatten -> fc {CLASSES} as answer
        }}
    """)
    steps = Stepping(graph, lines='optimizer adam\nfreeze "answer"')
    assert steps.trained
    assert all(name.startswith("kind.") for name in steps.trained)
    learned(steps, examples(96, 4, 4), 0.2, 300, log(CLASSES))


def test_distances_as_the_answer() -> None:
    """The loss behind LeNet-5's last layer falls, and the nearest code is the right one."""
    steps = Stepping("network {\n  input 20 -> fc 84 -> scaledtanh -> rbf 4\n}\n")
    learned(steps, examples(20), 0.01, 100, log(CLASSES))
    assert steps.do(examples(20))["correct"] == N


SHARED = f"""
block twin {{ conv 8 3x3 pad=1 -> tanh }}
network {{
  input 8x6x6
  twin as a
  twin weights=a as b
  twin weights=a as c
  flatten -> fc {CLASSES} as answer
}}
"""


def test_shared_weights_learn() -> None:
    steps = Stepping(build(SHARED), lines='optimizer adam\nfreeze "answer"')
    assert steps.trained == ("a.conv8_3x3.weight", "a.conv8_3x3.bias")
    learned(steps, examples(8, 6, 6), 0.02, 300, log(CLASSES))


# ── what is left out at random ─────────────────────────────────────────────────────────────────

AT_RANDOM = ("dropout 0.3", "dropout 0.3 channels=yes", "add { | in | tanh -> droppath 0.5 }")


@pytest.mark.parametrize("form", AT_RANDOM)
def test_with_some_left_out_the_whole_learns(form: str) -> None:
    text = between(form) + 'train {\n  optimizer adam\n  freeze "answer"\n}\n'
    feeds = examples(2, 6, 6)
    steps = Stepping(build(text))
    first = evaluated(text, feeds)["loss"]
    for _ in range(100):
        steps.do(feeds, 0.02)
    weights = {name: steps.kept[name] for name in steps.trained}
    assert evaluated(text, feeds, weights)["loss"] < SHARE * min(first, log(CLASSES))


# ── every network of the zoo ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("small", ZOO, ids=lambda small: small.name)
def test_a_network_of_the_zoo_learns(small: Small) -> None:
    graph = small.graph()
    steps = Stepping(graph, lines="\n".join((*small.lines, "optimizer adam")))
    feeds = small.examples(graph, np.random.default_rng(7))
    learned(steps, feeds, small.lr, small.steps, small.guess)


@pytest.mark.parametrize("spec", UNREACHED)
def test_a_network_that_does_not_learn(spec: str) -> None:
    pytest.skip(f"{spec}: {UNREACHED[spec]}")


def test_every_spec_is_here() -> None:
    """As itself, or as another choice of its family that holds nothing else."""
    kinds: dict[str, set[str]] = {}
    for small in ZOO:
        kinds.setdefault(small.spec, set()).update(n.layer.kind for n in small.graph().nodes)
    for path in sorted((ROOT / "specs").glob("*.cnn")):
        spec = path.stem
        if spec in kinds or spec in UNREACHED:
            continue
        family = next((f for f in FAMILIES if spec.startswith(f)), None)
        assert family is not None, f"{spec} is neither trained nor listed"
        own = {node.layer.kind for node in build_file(f"specs/{spec}.cnn").nodes}
        assert own <= kinds[family], f"{spec} holds more than {family}: {own - kinds[family]}"
