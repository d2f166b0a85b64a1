"""Does the page of a network show what is so, lead from part to part, and bear any spec?"""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from calls import cnnspec
from chromium import Browser, Page
from cnnspec import zoo
from cnnspec.api import load, loads
from cnnspec.draw import fold
from cnnspec.model.memory import alive
from cnnspec.pages import rows
from cnnspec.pages.network import network_page
from cnnspec.pages.rows import row_ids
from cnnspec.report.facts import facts
from cnnspec.text.source import Source
from nets import build

VOID = {"meta", "input", "br", "img", "hr", "link"}

HOSTILE = """</script><script>alert(1)</script>"onload='alert(2)' & ]]> \u202e"""


class Outline(HTMLParser):
    """Which elements does a page have, are they nested as they should be, where do links lead?"""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.rows: list[dict[str, str | None]] = []
        self.scripts = 0
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [id for id in [found.get("id")] if id]
        if tag == "a":
            self.links.add(found["href"] or "")
        if tag == "tr" and "data-level" in found:
            self.rows.append(found)
        self.scripts += tag == "script"
        self.addresses += [v or "" for k, v in attrs if k in ("src", "srcset", "action", "data")]
        self.handlers += [k for k, _ in attrs if k.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(spec: str, **params: object) -> str:
    network = load(spec, **params)
    report = facts(network.graph, explain=True)
    return network_page(network.graph, report, warnings=network.diagnostics)


def sound(page: str) -> Outline:
    """The outline of a page whose links all lead somewhere and that asks for nothing."""
    found = Outline(page)
    assert len(found.ids) == len(set(found.ids))
    assert {link for link in found.links if link[1:] not in found.ids} == set()
    assert found.scripts == 1
    assert (found.addresses, found.handlers) == ([], [])
    return found


@pytest.mark.parametrize("name", zoo.names())
def test_every_page_of_the_zoo(name: str) -> None:
    network = load(name)
    page = network_page(network.graph, facts(network.graph, explain=True))
    ids, links = re.findall(r' id="([^"]*)"', page), set(re.findall(r' href="#([^"]*)"', page))
    assert len(ids) == len(set(ids))
    assert links <= set(ids)
    rows = re.findall(r"<tr id=[^>]*>", page)
    assert sum("data-block" not in row for row in rows) == len(network.layers)
    assert page.count('class="scroll fit drawing"') == 2
    assert len(page) < 3_000_000


def test_what_it_says_of_lenet5() -> None:
    page = page_of("lenet5")
    for text in (
        "<h1>LeNet5</h1>",
        "<span>parameters</span><b>61,706</b><span>246.8 kB, all trained</span>",
        "<span>MACs</span><b>416,520</b><span>833,040 FLOPs</span>",
        "<span>receptive field</span><b>16 px</b><span>of the input&#39;s 28x28</span>",
        "<dt>parameters</dt><dd>(5·5·1 + 1)·6 = 156</dd>",
        '<td class="n" data-n="48120" style="--part:100.0%">48,120</td>',
        'data-line="7">  conv 6 5x5 pad=2 -&gt; tanh',
        "37.6 kB at conv6_5x5_tanh",
        "16 · conv16_5x5_avgpool",
        "1 MAC = 1 multiply-add",
    ):
        assert text in page, text


def test_blocks_are_rows_with_their_sums() -> None:
    graph = load("resnet18").graph
    found = sound(page_of("resnet18"))
    by_id = {r["id"]: r for r in found.rows}
    assert "data-block" in by_id["row-basic64"]
    assert by_id["row-basic64"]["data-level"] == "0"
    assert by_id["row-basic64.conv64_3x3"]["data-level"] == "1"
    levels = [int(r["data-level"] or 0) for r in found.rows]
    # Each layer of a block follows the row of that block.
    assert all(b <= a + 1 for a, b in pairwise(levels))
    page = page_of("resnet18")
    row = page[page.index('id="row-basic64"') :]
    assert row.index("73,984") < row.index("</tr>")
    assert sum(1 for r in found.rows if "data-block" not in r) == len(graph.nodes)


def test_rows_and_boxes_lead_to_each_other() -> None:
    found = sound(page_of("lenet5"))
    for name in ("conv6_5x5", "conv16_5x5_avgpool", "fc120", "fc10_softmax"):
        assert f"#row-{name}" in found.links
    assert any(link.startswith("#layer-conv6_5x5") for link in found.links)
    # A line of the table leads to the line of the text.
    assert "#text0-7" in found.links


def test_memory_over_time_is_what_the_report_says() -> None:
    for name in ("lenet5", "unet", "resnet50", "siamese", "densenet121"):
        graph = load(name).graph
        assert max(alive(graph)) == facts(graph).totals.inference.values


def test_memory_over_time_by_hand() -> None:
    graph = build("network N { input 2x4x4\n add { | conv 2 1x1 -> relu | }\n flatten }")
    # 32 numbers each: the input alone; with the convolution's output; with the ReLU's as well,
    # the convolution's not yet gone; the input and both of them end as the sum is made.
    assert [n // 128 for n in alive(graph)] == [1, 2, 3, 3, 1]


def test_nets_without_places() -> None:
    page = page_of("mlp")
    sound(page)
    assert "What it sees" not in page
    assert "receptive field</span>" not in page


def test_a_net_without_weights() -> None:
    network = loads("network N { input 1x8x8 -> maxpool 2x2 -> relu }")
    page = network_page(network.graph, facts(network.graph, explain=True))
    sound(page)
    assert "Parameters and work" not in page


def test_signals_and_volumes_have_windows() -> None:
    assert "24 · conv16_3" in page_of("cnn1d")
    assert "What a pixel in the middle sees" in page_of("conv3d")


def test_several_inputs_and_heads() -> None:
    page = page_of("siamese")
    sound(page)
    assert "counted at" in page
    assert "outputs" in page_of("retinanet")


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    source = Source(
        f"{HOSTILE}.cnn",
        f"# {HOSTILE}\nnetwork N {{ input 1x8x8 -> conv 2 3x3 -> flatten -> fc 2 }}\n",
    )
    graph = build(source.text, source.name)
    page = network_page(graph, facts(graph, explain=True), source=source)
    sound(page)
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert r"\u202e" in page


def test_ids_of_odd_paths_are_safe_and_their_own() -> None:
    graph = build("network N { input 1x8x8 -> conv 2 3x3 -> conv 2 3x3 }")
    report = facts(graph)
    first, *rest = report.rows
    odd = [first.model_copy(update={"path": path, "block": ""}) for path in ('a"b', "a<b", "a b")]
    ids = row_ids([*odd, *rest])
    assert list(ids.values())[:3] == ["row-a_b", "row-a_b_2", "row-a_b_3"]
    assert all(re.fullmatch(r"[\w.-]+", id) for id in ids.values())


def test_an_enormous_net_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 20)
    flat = loads("network N { input 1x8x8\n repeat 30 { relu }\n }").graph
    page = network_page(flat, facts(flat, explain=True))
    assert len(sound(page).rows) == 20
    assert "11 rows in the middle are left out." in page
    text = "block b() { relu -> relu }\nnetwork N { input 1x8x8\n repeat 15 { b }\n }"
    blocks = loads(text).graph
    page = network_page(blocks, facts(blocks, explain=True))
    assert len(sound(page).rows) == 16
    assert "blocks are folded: 31 rows are too many for a page." in page


def test_what_cannot_be_drawn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MOST_BOXES", 3)
    page = page_of("lenet5")
    sound(page)
    assert '<p class="soft">as a graph: ' in page
    assert "as volumes</summary>" in page


# ── from the command line ───────────────────────────────────────────────────────────────────────


def test_the_command_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "net.html"
    found = cnnspec("report", "lenet5", "--html", str(path))
    assert (found.status, found.out, found.err) == (0, "", f"wrote {path}\n")
    page = path.read_text(encoding="utf-8")
    assert cnnspec("report", "lenet5", "--html", "-").out == page
    assert page.startswith("<!doctype html>")
    assert page.endswith("</html>\n")


def test_settings_and_batch_reach_it() -> None:
    page = cnnspec("report", "alexnet", "--set", "classes=7", "--batch", "64", "--html", "-").out
    assert "classes=7" in page
    assert "for 64 images" in page
    assert "Memory is for a batch of 64." in page
    assert 'id="row-fc7"' in page


def test_depth_folds_at_first_and_only_leaves_out() -> None:
    page = cnnspec("report", "retinanet", "--depth", "0", "--html", "-").out
    assert 'data-tree data-depth="0"' in page
    page = cnnspec("report", "lenet5", "--only", "conv16", "--html", "-")
    assert "4 of 14 rows; the totals are the network&#39;s." in page.out
    assert page.err.startswith("4 of 14 rows")
    assert len(sound(page.out).rows) == 4


def test_warnings_stand_on_it(tmp_path: Path) -> None:
    spec = tmp_path / "odd.cnn"
    spec.write_text("param unused = 1\nnetwork N {\n  input 8\n  fc 2\n}\n", encoding="utf-8")
    found = cnnspec("report", str(spec), "--html", "-")
    assert "warning[unused-name]" in found.err
    assert "param `unused` is never used" in found.out
    assert '<a href="#text0-1">' in found.out
    sound(found.out)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--html", "x.html", "--format", "json"), "--html writes a page"),
        (("--html", "x.html", "--stop-after", "graph"), "--html writes a page"),
    ],
)
def test_what_does_not_go_together(args: tuple[str, ...], said: str) -> None:
    found = cnnspec("report", "lenet5", *args)
    assert found.status == 2
    assert said in found.err
    assert not Path("x.html").exists()


def test_it_does_not_overwrite_its_spec(tmp_path: Path) -> None:
    spec = tmp_path / "a.cnn"
    spec.write_text("network N { input 8 -> fc 2 }\n", encoding="utf-8")
    found = cnnspec("report", str(spec), "--html", str(spec))
    assert (found.status, found.out) == (2, "")
    assert "is the spec itself" in found.err
    assert spec.read_text(encoding="utf-8").startswith("network N")


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "net.html"
    found = cnnspec("report", "lenet5", "--html", str(path))
    assert found.status == 1
    assert found.err == f"error: {path}: no such file or directory\n"
    found = cnnspec("report", "lenet5", "--html", str(tmp_path))
    assert (found.status, found.err.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_spec_that_is_wrong_leaves_no_page(tmp_path: Path) -> None:
    spec = tmp_path / "a.cnn"
    spec.write_text("network N { input 8 -> fx 2 }\n", encoding="utf-8")
    found = cnnspec("report", str(spec), "--html", str(tmp_path / "a.html"))
    assert (found.status, found.out) == (1, "")
    assert not (tmp_path / "a.html").exists()


# ── in a browser ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    for name in ("lenet5", "resnet18", "cnn1d"):
        (folder / f"{name}.html").write_text(page_of(name), encoding="utf-8")
    return folder


def shown(page: Page) -> list[str]:
    """The names of the rows that can be seen."""
    return page.evaluate(
        """[...document.querySelectorAll("#table-layers tbody tr")]
        .filter((r) => r.checkVisibility()).map((r) => r.cells[0].innerText.trim())"""
    )


@pytest.mark.parametrize("name", ["lenet5", "resnet18", "cnn1d"])
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
def test_pages_fit_and_are_quiet(browser: Browser, folder: Path, name: str, scripts: bool) -> None:
    for width, dark in ((1280, False), (390, True)):
        page = browser.open(folder / f"{name}.html", width=width, dark=dark, scripts=scripts)
        assert page.too_wide() == []
        page.is_quiet()
        page.close()


def test_without_scripts_all_can_be_read(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "resnet18.html", scripts=False)
    assert len(shown(page)) == 70 + 8
    assert not page.is_visible(".tools")
    assert not page.is_visible(".fold")
    page.close()


def test_sorting(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "lenet5.html")
    first = shown(page)
    params = "thead th:nth-child(4)"
    page.click(f"{params} button")
    assert shown(page)[:3] == ["fc120", "fc84", "conv16_5x5"]
    assert page.evaluate(f"document.querySelector('{params}').ariaSort") == "descending"
    page.press("Enter")
    assert shown(page)[-1] == "fc120"
    page.press("Enter")
    assert shown(page) == first
    page.click("thead th:nth-child(1) button")
    # By numbers in names, not by digits: 6 before 16.
    assert shown(page)[:4] == ["conv6_5x5", "conv6_5x5_avgpool", "conv6_5x5_tanh", "conv16_5x5"]
    page.is_quiet()
    page.close()


def test_folding(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "resnet18.html")
    # More than one sees at once, so blocks are folded at first.
    assert "basic64" in shown(page)
    assert len(shown(page)) == 16
    page.click("#row-basic64 .fold")
    assert "conv64_3x3" in shown(page)
    assert len(shown(page)) == 16 + 7
    page.press("Enter")
    assert len(shown(page)) == 16
    page.click("[data-fold=none]")
    assert len(shown(page)) == 78
    page.click("[data-fold=all]")
    assert len(shown(page)) == 16
    # Sorted, the table is flat, and names are whole.
    page.click("thead th:nth-child(4) button")
    assert shown(page)[0].startswith("basic512")
    assert len(shown(page)) == 70
    page.is_quiet()
    page.close()


def test_filtering(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "resnet18.html")
    page.type("[data-filter]", "MaxPool")
    assert shown(page) == ["conv64_7x7_maxpool"]
    assert page.text(".tools output") == "1 of 70 layers"
    page.close()


def test_links_between_figure_and_table(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "lenet5.html")
    page.click('.drawing a[href="#row-fc84"]:has(text)')
    assert page.evaluate("document.querySelector('tr:target').id") == "row-fc84"
    background = "getComputedStyle(document.querySelector('{}')).backgroundColor"
    lit = page.evaluate(background.format("tr:target"))
    assert lit != page.evaluate(background.format("#row-fc10"))
    page.click("#row-conv6_5x5 th a")
    assert page.evaluate("document.querySelector(':target').dataset.path") == "conv6_5x5"
    page.click("#row-conv6_5x5 td:last-child a")
    assert page.text(":target").strip() == "conv 6 5x5 pad=2 -> tanh  # 6 maps of 28x28"
    page.is_quiet()
    page.close()
    # The row of a block, which has a colour of its own, is lit as well.
    page = browser.open(folder / "resnet18.html")
    page.click('.drawing a[href="#row-basic256"]')
    assert page.evaluate("document.querySelector('tr:target').id") == "row-basic256"
    assert page.evaluate(background.format("tr:target")) == lit
    page.close()


def test_a_link_into_a_folded_block_opens_it(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "resnet18.html")
    hidden = "#row-basic128.conv128_3x3".replace(".", "\\\\.")
    assert not page.is_visible(hidden.replace("\\\\", "\\"))
    page.evaluate("location.hash = '#row-basic128.conv128_3x3'")
    assert page.evaluate("document.querySelector('tr:target').checkVisibility()")
    # What is filtered out is shown again when a link leads there.
    page.type("[data-filter]", "fc1000")
    page.evaluate("location.hash = '#row-basic64'")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.evaluate("document.querySelector('tr:target').checkVisibility()")
    page.is_quiet()
    page.close()


def test_nothing_from_a_spec_is_executed(browser: Browser, tmp_path: Path) -> None:
    graph = build(f"# {HOSTILE}\nnetwork N {{ input 1x8x8 -> conv 2 3x3 }}\n", f"{HOSTILE}.cnn")
    path = tmp_path / "hostile.html"
    path.write_text(network_page(graph, facts(graph, explain=True)), encoding="utf-8")
    page = browser.open(path, width=390)
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.querySelectorAll('[onload]').length") == 0
    assert "alert(1)" in page.text("h3")
    assert page.too_wide() == []
    page.is_quiet()
    page.close()


def test_the_arithmetic_of_a_layer(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "lenet5.html")
    row = "#row-fc120 details"
    assert not page.is_visible(f"{row} dl")
    before = page.evaluate("document.querySelector('#table-layers').offsetWidth")
    page.click(f"{row} summary")
    assert page.is_visible(f"{row} dl")
    assert "(400 + 1)·120 = 48,120" in page.text(f"{row} dl")
    assert page.evaluate("document.querySelector('#table-layers').offsetWidth") == before
    page.close()
