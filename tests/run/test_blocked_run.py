"""Does a run that convolves in blocks learn the same, and is what it leaves for everybody?"""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from small import CLASSES, begun, done, write_data

from cnnspec.cli import status_of
from cnnspec.run import blocks, start
from cnnspec.run.session import CannotRun
from cnnspec.run.start import Wishes, resume
from cnnspec.run.weights import read_weights

NET = CLASSES.replace("conv 4 3x3", "conv 16 3x3 -> relu -> conv 16 3x3")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    Path("net.cnn").write_text(NET)


def weights(out: str) -> dict[str, np.ndarray]:
    read = read_weights(Path(out) / "best.safetensors")
    return {name: tensor.read() for name, tensor in read.items()}


def none() -> int:
    raise CannotRun("ONNX Runtime has no blocked convolutions for this processor")


def test_it_learns_the_same_but_for_rounding() -> None:
    plain, blocked = (
        done(begun(NET, out, blocked=out == "blocked")) for out in ("plain", "blocked")
    )
    assert json.loads(Path("blocked/run.json").read_text())["blocked"] is True
    assert json.loads(Path("plain/run.json").read_text())["blocked"] is False
    for name, x in plain.measured["test"].values.items():
        assert blocked.measured["test"].values[name] == pytest.approx(x, rel=0.05), name


def test_the_same_run_makes_the_same_weights() -> None:
    for out in ("one", "two"):
        done(begun(NET, out, blocked=True))
    one, two = weights("one"), weights("two")
    assert all(np.array_equal(x, two[name]) for name, x in one.items())


def test_a_run_goes_on_as_it_began() -> None:
    done(begun(NET, "whole", blocked=True))
    training = begun(NET, "parts", blocked=True)
    for _ in zip(range(7), training, strict=False):
        pass
    training.is_asked_to_stop = True
    done(training)
    # Nobody says again how it is computed.
    training = done(resume(Path("parts"), Wishes(device="cpu")))
    assert training.facts.blocked
    whole, parts = weights("whole"), weights("parts")
    assert all(np.array_equal(x, parts[name]) for name, x in whole.items())


def stopped(out: str) -> None:
    training = begun(NET, out, blocked=True)
    next(iter(training))
    training.is_asked_to_stop = True
    done(training)


def test_a_run_may_go_on_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped("run")
    # That it was in blocks is no reason against another device: here it is only not there.
    with pytest.raises(CannotRun, match="CUDA"):
        resume(Path("run"), Wishes(device="cuda"))
    monkeypatch.setattr(start, "block_size", none)
    notes: list[str] = []
    training = done(resume(Path("run"), Wishes(note=notes.append)))
    assert notes == [
        "ONNX Runtime has no blocked convolutions for this processor: the run goes on with others"
    ]
    assert not training.facts.blocked
    with pytest.raises(CannotRun, match="no blocked convolutions"):
        resume(Path("run"), Wishes(blocked=True))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"conv 4 3x3": "conv 16 1x1"},
        {"classes.npz": "signals.npz", "1x8x8": "2x16", "conv 4 3x3": "conv 16 3"},
        {"classes.npz": "volumes.npz", "1x8x8": "1x4x6x6", "conv 4 3x3": "conv 16 3x3x3"},
        {"classes.npz": "vectors.npz", "1x8x8": "12", "conv 4 3x3 bias=no": "fc 5"},
    ],
)
def test_where_nothing_lies_in_blocks_it_is_said(changes: dict[str, str]) -> None:
    text = CLASSES
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    notes: list[str] = []
    done(begun(text, "plain"))
    done(begun(text, "blocked", blocked=True, note=notes.append))
    said = f"no convolution of this network lies in blocks of {blocks.block_size()} channels: "
    assert notes == [said + "it is computed as usual"]
    plain, blocked = weights("plain"), weights("blocked")
    assert all(np.array_equal(x, blocked[name]) for name, x in plain.items())


def test_where_one_convolution_does_nothing_is_said() -> None:
    notes: list[str] = []
    some = CLASSES.replace("conv 4 3x3", "conv 16 3x3 -> relu -> conv 4 3x3")
    assert begun(some, blocked=True, note=notes.append).lies_in_blocks
    assert not notes


def test_what_is_left_is_for_everybody() -> None:
    done(begun(NET, "run", blocked=True))
    for name in ("step.onnx", "model.onnx"):
        model = onnx.load(f"run/{name}")
        assert {o.domain for o in model.opset_import} == {""}
        assert {node.domain for node in model.graph.node} == {""}


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "net.cnn", "--blocked", "--no-report", "--epochs", "1"]
    assert status_of([*command, "--out", "run"]) == 0
    assert json.loads(Path("run/run.json").read_text())["blocked"] is True
    assert status_of([*command, "--out", "other", "--device", "cuda"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "error: blocked convolutions are for the CPU: leave out `--blocked`"
    assert not Path("other").exists()


def test_a_processor_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "block_size", none)
    assert status_of(["train", "net.cnn", "--blocked", "--out", "run"]) == 1
    assert not Path("run").exists()


def test_a_block_is_a_vector_or_more() -> None:
    assert blocks.block_size() in (8, 16)
