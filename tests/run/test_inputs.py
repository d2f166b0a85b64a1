"""Does every file become what a network takes, or a sentence that says why not?"""

import io
import struct
import threading
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnspec.run.inputs import Item, batches, items, listed, stacked
from cnnspec.run.pictures import read_image
from cnnspec.run.wanted import PREPROCESSING, Wanted, wanted

F32, U8 = np.dtype(np.float32), np.dtype(np.uint8)
GREY = Wanted("x", (1, 4, 4), F32)
COLOUR = Wanted("x", (3, 4, 4), F32)
RAW = Wanted("x", (3, 4, 4), F32, raw=True)
BYTES = Wanted("x", (3, 4, 4), U8, "hwc", raw=True)
SERIES = Wanted("x", (2, 5), F32)
PAIR = (Wanted("left", (2,), F32), Wanted("right", (3,), F32))

RED = (255, 0, 0)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(file: str, *wants: Wanted, **options: Any) -> list[Item]:
    return list(items([file], wants, **options))


def values(file: str, want: Wanted, **options: Any) -> np.ndarray:
    (item,) = read(file, want, **options)
    assert item.fault is None
    x = item.arrays["x"]
    assert x.dtype == want.dtype
    return np.asarray(x)


def fault(file: str, *wants: Wanted, **options: Any) -> str:
    (item,) = read(file, *wants, **options)
    assert item.fault is not None
    assert item.arrays == {}
    return item.fault


# ── pictures ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.webp", "a.tiff", "a.ppm", "odd"])
def test_a_picture_in_every_format(name: str) -> None:
    Image.new("RGB", (4, 4), RED).save(name, "PNG" if name == "odd" else None, lossless=True)
    x = values(name, COLOUR)
    assert x.shape == (3, 4, 4)
    assert (x[0] == 1).all()
    assert (x[1:] == 0).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_white_is_white_in_every_mode(mode: str) -> None:
    white = Image.new("RGB", (4, 4), "white")
    made = white.convert("P").convert("PA") if mode == "PA" else white.convert(mode)
    made.save("a.tiff" if mode in ("PA", "CMYK", "YCbCr") else "a.png")
    for want in (GREY, COLOUR, Wanted("x", (4, 4, 4), F32)):
        assert values("a.tiff" if mode in ("PA", "CMYK", "YCbCr") else "a.png", want).min() == 1


def test_a_jpeg_of_printing_colours() -> None:
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save("a.jpg")
    assert values("a.jpg", COLOUR).mean((1, 2)) == pytest.approx([1, 0, 0], abs=0.02)


def test_what_one_sees_through_is_white() -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save("a.png")
    assert values("a.png", GREY).min() == 1
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save("b.png", transparency=0)
    assert values("b.png", COLOUR).min() == 1


def test_sixteen_bits_keep_their_range() -> None:
    wide = np.full((4, 4), 0x8000, np.uint16)
    Image.fromarray(wide).save("a.png")
    assert values("a.png", GREY) == pytest.approx(0x8000 / 0xFFFF)
    assert values("a.png", RAW) == pytest.approx(128)
    assert (values("a.png", BYTES) == 128).all()


def test_pixels_of_32_bits_are_refused() -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save("a.tiff")
    assert fault("a.tiff", GREY).startswith("its pixels are 32-bit numbers")


def test_raw_values_are_those_of_the_file() -> None:
    Image.new("RGB", (4, 4), (200, 100, 7)).save("a.png")
    assert (values("a.png", RAW)[:, 0, 0] == [200, 100, 7]).all()
    x = values("a.png", BYTES)
    assert x.shape == (4, 4, 3)
    assert (x[0, 0] == [200, 100, 7]).all()


def test_the_camera_says_what_is_up() -> None:
    image = Image.new("L", (4, 4), 0)
    image.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter to the right
    image.save("a.png", exif=exif)
    assert values("a.png", GREY)[0, 0, 3] == 1


def test_the_first_frame_of_a_film() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("white", "black")]
    frames[0].save("a.gif", save_all=True, append_images=frames[1:])
    assert values("a.gif", GREY).min() == 1


def test_ways_to_another_size() -> None:
    # White left and right of a black middle, twice as wide as high.
    wide = np.full((8, 16), 255, np.uint8)
    wide[:, 4:12] = 0
    Image.fromarray(wide).save("a.png")
    (item,) = read("a.png", GREY)
    assert item.resized_from == (16, 8)
    assert values("a.png", GREY, fit="stretch")[0, 0, 0] > 0.8
    assert values("a.png", GREY, fit="crop").max() < 0.2
    framed = values("a.png", GREY, fit="pad")
    assert framed[0, [0, 3]].max() == 0
    assert framed[0, 1, 0] > 0.8
    assert fault("a.png", GREY, strict=True) == "it has 16x8 pixels, the network takes 4x4"


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save("a.png")
    assert values("a.png", GREY) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_odd_sizes(size: tuple[int, int], fit: str) -> None:
    Image.new("L", size, 255).save("a.png")
    assert values("a.png", GREY, fit=fit).shape == (1, 4, 4)


def test_an_open_size_is_the_pictures_own() -> None:
    Image.new("L", (7, 5)).save("a.png")
    assert values("a.png", Wanted("x", (1, None, None), F32)).shape == (1, 5, 7)


def test_a_flat_square() -> None:
    Image.new("L", (4, 4), 255).save("a.png")
    assert values("a.png", Wanted("x", (16,), F32)).tolist() == [1] * 16
    assert fault("a.png", Wanted("x", (15,), F32)) == "the network takes 15, which is no picture"
    assert fault("a.png", SERIES) == "the network takes 2x5, which is no picture"


def png(width: int, height: int) -> bytes:
    """A picture that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (10_000, 10_000, "it claims 10,000x10,000 pixels, more than 90,000,000"),
        (60_000, 60_000, "it claims more than 90,000,000 pixels"),
        (2**31 - 1, 2**31 - 1, "it claims more than 90,000,000 pixels"),
    ],
)
def test_what_a_picture_claims(width: int, height: int, said: str) -> None:
    Path("a.png").write_bytes(png(width, height))
    assert fault("a.png", GREY).startswith(said)


def test_files_that_are_no_pictures() -> None:
    Path("empty.png").touch()
    Path("text.png").write_text("not a picture")
    Path("page.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    assert fault("empty.png", GREY) == "it is empty"
    assert fault("text.png", GREY) == "it is neither a picture nor an array that is read here"
    assert fault("page.png", GREY) == "it is neither a picture nor an array that is read here"
    assert fault("nosuch.png", GREY) == "there is no such file"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.bmp", "a.webp", "a.tiff"])
def test_a_picture_cut_off_anywhere(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    Image.fromarray(noise).save(name)
    whole = Path(name).read_bytes()
    for n in range(1, len(whole) - 1, 7):
        Path(name).write_bytes(whole[:n])
        (item,) = read(name, COLOUR)
        assert item.fault is None or "\n" not in item.fault
    Path(name).write_bytes(whole[: len(whole) // 2])
    assert fault(name, COLOUR).startswith("it ")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tiff", "a.npy", "a.npz"])
def test_a_file_with_bytes_changed(name: str) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    match name:
        case "a.npy":
            np.save(name, x)
        case "a.npz":
            np.savez_compressed(name, x)
        case _:
            Image.fromarray(x).save(name)
    whole = Path(name).read_bytes()
    draw = np.random.default_rng(1)
    for _ in range(150):
        data = bytearray(whole)
        for i in draw.integers(0, len(data), 3):
            data[i] = draw.integers(0, 256)
        Path(name).write_bytes(data)
        for item in read(name, BYTES):
            assert item.fault is None or "\n" not in item.fault


def test_no_warning_escapes() -> None:
    Image.new("RGB", (4, 4)).save("a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert values("a.jpg", GREY).max() == 0


def test_pictures_are_read_at_once_without_a_trace_and_without_a_warning() -> None:
    Image.new("RGB", (4, 4)).save("a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    data = Path("a.jpg").read_bytes()
    first_began, second_began, first_ended = (threading.Event() for _ in range(3))

    class Slow(io.BytesIO):
        """Read while another is: each begins before the first ends, and the second ends last."""

        def __init__(self, began: threading.Event, awaited: threading.Event) -> None:
            super().__init__(data)
            self.began, self.awaited = began, awaited

        def read(self, size: int | None = -1) -> bytes:
            self.began.set()
            assert self.awaited.wait(10)
            return super().read(size)

    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("error")
        before = warnings.filters
        first = pool.submit(read_image, Slow(first_began, second_began), GREY)
        assert first_began.wait(10)
        second = pool.submit(read_image, Slow(second_began, first_ended), GREY)
        assert first.result().values.max() == 0
        first_ended.set()
        assert second.result().values.max() == 0
        assert warnings.filters is before
        with pytest.raises(UserWarning, match="of somebody else"):
            warnings.warn("of somebody else", stacklevel=1)


# ── arrays ──────────────────────────────────────────────────────────────────────────────────────


def test_one_item_or_several() -> None:
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    np.save("a.npy", x)
    np.save("b.npy", np.stack([x, -x, x]))
    np.save("c.npy", np.asfortranarray(x.astype(">f8")))
    assert (values("a.npy", SERIES) == x).all()
    assert (values("c.npy", SERIES) == x).all()
    found = read("b.npy", SERIES)
    assert [item.name for item in found] == ["b.npy[0]", "b.npy[1]", "b.npy[2]"]
    assert [(item.siblings, item.is_first) for item in found] == [(3, True), (3, False), (3, False)]
    assert (found[1].arrays["x"] == -x).all()


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (1, 1, 4, 4)])
def test_one_channel_goes_without_saying(shape: tuple[int, ...]) -> None:
    np.save("a.npy", np.ones(shape))
    assert values("a.npy", GREY).shape == (1, 4, 4)
    assert len(read("a.npy", GREY)) == 1


def test_bytes_are_those_of_a_picture() -> None:
    np.save("a.npy", np.full((3, 4, 4), 51, np.uint8))
    assert values("a.npy", COLOUR) == pytest.approx(0.2)
    assert values("a.npy", RAW).min() == 51
    np.save("a.npy", np.full((2, 5), 51, np.uint8))
    assert values("a.npy", SERIES).min() == 51


def test_numbers_that_the_type_cannot_hold() -> None:
    np.save("a.npy", np.full((4, 4, 3), 0.5))
    assert fault("a.npy", BYTES) == (
        "its values, 0.5 to 0.5, are not whole numbers from 0 to 255, which the network takes"
    )
    np.save("a.npy", np.full((4, 4, 3), np.nan))
    assert "nan to nan" in fault("a.npy", BYTES)
    np.save("a.npy", np.full((2, 5), 1e9))
    assert np.isinf(values("a.npy", Wanted("x", (2, 5), np.dtype(np.float16)))).all()


def test_shapes_that_do_not_fit() -> None:
    np.save("a.npy", np.ones((3, 5)))
    assert fault("a.npy", SERIES) == "its shape is 3x5, the network takes 2x5 or Nx2x5"
    np.save("a.npy", np.ones((0, 2, 5)))
    assert fault("a.npy", SERIES) == "it holds no items"
    np.save("a.npy", np.float32(3))
    assert fault("a.npy", SERIES).startswith("its shape is one number, ")


def npy(header: str, data: bytes = b"", version: int = 1) -> bytes:
    text = header.encode("latin-1")
    width = "<H" if version == 1 else "<I"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, len(text)) + text + data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000)}"),
            "its header claims 4,000,000,000,000 bytes of numbers, 0 are there",
        ),
        (
            npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 5)}", bytes(39), 2),
            "its header claims 40 bytes of numbers, 39 are there",
        ),
        (
            npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 5)}", bytes(80)),
            "it holds values of type object, no plain numbers",
        ),
        (
            npy("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 5)}", bytes(80)),
            "it holds values of type complex64, no plain numbers",
        ),
        (
            npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", bytes(8)),
            "it holds records, no plain numbers",
        ),
        (npy("{'descr': 'xx', 'fortran_order': False, 'shape': (2,)}"), "it holds values of type "),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}"), "its header is not "),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}"), "its header is not "),
        (npy("__import__('os').abort()"), "its header is not that of an npy file"),
        (npy("(" * 5000), "its header is not that of an npy file"),
        (npy("", b"", 3), "it is of npy version 3, which holds no plain numbers"),
        (b"\x93NUMPY", "it is cut off, or no npy file"),
        (b"\x93NUMPY\x01\x00\xff\x00{", "it is cut off in its header, after 11 bytes"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "its header claims 2,147,483,647 bytes, more than"),
    ],
)
def test_headers_are_not_believed(data: bytes, said: str) -> None:
    Path("a.npy").write_bytes(data)
    assert fault("a.npy", SERIES).startswith(said)
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    assert fault("a.npz", SERIES).startswith("its array `x`: " + said)


def test_arrays_of_an_npz_by_name() -> None:
    x = np.ones((2, 5), np.float32)
    np.savez("a.npz", x=x, y=np.zeros(1))
    assert (values("a.npz", SERIES) == x).all()
    np.savez_compressed("a.npz", whatever=x)
    assert (values("a.npz", SERIES) == x).all()
    np.savez("a.npz", a=x, b=x)
    assert fault("a.npz", SERIES) == "it has no array `x`; its arrays: `a`, `b`"
    with zipfile.ZipFile("a.npz", "w"):
        pass
    assert fault("a.npz", SERIES) == "it has no array `x`; its arrays: none"


def test_several_inputs_take_an_npz() -> None:
    np.savez("a.npz", left=np.ones((4, 2)), right=np.zeros((4, 3)))
    found = read("a.npz", *PAIR)
    assert [item.name for item in found] == [f"a.npz[{i}]" for i in range(4)]
    assert {name: x.shape for name, x in found[0].arrays.items()} == {"left": (2,), "right": (3,)}
    np.savez("a.npz", left=np.ones((4, 2)), right=np.zeros(3))
    assert fault("a.npz", *PAIR) == (
        "it holds different numbers of items: 4 for `left`, 1 for `right`"
    )
    np.savez("a.npz", left=np.ones(2))
    assert fault("a.npz", *PAIR) == "it has no array `right`; its arrays: `left`"
    np.save("a.npy", np.ones(2))
    assert fault("a.npy", *PAIR) == (
        "the network takes `left`, `right`, which only an npz file can hold"
    )


def test_a_broken_npz() -> None:
    np.savez("a.npz", x=np.ones((2, 5)))
    whole = Path("a.npz").read_bytes()
    Path("a.npz").write_bytes(whole[:-30])
    assert fault("a.npz", SERIES).startswith("it cannot be unpacked: ")
    changed = bytearray(whole)
    changed[150] ^= 255
    Path("a.npz").write_bytes(changed)
    assert fault("a.npz", SERIES).startswith("it")


# ── files, folders, streams ─────────────────────────────────────────────────────────────────────


def test_folders_are_walked_in_order(here: Path) -> None:
    for name in ("b.png", "a.JPG", "sub/c.npy", "a/z.gif", "notes.txt", ".b.png", ".git/x.png"):
        path = here / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (here / "data/loop").symlink_to(here / "data")
    found = listed(["data", "-", "nosuch.png"])
    assert found.files == [
        *("data/a.JPG", "data/b.png", "data/a/z.gif", "data/sub/c.npy"),
        *("-", "nosuch.png"),
    ]
    assert found.passed_over == 1
    assert not found.faults


def test_standard_input_by_its_content() -> None:
    x = np.ones((2, 5), np.float32)
    for write in (np.save, np.savez):
        stream = io.BytesIO()
        write(stream, x)
        stream.seek(0)
        (item,) = items(["-"], [SERIES], stdin=stream)
        assert (item.name, item.fault) == ("<stdin>", None)
        assert (item.arrays["x"] == x).all()
    stream = io.BytesIO()
    Image.new("L", (4, 4), 255).save(stream, "PNG")
    stream.seek(0)
    (item,) = items(["-"], [GREY], stdin=stream)
    assert item.arrays["x"].shape == (1, 4, 4)
    assert [i.fault for i in items(["-"], [GREY], stdin=io.BytesIO())] == ["it is empty"]


def test_a_fault_stops_nothing() -> None:
    Image.new("L", (4, 4)).save("a.png")
    found = list(items(["a.png", "nosuch.png", "a.png"], [GREY]))
    assert [item.fault is None for item in found] == [True, False, True]


def item(n: int, fault: str | None = None) -> Item:
    return Item("i", {} if fault else {"x": np.full(n, n)}, fault)


def test_batches() -> None:
    want = [Wanted("x", (None,), F32)]
    found = [item(1), item(1), item(1), item(2), item(0, "bad"), item(2)]
    assert [len(g) for g in batches(found, want, 2)] == [2, 1, 1, 1, 1]
    fixed = [Wanted("x", (None,), F32, batch=3)]
    groups = list(batches(found[:2], fixed, 16))
    assert [len(g) for g in groups] == [2]
    assert stacked(groups[0], fixed)["x"].shape == (3, 1)


# ── what models say ─────────────────────────────────────────────────────────────────────────────


@dataclass
class Port:
    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


@dataclass
class Fake:
    inputs: Sequence[Port]
    metadata: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[Port] = ()

    def run(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        return {}


def told(shape: tuple[int | str | None, ...], dtype: str, said: str | None = None) -> Wanted:
    (found,), note = wanted(Fake([Port("x", shape, dtype)], {PREPROCESSING: said} if said else {}))
    assert (note is None) == (said is not None)
    return found


def test_models_of_ours_say_what_they_take() -> None:
    said = '{"x": {"size": [3, 8, 9], "type": "uint8", "layout": "hwc", "raw": true}}'
    found = told(("N", 8, 9, 3), "uint8", said)
    assert (found.size, found.shape, found.raw, found.batch) == ((3, 8, 9), (8, 9, 3), True, None)
    said = '{"x": {"size": [3, 8, 9], "type": "float", "layout": "chw", "raw": false}}'
    found = told((2, 3, 8, 9), "tensor(float)", said)
    assert (found.shape, found.raw, found.dtype, found.batch) == ((3, 8, 9), False, F32, 2)


@pytest.mark.parametrize(
    ("shape", "size", "layout"),
    [
        (("N", 3, 8, 9), (3, 8, 9), "chw"),
        (("N", 8, 9, 3), (3, 8, 9), "hwc"),
        (("N", 1, None, "w"), (1, None, None), "chw"),
        (("N", 5), (5,), "chw"),
    ],
)
def test_of_others_it_is_derived(
    shape: tuple[int | str | None, ...], size: tuple[int, ...], layout: str
) -> None:
    (found,), note = wanted(Fake([Port("x", shape, "float32")]))
    assert (found.size, found.layout, found.raw) == (size, layout, False)
    assert (note is None) == (found.picture is None)
    if note is not None:
        assert note.startswith("the model does not say how pictures become its input; they are ")
        assert note.endswith("values 0 to 1")


@pytest.mark.parametrize(
    "said",
    [
        "{",
        "[]",
        '{"x": {"size": "big"}}',
        '{"x": {"size": [3, 7, 7], "type": "float", "layout": "chw", "raw": true}}',
        '{"y": {"size": [3, 8, 8], "type": "float", "layout": "chw", "raw": true}}',
    ],
)
def test_what_is_said_wrongly_is_derived(said: str) -> None:
    (found,), note = wanted(Fake([Port("x", ("N", 3, 8, 8), "float32")], {PREPROCESSING: said}))
    assert (found.size, found.raw) == ((3, 8, 8), False)
    assert note is not None


def test_inputs_that_cannot_be_given() -> None:
    with pytest.raises(ValueError, match="has no axis for the batch"):
        wanted(Fake([Port("x", (), "float32")]))
    with pytest.raises(
        ValueError, match=r"tensor\(string\) .* not given in numbers|cannot be given"
    ):
        wanted(Fake([Port("x", ("N", 3), "tensor(string)")]))
