"""Does `cnnspec compare` say what came of runs, whatever they are and whatever is left of them?"""

import json
import shutil
from pathlib import Path

import pytest

from calls import cnnspec
from chromium import Browser
from run.small import CLASSES, NETS, begun, done, write_data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of runs: two of the same network, one of masks, one that is not finished."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_data(folder)
        done(begun(CLASSES, "a"))
        done(begun(CLASSES.replace("lr=1e-2", "lr=1e-4").replace("batch 16", "batch 32"), "b"))
        done(begun(NETS["masks"], "masks"))
        half = begun(CLASSES, "half")
        for event in half:
            half.is_asked_to_stop = getattr(event, "epoch", 0) == 2
    return folder


@pytest.fixture(autouse=True)
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for run in ("a", "b", "masks", "half"):
        shutil.copytree(trained / run, tmp_path / run)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(text: str) -> dict[str, list[str]]:
    """What stands behind each label."""
    lines = [line for line in text.splitlines() if "  " in line.strip()]
    split = [[c for c in line.split("  ") if c.strip()] for line in lines]
    # What came of the runs stands above the settings, of which some have the same names.
    return {first.strip(): [c.strip() for c in rest] for first, *rest in reversed(split)}


def test_runs_stand_side_by_side() -> None:
    found = cnnspec("compare", "a", "b")
    assert (found.status, found.err) == (0, "")
    said = rows(found.out)
    assert said["network"] == ["Tiny", "Tiny"]
    assert said["epochs"] == ["3 of 3", "3 of 3"]
    tested = [json.loads(Path(r, "run.json").read_text())["test"] for r in "ab"]
    assert said["test accuracy"] == [f"{t['accuracy']:.2%}" for t in tested]
    assert said["test loss"] == [f"{t['loss']:.4f}" for t in tested]
    assert said["optimizer"] == ["adam lr=0.01", "adam lr=0.0001"]
    assert said["batch"] == ["16", "32"]
    below = found.out.split("settings that differ")[1]
    assert set(rows(below)) == {"optimizer", "batch"}
    assert "settings are the same in all" in below


def test_measures_are_those_of_the_best_epoch() -> None:
    lines = [json.loads(line) for line in Path("b/metrics.jsonl").read_text().splitlines()]
    said = rows(cnnspec("compare", "b", "b").out)
    best = lines[int(said["best epoch"][0]) - 1]
    top = max(e["validation"]["accuracy"] for e in lines)
    assert best["validation"]["accuracy"] == top
    assert said["validation accuracy"][0] == f"{top:.2%}"


def test_other_networks_and_halves() -> None:
    found = cnnspec("compare", "a", "masks", "half")
    said = rows(found.out)
    assert said["network"] == ["Tiny", "Masks", "Tiny"]
    assert said["validation IoU"][0] == "–"
    assert said["epochs"][2] == "1 of 3, not finished"
    assert said["test accuracy"][2] == "–"
    assert "`cnnspec diff a/spec.cnn masks/spec.cnn` shows in what" in found.out
    assert "a and half differ" not in found.out


def test_a_terminal_gets_as_many_as_fit() -> None:
    found = cnnspec("compare", *("ab" * 6), is_terminal=True, env={"COLUMNS": "60"})
    lines = found.out.splitlines()
    assert (
        max(map(len, (line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in lines))) <= 60
    )
    assert sum(line.strip().startswith("parameters") for line in lines) > 1
    piped = cnnspec("compare", *("ab" * 6))
    assert len(rows(piped.out)["parameters"]) == 12


def test_the_best_is_bold_on_a_terminal_alone() -> None:
    args = ("compare", "a", "b", "--color")
    assert "\x1b[1m" in cnnspec(*args, "always").out
    assert "\x1b" not in cnnspec(*args, "never").out
    assert "\x1b" not in cnnspec("compare", "a", "b").out


def test_json() -> None:
    found = json.loads(cnnspec("compare", "a", "b", "half", "--json").out)
    a, b, half = found["runs"]
    assert (a["run"], a["network"], a["finished"], a["done"]) == ("a", "Tiny", True, 3)
    assert (half["finished"], half["done"], half["epochs"]) == (False, 1, 3)
    assert a["test"] == json.loads(Path("a/run.json").read_text())["test"]
    assert [e["epoch"] for e in b["history"]] == [1, 2, 3]
    assert set(found["differing"]) == {"optimizer", "batch"}


def test_numbers_that_are_none() -> None:
    line = '{"epoch": 1, "train": {"loss": NaN}, "validation": {"loss": Infinity}, "lr": 0.1}\n'
    Path("b/metrics.jsonl").write_text(line)
    found = json.loads(cnnspec("compare", "a", "b", "--json").out)
    assert found["runs"][1]["train"] == {"loss": None}
    assert cnnspec("compare", "a", "b").status == 0
    assert cnnspec("compare", "a", "b", "-o", "page.html").status == 0


@pytest.mark.parametrize("file", ["spec.cnn", "run.json", "metrics.jsonl", "best.safetensors"])
def test_what_is_missing_is_said(file: str) -> None:
    Path("b", file).unlink()
    for args in ((), ("-o", "page.html")):
        found = cnnspec("compare", "a", "b", *args)
        assert (found.status, "Traceback" in found.err) == (0, False)
        said = Path("page.html").read_text() if args else found.out
        assert f"b: {file} is not there" in said


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("a", "nothing"), 1, "error: nothing: there is no such folder\n"),
        (("a", "."), 1, "error: .: it is no folder of a run: it has no spec.cnn and no metrics"),
        (("a", "a/spec.cnn"), 1, "error: a/spec.cnn: there is no such folder\n"),
        ((), 2, "Missing argument 'RUN...'"),
        (("a", "--json", "-o", "x.html"), 2, "-o writes a page; --json is another form."),
        (("a", "-o", "no/x.html"), 1, "error: no/x.html: no such file or directory\n"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(args: tuple[str, ...], status: int, said: str) -> None:
    found = cnnspec("compare", *args)
    assert found.status == status
    assert said in found.err
    assert not Path("x.html").exists()


def test_the_page(browser: Browser) -> None:
    Path("b").rename("<script>alert(1)<b>")
    found = cnnspec("compare", "a", "<script>alert(1)<b>", "masks", "half", "-o", "page.html")
    assert (found.status, found.out, found.err) == (0, "", "wrote page.html\n")
    text = Path("page.html").read_text(encoding="utf-8")
    assert text.count("<script") == 1
    for width, dark in ((1280, False), (390, True)):
        page = browser.open(Path("page.html"), width=width, dark=dark)
        assert page.too_wide() == []
        assert page.text("h1") == "4 runs compared"
        assert "validation loss" in page.texts("svg > text")
        page.is_quiet()
        page.close()
    assert cnnspec("compare", "a", "-o", "-").out.startswith("<!doctype html>")
