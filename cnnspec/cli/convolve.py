"""`cnnspec convolve`: what happens when a kernel slides over an image?"""

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from cnnspec.cli.options import colour_option, columns, is_coloured
from cnnspec.text.diagnostic import Refusal
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.cli.exercises import Asked
    from cnnspec.sliding.exercise import Exercise

    SizeType = click.ParamType[int | tuple[int, ...]]
    PadType = click.ParamType[int | tuple[int, ...] | str]
    PlaceType = click.ParamType[tuple[int, int]]
else:
    # In click 8.2 it takes no type.
    SizeType = PadType = PlaceType = click.ParamType

STDOUT = "-"

FORMS = {".html": "page", ".htm": "page", ".png": "picture", ".csv": "csv", ".json": "json"}

Form = Literal["page", "picture", "csv", "json"]


class Failed(click.ClickException):
    """What stops the command, in one line; exit status 1."""

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {safe(self.message)}", err=True)


class Numbers(click.Command):
    """A command to which `-1 0; 0 1` is a matrix, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {a}" if re.match(r"-[.0-9]", a) else a for a in args])


class Sizes(SizeType):
    """`2` for both axes, or `2x1`."""

    name = "n or rows x columns"

    def __init__(self, least: int) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"\s*([0-9]{1,6})(?:x([0-9]{1,6}))?\s*", str(value))
        sizes = [int(n) for n in found.groups() if n] if found else []
        if not sizes or min(sizes) < self._least:
            self.fail(f"`{value}` is neither a number from {self._least} on nor two, as 2x1.")
        return sizes[0] if len(sizes) == 1 else tuple(sizes)


class Pad(PadType):
    """A number of zeros on each side, two for the axes, or a word."""

    name = "n|same|valid"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in ("same", "valid"):
            return value
        return Sizes(0).convert(value, param, ctx)


class Place(PlaceType):
    """A row and a column of the output, from 1."""

    name = "row,column"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"\s*([0-9]{1,6})\s*[,x ]\s*([0-9]{1,6})\s*", str(value))
        if found is None or "0" in found.groups():
            self.fail(f"`{value}` is no row and column, counted from 1, as 2,3.", param, ctx)
        return int(found[1]), int(found[2])


@click.command(cls=Numbers)
@click.argument("image", required=False)
@click.option("--kernel", "-k", metavar="NUMBERS|NAME", help='As "1 0 -1; 2 0 -2; 1 0 -1".')
@click.option("--stride", type=Sizes(1), metavar="N", help="How far the window moves: 2, 2x1.")
@click.option("--pad", type=Pad(), default="0", metavar="N|same|valid", help="Zeros around it.")
@click.option("--dilation", type=Sizes(1), default="1", metavar="N", help="Spreads the kernel.")
@click.option("--bias", default="0", metavar="NUMBER", help="Added to each sum.")
@click.option(
    "--flip",
    "--true",
    "is_true",
    is_flag=True,
    help="Convolution as in mathematics: the kernel is turned by 180°.",
)
@click.option(
    "--pool", nargs=2, metavar="max|avg SIZE", help="Pool instead of a kernel: max 2x2, avg 3."
)
@click.option(
    "--channels",
    "colours",
    type=click.Choice(["grey", "rgb"]),
    help="Of a picture; grey if not given.",
)
@click.option("--steps/--no-steps", default=None, help="Show each place of the window, or none.")
@click.option("--at", "place", type=Place(), metavar="ROW,COLUMN", help="Show this place only.")
@click.option("--list", "is_list", is_flag=True, help="Show the kernels and images by name.")
@click.option("--csv", "is_csv", is_flag=True, help="Print the output as CSV.")
@click.option("--json", "is_json", is_flag=True, help="Print everything as JSON.")
@click.option("-o", "output", metavar="PATH", help="Write a page (.html), .png, .csv or .json.")
@click.option(
    "--show",
    type=click.Choice(["clip", "stretch", "signed"]),
    help="How numbers become a picture's greys.",
)
@colour_option
def command(image: str | None, **options: Any) -> int:
    """Slide a kernel over an image, and show each sum.

    IMAGE is a matrix such as "1 2 3; 4 5 6; 7 8 9", with channels between `|`, a file of one (text,
    CSV, npy), a picture, `-` for one of these on standard input, or a name: `--list` shows those,
    `digits:17` is a handwritten digit.

    What networks call convolution is known elsewhere as cross-correlation; --flip turns the kernel
    before. The page of -o has both, and a scrubber to move the window with. --show says what a
    number is in a picture: `clip` cuts off below 0 and above 255, `stretch` makes the least black
    and the largest white, `signed` makes zero grey.

    \b
    Example:
      cnnspec convolve counting --kernel sobel-x
      cnnspec convolve digits:17 --kernel sobel-x --pad 1 -o edges.html
    """
    if options["is_list"]:
        from cnnspec.cli.convolved import listing

        click.echo("\n".join(listing()))
        return 0
    form = _form(options)
    from cnnspec.cli.exercises import exercise_of

    try:
        found = exercise_of(_asked(image, options))
        _answer(found, form, options)
    except Refusal as refusal:
        raise Failed(_told(refusal)) from None
    except ValueError as fault:
        raise Failed(str(fault)) from None
    return 0


def _asked(image: str | None, options: "dict[str, Any]") -> "Asked":
    from cnnspec.cli.exercises import Asked

    if not image:
        raise click.UsageError("IMAGE is missing: a matrix, a file or a name; --list shows names.")
    kernel, pool = options["kernel"], options["pool"]
    if (kernel is None) == (pool is None):
        raise click.UsageError(
            "What slides is either --kernel or --pool; --list shows the kernels by name."
        )
    if pool is not None:
        if pool[0] not in ("max", "avg"):
            raise click.UsageError(
                f"--pool {pool[0]}: a pool is `max` or `avg`, as --pool max 2x2."
            )
        if options["is_true"] or options["bias"].strip() != "0" or options["dilation"] != 1:
            raise click.UsageError(
                "A pool has no kernel: --flip, --bias and --dilation go with one."
            )
        pool = (pool[0], _pool_size(pool[1]))
    names = ("stride", "pad", "dilation", "bias", "is_true", "colours", "place")
    return Asked(image=image, kernel=kernel, pool=pool, **{n: options[n] for n in names})


def _pool_size(text: str) -> Any:
    try:
        return Sizes(1).convert(text, None, None)
    except click.BadParameter as fault:
        raise click.UsageError(f"--pool: {fault.message}") from None


def _told(refusal: Refusal) -> str:
    """A rule of the language in the words of the command line."""
    if refusal.hint is None:
        return refusal.message
    return f"{refusal.message}; {re.sub(r'pad=(?=[0-9])', '--pad ', refusal.hint)}"


# ── what is answered, and where ─────────────────────────────────────────────────────────────────


def _form(options: "dict[str, Any]") -> Form | None:
    """None is the terminal."""
    output = options["output"]
    if sum([options["is_csv"], options["is_json"], output is not None]) > 1:
        raise click.UsageError("--csv, --json and -o are three forms; one of them at a time.")
    if options["is_csv"] or options["is_json"]:
        return "csv" if options["is_csv"] else "json"
    if output is None:
        return None
    suffix = os.path.splitext(output)[1].lower()
    form = "page" if output == STDOUT else FORMS.get(suffix)
    if form is None:
        raise click.UsageError(f"{output}: its name ends in none of {', '.join(FORMS)}.")
    return form  # pyright: ignore[reportReturnType]


def _answer(found: "Exercise", form: Form | None, options: "dict[str, Any]") -> None:
    output = options["output"] or STDOUT
    place = options["place"]
    match form:
        case None:
            from cnnspec.cli.convolved import Look, can_draw, shown

            room = columns(80) if sys.stdout.isatty() else None
            look = Look(room, is_coloured(options["colour"]), options["steps"], place, can_draw())
            for line in shown(found, look):
                click.echo(line, color=True)
        case "csv":
            from cnnspec.cli.convolved import as_csv

            _write("".join(as_csv(found)).encode(), output)
        case "json":
            from cnnspec.cli.convolved import as_json

            said = as_json(found, place, is_stepped=bool(options["steps"]))
            _write(f"{json.dumps(said, ensure_ascii=False, allow_nan=False)}\n".encode(), output)
        case "picture":
            from cnnspec.pages.greys import picture_of

            content, note = picture_of(found.result, options["show"], is_picture=found.is_picture)
            _write(content, output, note)
        case "page":
            from cnnspec.pages.convolve import convolve_page

            _write(convolve_page(found, options["show"], place).encode(), output)


def _write(content: bytes, output: str, note: str | None = None) -> None:
    if output == STDOUT:
        click.echo(content, nl=False)
        return
    from cnnspec.writing import replacing

    with replacing(output) as file:
        file.write(content)
    click.echo(f"wrote {safe(output)}", err=True)
    if note is not None:
        click.echo(note, err=True)
