"""Does `cnnspec draw` write the figure that is asked for, and nothing else?"""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from calls import cnnspec
from cnnspec.cli import png


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_named_after_the_spec(here: Path) -> None:
    found = cnnspec("draw", "lenet5")
    assert (found.status, found.err) == (0, "")
    content = (here / "lenet5.svg").read_text()
    assert found.out == f"lenet5.svg: {len(content.encode()) / 1000:.1f} kB\n"
    assert ElementTree.fromstring(content).attrib["role"] == "img"
    assert content.endswith("</svg>\n")


def test_stdout(here: Path) -> None:
    found = cnnspec("draw", "lenet5", "-o", "-")
    assert found.out.startswith("<svg ")
    assert not list(here.iterdir())
    same = cnnspec("draw", "-", "-o", "-", stdin="network N { input 8 -> fc 2 }")
    assert same.out.startswith("<svg ")


def test_settings_theme_and_depth(here: Path) -> None:
    plain = cnnspec("draw", "resnet18", "-o", "-", "--depth", "0").out
    assert "basic ×2" in plain
    assert "basic ×2" not in cnnspec("draw", "resnet18", "-o", "-", "--depth", "1").out
    fewer = cnnspec("draw", "resnet18", "-o", "-", "--depth", "0", "--set", "classes=10").out
    assert ("fc 10<" in fewer, "fc 10<" in plain) == (True, False)
    assert "prefers-color-scheme" in plain
    dark = cnnspec("draw", "lenet5", "-o", "-", "--theme", "dark").out
    assert "prefers-color-scheme" not in dark


@pytest.mark.parametrize("style", ["volumes", "graph"])
def test_styles(here: Path, style: str) -> None:
    found = cnnspec("draw", "lenet5", "--style", style, "-o", "net.svg")
    assert (found.status, found.err) == (0, "")
    ElementTree.parse(here / "net.svg")


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("net.mmd", "flowchart"),
        ("net.mermaid", "flowchart"),
        ("net.dot", "digraph"),
        ("net.GV", "digraph"),
    ],
)
def test_texts_for_other_programs(here: Path, name: str, beginning: str) -> None:
    found = cnnspec("draw", "lenet5", "-o", name)
    assert (found.status, found.err) == (0, "")
    assert beginning in (here / name).read_text()
    form = "mermaid" if beginning == "flowchart" else "dot"
    assert cnnspec("draw", "lenet5", "-o", "-", "--format", form).out == (here / name).read_text()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-o", "net.jpg"), "net.jpg: its name does not say what to write; say it with --format"),
        (("-o", "net"), "net: its name does not say what to write"),
        (("-o", "x.mmd", "--style", "volumes"), "mermaid is a text of boxes; --style volumes has"),
        (("-o", "x.dot", "--theme", "dark"), "dot has no colours for --theme to choose."),
        (("--depth", "-1"), "Invalid value for '--depth'"),
    ],
)
def test_wrong_calls(here: Path, args: tuple[str, ...], said: str) -> None:
    found = cnnspec("draw", "lenet5", *args)
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert not list(here.iterdir())


def test_a_spec_from_stdin_needs_a_name(here: Path) -> None:
    found = cnnspec("draw", "-", stdin="network N { input 8 -> fc 2 }")
    assert found.status == 2
    assert "A spec from standard input needs -o, the file to write." in found.err


def test_what_is_wrong_writes_nothing(here: Path) -> None:
    wrong = cnnspec("draw", "-", "-o", "net.svg", stdin="network N { input 8 -> conv 3 3x3 }")
    assert wrong.status == 1
    assert wrong.err.startswith("error[")
    nowhere = cnnspec("draw", "lenet5", "-o", "no/net.svg")
    assert (nowhere.status, nowhere.err) == (1, "error: no/net.svg: no such file or directory\n")
    assert not list(here.iterdir())


def test_more_maps_than_a_figure_holds(here: Path) -> None:
    many = "network Many { input 8\nrepeat 1_500 { fc 4 -> fc 8 } }"
    found = cnnspec("draw", "-", "-o", "net.svg", stdin=many)
    assert (found.status, found.out) == (1, "")
    assert found.err == "error: 3,001 maps are too many for a figure, which holds 2,000\n"
    assert not list(here.iterdir())


# ── pixels ─────────────────────────────────────────────────────────────────────────────────────


def test_pixels(here: Path) -> None:
    try:
        png.converter()
    except ValueError as reason:
        pytest.skip(str(reason))
    found = cnnspec("draw", "mlp", "-o", "net.png")
    assert (found.status, found.err) == (0, "")
    content = (here / "net.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    wide = float(ElementTree.fromstring(cnnspec("draw", "mlp", "-o", "-").out).attrib["width"])
    # The width stands behind the signature, a length and a name.
    assert abs(int.from_bytes(content[16:20]) - 2 * wide) <= 2


@pytest.fixture
def no_converters(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def nothing(name: str) -> None:
        return None

    monkeypatch.setattr(png, "find_spec", nothing)
    monkeypatch.setattr(png, "which", nothing)
    return monkeypatch


def test_without_a_converter_it_says_what_to_install(
    here: Path, no_converters: pytest.MonkeyPatch
) -> None:
    found = cnnspec("draw", "lenet5", "-o", "net.png")
    assert (found.status, found.out) == (1, "")
    assert found.err == (
        "error: a png needs a converter; install one of CairoSVG (the Python package cairosvg), "
        "rsvg-convert, Inkscape or Chromium, or write an .svg\n"
    )
    assert not list(here.iterdir())


@pytest.mark.parametrize("name", ["rsvg-convert", "inkscape", "chromium"])
def test_a_converter_is_called(here: Path, no_converters: pytest.MonkeyPatch, name: str) -> None:
    """One that only copies, so that each call is tried wherever the tests run."""
    program = here / name
    program.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys, urllib.parse\n"
        "words = [w.rpartition('=')[2] for w in sys.argv[1:]]\n"
        "target = next(w for w in words if w.endswith('figure.png'))\n"
        "source = next(w for w in words if w.endswith('figure.svg')).removeprefix('file://')\n"
        "svg = pathlib.Path(source).read_bytes()\n"
        "pathlib.Path(target).write_bytes(b'\\x89PNG' + svg)\n"
    )
    program.chmod(0o755)
    no_converters.setattr(png, "which", lambda asked: str(program) if asked == name else None)
    found = cnnspec("draw", "lenet5", "-o", "net.png")
    assert (found.status, found.err) == (0, "")
    content = (here / "net.png").read_bytes()
    assert content.startswith(b"\x89PNG<svg ")
    # No program need know what a reader's system wishes.
    assert b"prefers-color-scheme" not in content


def test_a_converter_that_fails(here: Path, no_converters: pytest.MonkeyPatch) -> None:
    program = here / "rsvg-convert"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('one\\ntwo: no memory')\n")
    program.chmod(0o755)
    no_converters.setattr(png, "which", lambda asked: str(program))
    found = cnnspec("draw", "lenet5", "-o", "net.png")
    assert (found.status, found.err) == (1, "error: rsvg-convert wrote no png: two: no memory\n")
    assert not (here / "net.png").exists()


def test_a_converter_that_is_not_done(here: Path, no_converters: pytest.MonkeyPatch) -> None:
    def slow(*args: object, timeout: float, **kinds: object) -> None:
        raise subprocess.TimeoutExpired("rsvg-convert", timeout)

    no_converters.setattr(png, "which", lambda asked: "rsvg-convert")
    no_converters.setattr(png.subprocess, "run", slow)
    found = cnnspec("draw", "lenet5", "-o", "net.png")
    assert found.err == "error: rsvg-convert is not done after 120 seconds\n"


def test_a_png_is_nothing_for_a_terminal(here: Path, no_converters: pytest.MonkeyPatch) -> None:
    no_converters.setattr(png, "converter", lambda: ("rsvg-convert", "x"))
    no_converters.setattr(png, "png", lambda *args: b"\x89PNG")
    found = cnnspec("draw", "lenet5", "-o", "-", "--format", "png", is_terminal=True)
    assert found.status == 2
    assert "A png is nothing for a terminal; name a file with -o." in found.err
