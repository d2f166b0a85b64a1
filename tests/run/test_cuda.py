"""Does a run on a GPU do what it does on the CPU?"""

from pathlib import Path

import numpy as np
import pytest

from cnnspec.api import loads
from cnnspec.run.events import EpochDone, Finished
from cnnspec.run.loop import Training
from cnnspec.run.session import PROVIDERS, CannotRun, choose
from cnnspec.run.start import Wishes, begin, resume

SPEC = """\
network Small {
  input 1x28x28
  conv 8 5x5 pad=2 bias=no -> bn -> relu -> maxpool 2x2
  conv 16 3x3 -> relu -> dropout 0.2
  flatten -> fc 10
}
train {
  data digits limit=640
  batch 64
  optimizer adam lr=1e-3
  epochs 2
}
"""

AGREES = 2e-2
"""Kernels add up in another order, and a card may round products to TF32: that is 1e-3 in each, and
an epoch passes it on."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def losses(device: str) -> tuple[list[float], Training]:
    wishes = Wishes(device=device)  # pyright: ignore[reportArgumentType]
    training = begin(loads(SPEC).graph, Path(device), wishes)
    return [e.train["loss"] for e in training if isinstance(e, EpochDone)], training


@pytest.mark.gpu
def test_it_learns_as_on_the_cpu() -> None:
    found, training = losses("cuda")
    wanted, _ = losses("cpu")
    assert training.stepper.device == "cuda"
    np.testing.assert_allclose(found, wanted, rtol=AGREES)


@pytest.mark.gpu
def test_a_run_is_put_down_and_taken_up_on_the_card() -> None:
    wishes = Wishes(device="cuda")
    training = begin(loads(SPEC).graph, Path("run"), wishes)
    for step, _ in enumerate(training):
        training.is_asked_to_stop = step == 3
    last = list(resume(Path("run"), wishes))[-1]
    assert isinstance(last, Finished)
    assert last.is_done
    assert Path("run/model.onnx").exists()


@pytest.mark.gpu
def test_a_run_moves_from_the_card_to_the_cpu() -> None:
    training = begin(loads(SPEC).graph, Path("run"), Wishes(device="cuda"))
    for step, _ in enumerate(training):
        training.is_asked_to_stop = step == 3
    moved = resume(Path("run"), Wishes(device="cpu"))
    assert moved.stepper.device == "cpu"
    list(moved)
    assert moved.is_done


@pytest.mark.gpu
def test_auto_takes_the_card() -> None:
    assert choose("auto") == "cuda"


def test_without_a_card_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnspec.run.session._has_gpu", lambda: False)
    with pytest.raises(CannotRun, match=r"needs an NVIDIA GPU .* `pip install 'cnnspec\[cuda\]'`"):
        choose("cuda")
    assert (choose("auto"), choose("cpu")) == ("cpu", "cpu")


def test_without_the_provider_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnspec.run.session._has_gpu", lambda: True)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [PROVIDERS["cpu"]])
    with pytest.raises(CannotRun, match=r"`pip install 'cnnspec\[cuda\]'`"):
        choose("cuda")
    assert choose("auto") == "cpu"
