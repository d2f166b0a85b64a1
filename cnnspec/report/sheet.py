"""How does a report look as comma-separated values, for a spreadsheet or a script?"""

import csv
from io import StringIO

from cnnspec.report.facts import Report, Row
from cnnspec.vocab.value import show_shape

TITLES = (
    "path",
    "block",
    "kind",
    "call",
    "source",
    "layers",
    "output",
    "params",
    "frozen",
    "buffers",
    "shares",
    "macs",
    "connections",
    "receptive_field",
    "jump",
    "start",
    "activation_bytes",
)


def sheet(report: Report) -> str:
    """One line for each row, numbers plain; no totals, which a sheet sums itself.

    With the arithmetic asked for, a last column holds it.
    """
    explained = any(r.arithmetic for r in report.rows)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*TITLES, *(["arithmetic"] if explained else [])])
    for row in report.rows:
        sums = "; ".join(f"{line.label} {line.text}" for line in row.arithmetic)
        writer.writerow([*_cells(row), *([sums] if explained else [])])
    return out.getvalue()


def _cells(row: Row) -> list[str | int]:
    return [
        row.path,
        row.block,
        row.kind,
        row.call,
        row.source,
        row.layers,
        show_shape(row.shape),
        row.params,
        row.frozen,
        row.buffers,
        row.shares or "",
        row.macs,
        row.connections,
        _axes(row.receptive_field),
        _axes(row.jump),
        _axes(row.start),
        row.activation_bytes,
    ]


def _axes(values: tuple[float, ...] | None) -> str:
    """`7x7`; fractions and signs as they are: `0.5x0.5`, `-3x-3`."""
    return "x".join(f"{v:g}" if v % 1 else str(int(v)) for v in values or ())
