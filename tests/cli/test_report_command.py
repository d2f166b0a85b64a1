"""Does `cnnspec report` show what it is asked for? How tables look is tested in tests/report."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from calls import cnnspec
from cnnspec.report.schema import json_schema

ODD = "param unused = 1\nnetwork N {\n  input 8\n  fc 2\n}\n"


def test_a_table_by_default() -> None:
    found = cnnspec("report", "lenet5")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(" LeNet5 · input 1x28x28 · ")
    assert "61,706" in found.out
    assert "\x1b" not in found.out
    lines = found.out.splitlines()
    assert all(len(line) <= 80 and line == line.rstrip() for line in lines)


def test_the_terminal_says_how_wide_and_how_colourful() -> None:
    wide = cnnspec("report", "lenet5", env={"COLUMNS": "150"}).out
    assert max(map(len, wide.splitlines())) > 80
    found = cnnspec("report", "lenet5", is_terminal=True, env={"TERM": "xterm"})
    assert "\x1b[1m" in found.out
    assert "\x1b" in cnnspec("report", "lenet5", "--color", "always").out
    assert "\x1b" not in cnnspec("report", "lenet5", "--color", "never", is_terminal=True).out


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("markdown", "## LeNet5\n"), ("csv", "path,block,kind,"), ("json", "{\n")],
)
def test_formats(form: str, beginning: str) -> None:
    found = cnnspec("report", "lenet5", "--format", form)
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(beginning)
    assert found.out.endswith("\n")
    assert not found.out.endswith("\n\n")


def report(*args: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cnnspec("report", *args, "--format", "json").out)
    return found


def test_json_has_its_version() -> None:
    found = report("lenet5")
    assert found["schema"] == 1
    assert found["batch"] == 1


def test_batch() -> None:
    assert report("lenet5", "--batch", "32")["batch"] == 32


def test_set() -> None:
    assert report("alexnet", "--set", "classes=7")["outputs"] == [
        {"name": "output", "path": "fc7", "shape": [7]}
    ]


def test_explain_shows_the_arithmetic() -> None:
    assert "(28 - 5 + 2·2)/1 + 1 = 28" in cnnspec("report", "lenet5", "--explain").out


def test_depth_folds_blocks() -> None:
    whole = cnnspec("report", "resnet50", "--format", "csv").out
    folded = cnnspec("report", "resnet50", "--format", "csv", "--depth", "0").out
    assert len(folded.splitlines()) < len(whole.splitlines()) / 4


def test_only_shows_some_rows_and_all_totals() -> None:
    found = cnnspec("report", "lenet5", "--only", "conv6", "--format", "csv")
    paths = [row["path"] for row in csv.DictReader(StringIO(found.out))]
    assert paths == ["conv6_5x5", "conv6_5x5_tanh", "conv6_5x5_avgpool"]
    assert found.err == (
        "3 of 14 rows, those whose path begins with conv6; the totals are the network's\n"
    )
    assert "61,706" in cnnspec("report", "lenet5", "--only", "conv6").out


def test_only_what_no_path_begins_with() -> None:
    found = cnnspec("report", "lenet5", "--only", "cov6_5x5")
    assert found.status == 2
    assert found.err.endswith("begins with `cov6_5x5`; did you mean `conv6_5x5`?\n")


def test_schema_needs_no_file() -> None:
    found = cnnspec("report", "--schema")
    assert (found.status, found.err) == (0, "")
    assert found.out == json_schema() + "\n"


def test_warnings_go_to_stderr() -> None:
    found = cnnspec("report", "-", "--format", "json", stdin=ODD)
    assert found.status == 0
    assert json.loads(found.out)["totals"]["params"] == 18
    assert found.err.startswith("warning[unused-name]: ")


def test_a_wrong_spec_has_no_report() -> None:
    found = cnnspec("report", "-", stdin=ODD.replace("fc", "fcc"))
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[unknown-layer]: ")


@pytest.mark.parametrize("command", ["report", "expand"])
def test_an_unreadable_file_is_one_line(command: str) -> None:
    found = cnnspec(command, "lenat5")
    assert (found.status, found.out) == (1, "")
    assert found.err == (
        "error[unreadable-file]: lenat5: there is no such file, nor such a spec in the zoo; "
        "did you mean `lenet5`?\n"
    )


def test_the_graph_instead() -> None:
    found = cnnspec("report", "lenet5", "--stop-after", "graph")
    assert found.status == 0
    assert found == cnnspec("check", "lenet5", "--stop-after", "graph")
    found = cnnspec("report", "-", "--stop-after", "graph", stdin=ODD.replace("fc", "fcc"))
    assert (found.status, found.out) == (1, "")


# ── expand ─────────────────────────────────────────────────────────────────────────────────────


def test_expand_shows_a_spec_of_the_same_network() -> None:
    flat = cnnspec("expand", "resnet18", "--set", "classes=10")
    assert (flat.status, flat.err) == (0, "")
    assert "repeat" not in flat.out
    assert "block" not in flat.out
    again = cnnspec("report", "-", "--format", "json", stdin=flat.out)
    assert again.err == ""
    direct = report("resnet18", "--set", "classes=10")
    assert json.loads(again.out)["totals"] == direct["totals"]


def test_expand_tells_warnings_apart() -> None:
    found = cnnspec("expand", "-", stdin=ODD)
    assert (found.status, found.out) == (
        0,
        "network N {\n  input 8 as input\n  fc 2 as fc2\n}\n",
    )
    assert found.err.startswith("warning[unused-name]: ")


def test_a_folder_does_not_hide_a_spec_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lenet5").mkdir()
    monkeypatch.chdir(tmp_path)
    assert cnnspec("report", "lenet5").out.startswith(" LeNet5 · ")
    # That folder is meant where it can be nothing else.
    assert "it is no folder of a run" in cnnspec("report", "./lenet5").err
