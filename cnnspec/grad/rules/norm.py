"""How does what was brought to one measure change with the numbers before, and with the measure?

Throughout, x̂ = (x - mean)·r with r = 1/√(var + eps), over m numbers. With ĝ the gradient of x̂,

    dx = r·(ĝ - mean(ĝ) - x̂·mean(ĝ·x̂))

for d mean/dx = 1/m and d var/dx = 2·(x - mean)/m = 2·x̂/(r·m), and dr/d var = -r³/2.
"""

from collections.abc import Mapping, Sequence
from math import prod

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.onnxir.graph import Value

HAS_LAYER_NORM = 17
"""The first opset with LayerNormalization, which answers x̂ and r at once."""


# ── over the batch ─────────────────────────────────────────────────────────────────────────────


def batch_norm(g: Adjoint, dy: Value, n: Use) -> Grads:
    """In training, of the batch's own mean and variance; otherwise of fixed ones."""
    return _of_batch(g, dy, n) if n.whole("training_mode", 0) else _of_fixed(g, dy, n)


def _of_fixed(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = scale·(x - mean)·r + bias, channel by channel
    #   ⇒  dx = dy·scale·r, dscale = Σ dy·x̂, dbias = Σ dy, dmean = -scale·r·dbias,
    #      dvar = -½·scale·r²·dscale
    x, scale, mean, var = n.input(0), n.input(1), n.input(3), n.input(4)
    r = _by_root(g, var, n.number("epsilon", 1e-5))
    factor = g.op("Mul", scale, r, part="factor")
    dx = g.op("Mul", dy, g.by_channel(factor, len(x.inner)), dims=x.shape)
    apart = g.op("Sub", x, g.by_channel(mean, len(x.inner)), dims=x.shape, part="apart")
    dbias = _by_channel(g, "ReduceSum", dy)
    total = _by_channel(g, "ReduceSum", g.op("Mul", dy, apart, part="moment"))
    dscale = g.op("Mul", total, r, part="scale")
    dmean = g.op("Neg", g.op("Mul", factor, dbias, part="mean"))
    slope = g.op("Mul", g.op("Mul", factor, r, part="slope"), g.scalar("minus_half", -0.5))
    return dx, dscale, dbias, dmean, g.op("Mul", slope, dscale, part="var")


def _of_batch(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Nothing hangs on the operands for a running mean and variance: with a momentum of 0 they are
    # only written over. By means over the batch, channel by channel, and all maps at once:
    #   e = mean(dy·x̂) = r·(mean(dy·x) - μ·mean(dy))
    #   dx = a·(dy - mean(dy) - x̂·e) with a = scale·r
    #      = a·dy + (q·x + c)  with q = -a·r·e and c = -(a·mean(dy) + q·μ)
    x, scale, mean = n.input(0), n.input(1), n.y[1]
    assert not n.number("momentum", 0.9), "the operator's statistics are the batch's alone"
    r = _by_root(g, n.y[2], n.number("epsilon", 1e-5))
    mean_dy = _by_channel(g, "ReduceMean", dy)
    mean_dyx = _by_channel(g, "ReduceMean", g.op("Mul", dy, x, part="moment"))
    moved = g.op("Sub", mean_dyx, g.op("Mul", mean, mean_dy), part="moved")
    e = g.op("Mul", moved, r, part="mean_dy_normal")
    a = g.op("Mul", scale, r, part="a")
    q = g.op("Neg", g.op("Mul", g.op("Mul", a, r), e), part="q")
    offset = g.op("Add", g.op("Mul", a, mean_dy), g.op("Mul", q, mean), part="offset")
    line = _affine(g, x, q, g.op("Neg", offset, part="c"))
    straight = g.op("Mul", dy, g.by_channel(a, len(x.inner)), dims=x.shape, part="straight")
    dx = g.op("Add", straight, line)
    count = _count(g, x)
    return dx, g.op("Mul", e, count, part="scale"), g.op("Mul", mean_dy, count, part="bias")


def _affine(g: Adjoint, x: Value, factor: Value, offset: Value) -> Value:
    """factor·x + offset, channel by channel, in one pass: normalisation by nothing."""
    c = x.inner[:1]
    return g.op(
        "BatchNormalization",
        x,
        factor,
        offset,
        g.zeros("zeros", c),
        g.ones("ones", c),
        part="line",
        epsilon=0.0,
    )


def _by_root(g: Adjoint, var: Value, eps: float) -> Value:
    """1/√(var + eps)."""
    above = g.op("Add", var, g.scalar("eps", eps), part="above")
    return g.op("Reciprocal", g.op("Sqrt", above), part="r")


def _by_channel(g: Adjoint, op: str, x: Value) -> Value:
    axes = (0, *range(2, len(x.shape)))
    return g.reduce(op, x, axes, dims=x.shape[1:2], keepdims=0, part=op)


def _count(g: Adjoint, x: Value) -> Value:
    """How many numbers of the batch each channel has."""
    examples, places = x.shape[0], prod(x.inner[1:])
    if isinstance(examples, int):
        return g.scalar("count", examples * places)
    return g.op("Mul", g.examples(), g.scalar("places", places), part="count")


# ── within each example ────────────────────────────────────────────────────────────────────────


def layer_norm(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = scale·x̂ + bias  ⇒  dscale = dy·x̂, dbias = dy, ĝ = dy·scale
    x, scale = n.input(0), n.input(1)
    axis = n.whole("axis", -1) % len(x.shape)
    assert axis > 0, "the examples are normalised by themselves"
    axes = tuple(range(axis, len(x.shape)))
    xhat, r = _normal(g, x, axes, n.number("epsilon", 1e-5))
    dx = _through(g, g.op("Mul", dy, scale, part="scaled"), xhat, r, axes)
    grads = [dx, g.op("Mul", dy, xhat, part="scale")]
    return [*grads, dy] if n.has(2) else grads


def instance_norm(g: Adjoint, dy: Value, n: Use) -> Grads:
    return _by_groups(g, dy, n, n.input(0).inner[0])


def group_norm(g: Adjoint, dy: Value, n: Use) -> Grads:
    # One scale and bias for each channel, as from opset 21 on.
    assert n.input(1).shape == n.input(0).shape[1:2], "scale and bias are the channels'"
    return _by_groups(g, dy, n, n.whole("num_groups", 1))


def _by_groups(g: Adjoint, dy: Value, n: Use, groups: int) -> Grads:
    # y = scale[c]·x̂ + bias[c], with x̂ over each group of channels and all pixels
    x, (c, *sizes) = n.input(0), n.input(0).inner
    places, each = prod(sizes), c // groups * prod(sizes)
    long = g.ints("groups", (0, groups, each))
    maps = g.ints("maps", (0, c, places))
    grouped = g.op("Reshape", x, long, shape=(groups, each), part="grouped")
    xhat, r = _normal(g, grouped, (2,), n.number("epsilon", 1e-5))
    by_map = g.op("Reshape", dy, maps, shape=(c, places), part="by_map")
    normal = g.op("Reshape", xhat, maps, shape=(c, places), part="normal_by_map")
    scaled = g.op("Mul", by_map, g.by_channel(n.input(1), 2), dims=by_map.shape, part="scaled")
    inner = g.op("Reshape", scaled, long, shape=(groups, each), part="scaled_by_group")
    dx = _through(g, inner, xhat, r, (2,))
    back = g.op("Reshape", dx, g.ints("image", (0, c, *sizes)), dims=x.shape, part="image")
    dscale = _by_channel(g, "ReduceSum", g.op("Mul", by_map, normal, part="moment"))
    return back, dscale, _by_channel(g, "ReduceSum", by_map)


def _normal(g: Adjoint, x: Value, axes: Sequence[int], eps: float) -> tuple[Value, Value]:
    """x̂ and r over the last axes."""
    ones = tuple(1 if a in axes else size for a, size in enumerate(x.shape))
    if g.opset >= HAS_LAYER_NORM:
        xhat, _, r = g.ops(
            "LayerNormalization",
            x,
            g.ones("ones", x.inner[axes[0] - 1 :]),
            results=[("normal", x.shape, x.dtype), ("mean", ones, "float"), ("r", ones, "float")],
            axis=axes[0],
            epsilon=eps,
        )
        return xhat, r
    mean = g.reduce("ReduceMean", x, axes, dims=ones, keepdims=1, part="mean")
    apart = g.op("Sub", x, mean, part="apart")
    squares = g.op("Mul", apart, apart, part="squares")
    var = g.reduce("ReduceMean", squares, axes, dims=ones, keepdims=1, part="var")
    r = _by_root(g, var, eps)
    return g.op("Mul", apart, r, part="normal"), r


def _through(g: Adjoint, ghat: Value, xhat: Value, r: Value, axes: Sequence[int]) -> Value:
    """dx = r·(ĝ - mean(ĝ) - x̂·mean(ĝ·x̂))."""
    mean = g.reduce("ReduceMean", ghat, axes, dims=r.shape, keepdims=1, part="mean_g")
    both = g.op("Mul", ghat, xhat, part="both")
    slope = g.reduce("ReduceMean", both, axes, dims=r.shape, keepdims=1, part="mean_gx")
    even = g.op("Sub", ghat, mean, part="even")
    straight = g.op("Sub", even, g.op("Mul", xhat, slope, part="along"), part="straight")
    return g.op("Mul", straight, r, part="dx")


# ── over neighbouring channels ─────────────────────────────────────────────────────────────────


def response_norm(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y[c] = x[c]·S[c]^(-β), S[c] = k + α/n·Σ_{j near c} x[j]²
    #   ⇒  dx[i] = dy[i]·S[i]^(-β) - 2·α·β/n·x[i]·Σ_{c: i near c} dy[c]·y[c]/S[c]
    x, size = n.input(0), n.whole("size", 1)
    alpha, beta = n.number("alpha", 1e-4), n.number("beta", 0.75)
    below, above = (size - 1) // 2, size // 2
    squares = g.op("Mul", x, x, part="squares")
    sums = g.op(
        "Mul", _neighbours(g, squares, size, below, above), g.scalar("alpha", alpha), part="sums"
    )
    s = g.op("Add", sums, g.scalar("k", n.number("bias", 1)), part="s")
    straight = g.op("Mul", dy, g.op("Pow", s, g.scalar("minus_beta", -beta)), part="straight")
    pulls = g.op("Div", g.op("Mul", dy, n.y[0], part="dyy"), s, part="pulls")
    near = _neighbours(g, pulls, size, above, below)
    pull = g.op("Mul", x, near, part="pull")
    shrunk = g.op("Mul", pull, g.scalar("minus_2_alpha_beta", -2 * alpha * beta), part="shrunk")
    return (g.op("Add", straight, shrunk),)


def _neighbours(g: Adjoint, x: Value, size: int, below: int, above: int) -> Value:
    """1/size of the sum over so many channels below and above each."""
    c, places = x.inner[0], prod(x.inner[1:])
    rows = g.op("Reshape", x, g.ints("rows", (0, 1, c, places)), shape=(1, c, places), part="rows")
    means = g.op(
        "AveragePool",
        rows,
        part="means",
        kernel_shape=(size, 1),
        pads=(below, 0, above, 0),
        count_include_pad=1,
    )
    return g.op("Reshape", means, g.ints("back", (0, *x.inner)), dims=x.shape, part="near")


# ── to shares of 1 ─────────────────────────────────────────────────────────────────────────────


def softmax(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = e^x/Σ e^x  ⇒  dx = y·(dy - Σ dy·y)
    y = n.y[0]
    product = g.op("Mul", dy, y, part="product")
    total = _total(g, product, n)
    return (g.op("Mul", y, g.op("Sub", dy, total, part="apart")),)


def log_softmax(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y = x - log Σ e^x  ⇒  dx = dy - e^y·Σ dy
    total = _total(g, dy, n)
    return (g.op("Sub", dy, g.op("Mul", g.op("Exp", n.y[0]), total, part="share")),)


def _total(g: Adjoint, x: Value, n: Use) -> Value:
    axis = n.whole("axis", -1) % len(x.shape)
    dims = tuple(1 if a == axis else size for a, size in enumerate(x.shape))
    return g.reduce("ReduceSum", x, (axis,), dims=dims, keepdims=1, part="total")


RULES: Mapping[str, Rule] = {
    "BatchNormalization": batch_norm,
    "LayerNormalization": layer_norm,
    "InstanceNormalization": instance_norm,
    "GroupNormalization": group_norm,
    "LRN": response_norm,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
}
