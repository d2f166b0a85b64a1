"""Which specs come with cnnspec, and which file does a name on the command line mean?"""

import os

from cnnspec.resources import folder
from cnnspec.syntax.parse import LARGEST_FILE
from cnnspec.text.source import Source
from cnnspec.text.suggest import nearest


def names() -> list[str]:
    """Every spec of the zoo, sorted."""
    return sorted(f.removesuffix(".cnn") for f in os.listdir(folder("specs")) if f.endswith(".cnn"))


def resolve(name: str) -> str:
    """The file that a name means: an existing path, or else a spec of the zoo.

    Raises `FileNotFoundError` with a sentence that says what was looked for.
    """
    if os.path.exists(name):
        return name
    stem = name.removesuffix(".cnn")
    if "/" not in stem and stem in names():
        return os.path.join(folder("specs"), f"{stem}.cnn")
    meant = nearest(os.path.basename(stem), names())
    hint = f"; did you mean `{meant}`?" if meant else ""
    raise FileNotFoundError(f"{name}: there is no such file, nor such a spec in the zoo{hint}")


def read(path: str) -> Source:
    """The source in a file. Raises `OSError`, or `UnicodeDecodeError` where it is not UTF-8."""
    with open(path, "rb") as file:
        # Beyond the parser's limit it would be refused whatever it says.
        data = file.read(4 * LARGEST_FILE + 1)
    return Source(path, data.decode("utf-8"))
