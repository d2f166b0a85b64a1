"""How does a command get from MODEL|SPEC to a model that can be run?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cnnspec.cli.options import Spec
from cnnspec.cli.specs_of import Overrides, need_graph, source_of
from cnnspec.model.module import explain_unreadable
from cnnspec.text.excerpt import safe

if TYPE_CHECKING:
    from cnnspec.api import Network
    from cnnspec.run.model import CompiledModel


class Failed(click.ClickException):
    """What stops a command, in one line; exit status 1."""

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {safe(self.message)}", err=True)


class Unlike(Failed):
    """Weights that are not those of a network: a line, and below it which. Their names have been
    made printable."""

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.message}", err=True)


def stopped(fault: ValueError) -> Failed:
    """What is wrong with a model or with weights, in its own words."""
    from cnnspec.run.weights import Mismatch

    return (Unlike if isinstance(fault, Mismatch) else Failed)(str(fault))


def failed(name: str, fault: ValueError) -> Failed:
    """What is wrong with a model, which is named once."""
    said = str(fault)
    return Failed(said if said.startswith(f"{name}:") else f"{name}: {said}")


@dataclass(frozen=True)
class Given:
    """A model: its file, or what was compiled of a spec."""

    name: str
    content: "str | bytes"
    """The path of the file, or its bytes."""
    model: "CompiledModel | None"
    """What was compiled here."""
    network: "Network | None"
    """What it was compiled from, where that is known."""
    is_drawn: bool
    """Are its weights new ones?"""
    metadata: "Mapping[str, str]"


def model_argument(name: str, metavar: str = "MODEL|SPEC") -> Any:
    return click.argument(name, metavar=metavar, type=Spec())


def given(
    name: str,
    overrides: Overrides = (),
    weights: str | None = None,
    seed: int | None = None,
    colour: str = "auto",
) -> Given:
    """The model of a file, or of a spec compiled in memory; `Failed` where there is none."""
    try:
        if is_spec(name):
            return _compiled(name, overrides, weights, seed, colour)
        _refuse(name, {"--set": overrides, "--weights": weights, "--seed": seed})
        return _read(name)
    except ValueError as fault:
        raise stopped(fault) from None


def is_spec(name: str) -> bool:
    """By its content; what is no file is in the zoo, or nowhere."""
    if name.endswith(".cnn") or name == "-":
        return True
    if not os.path.isfile(name):
        return not name.endswith(".onnx")
    from cnnspec.run.files import kind_of

    kind = kind_of(name)
    if kind not in ("spec", "onnx"):
        raise Failed(f"{name}: it is neither an ONNX model nor a spec")
    return kind == "spec"


def _refuse(name: str, options: "dict[str, Any]") -> None:
    for option, value in options.items():
        if value is not None and value != ():
            raise click.UsageError(f"{option} is for specs; {name} is a compiled model.")


def _compiled(
    name: str, overrides: Overrides, weights: str | None, seed: int | None, colour: str
) -> Given:
    from cnnspec.api import Network

    network = Network(need_graph(source_of(name), overrides, colour), ())
    made = network.compile(seed=seed, weights=weights)
    return Given(name, made.to_bytes(), made, network, weights is None, made.metadata)


def _read(name: str) -> Given:
    from cnnspec.run.files import read_onnx

    try:
        with open(name, "rb"):
            pass
    except OSError as fault:
        raise Failed(f"{name}: {explain_unreadable(fault)}") from None
    said = {p.key: p.value for p in read_onnx(name).metadata_props}
    return Given(name, name, None, network_of(said), False, said)


def network_of(metadata: "dict[str, str]") -> "Network | None":
    """The network that a model says it was compiled from; none where it says none, or one that
    this version of cnnspec does not take."""
    import json

    from cnnspec.api import loads
    from cnnspec.text.diagnostic import SpecError

    try:
        params = json.loads(metadata.get("cnnspec.params", "{}"))
        return loads(metadata["cnnspec.spec"], **params)
    except (KeyError, TypeError, ValueError, SpecError):
        return None


def sizes(shape: Sequence[int | str | None]) -> str:
    return "x".join("?" if n is None else str(n) for n in shape)
