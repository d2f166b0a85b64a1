"""Does `cnnspec time` measure, and lead what it measures back to layers?"""

import json
from pathlib import Path
from typing import Any

import pytest

from calls import cnnspec
from cnnspec import load, loads
from cnnspec.run.timing import OWN, owner

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
    found = cnnspec("time", "lenet5", "--batch", "8", *QUICK)
    assert found.status == 0
    assert "conv6_5x5" in found.out
    assert "GFLOP/s" in found.out
    slowest = cnnspec("time", "lenet5", "--batch", "8", "--top", "2", *QUICK).out
    rows = slowest.split("by layer")[1].strip().splitlines()[2:]
    assert len(rows) == 3


def test_a_file_knows_its_spec(here: Path) -> None:
    load("lenet5").compile(batch=4).save("four.onnx")
    found = timed("four.onnx")
    assert [t["batch"] for t in found["latency"]] == [4]
    assert found["macs"] == 416_520
    refused = cnnspec("time", "four.onnx", "--batch", "2")
    assert (refused.status, refused.err) == (
        1,
        "error: four.onnx: it was compiled for a batch of 4\n",
    )


def test_sizes_that_are_open(here: Path) -> None:
    load("unet").compile(dynamic_size=True).save("unet.onnx")
    found = timed("unet.onnx", "--batch", "1", "--size", "1x16x16", "--no-layers")
    # The spec's work is that of another size.
    assert found["macs"] is None
    refused = cnnspec("time", "lenet5", "--size", "3x3")
    assert refused.err == "error: lenet5: the input `input` takes 1x28x28, not 3x3\n"


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv1", "conv1"),
        ("conv1_nchwc", "conv1"),
        ("conv1/kernels", "conv1"),
        ("fused conv1_bn", "conv1_bn"),
        ("conv10", OWN),
        ("ReorderOutput", OWN),
    ],
)
def test_names_of_the_runtime(name: str, layer: str) -> None:
    assert owner(name, ["conv1", "conv1_bn"]) == layer


def test_a_foreign_file(here: Path) -> None:
    model = loads("network { input 3x8x8 -> conv 4 3x3 -> flatten -> fc 2 }").compile()
    proto = model.onnx
    del proto.metadata_props[:]
    Path("foreign.onnx").write_bytes(proto.SerializeToString())
    found = timed("foreign.onnx", "--batch", "2")
    assert found["macs"] is None
    assert {"conv4_3x3", "fc2"} <= {row["layer"] for row in found["layers"]}
