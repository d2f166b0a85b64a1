"""Is it told, and where, that the way of training does not fit the network?"""

from typing import Any

import pytest

from cnnspec import zoo
from cnnspec.api import SpecError, loads
from cnnspec.model.check import check
from cnnspec.model.setting import with_settings, words
from cnnspec.text.diagnostic import Diagnostic, Severity, Sink
from cnnspec.text.source import Source


def spec(body: str, *lines: str) -> str:
    said = "".join(f"  {line}\n" for line in lines)
    return f"network T {{\n  {body}\n}}\ntrain {{\n{said}}}\n"


def told(text: str) -> list[Diagnostic]:
    sink = Sink()
    check(Source("it.cnn", text), {}, sink, zoo.read)
    return sink.ordered()


def only(text: str) -> tuple[str, str, str]:
    """The one thing that is said: its code, where, and what."""
    (said,) = told(text)
    return said.code, said.span.text, said.message


FLAT = "input 1x28x28 -> flatten -> fc 10"
TWO = "input 1x28x28\n  flatten as h\n  head a { h -> fc 10 }\n  head b { h -> fc 4 }"


@pytest.mark.parametrize(
    ("body", "lines", "span", "message"),
    [
        (
            "input 1x32x32 -> flatten -> fc 10",
            ["data digits"],
            "digits",
            "the pictures of `digits` have 28x28 pixels, the input takes 32x32",
        ),
        (
            "input 3x28x28 -> flatten -> fc 10",
            ["data digits fit=pad"],
            "digits",
            "the pictures of `digits` have greys, the input takes colours",
        ),
        (
            "input 1x25 -> flatten -> fc 2",
            ["data italy_power_demand"],
            "italy_power_demand",
            "the examples of `italy_power_demand` are 1x24, which is not what the input takes",
        ),
        (
            "input 7x28x28 -> flatten -> fc 10",
            ["data digits"],
            "digits",
            "the examples of `digits` are 1x28x28, which is not what the input takes",
        ),
        (
            "input 1x28x28 -> flatten -> fc 9",
            ["data digits"],
            "digits",
            "`digits` has 10 classes; the network tells 9 apart",
        ),
        (
            TWO,
            ["data digits", "loss cross_entropy on=a", "loss cross_entropy on=b"],
            "digits",
            "`digits` has 10 classes; the network tells 4 apart",
        ),
        (
            "input 1x28x28 -> flatten -> fc 1",
            ["data digits", "loss binary_cross_entropy"],
            "digits",
            "`digits` has 10 classes; the network tells 2 apart",
        ),
        (
            FLAT,
            ["data digits", "class_weights [1, 2, 3]"],
            "[1, 2, 3]",
            "`class_weights` has 3 for the 10 classes that the network tells apart",
        ),
        (
            "input 5 -> fc 1 -> sigmoid",
            ['data npz "x"', "loss binary_cross_entropy", "class_weights [1, 2, 3]"],
            "[1, 2, 3]",
            "`class_weights` has 3 for the 2 classes that the network tells apart",
        ),
        (
            FLAT,
            ["data digits", "labels [one, two]"],
            "[one, two]",
            "`labels` has 2 for the 10 classes that the network tells apart",
        ),
        (
            FLAT,
            ["data digits", 'freeze "fc11"'],
            '"fc11"',
            "no layer is called `fc11`: nothing is frozen by that",
        ),
    ],
)
def test_what_does_not_fit(body: str, lines: list[str], span: str, message: str) -> None:
    text = spec(body, *lines)
    assert only(text) == ("unfit-setting", span, message)
    # It hinders nobody to count the network, and nobody can train it.
    network = loads(text)
    assert network.report().totals.params > 0
    with pytest.raises(SpecError) as caught:
        network.train()
    (said,) = caught.value.diagnostics
    assert (said.severity, said.message) == (Severity.ERROR, message)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("input 784 -> fc 10", ["data digits"]),
        ("input 1024 -> fc 10", ["data digits fit=stretch"]),
        ("input 3x28x28 -> flatten -> fc 10", ["data digits convert=yes"]),
        ("input 24 -> fc 2", ["data italy_power_demand"]),
        ("input 1x28x28 -> flatten -> fc 3", ["data digits classes=[1, 2, 3]"]),
        ("input 1x28x28 -> flatten -> fc 1", ["data digits classes=[1, 2]", "loss mse"]),
        (
            "input 1x28x28 -> flatten -> fc 784 -> reshape 1x28x28",
            ["data digits", "loss mse to=input"],
        ),
        (FLAT, ["data digits", "class_weights balanced"]),
        (FLAT, ["data digits", 'freeze "fc*"']),
        (TWO, ["data digits", "loss cross_entropy on=a", "loss mse on=a"]),
        (
            "input 5 -> fc 1 -> sigmoid",
            ['data npz "x"', "loss binary_cross_entropy", "labels [never, always]"],
        ),
        ("input 5 -> fc 3 as b -> fc 2", ['data npz "x"', 'freeze "b"']),
    ],
)
def test_what_fits(body: str, lines: list[str]) -> None:
    assert told(spec(body, *lines)) == []


@pytest.mark.parametrize("loss", ["hinge", "cross_entropy"])
def test_one_number_has_nothing_to_be_compared_with(loss: str) -> None:
    message = "compares the numbers of several classes; this output has one number"
    found = only(spec("input 5 -> fc 1", 'data npz "x"', f"loss {loss}"))
    assert found == ("wrong-setting", loss, f"`loss {loss}` {message}")
    found = only(spec("input 5 -> fc 1", 'data csv "x" targets=classes'))
    assert found == (
        "unfit-setting",
        "fc 1",
        f"`loss cross_entropy`, as none is named, {message}",
    )


def test_options_are_asked_as_well() -> None:
    graph = loads(spec(FLAT, "data digits")).graph
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"words": words(freeze=["cov*"])}, "no layer is called `cov*`"),
        ({"data": "italy_power_demand"}, "the examples of `italy_power_demand` are 1x24"),
    )
    for given, said in cases:
        sink = Sink()
        assert with_settings(graph, sink, is_training=True, **given) is None
        assert said in sink.ordered()[0].message
        assert with_settings(graph, Sink(), **given) is not None
