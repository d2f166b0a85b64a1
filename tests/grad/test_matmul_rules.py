"""Are the gradients of products of matrices right?"""

from math import prod

import numpy as np
import pytest

from cnnspec.grad.reverse import gradients
from cnnspec.grad.rules import matmul
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Model
from grad.check import apart, check_rule

SHAPES = [
    ((3, 4), (4, 5)),
    ((2, 3, 4), (2, 4, 5)),
    ((2, 3, 4), (4, 5)),
    ((2, 6, 3, 4), (4, 5)),
    ((3, 4), (2, 4, 5)),
    ((1, 3, 4), (2, 4, 5)),
    ((2, 1, 3, 4), (6, 4, 5)),
    ((2, 1, 3, 4), (1, 6, 4, 5)),
    ((4,), (4, 5)),
    ((3, 4), (4,)),
    ((4,), (4,)),
    ((2, 3, 4), (4,)),
    ((4,), (2, 4, 5)),
    ((3, 1), (1, 5)),
]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_matmul(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    check_rule("MatMul", [apart(a, seed=1), apart(b, seed=2)])


@pytest.mark.parametrize(
    ("a", "b"), [((2, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 6, 3, 4), (4, 5)), ((2, 3, 4), (4,))]
)
def test_matmul_with_an_open_batch(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    check_rule("MatMul", [apart(a, seed=1), apart(b, seed=2)], batch=[0])


def test_matmul_of_two_open_batches() -> None:
    check_rule("MatMul", [apart((2, 3, 4), seed=1), apart((2, 4, 5), seed=2)], batch=[0, 1])


def test_a_product_for_each_place() -> None:
    """Local connections: (places, filters, size) times (places, size, batch)."""
    check_rule("MatMul", [apart((6, 3, 4), seed=1), apart((6, 4, 2), seed=2)])


def test_a_constant_on_one_side() -> None:
    check_rule("MatMul", [apart((6, 3, 4), seed=1), apart((6, 4, 2), seed=2)], by=[1])
    check_rule("MatMul", [apart((2, 3, 4), seed=1), apart((4, 5), seed=2)], by=[0], batch=[0])


@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (3, 1), (3, 5), (1,), ()], ids=str)
@pytest.mark.parametrize(("turned_a", "turned_b"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_gemm(turned_a: int, turned_b: int, bias: tuple[int, ...] | None) -> None:
    a = apart((4, 3) if turned_a else (3, 4), seed=1)
    b = apart((5, 4) if turned_b else (4, 5), seed=2)
    given = [a, b] if bias is None else [a, b, apart(bias, seed=3) if prod(bias) else np.array(0.5)]
    check_rule("Gemm", [*given], {"transA": turned_a, "transB": turned_b})
    scaled = {"transA": turned_a, "transB": turned_b, "alpha": 0.5, "beta": 1.5}
    check_rule("Gemm", [*given], scaled)


def test_gemm_with_an_open_batch() -> None:
    inputs = [apart((2, 4), seed=1), apart((5, 4), seed=2), apart((5,), seed=3)]
    check_rule("Gemm", [*inputs], {"transB": 1}, batch=[0])


def test_a_dense_layer_needs_two_products_and_a_sum() -> None:
    """dW = dYᵀ·X, dX = dY·W, db = Σ dY: nothing is turned by a node of its own."""
    model = Model("dense", 17)
    g = Builder(model)
    with g.layer("x", ""):
        x = g.input((4,))
    w = g.weight("w", (5, 4), lambda: np.zeros((5, 4)))
    b = g.weight("b", (5,), lambda: np.zeros(5))
    with g.layer("y", ""):
        y = g.op("Gemm", x, w, b, shape=(5,), transB=1)
    with g.layer("loss", ""):
        loss = g.op("ReduceL2", y, dims=(), keepdims=0)
    before = len(model.nodes)
    found = gradients(model, loss, ["x", "w", "b"], "N")
    made = [n.op for n in model.nodes[before:]]
    assert made.count("Gemm") == 2
    assert made.count("ReduceSum") == 1
    assert "Transpose" not in made
    assert {name: v and v.shape for name, v in found.items()} == {
        "x": ("N", 4),
        "w": (5, 4),
        "b": (5,),
    }


def test_every_rule_is_tried() -> None:
    assert set(matmul.RULES) == {"MatMul", "Gemm"}
