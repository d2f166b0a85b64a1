"""Products of matrices: Y = A·B ⇒ dA = dY·Bᵀ, dB = Aᵀ·dY."""

from collections.abc import Mapping

from cnnspec.grad.base import Adjoint, Grads, Rule, Use
from cnnspec.grad.rules.shaping import sizes_of
from cnnspec.onnxir.builder import broadcast
from cnnspec.onnxir.graph import Dims, Value


def matmul(g: Adjoint, dy: Value, n: Use) -> Grads:
    """MatMul-13. Leading axes stretch to meet; a vector is a row on the left, a column on the
    right, and the axis of size 1 goes afterwards."""
    a, b = n.input(0), n.input(1)
    row, column = len(a.shape) == 1, len(b.shape) == 1
    wide_a = _shaped(g, a, (1, *a.shape)) if row else a
    wide_b = _shaped(g, b, (*b.shape, 1)) if column else b
    lead = broadcast((wide_a.shape[:-2], wide_b.shape[:-2]))
    wide_dy = _shaped(g, dy, (*lead, wide_a.shape[-2], wide_b.shape[-1]))
    da = _product(g, wide_dy, _turned(g, wide_b))
    db = _right(g, wide_a, wide_b, wide_dy)
    # The axis of size 1 goes again; the stretched ones in front are summed by the walk.
    da = _shaped(g, da, (*da.shape[:-2], *a.shape)) if row else da
    db = _shaped(g, db, (*db.shape[:-2], *b.shape)) if column else db
    return da, db


def _right(g: Adjoint, a: Value, b: Value, dy: Value) -> Value:
    """dB[k,n] = Σ over all rows of A[…,k]·dY[…,n], at once where B has no leading axes."""
    if len(b.shape) > 2 or len(a.shape) == 2:
        return _product(g, _turned(g, a), dy)
    rows: int | str = "rows"
    if all(isinstance(m, int) for m in a.shape):
        rows = 1
        for m in a.shape[:-1]:
            assert isinstance(m, int)
            rows *= m
    flat_a, flat_dy = (_shaped(g, v, (rows, v.shape[-1])) for v in (a, dy))
    return g.op("Gemm", flat_a, flat_dy, dims=b.shape, transA=1)


def _product(g: Adjoint, a: Value, b: Value) -> Value:
    lead = broadcast((a.shape[:-2], b.shape[:-2]))
    return g.op("MatMul", a, b, dims=(*lead, a.shape[-2], b.shape[-1]))


def _turned(g: Adjoint, x: Value) -> Value:
    """The last two axes change places."""
    *lead, i, j = range(len(x.shape))
    dims = (*x.shape[:-2], x.shape[j], x.shape[i])
    return g.op("Transpose", x, dims=dims, perm=(*lead, j, i))


def _shaped(g: Adjoint, x: Value, dims: Dims) -> Value:
    if x.shape == dims:
        return x
    return g.op("Reshape", x, sizes_of(g, dims), dims=dims)


def gemm(g: Adjoint, dy: Value, n: Use) -> Grads:
    # Gemm-13: Y = α·A'·B' + β·C, where A' is A or Aᵀ, and B' is B or Bᵀ
    #   A' = A  ⇒ dA = α·dY·B'ᵀ          A' = Aᵀ ⇒ dA = α·B'·dYᵀ
    #   B' = B  ⇒ dB = α·A'ᵀ·dY          B' = Bᵀ ⇒ dB = α·dYᵀ·A'
    a, b = n.input(0), n.input(1)
    turned_a, turned_b = n.whole("transA", 0), n.whole("transB", 0)
    alpha = n.node.attributes.get("alpha")
    if turned_a:
        da = g.op("Gemm", b, dy, dims=a.shape, alpha=alpha, transA=turned_b, transB=1)
    else:
        da = g.op("Gemm", dy, b, dims=a.shape, alpha=alpha, transB=1 - turned_b)
    if turned_b:
        db = g.op("Gemm", dy, a, dims=b.shape, alpha=alpha, transA=1, transB=turned_a)
    else:
        db = g.op("Gemm", a, dy, dims=b.shape, alpha=alpha, transA=1 - turned_a)
    if not n.has(2):
        return da, db
    beta = n.number("beta", 1)
    return da, db, dy if beta == 1 else g.op("Mul", dy, g.scalar("beta", beta))


RULES: Mapping[str, Rule] = {"MatMul": matmul, "Gemm": gemm}
