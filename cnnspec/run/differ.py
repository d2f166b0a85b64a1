# pyright: basic
"""In what do two models differ? Their nodes and tensors, and what they answer."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from cnnspec.run.compare import Deviation, Gap
from cnnspec.run.files import printable
from cnnspec.run.session import CannotRun, Session
from cnnspec.text.record import record

Arrays = Mapping[str, NDArray[Any]]

SAME = 1e-4
"""Outputs that differ by no more than this share of the largest number are called the same."""


@record
class Line:
    """A row of one or the other, or of both."""

    mark: str
    """`-` for what only the first has, `+` for the second, a blank for both."""
    text: str


def aligned(one: Sequence[str], other: Sequence[str]) -> list[Line]:
    """Both as one list, in which what they share stands once."""
    found: list[Line] = []
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            found += [Line(" ", text) for text in one[i:j]]
        else:
            found += [Line("-", text) for text in one[i:j]]
            found += [Line("+", text) for text in other[k:m]]
    return found


def near_changes(lines: Sequence[Line], around: int = 1) -> list[Line]:
    """The lines that changed with what stands around them; `…` for what is left out."""
    near = {k + d for k, x in enumerate(lines) if x.mark != " " for d in range(-around, around + 1)}
    found: list[Line] = []
    for k, line in enumerate(lines):
        if k in near:
            found.append(line)
        elif not found or found[-1].text != "…":
            found.append(Line(" ", "…"))
    return found


def nodes(proto: onnx.ModelProto) -> list[str]:
    """A line for each operator: what it is, what it makes, and of which shape."""
    values = (*proto.graph.value_info, *proto.graph.output)
    shapes = {
        v.name: "x".join(str(d.dim_param or d.dim_value) for d in v.type.tensor_type.shape.dim)
        for v in values
    }
    return [
        f"{n.op_type:<20} {printable(n.output[0]):<32} {shapes.get(n.output[0], '')}".rstrip()
        for n in proto.graph.node
        if n.output
    ]


def facts(proto: onnx.ModelProto) -> dict[str, str]:
    """What a model is, beside its nodes."""
    held = proto.graph.initializer
    numbers = sum(prod(t.dims) for t in held)
    return {
        "opset": ", ".join(f"{o.domain} {o.version}".strip() for o in proto.opset_import),
        "IR version": str(proto.ir_version),
        "nodes": f"{len(proto.graph.node):,}",
        "tensors": f"{numbers:,} numbers in {len(held):,} tensors",
        "inputs": ", ".join(printable(v.name) for v in proto.graph.input),
        "outputs": ", ".join(printable(v.name) for v in proto.graph.output),
    }


class Unlike(ValueError):
    """Two models that cannot be asked the same; says why."""


def answers(
    a: Session, b: Session, given: Arrays | None, sizes: Mapping[str, Sequence[int]]
) -> list[Deviation]:
    """How far apart the outputs are on the same inputs, drawn from a seed if none are given.

    Inputs and outputs are paired by their names, or where both models have one alone, with each
    other. Raises `Unlike`.
    """
    pairs = _paired("input", [p.name for p in a.inputs], [p.name for p in b.inputs])
    ends = _paired("output", [p.name for p in a.outputs], [p.name for p in b.outputs])
    feeds = given if given is not None else _drawn(a, sizes)
    ports = {p.name: p for p in b.inputs}
    others = {pairs[name]: x.astype(ports[pairs[name]].dtype) for name, x in feeds.items()}
    try:
        ys, zs = a.run(feeds), b.run(others)
    except CannotRun as fault:
        raise Unlike(str(fault)) from None
    found: list[Deviation] = []
    for name, other in ends.items():
        y, z = ys[name], zs[other]
        if y.shape != z.shape:
            shapes = f"{_show(y.shape)} in one, {_show(z.shape)} in the other"
            raise Unlike(f"the output `{name}` is {shapes}")
        gap = Gap()
        gap.add(y, z)
        found.append(gap.deviation(name))
    return found


def _paired(what: str, one: Sequence[str], other: Sequence[str]) -> dict[str, str]:
    if set(one) == set(other):
        return {name: name for name in one}
    if len(one) == len(other) == 1:
        return {one[0]: other[0]}
    raise Unlike(f"they have other {what}s: {', '.join(one)}; {', '.join(other)}")


def _drawn(session: Session, sizes: Mapping[str, Sequence[int]], batch: int = 4) -> Arrays:
    random = np.random.default_rng(0)
    found: dict[str, NDArray[Any]] = {}
    for port in session.inputs:
        first = port.shape[0] if port.shape and isinstance(port.shape[0], int) else batch
        shape = (first, *sizes[port.name])
        if np.dtype(port.dtype).kind in "iu":
            found[port.name] = random.integers(0, 256, shape).astype(port.dtype)
        else:
            found[port.name] = random.standard_normal(shape).astype(port.dtype)
    return found


def _show(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
