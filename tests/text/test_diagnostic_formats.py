"""Do diagnostics reach other programs unharmed: JSON, SARIF, GitHub's log commands?"""

import json
from typing import Any

from cnnspec.text.diagnostic import Diagnostic, Frame, Label, Severity
from cnnspec.text.formats import to_github, to_json, to_sarif
from cnnspec.text.source import Source, Span
from cnnspec.version import VERSION

SOURCE = Source("nets/a b.cnn", "network {\n  input 3x8x8\n  cönv 𝟖 3x3\n}\n")


def span(text: str) -> Span:
    start = SOURCE.text.index(text)
    return Span(SOURCE, start, start + len(text))


ERROR = Diagnostic(
    "unknown-layer",
    Severity.ERROR,
    "there is no `cönv`: 100% sure",
    span("𝟖"),
    (Label(span("input"), "after this"),),
    ("the shape: 3x8x8",),
    Frame("block `b`", span("network")),
    "did you mean `conv`?",
)
WARNING = Diagnostic("unused-name", Severity.WARNING, "nobody asks", span("network"))

PLACE = {
    "file": "nets/a b.cnn",
    "line": 3,
    "column": 8,
    "end_line": 3,
    "end_column": 9,
    "start": 31,
    "end": 32,
}
"""Of the eight beyond 16 bits: one column, one character."""

INPUT = {
    "file": "nets/a b.cnn",
    "line": 2,
    "column": 3,
    "end_line": 2,
    "end_column": 8,
    "start": 12,
    "end": 17,
}
NETWORK = {
    "file": "nets/a b.cnn",
    "line": 1,
    "column": 1,
    "end_line": 1,
    "end_column": 8,
    "start": 0,
    "end": 7,
}


# ── JSON ───────────────────────────────────────────────────────────────────────────────────────


def test_json_holds_all_that_is_known() -> None:
    text = to_json([ERROR, WARNING])
    assert text.isascii()
    assert json.loads(text) == {
        "schema": 1,
        "errors": 1,
        "warnings": 1,
        "diagnostics": [
            {
                "code": "unknown-layer",
                "severity": "error",
                "message": "there is no `cönv`: 100% sure",
                **PLACE,
                "labels": [{"message": "after this", **INPUT}],
                "notes": ["the shape: 3x8x8"],
                "trail": [{"message": "block `b`", **NETWORK}],
                "hint": "did you mean `conv`?",
            },
            {
                "code": "unused-name",
                "severity": "warning",
                "message": "nobody asks",
                **NETWORK,
                "labels": [],
                "notes": [],
                "trail": [],
                "hint": None,
            },
        ],
    }


def test_offsets_are_characters_of_the_text() -> None:
    (found,) = json.loads(to_json([ERROR]))["diagnostics"]
    assert SOURCE.text[found["start"] : found["end"]] == "𝟖"


def test_nothing_wrong_is_an_object_too() -> None:
    assert json.loads(to_json([])) == {"schema": 1, "errors": 0, "warnings": 0, "diagnostics": []}


# ── GitHub ─────────────────────────────────────────────────────────────────────────────────────


def test_a_command_for_each() -> None:
    assert to_github([ERROR, WARNING]) == (
        "::error file=nets/a b.cnn,line=3,endLine=3,col=8,endColumn=9,title=unknown-layer::"
        "there is no `cönv`: 100%25 sure%0Athe shape: 3x8x8%0Ahint: did you mean `conv`?\n"
        "::warning file=nets/a b.cnn,line=1,endLine=1,col=1,endColumn=8,title=unused-name::"
        "nobody asks\n"
    )


def test_no_text_begins_a_command_of_its_own() -> None:
    source = Source("a,b:c\r\n%::error::.cnn", "x")
    found = to_github(
        [Diagnostic("a-code", Severity.ERROR, "x\r\n::set-env::\x1b[2J\u2028", Span(source, 0, 1))]
    )
    assert found == (
        "::error file=a%2Cb%3Ac%0D%0A%25%3A%3Aerror%3A%3A.cnn,line=1,endLine=1,col=1,endColumn=2,"
        "title=a-code::x%0D%0A::set-env::\ufffd[2J\ufffd\n"
    )


# ── SARIF ──────────────────────────────────────────────────────────────────────────────────────


def page_of(code: str) -> str | None:
    return f"# {code}\n\nNothing is\ncalled so.\n\nMore.\n" if code == "unknown-layer" else None


def test_sarif() -> None:
    """Against the schema's required properties; a log like this one has passed the schema."""
    text = to_sarif([WARNING, ERROR, WARNING], page_of)
    assert text.isascii()
    log: dict[str, Any] = json.loads(text)
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("cnnspec", VERSION)
    assert driver["rules"] == [
        {
            "id": "unknown-layer",
            "shortDescription": {"text": "Nothing is called so."},
            "help": {"text": page_of("unknown-layer"), "markdown": page_of("unknown-layer")},
        },
        {"id": "unused-name"},
    ]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    levels = [(result["ruleId"], result["level"]) for result in run["results"]]
    assert levels == [
        ("unused-name", "warning"),
        ("unknown-layer", "error"),
        ("unused-name", "warning"),
    ]


def test_a_result_of_sarif() -> None:
    (result,) = json.loads(to_sarif([ERROR], page_of))["runs"][0]["results"]
    assert result["message"] == {
        "text": "there is no `cönv`: 100% sure\nthe shape: 3x8x8\nhint: did you mean `conv`?"
    }
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "nets/a%20b.cnn"},
                "region": {
                    "startLine": 3,
                    "startColumn": 8,
                    "endLine": 3,
                    "endColumn": 9,
                    "charOffset": 31,
                    "charLength": 1,
                },
            }
        }
    ]
    related = [(r["id"], r["message"]["text"]) for r in result["relatedLocations"]]
    assert related == [(1, "after this"), (2, "in block `b`")]
    assert all("region" in r["physicalLocation"] for r in result["relatedLocations"])


def test_names_of_files_as_uris() -> None:
    def uri(name: str) -> str:
        found = Diagnostic("a-code", Severity.ERROR, "m", Span(Source(name, "x"), 0, 1))
        (result,) = json.loads(to_sarif([found], page_of))["runs"][0]["results"]
        place: str = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        return place

    assert uri("/nets/ä.cnn") == "file:///nets/%C3%A4.cnn"
    assert uri("../x.cnn") == "../x.cnn"
    assert uri("<stdin>") == "%3Cstdin%3E"
    assert uri("odd\udcff.cnn") == "odd%FF.cnn"
