"""Does `cnnspec time` measure, and lead what it measures back to layers?"""

import json
from pathlib import Path
from typing import Any

import pytest

from calls import cnnspec
from cnnspec import load, loads
from cnnspec.run.timing import OWN

QUICK = ("--seconds", "0.02")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def timed(*args: str) -> Any:
    found = cnnspec("time", *args, *QUICK, "--format", "json")
    assert found.status == 0, found.err
    return json.loads(found.out)


def test_batches_have_medians_between_their_tenths() -> None:
    found = timed("lenet5", "--batch", "1", "--batch", "4", "--no-layers")
    assert [t["batch"] for t in found["latency"]] == [1, 4]
    for t in found["latency"]:
        assert 0 < t["low"] <= t["median"] <= t["high"]
        assert t["images_per_second"] == pytest.approx(t["batch"] / t["median"])
    assert found["macs"] == 416_520
    assert found["layers"] == []


def test_layers_share_the_time_and_the_work() -> None:
    found = timed("resnet20", "--batch", "2")
    assert sum(row["share"] for row in found["layers"]) == pytest.approx(1)
    # Every multiply-accumulate is in some row, whatever the runtime has fused.
    assert sum(row["macs"] or 0 for row in found["layers"]) == 2 * found["macs"]
    names = [n.path for n in load("resnet20").layers]
    known = [row["layer"] for row in found["layers"] if row["layer"] != OWN]
    assert known == sorted(known, key=names.index)


def test_the_table_names_layers_of_the_spec() -> None:
    found = cnnspec("time", "lenet5", "--batch", "8", "--threads", "1", *QUICK)
    assert found.status == 0
    assert "conv6_5x5" in found.out
    assert "GFLOP/s" in found.out
    (told,) = (line for line in found.out.splitlines() if line.startswith("on "))
    assert told.startswith("on cpu, one thread, onnxruntime ")
    assert told.endswith(", all optimisations, weights drawn from seed 0")


def test_the_slowest_layers_with_the_sum_of_the_others() -> None:
    shown = cnnspec("time", "lenet5", "--batch", "8", "--top", "2", *QUICK).out
    _, *rows = shown.split("by layer")[1].split("\n\n")[1].strip().splitlines()
    assert len(rows) == 3
    n = int(rows[-1].partition(" others")[0].strip("("))
    assert rows[-1].startswith(f"({n} others, faster; --top {n + 2} shows all)")
    shares = [float(word[:-1]) for row in rows for word in row.split() if word.endswith("%")]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert len(timed("lenet5", "--batch", "8", "--top", "2")["layers"]) == 2


def test_a_pipe_gets_whole_lines_and_many_layers_are_folded(here: Path) -> None:
    layers = " -> ".join(["conv 4 1x1", "maxpool 1x1"] * 30)
    Path("deep.cnn").write_text(f"network {{ input 4x4x4 -> {layers} }}")
    found = cnnspec("time", "deep.cnn", "--batch", "1", *QUICK, env={"COLUMNS": "30"}).out
    rows = found.split("by layer")[1].split("\n\n")[1].splitlines()
    assert len(rows) == 42
    assert "others, faster" in rows[-1]
    assert "…" not in found
    seen = cnnspec("time", "deep.cnn", *QUICK, env={"COLUMNS": "30"}, is_terminal=True).out
    assert max(map(len, seen.splitlines())) == 30


# ── files ──────────────────────────────────────────────────────────────────────────────────────


def test_a_file_knows_its_spec(here: Path) -> None:
    load("lenet5").compile(batch=4).save("four.onnx")
    found = timed("four.onnx")
    assert [t["batch"] for t in found["latency"]] == [4]
    assert found["macs"] == 416_520
    assert found["notes"] == ["it was compiled for a batch of 4; it takes no other"]
    refused = cnnspec("time", "four.onnx", "--batch", "2")
    assert (refused.status, refused.err) == (
        1,
        "error: four.onnx: it was compiled for a batch of 4\n",
    )


def test_what_was_cut_off_does_no_work(here: Path) -> None:
    load("lenet5").compile(until="fc84").save("cut.onnx")
    assert timed("cut.onnx", "--batch", "1")["macs"] == 416_520 - 84 * 10


def test_sizes_that_are_open(here: Path) -> None:
    network = load("unet")
    network.compile(dynamic_size=True).save("unet.onnx")
    found = timed("unet.onnx", "--batch", "1", "--size", "1x16x16", "--no-layers")
    # The spec's work is that of maps of its own size.
    _, h, w = network.layers[0].shape or (0, 0, 0)
    assert found["macs"] * h * w == network.report().totals.macs * 16 * 16
    refused = cnnspec("time", "lenet5", "--size", "3x3")
    assert refused.err == "error: lenet5: the input `input` takes 1x28x28, not 3x3\n"
    assert cnnspec("time", "lenet5", "--size", "3x").status == 2


def foreign(**options: Any) -> str:
    model = loads("network { input 3x8x8 -> conv 4 3x3 -> relu -> flatten -> fc 2 }").compile()
    proto = model.onnx
    del proto.metadata_props[:]
    for key, value in options.items():
        for node in proto.graph.node:
            setattr(node, key, value)
    Path("foreign.onnx").write_bytes(proto.SerializeToString())
    return "foreign.onnx"


WORK = 6 * 6 * 4 * 27 + 144 * 2


def test_a_foreign_file(here: Path) -> None:
    found = timed(foreign(), "--batch", "2")
    assert found["macs"] == WORK
    assert sum(row["macs"] or 0 for row in found["layers"]) == 2 * WORK
    assert "fc2" in {row["layer"] for row in found["layers"]}


def test_a_foreign_file_whose_nodes_have_no_names(here: Path) -> None:
    found = timed(foreign(name=""), "--batch", "2")
    assert found["macs"] == WORK
    assert sum(row["macs"] or 0 for row in found["layers"]) == 2 * WORK
    # They are called as what they make.
    assert {row["layer"] for row in found["layers"]} - {OWN} <= {
        "conv4_3x3",
        "conv4_3x3_relu",
        "conv4_3x3_flatten",
        "fc2",
    }


def test_half_precision_keeps_its_layers(here: Path) -> None:
    load("lenet5").compile(precision="fp16").save("half.onnx")
    rows = timed("half.onnx", "--batch", "1")["layers"]
    assert sum(row["macs"] or 0 for row in rows) == 416_520
    assert not {"Conv", "FusedGemm", "Gemm"} & {
        op for row in rows if row["layer"] == OWN for op in row["operators"]
    }


@pytest.mark.parametrize(
    "content", [b"", b"\x08\x08\x12\x90", b"\0" * 5000, b"PK\x03\x04", b"\x80\x04}."]
)
def test_broken_files(here: Path, content: bytes) -> None:
    Path("broken.onnx").write_bytes(content)
    found = cnnspec("time", "broken.onnx")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error: broken.onnx: ")
    assert len(found.err.splitlines()) == 1


def test_what_cannot_be_timed(here: Path) -> None:
    load("lenet5").compile(no_weights=True).save("bare.onnx")
    load("lenet5").training_step().save("step.onnx")
    for name in ("bare.onnx", "step.onnx"):
        found = cnnspec("time", name)
        assert (found.status, len(found.err.splitlines())) == (1, 1)
        assert found.err.startswith(f"error: {name}: ")
    found = cnnspec("time", "step.onnx", "--weights", "x.npz")
    assert found.status == 2


def test_a_batch_that_nobody_asked_for_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cnnspec.cli.time.PATIENCE", 0.0)
    found = timed("lenet5", "--no-layers")
    assert [t["batch"] for t in found["latency"]] == [1]
    assert [note.partition(":")[0] for note in found["notes"]] == [
        "batch 8 is left out",
        "batch 64 is left out",
    ]
    asked = timed("lenet5", "--no-layers", "--batch", "1", "--batch", "8")
    assert len(asked["latency"]) == 2
