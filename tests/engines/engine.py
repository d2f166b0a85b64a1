"""Which other engines are tried, what does each need, and where does it run?"""

import importlib
import importlib.util
import multiprocessing
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Tensors = dict[str, np.ndarray]

NODE_MODULES = Path(sys.prefix) / "node" / "node_modules"
"""Where the Makefile has npm put onnxruntime-web: in the environment, as all that is installed."""


class CannotLoad(Exception):
    """What an engine says, in one line, where it cannot load or run a model."""

    def __init__(self, said: object) -> None:
        lines = [line.strip() for line in str(said).splitlines() if line.strip()]
        super().__init__(" / ".join(lines[:3])[:300] or "it fails and says nothing")


@dataclass(frozen=True)
class Engine:
    """An engine: its adapter `engines.<name>_engine`, and the modules which that imports."""

    name: str
    title: str
    how: str
    modules: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def missing(self) -> str | None:
        """What of it is not installed here."""
        for module in self.modules:
            if importlib.util.find_spec(module) is None:
                return f"{self.title}: no module {module}; `make engines` installs it"
        for file in self.files:
            if not file.exists():
                return f"{self.title}: no {file.name} in {file.parent}; `make engines` installs it"
        return None


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("openvino", "OpenVINO", "reads ONNX, on the CPU in 32 bits", ("openvino",)),
        Engine("opencv", "OpenCV dnn", "reads ONNX, with its new engine", ("cv2",)),
        Engine("tract", "tract", "reads ONNX", ("tract",)),
        Engine(
            "ncnn",
            "ncnn",
            "reads what pnnx makes of ONNX, in 32 bits; is run once for each example of a batch",
            ("ncnn", "pnnx"),
        ),
        Engine(
            "web",
            "onnxruntime-web",
            "reads ONNX, as WebAssembly under Node.js",
            files=(NODE_MODULES / "onnxruntime-web",),
        ),
    )
}


def adapter(name: str) -> Any:
    return importlib.import_module(f"engines.{name}_engine")


class Aside:
    """Runs one engine in a process of its own, so that its crash is a reason and no end of tests.

    The process stays for all models: importing an engine takes longer than running a small net.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pool: ProcessPoolExecutor | None = None

    def run(self, model: Path, inputs: Tensors) -> Tensors:
        try:
            return self._submit(_run, self.name, model, inputs).result(timeout=300)
        except BrokenProcessPool:
            self.close()
            raise CannotLoad("the process of the engine crashes") from None

    def version(self) -> str:
        return self._submit(_version, self.name).result(timeout=300)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown()
            self.pool = None

    def _submit(self, function: Any, *arguments: object) -> Future[Any]:
        if self.pool is None:
            # Not forked: an engine's threads and ONNX Runtime's must not meet in one process.
            context = multiprocessing.get_context("spawn")
            self.pool = ProcessPoolExecutor(max_workers=1, mp_context=context)
        return self.pool.submit(function, *arguments)


def _run(name: str, model: Path, inputs: Tensors) -> Tensors:
    return adapter(name).run(model, inputs)


def _version(name: str) -> str:
    return adapter(name).VERSION()
