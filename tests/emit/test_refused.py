"""Is what the checker refuses for its shapes wrong for a runtime too?

Wrong uses of layers are drawn. The operator that stands for each is written by hand, without the
package, and given to ONNX Runtime: it refuses it too, or its size by the formula is less than 1, or
what becomes of an example hangs on how many there are.
"""

import random
from collections import Counter
from math import ceil, floor
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from cnnspec.layers import KINDS
from cnnspec.model.check import check
from cnnspec.text.diagnostic import Refusal, Sink
from cnnspec.text.source import Source
from emit import witnesses as by
from emit.wrong import WILD, use
from nets import read

Shape = tuple[int, ...]
Args = dict[str, Any]

OPERATORS = {
    "conv": "Conv",
    "deconv": "ConvTranspose",
    "maxpool": "MaxPool",
    "avgpool": "AveragePool",
    "lppool": "LpPool",
    "add": "Add",
    "sub": "Sub",
    "max": "Max",
}


def refused(n: int) -> list[tuple[int, str, Args, list[Shape], str]]:
    found: list[tuple[int, str, Args, list[Shape], str]] = []
    for seed in range(n):
        kind, given, xs = use(random.Random(seed))
        try:
            KINDS[kind](**given).shape(*xs)
        except Refusal as refusal:
            found.append((seed, kind, given, xs, refusal.code))
    return found


REFUSED = refused(1500)


def test_all_reasons_are_drawn() -> None:
    reasons = Counter(code for *_, code in REFUSED)
    wanted = """kernel-too-large wrong-size branches-disagree indivisible-groups wrong-axes
        wrong-rank flatten-missing"""
    assert set(wanted.split()) <= set(reasons)
    assert len({kind for _, kind, *_ in REFUSED}) == len(WILD)


def test_the_checker_refuses_them() -> None:
    for _, kind, given, xs, code in REFUSED:
        sink = Sink()
        text = program(kind, given, xs)
        assert check(Source("net.cnn", text), {}, sink, read) is None, text
        assert code in {d.code for d in sink.ordered()}, text


def program(kind: str, given: Args, xs: list[Shape]) -> str:
    lines = [f"input {'x'.join(map(str, x))} as i{k}" for k, x in enumerate(xs)]
    call = KINDS[kind](**given).text()
    lines.append(f"{call} {{ | i0 | i1 }}" if len(xs) > 1 else call)
    return "\n".join(["network {", *(f"  {line}" for line in lines), "}"])


def test_the_runtime_refuses_them() -> None:
    wrong = [
        f"{code}: {KINDS[kind](**given).text()} of {xs} gives {ys}"
        for _, kind, given, xs, code in REFUSED
        if not is_meaningless(kind, given, xs)
        and not is_stricter(kind, given, xs)
        and (ys := ran(kind, given, xs)) is not None
    ]
    assert not wrong, "\n".join(wrong)


# ── by hand ────────────────────────────────────────────────────────────────────────────────────


def ran(kind: str, given: Args, xs: list[Shape]) -> list[Shape] | None:
    """The shapes of the results of 13 and of 17 examples, if it runs and they say the same of each
    example; no axis is as long as that."""
    try:
        ys = [made(kind, given, [(n, *x) for x in xs]) for n in (13, 17)]
    except Exception:
        return None
    # Where groups do not divide the filters, another number of maps is made than was asked for.
    filters = given.get("filters", ys[0][1])
    return ys if ys[0][0] == 13 and ys[0][1:] == ys[1][1:] and ys[0][1] == filters else None


def is_stricter(kind: str, given: Args, xs: list[Shape]) -> bool:
    """Does the language ask for more than the operator? `matmul` does not repeat a branch along
    the axes before the last two, as `add` does along all."""
    return kind == "matmul" and 1 in (n for x in xs for n in x[:-2])


def made(kind: str, given: Args, xs: list[Shape]) -> Shape:
    """The shape that ONNX Runtime makes of inputs of these shapes, with the batch."""
    names = [f"x{k}" for k in range(len(xs))]
    op, attributes, more = operator(kind, given, xs)
    tensors = [numpy_helper.from_array(array, name) for name, array in more.items()]
    nodes = [helper.make_node(op, [*names, *more], ["y"], **attributes)]
    if kind == "matmul" and given.get("transpose"):
        rank = len(xs[1])
        perm = [*range(rank - 2), rank - 1, rank - 2]
        nodes = [
            helper.make_node("Transpose", ["x1"], ["turned"], perm=perm),
            helper.make_node("MatMul", ["x0", "turned"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        "one",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, x)
            for name, x in zip(names, xs, strict=True)
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    feeds = {name: np.ones(x, np.float32) for name, x in zip(names, xs, strict=True)}
    (y,) = by.run(model, feeds)
    return y.shape


Operator = tuple[str, Args, dict[str, np.ndarray]]


def operator(kind: str, given: Args, xs: list[Shape]) -> Operator:
    """The operator, its attributes, and what it takes besides the values."""
    x = xs[0][1:]
    if kind in ("conv", "deconv"):
        filters, groups = given["filters"], given.get("groups", 1)
        kernel = numbers(given["kernel"], x)
        outer = (filters, x[0] // groups) if kind == "conv" else (x[0], filters // groups)
        return OPERATORS[kind], window(given, x), {"w": np.ones((*outer, *kernel), np.float32)}
    if kind in ("maxpool", "avgpool", "lppool"):
        return OPERATORS[kind], window(given, x), {}
    if kind == "fc":
        return "Gemm", {"transB": 1}, {"w": np.ones((given["units"], x[0]), np.float32)}
    if kind == "gn":
        ones = np.ones(x[0], np.float32)
        return "GroupNormalization", {"num_groups": given["groups"]}, {"s": ones, "b": ones}
    if kind == "channelshuffle":
        groups = given["groups"]
        return "Reshape", {}, {"to": np.array([xs[0][0], groups, x[0] // groups, *x[1:]])}
    if kind == "pixelshuffle":
        return "Reshape", {}, {"to": np.array([xs[0][0], *apart(x, given["factor"])])}
    if kind == "pixelunshuffle":
        r = given["factor"]
        blocks = [m for n in x[1:] for m in (n // r, r)]
        return "Reshape", {}, {"to": np.array([xs[0][0], x[0], *blocks])}
    if kind == "reshape":
        return "Reshape", {}, {"to": np.array([xs[0][0], *given["size"]])}
    if kind == "concat":
        axes = ("channels", *by_rank(len(x) - 1))
        return "Concat", {"axis": 1 + axes.index(str(given["axis"]))}, {}
    if kind == "matmul":
        return "MatMul", {}, {}
    return OPERATORS[kind], {}, {}


def apart(x: Shape, r: int) -> list[int]:
    rank = len(x) - 1
    return [x[0] // r**rank, *[r] * rank, *x[1:]]


def by_rank(rank: int) -> tuple[str, ...]:
    return ((), ("length",), ("height", "width"), ("depth", "height", "width"))[rank]


def numbers(value: Any, x: Shape) -> list[int]:
    """One for each axis; a tuple as it is, be it as long as the map has axes or not."""
    return list(value) if isinstance(value, tuple) else [value] * (len(x) - 1)


def sides(value: Any, x: Shape) -> list[int]:
    both = numbers(value, x)
    return both if len(both) == 2 * (len(x) - 1) else both * 2


def window(given: Args, x: Shape) -> Args:
    kernel = given["kernel"]
    stride = given.get("stride", 1 if "filters" in given else kernel)
    found: Args = {
        "kernel_shape": numbers(kernel, x),
        "strides": numbers(stride, x),
        "pads": sides(given.get("pad", 0), x),
    }
    if given.get("ceil"):
        found["ceil_mode"] = 1
    if "dilation" in given:
        found["dilations"] = numbers(given["dilation"], x)
    if "groups" in given:
        found["group"] = given["groups"]
    if "output_pad" in given:
        found["output_padding"] = numbers(given["output_pad"], x)
    return found


def is_meaningless(kind: str, given: Args, xs: list[Shape]) -> bool:
    """Is a size of the result, by the textbook's formula, less than 1?"""
    x = xs[0]
    rank = len(x) - 1
    if "kernel" not in given or not rank:
        return False
    w = {name: value for name, value in window(given, x).items() if isinstance(value, list)}
    if len(w["pads"]) != 2 * rank or any(len(v) != rank for k, v in w.items() if k != "pads"):
        return False
    for i, n in enumerate(x[1:]):
        extent = w.get("dilations", [1] * rank)[i] * (w["kernel_shape"][i] - 1) + 1
        pads, stride = w["pads"][i] + w["pads"][rank + i], w["strides"][i]
        if kind == "deconv":
            extra = w.get("output_padding", [0] * rank)[i]
            size = (n - 1) * stride - pads + extent + extra
        else:
            rounded = ceil if given.get("ceil") else floor
            size = rounded((n + pads - extent) / stride) + 1
        if size < 1:
            return True
    return False
