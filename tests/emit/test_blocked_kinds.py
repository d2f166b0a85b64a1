"""Does a step learn the same in blocks of channels, and as CUDA is given it, with any layer in it?

Each layer stands between two convolutions of whole blocks, so that what enters it lies in blocks,
and what leaves it is wanted so. Batches and sizes are odd.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from cnnspec.api import loads
from cnnspec.emit.compile import source_of
from cnnspec.emit.passes.spelled import spell_out
from cnnspec.layers import KINDS
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import NUMPY_NAMES, Model
from cnnspec.train.step import build_evaluation
from emit.blocking import B, C, blocked, own
from settings.reading import recipe as read_recipe
from train.stepping import Array, Stepping, session

Form = Callable[[Model], Model]

H, W = 5, 6

ABOVE_0 = "softplus -> affine add=1"

LAYERS = {
    "input": "relu",
    "conv": f"conv {C} 3x2 pad=[0, 2, 1, 0] -> conv {2 * C} 2x3 groups=2 dilation=1x2 pad=2",
    "deconv": f"deconv {B} 3x2 stride=2 output_pad=1 -> deconv {C} 2x3 pad=[0, 1, 1, 0]",
    "local": f"local {B} 2x2",
    "fc": f"flatten -> fc {B} -> reshape {B}x1x1 -> upsample 3",
    "maxpool": "tanh -> maxpool 3x2 stride=2 ceil=yes",
    "avgpool": "avgpool 3x2 stride=2x1 pad=[1, 0, 0, 1] -> avgpool 2x2 stride=1 ceil=yes",
    "lppool": "lppool 2x3 stride=2 ceil=yes",
    "bn": "bn -> tanh -> bn affine=no eps=1",
    "ln": "ln -> ln axes=channels",
    "gn": "gn 4",
    "instancenorm": "instancenorm affine=yes",
    "lrn": "lrn 3 alpha=0.5",
    "l2norm": "l2norm",
    "scale": "scale bias=yes -> scale shared=yes",
    "dropout": "dropout 0.3 -> dropout 0.3 channels=yes",
    "droppath": "droppath 0.3",
    "relu": f"conv {C} 3x3 pad=1 as a -> relu -> add {{ | in | a }} -> relu max=3",
    "leaky": "leaky",
    "prelu": "prelu -> prelu shared=yes",
    "elu": "elu",
    "selu": "selu",
    "gelu": "gelu -> gelu tanh",
    "silu": "silu",
    "mish": "mish",
    "hswish": "hswish",
    "hsigmoid": "hsigmoid",
    "softplus": "softplus",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "scaledtanh": "scaledtanh",
    "softmax": "softmax -> affine mul=9 -> softmax axis=pixels",
    "logsoftmax": "logsoftmax -> logsoftmax axis=pixels",
    "abs": "abs",
    "square": "square",
    "sqrt": f"{ABOVE_0} -> sqrt",
    "exp": "clip (-2) 2 -> exp",
    "log": f"{ABOVE_0} -> log",
    "affine": "affine mul=2 add=0.5",
    "clip": "clip (-1) 1",
    "reduce": "reduce mean height -> reduce l2 channels",
    "flatten": f"flatten -> reshape {C}x{H}x{W}",
    "reshape": f"reshape {C}x{H * W} -> tanh -> reshape {C}x{W}x{H} -> reshape {B}x{2 * H}x{W}",
    "permute": "permute [1, 2, 0] -> permute [2, 0, 1]",
    "slice": f"slice {B} -> slice 1 axis=height -> slice 1 3 axis=width",
    "channelshuffle": "channelshuffle 2",
    "pixelshuffle": f"conv {4 * B} 1x1 -> pixelshuffle 2",
    "pixelunshuffle": "crop to=4x4 -> pixelunshuffle 2",
    "upsample": "upsample 1x2 -> upsample to=9x13 mode=linear",
    "pad": "pad 1x2 mode=edge -> pad 1 mode=reflect -> pad [0, 1, 2, 0] fill=0.5",
    "crop": "crop [0, 1, 2, 0]",
    "add": f"add {{ | in | in | conv {C} 1x1 | conv {C} 3x3 pad=1 -> bn }} -> tanh",
    "sub": "sub { | in | avgpool global }",
    "mul": f"mul {{ | avgpool global -> conv {C} 1x1 -> sigmoid | in }}",
    "div": f"div {{ | in | {ABOVE_0} }}",
    "max": f"max {{ | in | conv {C} 3x3 pad=1 | avgpool global }}",
    "min": "min { | in | tanh }",
    "mean": "mean { | in | tanh | reduce mean channels }",
    "concat": f"concat {{ | in | conv {B} 1x1 | conv 3 1x1 }} -> concat axis=width {{ | in | in }}",
    "matmul": "matmul transpose=yes { | in | tanh }",
    "subsampling": "subsampling 2x2",
    "rbf": "flatten -> fc 84 -> rbf -> affine mul=0.01 -> reshape 10x1x1",
}

FORMS: Mapping[str, tuple[Form, bool]] = {"in blocks": (blocked, False), "CUDA": (spell_out, True)}
"""How a step is put that runs, and whether its gradients are a GPU's."""

SGD = "optimizer sgd"


def between(layers: str) -> Graph:
    text = f"input 3x{H}x{W} -> conv {C} 3x3 pad=1\n{layers}\nconv {B} 2x2 pad=1 -> flatten -> fc 4"
    return loads(f"network {{\n{text}\n}}").graph


def feeds_of(graph: Graph, n: int) -> dict[str, Array]:
    draw = np.random.default_rng(n)
    sizes = {source.path: source.shape or () for source in graph.inputs}
    xs = {path: draw.normal(size=(n, *size)) for path, size in sizes.items()}
    return {**xs, "target": np.arange(n) % 4}


def learn_the_same(
    graph: Graph, feeds: Mapping[str, Array], lines: str = SGD, steps: int = 1
) -> None:
    plain = Stepping(graph, lines=lines)
    before = dict(plain.kept)
    expected = [plain.do(feeds, 0.01) for _ in range(steps)]
    moved = {name: y - before[name] for name, y in plain.kept.items()}
    least = 1e-4 * np.linalg.norm([np.linalg.norm(x) for x in moved.values()])
    for form, (change, for_gpu) in FORMS.items():
        made = Stepping(graph, lines=lines, change=change, for_gpu=for_gpu)
        for wanted in expected:
            assert made.do(feeds, 0.01) == pytest.approx(wanted, rel=1e-5), form
        for name, y in made.kept.items():
            off = np.linalg.norm(y - before[name] - moved[name])
            # What is nothing but rounding, as a bias before a normalisation, is of no length.
            assert off <= 1e-3 * (np.linalg.norm(moved[name]) + least), (form, name)


def test_all_kinds_are_there() -> None:
    assert set(LAYERS) == set(KINDS)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_step_with(kind: str) -> None:
    graph = between(LAYERS[kind])
    assert own(blocked(Stepping(graph, lines=SGD).step.model))["Conv"] >= 1
    learn_the_same(graph, feeds_of(graph, 2 + len(kind) % 4))


NETS = {
    "one example": f"input 3x7x5 -> conv {C} 3x3 -> tanh -> conv {B} 3x3 pad=1 -> flatten -> fc 4",
    "shared": f"""
      input 3x7x5 as a -> conv {C} 3x3 as first -> tanh -> conv {C} 3x3 pad=1 as second
      input 3x7x5 as b -> conv {C} 3x3 weights=first -> tanh -> conv {C} 3x3 pad=1 weights=second
      concat {{ | second | in }} -> flatten -> fc 4
    """,
    "places of one": f"""
      input {C}x1x1 -> conv {C} 3x3 pad=1 -> bn -> relu -> conv {C} 3x3 pad=1 -> scale
      avgpool global -> flatten -> fc 4
    """,
    "heads": f"""
      input 3x7x5 -> conv {C} 3x3 pad=1 -> tanh
      head side {{ conv {C} 3x3 -> avgpool global -> flatten -> fc 4 }}
      conv {B} 3x3 -> flatten -> fc 4
    """,
    "frozen": f"""
      input 3x7x5 -> conv {C} 3x3 pad=1 frozen=yes -> bn frozen=yes -> relu
      conv {B} 3x3 bias=no -> bn -> flatten -> fc 4
    """,
}

RECIPES = {
    "heads": "loss cross_entropy\nloss cross_entropy on=side weight=0.3\noptimizer momentum",
    "frozen": "optimizer adam\nema 0.9\nclip norm 1",
}


@pytest.mark.parametrize("name", NETS)
def test_two_steps_of_a_network(name: str) -> None:
    graph = loads(f"network {{\n{NETS[name]}\n}}").graph
    feeds = feeds_of(graph, 1 if name == "one example" else 7)
    feeds |= {f"target.{head.name}": feeds["target"] for head in graph.outputs}
    learn_the_same(graph, feeds, RECIPES.get(name, SGD), steps=2)


@pytest.mark.parametrize("applies", [True, False])
def test_a_part_of_a_step(applies: bool) -> None:
    graph = between("bn -> tanh")
    feeds = {**feeds_of(graph, 3), "share": np.array(0.4), "apply": np.array(applies)}
    learn_the_same(graph, feeds, f"{SGD}\naccumulate 2")


def test_mixed_examples() -> None:
    graph = between("tanh")
    feeds = feeds_of(graph, 5)
    feeds["target"] = np.random.default_rng(0).dirichlet(np.ones(4), 5)
    learn_the_same(graph, feeds, f"{SGD}\naugment mixup 0.2")


def test_an_evaluation() -> None:
    graph = between(f"bn -> relu -> conv {C} 3x3 pad=1 -> maxpool 2x2")
    step = build_evaluation(graph, read_recipe(SGD), source_of({}, 0))
    model = step.model
    draw = np.random.default_rng(0)
    given = feeds_of(graph, 3) | {k.name: 0.1 + draw.random(k.shape) for k in step.kept}
    types = {v.name: NUMPY_NAMES[v.dtype] for v in model.inputs}
    feeds = {name: given[name].astype(kind) for name, kind in types.items()}
    assert own(blocked(model))["MaxPool"] == 1
    found, wanted = (session(m).run(None, feeds) for m in (blocked(model), model))
    for y, expected in zip(map(np.asarray, found), map(np.asarray, wanted), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
