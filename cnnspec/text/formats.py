"""How are diagnostics told to other programs: JSON, SARIF, GitHub's log commands?

Lines and columns count from 1 in characters, an end stands behind the last character, offsets count
characters from 0.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnnspec.text.diagnostic import Diagnostic, Severity
from cnnspec.text.source import Span
from cnnspec.version import VERSION

SCHEMA = 1
"""Grows when a field of the JSON is taken away, renamed or given another meaning."""

Record = dict[str, Any]
"""An object of a JSON document."""


def to_json(diagnostics: Sequence[Diagnostic]) -> str:
    """One object; `docs/commands.md` says what its fields are."""
    errors = sum(d.severity is Severity.ERROR for d in diagnostics)
    return _dumps(
        {
            "schema": SCHEMA,
            "errors": errors,
            "warnings": len(diagnostics) - errors,
            "diagnostics": [_record(d) for d in diagnostics],
        }
    )


def _dumps(document: Record) -> str:
    # In ASCII: it passes any terminal and any encoding unharmed.
    return json.dumps(document, indent=2) + "\n"


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


# ── GitHub ─────────────────────────────────────────────────────────────────────────────────────


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
    head = ",".join(f"{name}={_escape(str(value), ':,')}" for name, value in fields.items())
    said = [d.message, *d.notes, *([f"hint: {d.hint}"] if d.hint else [])]
    return f"::{d.severity} {head}::{_escape(chr(10).join(said))}\n"


def _escape(text: str, also: str = "") -> str:
    """What would end a command or a field of it as `%0A`, and no other control character."""
    coded = "".join(c if c.isprintable() or c in "\r\n" else "\ufffd" for c in text)
    for character in "%\r\n" + also:
        coded = coded.replace(character, f"%{ord(character):02X}")
    return coded


# ── SARIF ──────────────────────────────────────────────────────────────────────────────────────


def to_sarif(diagnostics: Sequence[Diagnostic], page_of: Callable[[str], str | None]) -> str:
    """A SARIF 2.1.0 log with one run; `page_of` gives the page in Markdown that explains a code."""
    codes = sorted({d.code for d in diagnostics})
    driver: Record = {
        "name": "cnnspec",
        "version": VERSION,
        "rules": [_rule(code, page_of(code)) for code in codes],
    }
    run: Record = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, codes.index(d.code)) for d in diagnostics],
    }
    return _dumps(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [run],
        }
    )


def _rule(code: str, page: str | None) -> Record:
    if page is None:
        return {"id": code}
    # `# code`, then a paragraph that says in general what a message says of one place.
    paragraphs = [" ".join(p.split()) for p in page.split("\n\n") if not p.startswith("#")]
    return {
        "id": code,
        "shortDescription": {"text": paragraphs[0]},
        "help": {"text": page, "markdown": page},
    }


def _result(d: Diagnostic, index: int) -> Record:
    said = [d.message, *d.notes, *([f"hint: {d.hint}"] if d.hint else [])]
    related = [(label.text, label.span) for label in d.labels]
    related += [(f"in {f.text}", f.span) for f in (d.trail.chain() if d.trail else [])]
    return {
        "ruleId": d.code,
        "ruleIndex": index,
        "level": str(d.severity),
        "message": {"text": "\n".join(said)},
        "locations": [{"physicalLocation": _physical(d.span)}],
        "relatedLocations": [
            {"id": k, "physicalLocation": _physical(span), "message": {"text": text}}
            for k, (text, span) in enumerate(related, 1)
        ],
    }


def _physical(span: Span) -> Record:
    place = _place(span)
    return {
        "artifactLocation": {"uri": _uri(place["file"])},
        "region": {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
            "charOffset": place["start"],
            "charLength": place["end"] - place["start"],
        },
    }


def _uri(path: str) -> str:
    """A path as a URI, relative if it is: GitHub wants those of a repository so."""
    from pathlib import Path
    from urllib.parse import quote

    if Path(path).is_absolute():
        return Path(path).as_uri()
    return quote(Path(path).as_posix().encode("utf-8", "surrogateescape"))
