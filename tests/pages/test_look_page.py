"""Does the page of a network that looks at an input show all, mean it, and hold still?"""

import re
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from chromium import Browser
from cnnspec import load, loads
from cnnspec.pages import images
from cnnspec.pages.look import Looked
from cnnspec.pages.look_figures import files, grid, kernels
from cnnspec.pages.look_png import described
from cnnspec.run.look_kernels import Kernels

HOSTILE = '<script>alert(1)</script>"]]>\n\u202e&'

COLOURED = """
network Coloured {
  input 3x24x24
  conv 6 5x5 -> relu -> maxpool 2x2
  conv 40 3x3 -> relu
  avgpool global -> flatten -> fc 3 -> softmax
}
"""


def page(text: str, shape: tuple[int, ...], **wishes: Any) -> str:
    return looked(text, shape, **wishes).html()


def looked(text: str, shape: tuple[int, ...], **wishes: Any) -> Looked:
    x = np.random.default_rng(0).random(shape).astype(np.float32)
    return loads(text).look(x, **wishes)


def test_it_shows_all_that_was_found() -> None:
    found = looked(COLOURED, (3, 24, 24), attack="pgd", labels=("cat", "dog", "cow"))
    text = found.html()
    for word in ("saliency", "slope × input", "Grad-CAM", "occlusion by 3x3", "what is added"):
        assert f"<b>{word}</b>" in text, word
    assert "the first 32 of 40" in text
    assert "64 of 40" not in text
    assert f"It says {found.found.label}" in text
    assert "times as strong" in text
    # A picture has words for those who cannot see it.
    assert not re.search(r'<img(?![^>]* alt="[^"]+")', text)
    assert len(text) < 1_000_000


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("network { input 1x24 -> conv 4 3 -> relu -> flatten -> fc 2 }", (1, 24)),
        ("network { input 1x6x6x6 -> conv 4 3x3x3 -> relu -> flatten -> fc 2 }", (1, 6, 6, 6)),
        ("network { input 5 -> fc 4 -> tanh -> fc 1 }", (5,)),
        ("network { input 3x8x8 -> conv 3 3x3 -> softmax }", (3, 8, 8)),
        ("network { input 1x8x8 -> conv 1 3x3 pad=1 }", (1, 8, 8)),
        ("network { input 4x8x8 -> conv 2 3x3 -> relu -> flatten -> fc 2 }", (4, 8, 8)),
        ("network { input 2x8x8 -> conv 2 3x3 -> relu -> flatten -> fc 2 }", (2, 8, 8)),
    ],
)
def test_inputs_of_any_kind(spec: str, shape: tuple[int, ...]) -> None:
    found = looked(spec, shape, attack="fgsm")
    assert found.html().rstrip().endswith("</html>")
    for name, (pixels, text) in files(found.found).items():
        with Image.open(BytesIO(described(pixels, text))) as read:
            assert read.info["Description"] == text, name
            assert max(read.size) >= 384


def test_names_are_words_whatever_is_in_them() -> None:
    found = looked(COLOURED, (3, 24, 24), labels=(HOSTILE, HOSTILE + "2", "c"), attack="fgsm")
    text = Looked(found.found, HOSTILE).html()
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert text.count("<script>") == 1


def test_the_same_bytes_in_any_process() -> None:
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/pages']; import test_look_page as it, hashlib;"
        "print(hashlib.sha256(it.page(it.COLOURED, (3, 24, 24), attack='fgsm')"
        ".encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


# ── colours ─────────────────────────────────────────────────────────────────────────────────────


def oklab(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Ottosson's space, in which distances are as large as they look."""
    c = rgb / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_cones = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    to_lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    return np.cbrt(c @ np.array(to_cones).T) @ np.array(to_lab).T


def test_equal_steps_of_heat_look_equal() -> None:
    ramp = images.heat(np.linspace(0, 1, 33, dtype=np.float32)[None])[0].astype(np.float64)
    lab = oklab(ramp)
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    assert steps.max() / steps.min() < 1.4
    # By lightness alone, as in grey, the order is to be seen everywhere.
    lighter = np.diff(lab[:, 0])
    assert lighter.min() > 0.6 * lighter.mean()


def test_without_red_or_green_the_order_of_heat_stays() -> None:
    # Viénot, Brettel and Mollon (1999), for those without long or without middle cones.
    ramp = images.heat(np.linspace(0, 1, 33, dtype=np.float32)[None])[0] / 255
    linear = np.where(ramp <= 0.04045, ramp / 12.92, ((ramp + 0.055) / 1.055) ** 2.4)
    for red, green in ((0.11238, 0.88762), (0.29275, 0.70725)):
        yellow = linear[:, 0] * red + linear[:, 1] * green
        assert np.diff(yellow).min() > 0


def test_kernels_of_colours_are_in_colour() -> None:
    x = np.zeros((2, 3, 1, 1), np.float32)
    x[0, 0], x[1, 2] = 2, -2
    grid = kernels(Kernels("c", x, 2, 3, is_first=True))
    # Grey is 0; a kernel that looks for red alone is reddest.
    assert grid.pixels[0, 0].tolist() == [255, 128, 128]
    assert grid.pixels[0, 2].tolist() == [128, 128, 0]
    assert "grey is 0, full colours are ±2" in grid.more


def test_behind_the_end_of_a_vector_there_is_nothing() -> None:
    found = looked("network { input 5 -> fc 40 -> relu -> fc 2 }", (5,), layers=("fc40",)).found
    pixels = grid(found.maps[0]).pixels
    assert pixels.shape == (2, 32, 4)
    assert pixels[:, :, 3].reshape(-1).tolist() == [255] * 40 + [0] * 24


def test_a_file_says_what_it_shows() -> None:
    text = "saliency [0 … 1]: für ›a‹"
    made = described(np.zeros((5, 7), np.uint8), text)
    with Image.open(BytesIO(made)) as read:
        read.load()
        assert read.info["Description"] == text
        assert read.size == (7 * 55, 5 * 55)
    # Each chunk has the sum of its bytes.
    at = 8
    while at < len(made):
        (n,) = struct.unpack(">I", made[at : at + 4])
        body = made[at + 4 : at + 8 + n]
        assert struct.unpack(">I", made[at + 8 + n : at + 12 + n])[0] == zlib.crc32(body)
        at += 12 + n


def test_in_a_notebook_it_is_in_a_frame() -> None:
    found = looked("network { input 5 -> fc 2 }", (5,))
    seen: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    Reader().feed(found._repr_html_())  # pyright: ignore[reportPrivateUsage]
    ((tag, attributes),) = seen
    assert (tag, attributes["srcdoc"]) == ("iframe", found.html())
    assert "sandbox" in attributes


# ── in a browser ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    x = np.random.default_rng(0).random((1, 24)).astype(np.float32)
    long = "a class with a name that is as long as names of classes become " * 2
    path = tmp_path / "look.html"
    for shown in (
        load("cnn1d").look(x, attack="fgsm", labels=(long, long + "2")),
        looked(COLOURED, (3, 24, 24), attack="pgd", steps=5, labels=(HOSTILE, long, "x" * 200)),
    ):
        shown.save(path)
        opened = browser.open(path, width=width, dark=dark)
        assert opened.too_wide() == []
        assert opened.too_small() == []
        opened.click('nav a[href="#layers"]')
        assert opened.evaluate("location.hash") == "#layers"
        empty = "[...document.images].filter((i) => !i.complete || !i.naturalWidth).length"
        assert opened.evaluate(empty) == 0
        opened.is_quiet()
        opened.close()
