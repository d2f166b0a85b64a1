"""Merges: what branches may differ in, and whether the advice helps where they differ too much."""

import random
import re

import pytest
import sampling

from cnnspec.layers import KINDS
from cnnspec.layers.base import Layer, Work
from cnnspec.layers.merge import Add, Concat, Div, MatMul, Merge, Mul, Sub
from cnnspec.text.diagnostic import Refusal
from cnnspec.vocab.value import Shape


def refused(layer: Merge, *xs: Shape) -> Refusal:
    with pytest.raises(Refusal) as caught:
        layer.shape(*xs)
    return caught.value


def test_branches_of_one_shape() -> None:
    assert Add().shape((64, 56, 56), (64, 56, 56), (64, 56, 56)) == (64, 56, 56)
    assert Add().shape((64, 56, 56)) == (64, 56, 56)
    assert Sub().shape((10,), (10,)) == (10,)


def test_an_axis_of_size_1_fits_any() -> None:
    assert Mul().shape((64, 56, 56), (64, 1, 1)) == (64, 56, 56)
    assert Mul().shape((1, 56, 56), (64, 56, 56)) == (64, 56, 56)
    assert Div().shape((64, 1, 9), (1, 7, 9)) == (64, 7, 9)


def test_both_numbers_and_both_branches_are_named() -> None:
    found = refused(Add(), (64, 56, 56), (64, 56, 56), (32, 56, 56))
    assert found.code == "branches-disagree"
    assert found.message == "branch 1 of `add` ends with 64 channels, branch 3 with 32 channels"
    assert found.hint == "`conv 64 1x1` at the end of branch 3 makes 64 channels"
    found = refused(Add(), (256, 28, 28), (64, 56, 56))
    assert found.message == (
        "branch 1 of `add` ends with 256 channels, a height of 28 and a width of 28, "
        "branch 2 with 64 channels, a height of 56 and a width of 56"
    )
    assert found.hint == "`conv 256 1x1 stride=2` at the end of branch 2 makes 256x28x28"


def test_the_branches_that_disagree_are_named_beyond_those_of_size_1() -> None:
    found = refused(Mul(), (1, 5), (7, 5), (1, 1), (8, 5))
    assert found.message == "branch 2 of `mul` ends with 7 channels, branch 4 with 8 channels"


def test_vectors_and_maps() -> None:
    found = refused(Mul(), (64, 7, 7), (64,))
    assert found.message == (
        "branch 1 of `mul` ends in a map of 64x7x7, branch 2 in a flat vector of 64"
    )
    assert found.hint == "`reshape 64x1x1` at the end of branch 2 makes one number for each channel"
    found = refused(Concat(), (20,), (4, 5, 5))
    assert found.hint == "`flatten` at the end of branch 2 makes a vector of 100"
    assert refused(Add(), (3, 8), (3, 8, 8)).hint is None
    assert refused(Add(), (10,), (12,)).hint == "`fc 10` at the end of branch 2 makes 10 of 12"


def test_concat_adds_up_along_its_axis() -> None:
    xs = (64, 28, 28), (128, 28, 28), (32, 28, 28), (32, 28, 28)
    assert Concat().shape(*xs) == (256, 28, 28)
    assert list(Concat().sums((256, 28, 28), *xs)) == ["channels 64 + 128 + 32 + 32 = 256"]
    assert Concat(axis="height").shape((3, 4, 5), (3, 6, 5)) == (3, 10, 5)
    assert Concat(axis="length").shape((3, 4), (3, 6)) == (3, 10)
    assert Concat().shape((10,), (20,)) == (30,)


def test_concat_lets_only_one_axis_differ() -> None:
    found = refused(Concat(), (64, 56, 56), (64, 64, 64))
    assert found.message == (
        "branch 1 of `concat` ends with a height of 56 and a width of 56, branch 2 with "
        "a height of 64 and a width of 64; only the channels may differ"
    )
    assert found.hint == "`crop to=56x56` at the end of branch 2 makes 56x56"
    found = refused(Concat(axis="depth"), (3, 4, 5), (3, 4, 5))
    assert (found.code, found.param) == ("wrong-axes", "axis")
    assert found.message == "a map of 3x4x5 has no depth"
    assert refused(Concat(axis="height"), (3,), (3,)).message == "a flat vector has no height"


def test_the_count_of_branches() -> None:
    found = refused(Sub(), (3,), (3,), (3,))
    assert (found.code, found.message) == (
        "wrong-branches",
        "`sub` takes 2 branches; here are 3 branches",
    )
    assert refused(Div(), (3,)).message == "`div` takes 2 branches; here is one branch"


def test_matrices() -> None:
    assert MatMul().shape((5, 7), (7, 3)) == (5, 3)
    assert MatMul(transpose=True).shape((8, 49, 32), (8, 49, 32)) == (8, 49, 49)
    xs = (8, 49, 32), (8, 32, 49)
    y = MatMul().shape(*xs)
    assert MatMul().work(y, *xs) == Work(8 * 49 * 49 * 32, 8 * 49 * 49 * 32)
    found = refused(MatMul(), (5, 7), (3, 7))
    assert found.message == (
        "rows of 7 numbers cannot be multiplied with columns of 3: "
        "branch 1 of `matmul` ends in 5x7, branch 2 in 3x7"
    )
    assert found.hint == "transpose=yes would fit"
    assert refused(MatMul(), (2, 5, 7), (3, 7, 5)).hint is None
    assert refused(MatMul(), (5,), (5,)).code == "wrong-rank"


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.is_merge and k.kind != "matmul"])
def test_advice_makes_branches_agree(kind: type[Merge]) -> None:
    helped = 0
    for _ in range(600):
        layer = kind()
        if kind is Concat:
            layer = kind(axis=random.choice(("channels", "height", "length")))
        rank = random.randint(0, 3)
        xs = [sampling.shape(rank if random.random() < 0.9 else None, most=7) for _ in range(2)]
        if random.random() < 0.4:
            factor = random.randint(1, 3)
            xs[1] = (xs[1][0], *(n * factor - random.randint(0, 1) or 1 for n in xs[0][1:]))
        try:
            layer.shape(*xs)
        except Refusal as refusal:
            if refusal.code == "branches-disagree" and refusal.hint:
                follow(refusal.hint, layer, xs)
                helped += 1
    assert helped > 50


def follow(hint: str, layer: Merge, xs: list[Shape]) -> None:
    """Put the call of a hint at the end of the branch it names; the branches then agree, or what
    still differs is another thing that a further hint is for."""
    match = re.match(r"`(.+)` at the end of branch (\d+) makes ", hint)
    assert match, hint
    at = int(match[2]) - 1
    added = layer_of(match[1])
    after = [added.shape(x) if k == at else x for k, x in enumerate(xs)]
    assert after[at] != xs[at]
    # Vectors made of maps, or maps of vectors, may now differ in numbers: one thing at a time.
    assert len(after[0]) == len(after[1])
    if len(xs[0]) == len(xs[1]):
        layer.shape(*after)


def layer_of(call: str) -> Layer:
    """A call of plain numbers and sizes as a layer."""
    name, *words = call.split()
    kind = KINDS[name]
    given: dict[str, object] = {}
    places = iter(kind.positional)
    for word in words:
        param, _, text = word.rpartition("=")
        sizes = tuple(int(n) for n in text.split("x"))
        param = param or next(places)
        given[param] = kind.params[param].type.read(sizes[0] if len(sizes) == 1 else sizes)
    return kind(**given)
