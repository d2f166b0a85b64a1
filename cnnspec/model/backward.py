"""What does a layer's backward pass need: of the forward pass, and while it runs?

In bytes for one example, read off the rules by which gradients are made: a layer keeps its input
(`fc`: dw = dyᵀ·x), its output (`tanh`: dx = dy·(1 - y²)) or neither (`flatten`), and copies what it
has to lay out in another way before it can be multiplied.
"""

from typing import NamedTuple

from cnnspec.layers.base import product
from cnnspec.layers.conv import Conv
from cnnspec.layers.deconv import Deconv
from cnnspec.layers.pool import MaxPool, Pool
from cnnspec.model.graph import Node
from cnnspec.model.tally import BYTES, facts_of
from cnnspec.vocab.value import Shape

PASSING = {
    *("input", "add", "sub", "mean", "concat", "affine", "reduce", "dropout", "droppath"),
    *("flatten", "reshape", "permute", "slice", "channelshuffle", "pixelshuffle"),
    *("pixelunshuffle", "upsample", "pad", "crop", "avgpool"),
}
"""Their gradients hang on no value of theirs."""

BY_OUTPUT = {
    *("relu", "sigmoid", "hsigmoid", "tanh", "softmax", "logsoftmax", "exp", "sqrt"),
    *("elu", "selu", "div", "max", "min", "lppool", "l2norm"),
}
"""Their gradients are worked out from what they made."""

ONLY_BY_OUTPUT = {"relu", "sigmoid", "hsigmoid", "tanh", "softmax", "logsoftmax", "exp", "sqrt"}
"""And from nothing else."""

BESIDE = {"silu": 1, "scaledtanh": 1, "dropout": 1, "mish": 2, "gelu": 2}
"""How many values as large as their output they keep on the way to it: a sigmoid, a mask."""

IN_PLACE = {
    *("relu", "leaky", "prelu", "elu", "selu", "silu", "hswish", "hsigmoid", "sigmoid", "tanh"),
    *("scaledtanh", "softplus", "mish", "gelu", "clip", "abs", "square", "sqrt", "exp", "log"),
    *("affine", "dropout", "add", "sub", "mul"),
}
"""What they make lies where an input was, if nothing else needs that."""

SHARING = {"input", "add", "mean", "flatten", "reshape"}
"""What reaches their inputs is what reached them, perhaps under another name."""

FEW_TAPS = 32
"""Numbers under a window up to which all windows are copied out, as in a network's first layer."""

INDEX = 8
"""Bytes of the place of a maximum."""


class Needs(NamedTuple):
    """Bytes for one example, and the largest of the blocks among them."""

    beside: int
    """Kept from the forward pass, besides inputs and output."""
    copies: int
    """The most that lies beside what was kept and what arrived, with the gradients it makes."""
    block: int
    """The largest single piece of the copies."""


def keeps_input(node: Node) -> bool:
    kind = node.layer.kind
    # A relu with an upper end is a clip, and asks its input.
    is_capped = kind == "relu" and node.layer.value("max") is not None
    return kind not in PASSING and (kind not in ONLY_BY_OUTPUT or is_capped)


def keeps_output(node: Node) -> bool:
    return node.layer.kind in BY_OUTPUT


def needs(node: Node, xs: list[Shape], *, by_input: bool) -> Needs:
    """`by_input`: is a gradient by the inputs wanted, or only by the weights?"""
    kind, y = node.layer.kind, BYTES * product(facts_of(node).shape)
    x = max((BYTES * product(s) for s in xs), default=0)
    dx = sum(BYTES * product(s) for s in xs) if by_input else 0
    beside = BESIDE.get(kind, 0) * y
    match node.layer:
        case Conv() | Deconv():
            copies, block = _by_kernels(node, xs[0])
            return Needs(beside, max(copies, dx), max(block, dx))
        case MaxPool() if not _tiles(node.layer, xs[0]):
            # The places of the largest, what arrived at them, and the map that it is put into.
            places = y // BYTES * INDEX
            return Needs(beside, 2 * places + y + dx, max(places, dx))
        case MaxPool():
            # The pixels of windows taken apart, before there is a gradient.
            return Needs(beside, max(x, dx), x)
        case _ if kind in SHARING:
            return Needs(beside, 0, 0)
        case _ if kind in PASSING or kind == "fc":
            return Needs(beside, dx, max(dx // max(1, len(xs)), 0))
        case _:
            # The gradient takes the place of what arrived, after one more as large is worked out.
            return Needs(beside, max(y, dx), max(x, y))


def _by_kernels(node: Node, x: Shape) -> tuple[int, int]:
    """What is copied for the gradient of kernels: (in all, the largest piece)."""
    layer, y = node.layer, facts_of(node).shape
    is_conv = isinstance(layer, Conv)
    image, maps = (x, y) if is_conv else (y, x)
    kernel = facts_of(node).weights["weight"].shape[1 - len(x) :]
    pairs = image[0] * maps[0] // int(str(layer.value("groups")))
    if pairs == image[0] * maps[0]:
        if product(kernel) == 1:
            # One product of matrices for each example, summed after.
            return BYTES * pairs, BYTES * pairs
        taps = image[0] * product(kernel)
        if isinstance(layer, Conv) and taps <= FEW_TAPS and _moves_by_one(layer, x):
            under = BYTES * taps * product(maps[1:])
            return under + max(BYTES * product(maps), under // kernel[0]), under
    whole, other = BYTES * product(image), BYTES * product(maps)
    return whole + other, max(whole, other)


def _moves_by_one(layer: Conv, x: Shape) -> bool:
    window = layer.window(x)
    return len(x) == 3 and {*window.strides, *window.dilations} == {1}


def _tiles(pool: Pool, x: Shape) -> bool:
    """Do its windows lie side by side? Then the largest is found without asking for places."""
    if pool.to is not None:
        return False
    window = pool.window(x)
    return all(
        a.kernel == a.stride and a.dilation == 1 and not a.begin and a.out * a.kernel <= a.n
        for a in window.axes
    )
