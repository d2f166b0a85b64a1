"""Which specs come with cnnspec, and which file does a name on the command line mean?"""

import os
from typing import BinaryIO

from cnnspec.resources import folder
from cnnspec.syntax.bounds import LARGEST_FILE
from cnnspec.text.source import Source
from cnnspec.text.suggest import nearest

LARGEST = 4 * LARGEST_FILE
"""Bytes: a letter takes at most four, so beyond this the parser would refuse whatever it says."""


class NotFound(FileNotFoundError):
    """A name that is neither a file's nor the zoo's; says so in a sentence."""


def names() -> list[str]:
    """Every spec of the zoo, sorted."""
    return sorted(f.removesuffix(".cnn") for f in os.listdir(folder("specs")) if f.endswith(".cnn"))


def resolve(name: str) -> str:
    """The path that a name means: an existing file, or else a spec of the zoo.

    A folder does not hide a spec of its name. Raises `NotFound`.
    """
    if os.path.exists(name) and not os.path.isdir(name):
        return name
    stem = name.removesuffix(".cnn")
    if os.path.basename(stem) == stem and stem in names():
        return _short(os.path.join(folder("specs"), f"{stem}.cnn"))
    if os.path.isdir(name):
        return name
    meant = nearest(os.path.basename(stem), names())
    hint = f"; did you mean `{meant}`?" if meant else ""
    raise NotFound(f"{name}: there is no such file, nor such a spec in the zoo{hint}")


def _short(path: str) -> str:
    """A path as a user of this folder would write it."""
    return path.removeprefix(os.path.join(os.getcwd(), ""))


def read(path: str) -> Source:
    """The source in a file. Raises `OSError`, `UnicodeDecodeError` where it is not UTF-8, and
    `ValueError` where it is larger than any spec."""
    with open(path, "rb") as file:
        return decode(path, file)


def decode(name: str, file: BinaryIO) -> Source:
    """The source in an open file, under a name; fails as `read` does."""
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes, which no spec needs")
    # A byte order mark is no part of the text; editors do not count it as a column either.
    return Source(name, data.decode("utf-8-sig"))
