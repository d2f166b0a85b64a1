"""Does one mistake get one message?"""

from cnnspec.model.check import check
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source


def no_files(path: str) -> Source:
    raise FileNotFoundError(path)


def messages(text: str) -> list[str]:
    sink = Sink()
    assert check(Source("t.cnn", text), {}, sink, no_files) is None
    return [d.message for d in sink.ordered()]


def test_a_missing_head_of_the_network_is_told_once() -> None:
    said = messages("input 1x28x28\nconv 6 5x5 -> tanh\navgpool 2x2\nflatten\nfc 10\n")
    assert len(said) == 1
    assert said[0].startswith("expected `network`")


def test_chained_comparisons_are_told_once() -> None:
    text = "network A {\n  input 3x8x8\n  conv 4 3x3\n  expect 1 < 2 < 3\n}\n"
    assert messages(text) == ["comparisons do not chain"]


def test_a_shape_behind_the_network_is_that_of_its_end() -> None:
    text = "network A {\n  input 3x8x8\n  conv 4 3x3\n}\nexpect 4x8x8\n"
    assert messages(text) == ["the shape here is 4x6x6; 4x8x8 is expected"]


def test_a_loss_of_a_head_that_is_not_there() -> None:
    text = "network A {\n  input 8\n  fc 4\n}\ntrain {\n  data digits\n  loss mse on=x\n}\n"
    assert any("a head called `x`; the network has none" in m for m in messages(text))
