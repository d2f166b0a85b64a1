"""Does `cnnspec look` find what is asked for, write it, and say in a line what it cannot?"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calls import Result, cnnspec
from cnnspec import loads
from cnnspec.run.files import read_onnx

SMALL = """\
network Small {
  input 1x28x28
  conv 4 5x5 stride=3 pad=2 bias=no as c -> bn -> relu
  flatten -> fc 10 -> softmax
}

train {
  data digits limit=320
  epochs 1
}
"""

COLOURED = "network C { input 3x12x12 -> conv 4 3x3 -> relu -> flatten -> fc 3 -> softmax }"
SIGNAL = "network S { input 1x12 -> conv 4 3 -> relu -> flatten -> fc 2 -> softmax }"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, made once."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.cnn").write_text(SMALL)
    call = ("train", str(folder / "small.cnn"), "--out", str(folder / "run"), "--device", "cpu")
    assert cnnspec(*call, "--no-report").status == 0
    return folder / "run"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("small.cnn").write_text(SMALL)
    Path("coloured.cnn").write_text(COLOURED)
    Path("signal.cnn").write_text(SIGNAL)
    x = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    Image.fromarray(x).save("cat.png")
    Image.fromarray(x[:10]).save("low.png")
    return tmp_path


def run(*args: str, **kinds: Any) -> Result:
    return cnnspec("look", *args, **kinds)


def told(*args: str) -> Any:
    found = run(*args, "--json")
    assert found.status == 0, found.err
    return json.loads(found.out)


# ── what comes out ──────────────────────────────────────────────────────────────────────────────


def test_a_page_named_after_the_picture() -> None:
    found = run("coloured.cnn", "cat.png")
    assert found.status == 0
    assert found.err.splitlines() == [
        "coloured.cnn: untrained; its weights are drawn from seed 0",
        "wrote cat-look.html",
    ]
    lines = found.out.splitlines()
    assert lines[0] == "cat.png · coloured.cnn"
    shares = [float(line.split()[0].rstrip("%")) for line in lines[1:4]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.02)
    assert sorted(line.split()[-1] for line in lines[1:4]) == ["0", "1", "2"]
    assert lines[4:6] == ["", "layer             shape  dead"]
    assert lines[6].startswith("conv4_3x3_relu  4x10x10")
    assert lines[-1] == "2 of 5 layers; --layer names others"
    assert "untrained" in Path("cat-look.html").read_text()


def test_a_run_shows_its_best_weights(trained: Path) -> None:
    found = told(str(trained), "--example", "3")
    assert found["input"] == "example 3 of digits, test"
    assert found["is"] in list("0123456789")
    # The very answer of the model that training left.
    there = told(str(trained / "model.onnx"), "--example", "3")
    assert there["top"][0]["index"] == found["top"][0]["index"]
    for ours, theirs in zip(found["top"], there["top"], strict=True):
        assert ours["probability"] == pytest.approx(theirs["probability"], abs=1e-5)
    # Unlike there, each layer is by itself.
    assert told(str(trained), "--example", "3", "--layer", "c")["layers"][0]["layer"] == "c"
    assert run(str(trained / "model.onnx"), "--example", "3", "--layer", "c$").status == 1


def test_examples_of_each_part_and_of_files(trained: Path) -> None:
    words = [told(str(trained), "--example", "0", *more)["input"] for more in ((), PART)]
    assert words == ["example 0 of digits, test", "example 0 of digits, train"]
    x = np.random.default_rng(0).random((3, 1, 28, 28)).astype(np.float32)
    np.save("x.npy", x)
    first, last = told("small.cnn", "x.npy"), told("small.cnn", "x.npy", "--example", "2")
    assert first["input"] == "x.npy[0]"
    assert "x.npy: the first of 3 items; --example takes another" in first["notes"]
    assert last["input"] == "x.npy[2]"
    np.save("one.npy", x[2])
    assert told("small.cnn", "one.npy")["top"] == last["top"]


PART = ("--part", "train")


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4,5,6,7,8,9,10,11,12.5\n",
        "1;2;3;4;5;6;7;8;9;10;11;12.5",
        "1 2 3 4 5 6 7 8 9 10 11 12.5\n\n",
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12.5\n",
        "a,b,c,d,e,f,g,h,i,j,k,l\n1,2,3,4,5,6,7,8,9,10,11,12.5\n",
        "\ufeff1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12.5\r\n",
    ],
)
def test_numbers_as_text(text: str) -> None:
    Path("row.csv").write_text(text, encoding="utf-8")
    np.save("row.npy", np.array([[*range(1, 12), 12.5]], np.float32))
    assert told("signal.cnn", "row.csv")["top"] == told("signal.cnn", "row.npy")["top"]


def test_pictures_instead_of_a_page() -> None:
    found = run("coloured.cnn", "cat.png", "--png", "out", "--attack", "fgsm", "--eps", "200/255")
    assert found.status == 0
    assert not Path("cat-look.html").exists()
    names = {p.name for p in Path("out").iterdir()}
    assert names >= {
        *("input.png", "saliency.png", "gradient-times-input.png", "grad-cam.png"),
        *("occlusion.png", "kernels-conv4_3x3.png", "maps-conv4_3x3_relu.png"),
    }
    assert found.err.splitlines()[-1] == f"wrote {len(names)} pngs to out"
    # The numbers that colours stand for are told, and stand in the file.
    line = next(x for x in found.err.splitlines() if x.startswith("saliency.png: "))
    with Image.open("out/saliency.png") as read:
        assert line == f"saliency.png: {read.info['Description']}"
        assert line.startswith("saliency.png: saliency [0 … ")


def test_stdout_has_the_page_alone() -> None:
    found = run("coloured.cnn", "cat.png", "-o", "-")
    assert found.out.startswith("<!doctype html>")
    assert found.out.rstrip().endswith("</html>")
    assert "layer" in found.err
    assert not list(Path().glob("*.html"))


def test_json_has_the_attack_and_writes_nothing() -> None:
    found = told("coloured.cnn", "cat.png", "--attack", "pgd", "--steps", "4", "--eps", "0.9")
    a = found["attack"]
    assert (a["kind"], a["tried"], a["steps"]) == ("pgd", 0.9, 4)
    assert 0 < a["eps"] <= 0.9
    assert a["before"] == str(found["top"][0]["index"]) != a["after"]
    assert not list(Path().glob("*.html"))
    small = told("coloured.cnn", "cat.png", "--attack", "fgsm", "--eps", "1e-9")["attack"]
    assert (small["eps"], small["after"], small["tried"]) == (None, None, 1e-9)


def test_bars_where_letters_are_few() -> None:
    found = run("coloured.cnn", "cat.png", env={"COLUMNS": "40", "NO_COLOR": "1"}, is_terminal=True)
    assert found.status == 0
    assert all(len(line) <= 40 for line in found.out.splitlines())
    assert "\x1b" not in found.out


# ── pictures of another size ────────────────────────────────────────────────────────────────────


def test_a_picture_of_another_size_is_resized_or_refused() -> None:
    found = told("coloured.cnn", "low.png")
    assert "low.png: resized from 12x10 pixels (stretch)" in found["notes"]
    found = run("coloured.cnn", "low.png", "--strict")
    assert (found.status, found.out) == (1, "")
    said = "error: low.png: it has 12x10 pixels, the network takes 12x12"
    assert found.err.splitlines()[-1] == said
    assert not list(Path().glob("*.html"))


# ── what cannot be had ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("coloured.cnn", "cat.png", "--layer", "con4"), "there is no layer `con4`; there are con"),
        (("coloured.cnn", "cat.png", "--class", "7"), "there is no class `7`: there are 3, number"),
        (("coloured.cnn", "no.png"), "no.png: there is no such file"),
        (("coloured.cnn", "coloured.cnn"), "coloured.cnn: it is neither a picture nor an array"),
        (("coloured.cnn", "--example", "1"), "coloured.cnn: it does not say what it was trained"),
        (("coloured.cnn", "cat.png", "--occlude", "2x2x2"), "a patch of 3 sizes does not fit an"),
        (("small.cnn", "--example", "99999"), "digits, test has 1,000 examples, 0 to 999; no 999"),
        (("small.cnn", "x.npy", "--example", "9"), "x.npy: it has no item 9"),
        (("signal.cnn", "cat.png"), "cat.png: the network takes 1x12, which is no picture"),
        (("signal.cnn", "bad.csv"), "bad.csv: its row 2 has `x`, which is no number"),
        (("signal.cnn", "ragged.csv"), "ragged.csv: its row 2 has 2 numbers, the first 3"),
        (("signal.cnn", "short.csv"), "short.csv: "),
        (("signal.cnn", "empty.csv"), "empty.csv: it holds no numbers"),
        ((".", "cat.png"), ".: it is no folder of a run: it has no spec.cnn and no model.onnx"),
        (("coloured.cnn", "cat.png", "-o", "no/x.html"), "no/x.html: no such file or directory"),
    ],
)
def test_one_line_says_what_is_wrong(args: tuple[str, ...], said: str) -> None:
    np.save("x.npy", np.zeros((2, 1, 28, 28), np.float32))
    Path("bad.csv").write_text("1,2\n3,x\n")
    Path("ragged.csv").write_text("1,2,3\n3,4\n")
    Path("short.csv").write_text("1,2,3\n")
    Path("empty.csv").write_text("\n")
    found = run(*args)
    assert found.status == 1
    lines = [x for x in found.err.splitlines() if "untrained" not in x]
    assert lines[-1].startswith(f"error: {said}"), lines
    assert not list(Path().glob("*.html"))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("coloured.cnn",), "Missing IMAGE, or --example N for one of the data."),
        (("coloured.cnn", "cat.png", "--eps", "0.1"), "--eps and --steps are for --attack."),
        (("coloured.cnn", "cat.png", "--attack", "pgd", "--eps", "0"), "--eps 0: it is a number"),
        (("coloured.cnn", "cat.png", "--attack", "pgd", "--eps", "1/0"), "--eps 1/0: it is a"),
        (("coloured.cnn", "cat.png", "--attack", "pgd", "--eps", "nan"), "--eps nan: it is a"),
        (("coloured.cnn", "cat.png", "--attack", "fgsm", "--steps", "3"), "fgsm takes one step"),
        (("coloured.cnn", "cat.png", "--occlude", "0"), "--occlude 0: a size is a whole number"),
        (("coloured.cnn", "cat.png", "--occlude", "3x"), "--occlude 3x: a size is a whole number"),
        (("coloured.cnn", "cat.png", "-o", "a", "--png", "b"), "-o writes a page, --png pictures"),
        (("coloured.cnn", "cat.png", "-o", "-", "--json"), "`-o -` and --json both print"),
        (("coloured.cnn", "cat.png", "--part", "test"), "--part and --data-dir are about the data"),
        ((".", "cat.png", "--seed", "1"), "--seed is for specs; . is a run."),
    ],
)
def test_wrong_calls(args: tuple[str, ...], said: str) -> None:
    found = run(*args)
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert not list(Path().glob("*.html"))


def test_a_run_that_is_incomplete_gives_what_there_is(trained: Path) -> None:
    shutil.copytree(trained, "run")
    whole = told("run", "--example", "3")["top"]
    Path("run/run.json").unlink()
    found = run("run", "--example", "3", "--json")
    assert "run: it has no run.json, which says where its data is" in found.err
    assert json.loads(found.out)["top"] == whole
    Path("run/best.safetensors").unlink()
    found = run("run", "--example", "3", "--json")
    assert found.err.splitlines()[-1] == "run: it has no best.safetensors; this is its model.onnx"
    assert json.loads(found.out)["top"][0]["index"] == whole[0]["index"]
    Path("run/spec.cnn").unlink()
    found = run("run", "--example", "3", "--json")
    assert "run: it has no spec.cnn; this is its model.onnx" in found.err
    assert json.loads(found.out)["top"][0]["index"] == whole[0]["index"]
    Path("run/model.onnx").unlink()
    assert run("run", "--example", "3").status == 1


def test_a_model_with_weights_beside_it() -> None:
    net = loads(COLOURED)
    made = net.compile()
    made.save("one.onnx")
    made.save("two.onnx", external_data=True)
    assert any(t.data_location for t in read_onnx("two.onnx").graph.initializer)
    assert told("one.onnx", "cat.png")["top"] == told("two.onnx", "cat.png")["top"]


def test_a_model_without_weights_is_told_of() -> None:
    loads(COLOURED).compile(no_weights=True).save("bare.onnx")
    found = run("bare.onnx", "cat.png")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error: bare.onnx: it was compiled without weights")
