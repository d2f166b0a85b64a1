"""What does `cnnspec check` say, where, and with which exit status?"""

import json
from pathlib import Path

import pytest

from calls import Result, cnnspec
from cnnspec import zoo

RIGHT = "network N {\n  input 8\n  fc 2\n}\n"
WRONG = "network N {\n  input 8\n  fcc 2\n}\n"
ODD = "param unused = 1\n" + RIGHT

WRONG_SAID = """\
error[unknown-layer]: there is no layer, block or value called `fcc`
  --> {name}:3:3
  |
3 |   fcc 2
  |   ^^^
  = hint: did you mean `fc`?

1 error
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("right.cnn", RIGHT), ("wrong.cnn", WRONG), ("odd.cnn", ODD)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_silence_for_what_is_right() -> None:
    assert cnnspec("check", "right.cnn") == Result(0, "", "")
    assert cnnspec("check", "right.cnn", "lenet5", "lenet5.cnn", "--strict") == Result(0, "", "")


def test_messages_go_to_stdout() -> None:
    assert cnnspec("check", "wrong.cnn") == Result(1, WRONG_SAID.format(name="wrong.cnn"), "")


def test_standard_input() -> None:
    assert cnnspec("check", "-", stdin=RIGHT) == Result(0, "", "")
    assert cnnspec("check", "-", stdin=WRONG).out == WRONG_SAID.format(name="<stdin>")
    assert cnnspec("check", "-", stdin="").out.startswith("error[missing-network]: ")


def test_warnings_alone_end_with_0() -> None:
    found = cnnspec("check", "odd.cnn")
    assert found.status == 0
    assert found.out.startswith("warning[unused-name]: ")
    assert found.out.endswith("\n1 warning\n")


def test_strict_takes_warnings_for_errors() -> None:
    found = cnnspec("check", "odd.cnn", "--strict")
    assert found.status == 1
    assert found.out.startswith("error[unused-name]: ")
    assert found.out.endswith("\n1 error\n")
    (told,) = json.loads(cnnspec("check", "odd.cnn", "--strict", "--format", "json").out)[
        "diagnostics"
    ]
    assert told["severity"] == "error"


def test_all_files_are_checked() -> None:
    found = cnnspec("check", "wrong.cnn", "nosuch.cnn", "odd.cnn", "right.cnn")
    assert found.status == 1
    assert "wrong.cnn:3:3" in found.out
    assert "odd.cnn:1:7" in found.out
    assert found.out.endswith("\n1 error, 1 warning\n")
    assert found.err == (
        "error[unreadable-file]: nosuch.cnn: there is no such file, nor such a spec in the zoo\n"
    )


def test_what_two_files_use_is_told_once(files: Path) -> None:
    (files / "blocks.cnn").write_text("block b { fcc 2 }\n")
    for name in ("one.cnn", "two.cnn"):
        (files / name).write_text('use "blocks.cnn"\nnetwork { input 8 -> b }\n')
    found = cnnspec("check", "one.cnn", "two.cnn")
    assert found.out.count("blocks.cnn:1:11") == 1
    assert found.out.endswith("\n1 error\n")


def test_many_mistakes_are_counted_and_stopped_at(files: Path) -> None:
    lines = [f"  fcc {n}" for n in range(1, 400)]
    (files / "many.cnn").write_text("network {\n  input 8\n" + "\n".join(lines) + "\n}\n")
    found = cnnspec("check", "many.cnn")
    assert found.out.endswith("\n100 errors\n")
    assert found.err == "many.cnn: stopped after 100 messages\n"


# ── files that cannot be read ──────────────────────────────────────────────────────────────────


def test_a_path_that_leads_nowhere_is_one_line() -> None:
    assert cnnspec("check", "lenat5") == Result(
        1,
        "",
        "error[unreadable-file]: lenat5: there is no such file, nor such a spec in the zoo; "
        "did you mean `lenet5`?\n",
    )
    assert cnnspec("check", "x" * 5000).err.count("\n") == 1


def test_a_folder_is_no_spec(files: Path) -> None:
    (files / "nets").mkdir()
    assert cnnspec("check", "nets") == Result(
        1, "", "error[unreadable-file]: nets: this is a folder\n"
    )


def test_a_folder_does_not_hide_the_zoo(files: Path) -> None:
    (files / "lenet5").mkdir()
    assert cnnspec("check", "lenet5") == Result(0, "", "")


def test_an_existing_file_hides_the_zoo(files: Path) -> None:
    (files / "lenet5").write_text(WRONG)
    assert "--> lenet5:3:3" in cnnspec("check", "lenet5").out


def test_no_permission_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the system is not asked.
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(zoo, "read", refused)
    assert cnnspec("check", "right.cnn") == Result(
        1, "", "error[unreadable-file]: right.cnn: reading it is not permitted\n"
    )


def test_a_wrong_encoding_is_shown_at_its_byte(files: Path) -> None:
    (files / "latin.cnn").write_bytes("# grün\n# größer\n".encode("latin-1"))
    found = cnnspec("check", "latin.cnn")
    assert (found.status, found.err) == (1, "")
    assert found.out == (
        "error[unreadable-file]: byte 4, 0xfc, is not UTF-8 text\n"
        "  --> latin.cnn:1:5\n"
        "  |\n"
        "1 | # gr\\xfcn\n"
        "  |     ^^^^\n"
        "\n"
        "1 error\n"
    )


def test_utf_16_is_recognised(files: Path) -> None:
    (files / "wide.cnn").write_bytes(RIGHT.encode("utf-16"))
    assert (
        "= hint: the file seems to be UTF-16; save it as UTF-8\n"
        in cnnspec("check", "wide.cnn").out
    )


def test_a_byte_order_mark_is_no_text(files: Path) -> None:
    (files / "marked.cnn").write_bytes(b"\xef\xbb\xbf" + WRONG.encode().lstrip())
    assert cnnspec("check", "marked.cnn").out == WRONG_SAID.format(name="marked.cnn")


def test_a_huge_file_is_refused_unread(files: Path) -> None:
    (files / "huge.cnn").write_bytes(b"x" * (zoo.LARGEST + 1))
    assert cnnspec("check", "huge.cnn") == Result(
        1,
        "",
        f"error[unreadable-file]: huge.cnn: it has more than {zoo.LARGEST:,} bytes, which no spec "
        "needs\n",
    )


def test_a_name_cannot_command_the_terminal() -> None:
    found = cnnspec("check", "\x1b[2Jnosuch")
    assert found.err.startswith(r"error[unreadable-file]: \x1b[2Jnosuch: there is no such file")


# ── formats ────────────────────────────────────────────────────────────────────────────────────


def test_programs_are_told_of_unreadable_files_too() -> None:
    for form in ("json", "sarif", "github"):
        found = cnnspec("check", "nosuch.cnn", "wrong.cnn", "--format", form)
        assert (found.status, found.err) == (1, "")
        assert "unreadable-file" in found.out
        assert "unknown-layer" in found.out


def test_json_of_what_is_right() -> None:
    found = cnnspec("check", "right.cnn", "--format", "json")
    assert found.status == 0
    assert json.loads(found.out) == {"schema": 1, "errors": 0, "warnings": 0, "diagnostics": []}


def test_sarif_holds_the_page_of_every_code() -> None:
    found = cnnspec("check", "wrong.cnn", "odd.cnn", "--format", "sarif")
    (run,) = json.loads(found.out)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["unknown-layer", "unused-name"]
    for rule in rules:
        assert rule["help"]["markdown"].startswith(f"# {rule['id']}\n")
        assert rule["shortDescription"]["text"]


def test_github() -> None:
    assert cnnspec("check", "right.cnn", "--format", "github") == Result(0, "", "")
    assert cnnspec("check", "wrong.cnn", "--format", "github").out == (
        "::error file=wrong.cnn,line=3,endLine=3,col=3,endColumn=6,title=unknown-layer::"
        "there is no layer, block or value called `fcc`%0Ahint: did you mean `fc`?\n"
    )


# ── params ─────────────────────────────────────────────────────────────────────────────────────


def test_set_changes_a_param() -> None:
    assert cnnspec("check", "alexnet", "--set", "classes=10").status == 0
    assert cnnspec("check", "alexnet", "--set", "classes=2*(2+3)").status == 0
    found = cnnspec("check", "alexnet", "--set", "classes=0")
    assert found.status == 1
    assert "takes a whole number of at least 1; here it is 0\n" in found.out


def test_set_of_an_unknown_param() -> None:
    found = cnnspec("check", "alexnet", "--set", "clases=10")
    assert found.status == 1
    assert "has no param `clases`" in found.out
    assert "did you mean `classes`?" in found.out


@pytest.mark.parametrize(
    "value", ["classes", "=3", "classes=", "classes=1 +", "classes=(((", "1=2"]
)
def test_set_that_does_not_read(value: str) -> None:
    found = cnnspec("check", "alexnet", "--set", value)
    assert found.status == 2
    assert "for '--set'" in found.err


# ── colours and width ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "env", "is_terminal", "expected"),
    [
        ((), {}, False, False),
        ((), {}, True, True),
        ((), {"TERM": "dumb"}, True, False),
        ((), {"NO_COLOR": "1"}, True, False),
        ((), {"NO_COLOR": ""}, True, True),
        ((), {"FORCE_COLOR": "1"}, False, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        (("--color", "always"), {"NO_COLOR": "1"}, False, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours(
    args: tuple[str, ...], env: dict[str, str], is_terminal: bool, expected: bool
) -> None:
    found = cnnspec("check", "wrong.cnn", *args, env=env, is_terminal=is_terminal)
    assert ("\x1b[" in found.out) is expected


def test_a_narrow_terminal_cuts_lines(files: Path) -> None:
    blanks = " " * 150
    (files / "wide.cnn").write_text(f"network {{ input 8 {blanks} fcc 2 {blanks} }}\n")
    wide = cnnspec("check", "wide.cnn", env={"COLUMNS": "400"}).out.splitlines()
    assert max(map(len, wide)) > 300
    narrow = cnnspec("check", "wide.cnn", env={"COLUMNS": "60"}).out.splitlines()
    assert all(len(line) <= 60 for line in narrow[3:5])


# ── intermediates ──────────────────────────────────────────────────────────────────────────────


def test_the_tree() -> None:
    found = cnnspec("check", "right.cnn", "--stop-after", "tree")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("network  1:1\n  label N  1:9\n")


def test_the_tree_of_what_is_no_network_yet() -> None:
    """Nothing after the stage is done: that there is no layer `fcc` is not known there."""
    assert cnnspec("check", "wrong.cnn", "--stop-after", "tree").status == 0


def test_the_graph() -> None:
    assert cnnspec("check", "right.cnn", "--stop-after", "graph") == Result(
        0, "network N\n%0 input: input 8 -> 8\n%1 fc2: fc 2 of %0 -> 2\noutput output is %1\n", ""
    )


def test_messages_beside_an_intermediate_go_to_stderr() -> None:
    found = cnnspec("check", "wrong.cnn", "--stop-after", "graph")
    assert found == Result(1, "", WRONG_SAID.format(name="wrong.cnn"))
    found = cnnspec("check", "odd.cnn", "--stop-after", "graph", "--format", "json")
    assert found.out.startswith("network N\n")
    assert json.loads(found.err)["warnings"] == 1
