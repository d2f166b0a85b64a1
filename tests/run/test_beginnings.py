"""What does a training run take to begin with, and how does it end where nobody listens?"""

import json
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import pytest
from small import begun, done, write_data

from calls import cnnspec, process
from cnnspec import zoo
from cnnspec.api import loads
from cnnspec.model.check import check
from cnnspec.model.setting import with_settings, words
from cnnspec.run import checkpoint
from cnnspec.run.better import is_best
from cnnspec.run.checkpoint import Position
from cnnspec.run.events import EpochDone
from cnnspec.run.folder import Folder
from cnnspec.run.start import Different, Wishes, resume
from cnnspec.run.weights import read_weights
from cnnspec.settings.recipe import Recipe, default_recipe
from cnnspec.text.diagnostic import Diagnostic, Sink
from cnnspec.text.source import Source

NORMED = """\
network Tiny {
  input 1x8x8
  conv 4 3x3 bias=yes -> bn -> relu
  conv 4 3x3 bias=no -> bn -> relu
  flatten -> fc 3
}
"""
PLAIN = NORMED.replace(" -> bn", "")
TRAIN = 'train {\n  data npz "classes.npz"\n  batch 16\n  epochs 2\n}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    return tmp_path


def train(*args: str) -> Any:
    return cnnspec("train", *args, "--device", "cpu", "--no-report")


# ── weights to begin with ──────────────────────────────────────────────────────────────────────

FOLDED = (
    "it has the weights of `conv4_3x3` but none of `conv4_3x3_bn`, which was taken into them; "
    "the run's folder, its best.safetensors, or a model compiled with --keep-bn has both"
)


def compiled(text: str, *options: str, out: str = "it.onnx") -> str:
    Path("it.cnn").write_text(text)
    assert cnnspec("compile", "it.cnn", "-o", out, *options).status == 0
    return out


def begin_with(path: str) -> Any:
    Path("net.cnn").write_text(NORMED + TRAIN)
    shutil.rmtree("new", ignore_errors=True)
    return train("net.cnn", "--init", path, "--out", "new", "--epochs", "1")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--precision", "fp16"),
        ("--until", "conv4_3x3_bn"),
        ("--dynamic-size", "--until", "conv4_3x3_2_relu"),
        ("--opset", "21"),
    ],
)
def test_a_model_with_normalisation_in_its_kernels_is_refused(options: Sequence[str]) -> None:
    said = begin_with(compiled(NORMED, *options))
    assert (said.status, said.out, said.err) == (1, "", f"error: it.onnx: {FOLDED}\n")
    assert not Path("new").exists()


def test_the_folded_layer_may_be_fully_connected() -> None:
    text = "network N { input 8 -> fc 4 bias=no -> bn -> relu -> fc 3 }\n"
    model = loads(text).compile()
    model.save("fc.onnx")
    np.savez("flat.npz", x=np.zeros((30, 8), np.float32), y=np.arange(30) % 3)
    Path("net.cnn").write_text(text + 'train { data npz "flat.npz" }\n')
    said = train("net.cnn", "--init", "fc.onnx", "--out", "new")
    assert "the weights of `fc4` but none of `fc4_bn`" in said.err


def test_a_foreign_model_only_seems_to_be_folded() -> None:
    """Without our names for values, all that is known is what is missing."""
    model = onnx.load(compiled(NORMED))
    del model.metadata_props[:]
    onnx.save(model, "foreign.onnx")
    # The second has a bias that the network has not.
    first = begin_with("foreign.onnx").err
    assert first.startswith("error: foreign.onnx: it has the weights of `conv4_3x3` but none of ")
    assert "which seems to have been taken into them" in first
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace("conv4_3x3.", "another.")
    for node in model.graph.node:
        node.input[:] = [name.replace("conv4_3x3.", "another.") for name in node.input]
    onnx.save(model, "foreign.onnx")
    assert "conv4_3x3_2_bn`, which was taken into them" in begin_with("foreign.onnx").err


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (NORMED, ("--keep-bn",)),
        # These have kernels in front of which nothing was: the normalisation is new.
        (PLAIN, ()),
        (NORMED, ("--until", "conv4_3x3")),
    ],
)
def test_models_whose_kernels_are_kernels_are_taken(text: str, options: Sequence[str]) -> None:
    path = compiled(text, *options)
    assert begin_with(path).status == 0
    ours, theirs = read_weights(Path("new/init.safetensors")), read_weights(path)
    assert set(ours) <= set(theirs)
    assert all((ours[name].read() == theirs[name].read()).all() for name in ours)


def test_a_run_s_own_files_are_taken() -> None:
    done(begun(NORMED + TRAIN))
    for path in ("run", "run/best.safetensors"):
        assert begin_with(path).err == ("13 of 13 weights are those of run/best.safetensors\n")
    assert begin_with("run/model.onnx").err == f"error: run/model.onnx: {FOLDED}\n"


def test_weights_that_are_not_taken_are_named() -> None:
    path = compiled(PLAIN.replace("fc 3", "fc 5"))
    said = begin_with(path).err
    assert said == (
        "3 of 13 weights are those of it.onnx; not conv4_3x3_bn.scale, conv4_3x3_bn.bias, "
        "conv4_3x3_bn.mean and 7 more\n"
    )
    path = compiled(NORMED.replace("fc 3", "fc 5"), "--keep-bn")
    assert begin_with(path).err == (
        "11 of 13 weights are those of it.onnx; not fc3.weight, fc3.bias\n"
    )


def test_compile_takes_no_folded_kernels_for_kernels_either() -> None:
    path = compiled(NORMED)
    said = cnnspec("compile", "it.cnn", "--weights", path, "--partial", "-o", "other.onnx")
    assert said.status == 1
    assert said.err == (
        "error: it.onnx: it has the weights of `conv4_3x3` but none of `conv4_3x3_bn`, which was "
        "taken into them; a model compiled with --keep-bn has both\n"
    )
    assert not Path("other.onnx").exists()


# ── which epoch is best ────────────────────────────────────────────────────────────────────────


def best(*scores: tuple[float, float], position: Position | None = None) -> list[bool]:
    p = Position() if position is None else position
    found: list[bool] = []
    for accuracy, loss in scores:
        p.epoch += 1
        found.append(is_best(p, default_recipe(), {"accuracy": accuracy, "loss": loss}))
    return found


def test_of_epochs_with_as_many_right_the_smaller_loss_is_better() -> None:
    assert best((0.5, 1.0), (0.5, 0.9), (0.5, 0.9), (0.5, 0.95), (0.6, 2.0), (0.5, 0.1)) == [
        *(True, True, False, False, True, False)
    ]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_worse_than_any(broken: float) -> None:
    assert best((0.5, 1.0), (0.5, broken), (0.6, broken), (0.6, broken), (0.6, 3.0)) == [
        *(True, False, True, False, True)
    ]


@pytest.mark.parametrize("cut", range(1, 5))
def test_where_a_run_was_put_down_decides_nothing(cut: int, tmp_path: Path) -> None:
    scores = [(0.5, math.inf), (0.5, 1.0), (0.5, 1 / 3), (0.5, 1 / 3), (0.5, 0.3)]
    whole, first = Position(), Position()
    found = best(*scores, position=whole)
    before = best(*scores[:cut], position=first)
    checkpoint.write(tmp_path / "it.safetensors", {"w": np.zeros(1, np.float32)}, first)
    again = checkpoint.position(tmp_path / "it.safetensors")
    assert before + best(*scores[cut:], position=again) == found
    assert again == whole


def test_what_an_older_version_put_down_is_read() -> None:
    """It knew no loss of its best epoch: of two that get as many right the earlier stays."""
    assert "best_loss" in {f.name for f in fields(Position)}
    said = json.loads(checkpoint.POSITIONS.dump_json(Position(epoch=1, best=0.5, best_epoch=1)))
    del said["best_loss"]
    old = checkpoint.POSITIONS.validate_python(said)
    assert best((0.5, 0.1), (0.6, 3.0), (0.6, 2.0), position=old) == [False, True, True]


def test_a_plateau_is_not_measured_by_a_loss_that_is_no_number() -> None:
    plan = loads(PLAIN + TRAIN.replace("}", "  schedule plateau patience=1\n}")).graph.recipe
    assert plan is not None
    position, lowered = Position(), list[int]()
    for loss in (math.nan, 1.0, 0.5, 0.25):
        is_best(position, plan, {"loss": loss})
        lowered.append(position.lowered)
    assert lowered == [1, 1, 1, 1]


def test_the_marked_epoch_is_the_one_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten examples to judge by are as often right in several epochs."""
    text = PLAIN + TRAIN.replace('"classes.npz"', '"classes.npz" split=[0.8, 0.1]').replace(
        "epochs 2", "epochs 12"
    )
    told = [e for e in begun(text) if isinstance(e, EpochDone)]
    scores = [(e.validation["accuracy"], -e.validation["loss"]) for e in told]
    accuracies = [accuracy for accuracy, _ in scores]
    assert accuracies.count(max(accuracies)) > 1, "there are no ties to decide"
    kept = checkpoint.position(Path("run/best.safetensors")).best_epoch
    assert kept == 1 + scores.index(max(scores))
    assert [e.epoch for e in told if e.is_best][-1] == kept


# ── the spec in the folder ─────────────────────────────────────────────────────────────────────

LINES = {
    "said last": '  data npz "classes.npz"\n  batch 16\n  epochs {}\n',
    "said first": '  epochs {}\n  data npz "classes.npz"\n  batch 16\n',
    "said between": '  batch 16\n  epochs {}\n  data npz "classes.npz"\n  seed 3\n',
    "not said": '  data npz "classes.npz"\n  batch 16\n',
}


@pytest.mark.parametrize("lines", LINES.values(), ids=list(LINES))
@pytest.mark.parametrize("seed", [(), ("--seed", "5"), ("--seed", "5", "--freeze", "conv*")])
def test_a_run_made_longer_leaves_what_a_straight_one_does(lines: str, seed: Sequence[str]) -> None:
    def written(epochs: int) -> str:
        Path(f"of{epochs}.cnn").write_text(f"{PLAIN}train {{\n{lines.format(epochs)}}}\n")
        return f"of{epochs}.cnn"

    is_said = "{}" in lines
    for out, epochs in (("whole", 2), ("parts", 1)):
        more = () if is_said else ("--epochs", str(epochs))
        assert train(written(epochs), *more, *seed, "--out", out).status == 0
    assert train("--resume", "parts", "--epochs", "2").status == 0
    specs = [Path(run, "spec.cnn").read_text() for run in ("whole", "parts")]
    assert specs[0] == specs[1]
    models = [Path(run, "model.onnx").read_bytes() for run in ("whole", "parts")]
    assert models[0] == models[1]
    facts = [json.loads(Path(run, "run.json").read_text()) for run in ("whole", "parts")]
    assert facts[0]["settings"] == facts[1]["settings"]


def test_a_run_of_the_usual_length_made_longer_is_like_a_straight_one() -> None:
    Path("net.cnn").write_text(PLAIN + TRAIN.replace("  epochs 2\n", ""))
    options = ("--seed", "5", "--freeze", "conv4_3x3")
    train("net.cnn", *options, "--out", "parts")
    train("--resume", "parts", "--epochs", "11")
    train("net.cnn", *options, "--epochs", "11", "--out", "whole")
    specs = [Path(run, "spec.cnn").read_text() for run in ("whole", "parts")]
    assert specs[0] == specs[1]


def test_a_run_that_cannot_go_on_keeps_its_spec(here: Path) -> None:
    done(begun(PLAIN + TRAIN))
    before = Path("run/spec.cnn").read_text()
    x, y = np.load("classes.npz")["x"], np.load("classes.npz")["y"]
    np.savez("classes.npz", x=-x, y=y)
    with pytest.raises(Different, match="the data is not what the run in run began with"):
        resume(Path("run"), Wishes(base=here, device="cpu", epochs=3))
    assert Path("run/spec.cnn").read_text() == before


def test_in_what_order_a_spec_has_its_settings_makes_no_other_run() -> None:
    """An older version had put `data` last in the folder."""
    for _ in begun(PLAIN + TRAIN):
        break
    spec = Path("run/spec.cnn")
    head, settings = spec.read_text().split("train {\n")
    *lines, end = settings.splitlines(keepends=True)
    spec.write_text(f"{head}train {{\n{''.join(reversed(lines))}{end}")
    Path("net.cnn").write_text(PLAIN + TRAIN)
    assert train("net.cnn", "--resume", "run").status == 0
    Path("net.cnn").write_text(PLAIN + TRAIN.replace("batch 16", "batch 8"))
    said = train("net.cnn", "--resume", "run").err
    assert "there it says `batch 16`, here it says `batch 8`" in said


def test_what_an_option_says_stands_where_the_spec_said_it() -> None:
    graph = loads(PLAIN + "train {\n  epochs 4\n  batch 8\n  data digits\n}\n").graph
    said = with_settings(graph, Sink(), data="mnist10k", words=words(epochs=7, seed=1))
    assert said is not None
    assert said.text() == ["epochs 7", "batch 8", "data mnist10k", "seed 1"]


def test_several_lines_of_a_setting_are_replaced_as_one() -> None:
    def lines(*said: str) -> Recipe:
        text = "".join(f"  {line}\n" for line in said)
        found = loads(f"{TWO_HEADS}train {{\n{text}}}\n").graph.recipe
        assert found is not None
        return found

    old = lines("loss mse", "epochs 3", "loss mse on=side", "seed 1")
    new = lines("batch 2", "loss mae", "loss hinge on=side")
    assert old.but(new).text() == [
        *("loss mae", "loss hinge on=side", "epochs 3", "seed 1", "batch 2")
    ]


# ── settings that do nothing ───────────────────────────────────────────────────────────────────

TWO_HEADS = """\
network Heads {
  input 1x8x8
  conv 4 3x3 as trunk -> relu -> flatten as h
  head side { h -> fc 3 as beside }
  h -> fc 3 as last -> softmax
}
"""


def told(text: str) -> list[Diagnostic]:
    sink = Sink()
    check(Source("it.cnn", text), {}, sink, zoo.read)
    return sink.ordered()


def recipe(*lines: str, network: str = TWO_HEADS) -> str:
    return network + "train {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def test_classes_that_all_count_nothing_are_refused() -> None:
    (said,) = told(recipe("class_weights [0, 0, 0]"))
    assert (said.code, said.severity) == ("wrong-setting", "error")
    assert (said.message, said.span.text) == (
        "all `class_weights` are 0: no example would count",
        "[0, 0, 0]",
    )
    assert told(recipe("class_weights [0, 0, 1]")) == []


def test_a_main_output_that_no_loss_is_taken_of_is_told() -> None:
    (said,) = told(recipe("loss cross_entropy on=side"))
    assert (said.code, said.severity, said.span.text) == ("untrained-output", "warning", "side")
    assert said.message == "no loss is taken of the main output: `last` is not trained"
    assert [label.span.text for label in said.labels] == ["fc 3 as last"]


@pytest.mark.parametrize(
    "lines",
    [
        ("loss cross_entropy on=side", "loss mse"),
        ("loss cross_entropy",),
        ("loss cross_entropy on=side", 'freeze "last"'),
        ("batch 2",),
    ],
)
def test_an_output_that_is_trained_or_kept_on_purpose_is_not(lines: Sequence[str]) -> None:
    assert told(recipe(*lines)) == []


@pytest.mark.parametrize(
    "ends",
    [
        "head side { h -> fc 3 }\n  h -> softmax",  # nothing of its own to train
        "h -> fc 3 as a\n  head side { a }\n  h -> fc 3 weights=a as b",  # the same weights
        "head side { h -> fc 3 }\n  h -> fc 3 frozen=yes",
    ],
)
def test_an_output_without_weights_of_its_own_is_trained_by_the_other(ends: str) -> None:
    network = f"network N {{\n  input 1x8x8\n  conv 4 3x3 -> flatten as h\n  {ends}\n}}\n"
    assert told(recipe("loss cross_entropy on=side", network=network)) == []


def test_freezing_layers_without_weights_is_told() -> None:
    (said,) = told(recipe('freeze ["trunk", "*_relu"]'))
    assert (said.code, said.severity) == ("idle-setting", "warning")
    assert said.message == "no layer that `*_relu` names has weights: nothing is frozen by that"


@pytest.mark.parametrize("layer", ["dropout 0.5", "droppath 0.5"])
def test_a_frozen_dropout_leaves_nothing_out(layer: str) -> None:
    network = TWO_HEADS.replace("relu", f"{layer} as drop")
    assert told(recipe('freeze "drop"', network=network)) == []


def test_freezing_by_an_option_is_asked_as_well() -> None:
    Path("net.cnn").write_text(PLAIN + TRAIN)
    found = train("net.cnn", "--freeze", "*_relu", "--epochs", "1", "--out", "run")
    assert found.status == 0
    assert found.err == (
        "warning[idle-setting]: no layer that `*_relu` names has weights: nothing is frozen by "
        'that\n  --> --freeze:1:1\n  |\n1 | freeze "*_relu"\n  | ^^^^^^^^^^^^^^^\n\n1 warning\n'
    )


def test_python_is_told_as_well(here: Path) -> None:
    network = loads(PLAIN + TRAIN)
    with pytest.warns(UserWarning, match="no layer that `\\*_relu` names has weights"):
        network.train(freeze="*_relu", out="run", epochs=1, report=False, device="cpu")


# ── who stops to read ──────────────────────────────────────────────────────────────────────────


def read_lines(n: int, *args: str) -> tuple[int, str]:
    """The exit status and the errors of a training run of which `n` lines are read."""
    with process("train", *args, "--device", "cpu", "--no-report") as found:
        assert found.stdout is not None
        assert found.stderr is not None
        for _ in range(n):
            assert found.stdout.readline().startswith("epoch ")
        found.stdout.close()
        said = found.stderr.read()
    return found.returncode, said


def test_who_reads_one_line_is_told_how_to_go_on() -> None:
    Path("net.cnn").write_text(PLAIN + TRAIN.replace("epochs 2", "epochs 100000"))
    status, said = read_lines(1, "net.cnn", "--out", "a run")
    assert status == 141
    epochs = Folder(Path("a run")).saved()
    assert epochs is not None
    n = epochs[1].epoch
    assert said == (
        f"stopped after {n} epochs, as nobody reads on; `cnnspec train --resume 'a run'` goes on\n"
    )
    assert list(resume(Path("a run"), Wishes(device="cpu", epochs=n + 1)))[-1]


def closed_after(lines: int) -> str:
    """What a training run says whose standard output is closed behind some lines."""
    echo: Callable[..., None] = click.echo
    left = list(range(lines))

    def once(message: Any = None, **options: Any) -> None:
        if not options.get("err"):
            if not left:
                raise BrokenPipeError
            left.pop()
        echo(message, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(click, "echo", once)
        # What the command does to a real standard output, this process still needs.
        patch.setattr(os, "dup2", lambda *_: None)
        found = train("net.cnn", "--out", "run")
    assert found.status == 141
    return found.err


def test_a_run_that_is_done_needs_no_advice() -> None:
    Path("net.cnn").write_text(PLAIN + TRAIN)
    assert closed_after(2) == ""
    assert Path("run/model.onnx").exists()


def test_the_last_epoch_unread_leaves_a_run_to_go_on_with() -> None:
    Path("net.cnn").write_text(PLAIN + TRAIN)
    assert closed_after(1) == (
        "stopped after 2 epochs, as nobody reads on; `cnnspec train --resume run` goes on\n"
    )
    assert not Path("run/model.onnx").exists()
    assert train("--resume", "run").status == 0
    assert Path("run/model.onnx").exists()
