"""How are CIFAR-10 and CIFAR-100 read from their binary files?"""

import os
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnnspec.run.sets.download import Remote, cache
from cnnspec.run.sets.fitting import fitted
from cnnspec.run.sets.originals import Search, fetched, locate, places
from cnnspec.run.sets.part import Arrays, BadData, Found, Indices, digest_of
from cnnspec.run.wanted import Array, Wanted
from cnnspec.settings.sets import Cifar10, Cifar100

TEN = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
HUNDRED = ("train.bin", "test.bin")
NAMES = {"fine": "fine_label_names.txt", "coarse": "coarse_label_names.txt"}

ARCHIVES = {
    "cifar10": Remote("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar100": Remote("cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
}

PICKLES = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}

PIXELS = 3 * 32 * 32


def read_cifar(data: Cifar10 | Cifar100, search: Search, wanted: Wanted) -> Found:
    """50,000 pictures for training and 10,000 for test."""
    names = TEN if isinstance(data, Cifar10) else HUNDRED
    paths = locate(data, search, [(n,) for n in names]) or _unpacked(data, search, names)
    column = 1 if isinstance(data, Cifar100) and data.labels == "fine" else 0
    width = PIXELS + (1 if isinstance(data, Cifar10) else 2)
    records = [_records(path, width) for path in paths]
    count = 20 if isinstance(data, Cifar100) and column == 0 else data.all_classes or 0
    for path, held in zip(paths, records, strict=True):
        top = int(held[:, column].max())
        if top >= count:
            raise BadData(f"{path} has a label {top}; there are {count} classes")
    shape = (3, 32, 32)
    train = fitted(Records(wanted.name, records[:-1], column), shape, data, wanted)
    test = fitted(Records(wanted.name, records[-1:], column), shape, data, wanted)
    classes = data.all_names or _class_names(paths[0].parent / NAMES[str(data.value("labels"))])
    return Found(train, "classes", digest_of(*records), classes, test=test)


class Records:
    """Labels and pixels of each example one after the other, in files that follow each other."""

    def __init__(self, name: str, files: Sequence[Array], column: int) -> None:
        self._name, self._files = name, files
        self._ends = np.cumsum([len(f) for f in files])
        self._labels = np.concatenate([np.asarray(f[:, column]) for f in files]).astype(np.int64)

    @property
    def names(self) -> Sequence[str]:
        return (self._name,)

    @property
    def labels(self) -> Indices | None:
        return self._labels

    def __len__(self) -> int:
        return len(self._labels)

    def inputs(self, indices: Indices) -> Arrays:
        x = np.empty((len(indices), PIXELS), np.uint8)
        which = np.searchsorted(self._ends, indices, "right")
        for k, file in enumerate(self._files):
            here = which == k
            x[here] = file[indices[here] - (self._ends[k] - len(file)), -PIXELS:]
        return {self._name: x.reshape(-1, 3, 32, 32)}

    def targets(self, indices: Indices) -> Array:
        return self._labels[indices]


def _records(path: Path, width: int) -> Array:
    size = path.stat().st_size
    if not size or size % width:
        raise BadData(f"{path} has {size:,} bytes, which are no records of {width:,}")
    return np.memmap(path, np.uint8, "r").reshape(-1, width)


def _class_names(path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    return tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())


def _unpacked(data: Cifar10 | Cifar100, search: Search, names: Sequence[str]) -> list[Path]:
    """The files out of their archive, which is found or fetched."""
    remote = ARCHIVES[data.kind]
    found = locate(data, search, [(remote.name,)])
    if found is None:
        _refuse_pickles(data, search)
    (archive,) = found or fetched(data, search, [remote])
    folder = cache() / data.kind
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = os.path.basename(member.name)
                if member.isfile() and name in (*names, *NAMES.values()):
                    _extract(tar, member, folder / name)
    except (tarfile.TarError, EOFError, zlib.error) as fault:
        raise BadData(f"{archive} cannot be unpacked: {str(fault).lower()}") from None
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadData(f"{archive} has no file {missing[0]}")
    return [folder / name for name in names]


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None, "it is a file"
    part = path.with_name(f"{path.name}.part")
    with source, open(part, "wb") as file:
        shutil.copyfileobj(source, file)
    os.replace(part, path)


def _refuse_pickles(data: Cifar10 | Cifar100, search: Search) -> None:
    name = PICKLES[data.kind]
    for place in places(data, search):
        for folder in (place, place / name, place.parent / name):
            if folder.name == name and folder.is_dir():
                raise BadData(
                    f"{folder} is the Python version of `{data.kind}`, which is not read: pickles "
                    f"can run programs; {ARCHIVES[data.kind].name} is the binary version"
                )
