"""Are the gradients of a first step those of another framework, which took them in float64?

record.py wrote them; weights and inputs are drawn again from their names. Normalisation is by the
batch's own statistics, as in training.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypedDict

import numpy as np
import pytest
from first_step import SPECS, given, network_of, sampled
from stepping import Array, Stepping

from cnnspec.emit.passes.blocked import in_blocks
from cnnspec.emit.passes.spelled import spell_out
from cnnspec.onnxir.graph import Model
from cnnspec.run.blocks import block_size
from values.weights import weights_of

RELATIVE = 1e-4
"""Measured: 1.2e-5 in `mobile`, where torch in float32 has 2.2e-5, and at most 3e-6 elsewhere."""

NOTHING = 1e-10
"""The share of the length of all gradients below which one is 0 but for float64's rounding. In
`mobile` these are three biases that enter a linear convolution and then another normalisation,
which takes every constant away: float64 has 1e-16 of the length, float32 3e-8 (torch: the same)."""

ROUNDED = 1e-7
"""The share that rounding in float32 may make of nothing."""


GPU = "for a GPU"

FORMS: dict[str, Callable[[Model], Model]] = {
    "as exported": lambda model: model,
    "in blocks": lambda model: in_blocks(model, block_size()),
    GPU: spell_out,
}
"""How the step is put that runs."""


class Gradient(TypedDict):
    norm: float
    values: list[float]


class Record(TypedDict):
    loss: float
    weights: dict[str, Gradient]


@cache
def records() -> dict[str, Record]:
    return json.loads(Path(__file__).with_name("first_step.json").read_text(encoding="utf-8"))


def test_all_are_recorded() -> None:
    assert set(records()) == set(SPECS)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("form", FORMS)
def test_gradients(name: str, form: str) -> None:
    wanted = records()[name]
    loss, found = first_step(name, form)
    assert loss == pytest.approx(wanted["loss"], rel=1e-5)
    assert set(found) == set(wanted["weights"])
    length = np.linalg.norm([row["norm"] for row in wanted["weights"].values()])
    there = {p: row for p, row in wanted["weights"].items() if row["norm"] > NOTHING * length}
    far = {path: apart(found[path], row) for path, row in there.items()}
    assert max(far.values()) <= RELATIVE, {p: e for p, e in far.items() if e > RELATIVE}
    nothing = {p: np.linalg.norm(found[p]) for p in found if p not in there}
    assert len(nothing) == (3 if name == "mobile" else 0)
    assert all(norm <= ROUNDED * length for norm in nothing.values()), nothing


def first_step(name: str, form: str) -> tuple[float, dict[str, Array]]:
    """The loss, and the gradient of each weight, which a momentum that starts at 0 remembers."""
    network = network_of(name)
    x, y = given(name, network)
    steps = Stepping(
        network.graph, weights_of(network), "optimizer momentum", FORMS[form], for_gpu=form == GPU
    )
    (source,) = network.graph.inputs
    told = steps.do({source.path: x, "target": y})
    return told["loss"], {path: steps.kept[f"{path}/velocity"] for path in steps.trained}


def apart(found: Array, wanted: Gradient) -> float:
    """How far a gradient is off, relative to its size: its samples, and its length."""
    values = np.array(wanted["values"])
    of_values = np.linalg.norm(sampled(found.astype(float)) - values) / np.linalg.norm(values)
    of_norm = abs(np.linalg.norm(found.astype(float)) / wanted["norm"] - 1)
    return float(max(of_values, of_norm))
