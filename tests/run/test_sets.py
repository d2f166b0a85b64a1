"""Are data sets found, read, checked and divided as their settings say?"""

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from calls import cnnspec
from cnnspec.api import loads
from cnnspec.run.sets import BadData, Splits, download, idx, open_set, originals
from cnnspec.run.sets.download import Remote, fetch
from cnnspec.run.sets.inputs import wants_of
from cnnspec.run.sets.part import Held
from cnnspec.run.wanted import Wanted
from cnnspec.settings import sets

F32 = np.dtype(np.float32)
DIGIT = (Wanted("input", (1, 28, 28), F32),)
SERIES = (Wanted("x", (1, 24), F32),)
PHOTO = (Wanted("x", (3, 32, 32), F32),)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's own cache, or fetches anything from the network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(originals, "SHARED", (tmp_path / "share",))
    for kind in download.BASES:
        monkeypatch.setitem(download.BASES, kind, "http://127.0.0.1:9/")


def sizes(splits: Splits) -> list[int]:
    return [len(p) if p else 0 for p in (splits.train, splits.validation, splits.test)]


def everything(splits: Splits) -> np.ndarray:
    parts = [p for p in (splits.train, splits.validation, splits.test) if p]
    return np.concatenate([p.indices for p in parts])


# ── the sets that come with cnnspec, and how sets are divided ───────────────────────────────────


def test_digits_are_there() -> None:
    splits = open_set(sets.Mnist10k(), DIGIT)
    assert sizes(splits) == [8000, 1000, 1000]
    assert sorted(everything(splits)) == list(range(10_000))
    inputs, labels = splits.train.fetch(np.arange(5))
    assert inputs["input"].shape == (5, 1, 28, 28)
    assert inputs["input"].dtype == np.uint8
    assert labels.dtype == np.int64
    assert splits.train.classes == tuple("0123456789")
    assert splits.train.labels is not None
    assert np.bincount(splits.train.labels).min() > 600


def test_italy_has_a_test_part_of_its_own() -> None:
    splits = open_set(sets.ItalyPowerDemand(), SERIES)
    assert sizes(splits) == [53, 14, 1029]
    assert splits.test is not None
    assert splits.test.indices.tolist() == list(range(1029))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"split": (0.5, 0.25)}, [5000, 2500, 0]),
        ({"split": (0.29, 0.71)}, [2900, 7100, 0]),
        ({"split": (6000, 100, 50)}, [6000, 100, 50]),
        ({"limit": 100}, [100, 1000, 1000]),
        ({"split": (1.0, 0)}, [10_000, 0, 0]),
    ],
)
def test_a_split_is_by_share_or_by_number(given: dict, expected: list[int]) -> None:
    data = sets.Mnist10k(**given)
    splits = open_set(data, DIGIT)
    assert sizes(splits) == expected
    assert data.training_examples() == expected[0]


def test_a_split_belongs_to_its_seed() -> None:
    def order(seed: int) -> list[int]:
        return open_set(sets.Mnist10k(), DIGIT, seed=seed).train.indices[:20].tolist()

    assert order(0) == order(0) != order(1)
    first, second = (open_set(sets.Mnist10k(), DIGIT, seed=s).train.digest for s in (0, 1))
    assert first != second


def test_classes_are_chosen_and_renumbered() -> None:
    splits = open_set(sets.Mnist10k(classes=(7, "3")), DIGIT)
    assert sum(sizes(splits)) == 1032 + 1070
    assert splits.train.classes == ("7", "3")
    labels = splits.train.source.labels
    assert labels is not None
    old = labels[splits.train.indices[:50]]
    new = splits.train.fetch(np.arange(50))[1]
    assert [{7: 0, 3: 1}[int(n)] for n in old] == new.tolist()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            sets.Mnist10k(split=(9000, 2000)),
            "9,000 + 2,000 examples of `mnist10k`; 10,000 are there",
        ),
        (sets.Mnist10k(classes=(3, 12)), "has 10 classes, 0 to 9; none is 12"),
        (sets.ItalyPowerDemand(classes=("may", 1)), "no class `may`; its classes are `October to"),
        (sets.Mnist10k(classes=(3, "3")), "`classes` names class 3 twice"),
    ],
)
def test_what_a_set_has_not_is_said(data, message: str) -> None:
    wants = SERIES if data.kind == "italy_power_demand" else DIGIT
    with pytest.raises(BadData) as caught:
        open_set(data, wants)
    assert message in str(caught.value)


def test_pictures_come_to_the_size_of_the_input() -> None:
    wants = (Wanted("input", (1, 32, 32), F32),)
    with pytest.raises(BadData, match="have 28x28 pixels, the input takes 32x32: `fit=stretch`"):
        open_set(sets.Mnist10k(), wants)
    for fit in ("stretch", "crop", "pad"):
        part = open_set(sets.Mnist10k(fit=fit), wants).train
        assert part.fetch(np.arange(3))[0]["input"].shape == (3, 1, 32, 32)
    colours = (Wanted("input", (3, 28, 28), F32),)
    with pytest.raises(BadData, match="have greys, the input takes colours: `convert=yes`"):
        open_set(sets.Mnist10k(), colours)
    x = open_set(sets.Mnist10k(convert=True), colours).train.fetch(np.arange(3))[0]["input"]
    np.testing.assert_array_equal(x[:, 0], x[:, 2])
    flat = open_set(sets.Mnist10k(), (Wanted("input", (784,), F32),))
    assert len(flat.train) == 8000
    with pytest.raises(BadData, match="are 1x24, the input takes 1x20"):
        open_set(sets.ItalyPowerDemand(), (Wanted("x", (1, 20), F32),))


def test_a_network_with_too_few_outputs_is_told() -> None:
    with pytest.raises(BadData, match="is of class 9; the network tells 9 classes apart, 0 to 8"):
        open_set(sets.Mnist10k(), DIGIT, outputs=[(9,)])
    assert open_set(sets.Mnist10k(classes=(0, 1)), DIGIT, outputs=[(1,)])


def test_inputs_are_those_of_the_spec() -> None:
    spec = "network { input 3x8x8 type=uint8 layout=hwc\n flatten -> fc 2 }"
    (wanted,) = wants_of(loads(spec).graph)
    assert (wanted.size, wanted.dtype, wanted.layout, wanted.raw) == (
        (3, 8, 8),
        "uint8",
        "hwc",
        True,
    )


# ── idx ─────────────────────────────────────────────────────────────────────────────────────────


def idx_bytes(x: np.ndarray) -> bytes:
    return bytes([0, 0, 8, x.ndim]) + b"".join(n.to_bytes(4, "big") for n in x.shape) + x.tobytes()


def idx_files() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    found = {}
    for name, n in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
        found[f"{name}-images-idx3-ubyte"] = idx_bytes(images)
        found[f"{name}-labels-idx1-ubyte"] = idx_bytes((np.arange(n) % 10).astype(np.uint8))
    return found


def put(folder: Path, files: dict[str, bytes], *, pack: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / (f"{name}.gz" if pack else name)).write_bytes(
            gzip.compress(data) if pack else data
        )


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("place", ["given", "data", "data/FashionMNIST/raw", "share/fashion-mnist"])
def test_fashion_mnist_is_found(tmp_path: Path, place: str, pack: bool) -> None:
    put(tmp_path / place, idx_files(), pack=pack)
    data = sets.FashionMnist(**({"path": "given"} if place == "given" else {}))
    splits = open_set(data, DIGIT, data_dir=tmp_path / "data", folder=tmp_path)
    assert sizes(splits) == [36, 4, 10]
    x, y = splits.test.fetch(np.arange(10))  # pyright: ignore[reportOptionalMemberAccess]
    assert y.tolist() == list(range(10))
    assert x["input"].tobytes() == idx_files()["t10k-images-idx3-ubyte"][16:]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train-images-idx3-ubyte", b"PK\3\4", "no idx file of bytes: it begins with 50 4b 03 04"),
        ("train-images-idx3-ubyte", b"", "it begins with "),
        (
            "train-labels-idx1-ubyte",
            idx_bytes(np.zeros(9, np.uint8)),
            "has 40 examples for 9 labels",
        ),
        (
            "t10k-labels-idx1-ubyte",
            idx_bytes(np.full(10, 12, np.uint8)),
            "a label 12; there are 10",
        ),
        ("t10k-images-idx3-ubyte", idx_bytes(np.zeros((10, 28, 28), np.uint8))[:-5], "7,835 are"),
    ],
)
def test_broken_idx_files_are_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    put(tmp_path, {**idx_files(), name: data})
    with pytest.raises(BadData, match=message):
        open_set(sets.Mnist(path="."), DIGIT, folder=tmp_path)


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    put(tmp_path, idx_files(), pack=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadData, match="cannot be unpacked"):
        open_set(sets.Mnist(path="."), DIGIT, folder=tmp_path)


# ── cifar ───────────────────────────────────────────────────────────────────────────────────────


def cifar_files(labels: int = 1) -> dict[str, bytes]:
    rng = np.random.default_rng(1)

    def file(n: int) -> bytes:
        x = rng.integers(0, 256, (n, 3072 + labels)).astype(np.uint8)
        for k in range(labels):
            x[:, k] = np.arange(n) % 10 + k
        return x.tobytes()

    if labels == 2:
        names = "\n".join(f"thing {i}" for i in range(100)).encode()
        return {"train.bin": file(50), "test.bin": file(10), "fine_label_names.txt": names}
    return {**{f"data_batch_{i}.bin": file(12) for i in range(1, 6)}, "test_batch.bin": file(10)}


def test_cifar10_is_read_across_its_files(tmp_path: Path) -> None:
    files = cifar_files()
    put(tmp_path / "cifar-10-batches-bin", files)
    splits = open_set(sets.Cifar10(split=(1.0, 0)), PHOTO, data_dir=tmp_path)
    assert sizes(splits) == [60, 0, 10]
    joined = b"".join(files[f"data_batch_{i}.bin"] for i in range(1, 6))
    rows = np.frombuffer(joined, np.uint8).reshape(60, 3073)[splits.train.indices]
    x, y = splits.train.fetch(np.arange(60))
    np.testing.assert_array_equal(x["x"].reshape(60, -1), rows[:, 1:])
    np.testing.assert_array_equal(y, rows[:, 0])


def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path) -> None:
    put(tmp_path, cifar_files(2))
    fine = open_set(sets.Cifar100(path="."), PHOTO, folder=tmp_path)
    assert fine.train.classes is not None
    assert fine.train.classes[3] == "thing 3"
    coarse = open_set(sets.Cifar100(path=".", labels="coarse"), PHOTO, folder=tmp_path)
    np.testing.assert_array_equal(coarse.train.labels, fine.train.labels - 1)  # pyright: ignore[reportOptionalOperand, reportArgumentType]


def test_an_archive_of_cifar_is_unpacked_and_pickles_are_not(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(BadData, match=r"Python version of `cifar10`.*pickles can run programs"):
        open_set(sets.Cifar10(), PHOTO, data_dir=tmp_path)
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as tar:
        for name, data in {**cifar_files(), "../../evil.bin": b"x"}.items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert sizes(open_set(sets.Cifar10(), PHOTO, data_dir=tmp_path)) == [54, 6, 10]
    assert not list(tmp_path.rglob("evil.bin"))


# ── what is fetched ─────────────────────────────────────────────────────────────────────────────


class Handler(BaseHTTPRequestHandler):
    """A server of files that breaks off where it is told to."""

    files: ClassVar[dict[str, bytes]] = {}
    breaks: ClassVar[list[int]] = []
    asked: ClassVar[list[str]] = []
    ranges: ClassVar[bool] = True

    def do_GET(self) -> None:
        data = self.files.get(self.path[1:])
        if data is None:
            self.send_error(404)
            return
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.ranges else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = self.breaks.pop(0) if self.breaks else len(data)
        self.wfile.write(data[start:end])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Handler]]:
    made = type("Made", (Handler,), {"files": {}, "breaks": [], "asked": [], "ranges": True})
    with ThreadingHTTPServer(("127.0.0.1", 0), made) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{serving.server_address[1]}/"
        for kind in download.BASES:
            monkeypatch.setitem(download.BASES, kind, url)
        yield made
        serving.shutdown()
        thread.join()


DATA = np.random.default_rng(0).bytes(300_000)
FILE = Remote("file.gz", hashlib.md5(DATA).hexdigest())


def test_a_transfer_that_breaks_off_is_continued(server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA
    server.breaks[:] = [100_000, 200_000]
    told: list[tuple[str, int, int]] = []
    path = fetch("mnist", FILE, tmp_path, lambda *now: told.append(now))
    assert path.read_bytes() == DATA
    assert server.asked == ["", "bytes=100000-", "bytes=200000-"]
    assert told[-1] == ("file.gz", 300_000, 300_000)
    assert [n for _, n, _ in told] == sorted(n for _, n, _ in told)
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["file.gz"]
    assert fetch("mnist", FILE, tmp_path) == path
    assert len(server.asked) == 3


def test_what_an_earlier_call_fetched_counts(server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA
    (tmp_path / "file.gz.part").write_bytes(DATA[:250_000])
    assert fetch("mnist", FILE, tmp_path).read_bytes() == DATA
    assert server.asked == ["bytes=250000-"]


@pytest.mark.parametrize("left", [b"other" * 1000, DATA + b"more", DATA])
@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_left_of_another_file_does_no_harm(server, tmp_path, left, ranges) -> None:
    server.files["file.gz"] = DATA
    server.ranges = ranges
    (tmp_path / "file.gz.part").write_bytes(left)
    assert fetch("mnist", FILE, tmp_path).read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA[:-1] + b"?"
    with pytest.raises(BadData, match=f"has the MD5 .*, its authors say {FILE.md5}"):
        fetch("mnist", FILE, tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.is_file()]


def test_a_transfer_that_always_breaks_off_keeps_what_it_has(server, tmp_path: Path) -> None:
    server.files["file.gz"] = DATA
    server.breaks[:] = [1000, 2000, 3000, 4000]
    with pytest.raises(
        BadData, match=r"cannot be fetched \(it ends before its end\); put the file"
    ):
        fetch("mnist", FILE, tmp_path)
    assert (tmp_path / "file.gz.part").read_bytes() == DATA[:4000]


def test_what_is_not_there_is_said_in_a_line(server, tmp_path: Path) -> None:
    rest = r"train-labels-idx1-ubyte.gz, t10k-images.* and t10k-labels.* from there"
    said = rf"train-images-idx3-ubyte.gz cannot be fetched \(HTTP 404\); put it, and {rest}, into"
    with pytest.raises(BadData, match=said):
        open_set(sets.Mnist(), DIGIT)
    with pytest.raises(BadData, match=r"of `mnist` are not in .*: train-images.*belong there"):
        open_set(sets.Mnist(), DIGIT, may_fetch=False)
    with pytest.raises(BadData, match=r"are not in .*nowhere: "):
        open_set(sets.Mnist(path="nowhere"), DIGIT, folder=tmp_path)


def test_without_a_network_it_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(BadData) as caught:
        open_set(sets.Cifar10(), PHOTO)
    said = str(caught.value)
    assert (
        "cifar-10-binary.tar.gz cannot be fetched (connection refused); put the file into" in said
    )
    assert str(tmp_path / "cache" / "cnnspec" / "cifar10") in said
    assert "\n" not in said


def test_mnist_is_fetched_and_kept(server, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()}
    server.files.update(packed)
    order = [f"{s}-idx{3 if 'images' in s else 1}-ubyte.gz" for s in idx.STEMS]
    sums = tuple(hashlib.md5(packed[name]).hexdigest() for name in order)
    monkeypatch.setitem(idx.MD5, "mnist", sums)
    assert sizes(open_set(sets.Mnist(), DIGIT)) == [36, 4, 10]
    assert sizes(open_set(sets.Mnist(), DIGIT, may_fetch=False)) == [36, 4, 10]
    assert len(server.asked) == 4


@pytest.mark.parametrize("is_terminal", [False, True])
def test_commands_tell_what_they_fetch(
    server, is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()}
    server.files.update(packed)
    order = [f"{s}-idx{3 if 'images' in s else 1}-ubyte.gz" for s in idx.STEMS]
    sums = tuple(hashlib.md5(packed[name]).hexdigest() for name in order)
    monkeypatch.setitem(idx.MD5, "mnist", sums)
    monkeypatch.chdir(tmp_path)
    text = "network {\n  input 1x28x28\n  flatten -> fc 10\n}\ntrain {\n  data mnist\n}\n"
    Path("net.cnn").write_text(text)
    args = ("train", "net.cnn", "--epochs", "1", "--out", "run", "--device", "cpu")
    done = cnnspec(*args, is_terminal=is_terminal)
    assert done.status == 0, done.err
    for name, data in packed.items():
        if is_terminal:
            size = f"{len(data) / 1e6:.1f} MB"
            assert f"\r\x1b[2Kfetching {name} · 100% of {size}\n" in done.err
        else:
            assert f"fetching {name} ({len(data) / 1e6:.1f} MB)\n" in done.err
    assert "fetching" not in cnnspec("eval", "run").err


# ── folders of pictures ─────────────────────────────────────────────────────────────────────────


def picture(path: Path, size=(8, 8), mode="RGB", seed=0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    x = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(x).save(path)
    return path


def animals(root: Path, n: int = 10, **how) -> None:
    for k, name in enumerate(("cat", "dog", "eel")):
        for i in range(n):
            picture(root / name / f"{i:02}.png", seed=100 * k + i, **how)


SMALL = (Wanted("x", (3, 8, 8), F32),)


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    animals(tmp_path / "all")
    splits = open_set(sets.Folder(path="all"), SMALL, folder=tmp_path)
    assert sizes(splits) == [24, 3, 3]
    assert splits.train.classes == ("cat", "dog", "eel")
    for _ in range(2):
        x, y = splits.train.fetch(np.arange(24))
        for k, at in enumerate(splits.train.indices):
            path = tmp_path / "all" / ("cat", "dog", "eel")[at // 10] / f"{at % 10:02}.png"
            np.testing.assert_array_equal(
                x["x"][k], np.asarray(Image.open(path)).transpose(2, 0, 1)
            )
            assert y[k] == at // 10
    chosen = open_set(sets.Folder(path="all", classes=("eel", "cat")), SMALL, folder=tmp_path)
    assert chosen.train.classes == ("eel", "cat")
    assert sum(sizes(chosen)) == 20


def test_what_folders_divide_is_not_divided_again(tmp_path: Path) -> None:
    animals(tmp_path / "train")
    animals(tmp_path / "test", 3)
    assert sizes(open_set(sets.Folder(path="."), SMALL, folder=tmp_path)) == [27, 3, 9]
    given = sets.Folder(path=".", split=(0.5, 0.5))
    assert sizes(open_set(given, SMALL, folder=tmp_path)) == [15, 15, 9]
    animals(tmp_path / "val", 2)
    assert sizes(open_set(sets.Folder(path="."), SMALL, folder=tmp_path)) == [30, 6, 9]
    picture(tmp_path / "val" / "fox" / "1.png")
    with pytest.raises(BadData, match="has a class `fox`, which has no examples for training"):
        open_set(sets.Folder(path="."), SMALL, folder=tmp_path)


def test_broken_pictures_are_named_or_left_out(tmp_path: Path) -> None:
    animals(tmp_path)
    (tmp_path / "cat" / "03.png").write_bytes(b"no picture")
    whole = picture(tmp_path / "dog" / "cut.jpg", (60, 60)).read_bytes()
    (tmp_path / "dog" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    data = sets.Folder(path=".", fit="stretch")
    with pytest.raises(BadData, match=r"cat/03.png: it is no picture that is read here"):
        open_set(data, SMALL, folder=tmp_path)
    splits = open_set(data, SMALL, folder=tmp_path, skip_bad=True)
    assert sum(sizes(splits)) == 29
    assert splits.notes[0].startswith("2 of 31 examples are left out: ")
    assert "cut.jpg: it cannot be decoded" in splits.notes[0]
    splits.train.fetch(np.arange(len(splits.train)))
    # Cut off after its head, it is found when it is decoded.
    (tmp_path / "cat" / "03.png").unlink()
    data = sets.Folder(path=".", fit="stretch", split=(1.0, 0))
    part = open_set(data, SMALL, folder=tmp_path).train
    with pytest.raises(BadData, match=r"cut.jpg: it cannot be decoded"):
        part.fetch(np.arange(len(part)))


def test_pictures_that_do_not_fit_are_named_before_training(tmp_path: Path) -> None:
    animals(tmp_path, 2)
    picture(tmp_path / "cat" / "wide.png", (9, 8))
    with pytest.raises(BadData, match=r"wide.png has 9x8 pixels, the input takes 8x8: `fit="):
        open_set(sets.Folder(path="."), SMALL, folder=tmp_path)
    picture(tmp_path / "cat" / "grey.png", mode="L")
    with pytest.raises(BadData, match=r"2 of 8 examples cannot be used: .*grey.png has greys, the"):
        open_set(sets.Folder(path="."), SMALL, folder=tmp_path)
    data = sets.Folder(path=".", fit="pad", convert=True)
    assert sum(sizes(open_set(data, SMALL, folder=tmp_path))) == 8


def test_a_batch_that_is_never_full_is_noted(tmp_path: Path) -> None:
    animals(tmp_path)
    notes = open_set(sets.Folder(path="."), SMALL, folder=tmp_path, batch=64).notes
    assert notes == ("a batch of 64 is more than the 24 examples that `folder` trains on",)
    assert open_set(sets.Folder(path="."), SMALL, folder=tmp_path, batch=24).notes == ()


def test_what_memory_has_no_room_for_is_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    animals(tmp_path)
    held = open_set(sets.Folder(path="."), SMALL, folder=tmp_path).train
    monkeypatch.setattr("cnnspec.run.sets.part.HELD", 100)
    read = open_set(sets.Folder(path="."), SMALL, folder=tmp_path).train
    for _ in range(2):
        for a, b in zip(held.fetch(np.arange(24)), read.fetch(np.arange(24)), strict=True):
            np.testing.assert_equal(a, b)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "there is no folder"),
        (lambda p: p.mkdir(), "has no folders, which would be the classes"),
        (lambda p: (p / "cat").mkdir(parents=True), "no folder in .* has a picture"),
        (lambda p: animals_of_one(p), "training examples of `folder` are of one class, `cat`"),
    ],
)
def test_folders_without_classes_are_refused(tmp_path: Path, make, message: str) -> None:
    make(tmp_path / "all")
    with pytest.raises(BadData, match=message):
        open_set(sets.Folder(path="all"), SMALL, folder=tmp_path)


def animals_of_one(root: Path) -> None:
    for i in range(5):
        picture(root / "cat" / f"{i}.png", seed=i)


# ── masks and pairs ─────────────────────────────────────────────────────────────────────────────


def masked(root: Path, values=(0, 1), n: int = 10, size=(8, 8)) -> None:
    rng = np.random.default_rng(0)
    for i in range(n):
        picture(root / "images" / f"{i}.jpg", size, seed=i)
        (root / "masks").mkdir(exist_ok=True)
        mask = rng.choice(np.array(values, np.uint8), size[::-1])
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")


def masks(**given) -> sets.Masks:
    return sets.Masks(images="images", masks="masks", **given)


def test_masks_become_classes(tmp_path: Path) -> None:
    masked(tmp_path, (10, 200, 255))
    data = masks(values=(10, 200), ignore=255)
    splits = open_set(data, SMALL, folder=tmp_path, outputs=[(2, 8, 8)])
    assert splits.train.gives == "masks"
    assert splits.train.ignored == -1
    _, y = splits.train.fetch(np.arange(8))
    assert y.dtype == np.int64
    assert y.shape == (8, 8, 8)
    for k, at in enumerate(splits.train.indices):
        mask = np.asarray(Image.open(tmp_path / "masks" / f"{at}.png"))
        np.testing.assert_array_equal(y[k], np.select([mask == 10, mask == 200], [0, 1], -1))


def test_masks_of_other_greys_are_refused(tmp_path: Path) -> None:
    masked(tmp_path, (0, 1, 7))
    with pytest.raises(BadData, match="grey 7; the network tells 3 classes apart, 0 to 2"):
        open_set(masks(), SMALL, folder=tmp_path, outputs=[(3, 8, 8)])
    with pytest.raises(BadData, match="pixels of grey 7; `values` names 0 and 1"):
        open_set(masks(values=(0, 1)), SMALL, folder=tmp_path)
    with pytest.raises(BadData, match="no example of `masks` is left for training"):
        open_set(masks(values=(0, 1)), SMALL, folder=tmp_path, skip_bad=True)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_masks_are_fitted_without_new_classes(tmp_path: Path, fit: str) -> None:
    masked(tmp_path, (0, 1, 3), size=(20, 12))
    with pytest.raises(BadData, match="20x12 pixels, the input takes 8x8: `fit="):
        open_set(masks(), SMALL, folder=tmp_path)
    part = open_set(masks(fit=fit, ignore=255), SMALL, folder=tmp_path).train
    x, y = part.fetch(np.arange(8))
    assert x["x"].shape == (8, 3, 8, 8)
    assert set(np.unique(y)) == ({-1, 0, 1, 3} if fit == "pad" else {0, 1, 3})


def test_palettes_and_two_tones_are_masks(tmp_path: Path) -> None:
    masked(tmp_path)
    mask = Image.fromarray(np.eye(8, dtype=np.uint8))
    mask.putpalette([9, 9, 9, 200, 0, 0])
    mask.save(tmp_path / "masks" / "0.png")
    Image.fromarray(np.eye(8, dtype=bool)).save(tmp_path / "masks" / "1.png")
    splits = open_set(masks(split=(1.0, 0)), SMALL, folder=tmp_path)
    _, y = splits.train.fetch(np.flatnonzero(splits.train.indices < 2))
    np.testing.assert_array_equal(y, np.eye(8, dtype=int)[None].repeat(2, 0))
    Image.new("RGB", (8, 8), "red").save(tmp_path / "masks" / "0.png")
    with pytest.raises(BadData, match=r"0.png has colours, no greys"):
        open_set(masks(split=(1.0, 0)), SMALL, folder=tmp_path)


def test_files_without_a_partner_are_named(tmp_path: Path) -> None:
    masked(tmp_path)
    (tmp_path / "masks" / "4.png").unlink()
    with pytest.raises(BadData, match=r"1 of 10 files in .*images have none of their name .*: 4$"):
        open_set(masks(), SMALL, folder=tmp_path)


def test_pairs_may_differ_in_size_as_input_and_output_do(tmp_path: Path) -> None:
    for i in range(10):
        picture(tmp_path / "small" / f"{i}.png", (8, 8), seed=i)
        picture(tmp_path / "large" / f"{i}.png", (16, 16), seed=i)
    data = sets.Pairs(inputs="small", targets="large")
    splits = open_set(data, SMALL, folder=tmp_path, outputs=[(3, 16, 16)])
    x, y = splits.train.fetch(np.arange(8))
    assert (x["x"].shape, y.shape) == ((8, 3, 8, 8), (8, 3, 16, 16))
    with pytest.raises(BadData, match="has 16x16 pixels, the network gives 8x8"):
        open_set(data, SMALL, folder=tmp_path, outputs=[(3, 8, 8)])


# ── npz ─────────────────────────────────────────────────────────────────────────────────────────


def npz(path: Path, **arrays: np.ndarray) -> None:
    np.savez(path / "a.npz", **arrays)  # pyright: ignore[reportArgumentType]


X = np.random.default_rng(0).normal(size=(20, 1, 24)).astype(np.float32)
Y = np.arange(20) % 2


def opened(path: Path, wants=SERIES, outputs=(), **given) -> Splits:
    return open_set(sets.Arrays(path="a.npz", **given), wants, folder=path, outputs=outputs)


def test_arrays_and_their_parts(tmp_path: Path) -> None:
    npz(tmp_path, x=X, y=Y)
    splits = opened(tmp_path)
    assert sizes(splits) == [16, 2, 2]
    np.testing.assert_array_equal(
        splits.train.fetch(np.arange(3))[0]["x"], X[splits.train.indices[:3]]
    )
    npz(tmp_path, x_train=X[:, 0], y_train=Y, x_test=X[:5], y_test=Y[:5])
    splits = opened(tmp_path, x="x_train", y="y_train")
    assert sizes(splits) == [18, 2, 5]


@pytest.mark.parametrize(
    ("y", "wants", "gives"),
    [
        (Y, SERIES, "classes"),
        (Y.astype(np.float32), SERIES, "numbers"),
        (np.zeros((20, 3), np.float64), SERIES, "numbers"),
        (np.zeros((20, 24), np.int32), SERIES, "masks"),
        (np.zeros((20, 1, 8, 8), np.float32), SERIES, "pictures"),
    ],
)
def test_targets_say_what_they_are(tmp_path: Path, y: np.ndarray, wants, gives: str) -> None:
    npz(tmp_path, x=X, y=y)
    assert opened(tmp_path, wants).train.gives == gives


@pytest.mark.parametrize(
    ("arrays", "given", "message"),
    [
        ({"x": X}, {}, "has no array `y`; its arrays: `x`"),
        ({"a": X, "y": Y}, {}, "has no array `x`; its arrays: `a`, `y`"),
        ({"x": X[:5], "y": Y}, {}, "has 5 examples for `x` and 20 targets"),
        ({"x": X[..., :20], "y": Y}, {}, "array `x` of .* is 20x1x20, the input takes Nx1x24"),
        ({"x": X, "y": Y - 1}, {}, "has a class -1; classes count from 0"),
        ({"x": X, "y": Y * 0}, {}, "are of one class, `0`"),
        ({"x": X, "y": X}, {"targets": "classes"}, "takes whole numbers; .* has float32"),
        ({"x": np.where(np.arange(20)[:, None, None] == 7, np.nan, X), "y": Y}, {}, "example 7 in"),
        ({"x": np.full((20, 1, 24), "a"), "y": Y}, {}, "no plain numbers"),
        ({"x": np.full((20, 1, 24), None), "y": Y}, {}, "array `x` of .* cannot be read"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays, given, message: str) -> None:
    npz(tmp_path, **arrays)
    with pytest.raises(BadData, match=message):
        opened(tmp_path, **given)


def test_several_inputs_have_arrays_of_their_names(tmp_path: Path) -> None:
    wants = (Wanted("left", (1, 24), F32), Wanted("right", (1, 24), F32))
    npz(tmp_path, left=X, right=-X, y=Y)
    found: Any = opened(tmp_path, wants).train.fetch(np.arange(4))[0]
    np.testing.assert_array_equal(found["left"], -found["right"])
    with pytest.raises(BadData, match="takes `left`, `right`, for which only `data npz` has"):
        open_set(sets.Mnist10k(), wants)


def test_large_arrays_stay_in_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnspec.run.sets.members.MAPPED", 100)
    npz(tmp_path, x=X, y=Y)
    part = opened(tmp_path).train
    assert isinstance(part.source, Held)
    assert isinstance(part.source.arrays["x"], np.memmap)
    np.testing.assert_array_equal(part.fetch(np.arange(3))[0]["x"], X[part.indices[:3]])


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="there is no file"):
        opened(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK\3\4 no")
    with pytest.raises(BadData, match="cannot be unpacked"):
        opened(tmp_path)


# ── csv ─────────────────────────────────────────────────────────────────────────────────────────

FOUR = (Wanted("x", (1, 4), F32),)


def table(path: Path, text: str, wants=FOUR, **given) -> Splits:
    (path / "t.csv").write_text(text)
    return open_set(sets.Table(path="t.csv", split=(1.0, 0), **given), wants, folder=path)


def rows(separator: str, targets: list[str]) -> str:
    return "".join(
        separator.join([t, *(str(i + k) for k in range(4))]) + "\n" for i, t in enumerate(targets)
    )


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", ", "])
def test_a_table_has_an_example_in_each_row(tmp_path: Path, separator: str) -> None:
    splits = table(tmp_path, rows(separator, ["b", "a", "b"]))
    assert splits.train.classes == ("a", "b")
    x, y = splits.train.fetch(np.argsort(splits.train.indices))
    np.testing.assert_array_equal(x["x"][:, 0], np.arange(3)[:, None] + np.arange(4))
    assert y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("targets", "gives", "classes", "expected"),
    [
        (["0", "2", "0"], "classes", None, [0, 2, 0]),
        (["-1", "1", "-1"], "classes", ("-1", "1"), [0, 1, 0]),
        (["1.0000e+00", "2.0000e+00", "1"], "classes", ("1", "2"), [0, 1, 0]),
        (["0.5", "2", "1"], "numbers", None, [[0.5], [2], [1]]),
    ],
)
def test_targets_in_a_table(tmp_path, targets, gives: str, classes, expected) -> None:
    part = table(tmp_path, rows(",", targets)).train
    assert (part.gives, part.classes) == (gives, classes)
    assert part.fetch(np.argsort(part.indices))[1].tolist() == expected


def test_columns_have_names_or_numbers(tmp_path: Path) -> None:
    text = "a,b,c,d,kind\n1,2,3,4,x\n5,6,7,8,y\n"
    for given in ({"target": "kind"}, {"target": 4}):
        part = table(tmp_path, text, header=True, **given).train
        assert part.classes == ("x", "y")
    (tmp_path / "test.csv").write_text("a,b,c,d,kind\n1,2,3,4,y\n")
    splits = table(tmp_path, text, header=True, target="kind", test="test.csv")
    assert splits.test is not None
    assert splits.test.fetch(np.arange(1))[1].tolist() == [1]
    (tmp_path / "test.csv").write_text("a,b,c,d,kind\n1,2,3,4,z\n")
    with pytest.raises(BadData, match="has a class `z`, which has no examples for training"):
        table(tmp_path, text, header=True, target="kind", test="test.csv")


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        ("", {}, "has no rows"),
        ("k,a,b,c,d\n0,1,2,3,4\n", {}, "line 1 of .* `a`, which is no number; `header=yes` if"),
        ("0,1,2,3,4\n1,1,2,,4\n", {}, "line 2 of .* has ``, which is no number$"),
        ("0,1,2,3,4\n1,1,2,3\n", {}, "line 2 of .* has 4 columns; the target and 1x4 would be 5"),
        ("0,1,2,3,nan\n1,1,2,3,4\n", {}, "line 1 of .* has `nan`, which is no finite number"),
        ("0,1,2,3,4\n", {"target": 5}, "has 5 columns; none is number 5"),
        ("0,1,2,3,4\n", {"target": "k"}, "is a name, which columns have with `header=yes`"),
        (
            "a,b,c,d,e\n0,1,2,3,4\n",
            {"target": "k", "header": True},
            "no column `k`; its columns: a, b",
        ),
        ("0,1,2,3,4\nx,1,2,3,4\n", {"targets": "numbers"}, "the target `x`, which is no number"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path: Path, text: str, given, message: str) -> None:
    with pytest.raises(BadData, match=message):
        table(tmp_path, text, **given)
