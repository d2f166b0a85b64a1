"""What does each input of a network take, and which heads are compared with targets?"""

import numpy as np

from cnnspec.layers.source import Input
from cnnspec.model.graph import Graph
from cnnspec.run.wanted import Wanted
from cnnspec.settings.recipe import default_recipe
from cnnspec.vocab.value import Shape


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


def outputs_of(graph: Graph) -> tuple[Shape, ...]:
    """The shapes of the heads that targets are compared with, the main one first.

    What is compared with its own input may have any shape.
    """
    recipe = graph.recipe or default_recipe()
    compared = {loss.on or graph.main.name for loss in recipe.losses if not loss.is_of_input}
    heads = sorted(graph.outputs, key=lambda head: head.name != graph.main.name)
    shapes = [graph.nodes[head.node].shape for head in heads if head.name in compared]
    return tuple(shape for shape in shapes if shape is not None)
