"""How does cnnspec work from Python?"""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import cnnspec
from calls import cnnspec as command
from cnnspec import api
from cnnspec.text.diagnostic import Diagnostic, Severity
from cnnspec.version import VERSION

TEXT = "param classes = 10\nnetwork Tiny {\n  input 1x8x8\n  flatten\n  fc classes\n}\n"


def test_the_package_offers_what_it_says() -> None:
    assert cnnspec.__version__ == VERSION
    for name in cnnspec.__all__:
        assert getattr(cnnspec, name) is not None
        assert name in dir(cnnspec)
    with pytest.raises(AttributeError, match="no attribute 'lood'"):
        _ = cnnspec.lood  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_the_package_loads_nothing_else() -> None:
    code = "import sys, cnnspec; print(*sorted(m for m in sys.modules if 'cnnspec' in m))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "cnnspec cnnspec.version\n"


def test_the_examples_in_the_documentation() -> None:
    result = doctest.testmod(api)
    assert result.attempted >= 3
    assert result.failed == 0


def test_a_network_by_path_by_name_and_from_text(tmp_path: Path) -> None:
    path = tmp_path / "tiny.cnn"
    path.write_text(TEXT)
    for network in (
        cnnspec.load(path),
        cnnspec.load(str(path)),
        cnnspec.load(TEXT),
        cnnspec.loads(TEXT),
    ):
        assert network.name == "Tiny"
        assert [layer.path for layer in network.layers] == ["input", "input_flatten", "fc10"]
        assert network.layers[-1].shape == (10,)
        assert network.params == {"classes": 10}
        assert network.diagnostics == ()
    assert cnnspec.load("lenet5").name == "LeNet5"
    assert cnnspec.load("lenet5.cnn").name == "LeNet5"


def test_a_file_may_use_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "base.cnn").write_text(TEXT)
    (tmp_path / "more.cnn").write_text('use "base.cnn" classes=20\n')
    assert cnnspec.load(tmp_path / "more.cnn").layers[-1].shape == (20,)


# ── params ─────────────────────────────────────────────────────────────────────────────────────


class Whole:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize(("value", "shape"), [(3, (3,)), (Whole(), (7,))])
def test_params_are_set_by_keyword(value: object, shape: tuple[int, ...]) -> None:
    assert cnnspec.load(TEXT, classes=value).layers[-1].shape == shape


def test_params_of_every_kind() -> None:
    text = (
        "param sizes = [1, 2]\nparam pad = 0\nparam bias = yes\nparam rate = 0.5\n"
        "network {\n  input 1x8x8\n"
        "  for s in sizes { conv s 3x3 pad=pad bias=bias }\n  dropout rate\n}\n"
    )
    network = cnnspec.load(text, sizes=[4, 5, 6], pad="same", bias=False, rate=0.25)
    assert network.params == {"sizes": (4, 5, 6), "pad": "same", "bias": False, "rate": 0.25}
    assert network.layers[-1].shape == (6, 8, 8)
    assert network.report().totals.params == 9 * (4 + 20 + 30)


def test_what_is_no_value_of_the_language() -> None:
    with pytest.raises(TypeError, match="a param is a number, yes or no, a word or a list"):
        cnnspec.load(TEXT, classes={"a": 1})


# ── mistakes ───────────────────────────────────────────────────────────────────────────────────


def test_an_error_prints_what_the_command_prints(tmp_path: Path) -> None:
    path = tmp_path / "tiny.cnn"
    path.write_text(TEXT.replace("flatten", "flaten"))
    with pytest.raises(cnnspec.SpecError) as caught:
        cnnspec.load(path)
    assert str(caught.value) == "\n" + command("check", str(path)).out
    (found,) = caught.value.diagnostics
    assert isinstance(found, Diagnostic)
    assert (found.code, found.severity) == ("unknown-layer", Severity.ERROR)
    assert found.span.text == "flaten"


def test_a_param_that_is_not_there() -> None:
    with pytest.raises(cnnspec.SpecError, match="has no param `clases`"):
        cnnspec.load(TEXT, clases=3)


def test_warnings_are_kept() -> None:
    network = cnnspec.load("param unused = 1\n" + TEXT)
    (found,) = network.diagnostics
    assert (found.code, found.severity) == ("unused-name", Severity.WARNING)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match="lenat5: there is no such file, nor such a spec in the zoo; did you mean `lenet5`",
    ):
        cnnspec.load("lenat5")
    with pytest.raises(IsADirectoryError):
        cnnspec.load(tmp_path)
    (tmp_path / "latin.cnn").write_bytes(b"# gr\xfcn")
    with pytest.raises(UnicodeDecodeError):
        cnnspec.load(tmp_path / "latin.cnn")


# ── what a network shows ───────────────────────────────────────────────────────────────────────


def test_a_report() -> None:
    report = cnnspec.load("lenet5").report(batch=8, explain=True)
    assert report.totals.params == 61_706
    assert report.batch == 8
    assert any(row.arithmetic for row in report.rows)


def test_printing_shows_the_table() -> None:
    network = cnnspec.load("lenet5")
    assert str(network) == command("report", "lenet5").out
    assert repr(network) == "<network LeNet5: 13 layers>"


def test_a_notebook_shows_html() -> None:
    html = cnnspec.load("lenet5")._repr_html_()
    assert "<table>" in html
    assert "61,706" in html


def test_expanding() -> None:
    network = cnnspec.load("resnet18", classes=5)
    again = cnnspec.loads(network.expand())
    assert again.report().totals == network.report().totals
    assert [layer.path for layer in again.layers] == [layer.path for layer in network.layers]
