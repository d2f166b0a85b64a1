"""Does `convolve` read what is meant, show each sum, and say clearly what is wrong?"""

import io
import json
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from calls import cnnspec
from cli.test_startup import HEAVY, loaded_by
from cnnspec.sliding.kernels import DOCS, kernel

SMALL = "1 2 3; 4 5 6; 7 8 9"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def out(*args: str, stdin: str | bytes = "") -> str:
    found = cnnspec("convolve", *args, stdin=stdin)
    assert (found.status, found.err) == (0, "")
    return found.out


def rows(*args: str, stdin: str | bytes = "") -> list[list[float]]:
    text = out(*args, "--csv", stdin=stdin)
    return [[float(x) for x in line.split(",")] for line in text.splitlines()]


# ── the terminal ───────────────────────────────────────────────────────────────────────────────


def test_a_small_matrix() -> None:
    assert (
        out(SMALL, "--kernel", "1 0; 0 -1")
        == """\
cross-correlation (what CNN libraries call convolution)
stride 1 · no padding

input 3x3     kernel 2x2   output 2x2
┌         ┐   ┌       ┐    ┌        ┐
│ 1  2  3 │   │ 1   0 │    │ -4  -4 │
│ 4  5  6 │   │ 0  -1 │    │ -4  -4 │
│ 7  8  9 │   └       ┘    └        ┘
└         ┘

size: ⌊(n - k + 2p)/s⌋ + 1
  (3 - 2 + 2·0)/1 + 1 = 2

row 1, column 1: 1·1 + 2·0 + 4·0 + 5·(-1) = -4
row 1, column 2: 2·1 + 3·0 + 5·0 + 6·(-1) = -4
row 2, column 1: 4·1 + 5·0 + 7·0 + 8·(-1) = -4
row 2, column 2: 5·1 + 6·0 + 8·0 + 9·(-1) = -4

convolution (the kernel turned by 180°) would be
kernel 2x2, turned   output 2x2
┌       ┐            ┌      ┐
│ -1  0 │            │ 4  4 │
│  0  1 │            │ 4  4 │
└       ┘            └      ┘
"""
    )


def test_a_terminal_that_knows_only_ascii() -> None:
    found = cnnspec("convolve", SMALL, "--kernel", "(1 0; 0 -1)/3", "--at", "2,1")
    assert "│" in found.out
    from cnnspec.cli import convolved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convolved, "can_draw", lambda: False)
        plain = out(SMALL, "--kernel", "(1 0; 0 -1)/3", "--at", "2,1")
    assert plain.isascii()
    assert "[ 1  2  3 ]   [ 1   0 ]" in plain
    assert plain.endswith("row 2, column 1: (4*1 + 5*0 + 7*0 + 8*(-1))/3 = -4/3 ~ -1.3333\n")


def test_a_narrow_terminal() -> None:
    found = cnnspec(
        "convolve",
        "digits:17",
        "--kernel",
        "box",
        "--at",
        "6,11",
        env={"COLUMNS": "40", "NO_COLOR": "1"},
        is_terminal=True,
    )
    lines = found.out.splitlines()
    assert max(map(len, lines)) <= 40
    assert "…" in found.out
    assert "\x1b" not in found.out
    one = next(k for k, line in enumerate(lines) if line.startswith("row 6, column 11:"))
    assert " ".join(line.strip() for line in lines[one:]).endswith("/9 = 1525/9 ≈ 169.4444")


def test_the_window_is_pointed_at_in_colour() -> None:
    found = cnnspec("convolve", SMALL, "--kernel", "1 1", "--at", "2,2", "--color", "always")
    assert "\x1b[7m5\x1b[0m  \x1b[7m6\x1b[0m" in found.out
    assert "\x1b[7m11\x1b[0m" in found.out


def test_steps_when_there_are_few_or_asked_for() -> None:
    few, many = "row 3, column 3:", "row 26, column 26:"
    assert few in out("counting", "--kernel", "sobel-x")
    assert few not in out("counting", "--kernel", "sobel-x", "--no-steps")
    assert many not in out("digits:17", "--kernel", "sobel-x")
    assert "one of 676 places" in out("digits:17", "--kernel", "sobel-x")
    assert many in out("digits:17", "--kernel", "sobel-x", "--steps")
    only = out("counting", "--kernel", "sobel-x", "--at", "3,3")
    assert few in only
    assert "row 1" not in only


def test_both_are_named() -> None:
    turned = out(SMALL, "--kernel", "1 0; 0 -1", "--flip")
    assert turned.startswith("convolution (the kernel turned by 180°)\n")
    assert "cross-correlation (what CNN libraries call convolution) would be" in turned
    assert turned == out(SMALL, "--kernel", "1 0; 0 -1", "--true")
    same = out(SMALL, "--kernel", "laplace")
    assert same.endswith("this kernel is the same: cross-correlation and convolution agree\n")


def test_several_channels_have_their_sums() -> None:
    text = out("1 2; 3 4 | 5 6; 7 8", "--kernel", "1 0; 0 2 | 0 1; 1 0", "--bias", "-3")
    assert text.count("kernel 2x2") == 2 + 2
    assert "channel 1: 1·1 + 2·0 + 3·0 + 4·2 = 9" in text
    assert "channel 2: 5·0 + 6·1 + 7·1 + 8·0 = 13" in text
    assert "together: 9 + 13 - bias 3 = 19" in text
    one = out("1 2; 3 4 | 5 6; 7 8", "--kernel", "1 0; 0 1")
    assert "the same kernel for each of 2 channels, all added up" in one


def test_pools() -> None:
    text = out("2 2 2 0; 2 5 2 1; 2 2 2 0; 0 1 0 0", "--pool", "max", "2x2")
    assert text.startswith("max pooling\nstride 2 · no padding\n")
    assert "row 1, column 1: max(2, 2, 2, 5) = 5" in text
    assert "kernel" not in text
    mean = out("1 2 3; 4 5 6; 7 8 9", "--pool", "avg", "2", "--stride", "1", "--pad", "1")
    assert "row 1, column 2: (1 + 2)/2 = 3/2 = 1.5" in mean


def test_negative_numbers_are_no_options() -> None:
    assert rows("-1 2; 3 4", "--kernel", "-1 0; 0 -1", "--bias", "-.5") == [[-3.5]]
    assert rows("-1", "--kernel", "-2") == [[2]]


def test_the_list_has_every_kernel_with_its_numbers() -> None:
    text = out("--list")
    for name, doc in DOCS.items():
        assert f"  {name} " in text
        assert doc in text
    assert "(1 2 1; 2 4 2; 1 2 1)/16" in text
    assert "digits:N" in text


# ── what goes in ───────────────────────────────────────────────────────────────────────────────


def test_files_and_standard_input(here: Path) -> None:
    (here / "m.csv").write_text("\ufeff1,2,3\r\n4,5,6\r\n", encoding="utf-8")
    (here / "m.txt").write_text("1 2 3\n4 5 6\n", encoding="utf-8")
    np.save(here / "m.npy", np.array([[1, 2, 3], [4, 5, 6]], np.int16))
    wanted = [[3, 5], [9, 11]]
    for name in ("m.csv", "m.txt", "m.npy"):
        assert rows(name, "--kernel", "1 1") == wanted
        assert rows("-", "--kernel", "1 1", stdin=(here / name).read_bytes()) == wanted


def test_arrays_with_channels_first_or_last(here: Path) -> None:
    x = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    np.save(here / "first.npy", x)
    np.save(here / "last.npy", np.moveaxis(x, 0, -1))
    np.save(here / "tenths.npy", np.array([[0.1, 0.2]], np.float64))
    assert rows("first.npy", "--kernel", "1") == x.sum(0, dtype=float).tolist()
    assert rows("last.npy", "--kernel", "1") == x.sum(0, dtype=float).tolist()
    assert "0.1·1 + 0.2·1 = 0.3" in out("tenths.npy", "--kernel", "1 1")


def picture(mode: str, size: tuple[int, int] = (40, 30)) -> bytes:
    values = np.random.default_rng(1).integers(
        0, 256, (size[1], size[0], len(mode) if mode == "RGB" else 1)
    )
    stream = io.BytesIO()
    Image.fromarray(values.astype(np.uint8).squeeze(), mode).save(stream, "PNG")
    return stream.getvalue()


def test_pictures(here: Path) -> None:
    (here / "grey.png").write_bytes(picture("L"))
    (here / "colour.png").write_bytes(picture("RGB"))
    grey = np.asarray(Image.open(here / "grey.png"), float)
    assert rows("grey.png", "--kernel", "identity", "--pad", "1") == grey.tolist()
    colour = np.asarray(Image.open(here / "colour.png"), float)
    kernels = "2 | -1 | 1/2"
    by_hand = colour @ np.array([2, -1, 0.5])
    assert rows("colour.png", "--channels", "rgb", "--kernel", kernels) == by_hand.tolist()
    text = out("colour.png", "--channels", "rgb", "--kernel", kernels, "--at", "30,40")
    assert "red: " in text
    assert "together: " in text


def test_large_ones_are_the_same_as_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    args = ("digits:3", "--kernel", "gauss", "--pad", "same", "--stride", "2", "--bias", "1/4")
    exact = rows(*args)
    monkeypatch.setattr("cnnspec.cli.exercises.EXACT", 0)
    assert np.allclose(rows(*args), exact, rtol=1e-12)
    text = ";".join(["1 2 3 4"] * 4)
    assert rows(text, "--pool", "max", "2") == [[2, 4], [2, 4]]


def test_a_large_picture_is_summed_up(here: Path) -> None:
    (here / "big.png").write_bytes(picture("L", (300, 200)))
    text = out("big.png", "--kernel", "sobel-x", "--at", "7,9")
    assert "output 198x298: " in text
    assert len(text) < 1500
    exact = out("big.png", "--kernel", "sobel-x", "--at", "7,9").splitlines()[-1]
    assert exact.startswith("row 7, column 9: ")


# ── what comes out ─────────────────────────────────────────────────────────────────────────────


def test_json() -> None:
    found = json.loads(out(SMALL, "--kernel", "(1 0; 0 -1)/2", "--json", "--at", "1,2"))
    assert found["operation"] == "correlation"
    assert found["output"] == [[-2, -2], [-2, -2]]
    assert found["kernel"] == {
        "name": None,
        "size": [2, 2],
        "divisor": 2,
        "weights": [[[1, 0], [0, -1]]],
    }
    assert found["other"]["operation"] == "convolution"
    assert found["other"]["output"] == [[2, 2], [2, 2]]
    (step,) = found["steps"]
    assert (step["row"], step["column"], step["result"], step["sums"]) == (1, 2, -2, [-4])
    assert len(json.loads(out(SMALL, "--kernel", "1", "--json", "--steps"))["steps"]) == 9
    assert "steps" not in json.loads(out(SMALL, "--kernel", "1", "--json"))


def test_files_that_are_written(here: Path) -> None:
    for name in ("o.csv", "o.json", "o.html", "o.png"):
        found = cnnspec("convolve", SMALL, "--kernel", "1 0; 0 -1", "-o", name)
        assert (found.status, found.out) == (0, "")
        assert found.err.startswith(f"wrote {name}\n")
    assert (here / "o.csv").read_text() == "-4,-4\n-4,-4\n"
    assert json.loads((here / "o.json").read_text())["output"] == [[-4, -4], [-4, -4]]
    assert (here / "o.html").read_text() == out(SMALL, "--kernel", "1 0; 0 -1", "-o", "-")


def greys(path: str) -> list[list[int]]:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image).astype(int).tolist()


def test_a_few_strong_edges_do_not_make_the_others_pale(here: Path) -> None:
    values = np.zeros((104, 100), np.uint8)
    values[:, ::4] = 20
    values[0, 1] = 255
    Image.fromarray(values).save(here / "lines.png")
    found = cnnspec("convolve", "lines.png", "-k", "-1 1", "-o", "o.png")
    assert found.err.endswith("grey is 0, black is -20, white is 20 and beyond\n")
    # Where hardly anything is there but zero, all of it counts.
    values[:, ::4] = 0
    Image.fromarray(values).save(here / "lines.png")
    found = cnnspec("convolve", "lines.png", "-k", "-1 1", "-o", "o.png")
    assert found.err.endswith("grey is 0, black is -255, white is 255\n")


def test_numbers_become_greys() -> None:
    def written(*args: str) -> str:
        found = cnnspec("convolve", *args, "-o", "o.png")
        assert found.status == 0
        return found.err.splitlines()[1]

    # A matrix of any numbers is stretched, edges have zero in the middle, pictures stay.
    assert written("0 5; 10 2.5", "--kernel", "1") == "black is 0, white is 10"
    assert greys("o.png") == [[0, 128], [255, 64]]
    said = written("0 0 8 4", "--kernel", "-1 1")
    assert said == "grey is 0, black is -8, white is 8"
    assert greys("o.png") == [[128, 255, 64]]
    assert written("digits:17", "--kernel", "2").endswith(
        "numbers lie beyond and are cut off there"
    )
    assert np.max(greys("o.png")) == 255
    assert written("0 5; 300 -2", "--kernel", "1", "--show", "clip").startswith(
        "black is 0, white is 255; 2 of 4"
    )
    assert greys("o.png") == [[0, 5], [255, 0]]
    assert written("7 7", "--kernel", "1") == "black is 7, white is 7"


# ── what is wrong ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("1 2; 3", "-k", "1"), "row 2 has 1 number, row 1 has 2"),
        (("1 nan", "-k", "1"), "row 1, column 2: `nan` is no number to count with"),
        (("a b;c d", "-k", "1"), "row 1, column 1: `a` is no number"),
        ((" ; ", "-k", "1"), "it is empty"),
        (
            ("cheker", "-k", "1"),
            "cheker: there is no such file, and no example of that name; did you mean `checker`?",
        ),
        ((SMALL, "-k", "1 2; 3"), "the kernel: row 2 has 1 number"),
        ((SMALL, "-k", ""), "the kernel: it is empty"),
        ((SMALL, "-k", "1 | 2"), "the kernel has 2 channels, the input 1"),
        (
            (SMALL, "-k", "gauss5"),
            "a kernel of 5 is larger than the padded height of 3 + 0 + 0 = 3; "
            "--pad 1 or a kernel of at most 3 fits",
        ),
        ((SMALL, "-k", "1", "--bias", "x"), "--bias: `x` is no number"),
        ((SMALL, "-k", "1", "--at", "4,1"), "--at 4,1: the output is 3x3"),
        ((SMALL, "-k", "1", "--pad", "999999"), "the output would be 2,000,001x2,000,001"),
        ((SMALL, "-k", "1", "--channels", "rgb"), "--channels is for pictures"),
        ((SMALL, "--pool", "max", "2", "--pad", "2"), "some windows would hold nothing but pad"),
        (("1 | 2", "--pool", "max", "1"), "a pool goes through each channel by itself"),
        (("digits:10000", "-k", "1"), "digits:10000: there are digits:0 to digits:9999"),
        (("digits:x", "-k", "1"), "digits:x: behind the colon stands the digit's number"),
        (("digits:1", "-k", "1", "--channels", "rgb"), "digits:1: it is grey"),
        ((".", "-k", "1"), ".: it is a folder, not an image"),
        (("bad.npy", "-k", "1"), "bad.npy: row 2, column 1: `nan` is no number to count with"),
        (("deep.npy", "-k", "1"), "deep.npy: it holds 2x2x2x2; a matrix has rows and columns"),
        (("cut.npy", "-k", "1"), "cut.npy: its header claims 32 bytes of numbers, 27 are there"),
        (("cut.png", "-k", "1"), "cut.png: it cannot be decoded"),
        (("noise", "-k", "1"), "noise: it is neither a picture nor an array that is read here"),
        (("empty.csv", "-k", "1"), "empty.csv: it is empty"),
        (("head.csv", "-k", "1"), "head.csv: row 1, column 1: `height` is no number"),
        (("head.csv", "-k", "1", "--channels", "rgb"), "head.csv: it is no picture"),
    ],
)
def test_one_clear_line(here: Path, args: tuple[str, ...], said: str) -> None:
    np.save(here / "bad.npy", np.array([[1, 2], [np.nan, 3]]))
    np.save(here / "deep.npy", np.zeros((2, 2, 2, 2)))
    np.save(here / "cut.npy", np.zeros((2, 2)))
    (here / "cut.npy").write_bytes((here / "cut.npy").read_bytes()[:-5])
    (here / "cut.png").write_bytes(picture("L")[:400])
    (here / "noise").write_bytes(bytes(range(256)))
    (here / "empty.csv").write_bytes(b"")
    (here / "head.csv").write_text("height,width\n1,2\n")
    found = cnnspec("convolve", *args)
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error: {said}")
    assert found.err.count("\n") == 1
    again = cnnspec("convolve", *args, "-o", "o.html")
    assert (again.status, again.err) == (1, found.err)
    assert not (here / "o.html").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "IMAGE is missing"),
        ((SMALL,), "What slides is either --kernel or --pool"),
        ((SMALL, "-k", "1", "--pool", "max", "2"), "What slides is either --kernel or --pool"),
        ((SMALL, "--pool", "min", "2"), "a pool is `max` or `avg`"),
        ((SMALL, "--pool", "max", "2y"), "--pool: `2y` is neither a number from 1 on nor two"),
        ((SMALL, "--pool", "max", "2", "--flip"), "A pool has no kernel"),
        ((SMALL, "-k", "1", "--stride", "0"), "`0` is neither a number from 1 on nor two"),
        ((SMALL, "-k", "1", "--pad", "some"), "`some` is neither a number from 0 on nor two"),
        ((SMALL, "-k", "1", "--at", "0,1"), "counted from 1"),
        ((SMALL, "-k", "1", "--csv", "--json"), "three forms"),
        ((SMALL, "-k", "1", "--csv", "-o", "a.csv"), "three forms"),
        ((SMALL, "-k", "1", "-o", "a.gif"), "a.gif: its name ends in none of .html"),
    ],
)
def test_wrong_calls(args: tuple[str, ...], said: str) -> None:
    found = cnnspec("convolve", *args)
    assert (found.status, found.out) == (2, "")
    assert said in found.err.splitlines()[-1]


def test_a_place_that_cannot_be_written() -> None:
    found = cnnspec("convolve", SMALL, "-k", "1", "-o", "missing/o.html")
    assert (found.status, found.err) == (1, "error: missing/o.html: no such file or directory\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_read(here: Path) -> None:
    from threading import Thread

    os.mkfifo(here / "pipe")
    writer = Thread(target=lambda: (here / "pipe").write_text("1 2 3"))
    writer.start()
    assert rows("pipe", "--kernel", "1 1") == [[3, 5]]
    writer.join()


def test_a_small_matrix_loads_no_arrays() -> None:
    loaded = loaded_by("convolve", SMALL, "--kernel", "1 0; 0 -1")
    assert "cnnspec.sliding.slide" in loaded
    assert not loaded & HEAVY


def test_nothing_is_rounded_on_the_way() -> None:
    ninth = kernel("box")
    assert Fraction(ninth.planes[0][0][0]) / ninth.divisor == Fraction(1, 9)
    # Nine ninths are one, however they are added up.
    assert rows(";".join(["0.1 0.1 0.1"] * 3), "--kernel", "box") == [[0.1]]
