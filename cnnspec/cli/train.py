"""`cnnspec train`: a network learns, and a folder is left with all that came of it."""

import os
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.options import file_argument, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.model.graph import Graph
    from cnnspec.run.loop import EpochDone, Finished, Stepped, Training
    from cnnspec.settings.recipe import Recipe

DEVICES = ("auto", "cpu", "cuda")


@click.command()
@file_argument
@set_option
@click.option("--out", metavar="DIR", help="The folder of the run; by default runs/NAME-N.")
@click.option("--resume", metavar="DIR", help="Go on with the run in a folder.")
@click.option("--epochs", type=click.IntRange(1), help="How often all examples are seen.")
@click.option("--seed", type=click.IntRange(0), help="Where all random numbers begin.")
@click.option("--data-dir", metavar="DIR", help="Where the files of data sets are.")
@click.option("--init", metavar="PATH", help="Begin with the weights of a file, those that fit.")
@click.option("--freeze", metavar="PATTERN", multiple=True, help="Layers that are not trained.")
@click.option("--device", type=click.Choice(DEVICES), default="auto", help="Where it is computed.")
@click.option("--threads", type=click.IntRange(1), help="How many threads compute.")
def command(
    file: str,
    overrides: Overrides,
    out: str | None,
    resume: str | None,
    epochs: int | None,
    seed: int | None,
    data_dir: str | None,
    init: str | None,
    freeze: tuple[str, ...],
    device: str,
    threads: int | None,
) -> int:
    """Train a network as its `train` part says.

    Each epoch is told with what validation says of it. The folder keeps the spec, the checkpoint to
    go on from, the best weights, the metrics, the step as an ONNX graph, and in the end the model.
    Ctrl-C finishes the step and saves; --resume goes on from there, to the same weights that the
    run would have had.

    \b
    Example:
      cnnspec train lenet5 --epochs 1 --out lenet
    """
    source = source_of(file)
    graph = need_graph(source, overrides, "auto")
    recipe = _recipe(graph, epochs, seed, freeze)
    folder = Path(resume or out or _free(graph.name))
    try:
        training = _begun(graph, recipe, file, folder, data_dir, init, device, threads)
        if resume is not None:
            training.resume()
        else:
            _refuse_used(folder)
            training.write_start(source.text)
        return _watched(training, file, folder)
    except ValueError as fault:
        raise click.ClickException(safe(str(fault))) from None


def _recipe(
    graph: "Graph", epochs: int | None, seed: int | None, freeze: tuple[str, ...]
) -> "Recipe":
    from cnnspec.settings.plain import Epochs, Freeze, Seed
    from cnnspec.settings.recipe import default_recipe, with_words

    recipe = graph.recipe if graph.recipe is not None else default_recipe()
    words = [
        *([Epochs(count=epochs)] if epochs is not None else []),
        *([Seed(number=seed)] if seed is not None else []),
        *([Freeze(layers=freeze)] if freeze else []),
    ]
    recipe = with_words(recipe, words)
    if recipe.data is None:
        raise click.ClickException(
            "the spec does not say what to train on; write `train { data digits }`, or another set"
        )
    return recipe


def _begun(
    graph: "Graph",
    recipe: "Recipe",
    file: str,
    folder: Path,
    data_dir: str | None,
    init: str | None,
    device: str,
    threads: int | None,
) -> "Training":
    from cnnspec.emit.compile import wanted_weights
    from cnnspec.run.loop import Training
    from cnnspec.run.sets import open_set
    from cnnspec.run.sets.inputs import wants_of
    from cnnspec.run.weights import match, read_weights

    assert recipe.data is not None
    splits = open_set(
        recipe.data,
        wants_of(graph),
        data_dir=Path(data_dir) if data_dir else None,
        folder=Path(os.path.dirname(file)) if file != "-" else Path(),
        seed=recipe.seed,
    )
    for note in splits.notes:
        click.echo(note, err=True)
    given: Mapping[str, Any] = {}
    if init is not None:
        fitting = match(wanted_weights(graph), read_weights(Path(init)), strict=False)
        click.echo(f"{len(fitting)} of {len(wanted_weights(graph))} weights from {init}", err=True)
        given = {name: tensor.read for name, tensor in fitting.items()}
    return Training(graph, recipe, splits, folder, device=device, given=given, threads=threads)


def _free(name: str) -> str:
    """The first of runs/NAME-1, runs/NAME-2, … that is not there."""
    n = 1
    while os.path.exists(f"runs/{name}-{n}"):
        n += 1
    return f"runs/{name}-{n}"


def _refuse_used(folder: Path) -> None:
    if (folder / "checkpoint.safetensors").exists():
        raise click.ClickException(
            f"{folder}: there is a run already; --resume {folder} goes on with it"
        )


# ── what is shown ──────────────────────────────────────────────────────────────────────────────


def _watched(training: "Training", file: str, folder: Path) -> int:
    from cnnspec.run.loop import EpochDone, Finished, Stepped

    bar = Bar(sys.stderr.isatty())
    with _stopping(training):
        for event in training.events():
            match event:
                case Stepped():
                    bar.show(event)
                case EpochDone():
                    bar.hide()
                    click.echo(_line(event))
                case Finished():
                    bar.hide()
                    return _said(event, file, folder)
    return 0


class Bar:
    """A line that is written over again; nothing where there is no terminal."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._shown = 0.0

    def show(self, event: "Stepped") -> None:
        if not self._is_terminal:
            return
        import time

        now = time.monotonic()
        if now - self._shown < 0.1 and event.batch < event.batches:
            return
        self._shown = now
        done = round(20 * event.batch / event.batches)
        right = "" if event.accuracy is None else f" · {event.accuracy:.1%} right"
        line = (
            f"epoch {event.epoch} {'━' * done}{'╌' * (20 - done)} {event.batch}/{event.batches} · "
            f"loss {event.loss:.4f}{right} · {event.examples_per_second:,.0f}/s"
        )
        from cnnspec.cli.options import columns, cut

        click.echo(f"\r\x1b[2K{cut(line, columns(80) - 1)}", nl=False, err=True)

    def hide(self) -> None:
        if self._is_terminal:
            click.echo("\r\x1b[2K", nl=False, err=True)


def _line(event: "EpochDone") -> str:
    parts = [f"epoch {event.epoch:>{len(str(event.epochs))}}/{event.epochs}"]
    parts += [f"{name} {_number(name, x)}" for name, x in event.train.items()]
    if event.validation:
        held = " ".join(f"{name} {_number(name, x)}" for name, x in event.validation.items())
        parts.append(f"validation {held}")
    parts.append(f"{event.seconds:.1f} s")
    return " · ".join(parts) + (" · best" if event.is_best else "")


def _number(name: str, x: float) -> str:
    is_share = name in ("accuracy", "precision", "recall", "f1", "iou") or name.startswith("top")
    return f"{x:.2%}" if is_share else f"{x:.4f}"


def _said(event: "Finished", file: str, folder: Path) -> int:
    if not event.is_done:
        click.echo(
            f"stopped after {event.epochs} epochs; "
            f"`cnnspec train {file} --resume {folder}` goes on",
            err=True,
        )
        return 130
    test = " ".join(f"{name} {_number(name, x)}" for name, x in event.test.items())
    ended = f" ({event.why})" if event.why else ""
    click.echo(
        f"{folder}: {event.epochs} epochs{ended} in {event.seconds:.1f} s"
        + (f" · test {test}" if test else "")
    )
    return 0


@contextmanager
def _stopping(training: "Training") -> Generator[None]:
    """Ctrl-C ends the run behind its step; a second one ends it at once."""

    def stop(*_: object) -> None:
        if training.is_asked_to_stop:
            raise KeyboardInterrupt
        training.is_asked_to_stop = True
        click.echo("\nfinishing the step; once more stops at once", err=True)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
