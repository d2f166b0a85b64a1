"""LeNet-5 of 1998, layer by layer: parameters and connections as the paper gives them; DeepFace."""

import pytest

from cnnspec.layers.base import Layer, Weight
from cnnspec.layers.classic import Rbf, Subsampling
from cnnspec.layers.codes import CODES
from cnnspec.layers.conv import Conv
from cnnspec.layers.dense import Dense
from cnnspec.layers.local import Local
from cnnspec.layers.pool import MaxPool
from cnnspec.layers.reshaping import Flatten
from cnnspec.text.diagnostic import Refusal

THREES = [tuple((i + k) % 6 for k in range(3)) for i in range(6)]
FOURS = [tuple((i + k) % 6 for k in range(4)) for i in range(6)]
PAIRS = [(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)]
TABLE = (*THREES, *FOURS, *PAIRS, (0, 1, 2, 3, 4, 5))
"""Which maps of S2 each map of C3 reads."""


def trained(layer: Layer, *x: int) -> int:
    return sum(w.size for w in layer.weights(x).values() if w.trained)


def test_lenet_5_of_1998() -> None:
    layers: list[tuple[Layer, int, int]] = [
        (Conv(filters=6, kernel=(5, 5)), 156, 122_304),
        (Subsampling(kernel=(2, 2)), 12, 5_880),
        (Conv(filters=16, kernel=(5, 5), connect=TABLE), 1_516, 151_600),
        (Subsampling(kernel=(2, 2)), 32, 2_000),
        (Conv(filters=120, kernel=(5, 5)), 48_120, 48_120),
        (Flatten(), 0, 0),
        (Dense(units=84), 10_164, 10_164),
        (Rbf(), 0, 840),
    ]
    x: tuple[int, ...] = (1, 32, 32)
    for layer, parameters, connections in layers:
        y = layer.shape(x)
        assert trained(layer, *x) == parameters, layer.kind
        assert layer.work(y, x).connections == connections, layer.kind
        x = y
    assert x == (10,)
    assert sum(n for _, n, _ in layers) == 60_000
    assert sum(n for _, _, n in layers) == 340_908


def test_the_table_of_c3_has_a_kernel_for_each_pair() -> None:
    layer, x = Conv(filters=16, kernel=(5, 5), connect=TABLE), (6, 14, 14)
    assert layer.weights(x)["weight"].shape == (60, 5, 5)
    assert list(layer.sums(layer.shape(x), x)) == [
        "(14 - 5 + 2·0)/1 + 1 = 10",
        "parameters 5·5·60 + 16 = 1,516",
        "macs 5·5·60·10·10 = 150,000",
    ]


@pytest.mark.parametrize(
    ("connect", "groups", "message"),
    [
        (((0,),), 1, "`connect` has 1 rows for 2 filters"),
        (((0,), (1, 1)), 1, "a row of `connect` names an input map twice"),
        (((0,), (3,)), 1, "`connect` names input map 3; there are maps 0 to 1"),
        (((0,), (1,)), 2, "`connect` and `groups` both say which maps are read"),
    ],
)
def test_wrong_tables(connect: tuple[tuple[int, ...], ...], groups: int, message: str) -> None:
    layer = Conv(filters=2, kernel=3, connect=connect, groups=groups)
    with pytest.raises(Refusal, match="connect") as caught:
        layer.shape((2, 8))
    assert (caught.value.code, caught.value.message) == ("wrong-table", message)


def test_subsampling_begins_as_the_mean() -> None:
    x = (6, 28, 28)
    assert Subsampling(kernel=2).weights(x)["coefficient"] == Weight((6,), "constant", value=0.25)
    mean = Subsampling(kernel=2, how="mean").weights(x)["coefficient"]
    assert mean == Weight((6,), "constant", value=1)
    assert list(Subsampling(kernel=2).sums((6, 14, 14), x)) == [
        "(28 - 2 + 2·0)/2 + 1 = 14",
        "parameters (1 + 1)·6 = 12",
        "connections (2·2 + 1)·6·14·14 = 5,880",
    ]
    assert Subsampling(kernel=2).keep_hint((6, 27, 28)) == (
        "`crop (0, 0, 1, 0)` before it takes them off on purpose"
    )
    with pytest.raises(Refusal) as caught:
        Subsampling(kernel=2).shape((6, 1, 1))
    assert caught.value.hint == "a kernel of at most 1 fits"


def test_the_codes_of_the_digits() -> None:
    assert [len(code) for code in CODES] == [7 * 12] * 10
    assert {number for code in CODES for number in code} == {-1, 1}
    # Far enough apart to be told from each other, similar digits nearer than others.
    apart = {
        (a, b): sum(p != q for p, q in zip(CODES[a], CODES[b], strict=True))
        for a in range(10)
        for b in range(a)
    }
    assert min(apart.values()) >= 5
    assert apart[8, 3] < apart[8, 1]


def test_rbf_takes_84_numbers() -> None:
    weights = Rbf(units=10).weights((84,))
    assert weights["codes"].shape == (10, 84)
    assert not weights["codes"].trained
    assert Rbf(units=3).shape((84,)) == (3,)
    with pytest.raises(Refusal) as caught:
        Rbf().shape((100,))
    assert caught.value.message == "a code has 7·12 = 84 numbers; 100 reach `rbf`"
    assert caught.value.hint == "put `fc 84` before it"


def test_deepface_has_most_of_its_parameters_in_local_layers() -> None:
    layers: list[Layer] = [
        Conv(filters=32, kernel=(11, 11)),
        MaxPool(kernel=(3, 3), stride=2, ceil=True),
        Conv(filters=16, kernel=(9, 9)),
        Local(filters=16, kernel=(9, 9)),
        Local(filters=16, kernel=(7, 7), stride=2),
        Local(filters=16, kernel=(5, 5)),
        Flatten(),
        Dense(units=4096),
        Dense(units=4030),
    ]
    x: tuple[int, ...] = (3, 152, 152)
    found: list[int] = []
    for layer in layers:
        found.append(trained(layer, *x))
        x = layer.shape(x)
    assert sum(found) == 118_923_774
    assert sum(found[3:]) > 0.95 * sum(found)


def test_a_local_layer_has_kernels_for_every_place() -> None:
    layer, x = Local(filters=16, kernel=(9, 9)), (16, 63, 63)
    weights = layer.weights(x)
    assert layer.shape(x) == (16, 55, 55)
    assert weights["weight"].shape == (55 * 55, 16, 9 * 9 * 16)
    assert weights["bias"].shape == (16, 55, 55)
    assert list(layer.sums((16, 55, 55), x))[1:] == [
        "parameters (9·9·16 + 1)·16·55·55 = 62,774,800",
        "macs 9·9·16·16·55·55 = 62,726,400",
    ]
