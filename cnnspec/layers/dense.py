"""fc: a fully connected layer."""

from collections.abc import Mapping, Sequence

from cnnspec.layers.base import Layer, Weight, Work, need_vector
from cnnspec.layers.conv import INITS
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Value
from cnnspec.vocab.param import choice, flag, whole
from cnnspec.vocab.value import Shape


class Dense(Layer):
    """A fully connected layer: every unit sees every number of a flat vector.

    The number of inputs is inferred. A map must be flattened first (`flatten`).
    """

    kind = "fc"
    anchors = True
    positional = ("units",)

    units: int = whole("how many outputs it has")
    bias: bool = flag("adds a trained number to every output", default=True)
    init: str = choice("how the weights start", *INITS, default="he")

    @property
    def is_global(self) -> bool:
        return True

    def base_name(self) -> str:
        return f"fc{self.units}"

    def shape(self, *xs: Shape) -> Shape:
        need_vector("fc", xs[0])
        return (self.units,)

    def weights(self, *xs: Shape) -> Mapping[str, Weight]:
        bias = {"bias": Weight((self.units,), "zeros")} if self.bias else {}
        return {"weight": Weight((self.units, xs[0][0]), self.init), **bias}

    def work(self, y: Shape, *xs: Shape) -> Work:
        macs = xs[0][0] * self.units
        return Work(macs, macs + (self.units if self.bias else 0))

    def sums(self, y: Shape, *xs: Shape) -> Sequence[str]:
        n = xs[0][0]
        bias = " + 1" if self.bias else ""
        total = (n + bool(self.bias)) * self.units
        return [
            f"parameters ({n}{bias})·{self.units} = {total:,}",
            f"macs {n}·{self.units} = {n * self.units:,}",
        ]

    def lower(self, g: Builder, y: Shape, xs: Sequence[Value], w: Mapping[str, Value]) -> Value:
        return g.op("Gemm", xs[0], w["weight"], w.get("bias"), shape=y, transB=1)
