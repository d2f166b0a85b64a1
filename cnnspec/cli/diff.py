"""`cnnspec diff`: in what do two networks differ?"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.models import Failed, Given, given, is_spec, model_argument
from cnnspec.cli.options import colour_option, is_coloured, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.layers.base import count
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnspec.model.graph import Graph
    from cnnspec.run.differ import Line, Row

FORMATS = ("table", "json")

COLOURS = {"-": "red", "+": "green"}


@click.command()
@model_argument("one", "ONE")
@model_argument("other", "OTHER")
@set_option
@click.option("--weights", metavar="PATH", help="A file of weights for what is a spec.")
@click.option("--inputs", metavar="PATH", help="npz or npy to compare answers on.")
@click.option("--all", "is_whole", is_flag=True, help="Show what is alike as well.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", help="How to show it."
)
@colour_option
def command(
    one: str,
    other: str,
    overrides: Overrides,
    weights: str | None,
    inputs: str | None,
    is_whole: bool,
    form: str,
    colour: str,
) -> int:
    """Compare two networks or models.

    Specs by layers, shapes and counts; ONNX files by nodes, tensors and, on the same inputs, by
    what they answer: drawn from a seed, or those of --inputs. Of a spec and a file, the spec is
    compiled first. Exit status 0 if they are alike, 1 if not, as of `diff`.

    \b
    Example:
      cnnspec diff lenet5 lenet5
    """
    try:
        if is_spec(one) and is_spec(other) and weights is None and inputs is None:
            found = _of_specs(one, other, overrides, colour)
        else:
            found = _of_models(one, other, overrides, weights, inputs, colour)
    except ValueError as fault:
        raise Failed(str(fault)) from None
    shown = found.json() if form == "json" else found.shown(is_whole, is_coloured(colour))
    click.echo(shown, color=True)
    return int(found.differs)


@dataclass(frozen=True)
class Fact:
    """A value in each."""

    name: str
    one: str | int
    other: str | int
    show: "Callable[[int], str]" = "{:,}".format
    counts: bool = True
    """Are they different networks where it differs?"""

    def __str__(self) -> str:
        a, b = self.one, self.other
        if isinstance(a, str) or isinstance(b, str):
            return f"{a or 'none'} → {b or 'none'}"
        change = f" ({100 * (b - a) / a:+.1f} %)" if a != b and a else ""
        return f"{self.show(a)} → {self.show(b)}{change}"


class Found:
    """What differs: rows of both, and facts with a value in each."""

    def __init__(self, one: str, other: str) -> None:
        self.names = (one, other)
        self.lists: dict[str, Sequence[Line]] = {}
        self.facts: list[Fact] = []
        self.notes: list[str] = []
        self.outputs: list[dict[str, Any]] = []
        self.changed = 0
        """Tensors that are alike but for their numbers."""
        self.is_far = False

    @property
    def differs(self) -> bool:
        return (
            any(line.mark != " " for lines in self.lists.values() for line in lines)
            or any(fact.one != fact.other for fact in self.facts if fact.counts)
            or self.is_far
            or self.changed > 0
        )

    def shown(self, is_whole: bool, coloured: bool) -> str:
        from cnnspec.run.differ import near_changes

        lines = [f"- {self.names[0]}", f"+ {self.names[1]}"]
        for what, rows in self.lists.items():
            if is_whole or any(row.mark != " " for row in rows):
                near = rows if is_whole else near_changes(rows)
                title = [f"{what}:"] if len(self.lists) > 1 else []
                lines += ["", *title, *(f"{row.mark} {row.text}".rstrip() for row in near)]
            elif rows:
                lines += ["", f"the same {count(len(rows), what.removesuffix('s'))}"]
        facts = [f for f in self.facts if is_whole or (f.one != f.other and self.differs)]
        if facts:
            width = max(len(fact.name) for fact in facts)
            lines += ["", *(f"{fact.name:<{width}}  {fact}" for fact in facts)]
        if self.notes:
            lines += ["", *self.notes]
        return "\n".join(_coloured(line) if coloured else line for line in lines)

    def json(self) -> str:
        import json

        return json.dumps(
            {
                "one": self.names[0],
                "other": self.names[1],
                "same": not self.differs,
                **{
                    what: [{"mark": x.mark, "text": x.text} for x in lines if x.mark != " "]
                    for what, lines in self.lists.items()
                },
                "facts": {f.name: [f.one, f.other] for f in self.facts},
                "changed_tensors": self.changed,
                "outputs": self.outputs,
                "notes": self.notes,
            },
            indent=1,
            ensure_ascii=False,
        )


def _coloured(line: str) -> str:
    colour = COLOURS.get(line[:1])
    return click.style(line, fg=colour) if colour else line


# ── specs ──────────────────────────────────────────────────────────────────────────────────────


def _of_specs(one: str, other: str, overrides: Overrides, colour: str) -> Found:
    from cnnspec.model.measure import measure
    from cnnspec.model.memory import training
    from cnnspec.report.units import of_bytes
    from cnnspec.run.differ import aligned

    graphs = [need_graph(source_of(f), overrides, colour) for f in (one, other)]
    found = Found(one, other)
    found.lists["layers"] = aligned(*_rows(graphs))
    a, b = (measure(graph, 1) for graph in graphs)
    steps = [training(graph, 1, m.weights).total for graph, m in zip(graphs, (a, b), strict=True)]
    found.facts = [
        Fact("layers", a.layers, b.layers),
        Fact("parameters", a.weights.params, b.weights.params),
        Fact("running statistics", a.weights.buffers, b.weights.buffers),
        Fact("macs", a.macs, b.macs),
        Fact("memory to run one", a.inference.total, b.inference.total, of_bytes),
        Fact("memory to train on one", steps[0], steps[1], of_bytes),
    ]
    return found


def _rows(graphs: "Sequence[Graph]") -> "list[list[Row]]":
    """Shape, parameters, and the call, which may be long; where networks of the same layers are put
    together in other ways, also from what each layer takes."""
    from cnnspec.report.facts import facts
    from cnnspec.run.differ import Row
    from cnnspec.vocab.value import show_shape

    def rows(graph: "Graph", with_inputs: bool) -> list[Row]:
        paths = [node.path for node in graph.nodes]
        found: list[Row] = []
        for node, row in zip(graph.nodes, facts(graph).rows, strict=True):
            params = f"{row.params:,}" if row.params else ""
            text = f"{show_shape(row.shape):>12}  {params:>12}  {row.call}"
            if with_inputs and node.inputs:
                text += f"  ← {', '.join(paths[k] for k in node.inputs)}"
            found.append(Row(row.call, text))
        return found

    plain = [rows(graph, False) for graph in graphs]
    ways = [[node.inputs for node in graph.nodes] for graph in graphs]
    texts = [[row.text for row in one] for one in plain]
    if texts[0] == texts[1] and ways[0] != ways[1]:
        return [rows(graph, True) for graph in graphs]
    return plain


# ── models ─────────────────────────────────────────────────────────────────────────────────────


def _of_models(
    one: str,
    other: str,
    overrides: Overrides,
    weights: str | None,
    inputs: str | None,
    colour: str,
) -> Found:
    from cnnspec.report.units import of_bytes
    from cnnspec.run.differ import aligned, facts, nodes, tensors

    both = [
        given(f, overrides if is_spec(f) else (), weights if is_spec(f) else None, None, colour)
        for f in (one, other)
    ]
    a, b = (_proto(model) for model in both)
    found = Found(one, other)
    found.lists = {
        "nodes": aligned(nodes(a), nodes(b)),
        "tensors": aligned(tensors(a), tensors(b)),
    }
    was, now = facts(a), facts(b)
    found.facts = [Fact(key, was.get(key, ""), now.get(key, "")) for key in {**was, **now}]
    # Names of files and places in specs, which are in a model too, make it no other model.
    found.facts.append(Fact("size", _size(both[0]), _size(both[1]), of_bytes, counts=False))
    if sum(model.is_drawn for model in both) == 1 and not _are_one(both):
        found.notes.append("answers are not compared: the weights of one are drawn anew")
        return found
    _numbers(found, a, b)
    _answers(found, both, inputs)
    return found


def _size(model: Given) -> int:
    content = model.content
    return len(content) if isinstance(content, bytes) else os.path.getsize(content)


def _numbers(found: Found, a: Any, b: Any) -> None:
    from cnnspec.run.differ import numbers

    said = numbers(a, b)
    found.changed = said.changed
    if said.changed:
        found.notes.append(
            f"{said.changed:,} of {count(said.tensors, 'tensor')} hold other numbers"
        )
    if said.unread:
        found.notes.append(
            f"{count(said.unread, 'tensor')} not compared by number, being in a file of their own"
        )


def _proto(model: Given) -> Any:
    from cnnspec.run.files import read_onnx

    return model.model.onnx if model.model is not None else read_onnx(model.name)


def _answers(found: Found, both: "list[Given]", inputs: str | None) -> None:
    from cnnspec.run.differ import SAME, answers, drawn
    from cnnspec.run.session import open_session
    from cnnspec.run.wanted import wanted

    try:
        a, b = (open_session(model.content, "cpu") for model in both)
        wants = [wanted(session)[0] for session in (a, b)]
        if inputs is None:
            feeds = drawn(a, b)
            shapes = ", ".join("x".join(map(str, x.shape)) for x in feeds.values())
            given, on = [feeds], f"inputs of {shapes} drawn from seed 0"
        else:
            given, on = _read(inputs, wants[0]), f"what is in {inputs}"
        deviations = answers(a, b, given)
    except ValueError as fault:
        if inputs is not None and str(fault).startswith(inputs):
            raise
        found.notes.append(f"answers are not compared: {fault}")
        return
    if all(model.is_drawn for model in both):
        on += ", with weights drawn from seed 0"
    found.notes.append(f"on {on}:")
    for d in deviations:
        is_same = d.relative <= SAME
        found.is_far |= not is_same
        found.outputs.append(
            {
                "output": d.output,
                # JSON has no infinity.
                "absolute": d.absolute if isfinite(d.absolute) else None,
                "relative": d.relative if isfinite(d.relative) else None,
                "same": is_same,
            }
        )
        found.notes.append(
            f"  {safe(d.output)}: the largest difference is {d.absolute:.3g}, "
            f"{d.relative:.2g} of the largest number, "
            f"{'within' if is_same else 'more than'} 1e-4"
        )


def _are_one(both: "list[Given]") -> bool:
    """Do both come of one spec and seed, so that what was drawn is the same?"""
    keys = ("cnnspec.spec_sha256", "cnnspec.params", "cnnspec.seed")
    one, other = ([model.metadata.get(key) for key in keys] for model in both)
    return one == other and None not in one


def _read(inputs: str, wants: Sequence[Any]) -> list[Any]:
    from cnnspec.run.examples import read_examples

    return [feeds for feeds, _, _ in read_examples(inputs, wants, ()).batches(16)]
