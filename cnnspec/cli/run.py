"""`cnnspec run`: what does a network say of pictures and arrays?"""

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

import click

from cnnspec.cli.models import Failed, failed, given
from cnnspec.cli.options import Spec, colour_option, device_option, set_option
from cnnspec.cli.specs_of import Overrides
from cnnspec.layers.base import count
from cnnspec.model.module import explain_unreadable
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.cli.answers import Answers
    from cnnspec.run.answers import Answer
    from cnnspec.run.inputs import Item, Listing
    from cnnspec.run.session import Device
    from cnnspec.run.wanted import Array, Fit, Session, Wanted

ARRAYS = (".npy", ".npz")
"""Files that can hold many inputs."""

FORMATS = ("table", "json")
FITS = ("stretch", "crop", "pad")


class Asked(TypedDict):
    """The options that say how inputs are read and answers shown."""

    top: int
    form: str
    save: str | None
    force: bool
    batch: int
    label_file: str | None
    fit: "Fit | None"
    strict: bool
    colour: str


class SpecAsked(TypedDict):
    """The options for a spec, which is compiled first."""

    overrides: Overrides
    weights: str | None
    seed: int | None


@click.command()
@click.argument("model", metavar="MODEL|SPEC", type=Spec())
@click.argument("paths", metavar="INPUT...", nargs=-1, required=True, type=click.Path())
@click.option("--top", type=click.IntRange(1), default=5, help="How many classes are shown.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="table", help="How to show it."
)
@click.option("--save", metavar="OUT.npz", type=click.Path(), help="Write the raw outputs there.")
@click.option("--force", is_flag=True, help="Let --save replace a file.")
@device_option
@click.option("--batch", type=click.IntRange(1), default=16, help="How many inputs at a time.")
@click.option("--labels", "label_file", metavar="FILE", help="Names of the classes, one a line.")
@click.option(
    "--fit", type=click.Choice(FITS), help="How a picture of another size is brought to size."
)
@click.option("--strict", is_flag=True, help="Do not resize pictures: they have the right size.")
@set_option
@click.option("--weights", metavar="FILE", help="Weights for a spec.")
@click.option("--seed", type=click.IntRange(0), help="Of a spec's random weights; otherwise 0.")
@colour_option
def command(
    model: str,
    paths: tuple[str, ...],
    device: "Device",
    overrides: Overrides,
    weights: str | None,
    seed: int | None,
    **asked: Any,
) -> int:
    """Show what a network says of pictures and arrays.

    INPUT is a picture, an npy or npz file, a folder of these, or `-` for one of these on standard
    input. A network of several inputs takes npz files with an array for each. Pictures are laid on
    white where one sees through them, and stretched to the size of the input unless --fit says
    otherwise. An array holds one item or, along one more axis in front, several; bytes in it are
    taken as those of a picture, other numbers as they are.

    What is no probability becomes one by a softmax, and it is said. Maps are summarised. Inputs
    that cannot be read are listed at the end, and the exit status is then 1.

    \b
    Example:
      cnnspec run lenet5 digits.npy --top 3
    """
    from cnnspec.run.outputs import need_free

    how = Asked(**asked)
    if how["save"] is not None:
        need_free(how["save"], force=how["force"])
    spec = SpecAsked(overrides=overrides, weights=weights, seed=seed)
    labels = _labels(how["label_file"])
    try:
        return _run(open_model(model, device, spec, how["colour"]), paths, labels, how)
    except ValueError as fault:
        raise failed(model, fault) from None


class Outcome:
    """What is told, or written, when all inputs are done."""

    def __init__(self, keeps: bool) -> None:
        self.count = 0
        self.faults: list[Item] = []
        self.resized = 0
        self.softmaxed: set[str] = set()
        self.distances: set[str] = set()
        self.unlabelled: set[int] = set()
        self.names: list[str] = []
        self.raw: dict[str, list[Array]] = {}
        self._keeps = keeps

    def add(self, item: "Item", ys: "Mapping[str, Array]") -> None:
        if item.fault is not None:
            self.faults.append(item)
            return
        self.count += 1
        self.resized += item.resized_from is not None
        if self._keeps:
            self.names.append(item.name)
            for name, y in ys.items():
                self.raw.setdefault(name, []).append(y)


# ── the network ─────────────────────────────────────────────────────────────────────────────────


def open_model(model: str, device: "Device", asked: SpecAsked, colour: str) -> "Session":
    """A session for a model's file, or for a spec compiled in memory."""
    if model == "-":
        raise click.UsageError("`-` is standard input for INPUT; MODEL is a file.")
    found = given(model, asked["overrides"], asked["weights"], asked["seed"], colour)
    if found.is_drawn:
        seed = found.metadata["cnnspec.seed"]
        _tell(f"{model}: untrained; its weights are drawn from seed {seed}")
    from cnnspec.run.session import open_session

    return open_session(found.content, device)


# ── from inputs to answers ──────────────────────────────────────────────────────────────────────


def _run(session: "Session", paths: Sequence[str], labels: Sequence[str] | None, how: Asked) -> int:
    from cnnspec.cli.answers import Table, as_json
    from cnnspec.run.answers import kinds_of, labels_of
    from cnnspec.run.inputs import listed
    from cnnspec.run.outputs import save
    from cnnspec.run.wanted import wanted

    wants, note = wanted(session)
    if note is not None:
        _tell(note)
    labels = labels or labels_of(session.metadata)
    kinds = kinds_of(session.metadata)
    listing = listed(paths)
    done = Outcome(how["save"] is not None)
    table = Table(listing.files, [o.name for o in session.outputs], how["colour"])
    with _shown(listing) as show:
        for item, ys in _outputs(session, wants, listing, how):
            done.add(item, ys)
            answers = _answers(ys, kinds, labels, how["top"], done)
            if how["form"] == "json":
                show(item, [as_json(item, answers)])
            else:
                show(item, [*table.show(item, answers)])
    if how["save"] is not None and done.count:
        save(how["save"], done.names, done.raw)
    _tell_all(done, listing, labels, how["fit"] or wants[0].fit)
    if not done.count and not done.faults:
        _tell(f"error: {', '.join(paths)}: there is no picture or array")
    return int(bool(done.faults) or not done.count)


def _outputs(
    session: "Session", wants: "Sequence[Wanted]", listing: "Listing", how: Asked
) -> "Iterator[tuple[Item, Mapping[str, Array]]]":
    """Each input with what the network made of it; nothing for one that cannot be read."""
    from cnnspec.run.inputs import batches, items, stacked

    stdin = sys.stdin.buffer if sys.stdin is not None else None
    found = items(listing.files, wants, stdin=stdin, fit=how["fit"], strict=how["strict"])
    yield from ((fault, {}) for fault in listing.faults)
    for group in batches(found, wants, how["batch"]):
        if group[0].fault is not None:
            yield group[0], {}
            continue
        given = stacked(group, wants)
        made = session.run(given)
        n = len(next(iter(given.values())))
        for name, y in made.items():
            if y.ndim == 0 or len(y) != n:
                raise ValueError(f"the output `{name}` does not have one entry for each input")
        for i, item in enumerate(group):
            yield item, {name: y[i] for name, y in made.items()}


def _answers(
    ys: "Mapping[str, Array]",
    kinds: Mapping[str, str],
    labels: Sequence[str] | None,
    top: int,
    done: Outcome,
) -> "Answers":
    from cnnspec.run.answers import Ranking, answer
    from cnnspec.settings.loss import DISTANCES

    found: dict[str, Answer] = {}
    for name, y in ys.items():
        kind = kinds.get(name)
        is_distance = kind == DISTANCES
        said = answer(y, labels, top, is_sigmoid=kind == "sigmoid", is_distance=is_distance)
        if isinstance(said, Ranking):
            done.unlabelled |= {y.size} if labels and said.classes[0].label is None else set()
            (done.distances if is_distance else done.softmaxed).update(
                [name] if said.is_softmaxed else ()
            )
        found[name] = said
    return found


@contextmanager
def _shown(listing: "Listing") -> "Generator[Callable[[Item, list[str]], None]]":
    """What shows the lines of an item, with a bar where somebody watches several inputs.

    Where the bar and the lines go to the same terminal, the lines wait until the bar is gone.
    """
    is_watched = sys.stderr.isatty() and (
        len(listing.files) > 1 or any(f.endswith(ARRAYS) for f in listing.files)
    )
    if not is_watched:
        yield lambda _, lines: _say(lines)
        return
    held: list[str] = []
    with click.progressbar(length=len(listing.files), file=sys.stderr) as bar:

        def show(item: "Item", lines: list[str]) -> None:
            if sys.stdout.isatty():
                held.extend(lines)
            else:
                _say(lines)
            if item.is_first and bar.length is not None:
                bar.length += item.siblings - 1
            bar.update(1)

        yield show
    _say(held)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line, color=True)


def _tell(text: str) -> None:
    click.echo(safe(text), err=True)


def _tell_all(done: Outcome, listing: "Listing", labels: Sequence[str] | None, fit: "Fit") -> None:
    """What is to be known of the answers, and at the end what has none."""
    if done.resized:
        _tell(f"{count(done.resized, 'picture')} resized to the size of the input (--fit {fit})")
    for name in sorted(done.softmaxed):
        _tell(f"`{name}` has no probabilities; these are its softmax")
    for name in sorted(done.distances):
        _tell(
            f"`{name}` has distances, the least of which wins; these are the softmax of their "
            "opposites"
        )
    for n in sorted(done.unlabelled):
        _tell(f"{len(labels or ()):,} labels do not name {n:,} classes and are left out")
    if listing.passed_over:
        _tell(f"{count(listing.passed_over, 'file')} passed over: no picture or array by its name")
    if n := len(done.faults):
        _tell(f"inputs that cannot be read: {n:,} of {n + done.count:,}")
        for item in done.faults:
            _tell(f"  {item.name}: {item.fault}")


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def _labels(name: str | None) -> list[str] | None:
    from cnnspec.run.answers import read_labels

    if name is None:
        return None
    try:
        with open(name, encoding="utf-8-sig") as file:
            return read_labels(file.read())
    except (OSError, ValueError) as fault:
        raise Failed(f"{name}: {explain_unreadable(fault)}") from None
