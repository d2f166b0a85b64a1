"""Does a compiled network compute what another framework computes with the same weights?

Each JSON file here is one network; record.py made them, and the weights and inputs are drawn again
from their names.
"""

import json
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import pytest
from weights import inputs_for, weights_of

from cnnspec import load

RECORDS = sorted(Path(__file__).parent.glob("*.json"))
RELATIVE = 1e-4

REQUIRED = {
    "lenet5",
    "alexnet",
    "vgg11",
    "resnet18",
    "googlenet",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v2",
    "unet",
    "cnn1d",
}


class Record(TypedDict):
    input: list[int]
    output: list[int]
    at: list[int]
    """Where in the output, laid out flat, the values stand."""
    values: list[float]
    mean: float
    norm: float
    largest: float


def test_the_promised_networks_are_recorded() -> None:
    assert {path.stem for path in RECORDS} >= REQUIRED


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_same_numbers(path: Path) -> None:
    compare(path, fold_bn=True)


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_same_numbers_with_batch_normalisation_kept(name: str) -> None:
    compare(Path(__file__).with_name(f"{name}.json"), fold_bn=False)


def compare(path: Path, *, fold_bn: bool) -> None:
    said = cast("Record", json.loads(path.read_text(encoding="utf-8")))
    network = load(path.stem)
    model = network.compile(weights=weights_of(network), fold_bn=fold_bn)
    (source,) = network.graph.inputs
    (y,) = model.run({source.path: inputs_for(path.stem, said["input"])}).values()
    assert list(y.shape) == said["output"]
    y = y.astype(np.float64)
    # Relative to the largest: a number that happens to be nearly zero is not known any better.
    within = RELATIVE * said["largest"]
    np.testing.assert_allclose(y.ravel()[said["at"]], said["values"], rtol=0, atol=within)
    assert np.abs(y).max() == pytest.approx(said["largest"], rel=RELATIVE)
    assert np.linalg.norm(y) == pytest.approx(said["norm"], rel=RELATIVE)
    assert y.mean() == pytest.approx(said["mean"], rel=0, abs=within)
