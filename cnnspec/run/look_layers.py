"""Which layers of a model can be looked at, which are shown, and which are meant by a name?

Of a model that says what it was compiled from, the layers of its spec; of any other, the values
that its operators make.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from math import prod

from cnnspec.model.graph import Graph
from cnnspec.run.look_model import Opened, Step
from cnnspec.run.looking import last_maps, stages
from cnnspec.text.record import record
from cnnspec.text.suggest import distance, nearest

MOST = 8
"""Layers that are shown where none are named."""

MOST_SAID = 12
"""Layers that are listed where there is none of a name."""

VIEWS = (
    *("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"),
    *("Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear"),
)
"""Operators that only order numbers anew, or write them otherwise."""

MAPS = ("Conv", "ConvTranspose", "ConvInteger", "QLinearConv")
"""Those that look for something in every place."""

NEW = (
    *(*MAPS, "Gemm", "MatMul", "MaxPool", "AveragePool", "LpPool"),
    *("GlobalAveragePool", "GlobalMaxPool"),
)
"""Those that make other maps, though as many and as large."""

PASSING = (
    *(*VIEWS, "Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "Sigmoid", "Tanh", "Clip"),
    *("HardSwish", "HardSigmoid", "Mish", "BatchNormalization", "InstanceNormalization"),
    *("LayerNormalization", "GroupNormalization", "LRN", "Softmax", "Add", "Mul"),
)
"""Those behind which the weights before them are still to be seen."""


class NoLayer(ValueError):
    """A name that no layer has."""


@record
class Layer:
    """A value of the graph that can be looked at."""

    name: str
    what: str
    """Its call in the spec, or its operator."""


def layers(opened: Opened, graph: Graph | None) -> list[Layer]:
    """In the order in which they run."""
    made = {name: step for step in opened.steps for name in step.outputs}
    if graph is not None:
        known = [n for n in graph.nodes if n.inputs and n.path in made]
        return [Layer(n.path, n.layer.text()) for n in known]
    return [
        Layer(name, step.op)
        for step in opened.steps
        for name in step.outputs
        if step.op not in VIEWS and opened.is_real(name)
    ]


def chosen(found: Sequence[Layer], opened: Opened, asked: Sequence[str]) -> list[Layer]:
    """Those that are asked for, each once and in their order: by name, by its beginning, by a
    pattern. Raises `NoLayer`, which lists what there is."""
    # Models of other programs call operators by better names than values.
    also = {name: step.name for step in opened.steps for name in step.outputs}
    wanted: set[str] = set()
    for text in asked:
        names = {n for layer in found for n in (layer.name, also.get(layer.name, layer.name))}
        meant = _meant(text, names)
        if not meant:
            raise NoLayer(_unknown(text, [layer.name for layer in found]))
        wanted |= meant
    return [x for x in found if x.name in wanted or also.get(x.name) in wanted]


def _meant(text: str, names: set[str]) -> set[str]:
    if text in names:
        return {text}
    if any(c in text for c in "*?["):
        return {name for name in names if fnmatchcase(name, text)}
    return {name for name in names if name.startswith(text)}


def _unknown(text: str, names: Sequence[str]) -> str:
    near = nearest(text, names)
    low = text.lower()

    def far(name: str) -> tuple[bool, int, int]:
        # Names begin with what people remember of them.
        beginning = distance(low, name.lower()[: len(low)], 12)
        return name != near, beginning, distance(low, name.lower(), 12)

    order = sorted(names, key=far)
    more = f", and {len(order) - MOST_SAID:,} more" if len(order) > MOST_SAID else ""
    return f"there is no layer `{text}`; there are {', '.join(order[:MOST_SAID])}{more}"


def usual(found: Sequence[Layer], opened: Opened, graph: Graph | None) -> list[Layer]:
    """Some that show the way through the network."""
    named = {x.name: x for x in found}
    if graph is not None:
        return [named[name] for name in stages(graph, MOST) if name in named]
    takers = _takers(opened)
    names = [name for name in named if _is_stage(opened, name, takers)]
    if len(names) > MOST:
        places = [round(k * (len(names) - 1) / (MOST - 1)) for k in range(MOST)]
        names = [names[k] for k in dict.fromkeys(places)]
    return [named[name] for name in names]


def _takers(opened: Opened) -> Mapping[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in opened.steps:
        for name in step.inputs:
            found.setdefault(name, []).append(step)
    return found


def _is_stage(opened: Opened, name: str, takers: Mapping[str, list[Step]]) -> bool:
    """Is its shape changed by what follows, or is there nothing that follows?"""
    alone = _alone(takers, name)
    while alone is not None and opened.shape(alone.outputs[0]) == opened.shape(name):
        if alone.op not in VIEWS:
            return alone.op in NEW
        alone = _alone(takers, alone.outputs[0])
    return True


def _alone(takers: Mapping[str, list[Step]], name: str) -> Step | None:
    """Who takes a value, if it is one."""
    steps = takers.get(name, [])
    return steps[0] if len(steps) == 1 else None


def where_last(opened: Opened, graph: Graph | None) -> str | None:
    """The layer whose maps are the last before places are given up; none where there are none."""
    made = {name for step in opened.steps for name in step.outputs}
    known = last_maps(graph) if graph is not None else None
    if known in made:
        return known
    reached = [
        (name, step)
        for step in opened.steps
        for name in step.outputs
        if step.op not in VIEWS
        and has_places(opened.shape(name))
        and opened.is_real(name)
        and name != opened.last
    ]
    convs = [name for name, step in reached if step.op in MAPS]
    if not convs:
        return None
    size = (opened.shape(convs[-1]) or ())[2:]
    # In the order in which they run, so that what follows the convolution there is among them.
    alike = (name for name, _ in reversed(reached) if (opened.shape(name) or ())[2:] == size)
    return next((name for name in alike if _leads(opened, name)), None)


def _leads(opened: Opened, name: str) -> bool:
    """Does what the answer comes of hang on it?"""
    hang = {name}
    for step in opened.steps:
        if not hang.isdisjoint(step.inputs):
            hang.update(step.outputs)
    return opened.last in hang


def has_places(shape: Sequence[int] | None) -> bool:
    return shape is not None and len(shape) > 2 and prod(shape[2:]) > 1


def behind(opened: Opened, name: str) -> Step | None:
    """The operator with weights whose work a layer shows."""
    makers = {n: step for step in opened.steps for n in step.outputs}
    step = makers.get(name)
    while step is not None and step.op in PASSING:
        step = makers.get(step.inputs[0])
    is_of_weights = step is not None and step.op in (*MAPS, "Gemm", "MatMul")
    return step if is_of_weights else None
