"""What does an expression come to, and what is said where it comes to nothing?"""

import math

import pytest

from cnnspec.model.evaluate import FUNCTIONS, Site, evaluate, evaluate_closed
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.vocab.value import UNKNOWN, Word

NAMES: dict[str, object] = {"n": 7, "half": 0.5, "xs": (1, 2, 3), "on": True, "gone": UNKNOWN}


def value_of(text: str, *, closed: bool = True) -> tuple[object, list[str]]:
    """The value of an expression, and what was said; the names above are known in it."""
    sink = Sink()
    (item,) = parse(Source("net.cnn", f"param x = {text}\n"), sink).items
    assert isinstance(item, tree.Param)
    assert not sink.diagnostics, [d.message for d in sink.diagnostics]
    site = Site(sink, None, NAMES.get, lambda: NAMES)
    value = (evaluate_closed if closed else evaluate)(item.value, site)
    return value, [f"{d.message}; {d.hint}" if d.hint else d.message for d in sink.diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Numbers as written, sizes and lists.
        ("61_706", 61706), ("0.5M", 500_000), ("1.5k", 1500), ("2MiB", 2 * 2**20), ("10GB", 10**10),
        ("1e3", 1000), ("1e-3", 0.001), (".5", 0.5), ("3x224x224", (3, 224, 224)),
        ("(1, 2)", (1, 2)), ("[n, xs]", (7, (1, 2, 3))), ("[]", ()) , ("(1,)", (1,)),
        ("yes", True), ("no", False), ('"a b"', "a b"),
        # Whole values are whole numbers.
        ("64*0.5", 32), ("6/2", 3), ("7/2", 3.5), ("half + half", 1), ("2**-1", 0.5), ("4**0.5", 2),
        # Precedence and direction.
        ("1 + 2*3", 7), ("(1 + 2)*3", 9), ("10 - 3 - 2", 5), ("100/10/5", 2), ("2**3**2", 512),
        ("-2**2", -4), ("2**-2*8", 2), ("-7//2", -4), ("-7 % 3", 2), ("7 % 4*2", 6),
        ("1 + 1 == 2 and not 3 < 2", True), ("no and yes or yes", True), ("not no and no", False),
        ("not 1 == 2", True), ("1 != 1", False), ("2 >= 2", True), ("2 <= 1", False),
        ("xs == (1, 2, 3)", True), ("1x2x3 == xs", True), ("xs != (1, 2)", True),
        ("xs[0] + xs[2]", 4), ("(1, (2, 3))[1][0]", 2), ("xs[on]", 2),
        # What is decided is not looked at any further.
        ("no and 1/0 == 1", False), ("yes or 1/0 == 1", True),
        # Functions.
        ("min(3, 1, 2)", 1), ("max(xs)", 3), ("sum(xs)", 6), ("sum([])", 0), ("len(xs)", 3),
        ("round(2.5)", 3), ("round(-2.5)", -3), ("round(2.4)", 2), ("floor(-1.5)", -2),
        ("ceil(1.2)", 2), ("sqrt(9)", 3), ("abs(-4)", 4), ("log(exp(2))", 2), ("exp(0)", 1),
        ("range(3)", (0, 1, 2)), ("range(2, 5)", (2, 3, 4)), ("range(6, 0, -2)", (6, 4, 2)),
        ("range(0)", ()), ("multiple_of(37, 8)", 40), ("multiple_of(1, 8)", 8),
        ("multiple_of(10.5, 8)", 16), ("where(n > 5, 1, 2)", 1), ("where(no, 1, xs)", (1, 2, 3)),
    ],
)  # fmt: skip
def test_values(text: str, expected: object) -> None:
    value, said = value_of(text)
    assert said == []
    assert value == expected
    assert type(value) is type(expected)


def test_a_word_may_mean_something_to_who_takes_it() -> None:
    value, said = value_of("same", closed=False)
    assert (value, type(value), said) == ("same", Word, [])


def test_where_takes_the_side_that_holds() -> None:
    assert value_of("[where(on, n, n), -n]")[0] == (7, -7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m", "nothing here is called `m`"),
        ("xss", "nothing here is called `xss`; did you mean `xs`?"),
        ("n.channels", "nothing here is called `n.channels`"),
        ("n + same", "nothing here is called `same`"),
        ("1/0", "1 / 0 has no answer"),
        ("n // (n - 7)", "7 // 0 has no answer"),
        ("n % 0", "7 % 0 has no answer"),
        ("0**-1", "0 ** -1 divides by zero"),
        ("(-8)**0.5", "-8 ** 0.5 is no real number"),
        ("1 + xs", "a number is needed here; this is the list 1x2x3"),
        ("1 + on", "a number is needed here; this is the answer yes"),
        ('-"a"', 'a number is needed here; this is the text "a"'),
        ("n and on", "a condition is yes or no; this is the number 7; compare it, as in `n > 0`"),
        ("not xs", "a condition is yes or no; this is the list 1x2x3"),
        ("n[0]", "only a list has items; this is the number 7"),
        ("same[0]", "nothing here is called `same`"),
        ("xs[same]", "nothing here is called `same`"),
        ("xs[3]", "the list has items 0 to 2; 3 is asked for"),
        ("xs[-1]", "the list has items 0 to 2; -1 is asked for"),
        ("xs[0.5]", "an index is a whole number; this is the number 0.5"),
        ("1e15*10", "`1e15*10` is beyond 1e+15"),
        ("1e400", "`1e400` is beyond 1e+15"),
        ("2**2**2**2**2", "`2**2**2**2**2` is beyond 1e+15"),
        ("exp(1000)", "`exp(1000)` is beyond 1e+15"),
        ("sqrt(-1)", "sqrt(-1) is no real number"),
        ("log(0)", "log(0) is no real number"),
        ("mix(1)", "there is no function `mix`; did you mean `max`?"),
        ("sqrt(1, 2)", "`sqrt(x)` is what is taken; 2 arguments are given"),
        ("max()", "`max(a, b, …)` is what is taken; 0 arguments are given"),
        ("max(1, on)", "`max(a, b, …)` takes numbers; the answer yes is given"),
        ("range(0.5)", "`range` takes whole numbers"),
        ("range(1, 2, 0)", "`range` takes a step other than 0"),
        ("multiple_of(1, 0)", "`multiple_of(x, n)` takes an n above 0; 0 is given"),
        ("len(n)", "`len(list)` takes one list"),
        ("where(n, 1, 2)", "`where(condition, a, b)` takes a condition and two values"),
        ("range(100001)", "a list of 100001 items; at most 100000 are made"),
        (
            "[range(60000), range(60000)]",
            "the list has more than 100,000 items, those of lists in it counted",
        ),
    ],
)
def test_what_has_no_value(text: str, message: str) -> None:
    value, said = value_of(text)
    assert value is UNKNOWN
    assert said == [message]


@pytest.mark.parametrize("text", ["gone", "gone + 1", "max(gone, 2)", "gone[0]"])
def test_what_is_not_known_is_not_said_again(text: str) -> None:
    assert value_of(text) == (UNKNOWN, [])


def test_a_sum_of_many_terms_is_no_deeper_than_one_of_two() -> None:
    assert value_of("+".join(["1"] * 9_000))[0] == 9_000


def test_every_function_is_called_as_it_says() -> None:
    for name, function in FUNCTIONS.items():
        assert function.call.startswith(f"{name}(")
    assert math.isclose(value_of("log(10)")[0], math.log(10))  # pyright: ignore[reportArgumentType]
