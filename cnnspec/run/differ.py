# pyright: basic
"""In what do two models differ? Their nodes and tensors, and what they answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from math import prod
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.external_data_helper import uses_external_data

from cnnspec.run.compare import Deviation, Gap
from cnnspec.run.files import printable
from cnnspec.run.session import CannotRun, Port, Session
from cnnspec.run.wanted import dtype_of
from cnnspec.text.record import record

Arrays = Mapping[str, NDArray[Any]]

SAME = 1e-4
"""Outputs that differ by no more than this share of the largest number are called the same."""

DRAWN = 4
"""How many inputs are drawn where none are given and any number is taken."""

OPEN = 32
"""The length of an axis that may have any, in those: the next multiple of the network's step."""

QUADRATIC = 4_000_000
"""Pairs of lines up to which every line is looked at, however often it comes."""

LARGEST = 2**28
"""Numbers that are drawn for an input: files claim what they like."""

UNSAID = ("cnnspec.version", "cnnspec.spec", "cnnspec.spec_sha256", "cnnspec.seed")
"""Metadata that say where a model comes from, and not what it is."""


@record
class Row:
    """A line of a list that is compared."""

    key: str
    """What it is: rows with one key are held side by side."""
    text: str


@record
class Line:
    """A row of one or the other, or of both."""

    mark: str
    """`-` for what only the first has, `+` for the second, a blank for both."""
    text: str


def aligned(one: Sequence[Row], other: Sequence[Row]) -> list[Line]:
    """Both as one list, in which what they share stands once.

    First what is alike in all, and where nothing is, what has the same key: so one more layer is
    one line, and layers whose shape alone is another stand side by side.
    """
    found: list[Line] = []
    for is_same, before, after in _runs([x.text for x in one], [x.text for x in other], one, other):
        if is_same:
            found += _beside(before, after)
            continue
        keys = [x.key for x in before], [x.key for x in after]
        for has_keys, was, now in _runs(*keys, before, after):
            if has_keys:
                found += _beside(was, now)
            else:
                found += [Line("-", x.text) for x in was] + [Line("+", x.text) for x in now]
    return found


def _runs(
    a: Sequence[str], b: Sequence[str], one: Sequence[Row], other: Sequence[Row]
) -> Iterator[tuple[bool, Sequence[Row], Sequence[Row]]]:
    """The rows of both in runs, by texts for each that are the same in a run or not."""
    # What both begin and end with needs no search.
    head = _shared(a, b)
    tail = _shared(a[head:][::-1], b[head:][::-1])
    i, j = len(a) - tail, len(b) - tail
    yield True, one[:head], other[:head]
    x, y = a[head:i], b[head:j]
    matcher = SequenceMatcher(None, x, y, autojunk=len(x) * len(y) > QUADRATIC)
    for tag, k, m, n, o in matcher.get_opcodes():
        yield tag == "equal", one[head + k : head + m], other[head + n : head + o]
    yield True, one[i:], other[j:]


def _shared(a: Sequence[str], b: Sequence[str]) -> int:
    """How many are the same from the first on?"""
    pairs = enumerate(zip(a, b, strict=False))
    return next((k for k, (x, y) in pairs if x != y), min(len(a), len(b)))


def _beside(one: Sequence[Row], other: Sequence[Row]) -> list[Line]:
    """Rows of the same keys, whose texts may differ: runs of those that do stay together."""
    found: list[Line] = []
    before: list[Line] = []
    after: list[Line] = []
    for a, b in zip(one, other, strict=True):
        if a.text == b.text:
            found += [*before, *after, Line(" ", a.text)]
            before, after = [], []
        else:
            before.append(Line("-", a.text))
            after.append(Line("+", b.text))
    return [*found, *before, *after]


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


# ── what models are made of ────────────────────────────────────────────────────────────────────


def nodes(proto: onnx.ModelProto) -> list[Row]:
    """Each operator: what it is, what it makes, of which shape, from what, and how."""
    values = (*proto.graph.value_info, *proto.graph.output)
    shapes = {v.name: _shape(v) for v in values}
    held = {t.name for t in proto.graph.initializer}
    found: list[Row] = []
    for n in proto.graph.node:
        op = f"{n.domain}.{n.op_type}".removeprefix(".")
        makes = ", ".join(filter(None, n.output))
        parts = [
            f"{op:<20} {printable(makes):<32} {shapes.get(makes, '')}".rstrip(),
            # Weights are compared by themselves.
            "← " + printable(", ".join(x for x in n.input if x and x not in held)),
            *(f"{a.name}={_value(a)}" for a in sorted(n.attribute, key=lambda a: a.name)),
        ]
        found.append(Row(f"{op} {makes}", "  ".join(parts)))
    return found


def _shape(v: onnx.ValueInfoProto) -> str:
    sizes = v.type.tensor_type.shape.dim
    return "x".join(printable(d.dim_param) or str(d.dim_value or "?") for d in sizes)


def _value(a: onnx.AttributeProto) -> str:
    match a.type:
        case a.FLOAT | a.INT | a.STRING:
            value = onnx.helper.get_attribute_value(a)
            return printable(value.decode("utf-8", "replace") if a.type == a.STRING else f"{value}")
        case a.INTS | a.FLOATS:
            return printable(",".join(map(str, onnx.helper.get_attribute_value(a))))
    # Of what is long, as much as shows whether it is the same.
    return f"{crc32(a.SerializeToString(deterministic=True)):08x}"


def tensors(proto: onnx.ModelProto) -> list[Row]:
    """Each tensor in the file: its name, the type of its numbers, its shape."""
    return [
        Row(t.name, f"{_dtype(t.data_type):<8} {_sizes(t.dims):<16} {printable(t.name)}")
        for t in proto.graph.initializer
    ]


@record
class Numbers:
    """The numbers in tensors that two models have alike."""

    tensors: int
    changed: int
    unread: int
    """Of those, in files beside the model."""


def numbers(one: onnx.ModelProto, other: onnx.ModelProto) -> Numbers:
    """How many tensors of one name, type and shape hold other numbers?"""
    held = {t.name: t for t in one.graph.initializer}
    count = changed = unread = 0
    for b in other.graph.initializer:
        a = held.get(b.name)
        if a is None or (a.data_type, tuple(a.dims)) != (b.data_type, tuple(b.dims)):
            continue
        count += 1
        if uses_external_data(a) or uses_external_data(b):
            unread += 1
        elif a.HasField("raw_data") and b.HasField("raw_data"):
            changed += a.raw_data != b.raw_data
        else:
            x, y = (onnx.numpy_helper.to_array(t) for t in (a, b))
            changed += x.tobytes() != y.tobytes()
    return Numbers(count, changed, unread)


def facts(proto: onnx.ModelProto) -> dict[str, str | int]:
    """What a model is, beside its nodes and tensors."""
    graph, held = proto.graph, proto.graph.initializer
    names = {t.name for t in held}
    said = {printable(p.key): p.value for p in proto.metadata_props if p.key not in UNSAID}
    return {
        "opset": ", ".join(
            f"{printable(o.domain)} {o.version}".strip() for o in proto.opset_import
        ),
        "IR version": str(proto.ir_version),
        "nodes": len(graph.node),
        "tensors": len(held),
        "numbers in tensors": sum(prod(t.dims) for t in held),
        "inputs": ", ".join(_port(v) for v in graph.input if v.name not in names),
        "outputs": ", ".join(map(_port, graph.output)),
        **{key: printable(value, 80) for key, value in sorted(said.items())},
    }


def _port(v: onnx.ValueInfoProto) -> str:
    return f"{printable(v.name)} {_shape(v)} {_dtype(v.type.tensor_type.elem_type)}"


def _dtype(kind: int) -> str:
    known = onnx.TensorProto.DataType
    return known.Name(kind).lower() if kind in known.values() else str(kind)


# ── what they answer ───────────────────────────────────────────────────────────────────────────


class Unlike(ValueError):
    """Two models that cannot be asked the same; says why."""


def answers(a: Session, b: Session, given: Iterable[Arrays]) -> list[Deviation]:
    """How far apart the outputs are on the same inputs, named as those of the first.

    Inputs and outputs are paired by their names, or where both models have one alone, with each
    other. Raises `Unlike`.
    """
    ports = {name: port for name, (_, port) in _ports(a, b).items()}
    ends = _paired("output", [p.name for p in a.outputs], [p.name for p in b.outputs])
    gaps = {name: Gap() for name in ends}
    for feeds in given:
        others = {
            ports[name].name: x.astype(dtype_of(ports[name].dtype)) for name, x in feeds.items()
        }
        try:
            ys, zs = a.run(feeds), b.run(others)
        except CannotRun as fault:
            raise Unlike(str(fault)) from None
        for name, other in ends.items():
            y, z = ys[name], zs[other]
            if y.shape != z.shape:
                shapes = f"{_sizes(y.shape)} in one, {_sizes(z.shape)} in the other"
                raise Unlike(f"the output `{name}` is {shapes}")
            gaps[name].add(y, z)
    return [gap.deviation(name) for name, gap in gaps.items()]


def drawn(a: Session, b: Session, seed: int = 0) -> Arrays:
    """Inputs that both take: bytes, or numbers of the normal distribution. Raises `Unlike`."""
    random = np.random.default_rng(seed)
    step = max(_step(a), _step(b))
    found: dict[str, NDArray[Any]] = {}
    for name, (port, other) in _ports(a, b).items():
        pairs = list(zip(port.shape, other.shape, strict=False))
        known = [{n for n in pair if isinstance(n, int)} for pair in pairs]
        if len(port.shape) != len(other.shape) or any(len(sizes) > 1 for sizes in known):
            raise Unlike(f"the input is {port} in one, {other} in the other")
        lengths = [-(-OPEN // step) * step if k else DRAWN for k in range(len(known))]
        shape = [next(iter(n), length) for n, length in zip(known, lengths, strict=True)]
        if prod(shape) > LARGEST:
            raise Unlike(f"the input `{name}` is {_sizes(shape)}, more numbers than can be drawn")
        dtype = dtype_of(port.dtype)
        if dtype.kind in "iub":
            high = {"bool": 2, "int8": 128}.get(dtype.name, 256)
            found[name] = random.integers(0, high, shape).astype(dtype)
        else:
            found[name] = random.standard_normal(shape).astype(dtype)
    return found


def _step(session: Session) -> int:
    said = session.metadata.get("cnnspec.size_step", "1")
    return int(said) if said.isdecimal() and 0 < int(said) <= 1024 else 1


def _ports(a: Session, b: Session) -> dict[str, tuple[Port, Port]]:
    pairs = _paired("input", [p.name for p in a.inputs], [p.name for p in b.inputs])
    ports = {p.name: p for p in b.inputs}
    return {p.name: (p, ports[pairs[p.name]]) for p in a.inputs}


def _paired(what: str, one: Sequence[str], other: Sequence[str]) -> dict[str, str]:
    if set(one) == set(other):
        return {name: name for name in one}
    if len(one) == len(other) == 1:
        return {one[0]: other[0]}
    names = [printable(", ".join(x)) for x in (one, other)]
    raise Unlike(f"their {what}s have other names: {names[0]} in one, {names[1]} in the other")


def _sizes(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "one number"
