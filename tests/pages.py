"""Which examples does a page hold, and do they do what it says?

A page is Markdown with fenced blocks. A `cnn` block holds a spec, under the name behind that word
or else `example.cnn`; a `text` block after it what `cnnspec check` says of it (`ok` for silence). A
`console` block holds commands behind `$ ` and their output, a `python` block a doctest. Other
blocks are not run.
"""

import doctest
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from cnnspec import zoo
from cnnspec.cli import commands
from cnnspec.model.check import check
from cnnspec.text.diagnostic import Sink
from cnnspec.text.render import render_all

FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its kind, the name behind it, its text, and where that lies in the page."""

    kind: str
    name: str | None
    text: str
    start: int
    end: int


def fences(page: str) -> Iterator[Fence]:
    for m in FENCE.finditer(page):
        yield Fence(m[1], m[2], m[3], m.start(3), m.end(3))


def said_of(path: str) -> str:
    """What `check` says of a file, `ok` for nothing."""
    sink = Sink()
    check(zoo.read(path), {}, sink, zoo.read)
    return render_all(sink.ordered()) or "ok\n"


def run_console(text: str) -> str:
    """The commands of a console block with the output that they have now."""
    commands = [line for line in text.splitlines() if line.startswith("$ ")]
    return "".join(f"{line}\n{run_command(line[2:])}" for line in commands)


def run_command(line: str) -> str:
    words = shlex.split(line)
    assert words[0] == "cnnspec", f"`{line}` is no command of ours"
    result = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(commands, words[1:])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return "\n".join(part.rstrip() for part in result.output.split("\n"))


def run_page(page: str, folder: Path) -> str:
    """The page with every output as it is now; specs are written into the folder."""
    pieces: list[str] = []
    at = 0
    last: str | None = None
    here = os.getcwd()
    os.chdir(folder)
    try:
        for fence in fences(page):
            now = fence.text
            match fence.kind:
                case "cnn":
                    last = fence.name or "example.cnn"
                    Path(last).write_text(fence.text, encoding="utf-8")
                case "text" if last is not None:
                    now = said_of(last)
                case "console":
                    now = run_console(fence.text)
                case "python":
                    _run_doctest(fence.text)
                case _:
                    pass
            pieces += [page[at : fence.start], now]
            at = fence.end
    finally:
        os.chdir(here)
    return "".join([*pieces, page[at:]])


def _run_doctest(text: str) -> None:
    test = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
    assert results.failed == 0, f"{results.failed} examples of {results.attempted} failed"
    assert results.attempted, "a python block without an example"


def check_page(path: Path, folder: Path, *, bless: bool) -> str:
    """Run a page, compare, and return what it says now; `bless` writes that down."""
    page = path.read_text(encoding="utf-8")
    now = run_page(page, folder)
    if bless and now != page:
        path.write_text(now, encoding="utf-8")
    elif now != page:
        assert now == page
    return now
