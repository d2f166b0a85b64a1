"""Does the walk bring each value what all who take it answer?"""

import numpy as np
import pytest

from cnnspec.grad.base import rules
from cnnspec.grad.reverse import NoGradient, gradients
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Model, Value
from grad.check import Array, Runner, apart, check_model, one_operator, positive, weighted_sum


class Net:
    """A graph with inputs by name, and a scalar at its end."""

    def __init__(self, opset: int = 17, batch: int | str = 1) -> None:
        self.model = Model("net", opset)
        self.g = Builder(self.model, batch)
        self.feeds: dict[str, Array] = {}

    def input(self, name: str, x: Array, *, is_open: bool = False) -> Value:
        shape = (BATCH, *x.shape[1:]) if is_open else x.shape
        value = Value(name, shape)
        self.model.inputs.append(value)
        self.feeds[name] = x
        return value

    def op(self, op: str, *xs: Value, name: str, **rest: object) -> Value:
        with self.g.layer(name, f"net.cnn:1:{len(self.model.nodes) + 1}"):
            return self.g.op(op, *xs, **rest)  # type: ignore[arg-type]

    def loss(self, y: Value) -> Value:
        (sample,) = Runner(self.model, [y.name], "float")(self.feeds)
        with self.g.layer("loss", ""):
            return weighted_sum(self.g, [(y, sample.shape)])

    def check(self, y: Value, dtype: str = "double") -> dict[str, Array | None]:
        return check_model(self.model, self.loss(y), self.feeds, dtype=dtype)


def test_a_value_that_several_take_gets_the_sum() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    a, b, c = (net.op(op, x, name=op.lower()) for op in ("Sigmoid", "Tanh", "Exp"))
    net.check(net.op("Mul", net.op("Mul", a, b, name="ab"), c, name="y"))
    assert sum(n.op == "Sum" for n in net.model.nodes) == 1


def test_an_operator_that_takes_a_value_twice() -> None:
    for op in ("Add", "Sub", "Mul", "Div", "Max"):
        net = Net()
        x = net.input("x", positive((2, 3)))
        net.check(net.op(op, x, x, name="y"))


def test_a_chain_of_shortcuts() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    for k in range(3):
        x = net.op("Add", x, net.op("Tanh", x, name=f"tanh{k}"), name=f"sum{k}")
    net.check(x)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 4), (4,)),
        ((2, 3, 4), (3, 1)),
        ((2, 3, 4), (1, 1, 1)),
        ((2, 1, 4), (3, 1)),
        ((2, 3, 4), ()),
        ((1,), (2, 3)),
        ((1, 3), (1, 1, 1, 3)),
    ],
    ids=str,
)
def test_broadcasting_is_undone(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    net = Net()
    x, w = (
        net.input("x", np.asarray(apart(a, seed=1))),
        net.input("w", np.asarray(apart(b, seed=2))),
    )
    found = net.check(net.op("Mul", x, w, name="y"))
    assert {k: v is not None and v.shape for k, v in found.items()} == {"x": a, "w": b}


def test_a_weight_that_meets_an_open_batch_is_summed_over_it() -> None:
    net = Net(batch=BATCH)
    x, w = net.input("x", apart((5, 3), seed=1), is_open=True), net.input("w", apart((3,), seed=2))
    net.check(net.op("Mul", x, w, name="y"))


def test_a_weight_that_two_layers_share() -> None:
    net = Net()
    x, w = net.input("x", apart((2, 3), seed=1)), net.input("w", apart((3, 3), seed=2))
    h = net.op("Tanh", net.op("Gemm", x, w, name="first"), name="tanh")
    net.check(net.op("Gemm", h, w, name="second"))


def test_what_the_scalar_does_not_hang_on_has_no_gradient() -> None:
    net = Net()
    x = net.input("x", apart((2, 3), seed=1))
    net.input("apart", apart((2, 3), seed=2))
    dead = net.op("Exp", x, name="dead")
    loss = net.loss(net.op("Tanh", x, name="y"))
    found = gradients(net.model, loss, ["x", "apart", dead.name], 1)
    assert found["x"] is not None
    assert found["apart"] is None
    assert found["dead"] is None


def test_the_gradient_of_the_scalar_by_itself_is_1() -> None:
    net = Net()
    loss = net.loss(net.input("x", apart((2, 3))))
    found = gradients(net.model, loss, [loss.name], 1)[loss.name]
    assert found is not None
    assert found.shape == ()
    assert float(net.model.tensors[found.name].draw()) == 1


def test_by_a_value_in_the_middle() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    middle = net.op("Tanh", x, name="middle")
    loss = net.loss(net.op("Mul", middle, middle, name="y"))
    found = gradients(net.model, loss, ["middle"], 1)["middle"]
    assert found is not None
    (dx, value, u) = Runner(net.model, [found.name, "middle", "loss/u"], "double")(net.feeds)
    assert np.allclose(dx, 2 * u * value)
    assert not any(n.name.startswith("x/grad") for n in net.model.nodes)


def test_constants_are_not_differentiated() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    with net.g.layer("y", ""):
        y = net.g.op("Add", net.g.op("Exp", net.g.scalar("c", 2), part="e"), x)
    loss = net.loss(y)
    before = len(net.model.nodes)
    gradients(net.model, loss, ["x"], 1)
    made = net.model.nodes[before:]
    assert not [n for n in made if n.name.startswith("y/e/grad")]


def test_nothing_is_made_for_what_lies_beside_the_way() -> None:
    """Only what hangs on `w` is walked through: not what leads to the layer before it."""
    net = Net()
    x, w = net.input("x", apart((2, 3), seed=1)), net.input("w", apart((3, 3), seed=2))
    h = net.op("Exp", x, name="before")
    loss = net.loss(net.op("MatMul", h, w, dims=(2, 3), name="y"))
    gradients(net.model, loss, ["w"], 1)
    assert not [n for n in net.model.nodes if n.name.startswith("before/grad")]


def test_a_root_behind_a_rectifier() -> None:
    """The root of 0 is endlessly steep, and 0 times that is no number: here it is 0."""
    net = Net()
    x = net.input("x", apart((3, 4)))
    dx = net.check(net.op("Sqrt", net.op("Relu", x, name="relu"), name="y"))["x"]
    assert dx is not None
    assert np.all(dx[net.feeds["x"] < 0] == 0)


@pytest.mark.parametrize("p", [0.75, 0.5, 0.1])
def test_a_power_below_1_behind_a_rectifier(p: float) -> None:
    """It is as steep at 0 as a root."""
    net = Net()
    x = net.input("x", apart((3, 4)))
    with net.g.layer("power", ""):
        power = net.g.scalar("p", p)
    dx = net.check(net.op("Pow", net.op("Relu", x, name="relu"), power, name="y"))["x"]
    assert dx is not None
    assert np.all(dx[net.feeds["x"] < 0] == 0)


def test_a_whole_number_stops_the_walk() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    shape = net.op("Shape", x, dims=(2,), dtype="int64", name="shape")
    size = net.op("Cast", net.op("ReduceProd", shape, dims=(), keepdims=0, name="n"),
                  dtype="float", to=1, name="size")  # fmt: skip
    net.check(net.op("Div", x, size, name="mean"))


@pytest.mark.parametrize("opset", [13, 17, 18, 20])
def test_a_small_network(opset: int) -> None:
    """Two dense layers with a shortcut, a mean and a cross-entropy by hand."""
    net = Net(opset, BATCH)
    x = net.input("x", apart((5, 4), seed=1), is_open=True)
    w1, b1 = net.input("w1", apart((4, 4), seed=2)), net.input("b1", apart((4,), seed=3))
    w2 = net.input("w2", apart((3, 4), seed=4))
    h = net.op("Gemm", x, w1, b1, transB=1, name="dense1")
    h = net.op("Add", net.op("Softplus", h, name="softplus"), x, name="add")
    y = net.op("Gemm", h, w2, shape=(3,), transB=1, name="dense2")
    with net.g.layer("end", ""):
        top = net.g.reduce("ReduceMax", y, [1], shape=(1,), keepdims=1, part="top")
        e = net.g.op("Exp", net.g.op("Sub", y, top, part="less"), part="exp")
        total = net.g.reduce("ReduceSum", e, [1], shape=(1,), keepdims=1, part="sum")
        p = net.g.op("Log", net.g.op("Div", e, total, part="share"), part="log")
        mean = net.g.reduce("ReduceMean", p, [0], dims=(3,), keepdims=0)
    net.check(mean)


def test_a_small_convolutional_network() -> None:
    net = Net(batch=BATCH)
    x = net.input("x", apart((2, 3, 6, 6), seed=1), is_open=True)
    k1, c1 = net.input("k1", apart((4, 3, 3, 3), seed=2)), net.input("c1", apart((4,), seed=3))
    w = net.input("w", apart((5, 4), seed=4))
    h = net.op("Conv", x, k1, c1, shape=(4, 6, 6), kernel_shape=[3, 3], pads=[1] * 4, name="conv")
    h = net.op("Tanh", h, name="tanh")
    h = net.op("AveragePool", h, shape=(4, 3, 3), kernel_shape=[2, 2], strides=[2, 2], name="pool")
    h = net.op("GlobalAveragePool", h, shape=(4, 1, 1), name="mean")
    h = net.op("Flatten", h, shape=(4,), name="flatten")
    net.check(net.op("Gemm", h, w, shape=(5,), transB=1, name="dense"), "float")


def test_a_kernel_of_2x2_over_3x3_by_hand() -> None:
    """h[a][b] = Σ X[a+i][b+j]·W[i][j], so dW[i][j] = Σ X[i+a][j+b]·dh[a][b]."""
    x = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    dh = np.array([[1.0, -2.0], [0.5, 3.0]])
    net = Net()
    image, w = net.input("x", x), net.input("w", np.ones((1, 1, 2, 2)))
    h = net.op("Conv", image, w, dims=(1, 1, 2, 2), kernel_shape=[2, 2], name="conv")
    with net.g.layer("loss", ""):
        weighted = net.g.op("Mul", h, net.g.floats("dh", dh.reshape(-1).tolist(), (1, 1, 2, 2)))
        loss = net.g.op("ReduceSum", weighted, dims=(), part="sum", keepdims=0)
    found = gradients(net.model, loss, ["w"], 1)["w"]
    assert found is not None
    (dw,) = Runner(net.model, [found.name], "float")(net.feeds)
    by_hand = [
        [
            sum(x[0, 0, i + a, j + b] * dh[a, b] for a in range(2) for b in range(2))
            for j in range(2)
        ]
        for i in range(2)
    ]
    assert by_hand == [[14.0, 16.5], [21.5, 24.0]]
    assert np.allclose(dw[0, 0], by_hand)


def test_a_result_that_no_rule_asks_for_is_refused() -> None:
    """The mean that a normalization also gives: its rule takes the gradient of the first result."""
    x, scale = apart((2, 3, 4), seed=1), np.ones(4)
    model, loss = one_operator("LayerNormalization", [x, scale], {}, [0], outputs=2, loss_of=(1,))
    with pytest.raises(NoGradient, match="LayerNormalization"):
        gradients(model, loss, ["x0"], 1)


def test_no_operator_has_two_rules() -> None:
    def nothing(*_: object) -> list[None]:
        return []

    with pytest.raises(AssertionError, match="two rules for Relu"):
        rules({"Relu": nothing, "Tanh": nothing}, {"Relu": nothing})


def test_only_a_scalar_has_a_gradient() -> None:
    net = Net()
    x = net.input("x", apart((2, 3)))
    with pytest.raises(AssertionError, match="no scalar"):
        gradients(net.model, x, ["x"], 1)
