"""`cnnspec compare`: what came of several training runs, and in what do they differ?"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnspec.cli.models import Failed
from cnnspec.cli.options import colour_option, columns, is_coloured
from cnnspec.text.excerpt import columns as taken
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.pages.comparing import Comparison, Row

GAP = "  "


@click.command()
@click.argument("folders", metavar="RUN...", nargs=-1, required=True)
@click.option("-o", "page", metavar="PATH", help="Write a page with curves; - for stdout.")
@click.option("--json", "is_json", is_flag=True, help="Show everything as JSON.")
@colour_option
def command(folders: tuple[str, ...], page: str | None, is_json: bool, colour: str) -> int:
    """Put training runs side by side.

    Shows what came of them, and the settings that differ. RUN is the folder of a run, whatever is
    still in it; the networks and the data may be others in each. Measures are those of the best
    epoch. The page of -o has the curves of all in one chart.

    \b
    Example:
      cnnspec compare runs/LeNet5-1 runs/LeNet5-2 -o compared.html
    """
    if is_json and page is not None:
        raise click.UsageError("-o writes a page; --json is another form.")
    from cnnspec.pages.comparing import as_json, compared
    from cnnspec.run.folder import NoRun
    from cnnspec.run.history import read_history

    try:
        found = compared([read_history(Path(folder)) for folder in folders])
    except NoRun as fault:
        raise Failed(str(fault)) from None
    if page is not None:
        _write(page, found)
    elif is_json:
        click.echo(json.dumps(as_json(found), indent=1, allow_nan=False, ensure_ascii=False))
    else:
        room = columns(80) if sys.stdout.isatty() else None
        for line in _shown(found, room, is_coloured(colour)):
            click.echo(line, color=True)
    return 0


def _write(path: str, found: "Comparison") -> None:
    from cnnspec.pages.compare import compare_page
    from cnnspec.writing import replacing

    text = compare_page(found).encode()
    if path == "-":
        click.echo(text, nl=False)
        return
    with replacing(path) as file:
        file.write(text)
    click.echo(f"wrote {path}", err=True)


# ── the table ───────────────────────────────────────────────────────────────────────────────────


def _shown(found: "Comparison", room: int | None, coloured: bool) -> Iterator[str]:
    """As many runs beside each other as there is room for; the others below."""
    rows = [*found.results, *found.differing]
    names = [safe(run.name) for run in found.runs]
    first = max(taken(safe(row.label)) for row in rows)
    widths = [
        max(taken(name), *(taken(safe(row.values[k])) for row in rows))
        for k, name in enumerate(names)
    ]
    for n, group in enumerate(_groups(widths, None if room is None else room - first)):
        if n:
            yield ""
        head = _line("", first, [names[k] for k in group], [widths[k] for k in group])
        yield click.style(head, bold=True) if coloured else head
        yield from _rows(found.results, group, first, widths, coloured)
        if found.differing:
            yield ""
            yield "settings that differ"
            yield from _rows(found.differing, group, first, widths, coloured)
    if len(names) > 1:
        yield ""
        yield f"{found.alike} settings are the same in all"
    for note in found.notes:
        yield safe(note)


def _groups(widths: Sequence[int], room: int | None) -> Iterator[list[int]]:
    group: list[int] = []
    for k, wide in enumerate(widths):
        used = sum(widths[i] + len(GAP) for i in group)
        if group and room is not None and used + wide + len(GAP) > room:
            yield group
            group = []
        group.append(k)
    yield group


def _rows(
    rows: "Sequence[Row]", group: Sequence[int], first: int, widths: Sequence[int], coloured: bool
) -> Iterator[str]:
    for row in rows:
        cells = [safe(row.values[k]) for k in group]
        best = [coloured and k in row.best for k in group]
        yield _line(safe(row.label), first, cells, [widths[k] for k in group], best)


def _line(
    label: str,
    first: int,
    cells: Sequence[str],
    widths: Sequence[int],
    best: Sequence[bool] = (),
) -> str:
    found = [label + " " * (first - taken(label))]
    for k, (cell, wide) in enumerate(zip(cells, widths, strict=True)):
        padding = " " * (wide - taken(cell))
        is_best = k < len(best) and best[k]
        found.append((click.style(cell, bold=True) if is_best else cell) + padding)
    return GAP.join(found).rstrip()
