"""`cnnspec diff`: in what do two networks differ?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.models import Failed, Given, given, is_spec, model_argument
from cnnspec.cli.options import colour_option, is_coloured, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of

if TYPE_CHECKING:
    from cnnspec.report.facts import Report
    from cnnspec.run.differ import Line

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
    click.echo(found.json() if form == "json" else found.shown(is_whole, is_coloured(colour)))
    return int(found.differs)


class Found:
    """What differs: rows of both, and facts with a value in each."""

    def __init__(self, one: str, other: str, what: str, lines: "Sequence[Line]") -> None:
        self.names = (one, other)
        self.what = what
        self.lines = lines
        self.facts: list[tuple[str, str, str]] = []
        self.notes: list[str] = []
        self.outputs: list[dict[str, Any]] = []
        self.is_far = False

    @property
    def differs(self) -> bool:
        changed = any(line.mark != " " for line in self.lines)
        return changed or self.is_far or any(a != b for _, a, b in self.facts)

    def shown(self, is_whole: bool, coloured: bool) -> str:
        from cnnspec.run.differ import near_changes

        lines = [f"- {self.names[0]}", f"+ {self.names[1]}"]
        changed = any(line.mark != " " for line in self.lines)
        if changed or is_whole:
            shown = self.lines if is_whole else near_changes(self.lines)
            lines += ["", *(f"{line.mark} {line.text}".rstrip() for line in shown)]
        else:
            lines += ["", f"the same {len(self.lines):,} {self.what}"]
        facts = [f for f in self.facts if is_whole or f[1] != f[2]]
        if facts:
            width = max(len(name) for name, _, _ in facts)
            lines += ["", *(f"{name:<{width}}  {a} → {b}" for name, a, b in facts)]
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
                self.what: [{"mark": x.mark, "text": x.text} for x in self.lines if x.mark != " "],
                "facts": {name: [a, b] for name, a, b in self.facts if a != b},
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
    from cnnspec.report.facts import facts
    from cnnspec.run.differ import aligned

    reports = [facts(need_graph(source_of(f), overrides, colour), 1) for f in (one, other)]
    rows = [_rows(report) for report in reports]
    found = Found(one, other, "layers", aligned(rows[0], rows[1]))
    a, b = (report.totals for report in reports)
    for name, x, y in (
        ("layers", a.layers, b.layers),
        ("parameters", a.params, b.params),
        ("running statistics", a.buffers, b.buffers),
        ("macs", a.macs, b.macs),
    ):
        found.facts.append((name, f"{x:,}", f"{y:,}{_change(x, y)}"))
    return found


def _rows(report: "Report") -> list[str]:
    """Shape, parameters, and the call, which may be long."""
    from cnnspec.vocab.value import show_shape

    return [
        f"{show_shape(row.shape):>12}  {f'{row.params:,}' if row.params else '':>12}  {row.call}"
        for row in report.rows
    ]


def _change(x: int, y: int) -> str:
    return "" if x == y or not x else f" ({100 * (y - x) / x:+.1f} %)"


# ── models ─────────────────────────────────────────────────────────────────────────────────────


def _of_models(
    one: str,
    other: str,
    overrides: Overrides,
    weights: str | None,
    inputs: str | None,
    colour: str,
) -> Found:
    from cnnspec.run.differ import aligned, facts, nodes

    both = [
        given(f, overrides if is_spec(f) else (), weights if is_spec(f) else None, None, colour)
        for f in (one, other)
    ]
    a, b = (_proto(model) for model in both)
    found = Found(one, other, "nodes", aligned(nodes(a), nodes(b)))
    said = facts(b)
    found.facts = [(name, text, said[name]) for name, text in facts(a).items()]
    _answers(found, both, inputs)
    return found


def _proto(model: Given) -> Any:
    from cnnspec.run.files import read_onnx

    return model.model.onnx if model.model is not None else read_onnx(model.name)


def _answers(found: Found, both: "list[Given]", inputs: str | None) -> None:
    from cnnspec.run.differ import SAME, Unlike, answers
    from cnnspec.run.session import open_session
    from cnnspec.run.wanted import wanted

    if sum(model.is_drawn for model in both) == 1 and not _are_one(both):
        found.notes.append("answers are not compared: the weights of one are drawn anew")
        return
    a, b = (open_session(model.content, "cpu") for model in both)
    try:
        wants, _ = wanted(a)
        known = {w.name: tuple(n or 32 for n in w.shape) for w in wants}
        deviations = answers(a, b, _read(inputs, wants), known)
    except Unlike as fault:
        found.notes.append(f"answers are not compared: {fault}")
        return
    for d in deviations:
        is_same = d.relative <= SAME
        found.is_far |= not is_same
        found.outputs.append(
            {"output": d.output, "absolute": d.absolute, "relative": d.relative, "same": is_same}
        )
        found.notes.append(
            f"answers of {d.output}: the largest difference is {d.absolute:.3g}, "
            f"{d.relative:.2g} of the largest number{'' if is_same else ', more than 1e-4'}"
        )


def _are_one(both: "list[Given]") -> bool:
    """Do both come of one spec and seed, so that what was drawn is the same?"""
    keys = ("cnnspec.spec_sha256", "cnnspec.params", "cnnspec.seed")
    one, other = ([model.metadata.get(key) for key in keys] for model in both)
    return one == other and None not in one


def _read(inputs: str | None, wants: Sequence[Any]) -> Any:
    if inputs is None:
        return None
    from cnnspec.run.examples import read_examples

    examples = read_examples(inputs, wants, ())
    return next(examples.batches(16))[0]
