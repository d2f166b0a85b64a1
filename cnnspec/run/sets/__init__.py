"""Where does a data set lie, and what is in it?"""

from collections.abc import Sequence
from pathlib import Path

from cnnspec.run.sets.checking import check, told
from cnnspec.run.sets.cifar import read_cifar
from cnnspec.run.sets.dividing import divide
from cnnspec.run.sets.download import Progress
from cnnspec.run.sets.embedded import read_digits, read_italy
from cnnspec.run.sets.folder import read_folder
from cnnspec.run.sets.idx import read_idx
from cnnspec.run.sets.npz import read_npz
from cnnspec.run.sets.originals import Search
from cnnspec.run.sets.pairs import read_masks, read_pairs
from cnnspec.run.sets.part import BadData, Found, Part, Splits
from cnnspec.run.sets.table import read_table
from cnnspec.run.wanted import Wanted
from cnnspec.settings.data import Data
from cnnspec.settings.sets import (
    Arrays,
    Cifar10,
    Cifar100,
    FashionMnist,
    Folder,
    ItalyPowerDemand,
    Masks,
    Mnist,
    Mnist10k,
    Pairs,
    Table,
)
from cnnspec.vocab.value import Shape

__all__ = ["BadData", "Part", "Splits", "open_set"]


def open_set(
    data: Data,
    wants: Sequence[Wanted],
    *,
    outputs: Sequence[Shape] = (),
    batch: int = 1,
    data_dir: Path | None = None,
    folder: Path = Path(),
    seed: int = 0,
    skip_bad: bool = False,
    may_fetch: bool = True,
    progress: Progress | None = None,
) -> Splits:
    """The parts of a data set for a network with these inputs.

    `outputs` are the shapes of what targets are compared with, by which they are checked. Paths in
    the spec begin at `folder`; sets with a name are looked for in `data_dir` first, and fetched at
    last if they may be. `skip_bad` leaves out pictures that cannot be read. Raises `BadData`, and
    `OSError` for files that cannot be read.
    """
    search = Search(data_dir, folder, may_fetch, progress)
    output = next(iter(outputs), None)
    found = _found(data, wants, output, search, skip_bad)
    splits = divide(found, data, wants, seed)
    check(splits, data, outputs)
    return told(splits, data, batch)


def _found(
    data: Data, wants: Sequence[Wanted], output: Shape | None, search: Search, skip_bad: bool
) -> Found:
    wanted = wants[0]
    if len(wants) > 1 and not isinstance(data, Arrays):
        names = ", ".join(f"`{w.name}`" for w in wants)
        raise BadData(f"the network takes {names}, for which only `data npz` has examples")
    match data:
        case Mnist10k():
            return read_digits(data, wanted)
        case ItalyPowerDemand():
            return read_italy(data, wanted)
        case Mnist() | FashionMnist():
            return read_idx(data, search, wanted)
        case Cifar10() | Cifar100():
            return read_cifar(data, search, wanted)
        case Folder():
            return read_folder(data, search.folder, wanted, skip_bad=skip_bad)
        case Masks():
            return read_masks(data, search.folder, wanted, output, skip_bad=skip_bad)
        case Pairs():
            return read_pairs(data, search.folder, wanted, output, skip_bad=skip_bad)
        case Arrays():
            return read_npz(data, search.folder, wants)
        case Table():
            return read_table(data, search.folder, wanted)
        case _:
            raise AssertionError(f"nothing reads `{data.kind}`")
