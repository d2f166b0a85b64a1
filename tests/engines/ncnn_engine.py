"""How does ncnn run a model, which pnnx first turns into ncnn's own format?"""

import importlib
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from engines.engine import CannotLoad, Tensors

# By name, so that the type checker needs no engine installed.
ncnn = importlib.import_module("ncnn")


def VERSION() -> str:  # noqa: N802
    return f"{ncnn.__version__}, pnnx {importlib.metadata.version('pnnx')}"


def run(model_path: Path, inputs: Tensors) -> Tensors:
    graph = onnx.load(model_path).graph
    takes = [x.name for x in graph.input]
    gives = [y.name for y in graph.output]
    net = _net(model_path, tuple(inputs[name].shape[1:] for name in takes))
    # ncnn has no axis for the batch: its examples go through one after another.
    batch = len(inputs[takes[0]])
    found = [_one(net, [inputs[name][i] for name in takes], len(gives)) for i in range(batch)]
    return {name: np.stack([ys[i] for ys in found]) for i, name in enumerate(gives)}


@lru_cache(maxsize=1)
def _net(model_path: Path, shapes: tuple[tuple[int, ...], ...]) -> Any:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # pnnx writes beside the model that it reads.
        shutil.copy(model_path, folder / "model.onnx")
        said = _pnnx(folder, ",".join(f"[{','.join(map(str, (1, *x)))}]" for x in shapes))
        param, weights = folder / "model.ncnn.param", folder / "model.ncnn.bin"
        if not param.exists():
            raise CannotLoad(f"pnnx: {said}")
        net = ncnn.Net()
        net.opt.use_vulkan_compute = False
        # Its threads spin while they wait: on a busy machine that takes ten times as long.
        net.opt.num_threads = 1
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
        if net.load_param(str(param)) or net.load_model(str(weights)):
            raise CannotLoad(f"ncnn cannot load what pnnx writes: {_unknown(param) or said}")
        return net


def _pnnx(folder: Path, shapes: str) -> str:
    """Convert, in 32 bits; returns what it says that is no part of its usual talk."""
    # Not imported: the package wants PyTorch, which the program in it does not need.
    spec = importlib.util.find_spec("pnnx")
    assert spec is not None
    assert spec.origin is not None
    program = Path(spec.origin).parent / "pnnx"
    command = [program, "model.onnx", f"inputshape={shapes}", "fp16=0"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    telling = re.compile(r"unsupported|not supported|error|fail|ignore|no such", re.IGNORECASE)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if telling.search(line)]
    return "; ".join(dict.fromkeys(lines)) or f"exit status {done.returncode}"


def _unknown(param: Path) -> str:
    """The layers of a net which ncnn does not have: pnnx leaves what it cannot convert."""
    kinds = [line.split()[0] for line in param.read_text(encoding="utf-8").splitlines()[2:]]
    return ", ".join(dict.fromkeys(kind for kind in kinds if "." in kind or "::" in kind))


def _one(net: Any, xs: list[np.ndarray], outputs: int) -> list[np.ndarray]:
    extractor = net.create_extractor()
    for i, x in enumerate(xs):
        # A copy: a Mat of an array does not keep that alive.
        extractor.input(f"in{i}", ncnn.Mat(np.ascontiguousarray(x)).clone())
    ys = []
    for i in range(outputs):
        status, y = extractor.extract(f"out{i}")
        if status:
            raise CannotLoad(f"out{i} cannot be worked out, status {status}")
        ys.append(np.array(y))
    return ys
