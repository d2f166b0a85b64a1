"""How does a compiled model look in a notebook? HTML without scripts, all that it says escaped."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from onnx import ModelProto, TensorProto

from cnnspec.report.units import of_bytes
from cnnspec.text.excerpt import safe

LONGEST = 80
"""Letters of a value in the metadata."""

MOST_LABELS = 12

STYLE = """<style>
.cnnspec-model table { border-collapse: collapse; margin: .5em 0 }
.cnnspec-model th, .cnnspec-model td { text-align: left; padding: .1em .7em; vertical-align: top }
.cnnspec-model .soft { opacity: .7 }
</style>"""


def html(proto: ModelProto, size: int, labels: Sequence[str]) -> str:
    """What goes in and comes out, how large it is, what its classes are called, what it says of
    itself; `proto` may lack the numbers of its weights."""
    graph = proto.graph
    opset = next((o.version for o in proto.opset_import if not o.domain), 0)
    head = f"{len(graph.node):,} nodes · {of_bytes(size)} of weights · opset {opset}"
    names = {t.name for t in graph.initializer}
    ends = [("input", v) for v in graph.input if v.name not in names]
    ends += [("output", v) for v in graph.output]
    rows = [(what, f"{v.name} {_type(v)}") for what, v in ends]
    rows += [("labels", _labels(labels))] if labels else []
    rows += list(_said({p.key: p.value for p in proto.metadata_props}))
    body = "".join(
        f'<tr><td class="soft">{escape(safe(what))}</td><td>{escape(safe(text))}</td></tr>'
        for what, text in rows
    )
    name = escape(safe(graph.name))
    return (
        f'{STYLE}<div class="cnnspec-model"><p><b>{name}</b> · {head}</p>'
        f"<table><tbody>{body}</tbody></table></div>"
    )


def _type(value: Any) -> str:
    """`batch x 1x28x28 float32`."""
    tensor = value.type.tensor_type
    sizes = [
        d.dim_param or (str(d.dim_value) if d.HasField("dim_value") else "?")
        for d in tensor.shape.dim
    ]
    return (
        f"{'x'.join(sizes) or 'one number'} {TensorProto.DataType.Name(tensor.elem_type).lower()}"
    )


def _labels(labels: Sequence[str]) -> str:
    more = f", … ({len(labels):,} in all)" if len(labels) > MOST_LABELS else ""
    return ", ".join(labels[:MOST_LABELS]) + more


def _said(metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What the file says of itself, long texts cut off."""
    for key, value in metadata.items():
        if key == "cnnspec.labels":
            continue
        line = " ".join(value.split())
        if key.endswith("preprocessing"):
            line = ", ".join(_prepared(value)) or line
        yield key.removeprefix("cnnspec."), line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _prepared(text: str) -> Iterator[str]:
    try:
        told: Any = json.loads(text)
        for name, how in told.items():
            yield f"{name}: " + " ".join(f"{k}={json.dumps(v)}" for k, v in how.items())
    except (ValueError, AttributeError):
        return
