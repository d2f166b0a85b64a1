"""What does a model say of itself?"""

import json
from collections.abc import Mapping
from hashlib import sha256

from cnnspec.emit.options import CannotCompile, Options
from cnnspec.layers.source import Input
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph
from cnnspec.onnxir.graph import Model
from cnnspec.syntax import tree
from cnnspec.version import VERSION


def metadata(graph: Graph, model: Model, options: Options, *, is_drawn: bool) -> dict[str, str]:
    """The spec, what it was compiled with, and what its inputs and outputs mean."""
    text, params = spec_of(graph)
    found = {
        "cnnspec.version": VERSION,
        "cnnspec.spec": text,
        "cnnspec.spec_sha256": sha256(text.encode()).hexdigest(),
        "cnnspec.params": _json(params),
        "cnnspec.preprocessing": _json(_preprocessing(graph, model)),
        "cnnspec.outputs": _json(_outputs(graph, model)),
    }
    if is_drawn:
        found["cnnspec.seed"] = str(options.seed)
    if labels := labels_of(graph, model, options):
        found["cnnspec.labels"] = _json(labels)
    return found


def spec_of(graph: Graph) -> tuple[str, Mapping[str, object]]:
    """A text that is the network all by itself, with its params: as it was written, or, where that
    uses other files, the flat form."""
    if any(isinstance(item, tree.Use) for item in graph.file.items):
        return expand(graph), {}
    return graph.span.source.text, graph.params


def labels_of(graph: Graph, model: Model, options: Options) -> list[str]:
    """The names of the classes: those given, or those of the data that the spec trains on."""
    classes = _classes(graph)
    if options.labels:
        if options.until is None and len(options.labels) != classes:
            raise CannotCompile(f"there are {len(options.labels)} labels for {classes} outputs")
        return list(options.labels)
    known = graph.recipe.labels if graph.recipe is not None else ()
    return list(known) if len(known) == classes and options.until is None else []


def _classes(graph: Graph) -> int:
    shape = graph.nodes[graph.main.node].shape
    return shape[0] if shape else 0


def _preprocessing(graph: Graph, model: Model) -> dict[str, object]:
    """For each input, what it is to be given."""
    names = {v.name for v in model.inputs}
    found: dict[str, object] = {}
    for node in graph.inputs:
        layer = node.layer
        if node.path not in names or not isinstance(layer, Input):
            continue
        prepares = any(layer.was_given(p) for p in ("scale", "mean", "std"))
        found[node.path] = {
            "size": node.shape,
            "type": layer.type,
            "layout": layer.layout,
            "raw": prepares or layer.type == "uint8",
        }
    return found


def _outputs(graph: Graph, model: Model) -> dict[str, object]:
    """For each output, the head that it ends and the kind of its last layer."""
    heads = {graph.nodes[o.node].path: o.name for o in graph.outputs}
    kinds = {n.path: n.layer.kind for n in graph.nodes}
    makers = {o: n.op for n in model.nodes for o in n.outputs}
    return {
        v.name: {
            "head": heads.get(v.name, graph.main.name if v is model.outputs[0] else ""),
            "kind": kinds.get(v.name, makers[v.name].lower()),
        }
        for v in model.outputs
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
