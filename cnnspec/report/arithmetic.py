"""How do the numbers of a layer come about, written as on a lecture slide?"""

from collections.abc import Sequence

from cnnspec.layers.base import View
from cnnspec.layers.window import axis_names
from cnnspec.model.graph import Graph, Node
from cnnspec.model.receptive import Field, Reach, meet, views_of
from cnnspec.model.tally import facts_of
from cnnspec.report.units import number, sizes

SUBJECTS = {
    "parameters ": "parameters",
    "running statistics ": "buffers",
    "macs ": "macs",
    "connections ": "connections",
}
"""How a line of `Layer.sums` begins, and what it is about; any other line is about sizes."""


def arithmetic(graph: Graph, node: Node, seen: Sequence[Field]) -> list[tuple[str, str]]:
    """What each line is about, and the line: sizes, weights, work, then the receptive field."""
    facts = facts_of(node)
    xs = [facts_of(graph.nodes[i]).shape for i in node.inputs]
    lines = [_about(line) for line in node.layer.sums(facts.shape, *xs)] if xs else []
    if node.is_sharing:
        lines = [
            (of, f"{text}, counted at {node.owner}" if of == "parameters" else text)
            for of, text in lines
        ]
    return lines + [("receptive_field", line) for line in _sees(graph, node, seen)]


def _about(line: str) -> tuple[str, str]:
    for start, subject in SUBJECTS.items():
        if line.startswith(start):
            return subject, line[len(start) :]
    return "size", line


def _sees(graph: Graph, node: Node, seen: Sequence[Field]) -> list[str]:
    branches = [seen[i] for i in node.inputs]
    if not branches:
        return []
    before, after = meet(branches), seen[node.index]
    lines = _meeting(branches, before)
    if before.is_global or after is before:
        return lines
    views, _ = views_of(graph, node)
    if len(views) != len(before.axes):
        return lines
    steps = [_step(r, v) for r, v in zip(before.axes, views, strict=True)]
    whole = ": the whole map" if after.is_global else ""
    if len(set(steps)) <= 1:
        return lines + [line + whole for line in steps[:1]]
    names = axis_names(len(steps))
    return lines + [f"{name}: {line}{whole}" for name, line in zip(names, steps, strict=True)]


def _step(reach: Reach, view: View) -> str:
    """`6 + (2 - 1)·1 = 7, jump 1·2 = 2`."""
    size = reach.size + (view.extent - 1) * reach.jump
    line = (
        f"{number(reach.size)} + ({number(view.extent)} - 1)·{number(reach.jump)} = {number(size)}"
    )
    if view.step != 1:
        line += (
            f", jump {number(reach.jump)}·{number(view.step)} = {number(reach.jump * view.step)}"
        )
    return line


def _meeting(branches: Sequence[Field], met: Field) -> list[str]:
    """What a merge does to fields that differ."""
    if len(branches) < 2 or met.is_global:
        return []
    seen = dict.fromkeys("all" if b.is_global else sizes(b.sizes) for b in branches if b.axes)
    if len(seen) < 2:
        return []
    aside = "; what sees the whole map is left aside" if "all" in seen else ""
    return [f"{' and '.join(seen)} meet: {sizes(met.sizes)}{aside}"]
