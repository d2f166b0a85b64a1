"""How are the raw outputs of a network kept?"""

import os
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from cnnspec.run.wanted import Array, show_size

NAMES = "names"
"""The array with the names of the inputs."""


def need_free(path: str, *, force: bool) -> None:
    """Can a file be written there? Known before the work, not after it; raises `OSError`."""
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{path}: there is no folder {folder}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(f"{path}: it is no regular file")
    if os.path.lexists(path) and not force:
        raise FileExistsError(f"{path}: it exists; --force replaces it")


def save(path: str, names: Sequence[str], raw: Mapping[str, Sequence[Array]]) -> None:
    """An npz file with one array for each output and `names`; whole or not at all."""
    arrays = {NAMES: np.array(names), **{name: _stacked(name, ys) for name, ys in raw.items()}}
    target = os.path.realpath(path)
    folder, base = os.path.split(target)
    draft = os.path.join(folder, f".{base}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(draft, "x") as archive:
            for name, x in arrays.items():
                # Not `savez`, which takes names as arguments, and so not every name.
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, x, allow_pickle=False)
        os.replace(draft, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(draft)


def _stacked(name: str, ys: Sequence[Array]) -> Array:
    if name == NAMES:
        raise ValueError(f"an output is called `{NAMES}`, as the list of inputs is in the file")
    shapes = sorted({y.shape for y in ys})
    if len(shapes) > 1:
        one, other = (show_size(s) for s in shapes[:2])
        raise ValueError(f"`{name}` is {one} for one input and {other} for another: no one array")
    return np.stack(ys)
