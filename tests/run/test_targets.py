"""Does training compare with what the data has: classes, pixels, pictures and numbers?

Each loss that a run tells is compared with one that NumPy makes of what the network answers.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnspec.api import loads
from cnnspec.cli import status_of
from cnnspec.run.loop import Training
from cnnspec.run.sets import BadData
from cnnspec.run.start import Wishes, begin
from cnnspec.run.stream import batches
from cnnspec.text.diagnostic import SpecError

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
N = 40
STILL = "optimizer sgd lr=0\n"
"""So that an epoch's loss is that of the weights before it."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(x: Array, y: Array) -> None:
    np.savez("it.npz", x=x, y=y)


def vectors(y: Array) -> None:
    write(x=RNG.normal(size=(len(y), 5)).astype(np.float32), y=y)


def text(body: str, *lines: str, data: str = 'npz "it.npz"') -> str:
    said = "".join(f"  {line}\n" for line in (f"data {data}", *lines))
    return f"network T {{\n{body}\n}}\ntrain {{\n{said}}}\n"


def begun(spec: str, out: str = "run") -> Training:
    return begin(loads(spec).graph, Path(out), Wishes(device="cpu"))


def first_loss(training: Training) -> float:
    """What the step tells of all training examples as one batch."""
    (batch,) = batches(training.splits.train, len(training.splits.train), threads=0)
    told = training.stepper.do({**training._feeding.feeds(batch), "lr": np.array(0, np.float32)})
    return told["loss"]


def answers(training: Training) -> tuple[dict[str, Array], Array, Array]:
    """What each head makes of all training examples, with inputs and targets."""
    (batch,) = batches(training.splits.train, len(training.splits.train), threads=0)
    found = training._judge.do  # the evaluation has the same weights before the first step
    training._judge.load(training.weights())
    told = found(training._judging.feeds(batch))
    heads = {k.removeprefix("out/"): y for k, y in told.items() if k.startswith("out/")}
    return heads, next(iter(batch.clean.values())), batch.targets


def surprise(z: Array, y: Array) -> Array:
    """-log softmax(z)[y], the classes along axis 1."""
    z = z.astype(np.float64)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -np.take_along_axis(logs, np.expand_dims(np.maximum(y, 0), 1), 1)[:, 0]


def balanced(y: Array, n: int) -> Array:
    counts = np.bincount(y[y >= 0].reshape(-1), minlength=n)
    return counts.sum() / (n * np.maximum(counts, 1))


# ── what only the file can say ─────────────────────────────────────────────────────────────────


def test_numbers_stay_numbers() -> None:
    vectors(RNG.normal(size=N) * 3)
    training = begun(text("  input 5 -> fc 1", "loss mse"))
    z, _, y = answers(training)
    np.testing.assert_allclose(
        first_loss(training), ((z["output"][:, 0] - y.reshape(-1)) ** 2).mean(), rtol=1e-5
    )
    assert "targets=numbers" in Path("run/spec.cnn").read_text()


@pytest.mark.parametrize("n", [1, 2])
def test_numbers_are_compared_by_their_squares_where_nothing_is_said(n: int) -> None:
    vectors(RNG.normal(size=(N, n)))
    training = begun(text(f"  input 5 -> fc {n}"))
    z, _, y = answers(training)
    np.testing.assert_allclose(first_loss(training), ((z["output"] - y) ** 2).mean(), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_several_questions_at_once(dtype: str) -> None:
    vectors(RNG.integers(0, 2, (N, 3)).astype(dtype))
    training = begun(text("  input 5 -> fc 3 -> sigmoid", "loss binary_cross_entropy"))
    p, _, y = answers(training)
    p = p["output"].astype(np.float64)
    wanted = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    np.testing.assert_allclose(first_loss(training), wanted, rtol=1e-5)


def test_what_the_file_has_must_fit_the_loss() -> None:
    vectors(RNG.normal(size=(N, 3)))
    with pytest.raises(SpecError, match="`loss hinge` compares with classes; `data npz` gives num"):
        begun(text("  input 5 -> fc 3", "loss hinge"))
    assert not Path("run").exists()


def test_classes_that_only_the_file_tells_of_need_several_numbers() -> None:
    vectors(uneven(2))
    with pytest.raises(SpecError, match="as none is named, compares the numbers of several"):
        begun(text("  input 5 -> fc 1"))


def test_as_many_numbers_as_the_network_gives() -> None:
    vectors(RNG.normal(size=N))
    with pytest.raises(BadData, match="a target of `npz` is 1; the network gives 2"):
        begun(text("  input 5 -> fc 2", "loss mse"))


def test_a_run_that_learnt_it_from_the_file_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    vectors(RNG.normal(size=N))
    Path("it.cnn").write_text(text("  input 5 -> fc 1", "loss mse", "epochs 1"))
    assert status_of(["train", "it.cnn", "--out", "run"]) == 0
    more = ["train", "it.cnn", "--resume", "run", "--epochs", "2"]
    assert status_of(more) == 0, capsys.readouterr().err
    assert status_of(["eval", "run"]) == 0
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    test = json.loads(Path("run/run.json").read_text())["test"]
    assert len(lines) == 2
    told = capsys.readouterr().out
    assert f"{test['loss']:.4f}" in told.splitlines()[-4], told


# ── how much each class counts ─────────────────────────────────────────────────────────────────

HEADS = """\
  input 5 -> fc 8 -> relu as h
  head main { h -> fc 3 }
  head rest { h -> fc 5 }"""


def uneven(classes: int = 3) -> Array:
    y = RNG.choice(classes, N, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    y[:classes] = np.arange(classes)
    return y


def test_each_head_weighs_its_own_classes() -> None:
    vectors(uneven())
    losses = ("loss cross_entropy on=main", "loss cross_entropy on=rest weight=0.3")
    training = begun(text(HEADS, *losses, "class_weights balanced"))
    z, _, y = answers(training)
    wanted = 0.0
    for head, share in (("main", 1), ("rest", 0.3)):
        w = balanced(y, z[head].shape[1])[y]
        wanted += share * (surprise(z[head], y) * w).sum() / w.sum()
    np.testing.assert_allclose(first_loss(training), wanted, rtol=1e-5)
    step = training._step
    assert {head: v.name for head, v in step.class_weights.items()} == {
        "main": "class_weights.main",
        "rest": "class_weights.rest",
    }


@pytest.mark.parametrize("words", ["balanced", "[1, 3]"])
@pytest.mark.parametrize("last", ["", " -> sigmoid"])
def test_yes_and_no_are_classes_too(words: str, last: str) -> None:
    vectors(uneven(2))
    body = f"  input 5 -> fc 1{last}"
    training = begun(text(body, "loss binary_cross_entropy", f"class_weights {words}"))
    z, _, y = answers(training)
    p = z["output"][:, 0].astype(np.float64)
    p = p if last else 1 / (1 + np.exp(-p))
    w = balanced(y, 2) if words == "balanced" else np.array([1, 3])
    wanted = (-np.where(y, np.log(p), np.log(1 - p)) * w[y]).mean()
    np.testing.assert_allclose(first_loss(training), wanted, rtol=1e-5)


def test_what_is_compared_with_the_input_has_no_classes_to_weigh() -> None:
    vectors(uneven())
    body = """\
  input 5 -> fc 8 -> relu as h
  head main { h -> fc 3 }
  head again { h -> fc 5 }"""
    losses = ("loss cross_entropy on=main", "loss binary_cross_entropy on=again to=input")
    begun(text(body, *losses, "class_weights [1, 2, 3]"))


def test_eval_weighs_as_training_does(capsys: pytest.CaptureFixture[str]) -> None:
    vectors(uneven())
    losses = ("loss cross_entropy on=main", "loss cross_entropy on=rest weight=0.3")
    lines = (*losses, "class_weights balanced", "epochs 1", "batch 64")
    Path("it.cnn").write_text(text(HEADS, *lines))
    assert status_of(["train", "it.cnn", "--out", "run"]) == 0
    capsys.readouterr()
    assert status_of(["eval", "run", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["measures"]["loss"]
    test = json.loads(Path("run/run.json").read_text())["test"]["loss"]
    np.testing.assert_allclose(found, test, rtol=1e-4)


# ── pixels ─────────────────────────────────────────────────────────────────────────────────────


def write_masks() -> None:
    for folder in ("images", "masks"):
        Path(folder).mkdir()
    for k in range(N):
        mask = np.zeros((8, 8), np.uint8)
        row, column = RNG.integers(0, 5, 2)
        mask[row : row + 3, column : column + 3] = 1 + k % 2
        image = np.stack([mask * 100, 255 - mask * 100, np.full_like(mask, 9)], -1)
        mask[:2] = 255
        Image.fromarray(image.astype(np.uint8)).save(f"images/{k:02}.png")
        Image.fromarray(mask).save(f"masks/{k:02}.png")


PIXELS = "  input 3x8x8 -> conv 8 3x3 pad=1 -> relu -> conv 3 1x1"
MASKED = 'masks "images" "masks" ignore=255'


@pytest.mark.parametrize("words", ["", "balanced", "[1, 2, 5]"])
def test_pixels_that_do_not_count(words: str) -> None:
    write_masks()
    lines = [f"class_weights {words}"] if words else []
    training = begun(text(PIXELS, *lines, data=MASKED))
    z, _, y = answers(training)
    assert (y == -1).sum() == len(y) * 16
    w = {"": np.ones(3), "balanced": balanced(y, 3)}.get(words, np.array([1, 2, 5]))
    w = np.where(y < 0, 0, w[np.maximum(y, 0)])
    wanted = (surprise(z["output"], y) * w).sum() / w.sum()
    np.testing.assert_allclose(first_loss(training), wanted, rtol=1e-5)


def test_accuracy_is_that_of_the_pixels_that_count(capsys: pytest.CaptureFixture[str]) -> None:
    write_masks()
    lines = ("epochs 25", "batch 8", "optimizer adam lr=2e-2", "class_weights balanced")
    Path("it.cnn").write_text(text(PIXELS, *lines, data=MASKED))
    assert status_of(["train", "it.cnn", "--out", "run"]) == 0
    last = json.loads(Path("run/metrics.jsonl").read_text().splitlines()[-1])
    assert last["train"]["accuracy"] > 0.99
    capsys.readouterr()
    assert status_of(["eval", "run", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["measures"]
    assert found["iou"] > 0.95
    assert found["iou"] == pytest.approx(
        json.loads(Path("run/run.json").read_text())["test"]["iou"]
    )


# ── mixtures ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("n", [1, 3])
def test_what_is_judged_is_not_mixed(n: int) -> None:
    vectors(uneven(max(n, 2)))
    loss, end = ("binary_cross_entropy", " -> sigmoid") if n == 1 else ("cross_entropy", "")
    lines = ("loss " + loss, "augment mixup", "epochs 1")
    spec = text(f"  input 5 -> fc {n}{end}", *lines).replace('.npz"', '.npz" split=[0.5, 0.5, 0]')
    training = begun(spec)
    part = training.splits.validation
    assert part is not None
    measures = training.judge(part)
    assert measures is not None
    (batch,) = batches(part, len(part), threads=0)
    training._judge.load(training.weights())
    z = training._judge.do(training._judging.feeds(batch))["out/output"].astype(np.float64)
    y: Array = batch.targets
    if n > 1:
        wanted = surprise(z, y).mean()
    else:
        wanted = -np.log(np.where(y == 1, z[:, 0], 1 - z[:, 0])).mean()
    assert measures.values["loss"] == pytest.approx(wanted, rel=1e-5)
    assert [type(event).__name__ for event in training][-1] == "Finished"


# ── pictures ───────────────────────────────────────────────────────────────────────────────────


def test_an_autoencoder_of_examples_with_classes(capsys: pytest.CaptureFixture[str]) -> None:
    y = RNG.integers(0, 7, N)
    write(x=RNG.random((N, 1, 4, 4)).astype(np.float32), y=y)
    body = "  input 1x4x4 -> flatten -> fc 8 -> relu -> fc 16 -> reshape 1x4x4"
    training = begun(text(body, "loss mse to=input"))
    z, x, _ = answers(training)
    np.testing.assert_allclose(first_loss(training), ((z["output"] - x) ** 2).mean(), rtol=1e-5)
    Path("it.cnn").write_text(text(body, "loss mse to=input", "epochs 2"))
    assert status_of(["train", "it.cnn", "--out", "other"]) == 0
    capsys.readouterr()
    assert status_of(["eval", "other", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["measures"]
    assert found["psnr"] == pytest.approx(10 * np.log10(1 / found["loss"]), rel=1e-4)


def test_pictures_that_are_to_be_restored(capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("dirty", "clean"):
        Path(folder).mkdir()
    for k in range(N):
        clean = np.full((8, 8), 5 * k, np.uint8)
        dirty = np.clip(clean + RNG.normal(size=(8, 8)) * 20, 0, 255)
        Image.fromarray(clean).save(f"clean/{k:02}.png")
        Image.fromarray(dirty.astype(np.uint8)).save(f"dirty/{k:02}.png")
    body = "  input 1x8x8 -> conv 4 3x3 pad=1 -> relu -> conv 1 3x3 pad=1"
    spec = text(body, "epochs 2", data='pairs "dirty" "clean"')
    training = begun(spec)
    z, _, y = answers(training)
    np.testing.assert_allclose(first_loss(training), ((z["output"] - y) ** 2).mean(), rtol=1e-5)
    Path("it.cnn").write_text(spec)
    assert status_of(["train", "it.cnn", "--out", "other"]) == 0
    capsys.readouterr()
    assert status_of(["eval", "other", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["measures"]
    assert found["psnr"] == pytest.approx(10 * np.log10(1 / found["loss"]), rel=1e-4)


# ── what cannot be ─────────────────────────────────────────────────────────────────────────────


def test_every_head_tells_the_classes_apart() -> None:
    vectors(uneven(5))
    losses = ("loss cross_entropy on=main", "loss cross_entropy on=rest")
    with pytest.raises(BadData, match=r"is of class [34]; the network tells 3 classes apart"):
        begun(text(HEADS, *losses))
    assert not Path("run").exists()


def test_nothing_to_train_leaves_nothing() -> None:
    vectors(uneven())
    with pytest.raises(ValueError, match="no weight is trained"):
        begun(text("  input 5 -> fc 3", 'freeze "*"'))
    assert not Path("run").exists()
