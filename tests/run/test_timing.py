"""Is the time of a run that of its layers, and the work what the operators compute?"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from cnnspec import load
from cnnspec.run.session import CannotRun, open_session
from cnnspec.run.timing import (
    FEWEST,
    OWN,
    WARM,
    Latency,
    LayerTime,
    by_layer,
    called,
    counted,
    drawn,
    latency,
    owner,
)

FLOAT = onnx.TensorProto.FLOAT


class Counting:
    """A session that only counts how often it runs."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.runs = 0
        self.seconds = seconds

    def run(self, given: Any) -> None:
        import time

        self.runs += 1
        time.sleep(self.seconds)


def model_of(
    nodes: list[Any],
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
    **weights: tuple[int, ...],
) -> onnx.ModelProto:
    held = [onnx.numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in weights.items()]
    ends = [
        [helper.make_tensor_value_info(n, FLOAT, s) for n, s in ports.items()]
        for ports in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, "g", ends[0], ends[1], held)
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(found)
    return found


def work_of(proto: onnx.ModelProto, **sizes: tuple[int, ...]) -> dict[str, int]:
    feeds = {name: np.ones(size, np.float32) for name, size in sizes.items()}
    names = {called(n, k): n.output[0] for k, n in enumerate(proto.graph.node)}
    found = counted(proto.SerializeToString(), proto.graph, feeds, names, "cpu")
    assert not found.uncounted
    return {layer: n for layer, n in found.macs.items() if n}


# ── a whole run ────────────────────────────────────────────────────────────────────────────────


def test_a_median_needs_a_few_runs_and_no_more_than_its_time() -> None:
    session: Any = Counting()
    found = latency(session, {}, 8, 0.0)
    # One to warm up, where there is no time for more.
    assert (found.runs, session.runs) == (FEWEST, FEWEST + 1)
    session = Counting()
    assert latency(session, {}, 8, 60).runs == session.runs - WARM == 1000


def test_tenths_and_images() -> None:
    session: Any = Counting(0.002)
    found = latency(session, {}, 8, 0.05)
    assert 0.002 <= found.low <= found.median <= found.high
    assert found.images_per_second == 8 / found.median
    assert Latency(64, 0.5, 0.4, 0.6, 9).images_per_second == 128


# ── layers ─────────────────────────────────────────────────────────────────────────────────────

NAMES = {name: name for name in ("conv1", "conv1_bn", "b.conv1", "conv10")}


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("conv1", "conv1"),
        ("conv1_nchwc", "conv1"),
        ("conv1/kernels", "conv1"),
        ("conv1_bn/scale_token_3", "conv1_bn"),
        ("fused conv1_bn", "conv1_bn"),
        ("InsertedPrecisionFreeCast_conv10_nchwc", "conv10"),
        ("b.conv1_quant", "b.conv1"),
        ("conv100", OWN),
        ("conv", OWN),
        ("ReorderOutput_token_1", OWN),
        ("", OWN),
    ],
)
def test_names_of_the_runtime(name: str, layer: str) -> None:
    assert owner(name, NAMES) == layer


def layers_of(name: str, batch: int = 2) -> tuple[list[LayerTime], list[str], int]:
    network = load(name)
    model = network.compile()
    feeds = drawn(model.session("cpu").inputs, {"input": (network.layers[0].shape or ())}, batch)
    rows = network.report().rows
    names = {row.path: row.path for row in rows}
    macs = {row.path: batch * row.macs for row in rows}
    found = by_layer(model.to_bytes(), feeds, names, macs, device="cpu", runs=3)
    return found, list(names), sum(macs.values())


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "super_resolution", "mlp"])
def test_layers_are_in_order_and_share_time_and_work(name: str) -> None:
    found, paths, macs = layers_of(name)
    assert sum(row.share for row in found) == pytest.approx(1)
    # Every multiply-accumulate is in some row, whatever the runtime has fused.
    assert sum(row.macs or 0 for row in found) == macs
    known = [row.layer for row in found if row.layer != OWN]
    assert known == sorted(known, key=paths.index)
    assert OWN not in [row.layer for row in found[:-1]]


def test_a_row_of_no_work_has_no_rate() -> None:
    assert LayerTime("relu", ("Relu",), 0.5, 1.0, 0).flops_per_second is None
    assert LayerTime("conv", ("Conv",), 0.5, 1.0, 10).flops_per_second == 40
    assert LayerTime("conv", ("Conv",), 0.0, 0.0, 10).flops_per_second is None


def test_what_is_in_a_body_is_in_the_time_of_the_loop() -> None:
    value = helper.make_tensor_value_info
    cond = value("more", onnx.TensorProto.BOOL, [])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["more"], "same"),
            helper.make_node("MatMul", ["h", "w"], ["next"], "inner"),
        ],
        "body",
        [
            value("k", onnx.TensorProto.INT64, []),
            value("go", onnx.TensorProto.BOOL, []),
            value("h", FLOAT, [4, 8]),
        ],
        [cond, value("next", FLOAT, [4, 8])],
    )
    model = model_of(
        [
            helper.make_node("Constant", [], ["n"], "times", value_int=5),
            helper.make_node("Loop", ["n", "", "x"], ["y"], "loop", body=body),
        ],
        {"x": [4, 8]},
        {"y": [4, 8]},
        w=(8, 8),
    )
    feeds = {"x": np.ones((4, 8), np.float32)}
    names = {"loop": "loop"}
    rows = by_layer(model.SerializeToString(), feeds, names, None, device="cpu", runs=3)
    assert [row.layer for row in rows] == ["loop"]
    # Its work counts each time.
    assert sum(work_of(model, x=(4, 8)).values()) == 5 * 4 * 8 * 8


def test_a_profile_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    model = load("lenet5").compile().to_bytes()
    by_layer(model, {"input": np.ones((1, 1, 28, 28), np.float32)}, {}, None, device="cpu", runs=1)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CannotRun):
        by_layer(model, {"input": np.ones((1, 3), np.float32)}, {}, None, device="cpu", runs=1)
    assert list(tmp_path.iterdir()) == []


# ── work ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        "cifar10",
        "cnn1d",
        "conv3d",
        "denoiser",
        "lenet5",
        "mlp",
        "resnet20",
        "unet",
        "shufflenet_v2",
    ],
)
def test_the_specs_work_is_what_the_operators_compute(name: str) -> None:
    network = load(name)
    model = network.compile()
    rows = network.report().rows
    feeds = drawn(model.session("cpu").inputs, {"input": (network.layers[0].shape or ())}, 1)
    paths = {row.path: row.path for row in rows}
    found = counted(model.to_bytes(), model.onnx.graph, feeds, paths, "cpu")
    assert {p: n for p, n in found.macs.items() if n} == {r.path: r.macs for r in rows if r.macs}


def test_work_of_nodes_without_names() -> None:
    model = model_of(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], group=2, strides=[2, 2]),
            helper.make_node("ConvTranspose", ["a", "t", "tb"], ["b"], strides=[3, 3]),
            helper.make_node("Flatten", ["b"], ["c"]),
            helper.make_node("Gemm", ["g", "c"], ["d"], transA=1, transB=1),
            helper.make_node("MatMul", ["m", "d"], ["y"]),
        ],
        {"x": [2, 4, 5, 5]},
        {"y": [7, 2]},
        w=(6, 2, 3, 3),
        t=(6, 5, 3, 3),
        tb=(5,),
        g=(5 * 6 * 6, 3),
        m=(7, 3),
    )
    assert work_of(model, x=(2, 4, 5, 5)) == {
        "a": 2 * 6 * 2 * 2 * (2 * 3 * 3),
        "b": 2 * 6 * 2 * 2 * (5 * 3 * 3),
        "d": 3 * 180 * 2,
        "y": 7 * 3 * 2,
    }


def test_what_cannot_be_counted_is_said() -> None:
    model = model_of(
        [helper.make_node("Einsum", ["x", "w"], ["y"], "sum", equation="ij,jk->ik")],
        {"x": [2, 3]},
        {"y": [2, 4]},
        w=(3, 4),
    )
    feeds = {"x": np.ones((2, 3), np.float32)}
    found = counted(model.SerializeToString(), model.graph, feeds, {"sum": "sum"}, "cpu")
    assert (found.macs, found.uncounted) == ({}, ("Einsum",))


def test_a_size_that_no_memory_holds_is_not_drawn() -> None:
    ports = load("lenet5").compile().session("cpu").inputs
    with pytest.raises(CannotRun, match=r"`input` is 1x1x100000x100000, more numbers than"):
        drawn(ports, {"input": (1, 100_000, 100_000)}, 1)


def test_bytes_are_drawn_for_bytes() -> None:
    ports = [
        helper.make_tensor_value_info("x", onnx.TensorProto.UINT8, ["N", 3]),
        helper.make_tensor_value_info("y", FLOAT, ["N", 3]),
    ]
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=FLOAT)]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), "cpu")
    found = drawn(session.inputs, {"x": (3,)}, 100)["x"]
    assert (found.dtype, found.shape) == (np.uint8, (100, 3))
    assert found.max() > 200
