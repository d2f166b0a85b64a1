"""How are diagnostics told to other programs: JSON, SARIF, GitHub's log commands?"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnnspec.text.diagnostic import Diagnostic, Severity
from cnnspec.text.source import Span
from cnnspec.version import VERSION

Record = dict[str, Any]
"""An object of a JSON document."""


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """A list of objects; lines and columns count from 1, offsets are characters from 0."""
    return json.dumps([_record(d) for d in diagnostics], indent=2, ensure_ascii=False) + "\n"


def _record(d: Diagnostic) -> Record:
    return {
        "code": d.code,
        "severity": str(d.severity),
        "message": d.message,
        **_place(d.span),
        "labels": [{"message": label.text, **_place(label.span)} for label in d.labels],
        "notes": list(d.notes),
        "trail": [
            {"message": frame.text, **_place(frame.span)}
            for frame in (d.trail.chain() if d.trail else [])
        ],
        "hint": d.hint,
    }


def _place(span: Span) -> Record:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "start": span.start,
        "end": span.end,
    }


def to_github(diagnostics: Iterable[Diagnostic]) -> str:
    """Commands that make GitHub show each diagnostic at its line."""
    return "".join(_command(d) for d in diagnostics)


def _command(d: Diagnostic) -> str:
    place = _place(d.span)
    fields = {
        "file": place["file"],
        "line": place["line"],
        "endLine": place["end_line"],
        "col": place["column"],
        "endColumn": place["end_column"],
        "title": d.code,
    }
    head = ",".join(f"{k}={_escape(str(v), ',:')}" for k, v in fields.items())
    message = d.message if d.hint is None else f"{d.message} ({d.hint})"
    return f"::{d.severity} {head}::{_escape(message, '')}\n"


def _escape(text: str, also: str) -> str:
    for character in "%\r\n" + also:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def to_sarif(diagnostics: Sequence[Diagnostic], help_of: Callable[[str], str | None]) -> str:
    """A SARIF 2.1.0 log with one run; `help_of` gives the page of a code."""
    codes = sorted({d.code for d in diagnostics})
    log: Record = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "cnnspec",
                        "version": VERSION,
                        "rules": [_rule(code, help_of(code)) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(d, codes.index(d.code)) for d in diagnostics],
            }
        ],
    }
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(code: str, page: str | None) -> Record:
    rule: Record = {"id": code}
    if page is not None:
        rule["help"] = {"text": page, "markdown": page}
    return rule


def _result(d: Diagnostic, index: int) -> Record:
    text = d.message if d.hint is None else f"{d.message}. Hint: {d.hint}"
    return {
        "ruleId": d.code,
        "ruleIndex": index,
        "level": "error" if d.severity is Severity.ERROR else "warning",
        "message": {"text": text},
        "locations": [{"physicalLocation": _physical(d.span)}],
        "relatedLocations": [
            {"id": k, "physicalLocation": _physical(label.span), "message": {"text": label.text}}
            for k, label in enumerate(d.labels, 1)
        ],
    }


def _physical(span: Span) -> Record:
    place = _place(span)
    return {
        "artifactLocation": {"uri": place["file"]},
        "region": {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
            "charOffset": place["start"],
            "charLength": place["end"] - place["start"],
        },
    }
