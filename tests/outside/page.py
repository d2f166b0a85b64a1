"""Which files does the page on training steps hold, and with what are they compared?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnspec.api import Network
from cnnspec.emit.compile import source_of
from cnnspec.resources import PACKAGE
from cnnspec.run.binding import Stepper
from cnnspec.run.model import CompiledModel
from cnnspec.train.step import build_step
from pages import fences

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training-step.md"

STEPS, BATCH, RATE = 30, 64, 1e-3

Batches = list[tuple[np.ndarray, np.ndarray]]


def write_programs(folder: Path) -> None:
    """Every fenced block with a name, as a file of that name."""
    for fence in fences(PAGE.read_text(encoding="utf-8")):
        if fence.name is not None:
            (folder / fence.name).write_text(fence.text, encoding="utf-8")


def digits() -> Batches:
    """The first of the digits that come with cnnspec."""
    with np.load(Path(PACKAGE) / "data" / "mnist10k.npz") as held:
        x = held["images"][: STEPS * BATCH].reshape(-1, BATCH, 1, 28, 28) / np.float32(255)
        y = held["labels"][: STEPS * BATCH].reshape(-1, BATCH).astype(np.int64)
    return list(zip(x, y, strict=True))


def write_batches(folder: Path, batches: Batches) -> None:
    np.stack([x for x, _ in batches]).astype("<f4").tofile(folder / "images.f32")
    np.stack([y for _, y in batches]).astype("<i8").tofile(folder / "labels.i64")


def own_losses(network: Network, batches: Batches) -> Sequence[float]:
    """What the product's own stepper says of the same batches.

    It begins with weights that are drawn here, not with those that the file holds.
    """
    recipe = network.graph.recipe
    assert recipe is not None
    source = source_of({}, recipe.seed)
    step = build_step(network.graph, recipe, source)
    weights = {
        f"{node.owner}.{key}": weight
        for node in network.layers
        if node.facts is not None
        for key, weight in node.facts.weights.items()
    }
    start = {
        k.name: np.full(k.shape, k.start)
        if k.start is not None
        else source(name := k.name.removesuffix("/average"), weights[name])
        for k in step.kept
    }
    stepper = Stepper(step, CompiledModel(step.model).to_bytes(), start)
    rate = np.array(RATE, np.float32)
    return [stepper.do({"input": x, "target": y, "lr": rate})["loss"] for x, y in batches]
