"""Can a network be trained on what a data set has?"""

import math
from collections.abc import Sequence

import numpy as np

from cnnspec.run.sets.pairs import IGNORED, Matched
from cnnspec.run.sets.part import BadData, Held, Part, Splits
from cnnspec.run.wanted import show_size
from cnnspec.settings.data import Data
from cnnspec.vocab.value import Shape, listing

CHUNK = 256
"""Masks that are looked at together."""

UNCOUNTED = f"pixels that do not count are of class {IGNORED}"


def check(splits: Splits, data: Data, outputs: Sequence[Shape]) -> None:
    """Raise `BadData` for what is certain to fail, or to teach nothing."""
    if splits.train.gives == "classes":
        _differ(splits.train, data)
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    there = {name: part for name, part in parts.items() if part is not None}
    # One output says yes or no.
    count = min((max(output[0], 2) for output in outputs), default=None)
    for name, part in there.items():
        for output in outputs:
            _sizes(part, data, output)
        who = f"{name} example {{:,}} of `{data.kind}`"
        if part.gives == "classes":
            _labels(part, who, count)
        # Masks in files of pictures are looked through when they are decoded.
        if part.gives == "masks" and isinstance(part.source, Held):
            _masks(part, who, count)


def told(splits: Splits, data: Data, batch: int) -> Splits:
    """With a note where the spec alone could not say that a batch is never full."""
    count = len(splits.train)
    notes = [*splits.notes, *_absent(splits.train, data)]
    if count < batch and data.training_examples() is None:
        there = "1 example" if count == 1 else f"{count:,} examples"
        notes.append(f"a batch of {batch:,} is more than the {there} that `{data.kind}` trains on")
    return Splits(splits.train, splits.validation, splits.test, tuple(notes))


def _absent(train: Part, data: Data) -> list[str]:
    """A note of classes that have a name and no example to learn from."""
    if train.classes is None or train.labels is None:
        return []
    there = set(train.labels.tolist())
    absent = [f"`{name}`" for k, name in enumerate(train.classes) if k not in there]
    if not absent:
        return []
    shown = listing(absent, "or") if len(absent) < 4 else f"{', '.join(absent[:3])}, …"
    return [f"`{data.kind}` has no training example of {shown}"]


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
    target = _target(part)
    if target is None:
        return
    of_classes = part.gives in ("classes", "masks")
    wanted = output[1:] if of_classes else output
    # A vector may stand for a picture; a mask of other sides would have its pixels elsewhere.
    is_alike = target == wanted if part.gives == "masks" else math.prod(target) == math.prod(wanted)
    if not is_alike:
        raise BadData(
            f"a target of `{data.kind}` is {show_size(target)}; the network gives "
            f"{show_size(output)}{_hint(part, target, output)}"
        )


def _target(part: Part) -> Shape | None:
    match part.source:
        case Held():
            return part.source.targets(part.indices[:1]).shape[1:]
        case Matched():
            return part.source.target_size
        case _:
            return None


def _hint(part: Part, target: Shape, output: Shape) -> str:
    """What may have been meant, where that can be told."""
    if part.gives in ("classes", "masks") or not isinstance(part.source, Held):
        return ""
    if math.prod(target) == 1:
        return "; classes are whole numbers, one an example"
    is_whole = part.source.targets(part.indices[:1]).dtype.kind in "iu"
    if is_whole and target[0] == 1 and target[1:] == output[1:]:
        return "; with `targets=masks` it is a class for each pixel"
    return ""


def _labels(part: Part, who: str, count: int | None) -> None:
    """Has the network every class?"""
    labels = part.labels
    assert labels is not None, "what gives classes knows the class of each example"
    top = int(np.argmax(labels))
    if count is not None and labels[top] >= count:
        raise BadData(f"{who.format(part.indices[top])} {_strange(int(labels[top]), count)}")


def _masks(part: Part, who: str, count: int | None) -> None:
    """Has the network the class of every pixel, except of those that do not count?"""
    for start in range(0, len(part), CHUNK):
        places = part.indices[start : start + CHUNK]
        masks = part.source.targets(places)
        pixels = tuple(range(1, masks.ndim))
        lows, tops = masks.min(pixels, initial=0), masks.max(pixels, initial=0)
        if (wrong := np.flatnonzero(lows < IGNORED)).size:
            said = f"has a pixel of class {lows[wrong[0]]}; {UNCOUNTED}"
            raise BadData(f"{who.format(places[wrong[0]])} {said}")
        if count is not None and (wrong := np.flatnonzero(tops >= count)).size:
            said = f"{_strange(int(tops[wrong[0]]), count)}; {UNCOUNTED}"
            raise BadData(f"{who.format(places[wrong[0]])} {said}")


def _strange(label: int, count: int) -> str:
    return f"is of class {label}; the network tells {count} classes apart, 0 to {count - 1}"
