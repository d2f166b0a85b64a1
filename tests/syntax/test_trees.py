"""What tree does each construct make?"""

from textwrap import dedent

import pytest

from cnnspec.syntax import tree
from cnnspec.syntax.outline import outline
from cnnspec.syntax.parse import parse
from cnnspec.syntax.spelling import spell
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


def read(text: str) -> tree.File:
    sink = Sink()
    file = parse(Source("net.cnn", text), sink)
    assert [d.message for d in sink.diagnostics] == []
    return file


def shape_of(text: str) -> str:
    """The outline without places."""
    lines = outline(read(text)).splitlines()
    return "\n".join(line.rpartition("  ")[0] for line in lines)


def test_items() -> None:
    text = (
        'use "a.cnn" depth=50\nparam n = 1\nlet (a, b) = (1, 2)\nexpect params > 1, layers == 2\n'
    )
    assert shape_of(text) == dedent("""\
        use
          text a.cnn
          arg depth
            number 50
        param
          label n
          number 1
        let True
          label a
          label b
          tuple False
            number 1
            number 2
        expect
          compare >
            ref params
            number 1
          compare ==
            ref layers
            number 2""")


def test_blocks_and_networks() -> None:
    assert shape_of("block a(n, k=3x3) { }\nnetwork { }\ntrain { adam }\n") == dedent("""\
        block
          label a
          formal n
          formal k
            size 3 3
          body
        network
          body
        train
          body
            flow
              call adam""")


def test_statements() -> None:
    text = """\
network N {
  conv n+1 (1, 7) pad=same -> relu as e.one
  repeat 2 { }
  for (w, d) in [1] { }
  if a { } else if b { } else { relu }
  head boxes { expect 3x4 }
  in
}
"""
    assert shape_of(text) == dedent("""\
        network
          label N
          body
            flow
              call conv
                arg
                  chain +
                    ref n
                    number 1
                arg
                  tuple False
                    number 1
                    number 7
                arg pad
                  ref same
              call relu
                label e.one
            repeat
              number 2
              body
            for True
              label w
              label d
              tuple True
                number 1
              body
            if
              ref a
              body
              ref b
              body
              body
                flow
                  call relu
            head
              label boxes
              body
                expect
                  size 3 4
            flow
              call in""")


def test_branches() -> None:
    text = "network {\n  add {\n    |\n    | relu -> tanh\n      fc 2 | in\n  } as sum\n}\n"
    (network,) = read(text).items
    assert isinstance(network, tree.Network)
    (flow,) = network.body.statements
    assert isinstance(flow, tree.Flow)
    (call,) = flow.calls
    assert call.branches is not None
    assert [len(branch.statements) for branch in call.branches] == [0, 2, 1]
    assert call.label is not None
    assert call.label.name == "sum"


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("1 + 2*3", "(1 + (2*3))"),
        ("1 - 2 - 3", "(1 - 2 - 3)"),
        ("-2**2", "-(2**2)"),
        ("2**-1", "(2**-1)"),
        ("2**3**2", "(2**3**2)"),
        ("-a*b", "(-a*b)"),
        ("not a == b", "not (a == b)"),
        ("a or b and not c", "(a or (b and not c))"),
        ("a + 1 < b // 2", "((a + 1) < (b//2))"),
        ("xs[1][0] % 2", "(xs[1][0]%2)"),
        ("max(a, -b)", "max(a, -b)"),
    ],
)
def test_operators_are_grouped(text: str, grouped: str) -> None:
    (item,) = read(f"param x = {text}\n").items
    assert isinstance(item, tree.Param)
    assert spell(bracketed(item.value)) == grouped


def bracketed(expr: tree.Expr) -> tree.Expr:
    """The expression with parentheses around each row of operators."""
    match expr:
        case tree.Chain():
            rest = tuple((op, bracketed(right)) for op, right in expr.rest)
            return tree.Paren(expr.span, tree.Chain(expr.span, bracketed(expr.first), rest))
        case tree.Compare():
            left, right = bracketed(expr.left), bracketed(expr.right)
            return tree.Paren(expr.span, tree.Compare(expr.span, left, expr.op, right))
        case tree.Sign():
            return tree.Sign(expr.span, bracketed(expr.inner))
        case tree.Not():
            return tree.Not(expr.span, bracketed(expr.inner))
        case _:
            return expr


def arguments(text: str) -> list[str]:
    (network,) = read(f"network {{\n  {text}\n}}\n").items
    assert isinstance(network, tree.Network)
    (flow,) = network.body.statements
    assert isinstance(flow, tree.Flow)
    return [spell(arg.value) for arg in flow.calls[-1].args]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("conv 4*width 1x1", ["4*width", "1x1"]),
        ("conv a -1", ["a - 1"]),
        ("conv a (-1)", ["a", "(-1)"]),
        ("conv a(1)", None),
        ("conv n (1, 7)", ["n", "(1, 7)"]),
        ("conv max(a, b) k", ["max(a, b)", "k"]),
        ("conv xs[1] k", ["xs[1]", "k"]),
        ("conv xs [1]", ["xs", "[1]"]),
        ("conv 1\n  -> relu in.channels", ["in.channels"]),
        ("conv (1,\n    2)", ["(1, 2)"]),
        ("conv max(1,\n\n  # why\n  2\n  )", ["max(1, 2)"]),
    ],
)
def test_arguments_by_place(call: str, expected: list[str] | None) -> None:
    assert arguments(call) == (expected or ["a(1)"])


@pytest.mark.parametrize(
    "number", ["6", "0.5", ".5", "1e-3", "2E+6", "61_706", "0.5M", "10MB", "3KiB"]
)
def test_numbers_are_kept_as_written(number: str) -> None:
    assert arguments(f"conv {number}") == [number]


def test_line_ends_blanks_and_a_byte_order_mark() -> None:
    plain = "network {\n  conv 64 3x3\n    -> relu\n}\n"
    for variant in (
        plain.replace("\n", "\r\n"),
        plain.replace("  ", "\t"),
        plain.replace("\n", "\n\n \n"),
        plain.replace("\n", "  # why\n"),
        plain.replace("{", "\n{"),
        plain.rstrip(),
    ):
        assert shape_of(variant) == shape_of(plain)


def test_a_text_may_hold_anything_but_its_end() -> None:
    (use,) = read('use "a # {b} é.cnn"\n').items
    assert isinstance(use, tree.Use)
    assert use.path.text == "a # {b} é.cnn"


def test_words_of_the_language_name_arguments_of_no_call() -> None:
    assert shape_of("param inner = 1\nparam forest = 2\n").count("param") == 2


def test_every_node_has_its_text() -> None:
    text = "network N {\n  add { | conv 3 3x3 } as s -> relu\n}\n"
    (network,) = read(text).items
    assert isinstance(network, tree.Network)
    (flow,) = network.body.statements
    assert isinstance(flow, tree.Flow)
    assert network.span.text == text.strip()
    assert network.keyword_span.text == "network"
    assert [call.span.text for call in flow.calls] == ["add { | conv 3 3x3 } as s", "relu"]
    assert flow.span.text == "add { | conv 3 3x3 } as s -> relu"
