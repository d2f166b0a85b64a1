"""What do `explain`, `specs` and `new` show and write?"""

from pathlib import Path

import pytest

from calls import Result, cnnspec
from cnnspec import zoo
from cnnspec.cli.pages import codes, topics
from cnnspec.layers import KINDS
from cnnspec.settings.words import SETTINGS
from cnnspec.syntax.format import format_file
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink

# ── explain ────────────────────────────────────────────────────────────────────────────────────


def test_the_page_of_a_message() -> None:
    found = cnnspec("explain", "kernel-too-large")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("# kernel-too-large\n\nA window has to fit inside the map")


def test_the_page_of_a_layer() -> None:
    out = cnnspec("explain", "fc").out
    assert out.startswith("fc UNITS\n\nA fully connected layer:")
    assert f"\n  units  {KINDS['fc'].params['units'].doc}\n" in out
    assert "\n         takes a whole number of at least 1\n" in out
    assert "\n         takes yes or no; yes if not given\n" in out
    assert "zeros or ones; he if not\n           given\n" in out


def test_the_page_of_a_setting_and_of_its_words() -> None:
    out = cnnspec("explain", "optimizer").out
    assert out.startswith("optimizer …\n\n")
    assert "\n  adam      " in out
    assert cnnspec("explain", "adam").out.startswith("optimizer adam\n\n")
    assert cnnspec("explain", "epochs").out.startswith("epochs COUNT\n\n")


def test_a_word_of_two_meanings_has_two_pages() -> None:
    out = cnnspec("explain", "scale").out
    assert out.startswith("scale\n\n")
    assert "\n\naugment scale " in out


@pytest.mark.parametrize("topic", topics())
def test_every_page_fits(topic: str) -> None:
    found = cnnspec("explain", topic)
    assert found.status == 0
    assert topic in found.out
    if topic not in codes():
        # Formulas and calls are not broken; all else wraps.
        long = [line for line in found.out.splitlines() if len(line) > 80]
        assert not long, long


def test_everything_is_listed() -> None:
    found = cnnspec("explain")
    assert (found.status, found.err) == (0, "")
    listed = {line.split()[0] for line in found.out.splitlines() if line.startswith("  ")}
    words = {word for setting in SETTINGS.values() for word in setting.words}
    assert listed == {*KINDS, *SETTINGS, *words, *codes()}
    assert f"  fc      {KINDS['fc'].summary()}\n" in found.out


def test_the_list_is_cut_to_a_terminal() -> None:
    found = cnnspec("explain", is_terminal=True, env={"COLUMNS": "60"})
    assert max(map(len, found.out.splitlines())) == 60


def test_a_page_that_is_not_there() -> None:
    found = cnnspec("explain", "kernel-to-large")
    assert (found.status, found.out) == (2, "")
    assert found.err.endswith(
        "error: There is no page `kernel-to-large`. Did you mean `kernel-too-large`?\n"
    )
    found = cnnspec("explain", "../pages")
    assert found.err.endswith("There is no page `../pages`. `cnnspec explain` lists all pages.\n")


# ── specs ──────────────────────────────────────────────────────────────────────────────────────


def test_the_zoo_with_its_counts() -> None:
    found = cnnspec("specs")
    assert (found.status, found.err) == (0, "")
    head, *lines = found.out.splitlines()
    assert head.split() == ["name", "parameters", "MACs", "what"]
    assert [line.split()[0] for line in lines] == zoo.names()
    (lenet,) = (line for line in lines if line.startswith("lenet5 "))
    assert lenet.split(maxsplit=3)[1:3] == ["61,706", "416,520"]
    assert all(line.split(maxsplit=3)[3] for line in lines)


def test_the_zoo_is_cut_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "names", lambda: ["lenet5", "resnet18"])
    found = cnnspec("specs", is_terminal=True, env={"COLUMNS": "50"})
    assert all(len(line) <= 50 for line in found.out.splitlines())


def test_a_spec_of_the_zoo_that_is_wrong_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.cnn").write_text("# Bad\nnetwork {\n  input 8\n  fcc 2\n}\n")
    (tmp_path / "good.cnn").write_text("# Good\nnetwork {\n  input 8\n  fc 2\n}\n")
    monkeypatch.setattr(zoo, "folder", lambda _: str(tmp_path))
    found = cnnspec("specs")
    assert found.status == 1
    assert found.out.splitlines()[1:] == ["good           18              16  Good"]
    assert found.err.startswith("error[unknown-layer]: ")


# ── new ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_spec_is_right_and_canonical(here: Path) -> None:
    assert cnnspec("new", "digits") == Result(0, "", "wrote digits.cnn\n")
    assert cnnspec("check", "--strict", "digits.cnn") == Result(0, "", "")
    source = zoo.read("digits.cnn")
    assert format_file(parse(source, Sink())) == source.text
    assert source.text.startswith("# Digits: ")
    assert cnnspec("report", "digits.cnn", "--set", "classes=3").status == 0


def test_the_words_of_a_file_name_make_a_name(here: Path) -> None:
    (here / "nets").mkdir()
    assert cnnspec("new", "nets/my-digits.v2.cnn").err == "wrote nets/my-digits.v2.cnn\n"
    assert cnnspec("check", "--strict", "nets/my-digits.v2.cnn") == Result(0, "", "")
    assert "network My_digits_v2 {" in (here / "nets/my-digits.v2.cnn").read_text()


def test_nothing_is_overwritten(here: Path) -> None:
    (here / "digits.cnn").write_text("mine")
    assert cnnspec("new", "digits") == Result(
        1, "", "error: digits.cnn is there already; nothing was written\n"
    )
    assert (here / "digits.cnn").read_text() == "mine"


@pytest.mark.parametrize("name", ["2d", "größe", "a+b", "", "nets/"])
def test_what_is_no_name(name: str, here: Path) -> None:
    found = cnnspec("new", name)
    assert found.status == 2
    assert "is no name for a network" in found.err
    assert not list(here.iterdir())


def test_a_folder_that_is_not_there(here: Path) -> None:
    assert cnnspec("new", "nets/digits") == Result(
        1, "", "error: nets/digits.cnn: no such file or directory\n"
    )
