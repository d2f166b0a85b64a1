"""Does `cnnspec fmt` write what it should, whole, and nothing else?"""

import os
import stat
from pathlib import Path

import pytest

from calls import Result, cnnspec
from cnnspec import zoo
from cnnspec.cli import fmt

MESSY = "network N {\ninput   8 # eight\n  fc 2 }\n"
CLEAN = "network N {\n  input 8  # eight\n  fc 2\n}\n"
BROKEN = "network N {\n  input 8 8 )\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "messy.cnn").write_text(MESSY)
    (tmp_path / "clean.cnn").write_text(CLEAN)
    (tmp_path / "broken.cnn").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_formatted_in_place(here: Path) -> None:
    before = names(here)
    assert cnnspec("fmt", "messy.cnn") == Result(0, "", "formatted messy.cnn\n")
    assert (here / "messy.cnn").read_text() == CLEAN
    assert names(here) == before


def test_what_is_canonical_is_not_written(here: Path) -> None:
    before = (here / "clean.cnn").stat()
    assert cnnspec("fmt", "clean.cnn") == Result(0, "", "")
    after = (here / "clean.cnn").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_standard_input_goes_to_standard_output() -> None:
    assert cnnspec("fmt", "-", stdin=MESSY) == Result(0, CLEAN, "")
    assert cnnspec("fmt", "-", stdin=CLEAN) == Result(0, CLEAN, "")
    assert cnnspec("fmt", "-", "--check", stdin=MESSY) == Result(1, "<stdin>\n", "")
    assert cnnspec("fmt", "-", "--check", stdin=CLEAN) == Result(0, "", "")


def test_what_does_not_parse_is_left_alone(here: Path) -> None:
    found = cnnspec("fmt", "broken.cnn", "messy.cnn")
    assert (found.status, found.out) == (1, "")
    assert "broken.cnn:2" in found.err
    assert (here / "broken.cnn").read_text() == BROKEN
    # The others are formatted all the same.
    assert (here / "messy.cnn").read_text() == CLEAN


def test_what_parses_but_is_wrong_is_formatted() -> None:
    assert cnnspec("fmt", "-", stdin="network { fcc 2 }").status == 0


def test_check_lists_and_changes_nothing(here: Path) -> None:
    found = cnnspec("fmt", "--check", "messy.cnn", "clean.cnn", "nosuch.cnn")
    assert (found.status, found.out) == (1, "messy.cnn\n")
    assert found.err.startswith("error[unreadable-file]: nosuch.cnn: ")
    assert (here / "messy.cnn").read_text() == MESSY
    assert cnnspec("fmt", "--check", "clean.cnn") == Result(0, "", "")


def test_diff_shows_and_changes_nothing(here: Path) -> None:
    (here / "messy.cnn").write_text(MESSY.rstrip("\n"))
    assert cnnspec("fmt", "--diff", "messy.cnn", "clean.cnn") == Result(
        1,
        "--- messy.cnn\n"
        "+++ fmt\n"
        "@@ -1,3 +1,4 @@\n"
        " network N {\n"
        "-input   8 # eight\n"
        "-  fc 2 }\n"
        "\\ No newline at end of file\n"
        "+  input 8  # eight\n"
        "+  fc 2\n"
        "+}\n",
        "",
    )
    assert (here / "messy.cnn").read_text() == MESSY.rstrip("\n")


def test_the_zoo_is_not_written_to() -> None:
    found = cnnspec("fmt", "lenet5")
    assert found.status == 2
    assert "the spec of that name in the zoo is not for writing" in found.err
    assert cnnspec("fmt", "--check", "lenet5") == Result(0, "", "")


# ── how a file is replaced ─────────────────────────────────────────────────────────────────────


def test_a_link_stays_a_link(here: Path) -> None:
    (here / "deep").mkdir()
    (here / "messy.cnn").rename(here / "deep" / "real.cnn")
    (here / "messy.cnn").symlink_to("deep/real.cnn")
    assert cnnspec("fmt", "messy.cnn").status == 0
    assert (here / "messy.cnn").is_symlink()
    assert (here / "deep" / "real.cnn").read_text() == CLEAN
    assert names(here / "deep") == ["real.cnn"]


def test_permissions_are_kept(here: Path) -> None:
    (here / "messy.cnn").chmod(0o640)
    cnnspec("fmt", "messy.cnn")
    assert stat.S_IMODE((here / "messy.cnn").stat().st_mode) == 0o640


def test_who_owns_it_is_kept(here: Path) -> None:
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(here / "messy.cnn", 12345, 12346)
    cnnspec("fmt", "messy.cnn")
    after = (here / "messy.cnn").stat()
    assert (after.st_uid, after.st_gid) == (12345, 12346)


def test_line_ends_of_dos_are_kept(here: Path) -> None:
    (here / "messy.cnn").write_bytes(MESSY.replace("\n", "\r\n").encode())
    assert cnnspec("fmt", "messy.cnn").status == 0
    assert (here / "messy.cnn").read_bytes() == CLEAN.replace("\n", "\r\n").encode()
    assert cnnspec("fmt", "--check", "messy.cnn") == Result(0, "", "")


def refuse(*args: object, **more: object) -> None:
    raise PermissionError(13, "Permission denied", ".messy.cnn.1234")


@pytest.mark.parametrize("step", ["tempfile.mkstemp", "os.fsync", "os.chmod", "os.replace"])
def test_a_step_that_fails_leaves_all_as_it_was(
    step: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be written to, a full disk: root may write anywhere, so no real one."""
    before = names(here)
    (here / "messy2.cnn").write_text(MESSY)
    module, _, function = step.partition(".")
    monkeypatch.setattr(getattr(fmt, module), function, refuse)
    found = cnnspec("fmt", "messy.cnn", "messy2.cnn")
    assert found == Result(
        1,
        "",
        "error: messy.cnn: permission denied; the file is as it was\n"
        "error: messy2.cnn: permission denied; the file is as it was\n",
    )
    assert (here / "messy.cnn").read_text() == MESSY
    assert names(here) == sorted([*before, "messy2.cnn"])


def test_ctrl_c_leaves_all_as_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    before = names(here)
    monkeypatch.setattr(fmt.os, "fsync", interrupt)
    assert cnnspec("fmt", "messy.cnn") == Result(130, "", "interrupted\n")
    assert (here / "messy.cnn").read_text() == MESSY
    assert names(here) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_replaced(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(here / "pipe.cnn")
    source = zoo.read("messy.cnn")
    monkeypatch.setattr(fmt, "source_of", lambda _: fmt.Source("pipe.cnn", source.text))
    assert cnnspec("fmt", "pipe.cnn") == Result(
        1, "", "error: pipe.cnn: it is no regular file; the file is as it was\n"
    )
    assert stat.S_ISFIFO((here / "pipe.cnn").stat().st_mode)


def test_a_formatter_that_changes_the_program_writes_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fmt, "format_file", lambda _: "network N {\n  input 9\n}\n")
    assert cnnspec("fmt", "messy.cnn").status == 70
    assert (here / "messy.cnn").read_text() == MESSY
