"""What does the JSON of a report hold? Its schema, for programs and as a page for people."""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from cnnspec.report.facts import (
    SCHEMA,
    Conventions,
    End,
    InferenceMemory,
    Model,
    Report,
    Row,
    Share,
    Sum,
    Totals,
    TrainingMemory,
)

PARTS: tuple[type[Model], ...] = (
    Report,
    End,
    Row,
    Sum,
    Totals,
    InferenceMemory,
    TrainingMemory,
    Share,
    Conventions,
)

INTRODUCTION = f"""# The report as JSON

`cnnspec report FILE --format json` prints one object, a `Report`. This page is generated from the
code; `cnnspec report --schema` prints the same as a JSON Schema.

`schema` is {SCHEMA}. It grows when a field is taken away, renamed or given another meaning; a new
field alone does not change it, so a reader should pass over fields that it does not know.

Sizes of values leave out the batch: `[6, 28, 28]` is six maps of 28x28, `[120]` a flat vector.
Everything in bytes is for `batch` images; parameters, macs and connections are for one.
"""


def json_schema() -> str:
    """The JSON Schema of a report."""
    return json.dumps(Report.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False)


def page() -> str:
    """docs/report-schema.md."""
    return INTRODUCTION + "".join(_part(part) for part in PARTS)


def _part(part: type[Model]) -> str:
    schema = part.model_json_schema(mode="serialization")
    properties = cast("Mapping[str, Mapping[str, object]]", schema["properties"])
    lines = [f"\n## {part.__name__}\n", f"{schema['description']}\n"]
    lines += ["| field | type | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{n}` | {_type(p)} | {_meaning(n, p)} |" for n, p in properties.items()]
    return "\n".join(lines) + "\n"


def _meaning(name: str, schema: Mapping[str, object]) -> str:
    text = schema.get("description") or schema.get("default")
    assert isinstance(text, str), f"field {name} of the report has no description"
    return text.replace("|", "\\|")


def _type(schema: Mapping[str, object]) -> str:
    """`list of integers`, `Row`, `string or null`."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{v}`" for v in cast("Sequence[str]", schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(
            _type(s) for s in cast("Sequence[Mapping[str, object]]", schema["anyOf"])
        )
    if schema["type"] == "array":
        item = cast("Mapping[str, object]", schema["items"])
        return f"list of {_type(item)}{'s' if 'type' in item else ''}"
    if schema["type"] == "object":
        inner = cast("Mapping[str, object]", schema["additionalProperties"])
        return f"object of {_type(inner)} by name"
    return str(schema["type"])
