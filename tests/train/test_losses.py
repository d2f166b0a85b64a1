"""Is each loss the formula that its documentation says, and is its gradient that formula's?

The formulas are written again here in NumPy. Values come from the evaluation of a network that
hands its input on, so that its last layer and the recipe say what is computed; gradients are held
against differences in double.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import Any

import numpy as np
import pytest
from stepping import Array, Stepping, evaluated

from cnnspec.layers.codes import CODES
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import DType, Model, Tensor, Value
from cnnspec.settings.loss import (
    LOSSES,
    BinaryCrossEntropy,
    CrossEntropy,
    Dice,
    Hinge,
    Huber,
    Loss,
    MeanAbsolute,
    MeanSquared,
    Reading,
)
from cnnspec.train.loss import Case, loss_of
from grad.check import check_model

RNG = np.random.default_rng(3)
Z = RNG.normal(0, 2, (6, 5))
CLASSES = np.array([0, 4, 2, 1, 1, 3])
NUMBERS = RNG.normal(0, 1.5, (6, 5))
ONE = RNG.normal(0, 2, (6, 1))
YES = np.array([0, 1, 1, 0, 1, 0])
MAPS = RNG.normal(0, 2, (2, 3, 2, 4))
MASKS = RNG.integers(0, 3, (2, 2, 4))
MAP = RNG.normal(0, 2, (2, 1, 2, 4))
YES_MASKS = RNG.integers(0, 2, (2, 2, 4))
WEIGHTS = np.array([0.5, 2, 1, 3, 0.25])

# A few roundings of float32, at 6e-8 each, and a logarithm or an exponential.
RELATIVE = 1e-6


# ── formulas ───────────────────────────────────────────────────────────────────────────────────


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def hot(y: Array, n: int) -> Array:
    """1 for the right class, on the second axis."""
    return np.moveaxis(np.eye(n)[y], -1, 1)


def cross_entropy(p: Array, t: Array, weights: Array | None = None) -> float:
    w = np.ones(p.shape[1]) if weights is None else weights
    t = t * w.reshape(1, -1, *(1 for _ in p.shape[2:]))
    return -(t * np.log(p)).sum() / t.sum()


def smooth(t: Array, s: float) -> Array:
    return (1 - s) * t + s / t.shape[1]


def binary(p: Array, y: Array, positive: float = 1, weights: Array | None = None) -> float:
    parts = -positive * y * np.log(p) - (1 - y) * np.log(1 - p)
    if weights is not None:
        parts = parts * weights
    return parts.mean()


def huber(d: Array, delta: float) -> float:
    d = np.abs(d)
    return np.where(d <= delta, d**2 / 2, delta * (d - delta / 2)).mean()


def hinge(
    z: Array, y: Array, margin: float = 1, power: int = 1, weights: Array | None = None
) -> float:
    terms = []
    for row, k in zip(z, y, strict=True):
        over = [max(0.0, margin - row[k] + v) for j, v in enumerate(row) if j != k]
        terms.append(sum(v**power for v in over))
    return float(np.average(terms, weights=None if weights is None else weights[y]))


def dice(p: Array, y: Array, s: float = 1) -> float:
    both, sides = (p * y).sum((2, 3)), p.sum((2, 3)) + y.sum((2, 3))
    return (1 - (2 * both + s) / (sides + s)).mean()


# ── values ─────────────────────────────────────────────────────────────────────────────────────


def said(
    z: Array, target: Array | None, *lines: str, last: str = "", data: str = "", **more: Any
) -> float:
    """The loss that an evaluation tells of a network that ends in these numbers."""
    size = "x".join(map(str, z.shape[1:]))
    end = f" -> {last}" if last else ""
    settings = "".join(f"  {line}\n" for line in ((f"data {data}",) if data else ()) + lines)
    text = f"network {{\n  input {size} -> scale{end}\n}}\ntrain {{\n{settings}}}\n"
    feeds = {"input": z} if target is None else {"input": z, "target": target}
    return float(evaluated(text, {**feeds, **more})["loss"])


def check(got: float, wanted: float) -> None:
    assert got == pytest.approx(wanted, rel=RELATIVE)


@pytest.mark.parametrize("last", ["", "softmax", "logsoftmax"])
@pytest.mark.parametrize("s", [0, 0.1])
def test_cross_entropy(last: str, s: float) -> None:
    found = said(Z, CLASSES, f"loss cross_entropy smoothing={s}", last=last)
    check(found, cross_entropy(softmax(Z), smooth(hot(CLASSES, 5), s)))


def test_cross_entropy_of_probabilities() -> None:
    p = softmax(Z)
    check(
        said(p, CLASSES, "loss cross_entropy from=probabilities"), cross_entropy(p, hot(CLASSES, 5))
    )


def test_cross_entropy_from_logits_leaves_a_softmax_where_it_is() -> None:
    found = said(Z, CLASSES, "loss cross_entropy from=logits", last="softmax")
    check(found, cross_entropy(softmax(softmax(Z)), hot(CLASSES, 5)))


def test_cross_entropy_of_very_sure_mistakes() -> None:
    z = np.array([[200.0, 0, -200]])
    for last in ("", "softmax"):
        check(said(z, np.array([2]), "loss cross_entropy", last=last), 400)


@pytest.mark.parametrize("s", [0, 0.2])
def test_cross_entropy_with_weights_of_classes(s: float) -> None:
    lines = (f"loss cross_entropy smoothing={s}", f"class_weights {WEIGHTS.tolist()}")
    wanted = cross_entropy(softmax(Z), smooth(hot(CLASSES, 5), s), WEIGHTS)
    check(said(Z, CLASSES, *lines), wanted)
    counted = (lines[0], "class_weights balanced")
    check(said(Z, CLASSES, *counted, class_weights=WEIGHTS), wanted)


def test_cross_entropy_of_mixtures() -> None:
    t = 0.3 * hot(CLASSES, 5) + 0.7 * hot(CLASSES[::-1], 5)
    check(said(Z, t, "loss cross_entropy", "augment mixup"), cross_entropy(softmax(Z), t))


@pytest.mark.parametrize(("p", "decimal"), [(0.72, 0.14267), (0.52, 0.284), (0.3, 0.5229)])
def test_surprise_in_powers_of_ten(p: float, decimal: float) -> None:
    z = np.log([[p, (1 - p) / 2, (1 - p) / 2]])
    found = said(z, np.array([0]), "loss cross_entropy", last="softmax")
    assert found / log(10) == pytest.approx(decimal, abs=5e-5)


@pytest.mark.parametrize("last", ["", "sigmoid"])
@pytest.mark.parametrize(
    ("words", "s", "positive"), [("", 0, 1), ("smoothing=0.2 positive=3", 0.2, 3)]
)
def test_binary_cross_entropy(last: str, words: str, s: float, positive: float) -> None:
    y = YES[:, None] * (1 - s) + s / 2
    found = said(ONE, YES, f"loss binary_cross_entropy {words}", last=last)
    check(found, binary(sigmoid(ONE), y, positive))


def test_binary_cross_entropy_of_several_classes() -> None:
    y = hot(CLASSES, 5)
    check(said(Z, CLASSES, "loss binary_cross_entropy"), binary(sigmoid(Z), y))
    lines = ("loss binary_cross_entropy", f"class_weights {WEIGHTS.tolist()}")
    check(said(Z, CLASSES, *lines), binary(sigmoid(Z), y, weights=WEIGHTS))


def test_binary_cross_entropy_of_probabilities_and_numbers() -> None:
    p, y = sigmoid(Z), RNG.uniform(0, 1, Z.shape)
    numbers = 'npz "none.npz" targets=numbers'
    found = said(p, y, "loss binary_cross_entropy from=probabilities", data=numbers)
    check(found, binary(p, y))
    check(said(Z, y, "loss binary_cross_entropy", data=numbers), binary(p, y))


def test_binary_cross_entropy_of_very_sure_mistakes() -> None:
    z = np.array([[300.0], [-300.0]])
    for last in ("", "sigmoid"):
        check(said(z, np.array([0, 1]), "loss binary_cross_entropy", last=last), 300)


@pytest.mark.parametrize(
    ("words", "formula"),
    [
        ("mse", lambda d: (d**2).mean()),
        ("mae", lambda d: np.abs(d).mean()),
        ("huber", lambda d: huber(d, 1)),
        ("huber delta=0.3", lambda d: huber(d, 0.3)),
    ],
)
def test_differences(words: str, formula: Callable[[Array], float]) -> None:
    numbers = 'npz "none.npz" targets=numbers'
    check(said(Z, NUMBERS, f"loss {words}", data=numbers), formula(Z - NUMBERS))
    check(said(Z, CLASSES, f"loss {words}"), formula(Z - hot(CLASSES, 5)))
    pictures = 'pairs "noisy" "clean"'
    check(said(MAPS, MAPS[::-1], f"loss {words}", data=pictures), formula(MAPS - MAPS[::-1]))
    found = said(MAPS, MAPS, f"loss {words} to=input", last="relu")
    check(found, formula(np.maximum(MAPS, 0) - MAPS))


def test_binary_cross_entropy_with_the_input() -> None:
    x = RNG.uniform(0, 1, MAPS.shape)
    found = said(x, x, "loss binary_cross_entropy to=input")
    check(found, binary(sigmoid(x), x))


@pytest.mark.parametrize(
    ("words", "margin", "power"),
    [("", 1, 1), ("margin=2.5", 2.5, 1), ("squared=yes", 1, 2), ("margin=0.5 squared=yes", 0.5, 2)],
)
def test_hinge(words: str, margin: float, power: int) -> None:
    check(said(Z, CLASSES, f"loss hinge {words}"), hinge(Z, CLASSES, margin, power))
    lines = (f"loss hinge {words}", f"class_weights {WEIGHTS.tolist()}")
    check(said(Z, CLASSES, *lines), hinge(Z, CLASSES, margin, power, WEIGHTS))


MASKED = 'masks "pictures" "masks"'


@pytest.mark.parametrize("s", [1, 0.01])
def test_dice(s: float) -> None:
    for last in ("", "softmax"):
        found = said(MAPS, MASKS, f"loss dice smooth={s}", last=last, data=MASKED)
        check(found, dice(softmax(MAPS), hot(MASKS, 3), s))
    for last in ("", "sigmoid"):
        found = said(MAP, YES_MASKS, f"loss dice smooth={s}", last=last, data=MASKED)
        check(found, dice(sigmoid(MAP), YES_MASKS[:, None], s))
    p = softmax(MAPS)
    found = said(p, MASKS, f"loss dice smooth={s} from=probabilities", data=MASKED)
    check(found, dice(p, hot(MASKS, 3), s))


# ── masks ──────────────────────────────────────────────────────────────────────────────────────


def flat(maps: Array) -> Array:
    """Each pixel as an example of its own."""
    return np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])


W3 = np.array([0.5, 2, 3])

OF_PIXELS: Mapping[str, Callable[[Array, Array], float]] = {
    "cross_entropy": lambda z, y: cross_entropy(softmax(z), hot(y, 3)),
    "cross_entropy smoothing=0.2": lambda z, y: cross_entropy(softmax(z), smooth(hot(y, 3), 0.2)),
    "binary_cross_entropy": lambda z, y: binary(sigmoid(z), hot(y, 3)),
    "mse": lambda z, y: ((z - hot(y, 3)) ** 2).mean(),
    "mae": lambda z, y: np.abs(z - hot(y, 3)).mean(),
    "huber": lambda z, y: huber(z - hot(y, 3), 1),
    "hinge": lambda z, y: hinge(z, y),
    "cross_entropy\n class_weights [0.5, 2, 3]": lambda z, y: cross_entropy(
        softmax(z), hot(y, 3), W3
    ),
    "cross_entropy smoothing=0.2\n class_weights [0.5, 2, 3]": lambda z, y: cross_entropy(
        softmax(z), smooth(hot(y, 3), 0.2), W3
    ),
    "binary_cross_entropy\n class_weights [0.5, 2, 3]": lambda z, y: binary(
        sigmoid(z), hot(y, 3), weights=W3
    ),
    "hinge\n class_weights [0.5, 2, 3]": lambda z, y: hinge(z, y, weights=W3),
}


@pytest.mark.parametrize("words", OF_PIXELS)
@pytest.mark.parametrize("ignored", [0, 5])
def test_masks(words: str, ignored: int) -> None:
    """Pixels are examples, but for those of class -1."""
    masks = MASKS.copy()
    masks.reshape(-1)[:ignored] = -1
    counts = masks.reshape(-1) >= 0
    z, y = flat(MAPS)[counts], masks.reshape(-1)[counts]
    check(said(MAPS, masks, f"loss {words}", data=MASKED), OF_PIXELS[words](z, y))


@pytest.mark.parametrize("last", ["", "sigmoid"])
def test_masks_of_yes_and_no(last: str) -> None:
    masks = YES_MASKS.copy()
    masks[:, 0, :2] = -1
    counts = masks.reshape(-1) >= 0
    p, y = sigmoid(flat(MAP)[counts]), masks.reshape(-1, 1)[counts]
    check(said(MAP, masks, "loss binary_cross_entropy", last=last, data=MASKED), binary(p, y))


def test_dice_of_the_pixels_that_count() -> None:
    masks = MASKS.copy()
    masks[:, 1, 1:] = -1
    counts = (masks >= 0)[:, None]
    wanted = dice(softmax(MAPS) * counts, hot(np.maximum(masks, 0), 3) * counts)
    check(said(MAPS, masks, "loss dice", data=MASKED), wanted)
    masks = YES_MASKS.copy()
    masks[:, 1, 1:] = -1
    wanted = dice(sigmoid(MAP) * counts, np.maximum(masks, 0)[:, None] * counts)
    check(said(MAP, masks, "loss dice", data=MASKED), wanted)


@pytest.mark.parametrize("words", OF_PIXELS)
def test_nothing_counts(words: str) -> None:
    assert said(MAPS, np.full_like(MASKS, -1), f"loss {words}", data=MASKED) == 0


# ── distances, of which the smallest wins ──────────────────────────────────────────────────────

SIGNS = RNG.choice([-1.0, 1.0], (4, 84)) + RNG.normal(0, 0.3, (4, 84))
DIGITS = np.array([1, 0, 2, 1])


def distances() -> Array:
    return ((SIGNS[:, None] - np.array(CODES[:3])) ** 2).sum(-1)


@pytest.mark.parametrize("words", ["cross_entropy", "hinge", "binary_cross_entropy"])
def test_the_nearest_is_the_likeliest(words: str) -> None:
    z = -distances()
    wanted = {
        "cross_entropy": lambda: cross_entropy(softmax(z), hot(DIGITS, 3)),
        "hinge": lambda: hinge(z, DIGITS),
        # No distance from a code is 0, and e^-50 is nothing beside 1.
        "binary_cross_entropy": lambda: (-hot(DIGITS, 3) * z).mean(),
    }
    check(said(SIGNS, DIGITS, f"loss {words}", last="rbf 3"), wanted[words]())


def test_distances_as_they_are() -> None:
    """To those who say so they are numbers like others."""
    z = distances()
    found = said(SIGNS, DIGITS, "loss cross_entropy from=logits", last="rbf 3")
    check(found, cross_entropy(softmax(z), hot(DIGITS, 3)))
    found = said(SIGNS, DIGITS, "loss mse", last="rbf 3")
    check(found, ((z - hot(DIGITS, 3)) ** 2).mean())


def test_the_nearest_counts_as_the_answer() -> None:
    text = "network {\n  input 84 -> scale -> rbf 3\n}\n"
    for step in (evaluated(text, {"input": SIGNS, "target": DIGITS}), told_of(text)):
        assert step["correct"] == (distances().argmin(1) == DIGITS).sum() != 4


def told_of(text: str) -> dict[str, float]:
    return Stepping(text).do({"input": SIGNS, "target": DIGITS})


# ── several losses ─────────────────────────────────────────────────────────────────────────────

HEADS = """
network {
  input 5 -> scale
  head side { fc 3 }
  head far { fc 2 }
  fc 4
}
train {
  loss cross_entropy
  loss hinge on=side weight=0.3
  loss mse on=far weight=2
}
"""


def test_heads() -> None:
    weights = {
        name: RNG.normal(size=size).astype(np.float32)
        for head, n in (("side.fc3", 3), ("far.fc2", 2), ("fc4", 4))
        for name, size in ((f"{head}.weight", (n, 5)), (f"{head}.bias", (n,)))
    }
    targets = {
        "target": np.array([0, 3, 2, 1, 1, 3]),
        "target.side": np.array([0, 1, 2, 2, 1, 0]),
        "target.far": np.array([1, 1, 0, 0, 1, 0]),
    }
    found = evaluated(HEADS, {"input": Z, **targets}, weights)

    def end(head: str) -> Array:
        return Z @ weights[f"{head}.weight"].T.astype(float) + weights[f"{head}.bias"]

    wanted = (
        cross_entropy(softmax(end("fc4")), hot(targets["target"], 4))
        + 0.3 * hinge(end("side.fc3"), targets["target.side"])
        + 2 * ((end("far.fc2") - hot(targets["target.far"], 2)) ** 2).mean()
    )
    check(float(found["loss"]), wanted)
    right = (end("fc4").argmax(1) == targets["target"]).sum()
    assert found["correct"] == right
    # A step tells the same.
    steps = Stepping(HEADS, weights)
    told = steps.do({"input": Z, **targets})
    check(told["loss"], wanted)
    assert told["correct"] == right


def test_two_losses_of_one_output() -> None:
    found = said(MAPS, MASKS, "loss cross_entropy weight=0.5", "loss dice", data=MASKED)
    y = hot(MASKS, 3)
    check(found, 0.5 * cross_entropy(softmax(MAPS), y) + dice(softmax(MAPS), y))


# ── gradients ──────────────────────────────────────────────────────────────────────────────────

P = RNG.uniform(0.1, 0.9, (6, 5))
P_MAPS = RNG.uniform(0.1, 0.9, MAPS.shape)
IGNORING = np.where(np.arange(16).reshape(2, 2, 4) % 5 == 0, -1, MASKS)

Given = tuple[Loss, Reading, Array, Array, Sequence[float] | None]

GRADIENTS: Mapping[str, Given] = {
    "cross_entropy": (CrossEntropy(), "logits", Z, CLASSES, None),
    "smoothed": (CrossEntropy(smoothing=0.1), "logits", Z, CLASSES, WEIGHTS.tolist()),
    "of probabilities": (CrossEntropy(), "probabilities", P, CLASSES, None),
    "of logarithms": (CrossEntropy(weight=3.0), "log-probabilities", -P, CLASSES, None),
    "mixtures": (CrossEntropy(), "logits", Z, P, None),
    "pixels": (CrossEntropy(smoothing=0.1), "logits", MAPS, IGNORING, W3.tolist()),
    "binary": (BinaryCrossEntropy(), "logits", ONE, YES, None),
    "binary numbers": (
        BinaryCrossEntropy(smoothing=0.1, positive=2.0),
        "logits",
        Z,
        P,
        WEIGHTS.tolist(),
    ),
    "binary probabilities": (BinaryCrossEntropy(), "probabilities", P, CLASSES, None),
    "binary pixels": (BinaryCrossEntropy(), "logits", MAP, np.minimum(IGNORING, 1), None),
    "mse": (MeanSquared(), "values", Z, NUMBERS, None),
    "mae": (MeanAbsolute(), "values", Z, NUMBERS, None),
    "mae of pixels": (MeanAbsolute(), "values", MAPS, IGNORING, None),
    "huber": (Huber(delta=0.7), "values", Z, NUMBERS, None),
    "hinge": (Hinge(), "scores", Z, CLASSES, WEIGHTS.tolist()),
    "hinge squared": (Hinge(squared=True, margin=2.0), "scores", Z, CLASSES, None),
    "hinge of pixels": (Hinge(), "scores", MAPS, IGNORING, None),
    "dice": (Dice(), "logits", MAPS, IGNORING, None),
    "dice of one": (Dice(smooth=0.1), "logits", MAP, YES_MASKS, None),
    "dice of probabilities": (Dice(), "probabilities", P_MAPS, MASKS, None),
}


def test_every_loss_is_here() -> None:
    assert {given[0].kind for given in GRADIENTS.values()} == set(LOSSES)


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients(case: str) -> None:
    loss, reading, z, y, weights = GRADIENTS[case]
    model = Model("loss", 17)
    g = Builder(model, len(z))
    value = Value("z", z.shape)
    model.inputs.append(value)
    dtype: DType = "int64" if y.dtype.kind == "i" else "float"
    target = Value("y", y.shape, dtype)
    model.tensors["y"] = Tensor(target, lambda: y if dtype == "int64" else y.astype(np.float32))
    with g.layer("loss", ""):
        counts = None if weights is None else g.floats("of_classes", weights)
        ignores = len(y.shape) > 1 and dtype == "int64"
        result = loss_of(g, loss, Case(value, reading, target, counts, ignores))
    check_model(model, result, {"z": z})
