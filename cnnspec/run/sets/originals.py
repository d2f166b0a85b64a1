"""Where do the original files of a known set lie?"""

from collections.abc import Sequence
from pathlib import Path

from cnnspec.run.sets.download import BASES, Progress, Remote, cache, fetch
from cnnspec.run.sets.part import BadData
from cnnspec.settings.sets import Original
from cnnspec.text.record import record

SHARED = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))
"""Where packages of distributions put data sets: Debian's is `fashion-mnist`."""

FOLDERS = {
    "mnist": ("mnist", "MNIST", "MNIST/raw", "raw"),
    "fashion_mnist": ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "raw"),
    "cifar10": ("cifar-10-batches-bin", "cifar10", "cifar10/cifar-10-batches-bin"),
    "cifar100": ("cifar-100-binary", "cifar100", "cifar100/cifar-100-binary"),
}
"""What folders with their files are usually called."""


@record
class Search:
    """Where a user lets files be looked for, and whether they may be fetched."""

    data_dir: Path | None
    folder: Path
    """Where relative paths in the spec begin."""
    may_fetch: bool = True
    progress: Progress | None = None


def places(data: Original, search: Search) -> list[Path]:
    """The folders that may have the files, in the order in which they are looked into."""
    if data.path is not None:
        given = search.folder / Path(data.path).expanduser()
        return [given, *(given / name for name in FOLDERS[data.kind])]
    roots = [search.data_dir] if search.data_dir is not None else []
    found = [*roots]
    for root in (*roots, *SHARED):
        found += [root / name for name in FOLDERS[data.kind]]
    return [*found, cache() / data.kind]


def locate(data: Original, search: Search, names: Sequence[Sequence[str]]) -> list[Path] | None:
    """A path for each file, all in one folder; each file has one or several names."""
    for place in places(data, search):
        found = [next((place / n for n in ns if (place / n).is_file()), None) for ns in names]
        paths = [p for p in found if p is not None]
        if len(paths) == len(names):
            return paths
    return None


def fetched(data: Original, search: Search, files: Sequence[Remote]) -> list[Path]:
    """The files from the network, kept for the user from now on."""
    folder = cache() / data.kind
    if data.path is not None or not search.may_fetch:
        where = folder if data.path is None else search.folder / Path(data.path).expanduser()
        names = ", ".join(file.name for file in files)
        raise BadData(
            f"the files of `{data.kind}` are not in {where}: {names} from {BASES[data.kind]} "
            "belong there"
        )
    return [fetch(data.kind, file, folder, search.progress, files) for file in files]
