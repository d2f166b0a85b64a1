"""What stands below the table: the totals, in words that keep their numbers?"""

from collections.abc import Sequence

from cnnspec.report.facts import Report, Share
from cnnspec.report.units import of_bytes, percent, sizes
from cnnspec.vocab.value import show_shape

WORTH_SAYING = 0.0005
"""A share that would read 0.0% is none."""


def heading(report: Report) -> str:
    """`input 1x28x28 · classes=10 · specs/lenet5.cnn`: what follows the network's name."""
    inputs = [f"{_input(e.name)} {show_shape(e.shape)}" for e in report.inputs]
    settings = [f"{name}={value}" for name, value in report.settings.items()]
    return _joined(", ".join(inputs), " ".join(settings), report.file)


def summary(report: Report) -> list[tuple[str, str]]:
    """What each line is about, and what it says."""
    t = report.totals
    buffers = f"{t.buffers:,} running statistics and fixed numbers" if t.buffers else ""
    lines = [
        ("parameters", _parameters(report)),
        ("buffers", buffers),
        ("macs", _macs(report)),
        ("connections", f"{t.connections:,}"),
        ("receptive field", _receptive_field(report)),
        ("depth", f"{t.depth} layers with weights on the longest path, {t.layers:,} layers in all"),
        ("memory to run", _run(report)),
        ("memory to train", _train(report)),
    ]
    if len(report.outputs) > 1:
        ends = ", ".join(f"{e.name} {show_shape(e.shape)}" for e in report.outputs)
        lines.append(("outputs", ends))
    return [(label, text) for label, text in lines if text]


def notes(report: Report) -> list[str]:
    """The conventions that these numbers need."""
    said = report.conventions
    shared = any(r.shares for r in report.rows)
    return [said.macs, *([said.sharing] if shared else [])]


def _input(name: str) -> str:
    return name if name.startswith("input") else f"input {name}"


def _parameters(report: Report) -> str:
    t = report.totals
    trained = "all trained" if not t.frozen else f"{t.trained:,} trained, {t.frozen:,} frozen"
    parts = [f"{t.params:,}", trained if t.params else "", of_bytes(t.weight_bytes)]
    return _joined(*parts, _by_kind([(s.params_share, s) for s in report.shares]))


def _macs(report: Report) -> str:
    t = report.totals
    kinds = _by_kind([(s.macs_share, s) for s in report.shares])
    return _joined(f"{t.macs:,}", f"{t.flops:,} FLOPs", kinds)


def _joined(*parts: str) -> str:
    return " · ".join(p for p in parts if p)


def _by_kind(shares: Sequence[tuple[float, Share]]) -> str:
    """`fc 95.8%, conv 4.2%`, the largest first."""
    worth = sorted(((x, s.kind) for x, s in shares if x >= WORTH_SAYING), reverse=True)
    if len(worth) == 1:
        return f"all in {worth[0][1]}"
    return ", ".join(f"{kind} {percent(share)}" for share, kind in worth)


def _receptive_field(report: Report) -> str:
    field = report.totals.receptive_field
    if not field:
        return ""
    last = next((r for r in report.rows if r.receptive_field == field), None)
    jump = f"jump {sizes(last.jump)}" if last and last.jump else ""
    ends = any(r.receptive_field is None for r in report.rows)
    what = "pixel" if set(field) == {1} else "pixels"
    return _joined(
        f"{sizes(field)} {what}", jump, "before a layer sees the whole map" if ends else ""
    )


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n:,} images"


def _run(report: Report) -> str:
    m = report.totals.inference
    return (
        f"about {of_bytes(m.total)} for {_images(report.batch)}: {of_bytes(m.weights)} weights "
        f"+ {of_bytes(m.values)} values, most at {m.peak}"
    )


def _train(report: Report) -> str:
    m = report.totals.training
    state = f" + {of_bytes(m.state)} for {m.optimizer}" if m.state else ""
    return (
        f"about {of_bytes(m.total)} for {_images(report.batch)}: {of_bytes(m.weights)} weights "
        f"+ {of_bytes(m.gradients)} gradients{state} + {of_bytes(m.values)} values "
        f"+ {of_bytes(m.value_gradients)} their gradients and copies + {of_bytes(m.spare)} spare"
    )
