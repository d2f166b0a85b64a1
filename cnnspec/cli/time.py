"""`cnnspec time`: how long does a model take?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.models import Failed, Given, given, model_argument, sizes
from cnnspec.cli.options import columns, cut, set_option
from cnnspec.cli.specs_of import Overrides

if TYPE_CHECKING:
    from cnnspec.run.session import Device, Port, Session
    from cnnspec.run.timing import Latency, LayerTime
    from cnnspec.run.wanted import Wanted

BATCHES = (1, 8, 64)

FORMATS = ("table", "json")


class Size(click.ParamType[tuple[int, ...]] if TYPE_CHECKING else click.ParamType):
    """`3x224x224`."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        parts = str(value).split("x")
        if not all(part.isdigit() and int(part) > 0 for part in parts):
            self.fail("a size reads 3x224x224, without the batch.", param, ctx)
        return tuple(int(part) for part in parts)


@click.command()
@model_argument("model")
@set_option
@click.option("--weights", metavar="PATH", help="A safetensors, npz or ONNX file of weights.")
@click.option(
    "--batch",
    "batches",
    type=click.IntRange(1),
    multiple=True,
    help="How many images at a time; several times for several. By default 1, 8 and 64.",
)
@click.option("--size", type=Size(), help="Of the input, where the model leaves it open.")
@click.option(
    "--seconds",
    type=click.FloatRange(0.01, 3600),
    default=1.0,
    show_default=True,
    help="How long each is measured.",
)
@click.option("--layers/--no-layers", default=True, help="Show each layer's share, or not.")
@click.option("--top", type=click.IntRange(1), help="Show only so many layers, the slowest.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", help="Where it runs."
)
@click.option("--threads", type=click.IntRange(1), help="How many threads compute.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    help="How to show it.",
)
def command(
    model: str,
    overrides: Overrides,
    weights: str | None,
    batches: tuple[int, ...],
    size: tuple[int, ...] | None,
    seconds: float,
    layers: bool,
    top: int | None,
    device: "Device",
    threads: int | None,
    form: str,
) -> int:
    """Measure how long a model takes, as a whole and by layer.

    The median of many runs, with the tenth that was faster and the tenth that was slower; images a
    second; and what was computed in that time, 2 FLOPs for each multiply-accumulate. Layers come
    from the runtime's own profile, led back to the spec; what it fused into one stands in the row
    of the last.

    \b
    Example:
      cnnspec time lenet5 --batch 1 --seconds 0.1
    """
    found = given(model, overrides, weights)
    try:
        measured = _Measured(found, size, device, threads, seconds)
        wholes = [measured.latency(n) for n in _batches(measured.session, batches)]
        rows = measured.layers(wholes[-1].batch) if layers else []
    except ValueError as fault:
        raise Failed(f"{model}: {fault}") from None
    if form == "json":
        click.echo(_json(measured, wholes, rows))
    else:
        for line in _table(measured, wholes, _slowest(rows, top)):
            click.echo(cut(line, columns(100)))
    return 0


class _Measured:
    """A model with what is known of its work."""

    def __init__(
        self,
        found: Given,
        size: tuple[int, ...] | None,
        device: "Device",
        threads: int | None,
        seconds: float,
    ) -> None:
        from cnnspec.run.session import open_session
        from cnnspec.run.wanted import wanted

        self.found, self.threads, self.seconds = found, threads, seconds
        self.device: Device = device
        self.session = open_session(found.content, device, threads=threads)
        wants, _ = wanted(self.session)
        self.wants = wants
        self.sizes = {
            w.name: _fitting(port, size) if size is not None else _known(w)
            for w, port in zip(wants, self.session.inputs, strict=True)
        }

    @property
    def macs(self) -> dict[str, int] | None:
        """For one image, by layer."""
        if self.found.network is None or self._is_resized:
            return None
        return {row.path: row.macs for row in self.found.network.report().rows}

    @property
    def _is_resized(self) -> bool:
        """Is it measured on maps of another size than its spec's?"""
        assert self.found.network is not None
        own = {node.path: node.shape for node in self.found.network.layers if not node.inputs}
        raw = {w.name: w.layout for w in self.wants}
        return any(
            sorted(own.get(name) or ()) != sorted(size)
            if raw[name] == "hwc"
            else own.get(name) != size
            for name, size in self.sizes.items()
        )

    @property
    def paths(self) -> list[str]:
        """The layers in their order; of a model that says nothing of them, its nodes."""
        if self.found.network is not None:
            return [node.path for node in self.found.network.layers]
        from cnnspec.run.files import read_onnx

        assert isinstance(self.found.content, str), "what we compile has a network"
        nodes = read_onnx(self.found.content).graph.node
        return list(dict.fromkeys(name for n in nodes for name in (n.name, *n.output) if name))

    def feeds(self, batch: int) -> dict[str, Any]:
        from cnnspec.run.timing import drawn

        return drawn(self.session.inputs, self.sizes, batch)

    def latency(self, batch: int) -> "Latency":
        from cnnspec.run.timing import latency

        return latency(self.session, self.feeds(batch), batch, self.seconds)

    def layers(self, batch: int) -> "list[LayerTime]":
        from cnnspec.run.timing import by_layer

        macs = self.macs
        of_batch = None if macs is None else {path: n * batch for path, n in macs.items()}
        return by_layer(
            self.found.content,
            self.feeds(batch),
            self.paths,
            of_batch,
            device=self.device,
            threads=self.threads,
        )


def _fitting(port: "Port", size: tuple[int, ...]) -> tuple[int, ...]:
    """The size that was asked for, where the model takes it."""
    own = port.shape[1:]
    if len(own) != len(size) or any(
        isinstance(n, int) and n != m for n, m in zip(own, size, strict=True)
    ):
        raise ValueError(f"the input `{port.name}` takes {sizes(own)}, not {sizes(size)}")
    return size


def _known(w: "Wanted") -> tuple[int, ...]:
    if any(n is None for n in w.shape):
        raise ValueError(f"the size of the input `{w.name}` is open; say it with --size 3x224x224")
    return tuple(n for n in w.shape if n is not None)


def _batches(session: "Session", asked: tuple[int, ...]) -> Sequence[int]:
    fixed = next((p.shape[0] for p in session.inputs if isinstance(p.shape[0], int)), None)
    if fixed is None:
        return asked or BATCHES
    if any(n != fixed for n in asked):
        raise ValueError(f"it was compiled for a batch of {fixed}")
    return (fixed,)


def _slowest(rows: "list[LayerTime]", top: int | None) -> "list[LayerTime]":
    if top is None or top >= len(rows):
        return rows
    return sorted(rows, key=lambda row: -row.seconds)[:top]


# ── what is shown ──────────────────────────────────────────────────────────────────────────────


def _table(measured: _Measured, wholes: "list[Latency]", rows: "list[LayerTime]") -> list[str]:
    macs = measured.macs
    work = None if macs is None else sum(macs.values())
    head = ["batch", "median", "10 % – 90 %", "images/s", "GFLOP/s"]
    body = [
        [
            str(t.batch),
            f"{t.median * 1e3:.3f} ms",
            f"{t.low * 1e3:.3f} – {t.high * 1e3:.3f} ms",
            f"{t.images_per_second:,.0f}",
            _gflops(None if work is None else 2 * work * t.batch / t.median),
        ]
        for t in wholes
    ]
    lines = [*_aligned([head, *body], 0), "", _conditions(measured)]
    if not rows:
        return lines
    table = [
        ["layer", "operators", "time", "share", "GFLOP/s"],
        *(
            [
                row.layer,
                " ".join(row.ops),
                f"{row.seconds * 1e3:.3f} ms",
                f"{row.share:.1%}",
                _gflops(row.flops_per_second),
            ]
            for row in rows
        ),
    ]
    return [*lines, "", f"by layer, batch {wholes[-1].batch}", "", *_aligned(table, 2)]


def _aligned(rows: list[list[str]], left: int) -> list[str]:
    """Columns of their own width; the first `left` begin at the left, numbers end at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if k < left else f"{cell:>{width}}"
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _gflops(flops: float | None) -> str:
    return "" if flops is None else f"{flops / 1e9:,.1f}"


def _conditions(measured: _Measured) -> str:
    from cnnspec.run.session import runtime

    threads = "all threads" if measured.threads is None else f"{measured.threads} threads"
    weights = ", weights drawn" if measured.found.is_drawn else ""
    return f"on {measured.session.device}, {threads}, {runtime()}{weights}"


def _json(measured: _Measured, wholes: "list[Latency]", rows: "list[LayerTime]") -> str:
    import json

    from cnnspec.run.session import runtime

    macs = measured.macs
    return json.dumps(
        {
            "model": measured.found.name,
            "device": measured.session.device,
            "runtime": runtime(),
            "macs": None if macs is None else sum(macs.values()),
            "latency": [
                {
                    "batch": t.batch,
                    "median": t.median,
                    "low": t.low,
                    "high": t.high,
                    "runs": t.runs,
                    "images_per_second": t.images_per_second,
                }
                for t in wholes
            ],
            "layers": [
                {
                    "layer": row.layer,
                    "operators": row.ops,
                    "seconds": row.seconds,
                    "share": row.share,
                    "macs": row.macs,
                }
                for row in rows
            ],
        },
        indent=1,
        ensure_ascii=False,
    )
