"""How is a file written whole or not at all?"""

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

PathLike = str | os.PathLike[str]


@contextmanager
def replacing(path: PathLike) -> Generator[IO[bytes]]:
    """A file to write to, which takes the place of what is there when all went well."""
    with replacing_all([path]) as (file,):
        yield file


@contextmanager
def replacing_all(paths: Sequence[PathLike]) -> Generator[list[IO[bytes]]]:
    """Several files, which appear only when all are written: the last first.

    They are written beside their places under other names, brought to the disk, then renamed; what
    a failure leaves is what was there before. Links are followed; devices and pipes are written to.
    """
    drafts = [_Draft(Path(os.path.realpath(path)), path) for path in paths]
    try:
        with ExitStack() as stack:
            files: list[IO[bytes]] = []
            for draft in drafts:
                stack.enter_context(draft.named())
                files.append(stack.enter_context(draft.path.open("wb")))
            yield files
            for file, draft in zip(files, drafts, strict=True):
                file.flush()
                if draft.is_beside:
                    os.fsync(file.fileno())
        for draft in reversed(drafts):
            with draft.named():
                draft.settle()
    finally:
        for draft in drafts:
            # What may not be written may not be removed either, even where it is not there.
            with draft.named():
                draft.remove()


class _Draft:
    """What is written in place of a file until it is whole."""

    def __init__(self, target: Path, said: PathLike) -> None:
        self._target = target
        self._said = os.fspath(said)
        self.is_beside = not target.exists() or stat.S_ISREG(target.stat().st_mode)
        name = f".{target.name[:200]}.{os.getpid()}.part"
        self.path = target.with_name(name) if self.is_beside else target

    @contextmanager
    def named(self) -> Generator[None]:
        """A fault of the draft is told as one of the file that the user named."""
        try:
            yield
        except OSError as fault:
            if fault.filename in (os.fspath(self.path), None):
                fault.filename = self._said
            raise

    def settle(self) -> None:
        if not self.is_beside:
            return
        if self._target.exists():
            os.chmod(self.path, stat.S_IMODE(self._target.stat().st_mode))
        self.path.replace(self._target)

    def remove(self) -> None:
        if self.is_beside:
            self.path.unlink(missing_ok=True)
