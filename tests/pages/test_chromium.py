"""Does the driver of pages hear and see what a page does?"""

from pathlib import Path

import pytest

import chromium
from chromium import Browser, PageFailed

PAGE = """<!doctype html><meta charset="utf-8"><title>a page</title>
<style>body {{ margin: 0; background: white }} button {{ position: absolute; top: 2000px }}
@media (prefers-color-scheme: dark) {{ body {{ background: black }} }}</style>
<h1 id="top">A &amp; B</h1>{body}
<script>document.title = "scripts run"</script>"""

POLICY = "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\">"


def written(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(PAGE.format(body=body), encoding="utf-8")
    return path


def test_a_quiet_page_is_quiet(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(written(tmp_path, "<p>nothing here</p>"))
    page.is_quiet()
    assert page.text("h1") == "A & B"
    assert page.evaluate("document.title") == "scripts run"
    assert page.too_wide() == []
    page.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<script>nothing.here</script>", "nothing is not defined"),
        ("<script>console.error('so', 7)</script>", "so 7"),
        ("<script>Promise.reject(new Error('late'))</script>", "late"),
        (f"{POLICY}<img src='x.png'>", "Content Security Policy"),
    ],
)
def test_what_goes_wrong_is_heard(browser: Browser, tmp_path: Path, body: str, said: str) -> None:
    page = browser.open(written(tmp_path, body))
    with pytest.raises(AssertionError, match=said):
        page.is_quiet()
    page.close()


def test_a_request_is_heard(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(written(tmp_path, "<img src='picture.png'><img src='data:image/png,'>"))
    assert [r.rpartition("/")[2] for r in page.requests] == ["picture.png"]
    page.close()


def test_the_mouse_and_the_keyboard_reach_the_page(browser: Browser, tmp_path: Path) -> None:
    body = """<button id="far">0</button><input id="field"><script>
    far.addEventListener("click", () => far.textContent = Number(far.textContent) + 1)</script>"""
    page = browser.open(written(tmp_path, body))
    page.click("#far")
    assert page.text("#far") == "1"
    page.press("Enter")  # the button has the focus now
    page.press(" ")
    assert page.text("#far") == "3"
    page.type("#field", "conv")
    page.press("Tab")
    assert page.evaluate("field.value") == "conv"
    page.close()


def test_what_lies_under_another_thing_cannot_be_clicked(browser: Browser, tmp_path: Path) -> None:
    body = """<a href="#top">to the top</a><div style="position: fixed; inset: 0"></div>"""
    page = browser.open(written(tmp_path, body))
    with pytest.raises(PageFailed, match="cannot be clicked: <div"):
        page.click("a")
    with pytest.raises(PageFailed, match="nothing matches #missing"):
        page.click("#missing")
    page.close()


def test_what_is_too_wide_is_named(browser: Browser, tmp_path: Path) -> None:
    long = '<div style="width: 700px" class="{}">long</div>'
    body = f'<div style="overflow-x: auto">{long.format("inside")}</div>{long.format("bare")}'
    page = browser.open(written(tmp_path, body), width=390)
    assert page.too_wide() == ["div.bare ends at 700", "the page is 700 wide"]
    page.look(1280)
    assert page.too_wide() == []
    page.close()


def test_what_is_too_small_is_named(browser: Browser, tmp_path: Path) -> None:
    figure = """<svg viewBox="0 0 200 100" width="100"><title>unseen</title>
    <text y="50" font-size="16">half</text><text y="90" font-size="24">fine</text></svg>"""
    page = browser.open(written(tmp_path, figure))
    assert page.too_small() == ["8.0: half"]
    page.close()


def test_a_reader_may_want_it_dark_and_without_scripts(browser: Browser, tmp_path: Path) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page = browser.open(written(tmp_path, ""), dark=True, scripts=False)
    assert page.evaluate(paper) == "rgb(0, 0, 0)"
    assert page.evaluate("document.title") == "a page"
    page.look(390, dark=False)
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    assert page.evaluate("innerWidth") == 390
    page.close()


KEEPS = """<button id="far" onclick="this.textContent = 1">0</button><script>
localStorage.a = sessionStorage.a = 7;
const opening = indexedDB.open("a");
const kept = new Promise((done) => opening.onsuccess = () => done(opening.result.close()));
history.pushState(7, "");
</script>"""

KEPT = """(async () => [
  localStorage.length, sessionStorage.length, (await indexedDB.databases()).length, history.length,
  scrollY, innerWidth, matchMedia("(prefers-color-scheme: dark)").matches,
  document.querySelectorAll(":hover").length,
])()"""


@pytest.mark.parametrize("scripts", [True, False])
def test_a_page_knows_nothing_of_the_one_before(
    browser: Browser, tmp_path: Path, scripts: bool
) -> None:
    path = written(tmp_path, KEEPS)
    before = browser.open(path, width=390, dark=True)
    before.click("#far")
    before.evaluate("kept")
    stored = before.evaluate(KEPT)
    assert stored[:4] == [1, 1, 1, 3]
    assert stored[4] > 0
    assert stored[5:] == [390, True, 3], "the mouse is over the button"
    before.evaluate("console.error('so')")
    before.close()
    between = browser.open(written(tmp_path, "<p>nothing here</p>"), scripts=scripts)
    between.is_quiet()
    assert between.evaluate("document.title") == ("scripts run" if scripts else "a page")
    assert between.evaluate(KEPT) == [0, 0, 0, 2, 0, 1280, False, 0]
    between.close()


def test_a_picture_shows_the_whole_page(browser: Browser, tmp_path: Path) -> None:
    page = browser.open(written(tmp_path, '<div style="height: 3000px"></div>'), width=500)
    page.screenshot(tmp_path / "page.png")
    head = (tmp_path / "page.png").read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 500
    assert int.from_bytes(head[20:24], "big") > 3000
    page.close()


def test_without_a_browser_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert chromium.why_not() == (
        "there is no chromium or chromium-browser or google-chrome on this machine"
    )
