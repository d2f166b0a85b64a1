"""Does a run's page show what is so, come again of what a folder has, and never harm a run?"""

import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calls import cnnspec
from chromium import Browser
from cnnspec.api import loads
from cnnspec.pages import watching
from cnnspec.pages.rereading import reread
from cnnspec.pages.watching import ALL, Watch, show, watch
from cnnspec.run.events import EpochDone, Finished
from cnnspec.run.folder import NoRun
from cnnspec.run.start import Wishes, resume
from cnnspec.run.weights import read_weights
from run.small import CLASSES, NETS, begun, done, write_data

HOSTILE = "<script>alert('x')</script> \"&]]>\u202e"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # A fault in a page is a fault of the test, unless it says otherwise.
    monkeypatch.setenv("CNNSPEC_TRACEBACK", "1")
    write_data(tmp_path)
    return tmp_path


def watched(text: str, out: str = "run", **wishes: Any) -> str:
    training = begun(text, out, **wishes)
    notes: list[str] = []
    watch(training, notes.append)
    done(training)
    assert notes == []
    return Path(out, "report.html").read_text(encoding="utf-8")


def is_alone(page: str) -> None:
    """Nothing in it leads elsewhere, and only its own script may run."""
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert page.count("<script") == 1
    assert not re.search(r"\son\w+=", page)
    images = re.findall(r"<img [^>]*>", page)
    assert all('alt="' in image and 'src="data:image/png;base64,' in image for image in images)


def titles(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", page)


# ── what it shows ──────────────────────────────────────────────────────────────────────────────

ALWAYS = ["Curves", "Time and memory", "Settings", "The spec"]


@pytest.mark.parametrize("name", NETS)
def test_every_kind_of_run_has_its_page(name: str) -> None:
    page = watched(NETS[name])
    is_alone(page)
    found = titles(page)
    assert [t for t in ALWAYS if t in found] == ALWAYS
    has_classes = name not in ("restored", "numbers")
    assert ("What is taken for what" in found) == has_classes
    worst = {
        "masks": "Where most pixels are wrong",
        "restored": "What is furthest from what was wanted",
        "numbers": "Where it is furthest off",
    }
    assert worst.get(name, "The surest mistakes") in found
    assert "Kernels of the first layer" in found
    assert "Through the layers" in found
    has_gradients = has_classes and name != "masks"
    assert (">saliency<" in page) == has_gradients
    assert (">Grad-CAM<" in page) == (has_gradients and name != "vectors")
    if name in ("masks", "restored"):
        said = ("what is so", "what it said") if name == "masks" else ("output", "wanted")
        assert all(f"<figcaption>{text}</figcaption>" in page for text in said)


def test_it_says_what_the_folder_says() -> None:
    page = watched(CLASSES)
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    facts = json.loads(Path("run/run.json").read_text())
    assert "done: 3 of 3 epochs" in page
    assert f"<b>{facts['test']['accuracy']:.2%}</b>" in page
    best = max(lines, key=lambda e: e["validation"]["accuracy"])
    assert f"<b>{best['validation']['accuracy']:.2%}</b>" in page
    for e in lines:
        assert f"epoch {e['epoch']} · training {e['train']['accuracy']:.2%}" in page
    assert facts["memory"] > 10_000_000
    assert "adam lr=0.01" in page


def test_mistakes_are_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page calls a mistake is one, and is as sure as the finished model says."""
    training = done(begun(CLASSES))
    measures = training.measured["test"]
    part = training.splits.test
    assert part is not None
    assert measures.confusion is not None
    x, y = part.fetch(np.arange(len(part)))
    scores = training.model().run(x)["fc3"].astype(np.float64)
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    wrong = np.flatnonzero(p.argmax(1) != y)
    order = sorted(wrong.tolist(), key=lambda k: -p[k].max())
    assert len(order) == measures.confusion.sum() - np.trace(measures.confusion)
    found = measures.worst.found
    assert [bad.index for bad in found] == order[: len(found)]
    for bad in found:
        assert (bad.said, bad.so) == (p[bad.index].argmax(), y[bad.index])
        assert bad.badness == pytest.approx(p[bad.index].max(), rel=1e-4)


def test_names_stay_text(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "train"
    from PIL import Image

    names = ["<script>alert(1)<", 'quo"te', "am&p ]]>"]
    for k, label in enumerate(names):
        (folder / label.replace("/", "")).mkdir(parents=True)
        for n in range(8):
            pixels = np.random.default_rng(9 * n + k).integers(0, 255, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{n}.png")
    text = CLASSES.replace('npz "classes.npz"', 'folder "data/train" split=[0.5, 0.5]')
    page = watched(text, out="<b>run & co")
    is_alone(page)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "&lt;b&gt;run &amp; co" in page


# ── it keeps up ────────────────────────────────────────────────────────────────────────────────


def test_it_is_there_from_the_first_epoch_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    training = begun(CLASSES)
    watch(training)
    events = iter(training)
    next(e for e in events if isinstance(e, EpochDone))
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "running: 1 of 3 epochs are done" in page
    training.is_asked_to_stop = True
    assert not [e for e in events if isinstance(e, Finished) and e.is_done]
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "not finished: 1 of 3 epochs are done; `--resume run` goes on" in page
    again = resume(Path("run"), Wishes(device="cpu"))
    watch(again)
    done(again)
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "done: 3 of 3 epochs" in page
    for epoch in (1, 2, 3):
        assert f"epoch {epoch} · training" in page


def weights(folder: str) -> dict[str, bytes]:
    found = read_weights(f"{folder}/checkpoint.safetensors")
    return {name: tensor.read().tobytes() for name, tensor in found.items()}


def test_it_changes_nothing_of_what_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    done(begun(CLASSES, "plain"))
    monkeypatch.setattr(watching, "ALL", 1e9)
    monkeypatch.setattr(watching, "QUICK", 1e9)
    watched(CLASSES, "seen")
    assert weights("plain") == weights("seen")
    best = [Path(f, "best.safetensors").read_bytes() for f in ("plain", "seen")]
    assert best[0] == best[1]
    models = [Path(f, "model.onnx").read_bytes() for f in ("plain", "seen")]
    assert models[0] == models[1]


def test_a_disk_that_is_full_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNSPEC_TRACEBACK")

    def full(path: Path) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(watching, "replacing", full)
    training = begun(CLASSES)
    notes: list[str] = []
    watch(training, notes.append)
    (last,) = [e for e in training if isinstance(e, Finished)]
    assert last.is_done
    assert notes == ["run/report.html is not written: no space left on device; training goes on"]
    assert not Path("run/report.html").exists()


def test_python_warns_where_a_page_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNSPEC_TRACEBACK")
    training = loads(CLASSES).train(out="run", device="cpu")
    Path("run/report.html").mkdir()
    with pytest.warns(UserWarning, match=r"run/report\.html is not written: is a directory"):
        done(training)
    assert Path("run/model.onnx").exists()


def test_our_own_fault_is_a_note_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNSPEC_TRACEBACK")

    def broken(_: object) -> str:
        raise ZeroDivisionError("by us")

    monkeypatch.setattr(watching, "training_page", broken)
    training = begun(CLASSES)
    notes: list[str] = []
    watch(training, notes.append)
    done(training)
    assert notes == ["run/report.html is not written: by us; training goes on"]


def test_data_that_has_vanished_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> Any:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "classes.npz")

    monkeypatch.setattr(watching, "gallery", gone)
    assert "the examples cannot be read: [Errno 2]" in watched(CLASSES)


# ── what it costs ──────────────────────────────────────────────────────────────────────────────


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize("epoch", [0.002, 0.05, 0.8, 60.0])
@pytest.mark.parametrize(("page", "gallery"), [(0.015, 0.1), (0.1, 0.02), (0.2, 8.0)])
def test_it_takes_a_small_share_of_the_time(
    epoch: float, page: float, gallery: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the first page and the last, which are always drawn, with a clock of its own."""
    clock = Clock()
    monkeypatch.setattr(watching, "time", clock)
    watch = Watch(begun(CLASSES), lambda _: None)
    drawn: list[str] = []

    def write(end: object, cost: float) -> None:
        clock.now += page
        watch._page = page
        watch._quick += page
        drawn.append("page")

    def look(epoch: int, *, is_last: bool) -> None:
        clock.now += gallery
        watch._show = gallery
        drawn.append("gallery")

    monkeypatch.setattr(watch, "_write", write)
    monkeypatch.setattr(watch, "_look", look)
    for k in range(200):
        clock.now += epoch
        watch(EpochDone(k + 1, 200, {}, {}, 0.1, 0.0, False))
    spent = watch._spent
    assert drawn[0] == "page"
    # The first gallery's cost is a guess.
    assert spent <= 0.05 * (clock.now - 100) + page + max(0.0, gallery - watching.GUESS * page)
    if page <= 0.02 * epoch:
        assert drawn.count("page") == 200, "each epoch where that costs next to nothing"
    before = drawn.count("gallery")
    assert before * gallery <= ALL * (clock.now - 100) + gallery
    watch(Finished(200, True, "", {}, 0.0))
    assert drawn[-2:] == ["gallery", "page"]


# ── the folder later ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run() -> Path:
    done(begun(CLASSES))
    return Path("run")


def told(run: Path) -> tuple[str, list[str]]:
    notes: list[str] = []
    page = reread(run, notes.append)
    is_alone(page)
    for line in notes:
        assert line.split(":")[0].split("`")[0][:20] in page
    return page, notes


def test_a_folder_gives_the_page_again(run: Path) -> None:
    before = sorted((p.name, p.stat().st_mtime_ns) for p in run.iterdir())
    page, notes = told(run)
    assert notes == []
    assert "done: 3 of 3 epochs" in page
    assert "test, best weights" in page
    assert "Kernels of the first layer" in titles(page)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in run.iterdir()) == before


@pytest.mark.parametrize(
    ("file", "said", "lost"),
    [
        ("metrics.jsonl", "metrics.jsonl is not there", "epoch 1 · training"),
        ("run.json", "run.json is not there", "onnxruntime"),
        ("spec.cnn", "spec.cnn is not there", "Kernels of the first layer"),
        ("checkpoint.safetensors", "checkpoint.safetensors is not there", ""),
        ("../classes.npz", "the data cannot be read: ", "The surest mistakes"),
    ],
)
def test_what_is_missing_is_said(run: Path, file: str, said: str, lost: str) -> None:
    (run / file).unlink()
    page, notes = told(run)
    assert any(line.startswith(said) for line in notes), notes
    assert not lost or lost not in page


def test_without_the_best_weights_the_last_will_do(run: Path) -> None:
    (run / "best.safetensors").unlink()
    page, notes = told(run)
    assert notes == ["best.safetensors is not there"]
    assert "test, last weights" in page
    (run / "checkpoint.safetensors").unlink()
    page, notes = told(run)
    assert notes[-1] == "without weights there are no mistakes, kernels and maps to show"
    assert "Kernels of the first layer" not in titles(page)


@pytest.mark.parametrize("file", ["metrics.jsonl", "run.json", "spec.cnn", "best.safetensors"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00 nonsense {", b"{}\n[]\n"])
def test_spoilt_files_are_said(run: Path, file: str, content: bytes) -> None:
    (run / file).write_bytes(content)
    page, notes = told(run)
    if content or file != "metrics.jsonl":
        assert any(file in line for line in notes) or (file, content) == ("run.json", b"{}\n[]\n")
    assert "<h1>" in page


def test_other_data_is_said(run: Path) -> None:
    draw = np.random.default_rng(5)
    x = draw.normal(size=(96, 1, 8, 8)).astype(np.float32)
    np.savez("classes.npz", x=x, y=draw.integers(0, 3, 96))
    _, notes = told(run)
    assert notes == ["the data is not what the run was trained on"]


def test_no_run(tmp_path: Path) -> None:
    Path("empty").mkdir()
    for folder, said in (("empty", "it is no folder of a run"), ("no", "no such folder")):
        with pytest.raises(NoRun, match=said):
            reread(Path(folder))


# ── the commands ───────────────────────────────────────────────────────────────────────────────


def test_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("net.cnn").write_text(CLASSES)
    found = cnnspec("train", "net.cnn", "--out", "run", "--device", "cpu")
    assert (found.status, found.err) == (0, "")
    page = Path("run/report.html")
    assert "done: 3 of 3 epochs" in page.read_text(encoding="utf-8")
    page.unlink()
    found = cnnspec("report", "run")
    assert (found.status, found.out, found.err) == (0, "", "wrote run/report.html\n")
    assert page.exists()
    found = cnnspec("report", "run", "--html", "-")
    assert found.out.startswith("<!doctype html>")
    found = cnnspec("report", "run", "--html", "no/such/page.html")
    assert (found.status, found.err.count("\n")) == (1, 1)
    assert cnnspec("report", "run", "--explain").err.endswith(
        "--explain is for specs; run is a folder.\n"
    )
    Path("empty").mkdir()
    assert cnnspec("report", "empty").err == (
        "error: empty: it is no folder of a run: it has no spec.cnn and no metrics.jsonl\n"
    )
    found = cnnspec("train", "net.cnn", "--out", "bare", "--no-report", "--device", "cpu")
    assert found.status == 0
    assert not Path("bare/report.html").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(run: Path) -> None:
    run.chmod(0o500)
    found = cnnspec("report", "run")
    run.chmod(0o700)
    assert (found.status, found.err) == (1, "error: run/report.html: permission denied\n")


# ── notebooks ──────────────────────────────────────────────────────────────────────────────────


def test_what_notebooks_show() -> None:
    network = loads(CLASSES.replace("Tiny", "Tiny_one"))
    training = network.train(out="run", device="cpu")
    for text in (network._repr_html_(), training._repr_html_(), network.compile()._repr_html_()):
        assert text is not None
        assert "Tiny_one" in text
        assert "<script" not in text
    assert "0 of 3 epochs" in str(training._repr_html_())
    done(training)
    found = str(training._repr_html_())
    assert "3 of 3 epochs · validation loss" in found
    assert found.count("<svg") == 3
    assert Path("run/report.html").exists()
    plain = network.train(out="plain", device="cpu", report=False)
    done(plain)
    assert not Path("plain/report.html").exists()
    assert begun(CLASSES, "third")._repr_html_() is None


def test_a_model_shows_its_ends_and_labels() -> None:
    model = loads(CLASSES).compile(labels=["a", HOSTILE, "<i>c"])
    shown = model._repr_html_()
    assert "Nx1x8x8 float" in shown
    assert "fc3 Nx3 float" in shown
    assert "&lt;script&gt;" in shown
    assert "<script" not in shown
    assert "<i>" not in shown


def test_curves_in_a_notebook_are_of_a_name(tmp_path: Path) -> None:
    training = begun(CLASSES, "<i>run")
    show(training)
    assert "&lt;i&gt;run" in str(training._repr_html_())


# ── in a browser ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["classes", "masks", "signals"])
def test_a_browser_shows_it(name: str, browser: Browser) -> None:
    watched(NETS[name])
    for width, dark in ((1280, False), (390, True)):
        page = browser.open(Path("run/report.html"), width=width, dark=dark)
        assert page.too_wide() == []
        assert page.too_small(11) == []
        page.is_quiet()
        page.close()


def test_classes_are_sorted(browser: Browser) -> None:
    watched(CLASSES)
    page = browser.open(Path("run/report.html"))
    cells = 'section[aria-labelledby="confusion"] details[open] .beside tbody td:nth-child(3)'
    heads = 'section[aria-labelledby="confusion"] details[open] .beside th:nth-child(3) button'
    before = page.texts(cells)
    page.click(heads)
    after = [float(t.rstrip("%")) for t in page.texts(cells) if t]
    assert after == sorted(after)
    assert sorted(before) == sorted(page.texts(cells))
    page.is_quiet()
    page.close()


def test_it_reads_without_scripts(browser: Browser) -> None:
    shutil.rmtree("run", ignore_errors=True)
    watched(CLASSES)
    page = browser.open(Path("run/report.html"), scripts=False)
    assert page.requests == []
    page.close()
