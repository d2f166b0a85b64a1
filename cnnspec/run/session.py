# pyright: basic
"""How is a model run? The only place that meets ONNX Runtime.

What ONNX Runtime says in several lines of its own words is one sentence here.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cnnspec.run.files import read_onnx

Device = Literal["auto", "cpu", "cuda"]

QUIET = 4
"""The runtime's own messages are not shown: what it raises is told in our words."""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class CannotRun(ValueError):
    """A model that the runtime does not take, or inputs that the model does not; one sentence."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its name, its shape with words for sizes that are open, its type."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str

    def __str__(self) -> str:
        sizes = "x".join("?" if n is None else str(n) for n in self.shape)
        return f"{self.name} {sizes} {self.dtype}"


class Session:
    """A model that is ready to run."""

    def __init__(self, made: ort.InferenceSession, device: str) -> None:
        self._made = made
        self.device = device
        self.inputs = [_port(i) for i in made.get_inputs()]
        self.outputs = [_port(o) for o in made.get_outputs()]
        self.metadata: dict[str, str] = dict(made.get_modelmeta().custom_metadata_map)

    def run(
        self, given: "Mapping[str, NDArray[Any]]", only: Sequence[str] | None = None
    ) -> "dict[str, NDArray[Any]]":
        """The outputs by name."""
        names = [o.name for o in self.outputs] if only is None else list(only)
        feeds = {port.name: self._fitting(port, given) for port in self.inputs}
        if extra := [name for name in given if name not in feeds]:
            raise CannotRun(f"the model has no input `{extra[0]}`; it has {self._named()}")
        with _said():
            made: Any = self._made.run(names, feeds)
        return dict(zip(names, made, strict=True))

    def end_profiling(self) -> str:
        """Stop measuring; the path of the file that says what was measured."""
        return self._made.end_profiling()

    def _fitting(self, port: Port, given: "Mapping[str, NDArray[Any]]") -> "NDArray[Any]":
        if port.name not in given:
            raise CannotRun(f"nothing is given for the input `{port.name}`")
        x = np.asarray(given[port.name], port.dtype, order="C")
        fits = len(x.shape) == len(port.shape) and all(
            not isinstance(n, int) or n == m for n, m in zip(port.shape, x.shape, strict=True)
        )
        if not fits:
            shape = "x".join(map(str, x.shape)) or "a single number"
            raise CannotRun(f"the input is {port}; {shape} is given")
        return x

    def _named(self) -> str:
        return ", ".join(f"`{p.name}`" for p in self.inputs)


def open_session(
    model: "str | os.PathLike[str] | bytes",
    device: Device = "auto",
    *,
    threads: int | None = None,
    profile: "str | os.PathLike[str] | None" = None,
    optimise: bool = True,
) -> Session:
    """A session for a model in a file, or in memory. Raises `CannotRun`, or `BadFile` for a file
    that is no sound model: the runtime trusts what it is given, so it is looked at before."""
    chosen = choose(device)
    if not isinstance(model, bytes):
        read_onnx(model)
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    # Without VNNI the runtime cuts off sums of int8 models, unless it is asked not to.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = os.fspath(profile)
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    what: Any = model if isinstance(model, bytes) else os.fspath(model)
    providers = [PROVIDERS["cuda"], PROVIDERS["cpu"]] if chosen == "cuda" else [PROVIDERS["cpu"]]
    with _said("" if isinstance(model, bytes) else f"{Path(what).name}: "):
        return Session(ort.InferenceSession(what, options, providers=providers), chosen)


def choose(device: Device) -> str:
    """`cpu` or `cuda`; `CannotRun` where CUDA is asked for and cannot be had."""
    has_cuda = PROVIDERS["cuda"] in ort.get_available_providers() and _has_gpu()
    if device == "cuda" and not has_cuda:
        raise CannotRun(
            "CUDA cannot be used here: it needs an NVIDIA GPU with its driver, and "
            "`pip install 'cnnspec[cuda]'` for the libraries"
        )
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def runtime() -> str:
    """What runs models here, with its version."""
    return f"onnxruntime {ort.__version__}"


def _has_gpu() -> bool:
    """Is there a card at all? The package with the provider runs without one, and complains."""
    return Path("/proc/driver/nvidia/version").exists() or os.name == "nt"


def _port(arg: Any) -> Port:
    shape = tuple(n if isinstance(n, int | str) else None for n in arg.shape)
    return Port(arg.name, shape, DTYPES.get(arg.type) or str(arg.type))


@contextmanager
def _said(before: str = "") -> Iterator[None]:
    """What the runtime says, as one sentence."""
    try:
        yield
    except MemoryError:
        raise CannotRun(f"{before}it asks for more memory than there is") from None
    except (OSError, KeyError):
        raise
    except Exception as fault:
        # The runtime's exceptions have no common base but this.
        if not type(fault).__module__.startswith("onnxruntime") and not isinstance(
            fault, RuntimeError | ValueError
        ):
            raise
        raise CannotRun(before + sentence(str(fault))) from None


def sentence(said: str) -> str:
    """The runtime's message without its codes, places in its own source, and line ends."""
    text = " ".join(said.split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ", "", text)
    text = re.sub(r"\S*/onnxruntime/\S+:\d+ \S+ ", "", text)
    return text if len(text) <= 300 else f"{text[:299]}…"
