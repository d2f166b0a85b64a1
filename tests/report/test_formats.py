"""Markdown, comma-separated values, HTML and the schema's page."""

import csv
import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest

from cnnspec.report.facts import facts
from cnnspec.report.markdown import markdown
from cnnspec.report.notebook import MOST_ROWS, html
from cnnspec.report.schema import json_schema, page
from cnnspec.report.sheet import sheet
from cnnspec.report.units import number, of_bytes, sizes
from conftest import Golden
from nets import build, build_file

LENET = "tests/model/lenet5.cnn"


def test_markdown(golden: Golden) -> None:
    golden("lenet5.md", markdown(facts(build_file(LENET))))


def test_the_arithmetic_in_markdown() -> None:
    shown = markdown(facts(build_file(LENET), explain=True))
    assert "### `conv6_5x5`" in shown
    assert "(5·5·1 + 1)·6 = 156" in shown


def test_rows_of_a_markdown_table_have_one_cell_a_column() -> None:
    lines = markdown(facts(build_file("tests/model/pair.cnn"))).splitlines()
    bars = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}
    assert len(bars) == 1


def test_a_sheet_holds_plain_numbers() -> None:
    report = facts(build_file(LENET))
    rows = list(csv.DictReader(StringIO(sheet(report))))
    assert sum(int(r["params"]) for r in rows) == 61_706
    assert sum(int(r["macs"]) for r in rows) == 416_520
    assert rows[4]["output"] == "16x10x10"
    assert rows[4]["receptive_field"] == "14x14"
    assert rows[4]["start"] == "-2x-2"
    assert rows[-1]["receptive_field"] == ""
    assert "arithmetic" not in rows[0]
    explained = list(csv.DictReader(StringIO(sheet(facts(build_file(LENET), explain=True)))))
    assert explained[1]["arithmetic"].startswith("size (28 - 5 + 2·2)/1 + 1 = 28; parameters")


class Balance(HTMLParser):
    """Every element that opens closes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_balanced_and_has_no_script() -> None:
    parser = Balance()
    parser.feed(html(facts(build_file(LENET), explain=True)))
    assert parser.open == []
    assert "script" not in parser.seen


def test_html_escapes_what_comes_from_a_spec() -> None:
    shown = html(facts(build("network N { input 4\n fc 2 }", name="<script>alert(1)</script>.cnn")))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_html_of_a_huge_network_stays_small() -> None:
    many = 3 * MOST_ROWS
    flat = html(facts(build(f"network N {{ input 4\n repeat {many} {{ relu }} }}")))
    assert flat.count("<tr>") < 1.1 * MOST_ROWS
    assert f"{many + 1 - MOST_ROWS:,} rows in the middle are not shown" in flat
    blocks = (
        f"block b() {{ relu -> relu }}\nnetwork N {{ input 4\n repeat {MOST_ROWS // 2} {{ b }} }}"
    )
    assert "blocks are folded" in html(facts(build(blocks)))


def test_the_schema_has_a_page(bless: bool) -> None:
    path = Path(__file__).resolve().parents[2] / "docs" / "report-schema.md"
    if bless:
        path.write_text(page(), encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == page(), "`pytest --bless` writes the page anew"


def test_the_json_schema_knows_the_version() -> None:
    schema = json.loads(json_schema())
    assert schema["properties"]["schema"]["const"] == 1
    assert "rows" in schema["required"]


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (246_824, "246.8 kB"), (999_960, "1.0 MB"),
     (4_800_000_000, "4.8 GB"), (3 * 10**15, "3,000.0 TB")],
)  # fmt: skip
def test_bytes_in_decimal_units(n: int, said: str) -> None:
    assert of_bytes(n) == said


def test_numbers() -> None:
    assert number(3 * (1 / 3)) == "1"
    assert number(0.5) == "0.5"
    assert sizes((7, 7)) == "7"
    assert sizes((1, 7)) == "1x7"
