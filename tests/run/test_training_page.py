"""Does docs/training.md tell what is so? Its specs are trained by its own commands."""

import json
import re
import shlex
from pathlib import Path

import pytest

from calls import cnnspec
from cnnspec import load
from cnnspec.run.events import Event, Finished, Stepped
from cnnspec.run.folder import Folder
from pages import fences

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = list(fences(TEXT))

AGREES = 0.04
"""Other processors round otherwise; of 487 digits that may be some."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_features_a_machine_and_fine_tuning() -> None:
    for block in BLOCKS:
        if block.kind == "cnn" and block.name:
            Path(block.name).write_text(block.text)
    (script,) = (block.text for block in BLOCKS if block.kind == "sh")
    lines = [*script.splitlines(), "cnnspec train svm.cnn --out start"]
    for line in lines:
        done = cnnspec(*shlex.split(line)[1:], "--no-report")
        assert done.status == 0, done.err
    told = [float(n) / 100 for n in re.findall(r"\| ([\d.]+) % \|", TEXT)]
    for folder, right in zip(("svm", "tuned", "start"), told, strict=True):
        facts = json.loads(Path(folder, "run.json").read_text())
        assert facts["examples"]["test"] == 487
        assert facts["test"]["accuracy"] == pytest.approx(right, abs=AGREES)
    features, svm, tuned = (Folder(Path(name)).best() for name in ("features", "svm", "tuned"))
    assert features is not None
    assert svm is not None
    assert tuned is not None
    kept = {name for name in features if name in svm and (features[name] == svm[name]).all()}
    assert kept == {f"conv{n}_5x5.{part}" for n in (8, 16) for part in ("weight", "bias")}
    assert not any((svm[name] == tuned[name]).all() for name in svm)


def test_the_folder_has_what_the_page_says() -> None:
    (program,) = (block for block in BLOCKS if block.kind == "py")
    said: dict[str, object] = {}
    exec(compile(program.text, str(program.name), "exec"), said)
    assert Path("quick.onnx").exists()
    there = {p.name for p in Path("quick").iterdir()}
    told = set(re.findall(r"^\| `([\w.]+)` \|", TEXT, re.MULTILINE))
    assert told - {"report.html"} == there - {"report.html"}
    done = cnnspec("eval", "quick")
    assert done.status == 0, done.err


def test_an_interrupt_in_a_notebook_loses_nothing() -> None:
    net = load("lenet5")
    whole = net.train("digits limit=640", epochs=2, out="whole", device="cpu")
    wanted = whole.model().to_bytes()

    def interrupt(event: Event) -> None:
        if isinstance(event, Stepped) and event.epoch == 2:
            raise KeyboardInterrupt

    left = net.train("digits limit=640", epochs=2, out="left", device="cpu", callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        list(left)
    told: list[Event] = []
    again = net.train(
        "digits limit=640", epochs=2, resume="left", device="cpu", callbacks=[told.append]
    )
    assert again.model().to_bytes() == wanted
    assert isinstance(told[-1], Finished)
    assert told[-1].is_done
    with pytest.raises(ValueError, match="no `out`, no `init`"):
        net.train(out="other", resume="left")
