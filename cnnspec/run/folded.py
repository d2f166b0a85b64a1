# pyright: basic
"""Was a batch normalisation taken into the weights that a file has for the layer before it?

Such kernels are not those that the layer was trained to: without their offsets, and before a
normalisation that is drawn anew, they make another function.
"""

import os

from cnnspec.model.graph import Graph, Node
from cnnspec.run.files import kind_of, read_onnx
from cnnspec.run.weights import Matched


def folded(
    graph: Graph, path: "str | os.PathLike[str]", matched: Matched, *, is_renamed: bool = False
) -> str | None:
    """What is so of the first layer whose weights hold a normalisation; none where none do."""
    pairs = _pairs(graph, matched)
    if not pairs or kind_of(path) != "onnx":
        return None
    proto = read_onnx(path)
    is_ours = any(p.key == "cnnspec.spec" for p in proto.metadata_props) and not is_renamed
    # Our models give values the paths of layers. Where none is called as the normalisation, the
    # model never had it, or was cut off before it.
    made = {value for node in proto.graph.node for value in node.output}
    for before, norm in pairs:
        if not is_ours or norm.path in made:
            # An offset that the layer has not by itself comes of a normalisation.
            is_sure = is_ours or f"{before.owner}.bias" in matched.extra
            was = "was taken" if is_sure else "seems to have been taken"
            return (
                f"it has the weights of `{before.path}` but none of `{norm.path}`, "
                f"which {was} into them"
            )
    return None


def _pairs(graph: Graph, matched: Matched) -> list[tuple[Node, Node]]:
    """The layers with weights in the file, and behind them normalisations without any."""
    missing = set(matched.missing)
    pairs = [(graph.nodes[n.inputs[0]], n) for n in graph.nodes if n.layer.kind == "bn"]
    return [
        (before, norm)
        for before, norm in pairs
        if f"{before.owner}.weight" in matched
        and norm.facts is not None
        and missing.issuperset(f"{norm.owner}.{key}" for key in norm.facts.weights)
    ]
