"""Does the page of an exercise show each step as it is, and move its window when it is asked to?"""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calls import by_hash_seed, cnnspec
from chromium import Browser, Page

KERNEL = "1 0 -1; 2 0 -2; 1 0 -1"
RGB = "1 2 3; 4 5 6; 7 8 9 | 1 0 1; 0 1 0; 1 0 1 | 2 2 2; 2 2 2; 2 2 2"
RGB_KERNEL = "1 0; 0 -1 | 2 1; 1 2 | 0 0; 1 0"

PAGES = {
    "small": ("counting", "--kernel", KERNEL, "--pad", "1"),
    "same": ("counting", "--kernel", "laplace"),
    "pool": ("2 2 2 0; 2 5 2 1; 2 2 2 0; 0 1 0 0", "--pool", "max", "2x2", "--pad", "1"),
    "rgb": (RGB, "--kernel", RGB_KERNEL, "--bias", "1"),
    "spread": ("edge", "--kernel", "(1 2 1; 0 0 0; 1 1 1)/3", "--stride", "2x1", "--dilation", "2"),
    "digit": ("digits:17", "--kernel", "sobel-x", "--pad", "1"),
    "picture": ("picture.png", "--kernel", "1 -1", "--channels", "rgb"),
    "one": ("7", "--kernel", "-2"),
}


def made(*args: str) -> str:
    found = cnnspec("convolve", *args, "-o", "-", env={"CNNSPEC_TRACEBACK": "1"})
    assert (found.status, found.err) == (0, "")
    return found.out


def picture(size: tuple[int, int]) -> bytes:
    values = np.random.default_rng(1).integers(0, 256, (*size, 3))
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "picture.png").write_bytes(picture((200, 300)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, args in PAGES.items():
            Path(f"{name}.html").write_text(made(*args), encoding="utf-8")
    return folder


def steps(page: str) -> list[list[str]]:
    """What the table of all steps says, without its tags."""
    rows = re.findall(r"<tr data-at=.*?</tr>", page, re.DOTALL)
    return [re.sub(r"<[^>]+>", " ", row).replace("\N{NO-BREAK SPACE}", " ").split() for row in rows]


# ── what it says ───────────────────────────────────────────────────────────────────────────────


def test_every_step_stands_in_it() -> None:
    page = made(*PAGES["small"])
    found = steps(page)
    assert len(found) == 25
    assert " ".join(found[7]) == (
        "2 3 2·1 + 3·0 + 4·(-1) + 7·2 + 8·0 + 9·(-2) + 12·1 + 13·0 + 14·(-1) = -8 "
        "2·(-1) + 3·0 + 4·1 + 7·(-2) + 8·0 + 9·2 + 12·(-1) + 13·0 + 14·1 = 8"
    )
    assert "cross-correlation (what CNN libraries call convolution)" in page
    assert "convolution (the kernel turned by 180°)" in page
    assert "(5 - 3 + 2·1)/1 + 1 = 5" in page


def test_a_kernel_that_is_the_same_turned_has_one_lane() -> None:
    page = made(*PAGES["same"])
    assert page.count("data-lane=") == 1
    assert "Turned by 180° this kernel is the same" in page


def test_it_is_one_file_with_one_script(folder: Path) -> None:
    for name in PAGES:
        page = (folder / f"{name}.html").read_text(encoding="utf-8")
        assert page.count("<script") == 1
        assert not re.search(r"\son\w+=", page)
        assert not re.findall(r"https?://", page)
        images = re.findall(r"<img [^>]*>", page)
        assert all('alt="' in image and "data:image/png;base64," in image for image in images)


def test_a_cut_out_of_a_large_picture(here: Path) -> None:
    values = np.full((300, 400), 90, np.uint8)
    values[200:, 300] = 200
    Image.fromarray(values).save(here / "line.png")
    page = made("line.png", "--kernel", "-1 0 1")
    assert page.count('<tr data-at="') == 144
    # The first of the strongest answers is where the line begins.
    assert "rows 195 to 206 and columns 293 to 304 of the output, of 300x398" in page
    assert page.count("<i style=") == 3
    at = made("line.png", "--kernel", "-1 0 1", "--at", "5,398")
    assert "rows 1 to 12 and columns 387 to 398" in at
    assert "around the strongest" not in at
    assert f'data-start="{4 * 12 + 11}"' in at


def test_the_worst_picture_stays_small(here: Path) -> None:
    (here / "noise.png").write_bytes(picture((960, 1000)))
    page = made("noise.png", "--kernel", "1 2 3; 4 5 6; 7 8 10", "--channels", "rgb")
    assert len(page) < 2_000_000


def test_a_kernel_too_large_to_write_out(here: Path) -> None:
    (here / "noise.png").write_bytes(picture((80, 90)))
    text = ";".join([" ".join(["1"] * 60)] * 60)
    page = made("noise.png", "--kernel", text)
    assert "has too many weights to be stepped through" in page
    assert "data-slide" not in page.split("<script")[0]
    assert page.count("<img") == 2


def test_hostile_names_stay_text(here: Path) -> None:
    name = "<script>alert(1)<\u2215script>\"onload='x' & ]]> \u202e.csv"
    (here / name).write_text("1 2; 3 4")
    page = made(name, "--kernel", "1")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page


def test_the_same_bytes_each_time(here: Path) -> None:
    assert len(by_hash_seed("-m", "cnnspec", "convolve", *PAGES["rgb"], "-o", "-")) == 1


# ── in a browser ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_and_are_quiet(browser: Browser, folder: Path, name: str) -> None:
    for width, dark, scripts in ((1280, False, True), (390, True, True), (390, False, False)):
        page = browser.open(folder / f"{name}.html", width=width, dark=dark, scripts=scripts)
        assert page.too_wide() == []
        assert page.too_small() == []
        page.is_quiet()
        page.close()


def shown(page: Page, lane: int = 0) -> list[str]:
    """The output as far as it can be seen."""
    script = f"""[...document.querySelectorAll("[data-lane]")[{lane}]
      .querySelectorAll("[data-output] tbody td:not(.later)")].map((c) => c.textContent)"""
    return page.evaluate(script)


def place(page: Page) -> str:
    return page.text("[data-player] output")


def window(page: Page) -> list[str]:
    """The numbers under the window, each with what it is multiplied by."""
    return page.evaluate(
        """[...document.querySelectorAll("[data-input] td.lit")]
        .map((c) => `${c.textContent}×${c.dataset.w}`)"""
    )


def test_step_by_step(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "small.html")
    assert place(page) == "row 1, column 1 · 1 of 25"
    assert shown(page) == ["-11"]
    for _ in range(7):
        page.click("[data-next]")
    assert place(page) == "row 2, column 3 · 8 of 25"
    assert shown(page) == ["-11", "-6", "-6", "-6", "17", "-28", "-8", "-8"]
    assert shown(page, 1) == ["11", "6", "6", "6", "-17", "28", "8", "8"]
    assert window(page) == [
        *("2×1", "3×0", "4×-1", "7×2", "8×0", "9×-2", "12×1", "13×0", "14×-1"),
    ]
    assert page.texts("[data-lane=convolution] [data-product] td") == [
        *("-2", "0", "4", "-14", "0", "18", "-12", "0", "14"),
    ]
    assert page.text("[data-lane=correlation] [data-sum]").replace("\u00a0", " ") == (
        "2·1 + 3·0 + 4·(-1) + 7·2 + 8·0 + 9·(-2) + 12·1 + 13·0 + 14·(-1) = -8"
    )
    page.click("[data-back]")
    assert place(page) == "row 2, column 2 · 7 of 25"
    page.close()


def test_keys_and_clicks(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "small.html")
    # A click on an answer leads there, and the keys go on from it.
    page.click("[data-lane=correlation] tbody tr:nth-child(4) td:nth-of-type(2)")
    assert place(page) == "row 4, column 2 · 17 of 25"
    keys = {
        "ArrowRight": "row 4, column 3 · 18 of 25",
        "ArrowUp": "row 3, column 3 · 13 of 25",
        "ArrowLeft": "row 3, column 2 · 12 of 25",
        "ArrowDown": "row 4, column 2 · 17 of 25",
        "End": "row 5, column 5 · 25 of 25",
        "Home": "row 1, column 1 · 1 of 25",
    }
    for key, said in keys.items():
        page.press(key)
        assert place(page) == said
    page.press("ArrowUp")
    assert place(page) == "row 1, column 1 · 1 of 25"
    page.click("[data-steps] tbody tr:nth-child(20)")
    assert place(page) == "row 4, column 5 · 20 of 25"
    assert len(shown(page)) == 20
    page.is_quiet()
    page.close()


def test_the_pointer_shows_a_window_and_gives_it_back(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "small.html")
    for kind in ("pointerenter", "pointerleave"):
        page.evaluate(
            f"""document.querySelectorAll("[data-output] tbody td")[24]
            .dispatchEvent(new PointerEvent("{kind}"))"""
        )
        said = {"pointerenter": "row 5, column 5", "pointerleave": "row 1, column 1"}[kind]
        assert place(page).startswith(said)
        assert shown(page) == ["-11"]
    page.close()


def test_it_plays_to_the_end_and_again(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "rgb.html")
    page.click("[data-play]")
    assert page.text("[data-play]") == "Pause"
    page.click("[data-play]")
    assert page.text("[data-play]") == "Play"
    page.press("ArrowRight")
    # Within four steps of 0.9 seconds, and then it stops by itself.
    page.evaluate(
        """(async () => {
          const play = document.querySelector("[data-play]");
          document.querySelector("[data-player] input").value = "2";
          document.querySelector("[data-player] input").dispatchEvent(new Event("input"));
          play.click();
          for (let i = 0; i < 100 && play.textContent === "Pause"; i++)
            await new Promise((done) => setTimeout(done, 50));
        })()"""
    )
    assert place(page) == "row 2, column 2 · 4 of 4"
    assert page.text("[data-play]") == "Play"
    page.click("[data-play]")
    assert place(page).endswith("1 of 4")
    page.close()


def test_the_largest_of_a_pool_is_pointed_at(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "pool.html")
    for _ in range(4):
        page.click("[data-next]")
    assert page.texts("[data-product] td") == ["5", "2", "2", "2"]
    assert page.texts("[data-product] td.most") == ["5"]
    page.close()


def test_windows_that_are_spread_or_leap(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "spread.html")
    page.click("[data-next]")
    products = page.texts("[data-lane=correlation] [data-product] td")
    assert products == ["10", "0", "0", "0", "0", "0", "10", "0", "0"]
    rows = """[...document.querySelectorAll("[data-input] td.lit")]
        .map((c) => [c.parentNode.rowIndex, c.cellIndex - 1])"""
    # The row of numbers is the table's first; its columns begin behind those of the rows.
    assert page.evaluate(rows) == [[i, j] for i in (1, 3, 5) for j in (1, 3, 5)]
    page.close()


def test_a_digits_numbers_stand_beside_it(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "digit.html")
    page.click("[data-lane=correlation] [data-output] tbody tr:nth-child(6) td:nth-of-type(11)")
    assert place(page).startswith("row 6, column 11 ")
    assert page.texts("[data-lane=correlation] [data-under] td") == [
        *("3", "139", "254", "130", "253", "253", "216", "243", "217"),
    ]
    assert page.text("[data-lane=correlation] [data-sum]").endswith("=\u00a0498")
    page.close()


def test_without_scripts_all_can_be_read(browser: Browser, folder: Path) -> None:
    page = browser.open(folder / "small.html", scripts=False)
    assert page.is_visible("[data-steps] tbody tr:last-child")
    assert not page.is_visible("[data-player]")
    assert len(shown(page)) == 25
    page.close()
