"""Does each mistake get one message, which says what is so at the narrowest place?"""

import pytest

from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


def said(text: str) -> list[str]:
    """`line:column-width message; hint` for each diagnostic of a text."""
    sink = Sink()
    parse(Source("net.cnn", text), sink)
    lines: list[str] = []
    for d in sink.ordered():
        line, column = d.span.source.position(d.span.start)
        hint = f"; {d.hint}" if d.hint else ""
        lines.append(f"{line}:{column}-{d.span.end - d.span.start} {d.message}{hint}")
    return lines


WORD = "a word of the language cannot be a name"
BRANCHES = "the braces of a layer hold branches, as in `add { | … | … }`"

IN_A_NETWORK = [
    ("conv 64, 3x3", "2:8-1 arguments are separated by spaces; found a comma; remove the comma"),
    (
        "conv(64, 3x3)",
        "2:5-1 the arguments of `conv` follow its name without parentheses; "
        "write `conv …`, or a space before a tuple",
    ),
    ("conv 64 pad=", "2:13-1 expected a value after `=`; found the end of the line"),
    ("conv 64 ->", "2:11-1 expected a layer or a block after `->`; found the end of the line"),
    ("-> conv 64", "2:1-2 expected a layer, a block or a statement; found `->`"),
    ("conv 64 -> -> relu", "2:12-2 expected a layer or a block after `->`; found `->`"),
    ("relu as 5", "2:9-1 expected a name after `as`; found the number 5"),
    (
        "relu as let",
        f"2:9-3 expected a name after `as`; found `let`, a word of the language; {WORD}",
    ),
    (
        "relu | tanh",
        "2:6-1 a branch stands inside a merge only; write the branches as in `add { | … | … }`",
    ),
    ("add { relu }", f"2:7-4 expected a branch, which begins with `|`; found `relu`; {BRANCHES}"),
    ("add { | conv pad= | relu }", "2:19-1 expected a value after `=`; found `|`"),
    ("concat { | relu | } axis=1", "2:21-4 expected the end of the line; found `axis`"),
    ("repeat 3 { relu } tanh", "2:19-4 expected the end of the line; found `tanh`"),
    ("repeat { relu }", "2:8-1 expected a value after `repeat`; found `{`"),
    ("repeat 3 relu", "2:10-4 expected `{`; found `relu`"),
    ("for x xs { relu }", "2:7-2 expected `in` after `x`; found `xs`"),
    ("let a 5", "2:7-1 expected `=` after `a`; found the number 5"),
    ("let a, b = 5", "2:6-1 several names stand in parentheses; write it as in `let (a, b) = …`"),
    ("let = 5", "2:5-1 expected a name, or names in parentheses, after `let`; found `=`"),
    (
        "a = 5",
        "2:3-1 expected the end of the line; found `=`; a name gets its value as in `let a = …`",
    ),
    (
        "expect a = 5",
        "2:10-1 expected the end of the line; found `=`; a comparison is written ==",
    ),
    ("expect 1 < 2 < 3", "2:14-1 comparisons do not chain; join two of them with `and`"),
    (
        "conv 1 * not yes",
        "2:10-3 `not` binds less than what stands before it; put it in parentheses",
    ),
    (
        "else { relu }",
        "2:1-4 expected a layer, a block or a statement; found `else`, a word of the language; "
        "an `else` follows the `}` of an `if`",
    ),
    (
        "param a = 5",
        "2:1-5 expected a layer, a block or a statement; found `param`, a word of the language; "
        "`param` stands outside of all braces",
    ),
    (
        "conv 1 if yes",
        "2:8-2 expected the end of the line; found `if`, a word of the language; "
        "it begins a line of its own",
    ),
    ("conv (1", "2:6-1 this `(` is not closed before the end of the line; a `)` is missing"),
    ("conv xs[1", "2:8-1 this `[` is not closed before the end of the line; a `]` is missing"),
    ("conv 1)", "2:7-1 expected the end of the line; found `)`"),
    ("conv 3X3", "2:6-3 `3X3` is no number; a size is written 3x3"),
    ("conv 3x", "2:6-2 `3x` is no number; a size has a number on both sides of each x, as in 3x3"),
    ("conv 5mb", "2:6-3 `5mb` is no number; did you mean `5MB`?"),
    (
        "conv 1.2.3",
        "2:6-5 `1.2.3` is no number; numbers are written as in 6, 0.5, 1e-3, 61_706 or 0.5M",
    ),
    ("conv 5×5", "2:7-1 `×` has no meaning here; a size is written with the letter x, as in 5x5"),
    ("relu → tanh", "2:6-1 `→` has no meaning here; an arrow is written ->"),
    (
        "conv “a”",
        '2:6-1 `“` has no meaning here; a text stands in straight quotes, as in "file.cnn"',
    ),
    ('conv "a', '2:6-2 this text is not closed on its line; a `"` is missing'),
    ("relu; tanh", "2:5-1 `;` has no meaning here; a statement ends with its line"),
    ("a & b", "2:3-1 `&` has no meaning here; write `and`"),
    ("relu\x07", "2:5-1 the control character U+0007 has no meaning here"),
    ("é", "2:1-1 `é` has no meaning here; names are made of the letters a to z, digits and _"),
    ("}", "3:1-1 this `}` closes nothing; remove it"),
]


@pytest.mark.parametrize(("line", "message"), IN_A_NETWORK)
def test_one_mistake_one_message(line: str, message: str) -> None:
    assert said(f"network A {{\n{line}\n}}\n") == [message]


ITEMS = "`network`, `block`, `param`, `let`, `use`, `train` or `expect`"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "conv 64",
            f"1:1-4 expected {ITEMS}; found `conv`; layers stand inside `network Name {{ … }}`",
        ),
        ("network", "1:8-0 expected a name or `{` after `network`; found the end of the file"),
        ("network A", "1:10-0 expected `{`; found the end of the file"),
        ("network A { } foo", "1:15-3 expected the end of the line; found `foo`"),
        ("network A {\n  relu\n", "1:11-1 this `{` is never closed; a `}` is missing"),
        ("network A { }\n}", "2:1-1 this `}` closes nothing; remove it"),
        ("param 5 = 1", "1:7-1 expected a name after `param`; found the number 5"),
        ("param a 5", "1:9-1 expected `=` after `a`; found the number 5"),
        ("param a = 5 6", "1:13-1 expected the end of the line; found the number 6"),
        ("block a(b", "1:8-1 this `(` is not closed before the end of the file; a `)` is missing"),
        ("block a(b,,c) { }", "1:11-1 expected a value after the comma; found `,`"),
        ("block a(b=) { }", "1:11-1 expected a value after `=`; found `)`"),
        ("use a", '1:5-1 expected a file in quotes after `use`, as in "blocks.cnn"; found `a`'),
        ("train a { }", "1:7-1 expected `{` after `train`; found `a`"),
        (
            "network A { } network B { }",
            "1:15-7 expected the end of the line; found `network`, a word of the language; "
            "`network` stands outside of all braces",
        ),
    ],
)
def test_one_mistake_outside_of_braces(text: str, message: str) -> None:
    assert said(text) == [message]


def test_five_mistakes_five_messages() -> None:
    text = """\
param classes 10
block unit(width) {
  conv width, 3x3
  relu ->
}
network A {
  input 3X32x32
  unit(64)
  fc classes
}
"""
    assert [line.partition(" ")[0] for line in said(text)] == [
        "1:15-2",
        "3:13-1",
        "4:10-1",
        "7:9-7",
        "8:7-1",
    ]


def test_what_follows_a_mistake_is_read() -> None:
    sink = Sink()
    file = parse(
        Source("net.cnn", "network A {\n  concat { | } axis\n  relu\n}\nlet a = 1\n"), sink
    )
    assert len(sink.diagnostics) == 1
    network, let = file.items
    assert isinstance(network, tree.Network)
    assert isinstance(let, tree.Let)
    broken, relu = network.body.statements
    assert isinstance(broken, tree.Broken)
    assert broken.span.text == "concat { | } axis"
    assert isinstance(relu, tree.Flow)


def test_an_unclosed_brace_is_found_by_indentation() -> None:
    text = """\
network A {
  input 8
  repeat 3 {
    add {
      | fc 8
      |
    relu
  }
  fc 2
}
"""
    assert said(text) == ["4:9-1 this `{` is never closed; a `}` is missing"]


def test_an_unclosed_block_ends_before_the_next() -> None:
    text = "block a() {\n  relu\n\nblock b() {\n  tanh\n}\nnetwork N {\n  input 8\n}\n"
    assert said(text) == ["1:11-1 this `{` is never closed; a `}` is missing"]


def test_an_unopened_brace() -> None:
    text = "network A {\n  input 8\n  }\n  relu\n}\n"
    assert said(text)[-1] == "5:1-1 this `}` closes nothing; remove it"


def test_messages_have_an_end() -> None:
    assert len(said("network A {\n" + "foo bar = =\n" * 1000)) == 100
