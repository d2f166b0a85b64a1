"""Does `cnnspec diff` say in what two networks differ, and nothing where they do not?"""

import json
from pathlib import Path

import numpy as np
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
    assert "parameters              132,863,336 → 133,047,848 (+0.1 %)" in found.out
    assert "memory to run one       557.1 MB → 557.9 MB (+0.1 %)" in found.out
    # What is alike is left out, unless it is asked for.
    assert "1,000" not in found.out
    assert "fc 1000" in cnnspec("diff", "vgg11", "vgg13", "--all").out


NET = "network {{ input {input} -> conv 4 3x3 pad=1 -> relu -> conv 4 3x3 pad=1 -> {last} }}\n"


def test_layers_of_another_shape_stand_side_by_side(here: Path) -> None:
    Path("a.cnn").write_text(NET.format(input="3x8x8", last="relu"))
    Path("b.cnn").write_text(NET.format(input="3x16x16", last="tanh"))
    rows = cnnspec("diff", "a.cnn", "b.cnn").out.split("\n\n")[1].splitlines()
    assert [" ".join(row.split()) for row in rows] == [
        "- 3x8x8 input 3x8x8",
        "+ 3x16x16 input 3x16x16",
        "- 4x8x8 112 conv 4 3x3 pad=1",
        "- 4x8x8 relu",
        "- 4x8x8 148 conv 4 3x3 pad=1",
        "+ 4x16x16 112 conv 4 3x3 pad=1",
        "+ 4x16x16 relu",
        "+ 4x16x16 148 conv 4 3x3 pad=1",
        "- 4x8x8 relu",
        "+ 4x16x16 tanh",
    ]


def test_the_same_layers_put_together_in_another_way(here: Path) -> None:
    Path("a.cnn").write_text(
        "network {\n  input 4\n  add {\n    | tanh -> tanh\n    | in\n  }\n}\n"
    )
    Path("b.cnn").write_text("network {\n  input 4\n  add {\n    | tanh\n    | tanh\n  }\n}\n")
    found = cnnspec("diff", "a.cnn", "b.cnn")
    assert found.status == 1
    assert "← " in found.out


def test_as_json() -> None:
    found = json.loads(cnnspec("diff", "vgg11", "vgg13", "--format", "json").out)
    assert found["same"] is False
    assert {line["mark"] for line in found["layers"]} == {"+"}
    assert found["facts"]["layers"] == [29, 33]


def test_colours() -> None:
    found = cnnspec("diff", "vgg11", "vgg13", "--color", "always").out
    assert "\x1b[31m- vgg11" in found
    assert "\x1b" not in cnnspec("diff", "vgg11", "vgg13").out


def test_two_files_by_their_answers(here: Path) -> None:
    load("lenet5").compile(seed=1).save("one.onnx")
    load("lenet5").compile(seed=1, opset=13).save("same.onnx")
    load("lenet5").compile(seed=2).save("other.onnx")
    found = cnnspec("diff", "one.onnx", "same.onnx")
    # Another opset is a difference, though they answer alike.
    assert found.status == 1
    assert "opset       17 → 13" in found.out
    assert "the largest difference is 0, 0 of the largest number, within 1e-4" in found.out
    found = cnnspec("diff", "one.onnx", "other.onnx")
    assert found.status == 1
    assert "more than 1e-4" in found.out
    assert "5 of 10 tensors hold other numbers" in found.out
    assert cnnspec("diff", "one.onnx", "one.onnx").status == 0


def test_other_numbers_are_a_difference_though_answers_are_none(here: Path) -> None:
    for seed in (1, 2):
        proto = load("lenet5").compile(seed=seed).onnx
        # The runtime has no such operator.
        proto.graph.node[1].op_type, proto.graph.node[1].domain = "Odd", "odd"
        proto.opset_import.add(domain="odd", version=1)
        Path(f"{seed}.onnx").write_bytes(proto.SerializeToString())
    found = cnnspec("diff", "1.onnx", "2.onnx")
    assert found.status == 1
    assert "5 of 10 tensors hold other numbers\nanswers are not compared: " in found.out
    assert "the same 13 nodes" in found.out
    assert cnnspec("diff", "1.onnx", "1.onnx").status == 0


def test_labels_are_part_of_a_model(here: Path) -> None:
    load("lenet5").compile().save("one.onnx")
    load("lenet5").compile(labels=list("abcdefghij")).save("two.onnx")
    found = cnnspec("diff", "one.onnx", "two.onnx")
    assert found.status == 1
    (line,) = (line for line in found.out.splitlines() if line.startswith("cnnspec.labels"))
    assert line.endswith('"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]')


def test_inputs_of_a_file(here: Path) -> None:
    load("lenet5").compile(seed=1).save("one.onnx")
    load("lenet5").compile(seed=1, fold_bn=False).save("two.onnx")
    # More than are run at a time; the last one is the one that counts.
    x = np.zeros((20, 1, 28, 28), np.float32)
    np.savez("x.npz", input=x)
    found = cnnspec("diff", "one.onnx", "two.onnx", "--inputs", "x.npz")
    assert (found.status, "on what is in x.npz:" in found.out) == (0, True)
    np.save("small.npy", np.zeros((2, 3, 3), np.float32))
    for name in ("small.npy", "nothing.npz"):
        found = cnnspec("diff", "one.onnx", "two.onnx", "--inputs", name)
        assert (found.status, found.out) == (1, "")
        assert found.err.startswith(f"error: {name}: ")


def test_two_specs_with_weights_of_one_file(here: Path) -> None:
    load("lenet5").compile(seed=5).save("w.onnx")
    found = cnnspec("diff", "lenet5", "lenet5", "--weights", "w.onnx")
    assert (found.status, "the same 13 nodes" in found.out) == (0, True)
    assert "drawn from seed 0:" in found.out


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
        "answers are not compared: the input is input Nx1x28x28 float32 in one, "
        "input Nx3 float32 in the other" in found.out
    )


def test_models_that_cannot_be_run_are_compared_as_files(here: Path) -> None:
    load("lenet5").compile(no_weights=True).save("bare.onnx")
    load("lenet5").training_step().save("step.onnx")
    for name in ("bare.onnx", "step.onnx"):
        found = cnnspec("diff", name, name)
        assert found.status == 0
        assert "answers are not compared: " in found.out


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
