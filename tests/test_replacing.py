"""What does a user read where a file cannot be written?"""

import errno
from pathlib import Path

import pytest

from cnnspec.writing import replacing


def test_a_folder_that_is_read_only_is_told_by_the_name_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux refuses to remove anything from a file system that is read-only, whether it is there
    or not."""

    def refused(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    path = tmp_path / "metrics.jsonl"
    with pytest.raises(OSError, match="Read-only") as found, replacing(path):
        raise AssertionError("there is no file to write to")
    assert found.value.filename == str(path)
