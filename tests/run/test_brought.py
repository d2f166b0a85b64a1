"""Is what users bring either read as they mean it, or refused in one true sentence?"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from calls import cnnspec
from cnnspec.api import loads
from cnnspec.run.measures import Measures
from cnnspec.run.sets import BadData, Splits, open_set
from cnnspec.run.stream import batches
from cnnspec.run.wanted import Wanted
from cnnspec.settings import sets
from cnnspec.settings.augment import Flip
from cnnspec.settings.metrics import Psnr
from cnnspec.settings.recipe import default_recipe, with_words
from cnnspec.text.diagnostic import SpecError
from cnnspec.vocab.value import Shape

Array = np.ndarray[Any, Any]

F32 = np.dtype(np.float32)
SERIES = (Wanted("x", (1, 24), F32),)
GREY = (Wanted("x", (1, 8, 8), F32),)
PHOTO = (Wanted("x", (3, 8, 8), F32),)
SOLID = (Wanted("x", (1, 4, 4, 4), F32),)
FOUR = (Wanted("x", (1, 4), F32),)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 1, 24)).astype(np.float32)
Y = np.arange(20) % 2
MAPS = RNG.random((20, 1, 8, 8)).astype(np.float32)
BLOCKS = RNG.random((20, 1, 4, 4, 4)).astype(np.float32)


def refused(message: str) -> Any:
    return pytest.raises(BadData, match=message)


# ── npz ─────────────────────────────────────────────────────────────────────────────────────────


def arrays(
    folder: Path, wants=SERIES, outputs: tuple[Shape, ...] = (), given: Any = None, **held: Array
) -> Splits:
    np.savez(folder / "a.npz", **held)  # pyright: ignore[reportArgumentType]
    data = sets.Arrays(path="a.npz", **(given or {}))
    return open_set(data, wants, folder=folder, outputs=outputs)


def in_order(splits: Splits) -> Array:
    """The targets of the training examples as the file has them, first the first."""
    train = splits.train
    return train.fetch(np.argsort(train.indices))[1]


WORDS = np.array(["cat", "dog", "elk", "cat"] * 5)


@pytest.mark.parametrize("words", [WORDS, WORDS.astype(bytes)])
def test_words_are_classes(tmp_path: Path, words: Array) -> None:
    given = {"split": (1.0, 0)}
    splits = arrays(
        tmp_path, outputs=((3,),), given=given, x=X, y=words, x_test=X[:2], y_test=words[1:3]
    )
    assert splits.train.classes == ("cat", "dog", "elk")
    assert in_order(splits).tolist() == [0, 1, 2, 0] * 5
    assert splits.test is not None
    assert splits.test.fetch(np.arange(2))[1].tolist() == [1, 2]
    chosen = arrays(tmp_path, given={"classes": ("elk", "cat"), **given}, x=X, y=words)
    assert chosen.train.classes == ("elk", "cat")
    assert in_order(chosen).tolist() == [1, 0, 1] * 5


def test_yes_and_no_are_classes_and_masks(tmp_path: Path) -> None:
    splits = arrays(tmp_path, outputs=((2,),), given={"split": (1.0, 0)}, x=X, y=Y > 0)
    assert splits.train.gives == "classes"
    assert in_order(splits).tolist() == Y.tolist()
    splits = arrays(tmp_path, GREY, ((2, 8, 8),), x=MAPS, y=MAPS[:, 0] > 0.5)
    assert splits.train.gives == "masks"
    (batch,) = batches(splits.train, 16, threads=0)
    assert batch.targets.dtype == np.int64
    assert set(np.unique(batch.targets)) == {0, 1}


@pytest.mark.parametrize(
    ("held", "given", "message"),
    [
        ({"y": WORDS}, {"targets": "numbers"}, "are text, and `targets=numbers` takes numbers"),
        ({"y": np.where(Y > 0, WORDS, "")}, {}, "target 0 in .* is an empty text"),
        ({"y": WORDS.reshape(10, 2)}, {}, "targets in .* are text, 10x2, not one an example"),
        ({"y": Y * 1j}, {}, "targets in .* are complex128, no plain numbers"),
        ({"y": np.zeros(20, "M8[s]")}, {}, r"targets in .* are datetime64\[s\], no plain numbers"),
        ({"y": np.array(3)}, {}, "`y` of .* is one number; targets are one an example"),
        ({"y": np.where(Y > 0, np.nan, 1)}, {}, "target 1 in .* has nan"),
        (
            {"y": np.where(Y > 0, 1e300, 1)},
            {},
            r"target 1 in .* has 1e\+300, more than si",
        ),
        ({"y": Y.astype("u8") + np.uint64(2**63)}, {}, "has a class 9223372036854775809; the high"),
        (
            {"x": X.astype(float) * 1e300, "y": Y},
            {},
            r"example 0 in array `x` of .* has .*, more than si",
        ),
        ({"x": np.where(X > 2, -np.inf, X), "y": Y}, {}, r"example \d in array `x` of .* has -inf"),
        ({"y": Y, "x_test": X, "y_test": Y + 0.5}, {}, "are int64, and those in `y_test` float64"),
        ({"y": Y, "x_test": X, "y_test": WORDS}, {}, "are int64, and those in `y_test` text"),
        ({"y": Y, "y_test": Y}, {}, "has `y_test` and no examples for it, as `x_test`$"),
        ({"x": X.swapaxes(1, 2), "y": Y}, {}, "is 20x24x1, the input takes Nx1x24, channels first"),
        ({"y": WORDS, "x_val": X, "y_val": Y}, {}, "are text, and those in `y_val` int64"),
        (
            {"y": WORDS, "x_val": X[:1], "y_val": np.array(["ape"])},
            {},
            "`y_val` in .* has a class `ape`, which has no examples for training",
        ),
    ],
)
def test_arrays_that_cannot_be_meant_are_refused(tmp_path, held, given, message: str) -> None:
    with refused(message):
        arrays(tmp_path, given=given, **{"x": X, **held})


@pytest.mark.parametrize("y", [Y.astype(float), Y[:, None], Y[:, None] * 0.5])
def test_classes_that_are_written_as_numbers_are_told_how_they_are_written(tmp_path, y) -> None:
    with refused("is 1; the network gives 3; classes are whole numbers, one an example$"):
        arrays(tmp_path, outputs=((3,),), x=X, y=y)


def test_the_example_that_is_named_is_that_of_the_file(tmp_path: Path) -> None:
    y = np.where(np.arange(20) == 7, 9, Y)
    with refused("training example 7 of `npz` is of class 9; the network tells 2 classes apart"):
        arrays(tmp_path, outputs=((2,),), given={"split": (1.0, 0)}, x=X, y=y)


def test_half_precision_is_read(tmp_path: Path) -> None:
    x = X.astype(np.float16)
    assert len(arrays(tmp_path, x=x, y=Y).train) == 16
    x[3] = np.inf
    with refused("example 3 in array `x` of .* has inf$"):
        arrays(tmp_path, x=x, y=Y)


def test_whole_numbers_may_test_what_learns_numbers(tmp_path: Path) -> None:
    splits = arrays(tmp_path, outputs=((1,),), x=X, y=Y * 0.5, x_test=X, y_test=Y)
    assert splits.test is not None
    assert splits.test.gives == "numbers"


@pytest.mark.parametrize("found", [-2, -100])
def test_one_class_of_pixels_does_not_count(tmp_path: Path, found: int) -> None:
    def masks(value: int) -> Splits:
        y = (MAPS[:, 0] > 0.5).astype(int)
        y[7, 3, 3] = value
        return arrays(tmp_path, GREY, ((2, 8, 8),), given={"split": (1.0, 0)}, x=MAPS, y=y)

    assert masks(-1).train.gives == "masks"
    with refused(f"training example 7 of `npz` has a pixel of class {found}; pixels that do not"):
        masks(found)
    with refused("training example 7 .* is of class 255; .* 0 to 1; pixels that do not count are"):
        masks(255)


@pytest.mark.parametrize(
    ("x", "wants", "output"), [(MAPS, GREY, (2, 8, 8)), (BLOCKS, SOLID, (2, 4, 4, 4))]
)
def test_masks_may_have_an_axis_of_one_channel(tmp_path: Path, x: Array, wants, output) -> None:
    y = (x > 0.5).astype(int)
    with refused("with `targets=masks` it is a class for each pixel"):
        arrays(tmp_path, wants, (output,), x=x, y=y)
    given = {"targets": "masks", "split": (1.0, 0)}
    splits = arrays(tmp_path, wants, (output,), given=given, x=x, y=y)
    np.testing.assert_array_equal(in_order(splits), y[:, 0])
    with refused("a target of `npz` is .*; the network gives"):
        arrays(tmp_path, wants, (output,), given=given, x=x, y=y[..., 1:])


def test_masks_of_as_many_pixels_and_another_shape_are_refused(tmp_path: Path) -> None:
    y = (MAPS > 0.5).astype(int).reshape(20, 4, 16)
    with refused("a target of `npz` is 4x16; the network gives 2x8x8"):
        arrays(tmp_path, GREY, ((2, 8, 8),), given={"targets": "masks"}, x=MAPS, y=y)


@pytest.mark.parametrize(("x", "wants"), [(X, SERIES), (MAPS, GREY), (BLOCKS, SOLID)])
def test_what_shall_be_restored_moves_with_the_input(tmp_path: Path, x: Array, wants) -> None:
    splits = arrays(tmp_path, wants, (x.shape[1:],), x=x, y=x * 2)
    assert splits.train.gives == "pictures"
    (batch,) = batches(splits.train, 16, threads=0, augment=[Flip()])
    np.testing.assert_array_equal(np.multiply(batch.inputs["x"], 2), batch.targets)


def test_nothing_is_written_for_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = 'network T { input 1x24 -> flatten -> fc 3 }\ntrain { data npz "a.npz" }'
    Path("t.cnn").write_text(text)
    np.savez("a.npz", x=X, y=np.where(WORDS == "cat", "", WORDS))
    said = cnnspec("train", "t.cnn", "--out", "run")
    assert (said.status, said.err) == (1, "error: target 0 in a.npz is an empty text\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "t.cnn"]


def npy(x: Array, shape: tuple[int, ...] | None = None, descr: str = "<f4", version=1) -> bytes:
    """An array as its file has it, whatever its header says."""
    said = {"descr": descr, "fortran_order": False, "shape": shape or x.shape}
    text = repr(said).encode()
    width = 2 if version == 1 else 4
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(width, "little") + text
    ) + x.tobytes()


@pytest.mark.parametrize("mapped", [100, 1 << 26])
@pytest.mark.parametrize(
    ("member", "message"),
    [
        (npy(X, (10**9, 1, 24)), "its header claims 96,000,000,000 bytes of .*, 1,920 are there"),
        (npy(X, (10**15, 1, 24)), "its header claims .* bytes of numbers, 1,920 are there"),
        (npy(X, (21, 1, 24)), "its header claims 2,016 bytes of numbers, 1,920 are there"),
        (npy(X, (10, 1, 24)), "its header claims 960 bytes of numbers, 1,920 are there"),
        (npy(X, (-1, 1, 24)), "its header claims the shape"),
        (npy(X, version=3), "it is of npy version 3"),
        (npy(X, descr="|O"), ".*objects of Python"),
        (npy(X, descr="<q9"), "cannot be read: "),
        (b"no array" * 40, "cannot be read: "),
    ],
)
def test_no_header_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: int, member: bytes, message: str
) -> None:
    monkeypatch.setattr("cnnspec.run.sets.members.MAPPED", mapped)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        file.writestr("x.npy", member)
        file.writestr("y.npy", npy(Y, descr="<i8"))
    with refused(f"array `x` of .*{message}"):
        open_set(sets.Arrays(path="a.npz"), SERIES, folder=tmp_path)


# ── csv ─────────────────────────────────────────────────────────────────────────────────────────


def table(path: Path, text: str | bytes, wants=FOUR, **given: Any) -> Splits:
    (path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_set(sets.Table(path="t.csv", split=(1.0, 0), **given), wants, folder=path)


ROWS = "0,1,2,3,4\n1,1,2,3,4\n"


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (f"{ROWS},1,2,3,4\n", {}, "line 3 of .* has no target: its column is empty$"),
        (f"{ROWS}nan,1,2,3,4\n", {}, "line 3 of .* has the target `nan`, which is no finite numb"),
        (f"{ROWS}1,1e300,2,3,4\n", {}, "line 3 of .* has `1e300`, more than single precision hold"),
        ("1e300,1,2,3,4\n.5,1,2,3,4\n", {}, "line 1 of .* has the target `1e300`, more than sing"),
        ("0;1,5;2,5;3;4\n", {}, "line 1 of .* has `1,5`, which is no number: decimals have a poi"),
        ("0,1,\0\x1b,3,4\n", {}, "has `\N{REPLACEMENT CHARACTER}{2}`, which is no number"),
        ("0,1,2,3,4\n1\n", {}, "line 2 of .* has 1 column; the target and 1x4 would be 5"),
        ("", {"header": True}, "t.csv has no rows"),
        ("k,a,b,c,d\n", {"header": True}, "t.csv has no rows"),
        ("k,a,b,c,k\n" + ROWS, {"header": True, "target": "k"}, "has 2 columns called `k`"),
        (ROWS.encode("utf-16"), {}, "is no table: its text is not UTF-8"),
    ],
)
def test_tables_that_cannot_be_meant_are_refused(tmp_path, text, given, message: str) -> None:
    with refused(message):
        table(tmp_path, text, **given)


@pytest.mark.parametrize(
    "text", [ROWS + "\n   \n", ROWS + ",,,,\n", "\n" + ROWS, ROWS.replace("\n", "\r")]
)
def test_lines_with_nothing_in_them_are_no_rows(tmp_path: Path, text: str) -> None:
    assert in_order(table(tmp_path, text)).tolist() == [0, 1]
    assert len(table(tmp_path, "\nk,a,b,c,d\n" + text, header=True, target="k").train) == 2


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


# ── how well pictures are restored, and how parts are asked for ─────────────────────────────────


def peak(splits: Splits, text: str, answer: Array, of_input: bool = False) -> float:
    """The range that PSNR was taken with, out of what it and the mean square are."""
    loss = "loss mse to=input" if of_input else "loss mse"
    graph = loads(f'network T {{ input {text} }}\ntrain {{\n  data npz "a"\n  {loss}\n}}').graph
    measures = Measures(graph, with_words(graph.recipe or default_recipe(), [Psnr()]), splits.train)
    (batch,) = batches(splits.train, len(splits.train), threads=0)
    z = answer[: len(batch)]
    measures.add(batch, {graph.main.name: z}, 0.0)
    target = next(iter(batch.clean.values())) if of_input else batch.targets
    square = np.mean((z.astype(float).reshape(len(z), -1) - target.reshape(len(z), -1)) ** 2)
    return float(np.sqrt(10 ** (measures.values["psnr"] / 10) * square))


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (MAPS, 1),
        (MAPS * 0.5, 1),
        ((MAPS * 255).astype(np.uint8), 1),
        (MAPS * 2 - 1, float(np.ptp(MAPS)) * 2),
        (MAPS * 4095, float(np.ptp(MAPS)) * 4095),
    ],
)
def test_psnr_is_of_the_range_of_what_is_compared(tmp_path: Path, y: Array, expected) -> None:
    given = {"split": (1.0, 0)}
    splits = arrays(tmp_path, GREY, ((1, 8, 8),), given=given, x=MAPS, y=y)
    z = np.zeros((20, 1, 8, 8), np.float32)
    assert peak(splits, "1x8x8 -> conv 1 1x1", z) == pytest.approx(expected, rel=1e-5)
    splits = arrays(tmp_path, GREY, given=given, x=y, y=Y)
    body = "1x8x8 -> conv 1 1x1"
    assert peak(splits, body, z + 0.1, of_input=True) == pytest.approx(expected, rel=1e-5)


def test_psnr_of_pixels_that_the_network_scales_itself(tmp_path: Path) -> None:
    raw = (Wanted("x", (1, 8, 8), F32, raw=True),)
    y = (MAPS * 255).astype(np.uint8)
    splits = arrays(tmp_path, raw, given={"split": (1.0, 0)}, x=y, y=Y)
    z = np.zeros((20, 1, 8, 8), np.float32)
    assert peak(splits, "1x8x8 scale=255 -> conv 1 1x1", z, of_input=True) == pytest.approx(255)


@pytest.mark.parametrize("split", ["[1.0]", "[60]", "[0.9, 0.3]", "[1, 0, 0, 0]", "[60.5, 3]"])
def test_a_split_that_is_refused_says_what_one_is(split: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(f"network {{ input 784 -> fc 10 }}\ntrain {{ data digits split={split} }}")
    said = str(caught.value)
    assert "`split` of `digits` takes two or three parts, for training, validation and test" in said
    assert "here it is (1,)" not in said
    assert "here it is (60,)" not in said
