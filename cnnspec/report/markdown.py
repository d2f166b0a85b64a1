"""How does a report look in Markdown, for a README or a hand-in?"""

from collections.abc import Sequence

from cnnspec.report.calls import arguments
from cnnspec.report.facts import Report, Row
from cnnspec.report.layout import COLUMNS
from cnnspec.report.summary import heading, notes, summary

LEFT = ("layer", "what")


def markdown(report: Report) -> str:
    """A heading, the table with whole paths, the totals as a list, and the arithmetic if any."""
    columns = [
        c for c in COLUMNS if c.rank < 5 and (c.rank == 0 or any(c.cell(r) for r in report.rows))
    ]
    titles = [*LEFT, *(c.title for c in columns)]
    marks = [*("---" for _ in LEFT), *("---:" for _ in columns)]
    lines = [f"## {_escape(report.network)}", "", _escape(heading(report)), ""]
    lines += [_line(titles), _line(marks)]
    for row in report.rows:
        call = " ".join(arguments(row.call))
        lines.append(_line([_code(row.path), _code(call), *(c.cell(row) for c in columns)]))
    total = [f"**{t}**" if t else "" for t in (c.total(report.totals) for c in columns)]
    lines.append(_line(["**total**", f"{report.totals.layers:,} layers", *total]))
    lines += ["", *(f"- {label}: {_escape(text)}" for label, text in summary(report))]
    lines += ["", *(_escape(note) for note in notes(report))]
    return "\n".join([*lines, *_arithmetic(report.rows)]) + "\n"


def _arithmetic(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        if row.arithmetic:
            lines += ["", f"### {_code(row.path)}", "", "```text"]
            lines += [f"{line.label:<11} {line.text}" for line in row.arithmetic]
            lines.append("```")
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Code in a cell: a bar would end the cell, a backtick the code."""
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text.replace('|', chr(92) + '|')}{pad}{fence}"


def _escape(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in text)
