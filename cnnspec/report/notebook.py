"""How does a report look in a notebook? HTML without scripts, everything from a spec escaped."""

from collections.abc import Sequence
from html import escape

from cnnspec.report.calls import arguments
from cnnspec.report.facts import Report, Row
from cnnspec.report.fold import fold
from cnnspec.report.layout import COLUMNS, Column
from cnnspec.report.summary import heading, notes, summary

MOST_ROWS = 1000
"""A notebook stores what it shows; beyond this blocks are folded, then the middle is left out."""

STYLE = """<style>
.cnnspec-report table { border-collapse: collapse; margin: .5em 0 }
.cnnspec-report th, .cnnspec-report td { text-align: left; white-space: pre; padding: .1em .7em }
.cnnspec-report .n { text-align: right; font-variant-numeric: tabular-nums }
.cnnspec-report .soft { opacity: .7 }
.cnnspec-report .sum { opacity: .7; padding-left: 2.5em }
.cnnspec-report .said { white-space: normal }
.cnnspec-report .rows { max-height: 32em; overflow: auto }
</style>"""


def html(report: Report) -> str:
    """A heading, the table in a box that scrolls, and the totals."""
    shown, said = _few(report)
    columns = [c for c in COLUMNS if c.rank < 5 and (c.rank == 0 or any(c.cell(r) for r in shown))]
    body = "".join(_row(r, columns) for r in shown)
    titles = _cell("th", "layer") + _cell("th", "what")
    titles += "".join(_cell("th", c.title, "n") for c in columns)
    return (
        f'{STYLE}<div class="cnnspec-report">'
        f"<p><b>{escape(report.network)}</b> · {escape(heading(report))}</p>"
        f'<div class="rows"><table><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody><tfoot>{_total(report, columns)}</tfoot></table></div>"
        f"{_foot(report, said)}</div>"
    )


def _few(report: Report) -> tuple[Sequence[Row], list[str]]:
    """Rows that a page can bear, and what was done to get there."""
    rows = report.rows
    if len(rows) <= MOST_ROWS:
        return rows, []
    rows = fold(report, 0).rows
    if len(rows) <= MOST_ROWS:
        return rows, [f"blocks are folded: {len(report.rows):,} rows are too many for a page"]
    half = MOST_ROWS // 2
    left_out = len(rows) - 2 * half
    return [*rows[:half], *rows[-half:]], [f"{left_out:,} rows in the middle are not shown"]


def _row(row: Row, columns: Sequence[Column]) -> str:
    cells = _cell("td", row.path) + _cell("td", " ".join(arguments(row.call)), "soft")
    cells += "".join(_cell("td", c.cell(row), "n") for c in columns)
    sums = "".join(
        f'<tr><td colspan="{len(columns) + 2}" class="sum">'
        f"{escape(f'{line.label:<11} {line.text}')}</td></tr>"
        for line in row.arithmetic
    )
    return f"<tr>{cells}</tr>{sums}"


def _total(report: Report, columns: Sequence[Column]) -> str:
    cells = _cell("th", "total") + _cell("th", f"{report.totals.layers:,} layers")
    cells += "".join(_cell("th", c.total(report.totals), "n") for c in columns)
    return f"<tr>{cells}</tr>"


def _foot(report: Report, said: Sequence[str]) -> str:
    lines = "".join(
        f"<tr>{_cell('td', label, 'soft')}{_cell('td', text, 'said')}</tr>"
        for label, text in summary(report)
    )
    last = "<br>".join(escape(note) for note in [*said, *notes(report)])
    return f'<table><tbody>{lines}</tbody></table><p class="soft">{last}</p>'


def _cell(tag: str, text: str, style: str = "") -> str:
    styled = f' class="{style}"' if style else ""
    return f"<{tag}{styled}>{escape(text)}</{tag}>"
