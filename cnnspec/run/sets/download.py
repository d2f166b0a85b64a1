"""How does a file come from the network, whole or not at all?"""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from cnnspec.run.sets.part import BadData
from cnnspec.text.record import record
from cnnspec.vocab.value import listing

Progress = Callable[[str, int, int], None]
"""Told the file's name, the bytes that are there, and how many there will be, 0 if not known."""

BASES = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion_mnist": (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
    ),
    "cifar10": "https://www.cs.toronto.edu/~kriz/",
    "cifar100": "https://www.cs.toronto.edu/~kriz/",
}

TRIES = 4
"""How often a transfer is begun or continued."""

PATIENCE = 30.0
"""Seconds without a byte."""

CHUNK = 1 << 16

BROKEN = (OSError, http.client.HTTPException)
"""What an interrupted transfer raises; an error of HTTP is an `OSError` too."""


@record
class Remote:
    """A file, and what its authors say its MD5 is: a check against accidents, not attackers."""

    name: str
    md5: str


def cache() -> Path:
    """Where the files of data sets are kept for a user."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "cnnspec"


def fetch(
    kind: str,
    remote: Remote,
    folder: Path,
    progress: Progress | None = None,
    files: Sequence[Remote] = (),
) -> Path:
    """The file in that folder, fetched there if it is not. What was fetched of it before counts.

    Raises `BadData`, which says in a line what to put where: all of `files` that are not there.
    """
    path = folder / remote.name
    if path.exists():
        return path
    url = BASES[kind] + remote.name
    part = folder / f"{remote.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _whole(url, part, remote, progress)
        os.replace(part, path)
    except BROKEN as fault:
        others = [f.name for f in files if f != remote and not (folder / f.name).exists()]
        what = f"it, and {listing(others, 'and')} from there," if others else "the file"
        raise BadData(
            f"{url} cannot be fetched ({_reason(fault)}); put {what} into {folder}"
        ) from None
    return path


def _whole(url: str, part: Path, remote: Remote, progress: Progress | None) -> None:
    for attempt in range(TRIES):
        try:
            done = _continue(url, part, remote.name, progress)
        except urllib.error.HTTPError:
            raise
        except BROKEN:
            if attempt == TRIES - 1:
                raise
            continue
        if not done:
            continue
        found = _md5(part)
        if found == remote.md5:
            return
        # What was left of an older file does not go together with this one: once again in full.
        part.unlink()
        if attempt == TRIES - 1 or done == "whole":
            raise BadData(f"{url} has the MD5 {found}, its authors say {remote.md5}")
    raise OSError("it ends before its end")


def _continue(url: str, part: Path, name: str, progress: Progress | None) -> str | None:
    """Fetch what is missing: `whole` or `continued`, or none where it broke off."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "cnnspec"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as fault:
        if fault.code != 416 or not have:
            raise
        # There is nothing after what is there: it is all of it, or more.
        return "continued"
    with answer:
        continues = answer.status == 206
        have = have if continues else 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else 0
        with open(part, "ab" if continues else "wb") as file:
            while data := answer.read(CHUNK):
                file.write(data)
                have += len(data)
                if progress is not None:
                    progress(name, have, total)
    if have < total:
        return None
    return "continued" if continues else "whole"


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _reason(fault: BaseException) -> str:
    if isinstance(fault, urllib.error.HTTPError):
        return f"HTTP {fault.code}"
    inner = fault.reason if isinstance(fault, urllib.error.URLError) else fault
    said = (inner.strerror if isinstance(inner, OSError) else None) or str(inner)
    return said.strip().rstrip(".").lower() or type(fault).__name__
