"""What does `cnnspec run` say of pictures and arrays, and with which exit status?"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from calls import Result, cnnspec
from cnnspec.api import load, loads
from cnnspec.cli import COMMANDS

SPEC = "network N {\n  input 1x4x4\n  flatten -> fc 3 -> softmax\n}\n"
UNTRAINED = "net.cnn: untrained; its weights are drawn from seed 0\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(COMMANDS, "run", ("cnnspec.cli.run", ""))
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    loads(SPEC).compile(labels=["cat", "dog", "fox"]).save("net.onnx")
    Path("pics").mkdir()
    for name, grey in (("a.png", 0), ("b.png", 255)):
        Image.new("L", (4, 4), grey).save(f"pics/{name}")
    return tmp_path


def run(*args: str, **options: Any) -> Result:
    return cnnspec("run", *args, "--device", "cpu", **options)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@dataclass
class Port:
    name: str
    shape: tuple[int | str | None, ...]
    dtype: str = "float32"


@dataclass
class Fake:
    """A session that says what it is told to say of each item."""

    said: Mapping[str, Any]
    inputs: list[Port] = field(default_factory=lambda: [Port("x", ("N", 1, 4, 4))])
    metadata: dict[str, str] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)

    @property
    def outputs(self) -> list[Port]:
        return [Port(name, ("N",)) for name in self.said]

    def run(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        n = len(next(iter(given.values())))
        self.batches.append(n)
        return {name: np.stack([np.asarray(y)] * n) for name, y in self.said.items()}


def pretend(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> Fake:
    # By its name, as the command line loads it: `cnnspec.cli.run` is also a function there.
    monkeypatch.setattr(import_module("cnnspec.cli.run"), "open_model", lambda *_: fake)
    return fake


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def test_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"y": [0.25, 0.5, 0.25]}
    labels = {"cnnspec.labels": '["cat", "dog", "fox"]'}
    pretend(monkeypatch, Fake(said, metadata=labels))
    found = run("net.onnx", "pics", "--top", "2")
    assert found.out == (
        "input          value  class\n"
        "pics/a.png    50.00%     1  dog\n"
        "              25.00%     0  cat\n"
        "pics/b.png    50.00%     1  dog\n"
        "              25.00%     0  cat\n"
    )
    assert found.err == (
        "the model does not say how pictures become its input; "
        "they are given as 1x4x4, values 0 to 1\n"
    )
    assert found.status == 0


def test_lines_of_json() -> None:
    found = run("net.onnx", "pics/a.png", "pics/b.png", "--format", "json", "--top", "1")
    assert (found.status, found.err) == (0, "")
    first, second = lines(found.out)
    assert (first["input"], second["input"]) == ("pics/a.png", "pics/b.png")
    # A black picture leaves the biases, which are zero: all classes are alike.
    assert first["top"] == [{"label": "cat", "index": 0, "probability": pytest.approx(1 / 3)}]
    assert first["softmax"] is False


def test_several_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Fake({"logits": [0.0, 2.0], "map": np.ones((1, 2, 2)), "sure": [0.5]}))
    found = run("net.onnx", "pics/a.png")
    assert found.out == (
        "input       output     value  class\n"
        "pics/a.png  logits    88.08%     1\n"
        "                      11.92%     0\n"
        "            map               1x2x2: min 1, mean 1, max 1\n"
        "            sure         0.5\n"
    )
    assert "`logits` has no probabilities; these are its softmax\n" in found.err
    (line,) = lines(run("net.onnx", "pics/a.png", "--format", "json").out)
    assert (line["output"], line["softmax"]) == ("logits", True)
    assert [m["output"] for m in line["more"]] == ["map", "sure"]


def test_of_a_network_of_distances_the_nearest_comes_first() -> None:
    x = np.random.default_rng(0).random((1, 1, 32, 32)).astype(np.float32)
    np.save("digit.npy", x)
    made = load("lenet5_1998").compile().run(x)["output"][0]
    found = run("lenet5_1998", "digit.npy", "--format", "json")
    (line,) = lines(found.out)
    assert line["top"][0]["index"] == int(made.argmin())
    said = (
        "`output` has distances, the least of which wins; these are the softmax of their opposites"
    )
    assert said in found.err.splitlines()


def test_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"cnnspec.labels": json.dumps(["a very long name of a class" * 3, "b", "c"])}
    pretend(monkeypatch, Fake({"y": [0.5, 0.25, 0.25]}, metadata=labels))
    found = run("net.onnx", "pics/a.png", is_terminal=True, env={"COLUMNS": "40"})
    rows = found.out.splitlines()[1:]
    assert all(len(row) <= 40 for row in rows)
    assert "50.00%" in rows[0]


def test_labels_from_a_file() -> None:
    Path("names.txt").write_text("x\ny\nz\n")
    (line,) = lines(run("net.onnx", "pics/a.png", "--labels", "names.txt", "--format", "json").out)
    assert [c["label"] for c in line["top"]] == ["x", "y", "z"]
    Path("names.txt").write_text("x\ny\n")
    found = run("net.onnx", "pics/a.png", "--labels", "names.txt")
    assert found.err == "2 labels do not name 3 classes and are left out\n"
    assert run("net.onnx", "pics", "--labels", "no.txt") == Result(
        1, "", "error: no.txt: there is no such file\n"
    )


# ── inputs ──────────────────────────────────────────────────────────────────────────────────────


def test_faults_are_told_at_the_end() -> None:
    Path("pics/aa.png").write_bytes(Path("pics/a.png").read_bytes()[:40])
    Path("pics/notes.txt").touch()
    found = run("net.onnx", "pics", "nosuch.png", "--top", "1")
    assert found.status == 1
    assert found.out.count("%") == 2
    said = found.err.splitlines()
    assert said[:2] == [
        "one file passed over: no picture or array by its name",
        "inputs that cannot be read: 2 of 4",
    ]
    assert said[2].startswith("  pics/aa.png: it ")
    assert said[3] == "  nosuch.png: there is no such file"
    shown = lines(run("net.onnx", "pics", "--format", "json").out)
    assert ["fault" in line for line in shown] == [False, True, False]


def test_nothing_to_read() -> None:
    Path("empty").mkdir()
    assert run("net.onnx", "empty") == Result(1, "", "error: empty: there is no picture or array\n")


def test_resizing_is_told_or_refused() -> None:
    Image.new("L", (9, 4)).save("wide.png")
    found = run("net.onnx", "wide.png", "--fit", "pad")
    assert (found.status, found.err) == (
        0,
        "one picture resized to the size of the input (--fit pad)\n",
    )
    found = run("net.onnx", "wide.png", "--strict")
    assert found.status == 1
    assert found.err.endswith("  wide.png: it has 9x4 pixels, the network takes 4x4\n")


def test_standard_input() -> None:
    data = Path("pics/a.png").read_bytes()
    found = run("net.onnx", "-", stdin=data)
    assert found.status == 0
    assert found.out.splitlines()[1].startswith("<stdin>  ")
    assert run("-", "pics").status == 2


def test_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    np.save("many.npy", np.zeros((5, 1, 4, 4), np.float32))
    fake = pretend(monkeypatch, Fake({"y": [0.5, 0.5]}))
    assert len(lines(run("net.onnx", "many.npy", "--batch", "2", "--format", "json").out)) == 5
    assert fake.batches == [2, 2, 1]
    fake = pretend(monkeypatch, Fake({"y": [0.5, 0.5]}, [Port("x", (3, 1, 4, 4))]))
    assert len(lines(run("net.onnx", "many.npy", "--format", "json").out)) == 5
    assert fake.batches == [3, 3]


def test_a_bar_for_who_watches() -> None:
    found = run("net.onnx", "pics", is_terminal=True)
    assert "100%" in found.err
    assert found.out.count("pics/") == 2
    assert "100%" not in run("net.onnx", "pics").err
    assert "100%" not in run("net.onnx", "pics/a.png", is_terminal=True).err


def test_names_do_not_command_the_terminal() -> None:
    Path("pics/\x1b[2J.png").write_bytes(b"x")
    Image.new("L", (4, 4)).save("pics/\x1b[1m.png")
    found = run("net.onnx", "pics")
    assert "\x1b" not in found.out + found.err


# ── outputs kept ────────────────────────────────────────────────────────────────────────────────


def test_raw_outputs_are_kept(here: Path) -> None:
    assert run("net.onnx", "pics", "nosuch.png", "--save", "out.npz").status == 1
    with np.load("out.npz") as kept:
        assert list(kept["names"]) == ["pics/a.png", "pics/b.png"]
        (y,) = (kept[name] for name in kept.files if name != "names")
        assert (y.shape, y.dtype) == ((2, 3), np.float32)
    assert not [f for f in here.iterdir() if f.name.startswith(".")]


def test_no_file_is_replaced_unasked() -> None:
    Path("out.npz").write_text("mine")
    assert run("net.onnx", "pics", "--save", "out.npz") == Result(
        1, "", "error: out.npz: it exists; --force replaces it\n"
    )
    assert Path("out.npz").read_text() == "mine"
    assert run("net.onnx", "pics", "--save", "out.npz", "--force").status == 0
    with np.load("out.npz") as kept:
        assert "names" in kept
    found = run("net.onnx", "pics", "--save", "no/out.npz")
    assert (found.status, found.err[:39]) == (1, "error: no/out.npz: there is no folder /")


def test_a_device_is_no_file_to_replace() -> None:
    os.mkfifo("pipe")
    found = run("net.onnx", "pics", "--save", "pipe", "--force")
    assert found == Result(1, "", "error: pipe: it is no regular file\n")


def test_outputs_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Fake({"names": [0.5, 0.5]}))
    found = run("net.onnx", "pics", "--save", "out.npz")
    assert found.status == 1
    assert "an output is called `names`" in found.err
    assert not Path("out.npz").exists()


# ── models ──────────────────────────────────────────────────────────────────────────────────────


def test_a_spec_is_compiled_and_said_to_be_untrained() -> None:
    found = run("net.cnn", "pics", "--format", "json")
    assert (found.status, found.err) == (0, UNTRAINED)
    assert run("net.cnn", "pics", "--format", "json") == found
    other = run("net.cnn", "pics", "--format", "json", "--seed", "1")
    assert other.out != found.out
    assert run("lenet5", "pics", "--set", "classes=3", "--top", "9").out.count("%") == 6


def test_a_spec_with_weights() -> None:
    found = run("net.cnn", "pics", "--weights", "net.onnx", "--format", "json")
    assert (found.status, found.err) == (0, "")
    assert found.out == run("net.cnn", "pics", "--format", "json").out
    found = run("net.cnn", "pics", "--weights", "no.npz")
    assert found.status == 1
    assert found.err.startswith("error: ")
    assert found.err.count("\n") == 1


def test_a_wrong_spec_says_why() -> None:
    Path("net.cnn").write_text(SPEC.replace("fc", "fcc"))
    found = run("net.cnn", "pics")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[unknown-layer]: ")


def test_models_that_are_none() -> None:
    Path("bad.onnx").write_bytes(b"\x08\x07 no model")
    found = run("bad.onnx", "pics")
    assert (found.status, found.err.count("\n")) == (1, 1)
    found = run("pics/a.png", "pics")
    assert found == Result(1, "", "error: pics/a.png: it is neither an ONNX model nor a spec\n")
    loads(SPEC).compile(no_weights=True).save("bare.onnx")
    found = run("bare.onnx", "pics")
    assert (found.status, found.err.count("\n")) == (1, 1)
    assert found.err.startswith("error: bare.onnx: it was compiled without weights: `")
    assert run("no.onnx", "pics") == Result(1, "", "error: no.onnx: there is no such file\n")
    found = run("nosuch", "pics")
    assert (found.status, found.err[:24]) == (1, "error[unreadable-file]: ")


@pytest.mark.parametrize("option", [("--seed", "1"), ("--set", "a=1"), ("--weights", "w.npz")])
def test_options_for_specs_alone(option: tuple[str, str]) -> None:
    found = run("net.onnx", "pics", *option)
    assert found.status == 2
    assert f"{option[0]} is for specs; net.onnx is a compiled model." in found.err


def test_a_model_of_others() -> None:
    x = helper.make_tensor_value_info("data", TensorProto.UINT8, ["N", 8, 8, 3])
    node = helper.make_node("Transpose", ["data"], ["swapped"], perm=[0, 3, 1, 2])
    y = helper.make_tensor_value_info("swapped", TensorProto.UINT8, ["N", 3, 8, 8])
    graph = helper.make_graph([node], "g", [x], [y])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        "theirs.onnx",
    )
    found = run("theirs.onnx", "pics/b.png", "--format", "json")
    assert found.err.startswith(
        "the model does not say how pictures become its input; "
        "they are given as 8x8x3, channels last, values 0 to 255\n"
    )
    (line,) = lines(found.out)
    assert (line["shape"], line["min"], line["max"]) == ([3, 8, 8], 255, 255)
    assert "shares" not in line


def test_help_ends_with_an_example() -> None:
    found = run("--help")
    assert "Example:\n    cnnspec run lenet5 digits.npy --top 3\n" in found.out
