"""In which batches do examples come, and who prepares the next while one is used?"""

import math
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import numpy as np

from cnnspec.run.memory import Memory
from cnnspec.run.sets.augment import Examples, augmented, mixed
from cnnspec.run.sets.draws import Draws, permutation
from cnnspec.run.sets.part import Arrays, BadData, Indices, Part
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.augment import Augmentation, Mixup
from cnnspec.text.record import record

AHEAD = 2
"""How often what a thread makes at a time waits, finished, beside what the threads work on."""

TOGETHER = 1 << 20
"""As many numbers are made at a time: each start of a thread takes time from the step."""
MOST_TOGETHER = 32
"""As many batches at most."""


@record
class Batch:
    """What a step is given."""

    inputs: Arrays
    targets: Array
    clean: Arrays
    """The inputs without the noise of `data … noise=`: what an autoencoder is compared with."""
    indices: Indices
    """Which examples of the part these are."""

    def __len__(self) -> int:
        return len(self.indices)


Made = tuple[Sequence[Batch], OSError | BadData | None]
"""Batches, and why there are no more of them."""


def batches(
    part: Part,
    batch_size: int,
    *,
    seed: int = 0,
    epoch: int = 0,
    shuffle: bool = False,
    augment: Sequence[Augmentation] = (),
    threads: int = 1,
    start: int = 0,
    classes: int = 0,
    memory: Memory | None = None,
) -> Generator[Batch, None, None]:
    """The batches of an epoch from number `start` on; the last may be smaller.

    They are the same for the same seed and epoch, whatever `threads` and `start` are. With
    `threads=0` each is prepared when it is asked for. What a thread raises is raised here; closing
    the iterator ends the threads. `classes` is how many the network tells apart, where a mixture
    has a share of each; `memory` is what inputs are put into.
    """
    n = len(part)
    order = permutation(n, seed, "order", epoch) if shuffle else np.arange(n)
    groups = [order[i : i + batch_size] for i in range(start * batch_size, n, batch_size)]
    classes = classes or len(part.classes or ())
    making = _Making(part, augment, seed, epoch, classes, memory or Memory())
    if threads < 1:
        yield from map(making.batch, groups)
        return
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(threads, "batches")
    together = _together(part, batch_size)
    try:
        # The first comes alone: somebody is waiting for it.
        starts = [0, *range(1, len(groups), together)]
        for i, end in pairwise([*starts, len(groups)]):
            waiting.append(pool.submit(making.several, groups[i:end]))
            if len(waiting) >= threads + AHEAD:
                yield from _handed(waiting.popleft().result())
        while waiting:
            yield from _handed(waiting.popleft().result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _together(part: Part, batch_size: int) -> int:
    """How many batches are made at a time: several where they are small."""
    # What is of any size may be large.
    sizes = [math.prod(TOGETHER if n is None else n for n in w.size) for w in part.wants]
    numbers = max(batch_size * sum(sizes), 1)
    return min(max(TOGETHER // numbers, 1), MOST_TOGETHER)


class _Making:
    """How the examples of an epoch become batches."""

    def __init__(
        self,
        part: Part,
        augment: Sequence[Augmentation],
        seed: int,
        epoch: int,
        classes: int,
        memory: Memory,
    ) -> None:
        self.part = part
        self.wants = {w.name: w for w in part.wants}
        self.augment = [word for word in augment if not isinstance(word, Mixup)]
        self.mixup = next((word for word in augment if isinstance(word, Mixup)), None)
        self.seed = seed
        self.epoch = epoch
        self.classes = classes
        self.memory = memory

    def several(self, groups: Sequence[Indices]) -> Made:
        """What `batch` makes of each of these groups, up to one where something is wrong."""
        # What is mixed depends on who else is in the batch.
        if len(groups) > 1 and self.mixup is None:
            # Another is told of below, by the batch that it is in.
            with suppress(OSError, BadData):
                return _divided(self.batch(np.concatenate(groups)), groups), None
        made: list[Batch] = []
        try:
            made.extend(map(self.batch, groups))
        except (OSError, BadData) as fault:
            return made, fault
        return made, None

    def batch(self, indices: Indices) -> Batch:
        raw, targets = self.part.fetch(indices)
        are_pixels = {name: x.dtype == np.uint8 for name, x in raw.items()}
        if self.part.gives == "pictures" and targets.dtype == np.uint8:
            targets = np.multiply(targets, np.float32(1 / 255), dtype=np.float32)
        given = Examples(
            raw,
            targets,
            self.part.gives,
            indices,
            self.part.range,
            self.part.ignored or 0,
            any(are_pixels.values()),
        )
        given = augmented(self.augment, given, self.seed, self.epoch)
        if self.mixup is not None:
            given = mixed(self.mixup, given, self.classes, self.seed, self.epoch)
        clean = self._finished(given.inputs, are_pixels)
        inputs = clean
        if self.part.noise:
            noisy = {name: self._noisy(x, name, indices) for name, x in given.inputs.items()}
            inputs = self._finished(noisy, are_pixels)
        return Batch(inputs, _target(given), clean, indices)

    def _noisy(self, x: Array, name: str, indices: Indices) -> Array:
        low, high = self.part.range
        draws = Draws(indices, "noise", name, self.seed, self.epoch)
        deviation = np.float32(self.part.noise * (high - low))
        return x.astype(np.float32) + deviation * draws.normal(x.shape[1:])

    def _finished(self, xs: Arrays, are_pixels: Mapping[str, bool]) -> Arrays:
        return {
            name: finished(x, self.wants[name], are_pixels[name], self.memory)
            for name, x in xs.items()
        }


def _handed(made: Made) -> Iterator[Batch]:
    """The batches one by one, and then what was wrong with the next."""
    whole, fault = made
    yield from whole
    if fault is not None:
        raise fault


def _divided(whole: Batch, groups: Sequence[Indices]) -> list[Batch]:
    ends = np.cumsum([len(group) for group in groups]).tolist()
    parts = [slice(end - len(group), end) for group, end in zip(groups, ends, strict=True)]
    return [
        Batch(_cut(whole.inputs, part), whole.targets[part], _cut(whole.clean, part), group)
        for group, part in zip(groups, parts, strict=True)
    ]


def _cut(xs: Arrays, part: slice) -> Arrays:
    return {name: x[part] for name, x in xs.items()}


def finished(x: Array, wanted: Wanted, are_pixels: bool, memory: Memory) -> Array:
    """Examples as the network takes them: their type, their scale, their order of axes."""
    if wanted.dtype.kind in "iu":
        limits = np.iinfo(wanted.dtype.name)
        x = np.clip(np.rint(x), limits.min, limits.max) if x.dtype.kind == "f" else x
    elif are_pixels and not wanted.raw and wanted.picture is not None:
        y = memory.floats(x.shape)
        x = np.multiply(x, np.float32(1 / 255), out=y, dtype=np.float32)
    x = x.astype(wanted.dtype, copy=False)
    if len(wanted.size) == 1:
        x = x.reshape(len(x), -1)
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if wanted.layout == "hwc" else x


def _target(given: Examples) -> Array:
    """Classes as whole numbers, or as shares where they are mixed; pictures from 0 to 1."""
    y = given.targets
    if given.gives in ("classes", "masks"):
        return y if y.dtype == np.float32 else y.astype(np.int64, copy=False)
    return y.astype(np.float32, copy=False)
