# pyright: basic
"""How does a step run again and again without its values being copied?

What is kept from step to step lies in two sets of buffers on the device: a step reads one and
writes the other. Only the loss and what is told beside it come back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cnnspec.emit.passes.blocked import in_blocks
from cnnspec.emit.passes.blocks import DOMAIN
from cnnspec.emit.passes.spelled import spell_out
from cnnspec.emit.passes.together import gather_examples
from cnnspec.onnxir.graph import NUMPY_NAMES, Model
from cnnspec.run.blocks import block_size
from cnnspec.run.model import CompiledModel
from cnnspec.run.session import PROVIDERS, QUIET, CannotRun, choose, sentence
from cnnspec.train.step import Step

Arrays = Mapping[str, NDArray[Any]]

BUSY = "200"
"""Microseconds that a thread waits for more work before it sleeps."""


def as_run(model: Model, device: str, *, blocked: bool = False) -> bytes:
    """The bytes of a graph as it is put to run."""
    return CompiledModel(put(model, device, blocked=blocked)).to_bytes()


def put(model: Model, device: str, *, blocked: bool = False) -> Model:
    """A graph as a device runs it best, which may be put otherwise than what is exported; with
    operators of the runtime's own where these are asked for, and where there is work for them."""
    if blocked:
        made = in_blocks(model, block_size())
        if lies_in_blocks(made):
            return made
    return gather_examples(model) if device == "cpu" else spell_out(model)


def lies_in_blocks(model: Model) -> bool:
    return any(node.domain == DOMAIN for node in model.nodes)


class Stepper:
    """A step of training on a device, with all that it keeps."""

    def __init__(
        self,
        step: Step,
        model: bytes,
        start: Arrays,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        self.device = choose(device)  # pyright: ignore[reportArgumentType]
        with _said():
            self._session = _opened(model, self.device, threads)
            self._kept = step.kept
            self._sides = [self._buffers(start), self._buffers(start)]
            self._told = {
                name: ort.OrtValue.ortvalue_from_numpy(np.zeros((), np.float32))
                for name in step.outputs
            }
            self._bindings = [self._bound(0, 1), self._bound(1, 0)]
        self._side = 0

    def do(self, feeds: Arrays) -> dict[str, float]:
        """One step; what it tells."""
        binding = self._bindings[self._side]
        for name, x in feeds.items():
            # The caller keeps the array until the step is done.
            binding.bind_cpu_input(name, x)
        with _said():
            self._session.run_with_iobinding(binding)
        self._side = 1 - self._side
        return {name: float(value.numpy()) for name, value in self._told.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as it is now."""
        return self._copies(self._side)

    def before(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as it was before the last step."""
        return self._copies(1 - self._side)

    def load(self, state: Arrays) -> None:
        """Go on from there."""
        for k in self._kept:
            x = np.array(state[k.name], NUMPY_NAMES[k.dtype]).reshape(k.shape)
            self._sides[self._side][k.name].update_inplace(np.ascontiguousarray(x))

    def _copies(self, side: int) -> dict[str, NDArray[Any]]:
        return {name: np.array(value.numpy()) for name, value in self._sides[side].items()}

    def _buffers(self, start: Arrays) -> dict[str, Any]:
        return {
            k.name: ort.OrtValue.ortvalue_from_numpy(
                np.array(start[k.name], NUMPY_NAMES[k.dtype]).reshape(k.shape), self.device, 0
            )
            for k in self._kept
        }

    def _bound(self, source: int, target: int) -> Any:
        binding = self._session.io_binding()
        for k in self._kept:
            binding.bind_ortvalue_input(k.name, self._sides[source][k.name])
            binding.bind_ortvalue_output(k.next, self._sides[target][k.name])
        for name, value in self._told.items():
            binding.bind_ortvalue_output(name, value)
        return binding


class Judge:
    """A network whose weights lie on the device until others are loaded."""

    def __init__(self, step: Step, model: bytes, device: str, threads: int | None = None) -> None:
        self._step, self._device = step, device
        with _said():
            self._session = _opened(model, device, threads)
        self._binding = self._session.io_binding()
        self._held: dict[str, Any] = {}

    def load(self, weights: Arrays) -> None:
        """Use these weights from now on."""
        for k in self._step.kept:
            x = np.ascontiguousarray(weights[k.name], np.float32).reshape(k.shape)
            held = ort.OrtValue.ortvalue_from_numpy(x, self._device, 0)
            self._held[k.name] = held
            self._binding.bind_ortvalue_input(k.name, held)

    def do(self, feeds: Arrays) -> dict[str, NDArray[Any]]:
        """The outputs for a batch."""
        binding = self._binding
        for name, x in feeds.items():
            binding.bind_cpu_input(name, x)
        # Bound anew: what is bound keeps the size of the batch before.
        for name in self._step.outputs:
            binding.bind_output(name)
        with _said():
            self._session.run_with_iobinding(binding)
            found = binding.copy_outputs_to_cpu()
        return dict(zip(self._step.outputs, found, strict=True))


def _opened(model: bytes, device: str, threads: int | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    if threads is not None:
        options.intra_op_num_threads = threads
    # A step has hundreds of short operators: threads that sleep between them cost a tenth to a
    # fifth of it, and those that wait busily for longer take the time of who prepares batches.
    options.add_session_config_entry("session.intra_op.spin_duration_us", BUSY)
    # The runtime would remember where the values of the first run lay and take one block for all of
    # them in the second, beside what it has: twice the memory, and again for each size of a batch.
    options.enable_mem_pattern = False
    # It would also hold what a value of the forward pass took, until the backward pass makes one of
    # that size.
    options.enable_mem_reuse = False
    names = [PROVIDERS["cuda"]] if device == "cuda" else []
    made = ort.InferenceSession(model, options, providers=[*names, PROVIDERS["cpu"]])
    if device == "cuda" and PROVIDERS["cuda"] not in made.get_providers():
        raise CannotRun("the libraries of CUDA cannot be loaded; `--device cpu` needs none")
    return made


@contextmanager
def _said() -> Iterator[None]:
    """What the runtime says, as one sentence; its exceptions have no common base."""
    try:
        yield
    except CannotRun:
        raise
    except Exception as fault:
        is_theirs = type(fault).__module__.startswith("onnxruntime")
        if not is_theirs and not isinstance(fault, RuntimeError | ValueError):
            raise
        raise CannotRun(sentence(str(fault))) from None
