"""The table as people see it: golden texts, and what must hold at every width."""

import re
from io import StringIO

import pytest
from rich.console import Console

from cnnspec.report.calls import arguments, beyond_name
from cnnspec.report.facts import facts
from cnnspec.report.fold import fold
from cnnspec.report.table import Table, text
from conftest import Golden
from nets import build, build_file

LENET = "tests/model/lenet5.cnn"
RESNET = "tests/model/resnet50.cnn"


@pytest.mark.parametrize("width", [80, 120])
def test_lenet(golden: Golden, width: int) -> None:
    golden(f"lenet5_{width}.txt", text(facts(build_file(LENET)), width))


def test_lenet_explained(golden: Golden) -> None:
    golden("lenet5_explained.txt", text(facts(build_file(LENET), explain=True), 80))


def test_resnet_folded(golden: Golden) -> None:
    golden("resnet50_folded.txt", text(fold(facts(build_file(RESNET)), 0), 80))


def test_shared_weights(golden: Golden) -> None:
    golden("pair.txt", text(facts(build_file("tests/model/pair.cnn"), explain=True), 80))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_no_number_is_ever_cut(width: int) -> None:
    report = facts(build_file(RESNET))
    shown = set(re.findall(r"[\d,]+", text(report, width)))
    for row in report.rows:
        assert not row.params or f"{row.params:,}" in shown
        assert not row.macs or f"{row.macs:,}" in shown
    assert f"{report.totals.flops:,}" in shown


@pytest.mark.parametrize("width", [72, 80, 100, 120, 160])
def test_lines_fit_the_width(width: int) -> None:
    for path in (LENET, RESNET, "tests/model/pair.cnn"):
        for explain in (False, True):
            lines = text(facts(build_file(path), explain=explain), width).splitlines()
            assert max(len(line) for line in lines) <= width


def test_what_is_left_out_is_said() -> None:
    narrow = text(facts(build_file(RESNET)), 80)
    assert "left out at this width: buffers, connections, jump, memory, line" in narrow
    assert "left out" not in text(facts(build_file(RESNET)), 200)


def test_columns_are_left_out_in_their_order() -> None:
    report = facts(build_file(LENET))
    said = [
        text(report, width).partition("left out at this width: ")[2] for width in range(72, 130)
    ]
    assert list(dict.fromkeys(said))[-3:] == ["connections, line\n", "line\n", ""]


def test_names_say_what_calls_then_leave_out() -> None:
    assert beyond_name("conv64_3x3", arguments("conv 64 3x3 pad=1")) == ["pad=1"]
    assert beyond_name("conv64_3x3_2", arguments("conv 64 3x3 pad=1")) == ["pad=1"]
    assert beyond_name("conv64_3x3_maxpool", arguments("maxpool 3x3")) == ["3x3"]
    assert beyond_name("fc10_relu_2", arguments("relu")) == []
    assert beyond_name("e1", arguments("conv 6 5x5")) == ["conv", "6", "5x5"]


def test_a_long_argument_is_shortened() -> None:
    table = "((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5))"
    assert arguments(f"conv 4 5x5 connect={table}") == ["conv", "4", "5x5", "connect=…"]


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(facts(build_file(LENET)))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[36m" in printed(table, terminal=True)
    assert printed(table, terminal=False) == text(facts(build_file(LENET)), 80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed(table, terminal=True)


def printed(table: Table, *, terminal: bool) -> str:
    out = StringIO()
    Console(file=out, width=80, force_terminal=terminal).print(table, crop=False)
    return padded(out.getvalue())


def padded(shown: str) -> str:
    return "".join(line.rstrip() + "\n" for line in shown.splitlines())


def test_a_terminal_without_unicode_gets_ascii() -> None:
    out = StringIO()
    console = Console(file=out, width=80)
    options = console.options.update()
    options.encoding = "ascii"
    table = Table(facts(build_file(LENET), explain=True))
    for segment in console.render(table, options):
        assert segment.text.isascii()


def test_deep_blocks_are_indented() -> None:
    graph = build(
        """\
        block inner(n) { fc n -> relu }
        block outer(n) { inner n\n inner 2*n }
        network N { input 4\n outer 3 }
        """
    )
    shown = text(facts(graph), 80)
    assert "\n outer3\n   inner3\n     fc3 " in shown
    assert "\n   inner6\n     fc6 " in shown
