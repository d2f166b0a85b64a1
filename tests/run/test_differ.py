"""Are two lists laid beside each other line by line, and models told apart by what they are?"""

from typing import Any

import numpy as np
import onnx
import pytest

from cnnspec import load, loads
from cnnspec.run.differ import (
    Line,
    Row,
    Unlike,
    aligned,
    answers,
    drawn,
    facts,
    near_changes,
    nodes,
    numbers,
    tensors,
)
from cnnspec.run.session import open_session


def rows(*texts: str) -> list[Row]:
    """`conv 3x3: 10` is a row of the key `conv 3x3`."""
    return [Row(text.partition(":")[0], text) for text in texts]


def shown(lines: list[Line]) -> list[str]:
    return [f"{line.mark} {line.text}" for line in lines]


# ── lists ──────────────────────────────────────────────────────────────────────────────────────


def test_what_is_alike_stands_once() -> None:
    both = rows("a", "b", "c")
    assert shown(aligned(both, both)) == ["  a", "  b", "  c"]
    assert aligned([], []) == []


def test_one_more_row_is_one_line() -> None:
    found = shown(aligned(rows("a", "relu", "c"), rows("a", "relu", "b", "relu", "c")))
    assert [line for line in found if line[0] != " "] == ["+ b", "+ relu"]
    found = shown(aligned(rows("a", "b"), rows("b")))
    assert found == ["- a", "  b"]


def test_rows_of_one_key_stand_side_by_side() -> None:
    one, other = rows("input: 28", "conv: 14", "relu", "fc: 10"), rows("input: 32", "relu", "fc: 9")
    assert shown(aligned(one, other)) == [
        "- input: 28",
        "+ input: 32",
        "- conv: 14",
        "  relu",
        "- fc: 10",
        "+ fc: 9",
    ]


def test_every_row_is_somewhere() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        one, other = (
            rows(*(f"{k}: {n}" for k, n in random.integers(0, 4, (random.integers(12), 2))))
            for _ in range(2)
        )
        found = aligned(one, other)
        assert [x.text for x in found if x.mark != "+"] == [x.text for x in one]
        assert [x.text for x in found if x.mark != "-"] == [x.text for x in other]


def test_long_lists_that_are_all_alike_take_no_time() -> None:
    one, other = rows(*["a"] * 20_000), rows("b", *["a"] * 19_000, "c")
    assert sum(line.mark == " " for line in aligned(one, other)) <= 19_000


def test_around_changes() -> None:
    lines = aligned(rows(*"abcdefgh"), rows(*"abcdXfgh"))
    assert shown(near_changes(lines)) == ["  …", "  d", "- e", "+ X", "  f", "  …"]
    assert near_changes([]) == []


# ── models ─────────────────────────────────────────────────────────────────────────────────────


def small(text: str = "conv 4 3x3 -> leaky 0.1", **options: Any) -> onnx.ModelProto:
    return loads(f"network {{ input 3x8x8 -> {text} -> flatten -> fc 2 }}").compile(**options).onnx


def test_a_node_with_another_attribute_is_another() -> None:
    first, again, other = (
        [row.text for row in nodes(small(f"conv 4 3x3 -> leaky {slope}"))]
        for slope in (0.1, 0.1, 0.2)
    )
    assert first == again
    (changed,) = (b for a, b in zip(first, other, strict=True) if a != b)
    assert changed.startswith("LeakyRelu ")
    assert "alpha=0.2" in changed


def test_wiring_is_told() -> None:
    (conv, *_) = nodes(small())
    assert "← input  " in conv.text
    assert "Nx4x6x6" in conv.text
    # Weights are a list of their own.
    assert "weight" not in conv.text


def test_tensors_by_name_type_and_shape() -> None:
    found = [row.text.split() for row in tensors(small())]
    assert ["float", "4x3x3x3", "conv4_3x3.weight"] in found
    half = [row.text.split() for row in tensors(small(precision="fp16"))]
    assert ["float16", "4x3x3x3", "conv4_3x3.weight"] in half


def test_numbers_in_tensors() -> None:
    one, other = small(seed=1), small(seed=2)
    assert numbers(one, one).changed == 0
    found = numbers(one, other)
    # Biases begin at zero in both.
    assert (found.tensors, found.changed, found.unread) == (4, 2, 0)
    # The same numbers, written in another field of the file.
    plain = small(seed=1)
    for tensor in plain.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        dims = tensor.dims
        tensor.CopyFrom(onnx.helper.make_tensor(tensor.name, 1, dims, array.ravel().tolist()))
    assert numbers(one, plain).changed == 0


def test_facts_name_no_places() -> None:
    found = facts(small())
    assert found["inputs"] == "input Nx3x8x8 float"
    assert found["nodes"] == 4
    assert found["numbers in tensors"] == 4 * 28 + 2 * 145
    assert "cnnspec.preprocessing" in found
    assert not {"cnnspec.spec", "cnnspec.seed", "cnnspec.version"} & set(found)


# ── answers ────────────────────────────────────────────────────────────────────────────────────


def test_the_same_inputs_for_both() -> None:
    a, b = (load("lenet5").compile(seed=1, fold_bn=fold).session("cpu") for fold in (True, False))
    (found,) = answers(a, b, [drawn(a, b)])
    assert (found.output, found.absolute, found.relative) == ("fc10_softmax", 0, 0)


def test_the_farthest_of_all_batches_counts() -> None:
    a, b = (load("lenet5").compile(seed=seed).session("cpu") for seed in (1, 2))
    x = drawn(a, b)
    zero = {"input": np.zeros_like(x["input"])}
    far = answers(a, b, [x])[0].absolute
    assert answers(a, b, [zero, x, zero])[0].absolute == far > 0


def test_axes_that_one_of_them_knows() -> None:
    network = load("unet")
    a = network.compile(dynamic_size=True).session("cpu")
    b = network.compile(batch=3).session("cpu")
    assert drawn(a, b)["input"].shape == (3, *(network.layers[0].shape or ()))
    assert drawn(a, a)["input"].shape == (4, 1, 32, 32)


def test_a_size_that_no_memory_holds_is_not_drawn() -> None:
    proto = small()
    for axis in proto.graph.input[0].type.tensor_type.shape.dim[2:]:
        axis.dim_value = 100_000
    del proto.graph.value_info[:]
    shape = [onnx.helper.make_node("GlobalAveragePool", ["input"], ["y"])]
    ends = [onnx.helper.make_tensor_value_info("y", 1, ["N", 3, 1, 1])]
    graph = onnx.helper.make_graph(shape, "g", [proto.graph.input[0]], ends)
    model = onnx.helper.make_model(graph, opset_imports=proto.opset_import, ir_version=8)
    a = open_session(model.SerializeToString(), "cpu")
    with pytest.raises(Unlike, match=r"`input` is 4x3x100000x100000, more numbers than"):
        drawn(a, a)


def test_names_are_passed_over_where_there_is_one() -> None:
    model = load("mlp").compile(seed=1)
    proto = model.onnx
    proto.graph.input[0].name = "z"
    for node in proto.graph.node:
        node.input[:] = ["z" if name == "input" else name for name in node.input]
    a, b = model.session("cpu"), open_session(proto.SerializeToString(), "cpu")
    assert answers(a, b, [drawn(a, b)])[0].absolute == 0


def test_what_cannot_be_asked_the_same() -> None:
    a = load("lenet5").compile().session("cpu")
    b = load("mlp").compile().session("cpu")
    with pytest.raises(Unlike, match=r"the input is input Nx1x28x28 float32 in one, "):
        drawn(a, b)
    c = load("lenet5").compile(until="fc84").session("cpu")
    with pytest.raises(Unlike, match=r"the output `fc10_softmax` is 4x10 in one, 4x84 in the"):
        answers(a, c, [drawn(a, c)])
