"""Has every program one canonical form, which says the same and keeps the comments?"""

import random
import re
from pathlib import Path

import pytest

from cnnspec.syntax import tree
from cnnspec.syntax.format import format_file, same_program
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source

HERE = Path(__file__).parent
SPECS = sorted((HERE.parents[1] / "specs").glob("*.cnn"))
PAIRS = sorted(HERE.glob("*.untidy.cnn"))


def read(text: str) -> tree.File:
    sink = Sink()
    file = parse(Source("net.cnn", text), sink)
    assert [d.message for d in sink.diagnostics] == []
    return file


def formatted(text: str) -> str:
    """The canonical form, which says the same and has the canonical form of itself."""
    file = read(text)
    canonical = format_file(file)
    again = read(canonical)
    assert same_program(file, again)
    assert format_file(again) == canonical
    return canonical


def comments(text: str) -> list[str]:
    return [c.span.text.strip() for c in read(text).comments]


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_zoo_is_canonical(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize("path", PAIRS, ids=lambda p: p.name.partition(".")[0])
def test_an_untidy_file_and_its_canonical_form(path: Path) -> None:
    canonical = path.with_name(path.name.replace(".untidy", "")).read_text(encoding="utf-8")
    assert formatted(path.read_text(encoding="utf-8")) == canonical
    assert formatted(canonical) == canonical


def test_there_are_pairs() -> None:
    assert len(PAIRS) >= 4


def untidy(text: str, dice: random.Random) -> tuple[str, list[str]]:
    """The same program with other blanks and line ends, and comments; and those comments."""
    lines: list[str] = []
    added: list[str] = []

    def comment() -> str:
        added.append(f"# note {len(added)}")
        return added[-1]

    for line in text.splitlines():
        code, mark, said = line.partition("#")
        code = re.sub(r" {2,}| (?=[|{}])", lambda m: " " * dice.randint(1, 4), code)
        line = " " * dice.randrange(5) + code.strip() + "  " + mark + said
        if dice.random() < 0.1:
            lines.append(" " * dice.randrange(3))
        if dice.random() < 0.1:
            lines.append(" " * dice.randrange(9) + comment())
        if not mark and dice.random() < 0.15:
            line += comment()
        lines.append(line + " " * dice.randrange(3))
    return "\n".join(lines), added


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_untidy_variants(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    dice = random.Random(path.stem)
    for _ in range(3):
        variant, added = untidy(text, dice)
        assert same_program(read(variant), read(text))
        canonical = formatted(variant)
        assert sorted(comments(canonical)) == sorted([*comments(text), *added])


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_blanks_alone_change_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pieces = (re.sub(r"^ +", lambda m: m[0] * 3, line) + "  " for line in text.splitlines())
    assert formatted("\n".join(pieces)) == text


# A comment anywhere in a statement that is broken into lines.
BROKEN = """\
use "a.cnn" depth=50
param sizes = [
  1,
  2
]
block unit(a, b=3) {
  conv a 3x3
  -> relu
  -> tanh
  add {
    |
    | relu
      tanh
  } as sum
  if a {
    relu
  } else if b {
    tanh
  } else {
    relu
  }
}
network {
  head a {
    relu
  }
}
"""


def test_a_comment_may_stand_behind_any_line() -> None:
    lines = BROKEN.splitlines()
    for k in range(len(lines)):
        text = "\n".join([*lines[:k], f"{lines[k]} # here", *lines[k + 1 :]])
        assert comments(formatted(text)) == ["# here"], lines[k]


def test_a_comment_may_stand_before_any_line() -> None:
    lines = BROKEN.splitlines()
    for k in range(len(lines) + 1):
        text = "\n".join([*lines[:k], "# here", *lines[k:]])
        assert comments(formatted(text)) == ["# here"], "\n".join(lines[max(0, k - 1) : k + 1])


def test_a_comment_behind_every_line() -> None:
    text = "\n".join(f"{line} # {k}" for k, line in enumerate(BROKEN.splitlines()))
    found = " ".join(comments(formatted(text)))
    assert re.findall(r"# \d+", found) == [f"# {k}" for k in range(len(BROKEN.splitlines()))]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("\n\n", ""),
        ("# only a comment", "# only a comment\n"),
        ("param  a=1+2 * 3", "param a = 1 + 2*3\n"),
        ("param a = (  1 ,2, )", "param a = (1, 2)\n"),
        ("param a = (1,)", "param a = (1,)\n"),
        ("param a = - 1", "param a = -1\n"),
        ("param a = not  b and c", "param a = not b and c\n"),
        ("network{input 8}", "network { input 8 }\n"),
        ("network\n{\n}", "network { }\n"),
        ("network { conv a + 1 3x3 }", "network { conv a+1 3x3 }\n"),
        ("network { conv a (-1) }", "network { conv a (-1) }\n"),
        ("network { conv pad = same }", "network { conv pad=same }\n"),
        ("block a( b,c = 1 ){ }", "block a(b, c=1) { }\n"),
        ("block a() { }", "block a { }\n"),
        ("network { for(a,b)in xs{ relu } }", "network { for (a, b) in xs { relu } }\n"),
        ("network { add{|relu|} }", "network { add { | relu | } }\n"),
    ],
)
def test_canonical_forms(text: str, canonical: str) -> None:
    assert formatted(text) == canonical


def test_what_has_mistakes_is_not_formatted() -> None:
    with pytest.raises(AssertionError, match="a file with mistakes is not formatted"):
        format_file(parse(Source("net.cnn", "network { input 8 8, }"), Sink()))


def test_programs_differ_by_what_they_say() -> None:
    a = read("network { conv 1 }")
    assert same_program(a, read("network  {\n  conv 1  # one\n}"))
    for text in (
        "network { conv 2 }",
        "network { conv n=1 }",
        "network A { conv 1 }",
        "network { }",
    ):
        assert not same_program(a, read(text))
