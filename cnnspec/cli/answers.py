"""How is shown what a network says of its inputs?"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from cnnspec.cli.options import columns, cut, is_coloured
from cnnspec.run.answers import Answer, Class, Decision, Number, Ranking
from cnnspec.run.inputs import STDIN, Item
from cnnspec.run.wanted import show_size
from cnnspec.text.excerpt import columns as taken
from cnnspec.text.excerpt import safe

Answers = Mapping[str, Answer]
"""What each output says, by the output's name."""

INPUT = "input"
LEFT_OUT = "…"
GAP = "  "

Row = tuple[str, str]
"""A number, right-aligned, and words."""


class Table:
    """Rows for each input, as wide as the terminal is; a pipe gets all."""

    def __init__(self, names: Sequence[str], outputs: Sequence[str], colour: str) -> None:
        self._room = columns(80) if sys.stdout.isatty() else None
        # Items of an array are called `x.npy[17]`, which is not known yet.
        named = [STDIN if n == "-" else safe(n) for n in names]
        longest = max((taken(n) + 4 * n.endswith((".npy", ".npz")) for n in named), default=0)
        longest = max(longest, len(INPUT))
        self._wide = longest if self._room is None else min(longest, max(8, self._room // 3))
        self._outputs = outputs if len(outputs) > 1 else ()
        self._said = max(map(len, self._outputs), default=0)
        self._is_bold = is_coloured(colour)
        self._has_head = False

    def _head(self) -> str:
        between = f"{'output':<{self._said}}{GAP}" if self._outputs else ""
        head = f"{INPUT:<{self._wide}}{GAP}{between}{'value':>8}{GAP}class"
        return click.style(head, bold=True) if self._is_bold else head

    def show(self, item: Item, answers: Answers) -> Iterator[str]:
        """The rows of one input, below the names of the columns if it is the first."""
        if answers and not self._has_head:
            self._has_head = True
            yield self._head()
        name = _fitted(safe(item.name), self._wide)
        for output, answer in answers.items():
            said = output if self._outputs else ""
            for value, words in rows(answer):
                between = f"{safe(said):<{self._said}}{GAP}" if self._outputs else ""
                line = f"{name}{GAP}{between}{value:>8}{GAP}{words}".rstrip()
                yield cut(line, self._room)
                name, said = " " * self._wide, ""


def rows(answer: Answer) -> list[Row]:
    match answer:
        case Ranking() | Decision():
            return [(_percent(c.probability), _called(c)) for c in answer.classes]
        case Number():
            return [(_number(answer.value), "")]
        case _:
            numbers = (("min", answer.least), ("mean", answer.mean), ("max", answer.most))
            shown = ", ".join(f"{word} {_number(x)}" for word, x in numbers)
            shares = [(_percent(c.probability), _called(c)) for c in answer.shares]
            return [("", f"{show_size(answer.shape)}: {shown}"), *shares]


def _called(c: Class) -> str:
    return f"{c.index:>4}" if c.label is None else f"{c.index:>4}  {safe(c.label)}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"


def _number(x: float | None) -> str:
    return "nan" if x is None else f"{x:.4g}"


def _fitted(name: str, width: int) -> str:
    """As wide as all others; of a long name the end, where names differ."""
    while taken(name) > width:
        name = LEFT_OUT + name[1 + max(1, taken(name) - width) :]
    return name + " " * (width - taken(name))


def as_json(item: Item, answers: Answers) -> str:
    """One line: the first output, and under `more` what further outputs there are."""
    found = [{"output": name, **answer.as_json()} for name, answer in answers.items()]
    line: dict[str, object] = {"input": item.name}
    if item.fault is not None:
        line["fault"] = item.fault
    elif found:
        line |= found[0]
        if len(found) > 1:
            line["more"] = found[1:]
    return json.dumps(line, allow_nan=False)
