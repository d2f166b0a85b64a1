"""Does `cnnspec compile` write what was asked for, and nothing where it cannot?"""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from calls import cnnspec
from cnnspec import load


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_called_after_the_spec(here: Path) -> None:
    found = cnnspec("compile", "lenet5")
    assert found.status == 0
    assert found.out == (
        "lenet5.onnx: 13 nodes, 61,706 weights drawn from seed 0, opset 17, 0.25 MB\n"
    )
    onnx.checker.check_model("lenet5.onnx", full_check=True)
    assert os.listdir(here) == ["lenet5.onnx"]


def test_the_same_from_python(here: Path) -> None:
    cnnspec("compile", "lenet5", "--opset", "13", "--seed", "3", "-o", "a.onnx")
    load("lenet5").compile(opset=13, seed=3).save("b.onnx")
    assert Path("a.onnx").read_bytes() == Path("b.onnx").read_bytes()


def test_text_writes_no_file(here: Path) -> None:
    found = cnnspec("compile", "lenet5", "--text")
    assert found.out.startswith("<\n   ir_version: 8,\n")
    assert found.out.count(" = ") == 13 + found.out.count("ints = ") + found.out.count("int = ")
    assert not os.listdir(here)


def test_weights_come_back_by_name(here: Path) -> None:
    cnnspec("compile", "lenet5", "--seed", "5", "-o", "a.onnx")
    found = cnnspec("compile", "lenet5", "--weights", "a.onnx", "-o", "b.onnx")
    assert found.out == "b.onnx: 13 nodes, 61,706 weights, opset 17, 0.25 MB\n"
    one, other = (
        {t.name: t.raw_data for t in onnx.load(name).graph.initializer}
        for name in ("a.onnx", "b.onnx")
    )
    assert one == other


def test_weights_that_are_not_the_networks_are_listed(here: Path) -> None:
    np.savez("w.npz", **{"fc10.weight": np.zeros((11, 84)), "other": np.zeros(3)})
    found = cnnspec("compile", "lenet5", "--weights", "w.npz")
    assert found.status == 1
    for part in ("missing", "conv6_5x5.weight", "other", "fc10.weight", "11x84"):
        assert part in found.err
    assert os.listdir(here) == ["w.npz"]


def test_foreign_names_are_mapped(here: Path) -> None:
    model = load("mlp").compile()
    held = {t.name: onnx.numpy_helper.to_array(t) for t in model.onnx.graph.initializer}
    renamed: dict[str, Any] = {f"layers.{name}": x for name, x in held.items()}
    np.savez("w.npz", **renamed)
    Path("names.txt").write_text("layers.* = *\n")
    found = cnnspec("compile", "mlp", "--weights", "w.npz", "--map", "names.txt", "-o", "m.onnx")
    assert found.status == 0, found.err


def test_the_step_and_the_gradient(here: Path) -> None:
    assert cnnspec("compile", "mlp", "--training-step").status == 0
    assert cnnspec("compile", "mlp", "--gradient-of", "input").status == 0
    assert sorted(os.listdir(here)) == ["mlp.gradient.onnx", "mlp.step.onnx"]
    for name in os.listdir(here):
        onnx.checker.check_model(name, full_check=True)


def test_a_step_for_a_gpu(here: Path) -> None:
    Path("net.cnn").write_text("network { input 8x8x8 -> conv 4 3x3 -> bn -> flatten -> fc 2 }\n")
    for options in ([], ["--for-gpu"]):
        assert cnnspec("compile", "net.cnn", "--training-step", *options).status == 0
        onnx.checker.check_model("net.step.onnx", full_check=True)
        model = onnx.load("net.step.onnx")
        made = [n for n in model.graph.node for a in n.attribute if a.name == "training_mode"]
        largest = max(
            math.prod(a.ints)
            for n in model.graph.node
            for a in n.attribute
            if n.op_type == "Conv" and a.name == "kernel_shape"
        )
        # Neither normalises by the batch in one operator nor has a window as large as the maps.
        assert (len(made), largest) == ((0, 3 * 3) if options else (1, 6 * 6))
        assert "cnnspec.step" in {p.key for p in model.metadata_props}


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (["lenet5", "--for-gpu"], 2, "--for-gpu is for --training-step"),
        (["lenet5", "--opset", "27"], 2, "27 is not in the range 13<=x<=26"),
        (["lenet5", "--dynamic-size"], 1, "`fc120` has other weights for other sizes"),
        (["lenet5", "--until", "fc121"], 1, "there is no layer `fc121`"),
        (["lenet5", "--keep-bn", "--fold-bn"], 2, "--keep-bn and --fold-bn say the opposite"),
        (["lenet5", "--precision", "int8"], 2, "needs examples: --calibrate PATH"),
        (["lenet5", "--weights", "none.npz"], 1, "none.npz: "),
        (["lenet5", "--labels", "none.txt"], 1, "none.txt: no such file or directory"),
        (["lenet5", "-o", "none/lenet5.onnx"], 1, "none/lenet5.onnx: no such file or directory"),
        (["-"], 1, "the file is empty"),
        (["lenet5", "--training-step", "--head", "none"], 2, "--head has nothing to say beside"),
        (["lenet5", "--gradient-of", "fc10"], 1, "there is no input `fc10`; there is `input`"),
    ],
)
def test_refusals(here: Path, args: list[str], status: int, said: str) -> None:
    found = cnnspec("compile", *args)
    assert (found.status, found.out) == (status, "")
    assert said in found.err
    assert not os.listdir(here)


def test_a_spec_from_standard_input_needs_a_name(here: Path) -> None:
    spec = "network { input 4 -> fc 2 }\n"
    found = cnnspec("compile", "-", stdin=spec)
    assert found.status == 2
    assert "needs -o" in found.err
    assert cnnspec("compile", "-", "-o", "net.onnx", stdin=spec).status == 0
