"""How are MNIST and Fashion-MNIST read from their idx files?"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from cnnspec.run.sets.download import Remote
from cnnspec.run.sets.fitting import held
from cnnspec.run.sets.originals import Search, fetched, locate
from cnnspec.run.sets.part import BadData, Found, Source, digest_of
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.sets import FashionMnist, Mnist

STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")

MD5 = {
    "mnist": (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    "fashion_mnist": (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
}

BYTE = 8
"""How the format calls numbers of eight bits without a sign."""


def read_idx(data: Mnist | FashionMnist, search: Search, wanted: Wanted) -> Found:
    """60,000 pictures for training and 10,000 for test."""
    paths = locate(data, search, [_names(stem) for stem in STEMS])
    if paths is None:
        files = [
            Remote(f"{_full(s)}.gz", md5) for s, md5 in zip(STEMS, MD5[data.kind], strict=True)
        ]
        paths = fetched(data, search, files)
    x, y, x_test, y_test = (read(path) for path in paths)
    digest = digest_of(x, y, x_test, y_test)

    def source(x: Array, y: Array, path: Path) -> Source:
        if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
            raise BadData(f"{path} has {len(x):,} examples for {len(y):,} labels")
        top = int(y.max(initial=0))
        if top >= len(data.all_names):
            raise BadData(f"{path} has a label {top}; there are {len(data.all_names)} classes")
        return held(wanted.name, x[:, None], y, data, wanted)

    test = source(x_test, y_test, paths[3])
    return Found(source(x, y, paths[1]), "classes", digest, data.all_names, test=test)


def _full(stem: str) -> str:
    return f"{stem}-idx{3 if stem.endswith('images') else 1}-ubyte"


def _names(stem: str) -> list[str]:
    full = _full(stem)
    bare = [full, full.replace("-idx", ".idx")]
    return [*bare, *(f"{name}.gz" for name in bare)]


def read(path: Path) -> Array:
    """The bytes of an idx file: mapped from the disk, or unpacked into memory."""
    raw: Array
    if path.suffix == ".gz":
        try:
            with gzip.open(path, "rb") as file:
                raw = np.frombuffer(file.read(), np.uint8)
        except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
            raise BadData(f"{path} cannot be unpacked: {str(fault).lower()}") from None
    else:
        raw = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
    head = raw[:4].tolist()
    if len(head) < 4 or head[:3] != [0, 0, BYTE] or not 1 <= head[3] <= 4:
        raise BadData(f"{path} is no idx file of bytes: it begins with {bytes(head).hex(' ')}")
    start = 4 + 4 * head[3]
    shape = [int.from_bytes(bytes(raw[i : i + 4].tolist()), "big") for i in range(4, start, 4)]
    if len(raw) - start != math.prod(shape):
        there = max(len(raw) - start, 0)
        raise BadData(f"{path} says it has {math.prod(shape):,} numbers; {there:,} are there")
    return raw[start:].reshape(shape)
