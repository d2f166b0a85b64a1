"""Does `cnnspec diff` say in what two networks differ, and nothing where they do not?"""

import json
from pathlib import Path

import pytest

from calls import cnnspec
from cnnspec import load, loads


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_network_and_itself() -> None:
    found = cnnspec("diff", "lenet5", "lenet5")
    assert (found.status, found.out) == (0, "- lenet5\n+ lenet5\n\nthe same 14 layers\n")


def test_two_specs_by_layers_and_counts() -> None:
    found = cnnspec("diff", "vgg11", "vgg13")
    assert found.status == 1
    added = [line for line in found.out.splitlines() if line.startswith("+ ")][1:]
    assert [line.split()[1:] for line in added if "conv" in line] == [
        ["64x224x224", "36,928", "conv", "64", "3x3", "pad=1", "bias=yes"],
        ["128x112x112", "147,584", "conv", "128", "3x3", "pad=1", "bias=yes"],
    ]
    assert "parameters  132,863,336 → 133,047,848 (+0.1 %)" in found.out
    # What is alike is left out, unless it is asked for.
    assert "1,000" not in found.out
    assert "fc 1000" in cnnspec("diff", "vgg11", "vgg13", "--all").out


def test_as_json() -> None:
    found = json.loads(cnnspec("diff", "vgg11", "vgg13", "--format", "json").out)
    assert found["same"] is False
    assert {line["mark"] for line in found["layers"]} == {"+"}
    assert found["facts"]["layers"] == ["29", "33 (+13.8 %)"]


def test_two_files_by_their_answers(here: Path) -> None:
    load("lenet5").compile(seed=1).save("one.onnx")
    load("lenet5").compile(seed=1, opset=13).save("same.onnx")
    load("lenet5").compile(seed=2).save("other.onnx")
    found = cnnspec("diff", "one.onnx", "same.onnx")
    # Another opset is a difference, though they answer alike.
    assert found.status == 1
    assert "opset       17 → 13" in found.out
    assert "the largest difference is 0, 0 of the largest number" in found.out
    found = cnnspec("diff", "one.onnx", "other.onnx")
    assert found.status == 1
    assert "more than 1e-4" in found.out
    assert cnnspec("diff", "one.onnx", "one.onnx").status == 0


def test_folded_and_kept_normalisation_answer_alike(here: Path) -> None:
    load("resnet20").compile().save("folded.onnx")
    load("resnet20").compile(fold_bn=False).save("kept.onnx")
    found = cnnspec("diff", "folded.onnx", "kept.onnx", "--format", "json")
    assert json.loads(found.out)["outputs"][0]["same"] is True


def test_a_spec_and_what_was_compiled_of_it(here: Path) -> None:
    load("lenet5").compile().save("lenet5.onnx")
    assert cnnspec("diff", "lenet5", "lenet5.onnx").status == 0
    load("lenet5").compile(seed=3).save("lenet5.onnx")
    found = cnnspec("diff", "lenet5", "lenet5.onnx")
    assert "answers are not compared: the weights of one are drawn anew" in found.out


def test_networks_that_cannot_be_asked_the_same(here: Path) -> None:
    load("lenet5").compile().save("one.onnx")
    loads("network { input 3 -> fc 10 }").compile().save("two.onnx")
    found = cnnspec("diff", "one.onnx", "two.onnx")
    assert found.status == 1
    assert (
        "answers are not compared: the input is input Nx3 float32; 4x1x28x28 is given" in found.out
    )


@pytest.mark.parametrize("content", [b"", b"\x08\x08\x12\x90", b"\0" * 5000])
def test_broken_files(here: Path, content: bytes) -> None:
    Path("broken.onnx").write_bytes(content)
    found = cnnspec("diff", "lenet5", "broken.onnx")
    assert found.status == 1
    assert found.err.startswith("error: broken.onnx: ")
    assert len(found.err.splitlines()) == 1


def test_a_name_that_is_nothing() -> None:
    found = cnnspec("diff", "lenet5", "lenet6")
    assert found.status == 1
    assert "did you mean `lenet5`?" in found.err
