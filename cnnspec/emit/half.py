"""How does a model compute in half precision, between inputs and outputs that stay single?"""

from cnnspec.onnxir.graph import Model, Node, Tensor, Value

HALF = 10
SINGLE = 1
"""How `Cast` calls them."""

ALWAYS_SINGLE = {"Resize": (1, 2)}
"""Inputs of operators that the standard wants in single precision: factors of sizes."""

LARGEST = 65504.0
"""The largest number in half precision."""


def in_half_precision(model: Model) -> Model:
    """The same with all numbers inside halved in size, and casts at both ends."""
    single = {
        n.inputs[i] for n in model.nodes for i in ALWAYS_SINGLE.get(n.op, ()) if i < len(n.inputs)
    }
    entering = [v for v in model.inputs if v.dtype == "float"]
    leaving = [v for v in model.outputs if v.dtype == "float"]
    names = {v.name: f"{v.name}/half" for v in (*entering, *leaving)}
    before = [_cast(v.name, names[v.name], HALF) for v in entering]
    after = [_cast(names[v.name], v.name, SINGLE) for v in leaving]
    values = {names.get(v.name, v.name): _halved(v, names) for v in model.values.values()}
    values |= {names[v.name]: Value(names[v.name], v.shape, "float16") for v in entering}
    values |= {v.name: v for v in leaving}
    return Model(
        model.name,
        model.opset,
        list(model.inputs),
        list(model.outputs),
        [*before, *(_renamed(n, names) for n in model.nodes), *after],
        {name: t if name in single else _half(t) for name, t in model.tensors.items()},
        values,
        dict(model.metadata),
    )


def _cast(source: str, target: str, to: int) -> Node:
    return Node("Cast", (source,), (target,), {"to": to}, f"{target}/cast")


def _halved(value: Value, names: dict[str, str]) -> Value:
    dtype = "float16" if value.dtype == "float" else value.dtype
    return Value(names.get(value.name, value.name), value.shape, dtype)


def _renamed(node: Node, names: dict[str, str]) -> Node:
    attributes = dict(node.attributes)
    if node.op == "Cast" and attributes["to"] == SINGLE:
        attributes["to"] = HALF
    return Node(
        node.op,
        tuple(names.get(n, n) for n in node.inputs),
        tuple(names.get(n, n) for n in node.outputs),
        attributes,
        node.name,
        node.source,
    )


def _half(tensor: Tensor) -> Tensor:
    if tensor.value.dtype != "float":
        return tensor
    value = Value(tensor.name, tensor.value.shape, "float16")
    # What half precision cannot hold is kept at its end: infinities would spread.
    return Tensor(value, lambda: tensor.draw().clip(-LARGEST, LARGEST), tensor.is_weight)
