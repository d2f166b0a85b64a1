"""Operators that move numbers and change none: dy moves back, and what was taken twice adds up."""

from collections.abc import Mapping, Sequence

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.onnxir.graph import Dims, DType, Value

# ── shapes ─────────────────────────────────────────────────────────────────────────────────────


def sizes_of(g: Adjoint, dims: Dims) -> Value:
    """A shape to reshape to; the one size that is open comes from the others."""
    assert sum(isinstance(n, str) for n in dims) <= 1, f"more than one size is open: {dims}"
    return g.ints("shape", [-1 if isinstance(n, str) else n for n in dims])


def shape_of(g: Adjoint, x: Value) -> Value:
    """The shape of a value as a vector."""
    known = [n for n in x.shape if isinstance(n, int)]
    if len(known) == len(x.shape):
        return g.ints("shape", known)
    return g.op("Shape", x, dims=(len(x.shape),), dtype="int64")


def like(g: Adjoint, dy: Value, x: Value) -> Value:
    """The same numbers in the shape of x."""
    if dy.shape == x.shape:
        return dy
    is_plain = sum(isinstance(n, str) for n in x.shape) <= 1
    shape = sizes_of(g, x.shape) if is_plain else shape_of(g, x)
    return g.op("Reshape", dy, shape, dims=x.shape)


def zeros_like(g: Adjoint, x: Value) -> Value:
    return g.op("Expand", g.scalar("zero", 0), shape_of(g, x), dims=x.shape, part="zeros")


def reshape(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (like(g, dy, n.input(0)),)


def transpose(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y's axis i is x's axis perm[i].
    x = n.input(0)
    perm = n.wholes("perm") or tuple(reversed(range(len(x.shape))))
    back = sorted(range(len(perm)), key=lambda i: perm[i])
    return (g.op("Transpose", dy, dims=x.shape, perm=back),)


def expand(g: Adjoint, dy: Value, n: Use) -> Grads:
    return (dy,)


def tile(g: Adjoint, dy: Value, n: Use) -> Grads:
    # y[r·d] = x[d], r times over: dy as (r, d), summed over r.
    x = n.input(0)
    pairs = zip(n.ints(1), x.shape, strict=True)
    dims = tuple(size for pair in pairs for size in pair)
    apart = g.op("Reshape", dy, sizes_of(g, dims), dims=dims)
    return (g.reduce("ReduceSum", apart, range(0, len(dims), 2), dims=x.shape, keepdims=0),)


# ── parts ──────────────────────────────────────────────────────────────────────────────────────


def concat(g: Adjoint, dy: Value, n: Use) -> Grads:
    xs = [n.input(k) for k in range(len(n.x))]
    axis = n.whole("axis", 0) % len(dy.shape)
    known = [size for x in xs if isinstance(size := x.shape[axis], int)]
    if len(known) == len(xs):
        sizes = g.ints("sizes", known)
    else:
        at = g.ints("axis", (axis,))
        each = [g.op("Gather", _shape(g, x), at, dims=(1,), part="size", axis=0) for x in xs]
        sizes = g.op("Concat", *each, dims=(len(xs),), part="sizes", axis=0)
    results: list[tuple[str, Dims, DType]] = [
        (f"part{k}", x.shape, dy.dtype) for k, x in enumerate(xs)
    ]
    return g.ops("Split", dy, sizes, results=results, axis=axis)


def _shape(g: Adjoint, x: Value) -> Value:
    return g.op("Shape", x, dims=(len(x.shape),), dtype="int64")


def split(g: Adjoint, dy: Value, n: Use) -> Grads:
    parts = [zeros_like(g, y) if d is None else d for y, d in zip(n.y, n.dy, strict=True)]
    return (g.op("Concat", *parts, dims=n.input(0).shape, axis=n.whole("axis", 0)),)


def slice_(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Zeros where nothing was taken.
    x = n.input(0)
    rank = len(x.shape)
    starts, ends = n.ints(1), n.ints(2)
    axes = n.ints(3) if n.has(3) else tuple(range(len(starts)))
    steps = n.ints(4) if n.has(4) else tuple(1 for _ in starts)
    before, after = [0] * rank, [0] * rank
    for axis, start, end, step in zip((a % rank for a in axes), starts, ends, steps, strict=True):
        size, taken = x.shape[axis], dy.shape[axis]
        if size == taken and step == 1:
            continue
        assert isinstance(size, int), f"`{n.node.name}` takes a part of an axis of open size"
        places = list(range(size))[slice(start, end if abs(end) < 2**62 else None, step)]
        if step == 1:
            first = places[0] if places else size
            before[axis], after[axis] = first, size - first - len(places)
        else:
            dy = gathered(g, dy, places, axis, size)
    return (padded(g, dy, before, after),)


def padded(g: Adjoint, x: Value, before: Sequence[int], after: Sequence[int]) -> Value:
    """With zeros around it; fewer numbers where a side is negative."""
    if not any(before) and not any(after):
        return x
    dims = tuple(
        a + n + b if isinstance(n, int) else n
        for a, n, b in zip(before, x.shape, after, strict=True)
    )
    return g.op("Pad", x, g.ints("pads", (*before, *after)), dims=dims, mode="constant")


# ── borders ────────────────────────────────────────────────────────────────────────────────────


def pad(g: Adjoint, dy: Value, n: Use) -> Grads:
    x, rank = n.input(0), len(dy.shape)
    given = n.ints(1)
    axes = [a % rank for a in n.ints(3)] if n.has(3) else list(range(rank))
    before, after = [0] * rank, [0] * rank
    for k, axis in enumerate(axes):
        before[axis], after[axis] = given[k], given[k + len(axes)]
    mode = n.word("mode", "constant")
    if mode == "constant":
        dx = _cropped(g, dy, x, before, after)
        if not n.has(2) or n.is_constant(2):
            return (dx,)
        # The constant gets what x does not.
        sums = [g.op("ReduceSum", v, dims=(), part="sum", keepdims=0) for v in (dy, dx)]
        return dx, None, like(g, g.op("Sub", *sums), n.input(2))
    for axis, (a, b) in enumerate(zip(before, after, strict=True)):
        size = x.shape[axis]
        if a or b:
            assert isinstance(size, int), f"`{n.node.name}` pads an axis of open size"
            dy = gathered(
                g, dy, [_mirrored(i, size, mode) for i in range(-a, size + b)], axis, size
            )
    return (dy,)


def _cropped(g: Adjoint, dy: Value, x: Value, before: Sequence[int], after: Sequence[int]) -> Value:
    if min(*before, *after) < 0:
        return padded(g, dy, [-k for k in before], [-k for k in after])
    axes = [i for i in range(len(before)) if before[i] or after[i]]
    if not axes:
        return dy
    starts = g.ints("starts", [before[i] for i in axes])
    ends = g.ints("ends", [-after[i] if after[i] else 2**63 - 1 for i in axes])
    return g.op("Slice", dy, starts, ends, g.ints("axes", axes), dims=x.shape)


def _mirrored(i: int, size: int, mode: str) -> int:
    """The place that a border reads: … 2 1 |0 1 2 … reflected, … 0 0 |0 1 2 … at the edge."""
    match mode:
        case "edge":
            return min(max(i, 0), size - 1)
        case "wrap":
            return i % size
        case _:
            assert mode == "reflect", f"an unknown border: {mode}"
            period = max(2 * (size - 1), 1)
            return min(i % period, period - i % period) if size > 1 else 0


# ── picking ────────────────────────────────────────────────────────────────────────────────────


def gathered(g: Adjoint, dy: Value, places: Sequence[int], axis: int, size: int) -> Value:
    """The gradient of y[i] = x[places[i]] along an axis: dx[j] = Σ dy[i] over all i with
    places[i] = j.

    A gather again: each j takes its i's, as many as the most wanted has; who has fewer takes a 0
    that stands behind dy. It runs in parallel wherever a gather does, and scattering with addition
    does not.
    """
    takers: list[list[int]] = [[] for _ in range(size)]
    for i, j in enumerate(places):
        takers[j].append(i)
    most = max(len(t) for t in takers)
    if any(len(t) < most for t in takers):
        zero = [int(k == axis) for k in range(len(dy.shape))]
        dy = padded(g, dy, [0] * len(zero), zero)
    reads = [i for t in takers for i in (*t, *([len(places)] * (most - len(t))))]
    lead, rest = dy.shape[:axis], dy.shape[axis + 1 :]
    if reads != list(range(len(places))):
        dims = (*lead, len(reads), *rest)
        dy = g.op("Gather", dy, g.ints("reads", reads), dims=dims, axis=axis)
    if most == 1:
        return dy
    dims = (*lead, size, most, *rest)
    dy = g.op("Reshape", dy, sizes_of(g, dims), dims=dims)
    return g.reduce("ReduceSum", dy, (axis + 1,), dims=(*lead, size, *rest), keepdims=0)


def gather(g: Adjoint, dy: Value, n: Use) -> Grads:
    x, indices = n.input(0), n.input(1)
    axis = n.whole("axis", 0) % len(x.shape)
    size, lead, rest = x.shape[axis], x.shape[:axis], x.shape[axis + 1 :]
    if not isinstance(size, int) or not n.is_constant(1):
        return _scattered(g, dy, n, axis), None
    places = [k % size for k in n.ints(1)]
    flat = (*lead, len(places), *rest)
    if len(indices.shape) != 1:
        dy = g.op("Reshape", dy, sizes_of(g, flat), dims=flat)
    return gathered(g, dy, places, axis, size), None


def _scattered(g: Adjoint, dy: Value, n: Use, axis: int) -> Value:
    """Where only the graph knows the places: as (before, places, behind), added up into zeros."""
    x, indices = n.input(0), n.input(1)
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    count = indices.shape[0] if len(indices.shape) == 1 else "places"
    flat = (*before, count, *behind)
    if dy.shape != flat:
        shapes = [g.ints("all", (-1,))]
        if before:
            shapes = [_part(g, x, 0, axis), *shapes]
        if behind:
            shapes = [*shapes, _part(g, x, axis + 1, len(x.shape))]
        shape = g.op("Concat", *shapes, dims=(len(flat),), axis=0) if shapes[1:] else shapes[0]
        dy = g.op("Reshape", dy, shape, dims=flat)
    column = (-1, *(1 for _ in behind))
    at = g.op("Reshape", indices, g.ints("column", column), dims=(count, *column[1:]))
    at = g.op("Expand", at, _shape(g, dy), dims=flat)
    zeros = zeros_like(g, x)
    return g.op("ScatterElements", zeros, at, dy, axis=axis, reduction="add")


def _part(g: Adjoint, x: Value, start: int, end: int) -> Value:
    """The sizes of some axes."""
    ends = (g.ints("start", (start,)), g.ints("end", (end,)))
    return g.op("Slice", _shape(g, x), *ends, dims=(end - start,), part="sizes")


def gather_elements(g: Adjoint, dy: Value, n: Use) -> Grads:
    zeros = zeros_like(g, n.input(0))
    axis = n.whole("axis", 0)
    return g.op("ScatterElements", zeros, n.input(1), dy, axis=axis, reduction="add"), None


def gather_nd(g: Adjoint, dy: Value, n: Use) -> Grads:
    assert n.whole("batch_dims", 0) == 0, f"`{n.node.name}` gathers within each example"
    return g.op("ScatterND", zeros_like(g, n.input(0)), n.input(1), dy, reduction="add"), None


def scatter(g: Adjoint, dy: Value, n: Use) -> Grads:
    # What was overwritten gets nothing; what was written gets what stands there.
    indices, updates = n.input(1), n.input(2)
    by_element = n.node.op == "ScatterElements"
    axis = n.whole("axis", 0) if by_element else None
    pick = "GatherElements" if by_element else "GatherND"
    how = n.word("reduction", "none")
    assert how in ("none", "add"), f"`{n.node.name}` scatters with `{how}`"
    written = g.op(pick, dy, indices, dims=updates.shape, axis=axis)
    if how == "add":
        return dy, None, written
    return g.op(n.node.op, dy, indices, zeros_like(g, updates), axis=axis), None, written


def where(g: Adjoint, dy: Value, n: Use) -> Grads:
    condition, zero = n.input(0), g.scalar("zero", 0)
    return (
        None,
        g.op("Where", condition, dy, zero, dtype=dy.dtype),
        g.op("Where", condition, zero, dy, dtype=dy.dtype),
    )


# ── blocks of pixels ───────────────────────────────────────────────────────────────────────────


def depth_to_space(g: Adjoint, dy: Value, n: Use) -> Grads:
    # DepthToSpace-13, mode CRD: y[n, c, h·r + i, w·r + j] = x[n, (c·r + i)·r + j, h, w];
    # mode DCR is what SpaceToDepth undoes.
    x, r = n.input(0), n.whole("blocksize", 1)
    if n.word("mode", "DCR") == "DCR":
        return (g.op("SpaceToDepth", dy, dims=x.shape, blocksize=r),)
    examples, c = dy.shape[:2]
    h, w = x.shape[2:]
    cut = (examples, c, h, r, w, r)
    apart = g.op("Reshape", dy, sizes_of(g, cut), dims=cut)
    turned = g.op("Transpose", apart, dims=(examples, c, r, r, h, w), perm=(0, 1, 3, 5, 2, 4))
    return (like(g, turned, x),)


def space_to_depth(g: Adjoint, dy: Value, n: Use) -> Grads:
    r = n.whole("blocksize", 1)
    return (g.op("DepthToSpace", dy, dims=n.input(0).shape, blocksize=r),)


# ── nothing ────────────────────────────────────────────────────────────────────────────────────


def flat(g: Adjoint, dy: Value, n: Use) -> Grads:
    """Steps, places, sizes and truths: a small change of an input changes nothing."""
    return [None for _ in n.x]


FLAT = (
    *("Shape", "Size", "Range", "ConstantOfShape", "ArgMax", "ArgMin", "NonZero"),
    *("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Not", "IsNaN"),
    *("Sign", "Floor", "Ceil", "Round"),
)

RULES: Mapping[str, Rule] = {
    "Reshape": reshape,
    "Flatten": reshape,
    "Squeeze": reshape,
    "Unsqueeze": reshape,
    "Transpose": transpose,
    "Expand": expand,
    "Tile": tile,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Pad": pad,
    "Gather": gather,
    "GatherElements": gather_elements,
    "GatherND": gather_nd,
    "ScatterElements": scatter,
    "ScatterND": scatter,
    "Where": where,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    **dict.fromkeys(FLAT, flat),
}
