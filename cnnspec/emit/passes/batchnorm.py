"""Where can a batch normalisation be taken into the weights before it?

Behind a convolution or a matrix product that nobody else reads, with a = scale/√(var + eps):
a·(W x + b - mean) + bias = (a·W) x + (a·(b - mean) + bias).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnspec.onnxir.graph import Draw, Model, Node, Tensor, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINEAR = ("Conv", "ConvTranspose", "Gemm")


def fold_batchnorm(model: Model) -> Model:
    """The model with every batch normalisation that can be in the weights before it."""
    readers = model.consumers()
    ends = {v.name for v in model.outputs}
    makers = {n.outputs[0]: n for n in model.nodes}
    tensors = dict(model.tensors)
    replaced: dict[str, Node] = {}
    gone: set[str] = set()
    for node in model.nodes:
        before = makers.get(node.inputs[0])
        if node.op != "BatchNormalization" or before is None or before.op not in LINEAR:
            continue
        value = before.outputs[0]
        if len(readers[value]) > 1 or value in ends or not _are_known(before, node, tensors):
            continue
        fold = _Fold(before, node, tensors, readers)
        tensors.update((t.name, t) for t in fold.tensors)
        replaced[before.name] = fold.node
        gone.add(node.name)
    kept = [replaced.get(n.name, n) for n in model.nodes if n.name not in gone]
    folded = model.with_nodes(kept)
    taken = {name for node in kept for name in node.inputs}
    folded.tensors = {name: t for name, t in tensors.items() if name in taken}
    return folded


def _are_known(before: Node, norm: Node, tensors: dict[str, Tensor]) -> bool:
    return all(name in tensors for name in (*before.inputs[1:], *norm.inputs[1:]))


class _Fold:
    """One linear layer with the normalisation behind it taken in."""

    def __init__(
        self,
        before: Node,
        norm: Node,
        tensors: dict[str, Tensor],
        readers: dict[str, list[Node]],
    ) -> None:
        self._before = before
        self._norm = norm
        self._weight = tensors[before.inputs[1]]
        self._bias = tensors[before.inputs[2]] if len(before.inputs) > 2 else None
        self._stats = [tensors[name] for name in norm.inputs[1:]]
        is_shared = len(readers[self._weight.name]) > 1
        # A weight that others read too stays as it is, and this layer gets its own.
        weight = f"{before.name}.weight" if not is_shared else f"{norm.name}.folded_weight"
        bias = self._bias.name if self._bias is not None and not is_shared else None
        channels = self._stats[0].value.shape
        self.tensors: Sequence[Tensor] = (
            Tensor(Value(weight, self._weight.value.shape), self._draw_weight(), is_weight=True),
            Tensor(
                Value(bias or weight.removesuffix("weight") + "bias", channels),
                self._draw_bias(),
                is_weight=True,
            ),
        )
        # The result is the normalised one, under its name.
        self.node = Node(
            before.op,
            (next(iter(before.inputs)), *(t.name for t in self.tensors)),
            norm.outputs,
            before.attributes,
            before.name,
            before.source,
        )

    def _factors(self) -> "NDArray[Any]":
        import numpy as np

        scale, var = self._stats[0].draw(), self._stats[3].draw()
        eps = self._norm.attributes["epsilon"]
        assert isinstance(eps, float)
        return scale.astype(np.float64) / np.sqrt(var.astype(np.float64) + eps)

    def _draw_weight(self) -> Draw:
        weight = self._weight

        def draw() -> "NDArray[Any]":
            drawn = weight.draw()
            return drawn * _by_output(self._before, self._factors(), drawn.shape)

        return draw

    def _draw_bias(self) -> Draw:
        def draw() -> "NDArray[Any]":
            import numpy as np

            offset, mean = self._stats[1].draw(), self._stats[2].draw()
            before = 0 if self._bias is None else self._bias.draw().astype(np.float64)
            return self._factors() * (before - mean) + offset

        return draw


def _by_output(node: Node, factors: "NDArray[Any]", shape: tuple[int, ...]) -> "NDArray[Any]":
    """The factors laid along the outputs of a weight."""
    import numpy as np

    found = factors.astype(np.float32)
    if node.op != "ConvTranspose":
        return found.reshape(-1, *(1 for _ in shape[1:]))
    # (inputs, outputs of a group, kernel…): inputs of group k go to outputs of group k.
    groups = node.attributes["group"]
    assert isinstance(groups, int)
    by_group = found.reshape(groups, 1, shape[1])
    spread = np.broadcast_to(by_group, (groups, shape[0] // groups, shape[1]))
    return spread.reshape(shape[0], shape[1], *(1 for _ in shape[2:]))
