"""Which examples are for training, which for validation and for test?"""

from collections.abc import Sequence

import numpy as np

from cnnspec.run.sets.draws import permutation
from cnnspec.run.sets.part import (
    BYTES,
    BadData,
    Found,
    Held,
    Indices,
    Part,
    Source,
    Splits,
    digest_of,
)
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.data import Data
from cnnspec.vocab.value import listing

PARTS: tuple[str, ...] = ("train", "validation", "test")

SAMPLE = 4096
"""As many examples tell what range numbers have."""


def divide(found: Found, data: Data, wants: Sequence[Wanted], seed: int) -> Splits:
    """The parts that the data set's `split`, `classes` and `limit` ask for."""
    chosen = _chosen(found, data)
    places = {name: _of_classes(s, chosen) for name, s in _sources(found).items()}
    own = {name for name in places if name != "train"}
    order = places["train"][permutation(len(places["train"]), seed, "split")]
    counts = _counts(data, len(order), own)
    ends = np.cumsum(counts)
    cut = dict(zip(PARTS, np.split(order, ends), strict=False))
    cut["train"] = cut["train"][: data.limit]
    spread = _range(found.train, places["train"])
    spans = _spans(found, places["train"], wants[0])
    sources = _sources(found)

    def part(name: str) -> Part | None:
        source, indices = sources.get(name, found.train), places.get(name, cut[name])
        indices = cut["train"] if name == "train" else indices
        if not len(indices):
            return None
        return Part(
            source,
            indices,
            tuple(wants),
            found.gives,
            _names(found, chosen),
            digest_of(found.digest.encode(), name.encode(), indices),
            spread,
            float(getattr(data, "noise", 0.0)),
            found.ignored,
            None if chosen is None else {old: new for new, old in enumerate(chosen)},
            spans,
        )

    train = part("train")
    if train is None:
        raise BadData(f"no example of `{data.kind}` is left for training")
    return Splits(train, part("validation"), part("test"), found.notes)


def _sources(found: Found) -> dict[str, Source]:
    pairs = {"train": found.train, "validation": found.validation, "test": found.test}
    return {name: source for name, source in pairs.items() if source is not None}


# ── classes ─────────────────────────────────────────────────────────────────────────────────────


def _chosen(found: Found, data: Data) -> list[int] | None:
    """The old numbers of the classes that are used, in their new order."""
    if data.classes is None:
        return None
    if found.gives != "classes":
        raise BadData(f"`classes` chooses among classes; `{data.kind}` gives {found.gives} here")
    labels = found.train.labels
    assert labels is not None, "what gives classes knows the class of each example"
    count = len(found.classes) if found.classes else int(labels.max()) + 1
    numbers = [_number(c, found.classes, count, data) for c in data.classes]
    twice = next((n for i, n in enumerate(numbers) if n in numbers[:i]), None)
    if twice is not None:
        raise BadData(f"`classes` names class {twice} twice")
    return numbers


def _number(asked: int | str, names: Sequence[str] | None, count: int, data: Data) -> int:
    if isinstance(asked, int):
        if asked >= count:
            raise BadData(f"`{data.kind}` has {count} classes, 0 to {count - 1}; none is {asked}")
        return asked
    if names is None:
        raise BadData(f"the classes of `{data.kind}` have numbers only; none is called `{asked}`")
    if asked not in names:
        shown = listing([f"`{n}`" for n in names[:10]], "and") + (", …" if names[10:] else "")
        raise BadData(f"`{data.kind}` has no class `{asked}`; its classes are {shown}")
    return list(names).index(asked)


def _names(found: Found, chosen: Sequence[int] | None) -> tuple[str, ...] | None:
    if found.classes is None or chosen is None:
        return found.classes
    return tuple(found.classes[n] for n in chosen)


def _of_classes(source: Source, chosen: Sequence[int] | None) -> Indices:
    if chosen is None:
        return np.arange(len(source))
    return np.flatnonzero(np.isin(source.labels, chosen))  # pyright: ignore[reportArgumentType]


# ── numbers of examples ─────────────────────────────────────────────────────────────────────────


def _counts(data: Data, there: int, own: set[str]) -> list[int]:
    """How many examples each part gets; none for those that have their own."""
    asked = [*data.split, 0, 0][:3]
    spare = 0.0
    for i, name in ((1, "validation"), (2, "test")):
        if name in own:
            spare, asked[i] = spare + asked[i], 0
    if not data.splits_by_share:
        return _whole([int(n) for n in asked], there, data)
    if not data.was_given("split"):
        # What a part with examples of its own does not need is for training, unless it was given.
        asked[0] += spare
    return _shares(asked, there)


def _whole(asked: list[int], there: int, data: Data) -> list[int]:
    if sum(asked) > there:
        wish = " + ".join(f"{n:,}" for n in asked if n)
        raise BadData(f"`split` asks for {wish} examples of `{data.kind}`; {there:,} are there")
    return asked


def _shares(asked: Sequence[float], there: int) -> list[int]:
    # 0.29·100 is 28.999999999999996: a share that is meant as a whole number becomes it.
    ends = [int(round(sum(asked[: i + 1]) * there, 6)) for i in range(3)]
    train = int(asked[0] * there)
    return [train, ends[1] - ends[0], ends[2] - ends[1]]


def _range(source: Source, places: Indices) -> tuple[float, float]:
    """That of the inputs: a byte's, or that of the numbers in some thousand examples."""
    x = _inputs(source, places)
    return BYTES if x is None or x.dtype == np.uint8 else (float(x.min()), float(x.max()))


def _inputs(source: Source, places: Indices) -> Array | None:
    """Some thousand examples of the first input; none where they are bytes in files."""
    if not len(places) or not isinstance(source, Held):
        return None
    return next(iter(source.inputs(places[:SAMPLE]).values()))


def _spans(found: Found, places: Indices, wanted: Wanted) -> tuple[float, float]:
    """How far the numbers of inputs, and of targets that are pictures, reach."""
    x = _inputs(found.train, places)
    are_scaled = wanted.picture is not None and not wanted.raw
    of_bytes = 1.0 if are_scaled else BYTES[1] - BYTES[0]
    of_inputs = of_bytes if x is None or x.dtype == np.uint8 else _span(x)
    if found.gives != "pictures" or not isinstance(found.train, Held) or not len(places):
        return of_inputs, 1.0
    y = found.train.targets(places[:SAMPLE])
    return of_inputs, 1.0 if y.dtype == np.uint8 else _span(y)


def _span(x: Array) -> float:
    """1 where numbers are from 0 to 1, whether or not they reach both."""
    low, high = float(x.min()), float(x.max())
    return 1.0 if (low >= 0 and high <= 1) or low == high else high - low
