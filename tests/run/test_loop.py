"""Does training go on from wherever it was put down, and come to the same weights?"""

import errno
import json
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from cnnspec.api import loads
from cnnspec.cli import status_of
from cnnspec.run import checkpoint
from cnnspec.run.events import EpochDone, Event, Finished, Stepped
from cnnspec.run.files import BadFile
from cnnspec.run.folder import NoRun
from cnnspec.run.loop import Training
from cnnspec.run.model import CompiledModel
from cnnspec.run.sets import BadData
from cnnspec.run.start import Different, Wishes, begin, resume
from cnnspec.run.stream import batches
from cnnspec.run.trouble import NotFinite, first_not_finite
from cnnspec.run.weights import read_weights
from cnnspec.text.diagnostic import SpecError

NETWORK = """\
network Tiny {
  input 1x8x8
  conv 4 3x3 bias=no -> bn -> relu -> dropout 0.2
  flatten -> fc 3
}
"""
TRAIN = """\
  data npz "tiny.npz"
  batch 16
  optimizer adam lr=1e-2
"""
KILLS = 25


def spec(*lines: str, network: str = NETWORK, train: str = TRAIN) -> str:
    return network + "train {\n" + train + "".join(f"  {line}\n" for line in lines) + "}\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data("tiny.npz")
    return tmp_path


def write_data(path: str, n: int = 200, classes: int = 3, seed: int = 0) -> None:
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, n)
    x = draw.normal(size=(n, 1, 8, 8)).astype(np.float32)
    x[np.arange(n), 0, y, y] += 4
    np.savez(path, x=x, y=y)


def begun(text: str, out: str = "run", **wishes: Any) -> Training:
    wishes.setdefault("device", "cpu")
    return begin(loads(text).graph, Path(out), Wishes(**wishes))


def trained(text: str, out: str = "run", **wishes: Any) -> Training:
    training = begun(text, out, **wishes)
    for _ in training:
        pass
    return training


def weights(folder: str, name: str = "checkpoint") -> dict[str, np.ndarray]:
    return {k: t.read() for k, t in read_weights(f"{folder}/{name}.safetensors").items()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)


def metrics(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text().splitlines()]


# ── the same again ─────────────────────────────────────────────────────────────────────────────


def command(
    *args: str, env: dict[str, str] | None = None, cwd: str = "."
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cnnspec", "train", *args, "--device", "cpu", "--threads", "1"],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_the_same_weights_whatever_the_folder_the_hash_seed_and_the_logging(here: Path) -> None:
    Path("net.cnn").write_text(spec("epochs 2", "ema 0.9"))
    Path("else/where").mkdir(parents=True)
    one = command("net.cnn", "--out", "a", env={"PYTHONHASHSEED": "1"})
    other = command(
        str(here / "net.cnn"),
        *("--out", "b", "--save-every", "0", "--loaders", "2"),
        env={"PYTHONHASHSEED": "2", "COLUMNS": "30"},
        cwd="else/where",
    )
    for process in (one, other):
        said = process.communicate()
        assert process.returncode == 0, said
    for name in ("checkpoint", "best"):
        assert same(weights("a", name), weights("else/where/b", name))
    assert Path("a/model.onnx").read_bytes() == Path("else/where/b/model.onnx").read_bytes()
    assert (
        Path("a/best.safetensors").read_bytes()
        == Path("else/where/b/best.safetensors").read_bytes()
    )


def _in_a_child(args: Sequence[str], folder: str) -> None:
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os._exit(status_of(["train", *args, "--device", "cpu", "--threads", "1"]))


class Runs:
    """Runs of `cnnspec train` in processes that start fast, since all is loaded in their parent."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["cnnspec.cli.train", "cnnspec.run.start"])

    def start(self, *args: str) -> "ForkServerProcess":
        process = self._context.Process(target=_in_a_child, args=(args, os.getcwd()))
        process.start()
        return process


def _marks(run: str) -> int:
    """Changes with every checkpoint."""
    path = Path(run, "checkpoint.safetensors")
    return path.stat().st_mtime_ns if path.exists() else 0


@pytest.mark.skipif(os.name == "nt", reason="it has no SIGKILL")
def test_killed_at_any_moment_it_goes_on_to_the_same_weights() -> None:
    Path("net.cnn").write_text(spec("epochs 30", "augment shift 1"))
    runs, draw = Runs(), random.Random(7)
    whole = runs.start("net.cnn", "--out", "whole")
    whole.join()
    assert whole.exitcode == 0
    for k in range(KILLS):
        # Now and then a run is over before it is killed; the next one begins anew.
        run = f"run{k // 5}"
        again = ["--resume", run] if Path(run, "run.json").exists() else ["net.cnn", "--out", run]
        before = _marks(run)
        process = runs.start(*again, "--save-every", "0")
        if k % 5:
            # Behind the start, which takes longer than all else.
            while process.is_alive() and _marks(run) == before:
                time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.1 if k % 5 else 0.5))
        process.kill()
        process.join()
    for run in [f"run{i}" for i in range(KILLS // 5)]:
        process = runs.start("--resume", run)
        process.join()
        assert process.exitcode == 0
        for name in ("checkpoint", "best"):
            assert same(weights(run, name), weights("whole", name))
        assert Path(run, "model.onnx").read_bytes() == Path("whole/model.onnx").read_bytes()
        assert not list(Path(run).glob(".*.part"))


def test_asked_to_stop_it_goes_on_to_the_same_weights() -> None:
    text = spec("epochs 3", "accumulate 3", "ema 0.9", "schedule cosine warmup=1")
    trained(text, "whole")
    training = begun(text)
    for stop in (1, 3, 7, 4, 11):
        for k, event in enumerate(training):
            training.is_asked_to_stop = k == stop
            if isinstance(event, Finished):
                assert not event.is_done
        assert training.position.step < 30
        training = resume(Path("run"), Wishes(device="cpu"))
    assert isinstance(list(training)[-1], Finished)
    assert same(weights("run"), weights("whole"))
    assert [line["epoch"] for line in metrics("run")] == [1, 2, 3]


def test_who_stops_to_listen_loses_nothing() -> None:
    training = begun(spec("epochs 2"))
    for event in training:
        if isinstance(event, Stepped) and event.batch == 4:
            break
    assert checkpoint.read(Path("run/checkpoint.safetensors"))[1].batch == 4
    assert training.model().labels == ()
    assert training.is_done


def test_more_epochs_may_be_asked_for_later() -> None:
    trained(spec("epochs 3"), "whole")
    trained(spec("epochs 2"))
    training = resume(Path("run"), Wishes(device="cpu", epochs=3))
    assert [type(e).__name__ for e in training][-2:] == ["EpochDone", "Finished"]
    assert same(weights("run"), weights("whole"))
    assert "epochs 3" in Path("run/spec.cnn").read_text()


def test_a_run_that_is_made_shorter_warms_up_shorter() -> None:
    begun(spec("epochs 4", "schedule cosine warmup=2"))
    list(resume(Path("run"), Wishes(device="cpu", epochs=1)))
    assert "schedule cosine warmup=0.5" in Path("run/spec.cnn").read_text()
    assert len(metrics("run")) == 1


# ── what a folder holds ────────────────────────────────────────────────────────────────────────


def test_the_folder_has_all_that_came_of_it() -> None:
    done = list(begun(spec("epochs 1", 'labels ["a", "b", "c"]'), init=None))[-1]
    names = {p.name for p in Path("run").iterdir()}
    assert names == {
        *("spec.cnn", "run.json", "step.onnx", "checkpoint.safetensors", "best.safetensors"),
        *("metrics.jsonl", "model.onnx"),
    }
    assert isinstance(done, Finished)
    assert done.is_done
    said = json.loads(Path("run/run.json").read_text())
    assert said["examples"] == {"train": 160, "validation": 20, "test": 20}
    assert said["test"] == done.test
    assert len(said["data"]) == 64
    model = CompiledModel(onnx.load("run/model.onnx"))
    assert model.labels == ("a", "b", "c")
    assert [n.op_type for n in model.onnx.graph.node] == ["Conv", "Relu", "Flatten", "Gemm"]


def test_what_a_kill_left_unfinished_is_removed() -> None:
    training = begun(spec("epochs 1"))
    Path("run/.checkpoint.safetensors.123.part").write_text("half")
    list(resume(training.folder.path, Wishes(device="cpu")))
    assert not list(Path("run").glob(".*"))


def test_killed_before_its_first_checkpoint_a_run_begins_anew() -> None:
    text = spec("epochs 1")
    trained(text, "whole")
    begun(text)
    Path("run/checkpoint.safetensors").unlink()
    list(resume(Path("run"), Wishes(device="cpu")))
    assert same(weights("run"), weights("whole"))


@pytest.mark.parametrize(
    ("network", "lines", "said"),
    [
        (NETWORK.replace("fc 3", "fc 4"), (), r"there it says `fc 3 as fc3`, here.* `fc 4 as fc4`"),
        (NETWORK, ("seed 4",), r"here it says `seed 4`"),
        (NETWORK, ("ema 0.9",), r"here it says `ema 0.9`"),
    ],
)
def test_another_network_or_recipe_is_refused(
    network: str, lines: Sequence[str], said: str
) -> None:
    begun(spec("epochs 1"))
    with pytest.raises(Different, match=said):
        resume(Path("run"), Wishes(device="cpu"), loads(spec(*lines, network=network)).graph)


def test_other_data_is_refused() -> None:
    begun(spec("epochs 1"))
    write_data("tiny.npz", seed=1)
    with pytest.raises(Different, match="the data is not what the run in run began with"):
        resume(Path("run"), Wishes(device="cpu"))


def test_folders_that_do_not_fit() -> None:
    begun(spec("epochs 1"))
    with pytest.raises(NoRun, match="there is a run already; `--resume run` goes on"):
        begun(spec("epochs 1"))
    with pytest.raises(NoRun, match=r"tiny.npz is a file; a run needs a folder"):
        begun(spec("epochs 1"), "tiny.npz")
    with pytest.raises(NoRun, match=r"nothing: there is no run to go on with: it has no spec.cnn"):
        resume(Path("nothing"), Wishes())
    state, position = checkpoint.read(Path("run/checkpoint.safetensors"))
    del state["fc3.bias"]
    checkpoint.write(Path("run/checkpoint.safetensors"), state, position)
    with pytest.raises(BadFile, match=r"it lacks `fc3.bias` as this network has it"):
        resume(Path("run"), Wishes(device="cpu"))


# ── when something goes wrong ──────────────────────────────────────────────────────────────────


def test_a_full_disk_leaves_the_last_good_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    text = spec("epochs 2")
    trained(text, "whole")
    training = begun(text, saved_every=0.0)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    events = iter(training)
    for _ in range(3):
        next(events)
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as caught:
        next(events)
    monkeypatch.setattr(os, "fsync", sync)
    assert caught.value.filename == os.path.join("run", "checkpoint.safetensors")
    assert checkpoint.read(Path("run/checkpoint.safetensors"))[1].step == 3
    assert not list(Path("run").glob(".*"))
    list(resume(Path("run"), Wishes(device="cpu")))
    assert same(weights("run"), weights("whole"))


@pytest.mark.parametrize("after", [1, 8])
def test_a_file_that_vanishes_stops_the_run_behind_what_was_learnt(after: int) -> None:
    # After 8 batches it is validation that misses it, even if all of them were made before.
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        Path("pics", name).mkdir(parents=True)
        for k in range(20):
            pixels = draw.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(f"pics/{name}/{k}.png")
    text = spec(network=NETWORK.replace("fc 3", "fc 2"), train='  data folder "pics"\n  batch 4\n')
    training = begun(text)
    events = iter(training)
    for _ in range(after):
        assert isinstance(next(events), Stepped)
    for path in Path("pics").rglob("*.png"):
        path.rename(path.with_suffix(".gone"))
    with pytest.raises((OSError, BadData)) as caught:
        list(events)
    assert "png" in str(caught.value)
    assert checkpoint.read(Path("run/checkpoint.safetensors"))[1].step >= after


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    network = "network D {\n  input 1x8x8\n  flatten -> fc 9 -> relu -> fc 8 -> relu -> fc 3\n}\n"
    train = TRAIN.replace("adam lr=1e-2", "sgd lr=1e15")
    training = begun(spec("epochs 3", train=train, network=network), saved_every=0.0)
    said = r"^the loss is (nan|inf) at step 2 \(epoch 1, batch 2\): the first values that are not "
    with pytest.raises(NotFinite, match=said + r"finite are those of `\w+`; the last good"):
        list(training)
    state, position = checkpoint.read(Path("run/checkpoint.safetensors"))
    assert position.step <= 1
    assert all(np.isfinite(x).all() for x in state.values())


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("input", "`input` as the data has it is not finite in this batch"),
        ("fc3.weight", "the first gradients that are not finite are those of `fc3`, a step before"),
        ("loss", "the first values that are not finite are those of the loss"),
        ("sum", "the first values that are not finite are those of `fc3`"),
        ("gradient", "the first gradients that are not finite are those of `fc3`"),
    ],
)
def test_where_numbers_stop_to_be_finite(broken: str, said: str) -> None:
    training = begun(spec(network=PLAIN, train=TRAIN + "  loss mse\n"))
    feeds = training._feeding.feeds(next(batches(training.splits.train, 4, threads=0)))
    feeds["lr"] = np.array(1e-2, np.float32)
    state = training.stepper.state()
    held = state if broken in state else feeds
    match broken:
        case "loss":
            state["fc3.bias"][:] = 1e30
        case "sum":
            # Numbers that are finite, and a sum that is not.
            state["fc3.weight"][:] = 3e38
            feeds["input"] = np.ones_like(feeds["input"])
        case "gradient":
            # What is right is far off, and examples that it is multiplied by are large.
            state["fc3.bias"][:] = 1e10
            feeds["input"] = np.full_like(feeds["input"], 3e38)
            state["fc3.weight"][:] = 0
        case _:
            held[broken] = np.full_like(held[broken], np.nan)
    assert first_not_finite(training._step, feeds, state) == said


def test_a_layer_that_is_called_as_the_loss_is_named() -> None:
    network = PLAIN.replace("fc 3", "fc 3 as loss1")
    training = begun(spec(network=network, train=TRAIN))
    feeds = training._feeding.feeds(next(batches(training.splits.train, 4, threads=0)))
    feeds["lr"] = np.array(1e-2, np.float32)
    feeds["input"] = np.ones_like(feeds["input"])
    state = training.stepper.state()
    state["loss1.weight"][:] = 3e38
    said = "the first values that are not finite are those of `loss1`"
    assert first_not_finite(training._step, feeds, state) == said


def test_data_that_cannot_teach_is_told_before_the_first_step() -> None:
    write_data("tiny.npz", classes=1)
    with pytest.raises(BadData, match="are of one class"):
        begun(spec())
    write_data("tiny.npz", classes=4)
    with pytest.raises(BadData, match=r"is of class 3; the network tells 3 classes apart, 0 to 2"):
        begun(spec())
    assert not Path("run").exists()
    with pytest.raises(BadData, match="the spec does not say what to train on"):
        begun(NETWORK + "train { epochs 1 }\n")


def test_a_set_smaller_than_a_batch_is_one_batch() -> None:
    write_data("tiny.npz", 12)
    done = list(begun(spec("epochs 1", train=TRAIN.replace("16", "64"))))
    assert [(e.batch, e.batches) for e in done if isinstance(e, Stepped)] == [(1, 1)]


# ── settings ───────────────────────────────────────────────────────────────────────────────────

PLAIN = "network P {\n  input 1x8x8\n  flatten -> fc 3\n}\n"


def test_batches_that_are_gathered_make_the_step_of_one_large_batch() -> None:
    write_data("tiny.npz", 125)  # 100 to train on: the last group has a batch of 8 and one of 4
    sgd = TRAIN.replace("adam lr=1e-2", "{}")
    for how in ("sgd lr=0.1", "adam lr=1e-2", "momentum lr=0.1"):
        large = spec("batch 16", train=sgd.format(how).replace("  batch 16\n", ""), network=PLAIN)
        small = spec(
            *("batch 8", "accumulate 2", "clip norm 100"),
            train=sgd.format(how).replace("  batch 16\n", ""),
            network=PLAIN,
        )
        name = how.split()[0]
        one, two = trained(large, f"large-{name}"), trained(small, f"small-{name}")
        for key, x in one.weights().items():
            np.testing.assert_allclose(x, two.weights()[key], rtol=2e-4, atol=2e-6)
        assert two.position.step == 130
        assert two.stepper.state()["steps"] == 70


def test_moving_means_are_validated_and_kept() -> None:
    training = trained(spec("epochs 2", "ema 0.9"))
    state = training.stepper.state()
    used = training.weights()
    assert np.array_equal(used["fc3.weight"], state["fc3.weight/average"])
    assert not np.array_equal(used["fc3.weight"], state["fc3.weight"])
    assert training.splits.validation is not None
    measures = training.judge(training.splits.validation)
    assert measures is not None
    assert measures.values == metrics("run")[-1]["validation"]
    given = CompiledModel(onnx.load("run/model.onnx"))
    best = weights("run", "best")
    held = {t.name: onnx.numpy_helper.to_array(t) for t in given.onnx.graph.initializer}
    assert np.array_equal(held["fc3.weight"].ravel(), best["fc3.weight"].ravel())


def test_it_ends_early_and_keeps_the_best() -> None:
    train = TRAIN.replace("adam lr=1e-2", "sgd lr=1e-9")
    text = spec("epochs 30", "early_stopping 2 least=0.1", train=train, network=PLAIN)
    events = list(begun(text))
    assert isinstance(events[-1], Finished)
    assert (events[-1].why, events[-1].epochs) == ("no better for 2 epochs", 3)
    assert events[-1].is_done
    again = list(resume(Path("run"), Wishes(device="cpu")))
    assert again[-1].test == events[-1].test  # pyright: ignore[reportAttributeAccessIssue]
    done = [e for e in events if isinstance(e, EpochDone)]
    best = max(range(len(done)), key=lambda k: -done[k].validation["loss"])
    assert checkpoint.read(Path("run/best.safetensors"))[1].best_epoch == best + 1


def test_a_plateau_lowers_the_rate_also_behind_a_stop() -> None:
    train = TRAIN.replace("adam lr=1e-2", "sgd lr=1e-9")
    text = spec("epochs 6", "schedule plateau patience=2 factor=0.5", train=train, network=PLAIN)
    trained(text, "whole")
    assert [line["lr"] for line in metrics("whole")] == [1e-9] * 3 + [5e-10] * 2 + [2.5e-10]
    training = begun(text)
    for event in training:
        training.is_asked_to_stop = isinstance(event, EpochDone) and event.epoch == 4
    list(resume(Path("run"), Wishes(device="cpu")))
    assert [line["lr"] for line in metrics("run")] == [line["lr"] for line in metrics("whole")]
    assert same(weights("run"), weights("whole"))


def test_rare_classes_count_more() -> None:
    y = np.repeat([0, 1, 2], [100, 50, 10])
    np.savez("tiny.npz", x=np.zeros((160, 1, 8, 8), np.float32), y=y)
    training = begun(spec("class_weights balanced", network=PLAIN, train=TRAIN))
    labels = training.splits.train.labels
    assert labels is not None
    counts = np.bincount(labels)
    batch = next(batches(training.splits.train, 16, threads=0))
    given = training._feeding.feeds(batch)["class_weights"]
    np.testing.assert_allclose(given, counts.sum() / (3 * counts), rtol=1e-6)
    list(training)


def test_several_heads_each_have_their_targets() -> None:
    network = """\
network T {
  input 1x8x8
  flatten -> fc 16 -> relu as h
  head main { h -> fc 3 }
  head again { h -> fc 64 -> reshape 1x8x8 }
}
"""
    train = TRAIN + "  loss cross_entropy on=main\n  loss mse on=again to=input\n  epochs 2\n"
    training = trained(spec(network=network, train=train))
    first, last = (metrics("run")[k]["train"]["loss"] for k in (0, -1))
    assert last < first
    assert set(training.weights()) == {
        f"{layer}.{part}"
        for layer in ("fc16", "main.fc3", "again.fc64")
        for part in ("weight", "bias")
    }


def test_weights_to_begin_with_and_layers_that_keep_them() -> None:
    trained(spec("epochs 1"), "first")
    notes: list[str] = []
    text = spec("epochs 2", 'freeze "conv*"')
    training = begun(text, init=Path("first"), note=notes.append)
    assert notes == ["7 of 7 weights are those of first/best.safetensors"]
    for k, _ in enumerate(training):
        training.is_asked_to_stop = k == 3
    Path("first").rename("gone")
    last = resume(Path("run"), Wishes(device="cpu"))
    list(last)
    before, after = weights("gone", "best"), last.weights()
    kept = {name for name in before if np.array_equal(before[name], after[name])}
    assert kept == {name for name in before if name.startswith("conv")}
    with pytest.raises(BadData, match="has no weight that fits this network"):
        begun(spec(network=PLAIN.replace("fc 3", "fc 3 -> fc 3")), "other", init=Path("tiny.npz"))


def test_callbacks_are_told_what_happens() -> None:
    told: list[Event] = []
    training = loads(spec("epochs 2")).train(out="run", device="cpu", callbacks=[told.append])
    assert repr(training) == "<training of Tiny in run: 0 of 2 epochs>"
    assert training.model().run(np.zeros((2, 1, 8, 8)))["fc3"].shape == (2, 3)
    assert told[-1] == Finished(2, True, "", told[-1].test, told[-1].seconds)  # pyright: ignore
    with pytest.raises(SpecError, match="there is no data set `digots`"):
        loads(spec()).train("digots")
