"""To which family does a layer belong, and thereby which colour does it have?"""

from collections.abc import Mapping

from cnnspec.draw.theme import Role
from cnnspec.layers import FAMILIES
from cnnspec.layers.classic import Rbf, Subsampling
from cnnspec.layers.dense import Dense
from cnnspec.model.graph import Node

_ROLES: Mapping[str, Role] = {
    "input": "input",
    "with weights": "conv",
    "pooling": "pool",
    "normalisation": "norm",
    "regularisation": "shape",
    "activation": "activation",
    "arithmetic": "activation",
    "order and size": "shape",
    "joining branches": "merge",
}

_KINDS: Mapping[str, Role] = {
    **{kind.kind: _ROLES.get(name, "shape") for name, kinds in FAMILIES.items() for kind in kinds},
    Dense.kind: "dense",
    Rbf.kind: "dense",
    Subsampling.kind: "pool",
}

NAMES: Mapping[Role, str] = {
    "input": "input",
    "conv": "convolution",
    "pool": "pooling",
    "dense": "fully connected",
    "norm": "normalisation",
    "activation": "activation",
    "merge": "joins branches",
    "shape": "order, size, dropout",
}
"""For a legend."""


def role(node: Node) -> Role:
    return _KINDS[node.layer.kind]


def is_small(node: Node) -> bool:
    """Does it go along with the layer that it follows rather than take a box of its own?"""
    found = role(node)
    regular = found == "shape" and node.layer.kind in _ALONG
    return regular or found in ("norm", "activation")


_ALONG = {kind.kind for kind in FAMILIES["regularisation"]} | {"flatten", "reshape"}
