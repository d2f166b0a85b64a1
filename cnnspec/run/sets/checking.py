"""Can a network be trained on what a data set has?"""

import math
from collections.abc import Sequence

import numpy as np

from cnnspec.run.sets.part import BadData, Held, Part, Splits
from cnnspec.run.wanted import show_size
from cnnspec.settings.data import Data
from cnnspec.vocab.value import Shape

CHUNK = 256
"""Masks that are looked at together."""


def check(splits: Splits, data: Data, outputs: Sequence[Shape]) -> None:
    """Raise `BadData` for what is certain to fail, or to teach nothing."""
    if splits.train.gives == "classes":
        _differ(splits.train, data)
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    there = {name: part for name, part in parts.items() if part is not None}
    for name, part in there.items():
        for output in outputs:
            _sizes(part, data, output)
            _classes(name, part, data, output)


def told(splits: Splits, data: Data, batch: int) -> Splits:
    """With a note where the spec alone could not say that a batch is never full."""
    count = len(splits.train)
    if count >= batch or data.training_examples() is not None:
        return splits
    note = f"a batch of {batch:,} is more than the {count:,} examples that `{data.kind}` trains on"
    return Splits(splits.train, splits.validation, splits.test, (*splits.notes, note))


def _differ(train: Part, data: Data) -> None:
    labels = train.labels
    assert labels is not None, "what gives classes knows the class of each example"
    found = np.unique(labels)
    if len(found) == 1 and len(labels) > 1:
        called = train.classes[int(found[0])] if train.classes else str(found[0])
        raise BadData(
            f"all {len(labels):,} training examples of `{data.kind}` are of one class, "
            f"`{called}`: there is nothing to tell apart"
        )


def _sizes(part: Part, data: Data, output: Shape) -> None:
    """Has a target as many numbers as it is compared with?"""
    if not isinstance(part.source, Held):
        # Pictures and masks are brought to the size of the output.
        return
    target = part.source.targets(part.indices[:1]).shape[1:]
    of_classes = part.gives in ("classes", "masks")
    wanted = output[1:] if of_classes else output
    if math.prod(target) != math.prod(wanted):
        raise BadData(
            f"a target of `{data.kind}` is {show_size(target)}; the network gives "
            f"{show_size(output)}"
        )


def _classes(name: str, part: Part, data: Data, output: Shape) -> None:
    # One output says yes or no.
    count = max(output[0], 2)
    found = _above(part, count)
    if found is not None:
        raise BadData(
            f"{name} example {found[0]:,} of `{data.kind}` is of class {found[1]}; the network "
            f"tells {count} classes apart, 0 to {count - 1}"
        )


def _above(part: Part, count: int) -> tuple[int, int] | None:
    """The first example with a class that the network has not, and that class."""
    if part.gives == "classes" and part.labels is not None:
        top = int(np.argmax(part.labels))
        return (top, int(part.labels[top])) if part.labels[top] >= count else None
    # Masks in files of pictures are looked through when they are decoded.
    if part.gives == "masks" and isinstance(part.source, Held):
        for start in range(0, len(part), CHUNK):
            masks = part.source.targets(part.indices[start : start + CHUNK])
            tops = masks.reshape(len(masks), -1).max(1)
            if (wrong := np.flatnonzero(tops >= count)).size:
                return start + int(wrong[0]), int(tops[wrong[0]])
    return None
