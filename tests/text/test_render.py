"""How do diagnostics look in a terminal?"""

import random
import re
from textwrap import dedent

import pytest

from cnnspec.text.diagnostic import Diagnostic, Frame, Label, Severity
from cnnspec.text.excerpt import columns, excerpt, plain, safe
from cnnspec.text.render import render, render_all, summary
from cnnspec.text.source import Source, Span

ACCENT = "\u0301"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

TINY = Source(
    "specs/tiny.cnn",
    dedent(
        """\
        block stage(c) {
          repeat 4 {
            conv c 3x3
            gn groups=5
          }
        }

        network Tiny {
          input 3x32x32
          conv 64 3x3
          for w in [64, 64] { stage w }
        }
        """
    ),
)


def span(source: Source, text: str, *, at: int = 1) -> Span:
    """The `at`-th place of a text in a source."""
    start = -1
    for _ in range(at):
        start = source.text.index(text, start + 1)
    return Span(source, start, start + len(text))


def error(
    place: Span,
    *,
    message: str = "this is wrong",
    labels: tuple[Label, ...] = (),
    notes: tuple[str, ...] = (),
    trail: Frame | None = None,
    hint: str | None = None,
    severity: Severity = Severity.ERROR,
) -> Diagnostic:
    return Diagnostic("a-code", severity, message, place, labels, notes, trail, hint)


def shown(diagnostic: Diagnostic, width: int = 120) -> str:
    return "\n" + render(diagnostic, width=width)


def of(text: str, start: int, end: int) -> Span:
    return Span(Source("a.cnn", text), start, end)


# ── the parts ──────────────────────────────────────────────────────────────────────────────────


def test_everything_that_can_be_said() -> None:
    call = Frame("turn 2 of 2 of `for`", span(TINY, "for w"))
    stage = Frame("block `stage`", span(TINY, "stage w"), call)
    trail = Frame("repeat 3 of 4", span(TINY, "repeat 4"), stage)
    diagnostic = Diagnostic(
        "indivisible-groups",
        Severity.ERROR,
        "64 channels do not split into 5 equal groups",
        span(TINY, "groups=5"),
        (Label(span(TINY, "conv c 3x3"), "64x28x28 comes from here"),),
        ("the shape: 3x32x32 by `input` in line 9",),
        trail,
        "64 divides by 1, 2, 4, 8, 16, 32, 64",
    )
    assert (
        shown(diagnostic)
        == """
error[indivisible-groups]: 64 channels do not split into 5 equal groups
  --> specs/tiny.cnn:4:8
  |
3 |     conv c 3x3
  |     ---------- 64x28x28 comes from here
4 |     gn groups=5
  |        ^^^^^^^^
  = the shape: 3x32x32 by `input` in line 9
  = in repeat 3 of 4, at specs/tiny.cnn:2:3
  = in block `stage`, turn 2 of 2 of `for`, called at specs/tiny.cnn:11:23
  = hint: 64 divides by 1, 2, 4, 8, 16, 32, 64
"""
    )


def test_a_warning_and_nothing_else() -> None:
    assert (
        shown(error(span(TINY, "conv 64 3x3"), severity=Severity.WARNING))
        == """
warning[a-code]: this is wrong
   --> specs/tiny.cnn:10:3
   |
10 |   conv 64 3x3
   |   ^^^^^^^^^^^
"""
    )


def test_lines_in_between_are_left_out() -> None:
    first = Label(span(TINY, "stage"), "the block")
    assert (
        shown(error(span(TINY, "stage w"), labels=(first,)))
        == """
error[a-code]: this is wrong
   --> specs/tiny.cnn:11:23
   |
 1 | block stage(c) {
   |       ----- the block
   ⋮
11 |   for w in [64, 64] { stage w }
   |                       ^^^^^^^
"""
    )


def test_several_marks_in_one_line() -> None:
    source = Source("a.cnn", "conv 8 3x3 pad=1 pad=2\n")
    labels = (Label(span(source, "pad=1"), "first here"), Label(span(source, "conv"), "of this"))
    assert (
        shown(error(span(source, "pad=2"), labels=labels))
        == """
error[a-code]: this is wrong
  --> a.cnn:1:18
  |
1 | conv 8 3x3 pad=1 pad=2
  | ---- of this
  |            ----- first here
  |                  ^^^^^
"""
    )


def test_a_label_in_another_file_says_where() -> None:
    other = Source("blocks.cnn", "# blocks\nblock stage { relu }\n")
    labels = (Label(span(other, "stage"), "the other is here"),)
    assert (
        shown(error(span(TINY, "stage"), labels=labels))
        == """
error[a-code]: this is wrong
  --> specs/tiny.cnn:1:7
  |
1 | block stage(c) {
  |       ^^^^^
  ::: blocks.cnn:2:7
2 | block stage { relu }
  |       ----- the other is here
"""
    )


def test_a_span_over_several_lines_is_marked_where_it_begins_and_ends() -> None:
    start = TINY.text.index("repeat 4")
    end = TINY.text.index("  }\n") + 4
    assert (
        shown(error(Span(TINY, start, end)))
        == """
error[a-code]: this is wrong
  --> specs/tiny.cnn:2:3
  |
2 |   repeat 4 {
  |   ^^^^^^^^^^
  ⋮
5 |   }
  |   ^
"""
    )


def test_a_label_over_several_lines_is_told_at_its_end() -> None:
    source = Source("a.cnn", "add {\n  | in\n  | conv 8 3x3\n}\nrelu\n")
    label = Label(Span(source, 0, source.text.index("}") + 1), "this merge")
    assert (
        shown(error(span(source, "relu"), labels=(label,)))
        == """
error[a-code]: this is wrong
  --> a.cnn:5:1
  |
1 | add {
  | -----
  ⋮
4 | }
  | - this merge
5 | relu
  | ^^^^
"""
    )


def test_many_blocks_around_are_counted() -> None:
    trail: Frame | None = None
    for n in range(20):
        trail = Frame(f"block `b{n}`", span(TINY, "stage w"), trail)
    lines = render(error(span(TINY, "gn"), trail=trail)).splitlines()
    assert lines[-2] == "  = in block `b12`, called at specs/tiny.cnn:11:23"
    assert lines[-1] == "  = and in 12 more around these"


def test_a_list_ends_with_its_counts() -> None:
    wrong, odd = error(span(TINY, "gn")), error(span(TINY, "gn"), severity=Severity.WARNING)
    assert summary([wrong]) == "1 error"
    assert summary([odd, odd]) == "2 warnings"
    assert render_all([wrong, odd, wrong]).endswith("^^\n\n2 errors, 1 warning\n")
    assert render_all([]) == ""


# ── odd places ─────────────────────────────────────────────────────────────────────────────────


def test_the_end_of_a_file() -> None:
    text = "network {\n"
    assert (
        shown(error(of(text, len(text), len(text))))
        == """
error[a-code]: this is wrong
  --> a.cnn:2:1
  |
2 |
  | ^
"""
    )


def test_the_end_of_a_line() -> None:
    assert shown(error(of("conv 8\nrelu", 6, 6))).splitlines()[-2:] == ["1 | conv 8", "  |       ^"]
    assert shown(error(of("conv 8\nrelu", 6, 7))).splitlines()[-2:] == ["1 | conv 8", "  |       ^"]


def test_an_empty_file_shows_no_line() -> None:
    assert shown(error(of("", 0, 0))) == "\nerror[a-code]: this is wrong\n  --> a.cnn:1:1\n"


# ── odd letters ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "under"),
    [
        ("\tconv x", "         x"),
        ("a\tb x", "a    b x"),
        ("卷积 x", "     x"),  # two columns each
        ("e\u0301e\u0301 x", "   x"),  # accents take none
        ("\u200bconv x", "           x"),  # of no width: shown as what it is
        ("\x1b[31m x", "\\x1b[31m x"),
        ("a\rb x", "a\\x0db x"),
    ],
)
def test_carets_stand_below(line: str, under: str) -> None:
    last = render(error(of(f"{line}\n", line.index("x"), line.index("x") + 1))).splitlines()[-1]
    assert last.index("^") == len("1 | ") + len(under) - 1


def test_nothing_in_a_spec_commands_the_terminal() -> None:
    bad = "\x1b]0;title\x07\x1b[2J\x9b31m\u202e\u2066\x00\x7f\u2028\U000e0001"
    source = Source(f"{bad}.cnn", f"conv {bad}\n{bad}")
    diagnostic = error(
        span(source, bad),
        message=bad,
        labels=(Label(span(source, bad, at=2), bad),),
        notes=(bad,),
        trail=Frame(f"block `{bad}`", span(source, bad)),
        hint=bad,
    )
    text = render(diagnostic)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert text.count(r"\x1b]0;title\x07\x1b[2J\x9b31m\u202e\u2066\x00\x7f\u2028\U000e0001") == 9


def test_what_is_printable_stays() -> None:
    assert safe("Größe 3·4 = 12 → 卷积 ✓") == "Größe 3·4 = 12 → 卷积 ✓"
    assert safe("a\nb") == r"a\x0ab"
    assert safe("\udc80") == r"\udc80"


# ── long lines, narrow terminals ───────────────────────────────────────────────────────────────

LONG = "conv 8 3x3 -> " * 40


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (1, ["1 | conv 8 3x3 -> conv 8 3x3 -> conv 8…", "  | ^^^^"]),
        (20, ["1 | …v 8 3x3 -> conv 8 3x3 -> conv 8 3x…", "  |             ^^^^"]),
        (40, ["1 | …x3 -> conv 8 3x3 -> conv 8 3x3 ->", "  |                      ^^^^"]),
    ],
)
def test_a_long_line_is_cut_around_the_mark(at: int, expected: list[str]) -> None:
    lines = render(error(span(Source("a.cnn", LONG), "conv", at=at)), width=40).splitlines()[-2:]
    assert all(len(line) <= 40 for line in lines)
    assert lines[1].index("^") == lines[0].index("conv", lines[1].index("^") - 1)
    assert lines == expected


def test_two_marks_far_apart_in_a_long_line_show_it_twice() -> None:
    source = Source("a.cnn", LONG)
    label = Label(span(source, "conv", at=2), "first here")
    lines = render(error(span(source, "conv", at=39), labels=(label,)), width=60).splitlines()
    assert [line[:3] for line in lines[3:]] == ["1 |", "  |", "1 |", "  |"]
    for above, below in ((lines[3], lines[4]), (lines[5], lines[6])):
        mark = re.search(r"[-^]{4}", below)
        assert mark is not None
        assert above[mark.start() : mark.end()] == "conv"


def test_a_mark_longer_than_the_line_is_cut_with_it() -> None:
    line, below = render(error(of("x" * 1000, 300, 900)), width=60).splitlines()[-2:]
    assert len(line) == len(below) + 1 <= 60
    assert line.endswith("x…")
    assert below.endswith("^")


def test_a_terminal_of_no_width_still_shows_something() -> None:
    assert "^^^^" in render(error(span(Source("a.cnn", LONG), "conv", at=20)), width=0)


def test_a_line_without_end_is_no_burden() -> None:
    endless = Source("a.cnn", "x" * 10_000_000 + "\u0301" * 10_000_000)
    for start in (0, 5_000_000, 10_000_000, 15_000_000, 20_000_000):
        assert len(render(error(Span(endless, start, start + 1)))) < 2_000


def test_marks_stand_below_what_they_mark_whatever_the_line() -> None:
    """The columns of the mark hold what is marked, or as much of it as there is room for."""
    letters = f"abc 0{{|\t卷積한é{ACCENT}\u200b\x1b\x00\u202e"
    for _ in range(2_000):
        line = "".join(random.choices(letters, k=random.randrange(1, 150)))
        first = random.randrange(len(line) + 1)
        last = random.randrange(first, min(len(line), first + 30) + 1)
        room = random.choice([40, 60, 100])
        found = excerpt(line, first, last, room)
        assert columns(found.text) <= room
        marked = _between(found.text, found.start, found.end)
        whole = plain(line[first:last]).replace(ACCENT, "")
        assert marked == whole or (whole.startswith(marked) and found.text.endswith("…"))
        assert found.text.isprintable()


def _between(text: str, start: int, end: int) -> str:
    """The letters in some columns of a text, but for accents, which have none of their own."""
    at, taken = 0, ""
    for c in text.replace(ACCENT, ""):
        taken += c if start <= at < end else ""
        at += columns(c)
    return taken


# ── colours ────────────────────────────────────────────────────────────────────────────────────


def test_colours_add_nothing_else() -> None:
    trail = Frame("block `stage`", span(TINY, "stage w"))
    label = Label(span(TINY, "stage"), "the block")
    diagnostic = error(span(TINY, "gn"), labels=(label,), notes=("n",), trail=trail, hint="h")
    coloured = render(diagnostic, colour=True)
    assert COLOUR.sub("", coloured) == render(diagnostic)
    assert coloured.startswith("\x1b[1;31merror[a-code]\x1b[0m\x1b[1m: this is wrong\x1b[0m\n")
    assert "\x1b[1;31m^^\x1b[0m" in coloured
    assert all("\x1b[0m" in line.rpartition("\x1b[")[0] + line for line in coloured.splitlines())
    odd = render(error(span(TINY, "gn"), severity=Severity.WARNING), colour=True)
    assert odd.startswith("\x1b[1;33mwarning[a-code]")
