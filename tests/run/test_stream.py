"""Do batches come in an order that can be resumed, changed at random but always the same?"""

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cnnspec.run import stream
from cnnspec.run.sets import moving
from cnnspec.run.sets.draws import Draws, permutation
from cnnspec.run.sets.moving import Movement, rotated, shifted
from cnnspec.run.sets.part import BadData, Held, Part
from cnnspec.run.stream import Batch, batches
from cnnspec.run.wanted import Wanted
from cnnspec.settings.augment import (
    Augmentation,
    Brightness,
    Contrast,
    Crop,
    Cutout,
    Flip,
    Mixup,
    Noise,
    Rotate,
    Shift,
    Zoom,
)

F32 = np.dtype(np.float32)


def part_of(x, y=None, *, gives: Any = "classes", wanted=None, noise=0.0, ignored=None) -> Part:
    y = np.arange(len(x)) % 10 if y is None else y
    wanted = wanted or Wanted("x", x.shape[1:], F32)
    held = Held({"x": x}, y, are_classes=gives == "classes")
    spread = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    return Part(held, np.arange(len(x)), (wanted,), gives, None, "", spread, noise, ignored)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 1, 12, 12)).astype(np.uint8)


def same(a: Sequence[Batch], b: Sequence[Batch]) -> None:
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left.indices, right.indices)
        np.testing.assert_array_equal(left.inputs["x"], right.inputs["x"])
        np.testing.assert_array_equal(left.targets, right.targets)


# ── order ───────────────────────────────────────────────────────────────────────────────────────


def test_every_example_comes_once_and_the_last_batch_is_smaller(pictures) -> None:
    found: list[Any] = list(batches(part_of(pictures), 64, seed=3, epoch=2, shuffle=True))
    assert [len(b) for b in found] == [64, 64, 22]
    order = np.concatenate([b.indices for b in found])
    assert sorted(order) == list(range(150))
    assert list(order) != list(range(150))
    np.testing.assert_array_equal(found[0].targets, found[0].indices % 10)
    np.testing.assert_allclose(found[0].inputs["x"], pictures[found[0].indices] / 255, atol=1e-7)


def test_an_order_belongs_to_its_seed_and_epoch(pictures) -> None:
    part = part_of(pictures)

    def first(seed: int, epoch: int) -> list[int]:
        return next(batches(part, 64, seed=seed, epoch=epoch, shuffle=True)).indices.tolist()

    assert first(1, 1) == first(1, 1)
    assert first(1, 1) != first(1, 2) != first(2, 1)
    assert next(batches(part, 5, seed=1, epoch=9)).indices.tolist() == [0, 1, 2, 3, 4]


def test_orders_are_those_of_every_release() -> None:
    # Philox and SplitMix64 are fixed; a change here would change what a resumed run sees.
    assert permutation(8, 0, "order", 0).tolist() == [1, 4, 0, 7, 6, 2, 5, 3]
    assert Draws(np.arange(3), "a", 1).whole(0, 999).tolist() == [881, 366, 836]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_epoch_is_resumed_where_it_was_left(pictures, threads: int) -> None:
    part = part_of(pictures, noise=0.1)
    words = (Shift(by=2), Rotate(degrees=20.0), Noise(by=0.1), Mixup())
    how = {"seed": 5, "epoch": 3, "shuffle": True, "augment": words, "classes": 10}
    whole = list(batches(part, 16, threads=0, **how))
    same(list(batches(part, 16, threads=threads, **how)), whole)
    same(list(batches(part, 16, threads=threads, start=7, **how)), whole[7:])
    assert list(batches(part, 16, threads=threads, start=10, **how)) == []


WORDS = [
    (Flip(), Crop(pad=2), Brightness(by=0.1), Contrast(by=0.3), Cutout(size=3)),
    (Shift(by=2), Rotate(degrees=15.0), Noise(by=0.1)),
    (Shift(by=2, fill="mirror"), Rotate(degrees=90.0, fill="edge", chance=0.5)),
    (Zoom(by=0.8), Rotate(degrees=180.0, fill="mirror"), Mixup()),
]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("gives", ["classes", "masks"])
def test_batches_are_the_same_however_many_are_made_at_a_time(
    words: Sequence[Augmentation], gives: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(1)
    x = draw.integers(0, 256, (70, 3, 9, 14)).astype(np.uint8)
    part = part_of(x, draw.integers(0, 5, (70, 9, 14)) if gives == "masks" else None, gives=gives)
    how: Any = {"seed": 5, "epoch": 3, "shuffle": True, "augment": words, "classes": 10}
    alone = list(batches(part, 8, threads=0, **how))
    for most in (1, 3, 8):
        monkeypatch.setattr(stream, "MOST_TOGETHER", most)
        for first in (0, 2):
            found = list(batches(part, 8, threads=2, start=first, **how))
            same(found, alone[first:])
            assert all(b.inputs["x"].flags.c_contiguous for b in found)


def test_small_batches_are_made_together_and_large_ones_alone() -> None:
    def fetched(*shape: int) -> list[int]:
        asked: list[int] = []

        class Counting(Held):
            def inputs(self, indices):
                asked.append(len(indices))
                return super().inputs(indices)

        whole = part_of(np.zeros((48, *shape), np.uint8))
        held = Counting({"x": np.zeros((48, *shape), np.uint8)}, np.zeros(48, int))
        part = Part(held, whole.indices, whole.wants, "classes", None, "", whole.range)
        assert [len(b) for b in batches(part, 4)] == [4] * 12
        return asked

    assert fetched(1, 8, 8) == [4, 44]
    assert fetched(1, 192, 192) == [4, 28, 16]
    assert fetched(3, 256, 256) == [4] * 12


# ── threads ─────────────────────────────────────────────────────────────────────────────────────


def test_what_a_thread_raises_is_raised_here(pictures) -> None:
    class Broken(Held):
        def inputs(self, indices):
            if 100 in indices:
                raise BadData("picture 100 is cut off")
            return super().inputs(indices)

    whole = part_of(pictures)
    broken = Broken({"x": pictures}, np.zeros(150, int))
    part = Part(broken, whole.indices, whole.wants, "classes", None, "", whole.range)
    stream = batches(part, 10, threads=2)
    assert sum(1 for _ in zip(range(10), stream, strict=False)) == 10
    with pytest.raises(BadData, match="picture 100 is cut off"):
        list(stream)
    assert not names_of_threads()


def test_closing_ends_the_threads(pictures) -> None:
    stream = batches(part_of(pictures), 8, threads=3)
    next(stream)
    assert names_of_threads()
    stream.close()
    assert not names_of_threads()


def names_of_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("batches")]


def test_no_more_is_prepared_than_is_soon_needed(pictures) -> None:
    asked: list[int] = []

    class Counting(Held):
        def inputs(self, indices):
            asked.append(len(indices))
            return super().inputs(indices)

    whole = part_of(pictures)
    part = Part(
        Counting({"x": pictures}, np.zeros(150, int)),
        whole.indices,
        whole.wants,
        "classes",
        None,
        "",
        whole.range,
    )
    stream = batches(part, 1, threads=2)
    next(stream)
    stream.close()
    assert len(asked) <= 4


# ── what a step is given ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("x", (1, 12, 12), F32), lambda x: x.astype(np.float32) / np.float32(255)),
        (Wanted("x", (1, 12, 12), F32, raw=True), lambda x: x.astype(np.float32)),
        (Wanted("x", (144,), F32), lambda x: x.reshape(-1, 144).astype(np.float32) / 255),
        (
            Wanted("x", (1, 12, 12), np.dtype(np.uint8), "hwc", True),
            lambda x: x.reshape(-1, 12, 12, 1),
        ),
    ],
)
def test_pixels_come_as_the_input_declares_them(pictures, wanted: Wanted, expected) -> None:
    batch: Any = next(batches(part_of(pictures, wanted=wanted), 20))
    x = batch.inputs["x"]
    want = expected(pictures[:20])
    assert x.dtype == wanted.dtype
    assert x.flags.c_contiguous
    np.testing.assert_allclose(x, want, atol=1e-6)


def test_numbers_come_as_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(9, 1, 24)).astype(np.float32)
    y = np.arange(9, dtype=np.float64)[:, None]
    batch = next(batches(part_of(x, y, gives="numbers"), 4))
    np.testing.assert_array_equal(batch.inputs["x"], x[:4])
    assert batch.targets.dtype == np.float32


def test_noise_of_the_data_spares_the_targets(pictures) -> None:
    part = part_of(pictures, noise=0.2)
    batch: Any = next(batches(part, 150))
    np.testing.assert_allclose(batch.clean["x"], pictures / 255, atol=1e-6)
    assert float(np.std(batch.inputs["x"] - batch.clean["x"])) == pytest.approx(0.2, rel=0.03)
    other = next(batches(part, 150, epoch=1))
    assert not np.array_equal(other.inputs["x"], batch.inputs["x"])


# ── what is moved ───────────────────────────────────────────────────────────────────────────────


def sampled(x: np.ndarray, row: float, column: float, fill: str) -> float:
    """By definition: the four neighbours of a place, each as near as the place is to it."""
    height, width = x.shape
    y = 0.0
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            share = (1 - abs(row - i)) * (1 - abs(column - j))
            match fill:
                case "zeros":
                    value = x[i, j] if 0 <= i < height and 0 <= j < width else 0.0
                case "edge":
                    value = x[min(max(i, 0), height - 1), min(max(j, 0), width - 1)]
                case _:
                    value = x[mirrored(i, height), mirrored(j, width)]
            y += share * value
    return y


def mirrored(i: int, n: int) -> int:
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@pytest.mark.parametrize("fill", ["zeros", "edge", "mirror"])
@pytest.mark.parametrize("largest", [0.1, 0.6, 3.1])
def test_turning_is_what_its_definition_says(fill: str, largest: float) -> None:
    # Near and far, with a border that is wide and with one that is not.
    draw = np.random.default_rng(2)
    x = draw.uniform(0, 255, (6, 2, 11, 16)).astype(np.float32)
    angles = draw.uniform(-largest, largest, 6).astype(np.float32)
    y = rotated(x, angles, Movement(fill))
    for k, angle in enumerate(angles.tolist()):
        cos, sin = math.cos(angle), math.sin(angle)
        for i, j in np.ndindex(11, 16):
            row, column = (i - 5) * cos - (j - 7.5) * sin + 5, (i - 5) * sin + (j - 7.5) * cos + 7.5
            for c in range(2):
                assert y[k, c, i, j] == pytest.approx(sampled(x[k, c], row, column, fill), abs=2e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
@pytest.mark.parametrize("size", [(9,), (8, 6), (1, 1), (5, 4, 7)])
@pytest.mark.parametrize("most", [0, 1, 3, 12])
def test_small_maps_move_as_large_ones_do(
    dtype: type, size: tuple[int, ...], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(3)
    x = (draw.integers(0, 256, (20, 3, *size)) - 128).astype(dtype)
    x.flat[:2] = [np.nan, -np.inf] if dtype is np.float32 else [1, 255]
    offsets = draw.integers(-most, most + 1, (20, len(size)))
    found = [shifted(given, offsets, Movement("zeros")) for given in (x, np.asfortranarray(x))]
    monkeypatch.setattr(moving, "SMALL", 0)
    expected = shifted(x, offsets, Movement("zeros"))
    for y in found:
        assert (y.dtype, y.shape, y.flags.c_contiguous) == (x.dtype, x.shape, True)
        assert y.tobytes() == np.ascontiguousarray(expected).tobytes()
    # One of them by definition: what was at p is at p + its offset.
    k, by = 11, offsets[11].tolist()
    for place in np.ndindex(*size):
        before = tuple(p - o for p, o in zip(place, by, strict=True))
        inside = all(0 <= p < n for p, n in zip(before, size, strict=True))
        wanted = x[(k, 1, *before)] if inside else 0
        assert found[0][(k, 1, *place)] == wanted


# ── augmentations ───────────────────────────────────────────────────────────────────────────────


def seen(part: Part, *words: Augmentation, epoch: int = 0) -> Any:
    return next(batches(part, len(part), augment=words, epoch=epoch, threads=0, classes=10))


def raw(pictures) -> Part:
    return part_of(pictures, wanted=Wanted("x", pictures.shape[1:], F32, raw=True))


def test_flip_mirrors_every_second_example(pictures) -> None:
    x = seen(raw(pictures), Flip()).inputs["x"]
    kept = (x == pictures).all((1, 2, 3))
    turned = (x == pictures[..., ::-1]).all((1, 2, 3))
    assert (kept | turned).all()
    assert 50 < turned.sum() < 100
    up = seen(raw(pictures), Flip(axis="height", chance=1.0)).inputs["x"]
    np.testing.assert_array_equal(up, pictures[:, :, ::-1])
    with pytest.raises(BadData, match="no axis `depth`"):
        seen(raw(pictures), Flip(axis="depth"))


@pytest.mark.parametrize("word", [Shift(by=2), Crop(pad=2)])
def test_shift_moves_by_whole_pixels(pictures, word: Augmentation) -> None:
    x = seen(raw(pictures), word).inputs["x"]
    wide = np.pad(pictures, [(0, 0), (0, 0), (2, 2), (2, 2)])
    found = set()
    for k in range(150):
        (at,) = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(wide[k, :, i : i + 12, j : j + 12], x[k])
        ]
        found.add(at)
    assert len(found) == 25


@pytest.mark.parametrize("fill", ["edge", "mirror"])
def test_what_comes_in_is_filled(pictures, fill: str) -> None:
    full = np.maximum(pictures, 1)
    for word in (Shift(by=5, fill=fill), Rotate(degrees=45.0, fill=fill), Zoom(by=0.5, fill=fill)):
        x = seen(raw(full), word).inputs["x"]
        assert x.min() >= 1
        assert x.max() <= 255


def test_rotate_turns_around_the_middle() -> None:
    x = np.zeros((400, 1, 21, 21), np.float32)
    x[:, :, 10, 18] = 1
    x[:, :, 10, 10] = 1
    y = seen(part_of(x), Rotate(degrees=30.0)).inputs["x"][:, 0]
    np.testing.assert_allclose(y[:, 10, 10], 1, atol=1e-5)
    y[:, 10, 10] = 0
    rows, columns = np.indices((21, 21)) - 10
    total = y.sum((1, 2))
    angles = np.rad2deg(
        np.arctan2((y * rows).sum((1, 2)) / total, (y * columns).sum((1, 2)) / total)
    )
    assert 25 < np.abs(angles).max() < 31
    assert abs(angles.mean()) < 3


def test_scale_grows_and_shrinks_around_the_middle() -> None:
    x = np.zeros((300, 1, 31, 31), np.float32)
    x[:, :, 10:21, 10:21] = 1
    y = seen(part_of(x), Zoom(by=0.2)).inputs["x"]
    sides = np.sqrt(y.sum((1, 2, 3)))
    assert 8.6 < sides.min() < 9.2
    assert 12.8 < sides.max() < 13.4
    series = np.zeros((50, 2, 31), np.float32)
    series[:, :, 10:21] = 1
    lengths = seen(part_of(series), Zoom(by=0.2)).inputs["x"].sum(-1)
    assert 8.6 < lengths.min() < lengths.max() < 13.4


def test_brightness_contrast_and_noise_keep_to_the_range(pictures) -> None:
    small = (pictures // 4 + 96).astype(np.uint8)
    steps = seen(raw(small), Brightness(by=0.1)).inputs["x"] - small
    assert np.ptp(steps, axis=(1, 2, 3)).max() < 1e-3
    assert 24 < np.abs(steps).max() <= 25.5
    y = seen(raw(small), Contrast(by=0.2)).inputs["x"]
    factors = y.std((1, 2, 3)) / small.std((1, 2, 3))
    assert 0.8 <= factors.min() < 0.82
    assert 1.18 < factors.max() <= 1.2001
    np.testing.assert_allclose(y.mean((1, 2, 3)), small.mean((1, 2, 3)), rtol=1e-4)
    noise = seen(raw(small), Noise(by=0.05)).inputs["x"] - small
    assert noise.std() == pytest.approx(0.05 * 255, rel=0.03)
    assert seen(raw(pictures), Brightness(by=1.0)).inputs["x"].max() <= 255


def test_cutout_sets_a_square_to_zero(pictures) -> None:
    full = np.maximum(pictures, 1)
    holes = seen(raw(full), Cutout(size=4)).inputs["x"] == 0
    assert holes.sum((1, 2, 3)).max() == 16
    assert holes.any((1, 2, 3)).all()
    assert (holes.any((0, 1))).all()


def test_mixup_mixes_examples_and_targets_alike() -> None:
    x = np.eye(10, dtype=np.float32).reshape(10, 10, 1, 1)
    batch = seen(part_of(x), Mixup(alpha=1.0))
    np.testing.assert_allclose(batch.inputs["x"].reshape(10, 10), batch.targets, atol=1e-6)
    np.testing.assert_allclose(batch.targets.sum(1), 1, atol=1e-6)
    assert batch.targets.dtype == np.float32
    assert ((batch.targets > 0) & (batch.targets < 1)).any()


def test_mixup_mixes_the_one_number_that_says_yes_or_no() -> None:
    y = np.arange(20) % 2
    part = part_of(y.astype(np.float32).reshape(20, 1, 1), y)
    batch: Any = next(batches(part, 20, augment=[Mixup(alpha=1.0)], threads=0, classes=1))
    np.testing.assert_allclose(batch.inputs["x"].reshape(20, 1), batch.targets, atol=1e-6)
    assert ((batch.targets > 0) & (batch.targets < 1)).any()


def test_a_word_changes_nothing_of_another(pictures) -> None:
    alone = seen(raw(pictures), Shift(by=2)).inputs["x"]
    both = seen(raw(pictures), Brightness(by=1e-9), Shift(by=2)).inputs["x"]
    np.testing.assert_allclose(alone, both, atol=1e-3)
    again = seen(raw(pictures), Shift(by=2), epoch=1).inputs["x"]
    assert not np.array_equal(alone, again)
    some = seen(raw(pictures), Shift(by=2, chance=0.3)).inputs["x"]
    kept = (some == pictures).all((1, 2, 3)).mean()
    assert 0.6 < kept < 0.85


@pytest.mark.parametrize(
    "word", [Flip(chance=0.7), Shift(by=3), Rotate(degrees=30.0), Zoom(by=0.3), Crop(pad=(1, 3))]
)
def test_masks_and_pictures_move_with_their_examples(word: Augmentation) -> None:
    blobs = np.zeros((40, 1, 16, 16), np.uint8)
    blobs[:, :, 4:12, 6:14] = 255
    masks = (blobs[:, 0] // 255).astype(np.int64)
    moved = seen(part_of(blobs, masks, gives="masks"), word)
    assert moved.targets.dtype == np.int64
    assert set(np.unique(moved.targets)) == {0, 1}
    assert ((moved.inputs["x"][:, 0] > 0.5) == (moved.targets == 1)).mean() > 0.98
    moved = seen(part_of(blobs, blobs, gives="pictures"), word)
    np.testing.assert_allclose(moved.inputs["x"], moved.targets, atol=1e-6)
    some = seen(part_of(blobs, masks, gives="masks", ignored=-1), Shift(by=3))
    assert -1 in some.targets
