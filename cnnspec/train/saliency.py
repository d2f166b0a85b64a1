"""How would the score of a class change with each number of an input?

A network with the gradient beside its outputs: what saliency maps and adversarial examples are made
of. The score is what stands before a last softmax, which would hide what speaks for a class behind
what speaks against the others.
"""

from cnnspec.emit.lower import WeightSource, lower_into
from cnnspec.emit.options import CannotCompile
from cnnspec.grad.reverse import gradients
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import Builder
from cnnspec.onnxir.graph import BATCH, Model, Value
from cnnspec.train.loss import Case, one_hot

TARGET = "target"
"""The input with the class that is asked about, one for each example."""

SOFT = ("softmax", "logsoftmax", "sigmoid")


def with_gradient(graph: Graph, name: str, weights: WeightSource, opset: int) -> Model:
    """The network with one more input, `target`, and one more output, `name/gradient`.

    Raises `CannotCompile` for what is no input of floating-point numbers.
    """
    end = graph.nodes[graph.main.node]
    before = end.inputs[0] if end.layer.kind in SOFT else end.index
    model = Model(graph.name, opset)
    g = Builder(model)
    values = lower_into(g, graph, [end.index, before], weights)
    wanted = _input(model, name)
    g.output(values[end.index])
    score = _score(g, values[before])
    (dx,) = gradients(model, score, [wanted.name], BATCH).values()
    if dx is None:
        raise CannotCompile(f"the output does not hang on `{name}`")
    with g.layer(f"{name}/gradient", ""):
        g.output(g.op("Identity", dx))
    done = model.living()
    done.verify()
    return done


def _input(model: Model, name: str) -> Value:
    found = next((v for v in model.inputs if v.name == name), None)
    if found is None:
        names = ", ".join(f"`{v.name}`" for v in model.inputs)
        raise CannotCompile(f"there is no input `{name}`; there is {names}")
    if found.dtype != "float":
        raise CannotCompile(f"`{name}` takes whole numbers, which have no gradient")
    return found


def _score(g: Builder, z: Value) -> Value:
    """The sum over the batch of each example's score for its class: the examples do not meet, so
    that each gets its own gradient."""
    target = Value(TARGET, (z.shape[0], *z.shape[2:]), "int64")
    g.model.inputs.append(target)
    with g.layer("score", ""):
        chosen = g.op("Mul", z, one_hot(g, Case(z, "scores", target)), part="chosen")
        return g.reduce("ReduceSum", chosen, range(len(z.shape)), dims=(), keepdims=0)
