"""`cnnspec look`: what does a network look at in an input, and how little flips its answer?"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import click

from cnnspec.cli.models import Failed, model_argument
from cnnspec.cli.options import colour_option, set_option
from cnnspec.cli.specs_of import Overrides
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.cli.look_at import Subject
    from cnnspec.run.look import Look, Wishes
    from cnnspec.run.look_attack import Kind
    from cnnspec.run.wanted import Fit

FITS = ("stretch", "crop", "pad")
PARTS = ("test", "validation", "train")

STDOUT = "-"


class Asked(TypedDict):
    """The options that say what is looked at."""

    example: int | None
    part: str | None
    data_dir: str | None
    fit: "Fit | None"
    strict: bool
    layers: tuple[str, ...]
    label: str | None
    top: int
    occlude: str | None
    kind: "Kind | None"
    eps: str | None
    steps: int | None


@click.command()
@model_argument("model", "MODEL|RUN|SPEC")
@click.argument("image", metavar="[IMAGE]", required=False, type=click.Path())
@click.option("-o", "page", metavar="PATH", help="The page; otherwise IMAGE-look.html here.")
@click.option("--png", "folder", metavar="DIR", help="Write each figure there as a png, no page.")
@click.option("--json", "is_json", is_flag=True, help="Show what was found as JSON.")
@click.option(
    "--example", type=click.IntRange(0), metavar="N", help="That example of the data, or of IMAGE."
)
@click.option("--part", type=click.Choice(PARTS), help="Of the data; otherwise the first there is.")
@click.option("--data-dir", metavar="DIR", help="Where the files of data sets are.")
@click.option(
    "--layer", "layers", metavar="NAME", multiple=True, help="Its maps; may be given several times."
)
@click.option("--class", "label", metavar="LABEL|N", help="By default the one that it says.")
@click.option("--top", type=click.IntRange(1), default=5, help="How many classes are shown.")
@click.option("--occlude", metavar="SIZE", help="Of the patch that hides a place, as 5 or 5x7.")
@click.option(
    "--attack", "kind", type=click.Choice(["fgsm", "pgd"]), help="Find a change that flips it."
)
@click.option("--eps", metavar="E", help="The largest change that is tried, as 0.1 or 8/255.")
@click.option("--steps", type=click.IntRange(1), help="Of pgd; otherwise 20.")
@click.option("--fit", type=click.Choice(FITS), help="How a picture is brought to size.")
@click.option("--strict", is_flag=True, help="Do not resize the picture: it has the right size.")
@set_option
@click.option("--weights", metavar="FILE", help="Weights for a spec.")
@click.option("--seed", type=click.IntRange(0), help="Of a spec's random weights; otherwise 0.")
@colour_option
def command(
    model: str,
    image: str | None,
    page: str | None,
    folder: str | None,
    is_json: bool,
    overrides: Overrides,
    weights: str | None,
    seed: int | None,
    colour: str,
    **asked: Any,
) -> int:
    """Show what a network looks at in an input.

    Kernels, the maps of layers, saliency, Grad-CAM and an occlusion map, on a page that needs
    nothing but a browser. IMAGE is a picture, an npy or npz file, or numbers in a csv file; of
    several items --example picks one, from 0. Without IMAGE, --example picks one of the data that
    the spec trains on. RUN is the folder of a training run, whose best weights are taken.

    A layer is meant by its name, by the beginning of it, or by a pattern as 'block1.*'.

    --attack looks for the smallest change of the input that makes the network say something else:
    fgsm in one step, pgd in many. --eps is in the input's own units, before what the network itself
    does to it; without it, a quarter of the range is tried.

    \b
    Example:
      cnnspec look lenet5 --example 17 --attack fgsm
    """
    how = Asked(**asked)
    _check(image, page, folder, is_json=is_json, how=how)
    wishes = _wishes(how)
    from cnnspec.cli.look_at import given, opened
    from cnnspec.run.look import look

    try:
        subject = opened(model, overrides, weights, seed, colour)
        at, notes = given(
            subject, image, how["example"], how["part"], how["data_dir"], how["fit"], how["strict"]
        )
        for note in notes:
            click.echo(safe(note), err=True)
        found = look(at, wishes)
    except ValueError as fault:
        raise Failed(str(fault)) from None
    _answer(found, subject, notes, is_json=is_json, colour=colour)
    if folder is not None:
        _write_pngs(found, folder)
    elif page is not None or not is_json:
        _write_page(found, subject, notes, page or _usual(image, how["example"]))
    return 0


def _check(
    image: str | None, page: str | None, folder: str | None, *, is_json: bool, how: Asked
) -> None:
    if image is None and how["example"] is None:
        raise click.UsageError("Missing IMAGE, or --example N for one of the data.")
    if image is not None and (how["part"] or how["data_dir"]):
        raise click.UsageError("--part and --data-dir are about the data; IMAGE is a file.")
    if page is not None and folder is not None:
        raise click.UsageError("-o writes a page, --png pictures; take one of them.")
    if page == STDOUT and is_json:
        raise click.UsageError("`-o -` and --json both print; take one of them.")
    if how["kind"] is None and (how["eps"] is not None or how["steps"] is not None):
        raise click.UsageError("--eps and --steps are for --attack.")
    if how["kind"] == "fgsm" and how["steps"] is not None:
        raise click.UsageError("fgsm takes one step; --steps is for pgd.")


def _wishes(how: Asked) -> "Wishes":
    occlude, eps = _sizes(how["occlude"]), _eps(how["eps"])
    from cnnspec.run.look import Wishes

    return Wishes(
        layers=how["layers"],
        label=how["label"],
        top=how["top"],
        occlude=occlude,
        attack=how["kind"],
        eps=eps,
        steps=how["steps"] or 20,
    )


def _sizes(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.split("x")
    if not all(p.isascii() and p.isdecimal() and 0 < int(p) < 2**31 for p in parts):
        raise click.UsageError(f"--occlude {text}: a size is a whole number from 1, as 5 or 5x7.")
    return tuple(map(int, parts))


def _eps(text: str | None) -> float | None:
    if text is None:
        return None
    top, _, bottom = text.partition("/")
    try:
        value = float(top) / float(bottom or "1")
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0 < value < 1e30:
        raise click.UsageError(f"--eps {text}: it is a number above 0, as 0.1 or 8/255.")
    return value


# ── what is written ────────────────────────────────────────────────────────────────────────────


def _answer(
    found: "Look",
    subject: "Subject",
    notes: Sequence[str],
    *,
    is_json: bool,
    colour: str,
) -> None:
    from cnnspec.cli.looked import as_json, table

    if is_json:
        click.echo(as_json(found, subject.name, notes))
        return
    ctx = click.get_current_context()
    # A page on stdout is alone there.
    is_page_there = ctx.params["page"] == STDOUT
    for line in table(found, subject.name, colour):
        click.echo(line, err=is_page_there, color=True)


def _usual(image: str | None, example: int | None) -> str:
    """Named after the input, in the folder where the command runs."""
    if image is None:
        return f"example{example}-look.html"
    stem = os.path.splitext(os.path.basename(image))[0]
    number = "" if example is None else f"-{example}"
    return f"{stem}{number}-look.html"


def _write_page(found: "Look", subject: "Subject", notes: Sequence[str], path: str) -> None:
    from cnnspec.pages.look import look_page
    from cnnspec.writing import replacing

    text = look_page(found, subject.name, [*subject.notes, *notes]).encode()
    if path == STDOUT:
        click.echo(text, nl=False)
        return
    with replacing(path) as file:
        file.write(text)
    click.echo(f"wrote {safe(path)}", err=True)


def _write_pngs(found: "Look", folder: str) -> None:
    from cnnspec.layers.base import count
    from cnnspec.pages.look_figures import files
    from cnnspec.pages.look_png import described
    from cnnspec.writing import replacing_all

    made = files(found)
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in made]
    with replacing_all(paths) as opened:
        for file, (pixels, text) in zip(opened, made.values(), strict=True):
            file.write(described(pixels, text))
    for name, (_, text) in made.items():
        click.echo(f"{name}: {safe(text)}", err=True)
    click.echo(f"wrote {count(len(made), 'png')} to {safe(folder)}", err=True)
