"""Is the file that is written tensor by tensor the one that the onnx package would write?"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest

from cnnspec.emit.compile import compile_graph
from cnnspec.emit.options import Options
from cnnspec.onnxir import proto
from cnnspec.onnxir.graph import Model, Tensor, Value
from cnnspec.onnxir.opset import NEWEST, OLDEST, ir_version
from nets import ROOT, build_file


def lenet(**options: object) -> Model:
    return compile_graph(build_file("specs/lenet5.cnn"), Options(**options))  # type: ignore[arg-type]


def test_the_file_holds_what_the_protobuf_holds(tmp_path: Path) -> None:
    model = lenet()
    (path,) = proto.save(model, tmp_path / "net.onnx")
    assert onnx.load(path) == proto.to_proto(model)
    # Nothing but the model, and not one byte more than the package would write.
    assert path.stat().st_size == proto.to_proto(model).ByteSize()
    assert os.listdir(tmp_path) == ["net.onnx"]


def test_large_tensors_go_beside_it(tmp_path: Path) -> None:
    model = lenet()
    path, beside = proto.save(model, tmp_path / "net.onnx", is_external=True)
    assert beside.name == "net.onnx.data"
    held = onnx.load(path, load_external_data=False).graph.initializer
    external = {t.name: {e.key: e.value for e in t.external_data} for t in held if t.external_data}
    assert "fc120.weight" in external
    assert "fc10.bias" not in external
    for place in external.values():
        assert place["location"] == beside.name
        assert int(place["offset"]) % proto.ALIGNED == 0
    whole = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for tensor in model.tensors.values():
        np.testing.assert_array_equal(whole[tensor.name], tensor.draw())
    onnx.checker.check_model(path, full_check=True)


def failing(model: Model) -> Model:
    """The model with a last weight that cannot be had."""

    def fail() -> np.ndarray:
        raise OSError(28, "No space left on device", "net.onnx")

    model.tensors["z"] = Tensor(Value("z", (2,)), fail)
    return model


@pytest.mark.parametrize("is_external", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path: Path, is_external: bool) -> None:
    target = tmp_path / "net.onnx"
    target.write_text("before")
    with pytest.raises(OSError, match="No space"):
        proto.save(failing(lenet()), target, is_external=is_external)
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize("opset", range(OLDEST, NEWEST + 1))
def test_the_ir_version_is_the_oldest_that_knows_the_opset(opset: int) -> None:
    assert ir_version(opset) == onnx.helper.find_min_ir_version_for(
        [onnx.helper.make_opsetid("", opset)]
    )


DIGEST = """
import hashlib, sys
from cnnspec.cli import status_of
assert status_of(["compile", "resnet20", "-o", sys.argv[1]]) == 0
print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(), end="")
"""


def test_the_same_bytes_whatever_the_process(tmp_path: Path) -> None:
    """Two processes that differ in hash seed, folder and number of threads."""
    digests = set[str]()
    for seed in ("0", "4242"):
        folder = tmp_path / f"folder{seed}"
        folder.mkdir()
        env = dict(os.environ, PYTHONHASHSEED=seed, OMP_NUM_THREADS="1" if seed == "0" else "2")
        done = subprocess.run(
            [sys.executable, "-c", DIGEST, folder / f"{seed}.onnx"],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.splitlines()[-1])
    assert len(digests) == 1
    path = tmp_path / "here.onnx"
    model = compile_graph(build_file("specs/resnet20.cnn"), Options())
    proto.save(model, path)
    assert digests == {hashlib.sha256(path.read_bytes()).hexdigest()}


PEAK = r"""
import re, sys
from cnnspec.cli import status_of
assert status_of(["compile", "vgg16", "-o", sys.argv[1]]) == 0
# Not ru_maxrss, which begins at the size of the process that started this one.
print(re.search("VmHWM:.*?([0-9]+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_vgg16_is_written_within_a_gigabyte(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "vgg16.onnx"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    weights = (tmp_path / "vgg16.onnx").stat().st_size
    assert weights > 553e6
    (tmp_path / "vgg16.onnx").unlink()
    # Its largest weight has 411 MB; no more than that one lies in memory.
    assert int(done.stdout.splitlines()[-1]) * 1024 < min(1e9, 1.3 * weights)


def test_a_tensor_of_the_wrong_shape_is_our_fault(tmp_path: Path) -> None:
    model = lenet()
    model.tensors["z"] = Tensor(Value("z", (2,)), lambda: np.zeros(3, np.float32))
    with pytest.raises(AssertionError, match=r"`z` is \(3,\), not \(2,\)"):
        proto.save(model, tmp_path / "net.onnx")


@pytest.mark.parametrize("n", [0, 1, 127, 128, 300, 2**31, 2**40])
def test_lengths_are_written_as_protobuf_reads_them(n: int) -> None:
    from google.protobuf.internal.decoder import _DecodeVarint  # type: ignore[attr-defined]

    prefix = proto._prefix(5, n)
    assert prefix[0] == 5 << 3 | 2
    assert _DecodeVarint(prefix, 1) == (n, len(prefix))
