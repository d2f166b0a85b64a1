"""Is what users bring either read as they mean it, or refused in one true sentence?"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brought import in_order, refused

from calls import cnnspec
from cnnspec.api import loads
from cnnspec.run.measures import Measures
from cnnspec.run.sets import Splits, open_set
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
SOLID = (Wanted("x", (1, 4, 4, 4), F32),)
FOUR = (Wanted("x", (1, 4), F32),)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 1, 24)).astype(np.float32)
Y = np.arange(20) % 2
MAPS = RNG.random((20, 1, 8, 8)).astype(np.float32)
BLOCKS = RNG.random((20, 1, 4, 4, 4)).astype(np.float32)


# ── npz ─────────────────────────────────────────────────────────────────────────────────────────


def arrays(
    folder: Path, wants=SERIES, outputs: tuple[Shape, ...] = (), given: Any = None, **held: Array
) -> Splits:
    np.savez(folder / "a.npz", **held)  # pyright: ignore[reportArgumentType]
    data = sets.Arrays(path="a.npz", **(given or {}))
    return open_set(data, wants, folder=folder, outputs=outputs)


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
