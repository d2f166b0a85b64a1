"""Do weights come as they are in a file, by name, and does every broken file end in one line?"""

import os
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import hostile
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cnnspec import load
from cnnspec.run.files import BadFile, kind_of, read_onnx
from cnnspec.run.weights import Mismatch, Tensor, match, read_map, read_weights

LIMIT = 2.0
SHAPES = {name: x.shape for name, x in hostile.tensors().items()}


@pytest.fixture
def put(tmp_path: Path):
    def write(data: bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def read_all(path: Path) -> None:
    for tensor in read_weights(path).values():
        tensor.read()


def refused(path: Path) -> str:
    """What is said of a file that is no file of weights; in one line, in time."""
    begin = time.perf_counter()
    with pytest.raises(BadFile) as caught:
        read_all(path)
    assert time.perf_counter() - begin < LIMIT
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert text.isprintable()
    return text.removeprefix(f"{path}: ")


def endures(path: Path) -> None:
    """A file is read, or refused; nothing else, and in time."""
    begin = time.perf_counter()
    said: list[str] = []
    try:
        for tensor in match(SHAPES, read_weights(path)).values():
            assert tensor.read().shape == tensor.shape
    except BadFile as fault:
        said = [str(fault)]
    except Mismatch as fault:
        said = str(fault).splitlines()
    assert all(line.isprintable() for line in said)
    assert time.perf_counter() - begin < LIMIT


# ── good files ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", hostile.good())
def test_every_kind_gives_the_same_numbers(put, name: str) -> None:
    found = read_weights(put(hostile.good()[name]))
    assert {n: t.shape for n, t in found.items()} == SHAPES
    for key, x in hostile.tensors().items():
        read = found[key].read()
        assert read.dtype == np.float32
        np.testing.assert_array_equal(read, x)


def test_kinds_are_told_by_content(put) -> None:
    kinds = {name: kind_of(put(data, "x.txt")) for name, data in hostile.good().items()}
    assert list(kinds.values()) == ["safetensors", "npz", "npz", "onnx"]
    assert kind_of(put(hostile.npy("(1,)", bytes(4)))) == "npy"
    assert kind_of(put(b"\x89PNG\r\n\x1a\n and more")) == "image"
    assert kind_of(put("network A {\n  input 3×8×8\n}\n".encode())) == "spec"
    assert kind_of(put(b"\xfe\xed\xfa\xce")) == "unknown"


def test_a_network_of_ours_has_its_own_weights(tmp_path: Path) -> None:
    compiled = load("mobilenet_v2").compile(seed=1)
    for is_external in (False, True):
        compiled.save(tmp_path / "net.onnx", external_data=is_external)
        found = read_weights(tmp_path / "net.onnx")
        wanted = {n: t.shape for n, t in found.items() if not t.is_spare}
        # Limits of ReLU6 are constants and count as no weights.
        assert len(wanted) < len(found)
        matched = match(wanted, found)
        kept = {t.name: t for t in compiled.onnx.graph.initializer}
        for name in list(matched)[:5]:
            np.testing.assert_array_equal(
                matched[name].read(), onnx.numpy_helper.to_array(kept[name])
            )


def test_half_precision_and_double_become_single(put) -> None:
    values = np.array([1.0, -2.5, 1e-3, 300.0])
    upper = (values.astype(np.float32).view(np.uint32) >> 16).astype("<u2")
    about = {"F64": values, "F16": values.astype("<f2"), "BF16": upper}
    for dtype, x in about.items():
        data = x.tobytes()
        said = {"dtype": dtype, "shape": [2, 2], "data_offsets": [0, len(data)]}
        (read,) = read_weights(put(hostile.safetensors_of({"w": said}, data))).values()
        np.testing.assert_allclose(read.read().ravel(), values, rtol=2**-8)


@pytest.mark.parametrize(
    "dtype", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16]
)
@pytest.mark.parametrize("is_raw", [True, False])
def test_onnx_holds_numbers_raw_or_in_lists(put, dtype: int, is_raw: bool) -> None:
    values = np.array([1.0, -2.5, 0.5, 300.0], np.float32).reshape(4, 1, 1, 1)
    tensor = onnx.numpy_helper.from_array(
        values.astype(helper.tensor_dtype_to_np_dtype(dtype)), "conv.weight"
    )
    if not is_raw:
        tensor = helper.make_tensor("conv.weight", dtype, values.shape, values.ravel())
    others = [onnx.numpy_helper.from_array(np.zeros(4, np.float32), "conv.bias")]
    others += [onnx.numpy_helper.from_array(np.zeros((2, 4), np.float32), "fc.weight")]
    others += [onnx.numpy_helper.from_array(np.zeros(2, np.float32), "fc.bias")]
    found = read_weights(put(hostile.model([tensor, *others]).SerializeToString()))
    np.testing.assert_array_equal(found["conv.weight"].read(), values)


def test_npz_of_other_orders(put) -> None:
    x = np.arange(6.0).reshape(2, 3)
    found = read_weights(put(hostile.npz_bytes(a=np.asfortranarray(x), b=x.astype(">f8"))))
    np.testing.assert_array_equal(found["a"].read(), x)
    np.testing.assert_array_equal(found["b"].read(), x)


# ── fitting ────────────────────────────────────────────────────────────────────────────────────


def held(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
        dtype = "int64" if name.endswith("count") else "float32"
        is_spare = dtype == "int64"
        return Tensor(name, shape, dtype, lambda: np.arange(np.prod(shape, dtype=int)), is_spare)

    return {
        name.replace("__", "."): tensor(name.replace("__", "."), n) for name, n in shapes.items()
    }


def test_what_differs_is_listed() -> None:
    wanted = {"a.weight": (4, 3), "a.bias": (4,), "b.weight": (2, 4)}
    found = held(a__wieght=(4, 3), a__bias=(5,), b__weight=(2, 4), c__weight=(7,), n__count=())
    with pytest.raises(Mismatch) as caught:
        match(wanted, found)
    assert (
        str(caught.value)
        == """\
of 3 weights 1 missing, 1 of another shape; 2 extra
  missing:
    a.weight 4x3 (did you mean `a.wieght`?)
  extra:
    a.wieght 4x3
    c.weight 7
  misshapen:
    a.bias 4: the file has 5"""
    )
    some = match(wanted, found, strict=False)
    assert list(some) == ["b.weight"]
    assert (some.missing, some.extra) == (["a.weight"], ["a.wieght", "c.weight"])
    assert some.misshapen == ["a.bias"]


def test_long_lists_are_cut_and_a_map_is_proposed() -> None:
    wanted = {f"ours{i}": (i + 1,) for i in range(12)}
    with pytest.raises(Mismatch) as caught:
        match(wanted, held(**{f"x{i}": (i + 1, 1) for i in range(12)}))
    text = str(caught.value)
    assert text.count("    and 2 more") == 2
    assert text.endswith("""\
  hint: all 12 agree in order and shape; a map would begin
    x0 = ours0
    x1 = ours1
    x2 = ours2""")


def test_whole_numbers_are_no_weights() -> None:
    with pytest.raises(Mismatch, match="count 3: the file has int64, no real numbers"):
        match({"count": (3,)}, held(count=(3,)))


def test_axes_of_size_one_come_and_go() -> None:
    found = match({"slope": (3, 1, 1), "one": ()}, held(slope=(3,), one=(1,)))
    assert found["slope"].read().shape == (3, 1, 1)
    assert found["one"].read().shape == ()


def test_a_map_renames(put) -> None:
    path = put(b"""\
# theirs, ours
layer1.*.conv*.weight = stage1.*.c*.weight
fc -> head    # the last
""")
    found = held(layer1__0__conv2__weight=(1,), layer1__1__conv1__weight=(2,), fc=(3,), own=(4,))
    wanted = {"stage1.0.c2.weight": (1,), "stage1.1.c1.weight": (2,), "head": (3,), "own": (4,)}
    matched = match(wanted, found, read_map(path))
    assert matched["head"].name == "fc"
    assert list(matched) == list(wanted)
    assert list(match({"b": (3,)}, held(a=(3,)), read_map([("a", "b")]))) == ["b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = b\nc\n", "line 2: `c` is not `theirs = ours`"),
        ("a =", "line 1: `a =` is not `theirs = ours`"),
        ("\n\na.* -> b", "line 3: 1 `*` before the ->, 0 after it"),
        ("\xff", "no map: byte 0 is not UTF-8"),
        ("", "empty, 0 bytes"),
    ],
)
def test_a_broken_map_is_refused(put, text: str, said: str) -> None:
    with pytest.raises(BadFile) as caught:
        read_map(put(text.encode("latin-1")))
    assert str(caught.value).endswith(f": {said}")


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("a", "x"), ("b", "x")], "`a` and `b` are both to be `x`"),
        ([("cc", "x")], "line 1 of the map: no tensor is called `cc`"),
        ([("layer.wieght", "x")], r"`layer.wieght` \(did you mean `layer.weight`\?\)"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(Mismatch, match=said):
        match({"x": (1,)}, held(a=(1,), b=(1,), layer__weight=(1,)), read_map(pairs))


# ── broken and hostile files ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", hostile.good())
def test_a_truncated_file_is_refused(put, name: str) -> None:
    for data in hostile.truncated(hostile.good()[name], 120):
        refused(put(data))


@pytest.mark.parametrize("name", hostile.good())
def test_changed_bytes_end_in_a_line(put, name: str) -> None:
    for data in hostile.flipped(hostile.good()[name], 300):
        endures(put(data))


def test_random_bytes_are_refused(put) -> None:
    for data in hostile.noise(300):
        refused(put(data))


def test_nothing_is_unpickled(put, tmp_path: Path) -> None:
    target = tmp_path / "made"
    for name, data in hostile.pickles(target).items():
        said = refused(put(data, name))
        assert "pickle" in said or name == "objects.npy"
        assert not target.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty, 0 bytes"),
        (struct.pack("<Q", 2**60) + b"{}", "its header claims 1,152,921,504,606,846,976 bytes"),
        (hostile.claim((2**31, 2**31)), "a broken safetensors file"),
        (hostile.claim((4,), 0, 2**60), "a broken safetensors file"),
        (hostile.claim((4,), 8, 0), "a broken safetensors file"),
        (hostile.claim((0, 2**62), 0, 0), "a broken safetensors file"),
        (hostile.claim((2, 2), dtype="I32"), "its tensor `w` holds i32, no real numbers"),
        (hostile.safetensors_of(b"{" * 10_000), "a broken safetensors file"),
        (hostile.zipped("w.npy", hostile.npy("(1000000000, 1000000000)")), "claims the shape"),
        (hostile.zipped("w.npy", hostile.npy("(1000000,)")), "takes 4,000,000 bytes, 0 are there"),
        (hostile.zipped("w.npy", hostile.npy("(-1,)")), "claims the shape -1"),
        (hostile.zipped("w.npy", hostile.npy("(4,)", bytes(99))), "99 are there"),
        (hostile.zipped("w.npy", hostile.npy("(2,)", bytes(16), "'O'")), "Python objects"),
        (hostile.zipped("w.npy", hostile.npy("(2,)", bytes(8), "[('a', '<f4')]")), "records"),
        (hostile.zipped("w.npy", hostile.npy("(" * 500)), "its header is not that of an npy"),
        (hostile.zipped("w.npy", b"text"), "its header is not that of an npy"),
        (hostile.zipped("w.npy", hostile.npy("(1,)", bytes(4)), zipfile.ZIP_BZIP2), "packed in"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"GGUF\x03", "GGUF"),
        (b"network A {}\n", "text; weights are in a safetensors, npz or ONNX file"),
        (b"\xff\xd8\xff\xe0", "a picture; weights"),
        (hostile.npy("(1,)", bytes(4)), "one array without a name"),
    ],
)
def test_a_file_that_lies_is_refused(put, data: bytes, said: str) -> None:
    assert said in refused(put(data))


def test_a_bomb_is_not_unpacked_unless_it_is_wanted(put) -> None:
    path = put(hostile.bomb())
    begin = time.perf_counter()
    with pytest.raises(Mismatch, match="w 4: the file has 134217728"):
        match({"w": (4,)}, read_weights(path))
    assert time.perf_counter() - begin < LIMIT


def test_folders_pipes_and_absent_files_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == "a folder, not a file"
    assert refused(tmp_path / "none") == "no such file or directory"
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == "not a plain file"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (hostile.with_dims((10**9, 10**9)), "claims the shape 1000000000x1000000000"),
        (hostile.with_dims((2**40,)), "takes 4,398,046,511,104 bytes, 16 are there"),
        (hostile.with_dims((-4,)), "claims the shape -4"),
        (hostile.with_dims((3,)), "takes 12 bytes, 16 are there"),
        (hostile.with_dims((1,) * 5000), "claims 5,000 axes"),
        (hostile.nested(12), "not a valid ONNX model"),
        (hostile.nested(80), "nested deeper than"),
        (hostile.nested(3000), "nested deeper than"),
        (hostile.crowded(1, 3_000_000), "more than 150,000 fields"),
        (hostile.crowded(5, 140_000), "is of type 0, which ONNX has not"),
        (b"\x08\x08" + hostile.part(8, b"\x10\x11"), "without a graph"),
        (b"\x08\x08" + hostile.part(7, b""), "without the version of its operators"),
        (hostile.onnx_bytes().replace(b"conv.bias", b"conv.\xff\xfeas"), "not UTF-8"),
    ],
)
def test_a_model_that_lies_is_refused(put, data: bytes, said: str) -> None:
    assert said in refused(put(data))


SIZE = 4 * 4 * 3 * 3 * 3


def outside() -> Iterator[tuple[str, str]]:
    for location in (
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "C:\\x",
        "\\\\host\\x",
        "",
        "link",
    ):
        yield location, "not inside the model's folder"
    for location in ("none", "a\nb"):
        yield location, "which is not there"
    yield "folder", "which is not a plain file"


@pytest.mark.parametrize(("location", "said"), [*outside()])
def test_numbers_are_only_read_beside_the_model(tmp_path: Path, location: str, said: str) -> None:
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(SIZE))
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "net.onnx").write_bytes(hostile.beside(location))
    assert said in refused(home / "net.onnx")


@pytest.mark.parametrize(
    "claims",
    [{"offset": 4}, {"length": 4}, {"offset": -4}, {"offset": "x"}, {"length": 2**62}],
)
def test_numbers_beside_the_model_are_all_there(tmp_path: Path, claims: dict) -> None:
    (tmp_path / "data").write_bytes(bytes(SIZE))
    path = tmp_path / "net.onnx"
    path.write_bytes(hostile.beside("data"))
    assert read_weights(path)["conv.weight"].read().shape == (4, 3, 3, 3)
    path.write_bytes(hostile.beside("data", **claims))
    assert "its tensor `conv.weight`" in refused(path)
    path.write_bytes(hostile.beside("data", dims=(10**6, 10**6)))
    assert "claims" in refused(path) or "takes" in refused(path)


def test_a_model_is_read_whole(put) -> None:
    assert len(read_onnx(put(hostile.onnx_bytes())).graph.node) == 4
    with pytest.raises(BadFile, match="no ONNX file"):
        read_onnx(put(hostile.safetensors_bytes()))
