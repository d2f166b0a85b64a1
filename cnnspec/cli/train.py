"""`cnnspec train`: a network learns, and a folder is left with all that came of it."""

import os
import shlex
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnspec.cli.models import Failed
from cnnspec.cli.options import Spec, device_option, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of, tell
from cnnspec.text.diagnostic import Sink, SpecError
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.model.graph import Graph
    from cnnspec.run.events import EpochDone, Finished
    from cnnspec.run.loop import Training
    from cnnspec.run.session import Device

DEVICE_NAMES = {"cpu": "the CPU", "cuda": "the GPU, with CUDA"}

STOPPED = 130


@click.command()
@click.argument("file", type=Spec(), required=False)
@set_option
@click.option("--out", metavar="DIR", help="The folder of the run; by default runs/NAME-N.")
@click.option("--resume", metavar="DIR", help="Go on with the run in a folder.")
@click.option("--data", metavar="WORD…", help="Other data than the spec's, written as there.")
@click.option("--data-dir", metavar="DIR", help="Where the files of data sets are.")
@click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be read.")
@click.option("--epochs", type=click.IntRange(1), help="How often all examples are seen.")
@click.option("--seed", type=click.IntRange(0), help="Where all random numbers begin.")
@click.option("--init", metavar="PATH", help="Begin with the weights of a file, or of a run.")
@click.option("--freeze", metavar="PATTERN", multiple=True, help="Layers that are not trained.")
@device_option
@click.option("--threads", type=click.IntRange(1), help="How many threads compute.")
@click.option(
    "--blocked",
    is_flag=True,
    help="Convolve with operators of ONNX Runtime's own: faster on a CPU, rounded otherwise.",
)
@click.option("--loaders", type=click.IntRange(0), default=1, help="How many prepare batches.")
@click.option(
    "--save-every",
    metavar="SECONDS",
    type=click.FloatRange(0),
    default=30,
    help="How often a checkpoint is written; 0 for each batch.",
)
@click.option("--no-report", is_flag=True, help="Write no report.html into the folder.")
def command(
    file: str | None,
    overrides: Overrides,
    out: str | None,
    resume: str | None,
    data: str | None,
    data_dir: str | None,
    skip_bad: bool,
    epochs: int | None,
    seed: int | None,
    init: str | None,
    freeze: tuple[str, ...],
    device: "Device",
    threads: int | None,
    blocked: bool,
    loaders: int,
    save_every: float,
    no_report: bool,
) -> int:
    """Train a network as its `train` part says.

    Each epoch is told with what validation says of it. The folder keeps the spec, the checkpoint to
    go on from, the best weights, the metrics, the step as an ONNX graph, and in the end the model;
    report.html shows, while it trains already, how it goes and what the network sees.
    Ctrl-C finishes the step and saves; --resume goes on from there, to the same weights that the
    run would have had. It needs no FILE: the folder has the spec.

    \b
    Example:
      cnnspec train lenet5 --epochs 1 --out lenet
    """
    if file is None and resume is None:
        raise click.UsageError("Missing argument 'FILE'.")
    if resume is not None and (out is not None or init is not None):
        raise click.UsageError("--resume goes on in its folder with its weights: no --out, --init.")
    from cnnspec.cli.fetching import Fetching
    from cnnspec.run.folder import SPEC
    from cnnspec.run.start import Wishes, start

    is_same = file is None and not (overrides or data or seed is not None or freeze)
    spec = str(Path(resume or "") / SPEC) if file is None else file
    wishes = Wishes(
        # What is named here begins here, what the spec names where the spec is.
        base=Path() if data is not None or spec == "-" else Path(os.path.dirname(spec)),
        file=file or "",
        data_dir=Path(data_dir) if data_dir else None,
        init=Path(init) if init else None,
        epochs=epochs,
        device=device,
        threads=threads,
        blocked=blocked,
        loaders=loaders,
        skip_bad=skip_bad,
        saved_every=save_every,
        note=lambda text: click.echo(safe(text), err=True),
        progress=Fetching(),
    )
    try:
        graph = None if is_same else _graph(spec, overrides, data, epochs, seed, freeze)
        training = start(graph, out, resume, wishes)
        if device == "auto":
            click.echo(f"computed on {DEVICE_NAMES[training.stepper.device]}", err=True)
        if not no_report:
            from cnnspec.pages.watching import watch

            watch(training, wishes.note)
        return _watched(training)
    except SpecError as fault:
        tell(fault.diagnostics)
        return 1
    except ValueError as fault:
        raise Failed(str(fault)) from None


def _graph(
    file: str,
    overrides: Overrides,
    data: str | None,
    epochs: int | None,
    seed: int | None,
    freeze: tuple[str, ...],
) -> "Graph":
    """The network with its recipe, with what the options say in place of what the spec says."""
    from cnnspec.model.setting import with_settings, words

    # What does not fit is said of what is trained, with the options.
    graph = need_graph(source_of(file), overrides, "auto", but=("unfit-setting",))
    sink = Sink()
    said = words(epochs=epochs, seed=seed, freeze=freeze)
    graph.recipe = with_settings(graph, sink, data=data, words=said, is_training=True)
    tell(sink.ordered())
    if graph.recipe is None:
        raise click.exceptions.Exit(1)
    return graph


# ── what is shown ──────────────────────────────────────────────────────────────────────────────


def _watched(training: "Training") -> int:
    from cnnspec.cli.bar import Bar, epoch_line
    from cnnspec.run.events import EpochDone, Finished, Stepped

    bar, folder = Bar(), training.folder.path
    try:
        with _stopping(training):
            for event in training:
                match event:
                    case Stepped():
                        bar.show(event)
                    case EpochDone():
                        bar.hide()
                        _tell_epoch(epoch_line(event), event, folder)
                    case Finished():
                        bar.hide()
                        return _said(event, folder)
    finally:
        bar.hide()
    return 0


def _tell_epoch(line: str, event: "EpochDone", folder: Path) -> None:
    try:
        click.echo(line)
    except BrokenPipeError:
        # The checkpoint of this epoch is written: only who reads has gone, as `head` does.
        click.echo(_stopped(event.epoch, folder, ", as nobody reads on"), err=True)
        raise


def _stopped(epochs: int, folder: Path, why: str = "") -> str:
    from cnnspec.layers.base import count

    again = f"cnnspec train --resume {shlex.quote(str(folder))}"
    return f"stopped after {count(epochs, 'epoch')}{why}; `{again}` goes on"


def _said(event: "Finished", folder: Path) -> int:
    from cnnspec.cli.bar import number
    from cnnspec.layers.base import count

    if not event.is_done:
        click.echo(_stopped(event.epochs, folder), err=True)
        return STOPPED
    test = " ".join(f"{name} {number(name, x)}" for name, x in event.test.items())
    ended = f" ({event.why})" if event.why else ""
    click.echo(
        f"{folder}: {count(event.epochs, 'epoch')}{ended} in {event.seconds:.1f} s"
        + (f" · test {test}" if test else "")
    )
    return 0


@contextmanager
def _stopping(training: "Training") -> Generator[None]:
    """Ctrl-C, or a polite request of the system, ends the run behind its step; a second Ctrl-C
    ends it at once."""

    def stop(*_: object) -> None:
        if training.is_asked_to_stop:
            raise KeyboardInterrupt
        training.is_asked_to_stop = True
        click.echo("\nfinishing the step; once more stops at once", err=True)

    before = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
