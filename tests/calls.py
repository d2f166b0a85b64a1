"""How does a test call the command line? In this process, and rarely as a user does."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from cnnspec.cli import status_of

DECIDE = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "CNNSPEC_TRACEBACK")
"""Variables that change what is shown: unset, unless a test sets them."""


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


class Stream(io.TextIOWrapper):
    """Stdout or stderr: a pipe, or a terminal."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="\n")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def value(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("utf-8")


def by_hash_seed(*args: str) -> set[bytes]:
    """What Python says to these arguments, in processes that hash texts in different ways."""
    return {
        subprocess.run(
            [sys.executable, *args],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }


def cnnspec(
    *args: str,
    stdin: str | bytes = "",
    env: Mapping[str, str] | None = None,
    is_terminal: bool = False,
) -> Result:
    """Call a command in this process."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    environment = {k: v for k, v in os.environ.items() if k not in DECIDE} | dict(env or {})
    out, err = Stream(is_terminal), Stream(is_terminal)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(data))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        status = status_of(list(args))
    return Result(status, out.value(), err.value())


def process(*args: str, **options: object) -> "subprocess.Popen[str]":
    """Start a command in a process of its own, with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cnnspec", *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # pyright: ignore[reportCallIssue, reportArgumentType]
    )
