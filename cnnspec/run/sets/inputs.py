"""What does each input of a network take, as its spec says it?"""

import numpy as np

from cnnspec.layers.source import Input
from cnnspec.model.graph import Graph
from cnnspec.run.wanted import Wanted


def wants_of(graph: Graph) -> tuple[Wanted, ...]:
    """One for each input, in their order."""
    found: list[Wanted] = []
    for node in graph.inputs:
        layer = node.layer
        if not isinstance(layer, Input) or node.shape is None:
            continue
        prepares = any(layer.was_given(p) for p in ("scale", "mean", "std"))
        found.append(
            Wanted(
                node.path,
                node.shape,
                np.dtype(np.uint8 if layer.type == "uint8" else np.float32),
                "hwc" if layer.layout == "hwc" else "chw",
                prepares or layer.type == "uint8",
            )
        )
    return tuple(found)
