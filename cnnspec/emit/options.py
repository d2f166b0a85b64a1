"""What may be said about how a network is compiled?"""

from dataclasses import dataclass
from typing import Literal

from cnnspec.onnxir.opset import DEFAULT

Head = Literal["as-is", "none", "softmax", "labels"]


class CannotCompile(ValueError):
    """Something was asked for that this network does not allow; one sentence, perhaps with a
    hint."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message}; {hint}")
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Options:
    """How a network is compiled; by default, for inference on any number of images."""

    opset: int = DEFAULT
    batch: int | None = None
    """A fixed number of images, or any."""
    is_dynamic: bool = False
    """Maps of other sizes too, where the network allows it."""
    seed: int = 0
    until: str | None = None
    """The layer after which the network is cut off."""
    outputs: tuple[str, ...] = ()
    """Layers whose results leave the model too."""
    head: Head = "as-is"
    fold_bn: bool = True
    has_weights: bool = True
    """Are the weights in the file, or inputs of it?"""
    is_half: bool = False
    """Half precision inside; inputs and outputs stay single."""
    labels: tuple[str, ...] = ()
