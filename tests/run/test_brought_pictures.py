"""What is said of folders of pictures, masks and pairs that users bring?"""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brought import in_order, refused
from PIL import Image

from cnnspec.run.sets import Splits, open_set
from cnnspec.run.wanted import Wanted
from cnnspec.settings import sets
from cnnspec.vocab.value import Shape

Array = np.ndarray[Any, Any]

F32 = np.dtype(np.float32)
PHOTO = (Wanted("x", (3, 8, 8), F32),)

RNG = np.random.default_rng(0)


# ── folders of classes ──────────────────────────────────────────────────────────────────────────


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(x).save(path)


def classes(root: Path, *names: str, n: int = 4) -> Splits:
    for name in names:
        for i in range(n):
            picture(root / name / f"{i}.png", i)
    return open_set(sets.Folder(path="."), PHOTO, folder=root)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Val", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "valid", "Testing"),
        ("training_set", "validation set", "test-set"),
        ("trainset", "valset", "testset"),
    ],
)
def test_parts_have_their_usual_names(tmp_path, train: str, validation: str, test: str) -> None:
    splits = classes(tmp_path, *(f"{p}/{c}" for p in (train, validation, test) for c in "ab"))
    assert splits.train.classes == ("a", "b")
    there = [splits.train, splits.validation, splits.test]
    assert [len(part) for part in there if part] == [8, 8, 8]
    assert splits.notes == ()


def test_a_part_has_one_folder(tmp_path: Path) -> None:
    with refused("has 2 folders for validation, `val` and `valid`$"):
        classes(tmp_path, "train/a", "train/b", "val/a", "valid/a")


def test_parts_without_one_for_training_are_no_classes(tmp_path: Path) -> None:
    with refused("has folders for validation and test alone, `test` and `val`$"):
        classes(tmp_path, "val/a", "val/b", "test/a", "test/b")
    # A class may be called so.
    there = classes(tmp_path, "control", "valid").train.classes
    assert there == ("control", "test", "val", "valid")


def test_what_may_be_meant_otherwise_is_noted(tmp_path: Path) -> None:
    (tmp_path / "one" / "c").mkdir(parents=True)
    (tmp_path / "one" / "__MACOSX").mkdir()
    splits = classes(tmp_path / "one", "a", "b")
    assert splits.train.classes == ("a", "b", "c")
    assert splits.notes == ("`folder` has no training example of `c`",)
    splits = classes(tmp_path / "two", "train/a", "train/b", "more/a")
    assert splits.notes == (
        f"the folder `more` in {tmp_path / 'two'} is not used: it has no name of a part",
    )
    splits = classes(tmp_path / "three", "1/a", "1/b", "2/a", "2/b")
    assert splits.notes == (
        "the classes are `1` and `2`; the folders `a` and `b` in each of them are not told apart",
    )


def test_pictures_of_formats_that_are_not_read_are_noted(tmp_path: Path) -> None:
    for name in ("c/1.heic", "c/2.HEIC", "a/3.avif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    picture(tmp_path / "a" / "0.jpg")
    (tmp_path / "a" / "0.jpg").rename(tmp_path / "a" / "scan.jfif")
    splits = classes(tmp_path, "a", "b")
    assert len(splits.train.source) == 9
    assert splits.notes == (
        f"3 files in {tmp_path} are left out: .avif and .heic are not read here",
        "`folder` has no training example of `c`",
    )
    (tmp_path / "all").mkdir()
    (tmp_path / "c").rename(tmp_path / "all" / "c")
    with refused("no folder in .*all has a picture; 2 files in .* are left out: .heic is not read"):
        open_set(sets.Folder(path="all"), PHOTO, folder=tmp_path)


def test_a_class_without_pictures_is_none_for_validation(tmp_path: Path) -> None:
    (tmp_path / "val" / "c").mkdir(parents=True)
    assert classes(tmp_path, "train/a", "train/b", "val/a").train.classes == ("a", "b")


def test_links_that_lead_nowhere_or_back_are_no_trouble(tmp_path: Path) -> None:
    classes(tmp_path, "a", "b")
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    assert len(classes(tmp_path).train.source) == 8
    (tmp_path / "a" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with refused(r"lost.png: .*no such file"):
        classes(tmp_path)
    found = open_set(sets.Folder(path="."), PHOTO, folder=tmp_path, skip_bad=True)
    assert len(found.train.source) == 8


# ── masks and pairs ─────────────────────────────────────────────────────────────────────────────

EYE = np.eye(8, dtype=np.uint8)


def matched(root: Path, values: tuple[int, int] = (0, 1), n: int = 3) -> None:
    (root / "masks").mkdir()
    for i in range(n):
        picture(root / "images" / f"{i}.jpg", i)
        Image.fromarray(np.array(values, np.uint8)[EYE]).save(root / "masks" / f"{i}.png")


def masks(root: Path, *outputs: Shape, **given: Any) -> Array:
    data = sets.Masks(images="images", masks="masks", split=(1.0, 0), **given)
    return in_order(open_set(data, PHOTO, folder=root, outputs=outputs))


def pairs(root: Path, *outputs: Shape, **given: Any) -> Array:
    data = sets.Pairs(inputs="images", targets="masks", split=(1.0, 0), **given)
    return in_order(open_set(data, PHOTO, folder=root, outputs=outputs))


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGB", "RGBA", "I;16", "I", "F"])
def test_masks_have_many_formats(tmp_path: Path, mode: str) -> None:
    matched(tmp_path)
    (tmp_path / "masks" / "0.png").unlink()
    if mode == "P":
        mask = Image.fromarray(EYE)
        mask.putpalette([9, 9, 9, 200, 0, 0])
    elif mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        mask = Image.fromarray(EYE.astype(dtype))
    else:
        mask = Image.fromarray(EYE.astype(bool) if mode == "1" else EYE)
        mask = mask if mode == "1" else mask.convert(mode)
    assert mask.mode == mode
    mask.save(tmp_path / "masks" / ("0.tif" if mode in ("F", "I") else "0.png"))
    np.testing.assert_array_equal(masks(tmp_path)[0], EYE)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (Image.fromarray(-EYE.astype(np.int32)), "0.tif has a pixel of -1; greys are whole"),
        (Image.fromarray(EYE * 0.5), "0.tif has a pixel of 0.5; greys are whole numbers, 0 to 255"),
        (Image.fromarray(EYE.astype(np.uint16) * 1000), "0.tif has a pixel of 1000; greys are"),
        (Image.fromarray(EYE * np.nan), "0.tif has a pixel of nan; greys are whole numbers"),
        (Image.fromarray(EYE).convert("CMYK"), "0.tif has colours, no greys"),
        (Image.new("RGB", (8, 8), "red"), "0.tif has colours, no greys"),
    ],
)
def test_masks_of_no_classes_are_refused(tmp_path, mask: Image.Image, message: str) -> None:
    matched(tmp_path)
    (tmp_path / "masks" / "0.png").unlink()
    mask.save(tmp_path / "masks" / "0.tif")
    with refused(message):
        masks(tmp_path)


def test_black_and_white_masks_want_their_greys_named(tmp_path: Path) -> None:
    matched(tmp_path, (0, 255))
    for n in (1, 2):
        with refused(
            r"grey 255; the network tells 2 classes apart, 0 to 1: `values=` or `ignore=`"
        ):
            masks(tmp_path, (n, 8, 8))
        np.testing.assert_array_equal(masks(tmp_path, (n, 8, 8), values=(0, 255))[0], EYE)
    assert masks(tmp_path, (300, 8, 8)).max() == 255


def test_masks_are_looked_through_before_training(tmp_path: Path) -> None:
    matched(tmp_path, (0, 255))
    data = sets.Masks(images="images", masks="masks", split=(1.0, 0))
    with refused("^3 of 3 examples cannot be used: the mask .*0.png has pixels of grey 255"):
        open_set(data, PHOTO, folder=tmp_path, outputs=((2, 8, 8),))


def test_a_format_that_changes_greys_is_said(tmp_path: Path) -> None:
    matched(tmp_path, (0, 255))
    (tmp_path / "masks" / "0.png").unlink()
    Image.fromarray(EYE * 255).save(tmp_path / "masks" / "0.jpg")
    with refused(r"0.jpg has pixels of grey \d+; `values` names 0 and 255; JPEG changes greys"):
        masks(tmp_path, values=(0, 255))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"values": (0, 1, 0)}, "`values` names grey 0 twice"),
        ({"values": (0, 1), "ignore": 1}, "`ignore` and `values` both name grey 1"),
    ],
)
def test_a_grey_stands_for_one_thing(tmp_path: Path, given: Any, message: str) -> None:
    matched(tmp_path)
    with refused(message):
        masks(tmp_path, **given)


@pytest.mark.parametrize("output", [(2, 4, 4), (2,)])
def test_masks_are_as_large_as_what_the_network_gives(tmp_path: Path, output: Shape) -> None:
    matched(tmp_path)
    with refused("a target of `masks` is 8x8; the network gives 2"):
        masks(tmp_path, output)


def huge(path: Path, side: int = 20_000) -> None:
    """A picture of 400 million pixels, in its header."""
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = side.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)


def large(path: Path) -> None:
    huge(path, 10_000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:45])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty, "0.png: it is no picture that is read here"),
        (cut, "0.png cannot be decoded: "),
        (huge, "0.png: it claims more than 90,000,000 pixels"),
        (large, "0.png: it claims 10,000x10,000 pixels, more than 90,000,000"),
    ],
)
def test_masks_that_cannot_be_read_are_named(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    matched(tmp_path)
    spoil(tmp_path / "masks" / "0.png")
    with refused(message):
        masks(tmp_path, fit="stretch")
    data = sets.Masks(images="images", masks="masks", split=(1.0, 0), fit="stretch")
    found = open_set(data, PHOTO, folder=tmp_path, skip_bad=True)
    assert found.train.indices.tolist() in ([0, 1], [1, 0])


def test_masks_of_another_size_are_not_stretched_unasked(tmp_path: Path) -> None:
    matched(tmp_path)
    Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "masks" / "0.png")
    with refused("masks/0.png has 9x8 pixels, the input takes 8x8: `fit=stretch`"):
        masks(tmp_path)
    assert masks(tmp_path, fit="stretch").shape == (3, 8, 8)


def test_partners_have_one_name(tmp_path: Path) -> None:
    matched(tmp_path)
    picture(tmp_path / "images" / "0.png")
    with refused(r"images has `0.jpg` and `0.png`, which differ only behind the dot"):
        masks(tmp_path)
    (tmp_path / "images" / "0.png").unlink()
    for i in range(3):
        (tmp_path / "masks" / f"{i}.png").rename(tmp_path / "masks" / f"{i}_mask.png")
    with refused(r"none of their name in .*masks: 0, 1, 2; there, `0_mask` has no partner$"):
        masks(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        path.rename(path.with_suffix(".npy"))
    with refused(r"masks has no pictures$"):
        masks(tmp_path)


def test_targets_are_compared_with_what_the_network_gives(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "images" / f"{i}.png", i)
        picture(tmp_path / "masks" / f"{i}.png", i, (16, 16))
    with refused("masks/0.png has 16x16 pixels, the network gives 8x8: `fit="):
        pairs(tmp_path, (3, 8, 8))
    with refused("masks/0.png has colours, the network gives greys: `convert=yes`"):
        pairs(tmp_path, (1, 16, 16))
    with refused("the network gives 2x16x16, which is no picture"):
        pairs(tmp_path, (2, 16, 16))
    with refused("a target of `pairs` is 3x8x8; the network gives 7"):
        pairs(tmp_path, (7,), fit="stretch")
    assert pairs(tmp_path, (192,), fit="stretch").shape == (3, 3, 8, 8)
