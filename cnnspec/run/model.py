"""What is a compiled network in Python? Something to save, to run and to look into."""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnnspec.onnxir.graph import Model
from cnnspec.onnxir.proto import LARGEST, ROOM, save, to_proto, without_tensors, write
from cnnspec.writing import replacing

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from onnx import ModelProto

    from cnnspec.run.session import Device, Session


class CompiledModel:
    """A network as an ONNX model.

    >>> from cnnspec import load
    >>> model = load("lenet5").compile(seed=1)
    >>> model.run(numpy.zeros((2, 1, 28, 28)))["fc10_softmax"].shape
    (2, 10)
    """

    def __init__(self, model: "Model | ModelProto") -> None:
        self._model = model
        self._sessions: dict[str, Session] = {}

    @property
    def onnx(self) -> "ModelProto":
        """The model as the onnx package has it."""
        return to_proto(self._model) if isinstance(self._model, Model) else self._model

    @property
    def metadata(self) -> Mapping[str, str]:
        if isinstance(self._model, Model):
            return dict(self._model.metadata)
        return {p.key: p.value for p in self._model.metadata_props}

    @property
    def labels(self) -> tuple[str, ...]:
        """What the classes are called, where that is known."""
        return tuple(cast("list[str]", json.loads(self.metadata.get("cnnspec.labels", "[]"))))

    def text(self) -> str:
        """The graph in the notation of the onnx package, without the numbers of weights."""
        import onnx

        model = self._model
        proto = without_tensors(model) if isinstance(model, Model) else model
        shown = onnx.ModelProto(
            ir_version=proto.ir_version, opset_import=proto.opset_import, graph=proto.graph
        )
        del shown.graph.initializer[:]
        return onnx.printer.to_text(shown) + "\n"

    def summary(self) -> str:
        """`13 nodes, 61,706 weights, opset 17`."""
        if not isinstance(self._model, Model):
            proto = self._model
            (opset,) = (o.version for o in proto.opset_import if not o.domain)
            return f"{len(proto.graph.node)} nodes, opset {opset}"
        held = sum(prod(t.shape) for t in self._model.tensors.values() if t.is_weight)
        seed = self.metadata.get("cnnspec.seed")
        origin = "" if seed is None else f" drawn from seed {seed}"
        if not held:
            origin = " in the file"
        nodes = len(self._model.nodes)
        step = self.metadata.get("cnnspec.size_step", "1")
        sizes = f", sizes in steps of {step}" if step != "1" else ""
        return f"{nodes} nodes, {held:,} weights{origin}, opset {self._model.opset}{sizes}"

    def save(self, path: "str | os.PathLike[str]", *, external_data: bool = False) -> list[Path]:
        """Write the model, whole or not at all; the paths of what was written.

        With `external_data`, and always beyond two gigabytes, the weights are in a file beside it.
        """
        if isinstance(self._model, Model):
            return save(self._model, path, is_external=external_data)
        with replacing(path) as file:
            file.write(self.to_bytes())
        return [Path(path)]

    def to_bytes(self) -> bytes:
        """The file's content."""
        if not isinstance(self._model, Model):
            return self._model.SerializeToString(deterministic=True)
        if not self._is_small:
            raise ValueError(f"{self._model.bytes:,} bytes of weights do not fit into one file")
        file = io.BytesIO()
        write(self._model, file)
        return file.getvalue()

    def session(self, device: "Device" = "auto") -> "Session":
        """The model ready to run; made once for a device."""
        from cnnspec.run.session import open_session

        if device not in self._sessions:
            if self._is_small:
                self._sessions[device] = open_session(self.to_bytes(), device)
            else:
                # The weights of a large one must lie beside it, while the runtime reads them.
                with tempfile.TemporaryDirectory(prefix="cnnspec-") as folder:
                    path, *_ = self.save(Path(folder) / "model.onnx")
                    self._sessions[device] = open_session(path, device)
        return self._sessions[device]

    @property
    def _is_small(self) -> bool:
        """Does it fit into one file?"""
        return not isinstance(self._model, Model) or self._model.bytes <= LARGEST - ROOM

    def run(
        self, given: "ArrayLike | Mapping[str, ArrayLike]", device: "Device" = "auto"
    ) -> "dict[str, NDArray[Any]]":
        """The outputs by name, for a batch: an array where there is one input, or one for each."""
        import numpy as np

        session = self.session(device)
        if isinstance(given, Mapping):
            named = given
        elif len(session.inputs) == 1:
            named = {session.inputs[0].name: given}
        else:
            names = ", ".join(f"`{p.name}`" for p in session.inputs)
            raise ValueError(f"the model has several inputs, {names}: give a dict")
        return session.run({name: np.asarray(x) for name, x in named.items()})

    def _repr_html_(self) -> str:
        from cnnspec.run.notebook import html

        if isinstance(self._model, Model):
            return html(without_tensors(self._model), self._model.bytes, self.labels)
        return html(self._model, self._model.ByteSize(), self.labels)

    def __repr__(self) -> str:
        if isinstance(self._model, Model):
            return f"<model {self._model.name}: {len(self._model.nodes)} nodes>"
        return f"<model {self._model.graph.name}: {len(self._model.graph.node)} nodes>"
