"""What does a report look like from further away: blocks below some depth in one row each?"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from cnnspec.report.facts import Report, Row


def fold(report: Report, depth: int) -> Report:
    """The same report with every block that lies inside `depth` others as one row.

    With 0 each block of the network's body is a row; layers outside blocks stay as they are.
    The totals do not change.
    """
    return report.model_copy(update={"rows": tuple(_folded(report.rows, depth))})


def _folded(rows: Sequence[Row], depth: int) -> Iterator[Row]:
    def block(row: Row) -> str | None:
        """The block whose row takes this one in; none where it keeps its own."""
        parts = row.block.split(".") if row.block else []
        return ".".join(parts[: depth + 1]) if len(parts) > depth else None

    for path, members in groupby(rows, block):
        if path is None:
            yield from members
        else:
            yield together(path, list(members))


def together(path: str, members: Sequence[Row]) -> Row:
    """A block's layers as one row."""
    last = members[-1]
    layers = sum(m.layers for m in members)
    shares = _shared(members)
    words = ["1 layer" if layers == 1 else f"{layers:,} layers"]
    words += [f"weights={shares}"] if shares else []
    return Row(
        path=path,
        block=path.rpartition(".")[0],
        kind="block",
        call=" ".join(words),
        layers=layers,
        source=members[0].source,
        shape=last.shape,
        params=sum(m.params for m in members),
        frozen=sum(m.frozen for m in members),
        buffers=sum(m.buffers for m in members),
        shares=shares,
        macs=sum(m.macs for m in members),
        connections=sum(m.connections for m in members),
        receptive_field=last.receptive_field,
        jump=last.jump,
        start=last.start,
        activation_bytes=sum(m.activation_bytes for m in members),
        arithmetic=(),
    )


def _shared(members: Sequence[Row]) -> str | None:
    """The block that all of them share their weights with, where there is one."""
    owners = {m.shares.rpartition(".")[0] for m in members if m.shares}
    return owners.pop() if len(owners) == 1 and not any(m.params for m in members) else None
