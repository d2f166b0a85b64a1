"""`cnnspec time`: how long does a model take?"""

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.models import Given, failed, given, model_argument, sizes
from cnnspec.cli.options import columns, cut, device_option, format_option, set_option
from cnnspec.cli.specs_of import Overrides
from cnnspec.layers.base import count

if TYPE_CHECKING:
    from cnnspec.run.session import Device, Port
    from cnnspec.run.timing import Latency, LayerTime, Work
    from cnnspec.run.wanted import Wanted

BATCHES = (1, 8, 64)

PATIENCE = 20.0
"""Seconds that a batch nobody asked for may take in all."""

MOST_ROWS = 40
"""Layers shown where nobody said how many."""

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
@device_option
@click.option("--threads", type=click.IntRange(1), help="How many threads compute.")
@format_option
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
        wholes = measured.latencies(batches)
        rows = measured.layers(wholes[-1]) if layers else []
    except ValueError as fault:
        raise failed(model, fault) from None
    if form == "json":
        click.echo(_json(measured, wholes, _shown(rows, top)))
        return 0
    # Cut to the terminal only: a pipe gets all.
    width = columns(100) if sys.stdout.isatty() else None
    for line in _table(measured, wholes, rows, top):
        click.echo(cut(line, width))
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
        self.notes: list[str] = []
        self.device: Device = device
        self.session = open_session(found.content, device, threads=threads)
        wants, _ = wanted(self.session)
        self.wants = wants
        self.sizes = {
            w.name: _fitting(port, size) if size is not None else _known(w)
            for w, port in zip(wants, self.session.inputs, strict=True)
        }

    @cached_property
    def work(self) -> "Work":
        """For one image, by layer: as the spec has it, or counted over the model's operators."""
        from cnnspec.run.timing import Work, counted, owner

        network = self.found.network
        if network is not None and not self._is_resized:
            # What was cut off does no work.
            left = {owner(node.name, self.names) for node in self._graph.node}
            return Work({r.path: r.macs for r in network.report().rows if r.path in left}, ())
        batch = self._fixed or 1
        feeds = self.feeds(batch)
        found = counted(self.found.content, self._graph, feeds, self.names, self.device)
        return Work({name: n // batch for name, n in found.macs.items()}, found.uncounted)

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

    @cached_property
    def names(self) -> dict[str, str]:
        """What operators may be called, each with its layer, in the order of the layers; in a model
        that says nothing of layers, each operator is one."""
        if self.found.network is not None:
            return {node.path: node.path for node in self.found.network.layers}
        from cnnspec.run.files import printable
        from cnnspec.run.timing import called

        found: dict[str, str] = {}
        for k, node in enumerate(self._graph.node):
            own = [called(node, k), *filter(None, node.output)]
            label = printable(node.name or (*node.output, own[0])[0])
            found |= {name: label for name in own if name not in found}
        return found

    @cached_property
    def _graph(self) -> Any:
        from cnnspec.run.files import read_onnx

        model = self.found.model
        return (model.onnx if model is not None else read_onnx(self.found.name)).graph

    @property
    def _fixed(self) -> int | None:
        """The batch that the model was compiled for, if it is one."""
        sizes = (port.shape[0] for port in self.session.inputs)
        return next((n for n in sizes if isinstance(n, int)), None)

    def feeds(self, batch: int) -> dict[str, Any]:
        from cnnspec.run.timing import drawn

        return drawn(self.session.inputs, self.sizes, batch)

    def latencies(self, asked: tuple[int, ...]) -> "list[Latency]":
        from cnnspec.run.timing import FEWEST

        fixed = self._fixed
        if fixed is not None:
            if any(n != fixed for n in asked):
                raise ValueError(f"it was compiled for a batch of {fixed}")
            if not asked:
                self.notes.append(f"it was compiled for a batch of {fixed}; it takes no other")
            return [self._latency(fixed)]
        found: list[Latency] = []
        for batch in asked or BATCHES:
            if found and not asked:
                one = found[-1].median * batch / found[-1].batch
                if one * (FEWEST + 1) > PATIENCE:
                    self.notes.append(
                        f"batch {batch} is left out: a run would take about {one:,.0f} s; "
                        f"--batch {batch} measures it"
                    )
                    continue
            found.append(self._latency(batch))
        return found

    def _latency(self, batch: int) -> "Latency":
        from cnnspec.run.timing import latency

        return latency(self.session, self.feeds(batch), batch, self.seconds)

    def layers(self, whole: "Latency") -> "list[LayerTime]":
        """As many runs as fit into the time that a batch has, but not more than are of use."""
        from cnnspec.run.timing import FEWEST, by_layer

        macs = {layer: n * whole.batch for layer, n in self.work.macs.items()}
        return by_layer(
            self.found.content,
            self.feeds(whole.batch),
            self.names,
            macs,
            device=self.device,
            threads=self.threads,
            runs=max(FEWEST, min(20, int(self.seconds / whole.median))),
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


# ── what is shown ──────────────────────────────────────────────────────────────────────────────


def _shown(rows: "list[LayerTime]", top: int | None) -> "list[LayerTime]":
    """The slowest, in the order of the network."""
    if top is None or top >= len(rows):
        return rows
    slowest = {row.layer for row in sorted(rows, key=lambda row: -row.seconds)[:top]}
    return [row for row in rows if row.layer in slowest]


def _table(
    measured: _Measured, wholes: "list[Latency]", rows: "list[LayerTime]", top: int | None
) -> list[str]:
    work = sum(measured.work.macs.values())
    head = ["batch", "median", "10 % – 90 %", "images/s", "GFLOP/s"]
    body = [
        [
            str(t.batch),
            f"{t.median * 1e3:,.3f} ms",
            f"{t.low * 1e3:,.3f} – {t.high * 1e3:,.3f} ms",
            f"{t.images_per_second:,.0f}"
            if t.images_per_second >= 10
            else f"{t.images_per_second:.2f}",
            _gflops(2 * work * t.batch / t.median),
        ]
        for t in wholes
    ]
    lines = [*_aligned([head, *body], 0), "", _conditions(measured), *_notes(measured)]
    return [*lines, *_layers(measured, wholes[-1], rows, top)] if rows else lines


def _layers(
    measured: _Measured, whole: "Latency", rows: "list[LayerTime]", top: int | None
) -> list[str]:
    shown = _shown(rows, top or (None if len(rows) <= MOST_ROWS else MOST_ROWS))
    table = [
        [
            row.layer,
            " ".join(row.ops),
            f"{row.seconds * 1e3:,.3f} ms",
            f"{row.share:.1%}",
            _gflops(row.flops_per_second),
        ]
        for row in shown
    ]
    if n := len(rows) - len(shown):
        rest = [row for row in rows if row not in shown]
        seconds, share = (sum(x) for x in zip(*((r.seconds, r.share) for r in rest), strict=True))
        others = f"({n} others, faster; --top {len(rows)} shows all)"
        table.append([others, "", f"{seconds * 1e3:,.3f} ms", f"{share:.1%}", ""])
    total = sum(row.seconds for row in rows)
    title = f"by layer, batch {whole.batch}: medians, together {total * 1e3:,.3f} ms"
    if measured.session.device == "cuda":
        title += ", of starting the work; the card does it later"
    head = ["layer", "operators", "time", "share", "GFLOP/s"]
    return ["", title, "", *_aligned([head, *table], 2)]


def _notes(measured: _Measured) -> list[str]:
    uncounted = measured.work.uncounted
    what = [f"GFLOP/s without {', '.join(uncounted)}, whose work is not counted"]
    return [*measured.notes, *(what if uncounted else [])]


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

    n = measured.threads
    threads = "as many threads as cores" if n is None else count(n, "thread")
    seed = measured.found.metadata.get("cnnspec.seed")
    weights = f", weights drawn from seed {seed}" if measured.found.is_drawn else ""
    return f"on {measured.session.device}, {threads}, {runtime()}, all optimisations{weights}"


def _json(measured: _Measured, wholes: "list[Latency]", rows: "list[LayerTime]") -> str:
    import json

    from cnnspec.run.session import runtime

    return json.dumps(
        {
            "model": measured.found.name,
            "device": measured.session.device,
            "threads": measured.threads,
            "runtime": runtime(),
            "macs": sum(measured.work.macs.values()),
            "uncounted": measured.work.uncounted,
            "notes": measured.notes,
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
