"""What is to be said of a token that fits nowhere? Never in the parser's words."""

from typing import NamedTuple

from cnnspec.text.diagnostic import Label
from cnnspec.text.source import Span

KEYWORDS = frozenset(
    {
        "USE",
        "PARAM",
        "BLOCK",
        "NETWORK",
        "TRAIN",
        "LET",
        "REPEAT",
        "FOR",
        "IN",
        "IF",
        "ELSE",
        "EXPECT",
        "HEAD",
        "_AS",
        "OR",
        "AND",
        "NOT",
    }
)
_OPERATORS = frozenset({"PLUS", "MINUS", "PRODUCT_OP", "POWER", "COMPARE", "OR", "AND", "NOT"})
_VALUES = frozenset({"NUMBER", "STRING", "NAME", "LPAR", "LSQB"})
_ITEMS = frozenset({"USE", "PARAM", "BLOCK", "NETWORK", "TRAIN"})
ITEMS = "`network`, `block`, `param`, `let`, `use`, `train` or `expect`"
"""What stands outside of all braces."""

STATEMENTS = frozenset({"LET", "REPEAT", "FOR", "IF", "EXPECT", "HEAD"})
_UNFINISHED = _OPERATORS | {"EQUAL", "_ARROW", "_AS", "_COMMA", "_DOT"} | STATEMENTS
"""Behind these something is missing, whatever follows."""

_LOOKALIKES = {
    "×": "a size is written with the letter x, as in 5x5",
    "“": 'a text stands in straight quotes, as in "file.cnn"',
    "”": 'a text stands in straight quotes, as in "file.cnn"',
    "→": "an arrow is written ->",
    "–": "a minus is written -",
    "−": "a minus is written -",
    "·": "a product is written with *",
    "≤": "write <=",
    "≥": "write >=",
    "\u00a0": "this is a no-break space; write a plain one",
}
_STRAY_HINTS = {
    ":": "an argument is given as in pad=1",
    ";": "a statement ends with its line",
    "'": 'a text stands in double quotes, as in "file.cnn"',
    "!": "write `not`, or != to compare",
    "&": "write `and`",
    "^": "a power is written **",
    "@": "a comment begins with #",
    "$": "a param is used by its plain name",
}


class Context(NamedTuple):
    """A token that fits nowhere, what stands before it, and what would fit."""

    kind: str
    text: str
    span: Span
    before_kind: str
    before: str
    before_span: Span | None
    expected: frozenset[str]
    open_bracket: Span | None
    statement: str
    """The kind of the word that begins the statement, such as `LET`."""


class Complaint(NamedTuple):
    code: str
    message: str
    span: Span
    hint: str | None = None
    labels: tuple[Label, ...] = ()


def complain(c: Context) -> Complaint:
    """The message for a token, by what it is, then by what stands before it."""
    special = _of_token(c)
    if special is not None:
        return special
    span = _visible(c)
    if c.open_bracket is not None and c.kind in ("_NL", "$END", "RBRACE", "LBRACE", "_ARROW"):
        bracket = c.open_bracket.text
        return Complaint(
            "unclosed",
            f"this `{bracket}` is not closed before {_found(c)}",
            c.open_bracket,
            "a `)` is missing" if bracket == "(" else "a `]` is missing",
        )
    return Complaint("syntax", f"expected {_expected(c)}; found {_found(c)}", span, _hint(c))


def _of_token(c: Context) -> Complaint | None:
    """Tokens that are wrong wherever they stand."""
    match c.kind:
        case "STRAY":
            return _stray(c)
        case "OPEN_STRING":
            return Complaint(
                "unclosed", "this text is not closed on its line", c.span, 'a `"` is missing'
            )
        case "_COMMA" if c.statement in ("LET", "FOR") and c.before_kind == "NAME":
            return Complaint(
                "syntax",
                "several names stand in parentheses",
                c.span,
                "write it as in `let (a, b) = …`",
            )
        case "_COMMA" if c.open_bracket is None and c.before_kind not in ("EQUAL", "_ARROW"):
            return Complaint(
                "syntax",
                "arguments are separated by spaces; found a comma",
                c.span,
                "remove the comma",
            )
        case "_CALL_OPEN" if "_CALL_OPEN" not in c.expected and c.before_kind == "NAME":
            return Complaint(
                "syntax",
                f"the arguments of `{c.before}` follow its name without parentheses",
                c.span,
                f"write `{c.before} …`, or a space before a tuple",
            )
        case "BAR" if c.open_bracket is None and c.before_kind not in _UNFINISHED:
            return Complaint(
                "syntax",
                "a branch stands inside a merge only",
                c.span,
                "write the branches as in `add { | … | … }`",
            )
        case _:
            return None


def _stray(c: Context) -> Complaint:
    first = c.text[0]
    if first < " " or first == "\x7f":
        number = f"U+{ord(first):04X}"
        return Complaint(
            "unreadable-character", f"the control character {number} has no meaning here", c.span
        )
    shown = c.text if len(c.text) <= 10 else f"{c.text[:10]}…"
    what = f"`{shown}` has no meaning here"
    if first.isalpha():
        return Complaint(
            "unreadable-character",
            what,
            c.span,
            "names are made of the letters a to z, digits and _",
        )
    return Complaint(
        "unreadable-character", what, c.span, _LOOKALIKES.get(first, _STRAY_HINTS.get(first))
    )


def _expected(c: Context) -> str:
    """What would fit, as said by what stands before."""
    before = c.before
    match c.before_kind:
        case "EQUAL":
            return "a value after `=`"
        case "_ARROW":
            return "a layer or a block after `->`"
        case "_AS":
            return "a name after `as`"
        case "_COMMA":
            return "a value after the comma"
        case "_DOT":
            return "a name after the dot"
        case "USE":
            return 'a file in quotes after `use`, as in "blocks.cnn"'
        case "PARAM" | "BLOCK" | "HEAD":
            return f"a name after `{before}`"
        case "LET" | "FOR":
            return f"a name, or names in parentheses, after `{before}`"
        case "REPEAT" | "IF" | "EXPECT" | "IN":
            return f"a value after `{before}`"
        case "NETWORK":
            return "a name or `{` after `network`"
        case "TRAIN":
            return "`{` after `train`"
        case kind if kind in _OPERATORS:
            return f"a value after `{before}`"
        case _:
            return _expected_by_state(c)


def _expected_by_state(c: Context) -> str:
    expected = c.expected
    if "RBRACE" in expected and "BAR" in expected and not expected & {"NAME", "_NL"}:
        return "a branch, which begins with `|`, or `}`"
    if expected <= {"BAR"}:
        return "a branch, which begins with `|`"
    if "LBRACE" in expected and "_NL" not in expected:
        return "`{`"
    if expected & _ITEMS:
        return ITEMS
    if "IN" in expected and c.statement == "FOR" and not expected & _VALUES:
        return f"`in` after `{c.before}`"
    if "EQUAL" in expected and not expected & _VALUES:
        return f"`=` after `{c.before}`"
    if {"NAME", "RBRACE"} <= expected and "EQUAL" not in expected and "NUMBER" not in expected:
        return "a layer, a block or a statement"
    if "_NL" in expected:
        return "the end of the line"
    if "RPAR" in expected or "RSQB" in expected:
        return "`)`" if "RPAR" in expected else "`]`"
    return "a value" if expected & _VALUES else "the end of the line"


def _found(c: Context) -> str:
    match c.kind:
        case "_NL":
            return "the end of the line"
        case "$END":
            return "the end of the file"
        case "NUMBER":
            return f"the number {_shorten(c.text)}"
        case "STRING":
            return f"the text {_shorten(c.text)}"
        case "_CALL_OPEN":
            return "`(`"
        case "_INDEX_OPEN":
            return "`[`"
        case kind if kind in KEYWORDS:
            return f"`{c.text}`, a word of the language"
        case _:
            return f"`{_shorten(c.text)}`"


def _hint(c: Context) -> str | None:
    if c.kind in KEYWORDS and c.kind != "IN":
        return _hint_of_keyword(c)
    if c.kind == "EQUAL":
        if c.before_kind == "EQUAL" or c.statement in ("EXPECT", "IF"):
            return "a comparison is written =="
        is_first = c.before_kind == "NAME" and not c.statement
        return f"a name gets its value as in `let {c.before} = …`" if is_first else None
    if c.kind == "LBRACE" and c.before_kind == "NAME" and "_NL" in c.expected:
        return "only merges such as `add` take braces"
    if c.kind == "NAME" and c.expected & _ITEMS:
        return "layers stand inside `network Name { … }`"
    if c.before_kind == "LBRACE" and "BAR" in c.expected and "NAME" not in c.expected:
        return "the braces of a layer hold branches, as in `add { | … | … }`"
    return None


def _hint_of_keyword(c: Context) -> str | None:
    if c.kind == "ELSE":
        return "an `else` follows the `}` of an `if`"
    if c.kind in _ITEMS and c.before_kind in ("_NL", "LBRACE", "RBRACE", "BAR"):
        return f"`{c.text}` stands outside of all braces"
    if c.kind in STATEMENTS and "_NL" in c.expected:
        return "it begins a line of its own"
    return "a word of the language cannot be a name" if "NAME" in c.expected else None


def _visible(c: Context) -> Span:
    """A place that can be underlined: the end of a line is shown behind its last word."""
    if c.kind in ("_NL", "$END") and c.before_span is not None:
        end = c.before_span.end
        return (
            Span(c.span.source, end, end + 1) if c.kind == "_NL" else Span(c.span.source, end, end)
        )
    return c.span


def _shorten(text: str) -> str:
    return text if len(text) <= 30 else f"{text[:29]}…"
