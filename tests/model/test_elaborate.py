"""What network does a body make: heads, inputs, values as arguments, shared weights?"""

import pytest

from cnnspec.model.check import check
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from nets import build, read


def said(text: str) -> list[str]:
    sink = Sink()
    check(Source("net.cnn", text), {}, sink, read)
    return [f"{d.span.place().partition(':')[2]} [{d.code}] {d.message}" for d in sink.ordered()]


def shapes(body: str, before: str = "") -> list[tuple[int, ...]]:
    return [node.shape or () for node in build(f"{before}network {{\n{body}\n}}\n").nodes]


def outputs(text: str) -> dict[str, str]:
    graph = build(text)
    return {o.name: graph.nodes[o.node].path for o in graph.outputs}


def test_heads_leave_the_main_flow_as_it_was() -> None:
    text = "network {\n input 8\n head a { fc 2 }\n fc 3\n head b { fc 4 }\n fc 5\n}\n"
    assert outputs(text) == {"a": "a.fc2", "b": "b.fc4", "output": "fc5"}


def test_a_body_that_ends_in_heads_has_no_main_output() -> None:
    assert outputs("network {\n input 8\n head a { fc 2 }\n}\n") == {"a": "a.fc2"}


def test_labels_of_the_trunk_are_known_in_heads_and_not_the_other_way() -> None:
    text = "network {{\n input 8\n fc 8 as e\n head a {{ fc 8 as x\n add {{ | e }} }}\n {}\n}}\n"
    assert outputs(text.format("fc 2"))["a"] == "a.x_add"
    assert said(text.format("x")) == [
        "6:2 [unknown-layer] there is no layer, block or value called `x`"
    ]


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        (
            "head a { fc 2 }\n head a { fc 3 }",
            "4:7 [duplicate-name] there is an output called `a` already",
        ),
        (
            "head output { fc 2 }",
            "3:7 [duplicate-name] the end of the network is called `output`; "
            "a head needs another name",
        ),
    ],
)  # fmt: skip
def test_outputs_have_names_of_their_own(heads: str, message: str) -> None:
    assert said(f"network {{\n input 8\n {heads}\n}}\n") == [message]


def test_each_input_becomes_current() -> None:
    body = "input 8 as left\nfc 4 as a\ninput 3 as right\nfc 4 as b\nadd { | a | b }"
    assert shapes(body) == [(8,), (4,), (3,), (4,), (4,)]


def test_inputs_of_every_rank() -> None:
    for size, shape in (("784", (784,)), ("1x24", (1, 24)), ("1x4x5x6", (1, 4, 5, 6))):
        assert shapes(f"input {size}\nrelu")[-1] == shape


def test_a_value_may_be_an_argument_of_a_block() -> None:
    block = "block join(other, n) {\n concat { | | other }\n conv n 1x1\n expect 9x8x8\n}\n"
    body = "input 3x8x8 as image\nconv 5 3x3 pad=same as a\njoin image 9"
    assert shapes(body, block)[-2:] == [(8, 8, 8), (9, 8, 8)]


def test_sizes_of_values() -> None:
    text = """\
    block twice() { conv 2*in.channels 1x1 }
    network {
      input 3x8x6 as image
      conv here.channels 1x1
      twice
      expect here.channels == 6, here.height == 8, here.width == 6
      expect image.size == 144, image.rank == 2
      flatten -> fc image.height*image.width
      expect 48
    }
    """
    assert build(text).nodes[-1].shape == (48,)


def test_conditions_may_ask_for_shapes() -> None:
    block = (
        "block res(n) { add {\n | conv n 3x3 pad=same\n | if in.channels != n { conv n 1x1 }\n} }\n"
    )
    graph = build(block + "network {\n input 3x8x8\n res 4\n res 4\n}\n")
    assert [n.path for n in graph.nodes] == [
        "input", "res4.conv4_3x3", "res4.conv4_1x1", "res4.add",
        "res4_2.conv4_3x3", "res4_2.add",
    ]  # fmt: skip


def test_loops_bind_tuples() -> None:
    body = "input 1x8x8\nfor (n, k) in [(4, 3x3), (6, 1x1)] { conv n k pad=same }"
    assert shapes(body) == [(1, 8, 8), (4, 8, 8), (6, 8, 8)]


def test_weights_are_shared_and_counted_once() -> None:
    graph = build("network {\n input 4\n fc 4 as a\n relu\n fc 4 weights=a as b\n fc 4\n}\n")
    assert [n.owner for n in graph.nodes if n.facts and n.facts.weights] == ["a", "a", "fc4"]


def test_what_is_frozen_is_frozen_for_who_shares_it() -> None:
    graph = build("network {\n input 4\n fc 4 frozen=yes as a\n fc 4 weights=a\n fc 4\n}\n")
    assert [n.frozen for n in graph.nodes[1:]] == [True, True, False]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("fc 2", "2:1 [missing-input] nothing reaches `fc`: no `input` stands before it"),
        ("input 8\nadd", "3:1 [branches-missing] `add` joins branches and has none"),
        ("input 8\nrelu { | }", "3:1 [branches-unexpected] `relu` takes no branches"),
        ("input 8\nrepeat 0.5 { relu }",
         "3:8 [wrong-count] `repeat` takes a whole number of at least 0; here it is 0.5"),
        ("input 8\nfor x in 3 { relu }", "3:10 [wrong-tuple] `for` takes a list; here it is 3"),
        ("input 8\nfc 4 as a\na 5",
         "4:1 [wrong-step] `a` is a value, which takes no arguments"),
        ("input 8\nfc 2 weights=b",
         "3:14 [unknown-label] `weights` names an earlier use of the same layer or block, "
         "one with a label"),
        ("input 8\nfc 3 as a\nfc 2 weights=a",
         "4:14 [weights-differ] `a` has no weights that fit: weight 2x3, bias 2 are needed, "
         "it has weight 3x8, bias 3"),
        ("input 8\nexpect params == in",
         "3:18 [wrong-claim] a metric is compared with a number; this is a value of the network"),
        ("input 8\nfc 2\nexpect params",
         "4:8 [wrong-condition] a condition is yes or no; this is the number 18"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once(body: str, message: str) -> None:
    assert said(f"network {{\n{body}\n}}\n") == [message]
