"""How is a normalisation by the batch's own statistics said in plainer operators?

Where the operator is asked for these, ONNX Runtime's kernel for CUDA computes them only for five
results, as opsets before 14 had them; of the three since it makes none, and normalises by what it
is given for the running ones, as in inference. So a step that is about to run there has mean and
variance worked out step by step. What is exported keeps the operator, which others do right.
"""

from collections.abc import Sequence

from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import Model, Node, Value


def spell_out(model: Model) -> Model:
    """The model without normalisations that work out the batch's statistics in one operator."""
    spelled, known = model.emptied(), model.known()
    g = Builder(spelled)
    g.coming = frozenset(model.values)
    for node in model.nodes:
        if node.op == "BatchNormalization" and node.attributes.get("training_mode", 0):
            _spell_out(g, node, [known[name] for name in node.inputs])
        else:
            spelled.nodes.append(node)
            spelled.values.update((name, known[name]) for name in node.outputs)
    made = spelled.living()
    made.verify()
    return made


def _spell_out(g: Builder, node: Node, xs: Sequence[Value]) -> None:
    # y = scale·(x - μ)/√(σ² + ε) + bias, with μ and σ² over the batch and all places
    x, scale, bias = xs[:3]
    assert node.attributes.get("momentum") == 0, "the statistics are the batch's alone"
    y, mean_name, var_name = node.outputs
    eps = node.attributes.get("epsilon", 1e-5)
    assert isinstance(eps, float)
    rank = len(x.shape)
    axes = (0, *range(2, rank))
    with g.layer(mean_name, node.source):
        mean = g.reduce("ReduceMean", x, axes, dims=scale.shape, keepdims=0)
    with g.layer(y, node.source):
        around = g.op("Sub", x, g.by_channel(mean, rank - 1), dims=x.shape, part="around")
        squares = g.op("Mul", around, around, part="squares")
    with g.layer(var_name, node.source):
        var = g.reduce("ReduceMean", squares, axes, dims=scale.shape, keepdims=0)
    with g.layer(y, node.source):
        root = g.op("Sqrt", g.op("Add", var, g.scalar("eps", eps), part="above"), part="root")
        factor = g.op("Div", scale, root, part="factor")
        scaled = g.op("Mul", around, g.by_channel(factor, rank - 1), dims=x.shape, part="scaled")
        g.op("Add", scaled, g.by_channel(bias, rank - 1), dims=x.shape)
