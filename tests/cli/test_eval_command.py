"""Does `cnnspec eval` say how well a model does, and the same as training says?"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calls import Result, cnnspec
from cnnspec import load, loads
from cnnspec.emit.compile import source_of
from cnnspec.run.judging import LossOf
from cnnspec.run.model import CompiledModel
from cnnspec.run.rarity import balanced
from cnnspec.run.session import open_session
from cnnspec.run.sets import open_set
from cnnspec.run.stream import batches
from cnnspec.run.wanted import wanted
from cnnspec.train.step import CLASS_WEIGHTS, LOSS, build_evaluation

SMALL = """\
network Small {
  input 1x28x28
  conv 4 5x5 stride=3 pad=2 bias=no -> bn -> relu -> dropout 0.5
  flatten -> fc 10 -> softmax
}

train {
  data digits limit=640
  epochs 1
}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.cnn").write_text(SMALL)
    return tmp_path


def run(*args: str) -> Result:
    return cnnspec("eval", *args, "--device", "cpu")


def judged(*args: str) -> Any:
    found = run(*args, "--format", "json")
    assert found.status == 0, found.err
    return json.loads(found.out)


def pictures(folder: str, n: int, size: int = 16) -> np.ndarray:
    Path(folder).mkdir()
    x = np.random.default_rng(0).integers(0, 256, (n, size, size), np.uint8)
    for i, image in enumerate(x):
        Image.fromarray(image).save(f"{folder}/{i:02}.png")
    return x


# ── what comes out ──────────────────────────────────────────────────────────────────────────────


def test_a_run_has_the_measures_that_training_told() -> None:
    assert cnnspec("train", "small.cnn", "--out", "run", "--device", "cpu").status == 0
    told = json.loads(Path("run/run.json").read_text())["test"]
    found = judged("run")
    assert (found["data"], found["part"], found["examples"]) == ("digits", "test", 1000)
    for name, value in told.items():
        assert found["measures"][name] == pytest.approx(value, abs=1e-5), name
    # Without the model, while the run goes on, its best weights are taken.
    Path("run/model.onnx").unlink()
    best = run("run", "--format", "json")
    assert "these are its best weights" in best.err
    assert json.loads(best.out)["measures"] == pytest.approx(found["measures"], abs=1e-5)


def test_counts_are_those_of_the_answers() -> None:
    model = loads(SMALL).compile()
    model.save("small.onnx")
    recipe = loads(SMALL).graph.recipe
    assert recipe is not None
    assert recipe.data is not None
    part = open_set(recipe.data, wanted(model.session("cpu"))[0]).validation
    assert part is not None
    (given,) = batches(part, len(part))
    (z,) = model.run(given.inputs).values()
    counts = np.zeros((10, 10), int)
    y = given.targets.astype(np.int64)
    np.add.at(counts, (y, z.argmax(1)), 1)
    found = judged("small.onnx", "--part", "validation")
    assert found["confusion"] == counts.tolist()
    right = (np.argsort(-z)[:, :5] == y[:, None]).any(1)
    assert found["measures"]["top5"] == pytest.approx(right.mean())
    picked = -np.log(z[np.arange(len(z)), y]).mean()
    assert found["measures"]["loss"] == pytest.approx(picked, rel=1e-5)
    for k, row in enumerate(found["classes"]):
        assert (row["class"], row["label"]) == (k, str(k))
        assert row["examples"] == counts[k].sum()
        assert row["recall"] == pytest.approx(counts[k, k] / max(1, counts[k].sum()))


@pytest.mark.parametrize("last", ["", "-> softmax", "-> logsoftmax", "-> sigmoid"])
@pytest.mark.parametrize(
    "lines",
    [
        "loss cross_entropy smoothing=0.1\n  class_weights balanced",
        "loss cross_entropy weight=2\n  class_weights [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]",
        "loss binary_cross_entropy positive=2",
        "loss hinge",
        "loss mse\n  loss huber",
    ],
)
def test_the_loss_is_that_of_training(last: str, lines: str) -> None:
    """Taken of what the model answers, it is what the graph of training says."""
    network = loads(
        f"network {{ input 1x28x28 -> avgpool 4x4 -> flatten -> fc 10 {last} }}\n"
        f"train {{\n  data digits\n  {lines}\n}}\n"
    )
    recipe = network.graph.recipe
    assert recipe is not None
    assert recipe.data is not None
    source = source_of({}, 0)
    evaluation = build_evaluation(network.graph, recipe, source)
    session = network.compile().session("cpu")
    splits = open_set(recipe.data, wanted(session)[0])
    kinds = [network.layers[-1].layer.kind]
    loss = LossOf(recipe, ["output"], kinds)
    assert loss.can_be_had(splits.train)
    loss.weigh("output", balanced(splits.train, 10))
    given = next(batches(splits.train, 100))
    weights = {
        f"{n.owner}.{key}": source(f"{n.owner}.{key}", w)
        for n in network.layers
        if n.facts is not None
        for key, w in n.facts.weights.items()
    }
    feeds = {**given.inputs, "target": given.targets, **weights}
    feeds[CLASS_WEIGHTS] = balanced(splits.train, 10)
    asked = {v.name for v in evaluation.model.inputs}
    ends = open_session(CompiledModel(evaluation.model).to_bytes(), "cpu")
    told = ends.run({name: x for name, x in feeds.items() if name in asked})
    (z,) = session.run(given.inputs).values()
    assert loss(given, {"output": z}) == pytest.approx(float(told[LOSS]), rel=1e-4)


def test_a_model_of_another_program() -> None:
    model = loads(SMALL).compile()
    model.save("ours.onnx")
    proto = model.onnx
    del proto.metadata_props[:]
    Path("foreign.onnx").write_bytes(proto.SerializeToString())
    ours, foreign = judged("ours.onnx"), judged("foreign.onnx", "--data", "digits")
    assert foreign["confusion"] == ours["confusion"]
    assert "loss" in ours["measures"]
    assert "loss" not in foreign["measures"]


def test_a_fixed_batch_and_the_last_that_is_smaller() -> None:
    loads(SMALL).compile().save("any.onnx")
    loads(SMALL).compile(batch=7).save("seven.onnx")
    one, other = judged("any.onnx"), judged("seven.onnx")
    assert one["confusion"] == other["confusion"]
    assert one["measures"] == pytest.approx(other["measures"], rel=1e-5)


def test_masks_with_pixels_that_do_not_count() -> None:
    x = pictures("images", 20)
    Path("masks").mkdir()
    for i, image in enumerate(x):
        mask = (image > 127).astype(np.uint8)
        mask[:4] = 255
        Image.fromarray(mask).save(f"masks/{i:02}.png")
    Path("seg.cnn").write_text(
        "network { input 1x16x16 -> conv 2 1x1 -> softmax }\n"
        'train { data masks "images" "masks" values=[0, 1] ignore=255 }\n'
    )
    found = judged("seg.cnn", "--part", "train")
    counts = np.array(found["confusion"])
    assert counts.sum() == found["examples"] * 12 * 16
    iou = np.diag(counts) / np.maximum(counts.sum(0) + counts.sum(1) - np.diag(counts), 1)
    assert found["measures"]["iou"] == pytest.approx(iou.mean())
    assert found["measures"]["loss"] > 0
    shown = run("seg.cnn").out
    assert "accuracy of pixels" in shown
    assert "mean IoU" in shown


def test_pictures_that_are_to_be_restored() -> None:
    pictures("dirty", 20)
    Path("rest.cnn").write_text(
        "network { input 1x16x16 -> conv 1 3x3 pad=1 -> sigmoid }\n"
        'train { data pairs "dirty" "dirty" }\n'
    )
    found = judged("rest.cnn")["measures"]
    assert found["loss"] == pytest.approx(found["rmse"] ** 2, rel=1e-5)
    assert found["psnr"] == pytest.approx(-10 * np.log10(found["rmse"] ** 2))
    assert " dB\n" in run("rest.cnn").out


def test_an_autoencoder_is_compared_with_its_input() -> None:
    Path("auto.cnn").write_text(
        "network { input 1x28x28 -> conv 1 3x3 pad=1 -> sigmoid }\n"
        "train {\n  data digits noise=0.2\n  loss mse to=input\n}\n"
    )
    found = judged("auto.cnn")
    assert found["confusion"] == []
    assert found["measures"]["loss"] == pytest.approx(found["measures"]["rmse"] ** 2, rel=1e-5)


# ── how it is shown ─────────────────────────────────────────────────────────────────────────────


def test_the_tables() -> None:
    found = run("cnn1d")
    assert found.err == "cnn1d: untrained; its weights are drawn anew\n"
    lines = found.out.splitlines()
    assert lines[0] == "cnn1d: 1,029 examples for test of italy_power_demand"
    assert lines[2].startswith("loss  ")
    assert "0  October to March" in found.out
    assert "what each is (rows), and what it is taken for (columns)" in lines
    assert max(map(len, lines)) <= 80


def test_many_classes_are_folded_to_the_worst() -> None:
    n = 40
    y = np.arange(400) % n
    x = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    np.savez("many.npz", x=x, y=y)
    Path("many.cnn").write_text(
        f'network {{ input 8 -> fc {n} -> softmax }}\ntrain {{ data npz "many.npz" }}\n'
    )
    lines = run("many.cnn", "--part", "train").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "the 20 with the least F1; --format json has all" in lines
    (head,) = [i for i, line in enumerate(lines) if line.startswith("what is")]
    times = [int(line.split()[2]) for line in lines[head + 1 :]]
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert len(judged("many.cnn")["classes"]) == n


# ── what cannot be measured ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("none.onnx",), "none.onnx: there is no such file"),
        (("empty",), "empty: it is no folder of a run: it has no spec.cnn"),
        (
            ("mlp",),
            "mlp: it does not say what it was trained on; --data names a data set",
        ),
        (
            ("small.cnn", "--data", "digits split=[0.5, 0.5]"),
            "small.cnn: `data digits` leaves no examples for test; "
            "there is --part train and --part validation",
        ),
        (("small.cnn", "--data", 'folder "no"'), "small.cnn: there is no folder no"),
        (
            ("labels.onnx",),
            "labels.onnx: the data gives classes, and the model's first output, one number, is no "
            "score of each class",
        ),
        (
            ("two.onnx", "--data", "digits"),
            "two.onnx: the model tells 2 classes apart; the data has class 9",
        ),
    ],
)
def test_faults_are_one_line(args: tuple[str, ...], said: str) -> None:
    Path("empty").mkdir()
    load("lenet5").compile(head="labels").save("labels.onnx")
    proto = loads("network { input 1x28x28 -> flatten -> fc 2 }").compile().onnx
    del proto.metadata_props[:]
    Path("two.onnx").write_bytes(proto.SerializeToString())
    found = run(*args)
    assert (found.status, found.out) == (1, "")
    assert found.err.splitlines()[-1] == f"error: {said}"


def test_data_that_is_no_set() -> None:
    found = run("small.cnn", "--data", "faces")
    assert found.status == 1
    assert "error[unknown-setting]: there is no data set `faces`" in found.err


TWO_HEADS = """\
network Two {
  input 1x28x28
  conv 4 5x5 stride=3 pad=2 -> relu
  head side { avgpool global -> flatten -> fc 10 -> softmax }
  flatten -> fc 10
}

train {
  data digits limit=640
  LOSSES
  epochs 1
}
"""


@pytest.mark.parametrize(
    "losses",
    [
        "loss cross_entropy\n  loss cross_entropy on=side weight=0.3",
        "loss hinge on=side weight=0.3\n  loss cross_entropy",
        "loss cross_entropy on=side",
    ],
)
def test_the_main_head_is_judged_wherever_it_stands_in_the_text(losses: str) -> None:
    Path("two.cnn").write_text(TWO_HEADS.replace("LOSSES", losses))
    assert cnnspec("train", "two.cnn", "--out", "run", "--device", "cpu").status == 0
    told = json.loads(Path("run/run.json").read_text())["test"]
    for model in ("run", "run/model.onnx"):
        found = judged(model)["measures"]
        assert {name: found[name] for name in told} == pytest.approx(told, abs=1e-5), model


def coloured(root: str, classes: str, n: int = 6) -> None:
    """Pictures whose grey says the class: a is dark, b grey, c bright."""
    for name in classes:
        Path(root, name).mkdir(parents=True)
        for i in range(n):
            grey = {"a": 20, "b": 120, "c": 230}.get(name, 0) + i
            Image.fromarray(np.full((4, 4), grey, np.uint8)).save(f"{root}/{name}/{i}.png")


GREYS = """\
network Greys { input 1x4x4 -> flatten -> fc 16 -> tanh -> fc 3 }
train {
  data folder "all" split=[1.0, 0]
  optimizer adam lr=2e-2
  epochs 100
}
"""


def test_classes_are_known_by_their_names() -> None:
    coloured("all", "abc")
    coloured("some", "bc", n=3)
    coloured("strange", "bd")
    coloured("others", "xyz")
    Path("greys.cnn").write_text(GREYS)
    assert cnnspec("train", "greys.cnn", "--out", "run", "--device", "cpu").status == 0
    assert judged("run", "--part", "train")["measures"]["accuracy"] == 1
    some = judged("run", "--data", 'folder "some" split=[1.0, 0]', "--part", "train")
    assert some["confusion"] == [[0, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert [row["label"] for row in some["classes"]] == ["a", "b", "c"]
    turned = judged(
        *("run", "--data", 'folder "all" split=[1.0, 0] classes=[c, a]', "--part", "train")
    )
    assert turned["confusion"] == [[6, 0, 0], [0, 0, 0], [0, 0, 6]]
    strange = run("run", "--data", 'folder "strange"', "--part", "train")
    assert (strange.status, strange.err) == (
        1,
        "error: run: the data has a class `d`; the model tells `a`, `b` and `c` apart\n",
    )
    # Under names that are all others it is their order that counts.
    others = judged("run", "--data", 'folder "others" split=[1.0, 0]', "--part", "train")
    assert others["confusion"] == [[6, 0, 0]] * 3


def test_weights_of_another_network_are_listed_in_lines() -> None:
    assert cnnspec("train", "small.cnn", "--out", "run", "--device", "cpu").status == 0
    Path("other.cnn").write_text(SMALL.replace("bias=no", "bias=yes"))
    done = run("other.cnn", "--weights", "run/best.safetensors")
    first, *rest = done.err.splitlines()
    assert (done.status, first) == (1, "error: of 8 weights 1 missing, 0 of another shape; 0 extra")
    assert rest == ["  missing:", "    conv4_5x5.bias 4"]
