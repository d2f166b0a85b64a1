"""Can a network be trained on what a data set has?"""

import numpy as np

from cnnspec.run.sets.part import BadData, Part, Splits
from cnnspec.settings.data import Data
from cnnspec.vocab.value import Shape


def check(splits: Splits, data: Data, output: Shape | None) -> None:
    """Raise `BadData` for what is certain to fail, or to teach nothing."""
    parts = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    for name, part in parts.items():
        if part is not None and part.gives == "classes":
            _classes(name, part, data, output)


def told(splits: Splits, data: Data, batch: int) -> Splits:
    """With a note where the spec alone could not say that a batch is never full."""
    count = len(splits.train)
    if count >= batch or data.training_examples() is not None:
        return splits
    note = f"a batch of {batch:,} is more than the {count:,} examples that `{data.kind}` trains on"
    return Splits(splits.train, splits.validation, splits.test, (*splits.notes, note))


def _classes(name: str, part: Part, data: Data, output: Shape | None) -> None:
    labels = part.labels
    assert labels is not None, "what gives classes knows the class of each example"
    if name == "training":
        found = np.unique(labels)
        if len(found) == 1 and len(labels) > 1:
            called = part.classes[int(found[0])] if part.classes else str(found[0])
            raise BadData(
                f"all {len(labels):,} training examples of `{data.kind}` are of one class, "
                f"`{called}`: there is nothing to tell apart"
            )
    if output is None or not output:
        return
    # One output says yes or no.
    count = max(output[0], 2)
    top = int(np.argmax(labels))
    if labels[top] >= count:
        raise BadData(
            f"{name} example {top:,} of `{data.kind}` is of class {labels[top]}; the network tells "
            f"{count} classes apart, 0 to {count - 1}"
        )
