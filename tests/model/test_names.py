"""Does every layer keep its name, whatever is added elsewhere?"""

import random
from itertools import pairwise

import pytest

from nets import build, read

LENET = read("specs/lenet5.cnn").text


def paths(text: str) -> list[str]:
    return [node.path for node in build(text).nodes]


def body(text: str) -> list[str]:
    return paths(f"network {{\n{text}\n}}\n")


def test_anchors_are_named_after_what_tells_them_apart() -> None:
    assert body("input 1x8x8\nconv 6 5x5\nflatten\nfc 10 -> softmax") == [
        "input", "conv6_5x5", "conv6_5x5_flatten", "fc10", "fc10_softmax",
    ]  # fmt: skip


def test_an_input_is_an_anchor() -> None:
    assert body("input 1x8x8\nrelu -> bn") == ["input", "input_relu", "input_bn"]


def test_what_is_used_again_is_counted() -> None:
    assert body("input 8\nfc 4 -> relu -> relu\nfc 4\nfc 4") == [
        "input", "fc4", "fc4_relu", "fc4_relu_2", "fc4_2", "fc4_3",
    ]  # fmt: skip


def test_blocks_are_rooms_and_loops_are_not() -> None:
    text = """\
    block unit(n) { repeat 2 { conv n 1x1 -> relu } }
    network {
      input 3x8x8
      unit 4
      unit 4
      unit 8 as last
      add { | conv 8 1x1 }
    }
    """
    assert paths(text) == [
        "input",
        "unit4.conv4_1x1", "unit4.conv4_1x1_relu", "unit4.conv4_1x1_2", "unit4.conv4_1x1_2_relu",
        "unit4_2.conv4_1x1", "unit4_2.conv4_1x1_relu",
        "unit4_2.conv4_1x1_2", "unit4_2.conv4_1x1_2_relu",
        "last.conv8_1x1", "last.conv8_1x1_relu", "last.conv8_1x1_2", "last.conv8_1x1_2_relu",
        "conv8_1x1", "last_add",
    ]  # fmt: skip


def test_a_label_is_the_name() -> None:
    text = "input 3x8x8 as image\nconv 4 3x3 as stem -> relu\nfc 2 as stem.top"
    assert body(text.replace("fc", "flatten -> fc")) == [
        "image", "stem", "stem_relu", "stem_flatten", "stem.top",
    ]  # fmt: skip


def test_names_differ() -> None:
    """Also where a label looks like a name that is made."""
    text = "input 8\nfc 4 as fc2\nfc 2\nfc 2\nfc 3 as fc2_2x"
    found = body(text)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("seed", range(12))
def test_a_layer_more_renames_no_other(seed: int) -> None:
    """Layers that keep the shape, put anywhere into LeNet-5, leave every other path as it is."""
    dice = random.Random(seed)
    lines = LENET.splitlines()
    first = next(k for k, line in enumerate(lines) if line.strip().startswith("input"))
    last = next(k for k in range(first, len(lines)) if lines[k].startswith("}"))
    spots = [
        k
        for k in range(first + 1, last + 1)
        if not lines[k].strip().startswith(("expect", "->", "#")) and lines[k].strip()
    ]
    for _ in range(dice.randint(1, 3)):
        new = dice.choice(["dropout 0.1", "elu", "softplus"])
        lines.insert(dice.choice(spots), f"  {new}")
    before, after = paths(LENET), paths("\n".join(lines))
    assert len(after) > len(before)
    assert [path for path in after if path in before] == before


def test_names_are_made_in_the_order_of_the_text() -> None:
    text = "input 8\n" + "fc 4\n" * 200
    found = body(text)
    assert found[1] == "fc4"
    assert all(
        int(b.removeprefix("fc4_")) - 1 == int(a.removeprefix("fc4_"))
        for a, b in pairwise(found[2:])
    )
