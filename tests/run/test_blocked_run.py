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
    def none() -> int:
        raise CannotRun("ONNX Runtime has no blocked convolutions for this processor")

    monkeypatch.setattr(start, "block_size", none)
    assert status_of(["train", "net.cnn", "--blocked", "--out", "run"]) == 1
    assert not Path("run").exists()


def test_a_block_is_a_vector_or_more() -> None:
    assert blocks.block_size() in (8, 16)
