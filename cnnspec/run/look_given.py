"""How does what somebody gives become one input of a network, ready to be looked at?"""

import os

import numpy as np
from numpy.typing import ArrayLike

from cnnspec.model.graph import Graph
from cnnspec.run.arrays import items_of
from cnnspec.run.inputs import Item, stacked
from cnnspec.run.look import Given
from cnnspec.run.look_view import read_item, view
from cnnspec.run.model import CompiledModel
from cnnspec.run.wanted import wanted


def given(
    model: CompiledModel, graph: Graph | None, image: "ArrayLike | str | os.PathLike[str]"
) -> Given:
    """A file, or an array with one item. Raises `ValueError`."""
    wants, _ = wanted(model.session("cpu"))
    if isinstance(image, str | os.PathLike):
        item = read_item(os.fspath(image), wants, None, fit=None, strict=False)
    elif len(wants) > 1:
        names = ", ".join(f"`{w.name}`" for w in wants)
        raise ValueError(f"the network takes {names}, which only an npz file can hold")
    else:
        item = Item("array", {wants[0].name: items_of(np.asarray(image), wants[0])[0]})
    views = [view(w, item.arrays[w.name]) for w in wants]
    name = os.path.basename(item.name)
    return Given(model.onnx, graph, stacked([item], wants), views, name)
