# pyright: basic
"""How does a step run again and again without its values being copied?

What is kept from step to step lies in two sets of buffers on the device: a step reads one and
writes the other. Only the loss and what is told beside it come back.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from cnnspec.onnxir.graph import NUMPY_NAMES
from cnnspec.run.session import PROVIDERS, QUIET, choose
from cnnspec.train.step import Step

Arrays = Mapping[str, NDArray[Any]]


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
        self._step = step
        self.device = choose(device)  # pyright: ignore[reportArgumentType]
        options = ort.SessionOptions()
        options.log_severity_level = QUIET
        if threads is not None:
            options.intra_op_num_threads = threads
        names = [PROVIDERS["cuda"]] if self.device == "cuda" else []
        self._session = ort.InferenceSession(model, options, providers=[*names, PROVIDERS["cpu"]])
        self._kept = list(step.kept)
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
        self._session.run_with_iobinding(binding)
        self._side = 1 - self._side
        return {name: float(value.numpy()) for name, value in self._told.items()}

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as it is now."""
        side = self._sides[self._side]
        return {name: np.array(value.numpy()) for name, value in side.items()}

    def before(self) -> dict[str, NDArray[Any]]:
        """All that is kept, as it was before the last step."""
        side = self._sides[1 - self._side]
        return {name: np.array(value.numpy()) for name, value in side.items()}

    def load(self, state: Arrays) -> None:
        """Go on from there."""
        for name, value in self._sides[self._side].items():
            value.update_inplace(np.ascontiguousarray(state[name]))

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
