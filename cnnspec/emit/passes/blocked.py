"""How does a graph convolve with the channels of a pixel side by side, in blocks?

With ONNX Runtime's own convolutions, which copy nothing out: where there are few maps they take
half to two thirds of the time of its standard ones. It chooses them by itself where kernels are
constant, which in training they are not. Nobody else knows these operators, and how large a block
is depends on the processor: so a graph is put in blocks where it is about to run, if that is asked
for, and never where it is exported.

For each operator there is a rule that does in blocks what it does, or says that it cannot, or that
it is not worth it: only for a convolution are values brought into blocks, all else follows.
"""

from collections.abc import Mapping, Sequence
from math import prod

from cnnspec.emit.passes.blocked_shapes import SHAPING
from cnnspec.emit.passes.blocks import Blocks, Rule, wholes
from cnnspec.onnxir.graph import Model, Node, Value

ROWS_AND_COLUMNS = (2, 3)

EACH_BY_ITSELF = frozenset(
    (
        *("Abs", "Celu", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Identity"),
        *("LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Selu", "Sigmoid", "Sign", "Softplus"),
        *("Softsign", "Sqrt", "Tanh", "ThresholdedRelu"),
        *("Add", "Clip", "Div", "Max", "Min", "Mul", "Pow", "Relu", "Sub"),
    )
)
"""Operators that make each number of those at the same place."""


def in_blocks(model: Model, size: int) -> Model:
    """The model with values in blocks of that size wherever there are rules for them."""
    blocks = Blocks(model, size)
    for node in model.nodes:
        rule = RULES.get(node.op)
        with blocks.of(node.outputs[0], node.source):
            if rule is None or not rule(blocks, node):
                blocks.keep(node)
    return blocks.finished()


# ── convolutions ───────────────────────────────────────────────────────────────────────────────


def conv(b: Blocks, node: Node) -> bool:
    x, w, y = (b.value(name) for name in (*node.inputs[:2], node.outputs[0]))
    if len(x.shape) != 4 or not b.fits(y.name) or not _is_known(w) or "auto_pad" in node.attributes:
        return False
    groups, channels, maps = node.attributes.get("group", 1), x.inner[0], y.inner[0]
    assert isinstance(groups, int)
    is_depthwise = groups == maps == channels
    is_of_few = groups == 1 and channels < b.size
    if not is_of_few and not b.fits(x.name):
        return False
    if not is_depthwise and groups > 1 and any(n // groups % b.size for n in (maps, channels)):
        return False
    if _is_product(node) and not b.has_only(x.name):
        return False
    kernels = _kernels(b, b.plain(w.name), by_channel=not (is_depthwise or is_of_few))
    bias = [b.plain(name) for name in node.inputs[2:] if name]
    image = b.plain(x.name) if is_of_few else b.blocked(x.name)
    b.convolve(y.name, [image, kernels, *bias], node.attributes)
    return True


def _is_known(w: Value) -> bool:
    """Are these kernels, and not the maps of a batch that stand for them?"""
    return all(isinstance(n, int) for n in w.shape)


def _is_product(node: Node) -> bool:
    """Is it a product of matrices, for which the standard one copies nothing either?"""
    taps, strides, pads = (wholes(node, name) for name in ("kernel_shape", "strides", "pads"))
    return set(taps) == {1} and set(strides) <= {1} and not any(pads)


def transposed(b: Blocks, node: Node) -> bool:
    """With windows that move by one it is a convolution with turned kernels."""
    x, w, y = (b.value(name) for name in (*node.inputs[:2], node.outputs[0]))
    is_other = {"auto_pad", "output_shape"} & node.attributes.keys()
    if len(x.shape) != 4 or is_other or not all(map(b.fits, (x.name, y.name))):
        return False
    if node.attributes.get("group", 1) != 1 or any(s != 1 for s in wholes(node, "strides")):
        return False
    assert not any(wholes(node, "output_padding")), "a window that moves by one leaves nothing over"
    pads = _pads_of_turned(node, w)
    if min(pads) < 0 or not _is_known(w):
        return False
    said = {
        "kernel_shape": w.inner[1:],
        "dilations": wholes(node, "dilations") or (1, 1),
        "pads": pads,
    }
    bias = [b.plain(name) for name in node.inputs[2:] if name]
    kernels = _kernels(b, _turned(b, b.plain(w.name)), by_channel=True)
    b.convolve(y.name, [b.blocked(x.name), kernels, *bias], said)
    return True


def _pads_of_turned(node: Node, w: Value) -> list[int]:
    # y[i] takes x[i + p - d·t], and with t = k - 1 - u that is x[i + d·u - (d·(k - 1) - p)].
    dilations = wholes(node, "dilations") or (1, 1)
    reach = [d * (k - 1) for d, k in zip(dilations, w.inner[1:], strict=True)]
    given = wholes(node, "pads") or (0,) * 4
    return [r - p for r, p in zip(reach * 2, given, strict=True)]


def _turned(b: Blocks, w: Value) -> Value:
    """Kernels with their taps from last to first, and channels in the place of maps."""
    maps, channels, *taps = w.shape
    limits = [b.g.ints(part, (n, n)) for part, n in (("from", -1), ("to", -1 - max(w.inner)))]
    along, back = b.g.ints("taps", ROWS_AND_COLUMNS), b.g.ints("back", (-1, -1))
    flipped = b.g.op("Slice", w, *limits, along, back, part="flipped")
    dims = (channels, maps, *taps)
    return b.g.op("Transpose", flipped, dims=dims, part="swapped", perm=(1, 0, 2, 3))


def _kernels(b: Blocks, w: Value, *, by_channel: bool) -> Value:
    """Kernels with a block of maps innermost, and in front of it a block of channels."""
    maps, channels, *taps = (n for n in w.shape if isinstance(n, int))
    # As if all kernels were the maps of one example.
    flat = (1, maps, channels * prod(taps), 1)
    rows = b.g.op("Reshape", w, b.g.ints("flat", flat), dims=flat, part="flat_kernels")
    held = b.own("ReorderInput", rows, dims=flat, part="kernels_by_map")
    if by_channel and prod(taps) > 1:
        size = b.size
        apart = (maps // size, channels // size, size, prod(taps), size)
        held = b.g.op("Reshape", held, b.g.ints("apart", apart), dims=apart, part="kernels_apart")
        turned = (*apart[:2], apart[3], apart[2], apart[4])
        perm = (0, 1, 3, 2, 4)
        held = b.g.op("Transpose", held, dims=turned, part="kernels_by_channel", perm=perm)
    shape = b.g.ints("kernel", (maps, channels, *taps))
    return b.g.op("Reshape", held, shape, dims=w.shape, part="kernels")


def _by_channel(b: Blocks, y: str, x: Value, factor: Value, offset: Value | None = None) -> None:
    """factor·x + offset, channel by channel: a convolution with one tap, each map by itself."""
    c = b.value(y).inner[0]
    one = (c, 1, 1, 1)
    column = b.g.op("Reshape", factor, b.g.ints("column", one), dims=one, part="factors")
    b.convolve(y, [x, column, offset], {"group": c, "kernel_shape": (1, 1)})


# ── number by number ───────────────────────────────────────────────────────────────────────────


def elementwise(b: Blocks, node: Node) -> bool:
    y = b.value(node.outputs[0])
    given = [name for name in node.inputs if name]
    full = [name for name in given if b.value(name).shape == y.shape]
    rest = [b.value(name) for name in given if name not in full]
    if not all(map(b.fits, (y.name, *full))) or not b.is_worth(full):
        return False
    if any(x.shape != (1,) * len(x.shape) for x in rest):
        return _with_vector(b, node, full, rest)
    if not _with_convolution(b, node, full):
        xs = [b.blocked(x) if x in full else b.plain(x) if x else None for x in node.inputs]
        dims = b.blocked(full[0]).shape
        b.hold(y.name, b.g.node(node.op, xs, node.attributes, dims=dims, part="blocked"))
    return True


def _with_convolution(b: Blocks, node: Node, full: Sequence[str]) -> bool:
    """A rectifier or a sum as a part of the convolution before it."""
    y = node.outputs[0]
    if node.op == "Relu" and (made := b.convolution(full[0])) is not None:
        b.rewrite(y, made, None, {"activation": "Relu"})
        return True
    if node.op != "Add" or len(full) != 2:
        return False
    for name, other in (full, full[::-1]):
        made = b.convolution(name)
        if made is not None and len(made.inputs) < 4 and "activation" not in made.attributes:
            b.rewrite(y, made, b.blocked(other), {})
            return True
    return False


def _with_vector(b: Blocks, node: Node, full: Sequence[str], rest: Sequence[Value]) -> bool:
    """Each channel with a number of its own."""
    (x, *others), (vector, *more) = full, rest
    c, *sizes = b.value(x).inner
    shape = (1,) * (4 - len(vector.shape)) + vector.shape
    if others or more or len(sizes) != 2 or shape != (1, c, 1, 1):
        return False
    if node.op == "Mul":
        _by_channel(b, node.outputs[0], b.blocked(x), b.plain(vector.name))
        return True
    if node.op != "Add":
        return False
    row = b.g.ints("row", (c,))
    offset = b.g.op("Reshape", b.plain(vector.name), row, dims=(c,), part="offsets")
    _by_channel(b, node.outputs[0], b.blocked(x), b.g.ones("ones", (c,)), offset)
    return True


# ── normalisation ──────────────────────────────────────────────────────────────────────────────


def batch_norm(b: Blocks, node: Node) -> bool:
    x = node.inputs[0]
    if len(b.value(x).shape) != 4 or not b.has_only(x):
        return False
    scale, bias = (b.plain(name) for name in node.inputs[1:3])
    eps = node.attributes.get("epsilon", 1e-5)
    assert isinstance(eps, float)
    if node.attributes.get("training_mode", 0):
        _of_batch(b, node, scale, bias, eps)
        return True
    mean, var = (b.plain(name) for name in node.inputs[3:5])
    factor = _factor(b, scale, var, eps)
    offset = b.g.op("Sub", bias, b.g.op("Mul", mean, factor, part="shift"), part="offset")
    _by_channel(b, node.outputs[0], b.blocked(x), factor, offset)
    return True


def _of_batch(b: Blocks, node: Node, scale: Value, bias: Value, eps: float) -> None:
    # Around the mean first: in squares of numbers far from 0 the variance would be rounded away.
    y, mean_name, var_name = node.outputs
    assert node.attributes.get("momentum") == 0, "the statistics are the batch's alone"
    x, (c, *_) = b.blocked(node.inputs[0]), b.value(y).inner
    minus = b.g.op("Neg", _mean(b, x, mean_name), part="minus_mean")
    ones, said = b.g.ones("ones", (c, 1, 1, 1)), {"group": c, "kernel_shape": (1, 1)}
    around = b.own("Conv", x, ones, minus, dims=x.shape, part="around", said=said)
    squares = b.g.op("Mul", around, around, part="squares")
    var = _mean(b, squares, var_name)
    _by_channel(b, y, around, _factor(b, scale, var, eps), bias)


def _mean(b: Blocks, x: Value, name: str) -> Value:
    """Over the batch and all places, as a value of the model."""
    pooled = b.own("GlobalAveragePool", x, dims=(*x.shape[:2], 1, 1), part="means")
    with b.of(name):
        mean = b.g.reduce("ReduceMean", pooled, (0, 2, 3), dims=x.shape[1:2], keepdims=0)
    b.hold_plain(name)
    return mean


def _factor(b: Blocks, scale: Value, var: Value, eps: float) -> Value:
    """scale/√(var + eps)."""
    above = b.g.op("Add", var, b.g.scalar("eps", eps), part="above")
    return b.g.op("Div", scale, b.g.op("Sqrt", above, part="root"), part="factor")


# ── over places ────────────────────────────────────────────────────────────────────────────────


def reduction(b: Blocks, node: Node) -> bool:
    x, y = node.inputs[0], b.value(node.outputs[0])
    axes = b.numbers(node.inputs[1]) if len(node.inputs) > 1 else wholes(node, "axes")
    is_over_places = axes in (ROWS_AND_COLUMNS, (0, *ROWS_AND_COLUMNS))
    if not is_over_places or len(b.value(x).shape) != 4 or not b.has_only(x):
        return False
    assert axes is not None
    held, (_, *sizes) = b.blocked(x), b.value(x).inner
    pool = "GlobalMaxPool" if node.op == "ReduceMax" else "GlobalAveragePool"
    # Maps of one place are the same in both forms.
    pooled = b.own(pool, held, dims=(*held.shape[:2], 1, 1), part="pooled")
    if node.op == "ReduceSum":
        pooled = b.g.op("Mul", pooled, b.g.scalar("places", prod(sizes)), part="sums")
    b.g.reduce(node.op, pooled, axes, dims=y.shape, keepdims=int(len(y.shape) == 4))
    b.hold_plain(y.name)
    return True


def pool(b: Blocks, node: Node) -> bool:
    x, y = node.inputs[0], b.value(node.outputs[0])
    is_usual = len(node.outputs) == 1 and not node.attributes.get("ceil_mode", 0)
    if len(y.shape) != 4 or not is_usual or not b.has_only(x):
        return False
    said = {name: said for name, said in node.attributes.items() if name != "storage_order"}
    b.hold(y.name, b.own(node.op, b.blocked(x), dims=y.shape, part="blocked", said=said))
    return True


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(EACH_BY_ITSELF, elementwise),
    "Conv": conv,
    "ConvTranspose": transposed,
    "BatchNormalization": batch_norm,
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), reduction),
    **dict.fromkeys(("AveragePool", "MaxPool", "GlobalAveragePool", "GlobalMaxPool"), pool),
    **SHAPING,
}
