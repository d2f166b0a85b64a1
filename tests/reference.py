"""What do the tables of the reference say? They are made from the code, between markers."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from click.testing import CliRunner

from cnnspec.cli import COMMANDS, commands
from cnnspec.layers import FAMILIES
from cnnspec.model.elaborate import DEEPEST as BODIES
from cnnspec.model.elaborate import MOST_LAYERS, MOST_STATEMENTS
from cnnspec.model.evaluate import FUNCTIONS, LONGEST
from cnnspec.model.evaluate import LARGEST as NUMBER
from cnnspec.model.expects import METRICS
from cnnspec.model.scope import SIZES
from cnnspec.model.uses import LARGEST_TENSOR
from cnnspec.settings.words import SETTINGS
from cnnspec.syntax.bounds import LARGEST_FILE, LONGEST_LINE
from cnnspec.syntax.brackets import DEEPEST as BRACKETS
from cnnspec.syntax.numbers import UNITS
from cnnspec.vocab.bind import signature
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Param
from cnnspec.vocab.value import Word, show

MARKED = re.compile(r"(<!-- generated: ([\w ]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def regenerate(page: str) -> str:
    """The page with every marked part as the code has it now."""
    return MARKED.sub(lambda m: f"{m[1]}\n{GENERATED[m[2]]()}\n{m[4]}", page)


def layers() -> str:
    return "\n".join(
        f"### {family[0].upper()}{family[1:]}\n\n{_kinds(kinds)}"
        for family, kinds in FAMILIES.items()
    )


def settings() -> str:
    plain = [s for s in SETTINGS.values() if s.plain is not None]
    parts = [
        "\n".join(
            [
                f"### `{s.name}`\n",
                f"{s.doc}{_remark(s.is_repeatable, s.is_chain)}\n",
                _kinds(list(s.words.values()), f"{s.name} "),
            ]
        )
        for s in SETTINGS.values()
        if s.plain is None
    ]
    kinds = [s.plain for s in plain if s.plain is not None]
    again = " and ".join(f"`{s.name}`" for s in plain if s.is_repeatable)
    return "\n".join(
        [*parts, f"### The others\n\n{again} may stand on several lines.\n\n{_kinds(kinds)}"]
    )


def _remark(is_repeatable: bool, is_chain: bool) -> str:
    if is_chain:
        return " `->` joins several."
    return " May stand on several lines." if is_repeatable else ""


def _kinds(kinds: Sequence[type[Kind]], before: str = "") -> str:
    """One row for each kind and for each of its parameters. What all take comes first; so does what
    three or more words of a setting share, named again with those that take it."""
    shared = _shared(kinds, 3 if before else max(3, len(kinds)))
    rows = list(shared)
    if rows:
        rows.insert(
            0, (f"**`{before}…`**", "", "", "taken by all of these, or by those that say so")
        )
    for kind in kinds:
        own = [_parameter(name, param) for name, param in kind.params.items()]
        named = ", ".join(row[0] for row in own if row in shared and shared[row] < len(kinds))
        also = f" Also {named}." if named else ""
        rows.append((f"**`{before}{signature(kind)}`**", "", "", kind.summary() + also))
        rows += [row for row in own if row not in shared]
    return _table(("", "takes", "by default", ""), rows)


def _shared(kinds: Sequence[type[Kind]], least: int) -> Mapping[tuple[str, ...], int]:
    """Rows that so many kinds have, the most frequent one of each name, and how many have it."""
    count = Counter(_parameter(n, p) for kind in kinds for n, p in kind.params.items())
    best: dict[str, tuple[str, ...]] = {}
    for row, n in count.most_common():
        if n >= least:
            best.setdefault(row[0], row)
    return {row: n for row, n in count.items() if row in best.values()}


def _parameter(name: str, param: Param) -> tuple[str, ...]:
    return (f"`{name}`", param.type.describe(), _default(param), param.doc)


def _default(param: Param) -> str:
    if param.is_required:
        return "needed"
    value = param.default
    if isinstance(value, str) and value in param.type.words:
        return Word(value)
    return "" if value is None else show(value)


def functions() -> str:
    return _table(("function", "gives"), [(f"`{f.call}`", f.doc) for f in FUNCTIONS.values()])


def metrics() -> str:
    return _table(("metric", "counts"), [(f"`{name}`", m.doc) for name, m in METRICS.items()])


def sizes() -> str:
    return ", ".join(f"`in.{name}`" for name in SIZES) + "\n"


def units() -> str:
    return _table(
        ("unit", "times", "as in"), [(f"`{u}`", f"{n:,}", f"`2{u}`") for u, n in UNITS.items()]
    )


def bounds() -> str:
    """What is refused at once, so that no text makes the program run away."""
    rows = [
        ("characters in a file", LARGEST_FILE),
        ("characters in a line", LONGEST_LINE),
        ("brackets in each other", BRACKETS),
        ("blocks, loops and branches in each other", BODIES),
        ("size of a number", NUMBER),
        ("items of a list", LONGEST),
        ("layers of a network", MOST_LAYERS),
        ("statements that are run", MOST_STATEMENTS),
        ("numbers in a value or weight", LARGEST_TENSOR),
    ]
    return _table(("bound", "at most"), [(what, f"{most:,}") for what, most in rows])


def help_of(words: list[str]) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(
        commands, [*words, "--help"], prog_name="cnnspec", terminal_width=80
    )
    assert result.exit_code == 0, result.output
    return f"```\n$ cnnspec {' '.join([*words, '--help'])}\n{result.output}```\n"


def help_of_all() -> str:
    parts = [f"## `cnnspec {name}`\n\n{help_of([name])}" for name in COMMANDS]
    return "\n".join([help_of([]), *parts])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    cells = [[cell.replace("|", r"\|") for cell in row] for row in lines]
    return "".join("|" + "|".join(f" {c} " if c else " " for c in row) + "|\n" for row in cells)


GENERATED: Mapping[str, Callable[[], str]] = {
    "layers": layers,
    "settings": settings,
    "functions": functions,
    "metrics": metrics,
    "sizes": sizes,
    "units": units,
    "bounds": bounds,
    "commands": help_of_all,
}
