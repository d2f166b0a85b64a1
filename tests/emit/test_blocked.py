"""Does a graph in blocks of channels give what it gave with its axes in order?"""

import numpy as np
import pytest

from cnnspec.api import loads
from cnnspec.onnxir.graph import Model, Value
from emit.blocking import B, C, agree, blocked, compiled, own
from train.stepping import Stepping

# ── layers ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "conv",
    [
        "3x3",
        "3x3 pad=1",
        "3x3 pad=1 bias=no",
        "3x3 stride=2 pad=1",
        "3x3 dilation=2 pad=2",
        "5x2 stride=1x2",
        "1x1 stride=2",
        "1x1 pad=1",
        f"3x3 groups={C}",
        "3x3 groups=2 pad=1",
    ],
)
def test_a_convolution(conv: str) -> None:
    text = f"network {{ input {C}x9x8 -> conv {C} {conv} -> relu -> conv {B} 3x2 -> sigmoid }}"
    assert agree(compiled(text), "ReorderInput", "Conv", "ReorderOutput")["Conv"] == 2


def test_an_image_of_few_channels_is_taken_as_it_is() -> None:
    counts = agree(compiled(f"network {{ input 3x9x8 -> conv {B} 3x3 -> relu }}"), "Conv")
    # Only the kernels are brought into blocks.
    assert counts == {"Conv": 1, "ReorderInput": 1, "ReorderOutput": 1}


@pytest.mark.parametrize("deconv", ["3x3", "3x3 pad=1", "2x4 bias=no", "3x3 dilation=2"])
def test_a_transposed_convolution(deconv: str) -> None:
    agree(compiled(f"network {{ input {C}x6x5 -> deconv {B} {deconv} -> tanh }}"), "Conv")


@pytest.mark.parametrize(
    "text",
    [
        f"input {C}x6x5 -> conv {B - 1} 3x3",  # no whole block
        f"input {C - 1}x6x5 -> conv {B} 3x3",
        f"input {C}x6x5 -> conv {C} 3x3 groups={B}",  # two channels each
        f"input {C}x30 -> conv {B} 3",  # one axis
        f"input {C}x4x4x4 -> conv {B} 3x3x3",
        f"input {C}x6x5 -> conv {B} 1x1",  # a product of matrices
        f"input {C}x6x5 -> deconv {B} 2x2 stride=2",
        f"input {C}x6x5 -> deconv {C} 3x3 groups={C}",
        f"input {C}x6x5 -> bn -> relu -> maxpool 2x2",  # no convolution
    ],
)
def test_others_stay_as_they_are(text: str) -> None:
    assert not agree(compiled(f"network {{ {text} }}"))


@pytest.mark.parametrize(
    "what",
    [
        "elu",
        "gelu",
        "hswish",
        "leaky",
        "mish",
        "affine",
        "square",
        "relu max=6",
        "selu",
        "silu",
        "softplus",
        "tanh",
        "bn",
        "bn affine=no",
        "bn -> relu",
        "maxpool 2x2",
        "maxpool 3x3 stride=2 pad=1",
        "avgpool 2x2",
        "avgpool 3x3 stride=1 pad=1",
        "avgpool global",
        "maxpool global",
        "add { | in | in } -> relu",
        "mul { | in | sigmoid }",
        "max { | in | tanh }",
        f"concat {{ | in | conv {B} 3x3 pad=1 }}",
        f"add {{ | in | conv {C} 3x3 pad=1 bias=no }} -> relu",
        f"add {{ | bn | conv {C} 3x3 pad=1 }}",
        "pad 1",
        "crop 1",
    ],
)
def test_what_follows_a_convolution(what: str) -> None:
    text = f"network {{ input 3x9x8 -> conv {C} 3x3 pad=1 -> {what} -> conv {B} 1x1 -> sigmoid }}"
    counts = agree(compiled(text), "Conv")
    # Brought into blocks are kernels alone: all between the first and the last lies so.
    assert counts["ReorderInput"] == len([n for n in compiled(text).nodes if n.op == "Conv"])
    assert counts["ReorderOutput"] == 1


@pytest.mark.parametrize("opset", [13, 18, 21])
def test_in_other_opsets(opset: int) -> None:
    text = f"network {{ input 3x9x8 -> conv {C} 3x3 -> bn -> relu -> avgpool global -> flatten }}"
    agree(compiled(text, opset), "Conv", "GlobalAveragePool")


def test_a_rectifier_and_a_sum_are_the_convolution_s_work() -> None:
    text = f"""
    network {{
      input 3x9x8
      conv {C} 3x3
      add {{ | in | conv {C} 3x3 pad=1 -> bn }} -> relu
      conv {B} 3x3
    }}
    """
    made = blocked(compiled(text))
    whole = [node.op for node in made.nodes if len(made.values[node.outputs[0]].shape) == 4]
    assert not {"Add", "Relu"} & set(whole)
    summed = [n for n in made.nodes if n.domain and n.op == "Conv" and len(n.inputs) == 4]
    assert [n.attributes["activation"] for n in summed] == ["Relu"]


def test_normalisation_by_the_batch_brings_nothing_in_order() -> None:
    text = f"""
    network {{ input 3x9x8 -> conv {C} 3x3 -> bn -> relu -> conv {B} 3x3 -> flatten -> fc 2 }}
    """
    made = blocked(Stepping(text).step.model)
    assert "BatchNormalization" not in {node.op for node in made.nodes}
    names = {name for node in made.nodes for name in node.outputs}
    assert not {f"conv{C}_3x3", f"conv{C}_3x3_bn", f"conv{C}_3x3_relu"} & names


def test_what_others_see_too_is_not_swallowed() -> None:
    text = f"network {{ input 3x9x8 -> conv {C} 3x3 as a -> relu -> concat {{ | in | a }} }}"
    agree(compiled(text), "Conv")


# ── steps ──────────────────────────────────────────────────────────────────────────────────────

NETS = {
    "pools": f"conv {C} 3x3 pad=1 -> relu -> maxpool 2x2 -> conv {B} 3x3 -> avgpool 2x2 ceil=no",
    "overlapping": f"conv {C} 3x3 pad=1 -> relu -> maxpool 3x3 stride=2 -> conv {B} 3x3",
    "odd": f"conv {C} 2x2 -> relu -> maxpool 2x2 ceil=no -> conv {B} 3x3 pad=1 -> tanh",
    "residual": f"""
      conv {B} 3x3 pad=1 bias=no -> bn -> relu
      add {{ | in | conv {B} 3x3 pad=1 bias=no -> bn -> relu -> conv {B} 3x3 pad=1 bias=no -> bn }}
      relu
      add {{ | conv {C} 1x1 stride=2 -> bn | conv {C} 3x3 stride=2 pad=1 -> bn }} -> relu
    """,
    "dense": f"""
      conv {C} 3x3 pad=1
      concat {{ | in | bn -> relu -> conv {B} 3x3 pad=1 bias=no }}
      concat {{ | in | bn -> relu -> conv {B} 3x3 pad=1 bias=no }}
    """,
    "depthwise": f"""
      conv {B} 3x3 pad=1 -> bn -> relu max=6 -> conv {B} 3x3 pad=1 groups={B} -> bn -> silu
      conv {C} 1x1 -> gn groups=4 -> gelu
    """,
    "dropped": f"conv {C} 3x3 -> relu -> dropout 0.3 -> conv {B} 3x3 -> leaky",
    "up": f"""
      conv {C} 3x3 pad=1 -> relu -> deconv {B} 3x3 pad=1 -> relu -> upsample 2 -> conv {B} 3x3
    """,
    "layers": f"conv {C} 3x3 -> ln -> relu -> conv {B} 3x3 -> lrn -> prelu",
}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("n", [1, 6])
def test_a_step(name: str, n: int) -> None:
    network = loads(f"network {{\n input 3x12x12\n {NETS[name]}\n flatten -> fc 4\n}}")
    x = np.random.default_rng(0).standard_normal((n, 3, 12, 12), np.float32)
    feeds = {"input": x, "target": np.arange(n) % 4}
    plain = Stepping(network.graph, lines="optimizer sgd")
    made = Stepping(network.graph, lines="optimizer sgd", change=blocked)
    assert own(blocked(plain.step.model))["Conv"] >= 3
    before = dict(plain.kept)
    for _ in range(2):
        expected, found = plain.do(feeds, 0.01), made.do(feeds, 0.01)
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for path, y in plain.kept.items():
        # The gradient of a bias in front of a normalisation is rounding alone.
        moved = np.linalg.norm(y - before[path]) + 1e-4
        assert np.linalg.norm(made.kept[path] - y) <= 1e-3 * moved, path


def test_the_variance_of_numbers_far_from_0() -> None:
    # Of 1000 ± 1 the squares are a million, of which float32 knows the last tenth.
    text = f"network {{ input 3x6x6 -> conv {B} 1x1 pad=1 bias=no -> bn -> flatten -> fc 2 }}"
    network = loads(text)
    x = 1000 + np.random.default_rng(0).standard_normal((8, 3, 6, 6), np.float32)
    feeds = {"input": x, "target": np.arange(8) % 2}
    plain, made = Stepping(network.graph), Stepping(network.graph, change=blocked)
    plain.do(feeds, 0)
    made.do(feeds, 0)
    (name,) = (k for k in plain.kept if k.endswith("bn.var"))
    np.testing.assert_allclose(made.kept[name], plain.kept[name], rtol=1e-4)


# ── what is asked for ──────────────────────────────────────────────────────────────────────────


def test_what_is_exported_is_plain() -> None:
    network = loads(f"network {{ input 3x6x6 -> conv {B} 3x3 -> flatten -> fc 4 }}")
    for model in (network.compile(), network.training_step()):
        assert not any(node.domain for node in model.onnx.graph.node)


def test_a_graph_that_has_no_node_at_all() -> None:
    plain = Model("empty", 17, [Value("x", ("N", C, 4, 4))], [Value("x", ("N", C, 4, 4))])
    assert not blocked(plain).nodes
