"""`cnnspec compile`: a network as an ONNX file."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import click

from cnnspec.cli.models import Failed, stopped
from cnnspec.cli.options import colour_option, file_argument, set_option
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.onnxir.opset import DEFAULT, NEWEST, OLDEST

if TYPE_CHECKING:
    from cnnspec.api import Network
    from cnnspec.emit.options import Head
    from cnnspec.run.model import CompiledModel

    Precision = Literal["fp32", "fp16", "int8"]

STDOUT = "-"


@click.command()
@file_argument
@click.option("-o", "--output", metavar="PATH", help="Where to; by default FILE.onnx here.")
@set_option
@click.option(
    "--opset",
    type=click.IntRange(OLDEST, NEWEST),
    default=DEFAULT,
    show_default=True,
    help="The version of the operators.",
)
@click.option("--batch", type=click.IntRange(1), help="Fix the number of images; otherwise any.")
@click.option("--dynamic-size", is_flag=True, help="Leave the size of maps open, if they allow it.")
@click.option("--seed", type=click.IntRange(0), help="Draw the weights from this number.")
@click.option("--weights", metavar="PATH", help="A safetensors, npz or ONNX file of weights.")
@click.option("--map", "names", metavar="PATH", help="Lines `theirs = ours` for foreign names.")
@click.option("--partial", is_flag=True, help="Take the weights that fit, and draw the others.")
@click.option("--no-weights", is_flag=True, help="The architecture alone, its weights as inputs.")
@click.option("--keep-bn", is_flag=True, help="Keep batch normalisation as layers of their own.")
@click.option(
    "--fold-bn", is_flag=True, help="Take it into the weights before it; so it is by default."
)
@click.option("--until", metavar="LAYER", help="Cut the network off behind a layer.")
@click.option(
    "--add-output", "outputs", metavar="LAYER", multiple=True, help="Let its result leave too."
)
@click.option(
    "--head",
    type=click.Choice(["as-is", "none", "softmax", "labels"]),
    default="as-is",
    help="End before the softmax, in one, or in the number of the class.",
)
@click.option("--labels", metavar="PATH", help="The names of the classes, one a line.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16", "int8"]),
    default="fp32",
    help="Compute in half precision, or in whole numbers.",
)
@click.option(
    "--calibrate", metavar="PATH", help="Examples for int8, and to compare on: npz or a folder."
)
@click.option("--external-data", is_flag=True, help="Keep the weights in a file beside it.")
@click.option("--training-step", is_flag=True, help="A whole step of training as one graph.")
@click.option("--for-gpu", is_flag=True, help="With --training-step: put as CUDA runs it best.")
@click.option(
    "--gradient-of", metavar="INPUT", help="With the gradient of a class's score by an input."
)
@click.option("--text", is_flag=True, help="Show the graph as text; write no file.")
@colour_option
def command(
    file: str,
    output: str | None,
    overrides: Overrides,
    opset: int,
    batch: int | None,
    dynamic_size: bool,
    seed: int | None,
    weights: str | None,
    names: str | None,
    partial: bool,
    no_weights: bool,
    keep_bn: bool,
    fold_bn: bool,
    until: str | None,
    outputs: tuple[str, ...],
    head: "Head",
    labels: str | None,
    precision: "Precision",
    calibrate: str | None,
    external_data: bool,
    training_step: bool,
    for_gpu: bool,
    gradient_of: str | None,
    text: bool,
    colour: str,
) -> int:
    """Write a network as an ONNX file.

    One file with the weights inside, for any number of images, in standard operators. Layers give
    nodes and values their names; the spec, the labels and the preparation of inputs are in the
    metadata.

    Without --weights they are drawn anew from the seed, each by its own name.

    \b
    Example:
      cnnspec compile lenet5 -o lenet5.onnx
    """
    if keep_bn and fold_bn:
        raise click.UsageError("--keep-bn and --fold-bn say the opposite.")
    if no_weights and (weights is not None or precision != "fp32"):
        raise click.UsageError("--no-weights leaves nothing that another option could work on.")
    if weights is None and (names is not None or partial):
        raise click.UsageError("--map and --partial are about the file of --weights.")
    if precision == "int8" and calibrate is None:
        raise click.UsageError("--precision int8 needs examples: --calibrate PATH.")
    if precision == "fp32" and calibrate is not None:
        raise click.UsageError("--calibrate is for --precision fp16 and int8.")
    if for_gpu and not training_step:
        raise click.UsageError("--for-gpu is for --training-step; models are the same everywhere.")
    if training_step or gradient_of is not None:
        _need_plain(click.get_current_context(), training_step)
    from cnnspec.api import Network

    network = Network(need_graph(source_of(file), overrides, colour), ())

    def compiled(precision: "Precision", calibrate: str | None = None) -> "CompiledModel":
        return network.compile(
            opset=opset,
            batch=batch,
            dynamic_size=dynamic_size,
            seed=seed,
            weights=weights,
            weights_map=names,
            strict=not partial,
            no_weights=no_weights,
            fold_bn=not keep_bn,
            until=until,
            add_outputs=outputs,
            head=head,
            labels=_labels(labels),
            precision=precision,
            calibrate=calibrate,
        )

    try:
        if training_step or gradient_of is not None:
            given: Weights = {
                "seed": seed,
                "weights": weights,
                "weights_map": names,
                "strict": not partial,
            }
            model = _differentiated(network, gradient_of, opset, for_gpu, given)
        else:
            model = compiled(precision, calibrate if precision == "int8" else None)
        if text:
            click.echo(model.text(), nl=False)
            return 0
        written = _write(
            model,
            output or f"{_stem(file)}{_suffix(training_step, gradient_of)}.onnx",
            external_data,
        )
        if written:
            click.echo(_summary(model, written))
        if written and precision != "fp32":
            click.echo("\n".join(_measured(compiled("fp32"), model, precision, calibrate)))
    except ValueError as fault:
        raise stopped(fault) from None
    return 0


SHAPING = (
    *("batch", "dynamic_size", "no_weights", "keep_bn", "fold_bn", "until", "outputs", "head"),
    *("labels", "precision"),
)
"""Options for models that answer; a step and a gradient are shaped by their use."""


class Weights(TypedDict):
    """Where the weights come from."""

    seed: int | None
    weights: str | None
    weights_map: str | None
    strict: bool


def _need_plain(ctx: click.Context, is_step: bool) -> None:
    what = "--training-step" if is_step else "--gradient-of"
    asked = [*SHAPING, "gradient_of", "opset"] if is_step else SHAPING
    for name in asked:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(p.opts[-1] for p in ctx.command.params if p.name == name)
            raise click.UsageError(f"{option} has nothing to say beside {what}.")


def _differentiated(
    network: "Network",
    gradient_of: str | None,
    opset: int,
    for_gpu: bool,
    weights: Weights,
) -> "CompiledModel":
    if gradient_of is None:
        return network.training_step(for_gpu=for_gpu, **weights)
    return network.gradient(gradient_of, opset=opset, **weights)


def _suffix(is_step: bool, gradient_of: str | None) -> str:
    return ".step" if is_step else ".gradient" if gradient_of is not None else ""


def _write(model: "CompiledModel", output: str, external_data: bool) -> list[Path]:
    if output != STDOUT:
        return model.save(output, external_data=external_data)
    if external_data:
        raise click.UsageError("--external-data needs a file to be beside.")
    if sys.stdout.isatty():
        raise click.UsageError("A model is no text; write it to a file or a pipe.")
    sys.stdout.buffer.write(model.to_bytes())
    return []


def _summary(model: "CompiledModel", written: list[Path]) -> str:
    """`lenet5.onnx: 13 nodes, 61,706 parameters, 0.25 MB, opset 17, weights drawn from seed 0`."""
    size = sum(path.stat().st_size for path in written)
    return f"{' and '.join(map(str, written))}: {model.summary()}, {size / 1e6:,.2f} MB"


def _measured(
    whole: "CompiledModel", model: "CompiledModel", precision: str, path: str | None
) -> list[str]:
    """The lines of a table: what was won against single precision, and what it costs."""
    from cnnspec.run.compare import compare, latencies
    from cnnspec.run.examples import draw_examples, read_examples
    from cnnspec.run.wanted import wanted

    a, b = whole.session("cpu"), model.session("cpu")
    wants, _ = wanted(a)
    step = int(whole.metadata.get("cnnspec.size_step", "1"))
    examples = (
        draw_examples(wants, step) if path is None else read_examples(path, wants, whole.labels)
    )
    found = compare(a, b, examples)
    one = next(examples.batches(1))[0]
    times = latencies([lambda: a.run(one), lambda: b.run(one)])
    sizes = [len(m.to_bytes()) / 1e6 for m in (whole, model)]
    rows = [
        ("", "fp32", precision),
        ("size", *(f"{size:,.2f} MB" for size in sizes)),
        ("latency, cpu", *(f"{t * 1e3:,.2f} ms" for t in times)),
    ]
    if found.accuracies is not None:
        rows.append(("accuracy", *(f"{100 * share:.2f} %" for share in found.accuracies)))
    if found.agreement is not None:
        rows.append(("same class", "", f"{100 * found.agreement:.2f} %"))
    far = found.deviation
    rows.append(("largest deviation", "", f"{far.absolute:.3g}"))
    rows.append(("  of the largest output", "", f"{100 * far.relative:.2f} %"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}" for row in rows]
    of = "drawn at random" if examples.is_drawn else f"in {path}"
    return ["", *lines, "", f"on {found.count:,} examples {of}"]


def _labels(path: str | None) -> list[str]:
    if path is None:
        return []
    from cnnspec.run.answers import read_labels

    try:
        return read_labels(Path(path).read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise Failed(f"{path}: is not UTF-8 text") from None


def _stem(file: str) -> str:
    if file == STDOUT:
        raise click.UsageError("A spec from standard input needs -o, the file to write.")
    return os.path.basename(file).removesuffix(".cnn")
