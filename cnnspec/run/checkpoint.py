"""How is a training run put down, and taken up again where it was?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import save

from cnnspec.run.files import BadFile
from cnnspec.run.weights import read_weights
from cnnspec.writing import replacing

KEY = "cnnspec"

State = Mapping[str, NDArray[Any]]


@dataclass(slots=True)
class Position:
    """Where a run stands: so many epochs and batches are done.

    It changes with every step, and is looked at by pydantic only where it is read and written.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    """Batches of all epochs."""
    loss_sum: float = 0.0
    right: float = 0.0
    counted: int = 0
    """What the network could have got right: examples, or pixels."""
    seen: int = 0
    """Of this epoch so far: examples, the sum of their losses, how many are right."""
    best: float | None = None
    """The best validation so far: more is better."""
    best_epoch: int | None = None
    best_loss: float | None = None
    """The loss of that validation, which tells epochs apart that get as many right."""
    mark: float | None = None
    """The validation that early stopping compares with."""
    waited: int = 0
    """Epochs since validation became better than that."""
    plateau_best: float | None = None
    plateau_waited: int = 0
    lowered: int = 0
    """How often a plateau has lowered the learning rate."""
    seconds: float = 0.0
    why: str = ""
    """Why the run ended before its last epoch."""


POSITIONS = TypeAdapter(Position)


def write(path: Path, state: State, position: Position) -> None:
    """Put a state down: the old one or the new one is there, whatever happens."""
    # `ascontiguousarray` alone would make a vector of a single number.
    arrays = {name: np.ascontiguousarray(x).reshape(x.shape) for name, x in state.items()}
    said = {KEY: POSITIONS.dump_json(position).decode()}
    with replacing(path) as file:
        file.write(save(arrays, said))


def read(path: Path) -> tuple[dict[str, NDArray[Any]], Position]:
    """The state and position of a checkpoint; `BadFile` where it is none of ours."""
    tensors = read_weights(path)
    return {name: t.read() for name, t in tensors.items()}, position(path)


def position(path: Path) -> Position:
    """The position alone, without the state."""
    try:
        return POSITIONS.validate_json(_said(path))
    except (ValidationError, LookupError, TypeError, ValueError):
        raise BadFile(path, "no checkpoint of a training run") from None


def _said(path: Path) -> str:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its beginning does not say how long its head is")
        header = json.loads(file.read(length))
    return str(header["__metadata__"][KEY])
