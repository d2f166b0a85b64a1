"""Is what a step leaves out random enough, and the same whenever the step is done again?

All counts are of fixed steps and places: a bound is met always or never. Bounds are those that
random numbers would break once in a million runs.
"""

import numpy as np
import pytest
from stepping import Array, Stepping, session

from cnnspec.layers.base import Layer
from cnnspec.layers.dropout import Dropout, DropPath
from cnnspec.onnxir.builder import CLOCK, Builder
from cnnspec.onnxir.graph import BATCH, Model
from cnnspec.vocab.value import Shape

SIGMAS = 4.9
"""So many deviations lie between a normal number and its mean but for once in a million."""


class Left:
    """A layer of a step alone, given ones."""

    def __init__(self, layer: Layer, shape: Shape, path: str = "dropout") -> None:
        model = Model("left", 17)
        g = Builder(model, BATCH, is_training=True)
        with g.layer("input", ""):
            x = g.input(shape)
        with g.layer(path, ""):
            y = layer.lower(g, shape, [x], {})
        g.output(y)
        model.verify()
        self._shape = shape
        self._session = session(model)

    def __call__(self, step: int, batch: int = 8) -> Array:
        feeds = {"input": np.ones((batch, *self._shape), np.float32), CLOCK: np.array(step)}
        (y,) = self._session.run(None, feeds)
        return np.asarray(y)


def pearson(found: Array, wanted: Array) -> float:
    return float(((found - wanted) ** 2 / wanted).sum())


def limit(freedom: int) -> float:
    """What a chi-square of so many degrees of freedom exceeds once in a million (Wilson and
    Hilferty's approximation)."""
    a = 2 / (9 * freedom)
    return freedom * (1 - a + SIGMAS * a**0.5) ** 3


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_share_and_scale(rate: float) -> None:
    left = Left(Dropout(rate=rate), (16, 10, 10))
    masks = np.stack([left(step) for step in range(1, 6)])
    kept = masks > 0
    np.testing.assert_allclose(masks[kept], 1 / (1 - rate), rtol=1e-6)
    assert (masks[~kept] == 0).all()
    deviation = (rate * (1 - rate) / masks.size) ** 0.5
    assert abs((~kept).mean() - rate) < SIGMAS * deviation
    # In each step too.
    by_step = (~kept).mean((1, 2, 3, 4))
    assert (abs(by_step - rate) < SIGMAS * deviation * 5**0.5).all()


def test_same_for_the_same_step() -> None:
    one, other = (Left(Dropout(rate=0.5), (64,)) for _ in range(2))
    assert (one(7) == other(7)).all()
    assert (one(7) == one(7)).all()
    # A smaller batch has the beginning of the larger one.
    assert (one(7, batch=3) == one(7)[:3]).all()


def agreement(a: Array, b: Array) -> float:
    """How far from independent two masks of half ones are, in deviations."""
    return abs(2 * ((a > 0) == (b > 0)).sum() - a.size) / a.size**0.5


def test_differs_by_step_and_by_layer() -> None:
    layers = [Left(Dropout(rate=0.5), (500,), path) for path in ("drop", "drop_2", "a.drop", "b")]
    masks = [layer(step) for layer in layers for step in (1, 2, 3, 4, 1000, 10**6)]
    for k, a in enumerate(masks):
        for b in masks[:k]:
            assert agreement(a, b) < SIGMAS


def test_neighbours_are_independent() -> None:
    """In a mask, at several distances; and at one place, in steps that follow each other."""
    left = Left(Dropout(rate=0.5), (40, 40))
    masks = np.stack([left(step, batch=4) for step in range(1, 41)]) > 0
    flat = masks.reshape(40, -1)
    for distance in (1, 2, 3, 7, 40, 41, 1600):
        assert agreement(flat[:, :-distance], flat[:, distance:]) < SIGMAS
    for distance in (1, 2, 3, 10):
        assert agreement(flat[:-distance], flat[distance:]) < SIGMAS


def test_examples_and_places_are_told_apart() -> None:
    """The third place of the fifth example is another one than the fifth place of the third."""
    mask = Left(Dropout(rate=0.5), (120,))(2, batch=120) > 0
    above = np.triu_indices(120, 1)
    assert agreement(mask[above], mask.T[above]) < SIGMAS


def test_every_place_is_left_out_alike() -> None:
    steps = 400
    left = Left(Dropout(rate=0.5), (100,))
    masks = np.stack([left(step, batch=5).reshape(-1) for step in range(1, steps + 1)])
    zeros = (masks == 0).sum(0)
    # Binomial counts, of which each has two cells.
    found = np.stack([zeros, steps - zeros])
    assert pearson(found, np.full_like(found, steps / 2, float)) < limit(zeros.size)


def test_runs_of_eight() -> None:
    """Eight neighbours have each of the 256 patterns equally often."""
    left = Left(Dropout(rate=0.5), (4096,))
    bits = np.concatenate([left(step).reshape(-1) > 0 for step in range(1, 5)])
    patterns = np.packbits(bits.reshape(-1, 8), axis=1).reshape(-1)
    counts = np.bincount(patterns, minlength=256)
    assert pearson(counts, np.full(256, len(patterns) / 256)) < limit(255)


def test_whole_channels() -> None:
    left = Left(Dropout(rate=0.4, channels=True), (50, 3, 4))
    mask = left(3, batch=40)
    assert (mask == mask[:, :, :1, :1]).all()
    share = (mask[:, :, 0, 0] == 0).mean()
    assert abs(share - 0.4) < SIGMAS * (0.24 / 2000) ** 0.5


def test_whole_examples() -> None:
    left = Left(DropPath(rate=0.25), (3, 2, 2))
    mask = np.concatenate([left(step, batch=100) for step in range(1, 11)])
    assert (mask == mask[:, :1, :1, :1]).all()
    assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((mask[:, 0, 0, 0] == 0).mean() - 0.25) < SIGMAS * (0.1875 / 1000) ** 0.5


def test_a_rate_of_nothing_leaves_all() -> None:
    for layer in (Dropout(rate=0.0), DropPath(rate=0.0)):
        model = Model("all", 17)
        g = Builder(model, BATCH, is_training=True)
        with g.layer("input", ""):
            x = g.input((3,))
        assert layer.lower(g, (3,), [x], {}) is x


def test_gradients_go_the_same_way() -> None:
    """What is left out in a step has no gradient in that step."""
    text = """
        network {
          input 40 -> dropout 0.5 as drop
          scale as last
        }
        train {
          loss mse to=input
          optimizer momentum
        }
    """
    steps = Stepping(text)
    x = np.random.default_rng(0).uniform(1, 2, (2, 40))
    for step in (1, 2, 9):
        mask = Left(Dropout(rate=0.5), (40,), "drop")(step, batch=2)
        steps.at(step).kept["last.scale"] = np.ones(40, np.float32)
        steps.kept["last.scale/velocity"] = np.zeros(40, np.float32)
        told = steps.do({"input": x, "target": x})
        assert told["loss"] == pytest.approx(((mask * x - x) ** 2).mean(), rel=1e-5)
        wanted = (2 * (mask * x - x) * mask * x).sum(0) / 80
        np.testing.assert_allclose(steps.kept["last.scale/velocity"], wanted, rtol=1e-4, atol=1e-7)
