"""What does a command load, and how does it end, whatever happens?"""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest

from calls import Result, cnnspec, process
from cnnspec import cli, zoo
from cnnspec.cli import COMMANDS, commands
from cnnspec.version import VERSION

SPY = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(list(sys.modules)), file=sys.stderr))
from cnnspec.cli import main
main()
"""


def loaded_by(*args: str) -> set[str]:
    """The modules that a call loads in a fresh process."""
    found = subprocess.run(
        [sys.executable, "-c", SPY, *args], capture_output=True, text=True, check=True
    )
    return set(json.loads(found.stderr.splitlines()[-1]))


HEAVY = {
    *("lark", "numpy", "onnx", "onnxruntime", "pydantic", "rich", "jinja2", "markupsafe"),
    "importlib.metadata",
}


@pytest.mark.parametrize("args", [("--help",), ("--version",)])
def test_help_loads_nothing_but_click(args: tuple[str, ...]) -> None:
    loaded = loaded_by(*args)
    assert "click" in loaded
    assert not loaded & HEAVY
    ours = {name for name in loaded if name.startswith("cnnspec")}
    assert ours == {"cnnspec", "cnnspec.cli", "cnnspec.version"}


def test_check_loads_no_numbers_and_no_validation() -> None:
    loaded = loaded_by("check", "resnet152")
    assert "cnnspec.model.check" in loaded
    assert not loaded & (HEAVY - {"lark"})
    # Nor what only a mistake would need.
    assert not loaded & {"cnnspec.text.render", "cnnspec.text.formats", "cnnspec.text.excerpt"}


def test_python_m() -> None:
    with process("--version") as found:
        assert found.communicate() == (f"cnnspec, version {VERSION}\n", "")
    assert found.returncode == 0


# ── help ───────────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_commands_says_what_each_says_of_itself() -> None:
    context = click.Context(commands)
    for name, (module, text) in COMMANDS.items():
        command = commands.get_command(context, name)
        assert command is not None
        assert command.callback is not None
        assert command.callback.__module__ == module
        assert command.get_short_help_str(limit=200) == text


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_with_an_example_that_works(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lenet5.cnn").write_text(zoo.read(zoo.resolve("lenet5")).text, encoding="utf-8")
    np.save(tmp_path / "digits.npy", np.zeros((2, 1, 28, 28), np.float32))
    for run in ("LeNet5-1", "LeNet5-2"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "metrics.jsonl").write_text('{"epoch": 1, "train": {}}\n')
    monkeypatch.chdir(tmp_path)
    help_text = cnnspec(*([name] if name else []), "--help").out
    example = help_text.split("Example:\n")[1].split("\n\n")[0]
    calls = [line.split()[1:] for line in example.splitlines()]
    assert calls
    for call in calls:
        assert cnnspec(*call).status == 0


def test_no_command_shows_the_help() -> None:
    found = cnnspec()
    assert found.status == 2
    assert "Commands:" in found.err


# ── wrong calls ────────────────────────────────────────────────────────────────────────────────


def last_line(result: Result) -> str:
    assert result.status == 2
    assert result.out == ""
    assert "Traceback" not in result.err
    return result.err.splitlines()[-1]


def test_a_misspelt_command() -> None:
    assert last_line(cnnspec("chek")) == "error: There is no command `chek`. Did you mean `check`?"
    assert last_line(cnnspec("frobnicate")) == "error: There is no command `frobnicate`."


@pytest.mark.parametrize(
    "args",
    [
        ("check",),
        ("check", "lenet5", "--formt", "json"),
        ("check", "lenet5", "--format", "xml"),
        ("check", ""),
        ("report", "lenet5", "--batch", "0"),
        ("report", "lenet5", "--depth", "-1"),
        ("report", "lenet5", "lenet5"),
        ("--nonsense",),
    ],
)
def test_a_wrong_call_ends_with_2(args: tuple[str, ...]) -> None:
    assert last_line(cnnspec(*args)).startswith("error: ")


REFUSED: dict[str, list[tuple[str, ...]]] = {
    "check": [("nowhere.cnn",), ("binary",)],
    "report": [("nowhere.cnn",), ("binary",)],
    "draw": [("binary",), ("wide.cnn", "-o", "a.tiff")],
    "compile": [("wide.cnn", "--until", "nothing"), ("wide.cnn", "--weights", "binary")],
    "train": [("wide.cnn",), ("wide.cnn", "--data", "digits"), ("--resume", "nowhere")],
    "run": [("nowhere.onnx",), ("wide.cnn", "--weights", "binary")],
    "look": [("nowhere.onnx",), ("binary",)],
    "eval": [("nowhere.onnx",), ("wide.cnn", "--data", "digits")],
    "time": [("wide.cnn", "--weights", "binary"), ("binary",)],
    "compare": [("nowhere",), ("binary",)],
    "diff": [("wide.cnn", "nowhere.onnx"), ("binary", "binary")],
    "convolve": [("nowhere.png",), ("1 2; 3",)],
    "fmt": [("nowhere.cnn",), ("binary",)],
    "expand": [("nowhere.cnn",), ("binary",)],
    "explain": [("nothing-like-it",)],
    "specs": [("too much",)],
    "new": [("wide",), ("a/b/c",)],
}
"""Of each command some calls that it refuses, in a folder with a spec and a file of nothing."""


@pytest.mark.parametrize("name", COMMANDS)
def test_all_commands_refuse_alike(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wide.cnn").write_text("network N { input 1x8x8 -> conv 3001 3x3 -> flatten -> fc 2 }\n")
    Path("binary").write_bytes(b"\x00\xff" * 50)
    for args in [("--nonsense",), ("\x1b[31m", "too", "much"), *REFUSED[name]]:
        found = cnnspec(name, *args)
        assert found.status in (1, 2), args
        # An excerpt may follow it, and before it the usage; `check` finds, which is its answer.
        lines = (found.err or found.out).splitlines()
        said = [line for line in lines if re.match("error", line, re.IGNORECASE)]
        assert said, (args, found)
        assert all(re.match(r"error(\[[a-z-]+\])?: \S", line) for line in said), (args, found)
        assert "\x1b" not in found.out + found.err


def test_no_command_speaks_in_click_s_own_way() -> None:
    """Only what says `error:` by itself, or a wrong call, may stop a command."""
    raising = re.compile(r"raise click\.(?!UsageError\b|BadParameter\b|exceptions\.Exit\b)\w+")
    folder = Path(cli.__file__).parent
    sources = {p.name: p.read_text(encoding="utf-8") for p in folder.glob("*.py")}
    assert {name: found for name, text in sources.items() if (found := raising.findall(text))} == {}


# ── how it ends ────────────────────────────────────────────────────────────────────────────────


def test_a_reader_that_goes_away_is_no_error() -> None:
    with process("explain") as found:
        assert found.stdout is not None
        # Before the process has begun to write.
        found.stdout.close()
        assert found.stderr is not None
        assert found.stderr.read() == ""
    assert found.returncode == 141


def open_when_read(fifo: Path, reader: "subprocess.Popen[str]") -> int:
    """Open a named pipe as soon as a process waits for what comes out of it."""
    while True:
        assert reader.poll() is None, "it ended without reading"
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as fault:
            if fault.errno != errno.ENXIO:
                raise
            time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_ctrl_c_says_one_line(tmp_path: Path) -> None:
    fifo = tmp_path / "slow.cnn"
    os.mkfifo(fifo)
    # Python takes Ctrl-C only if whoever started it does: a runner in the background may not.
    with process(
        "check",
        str(fifo),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as found:
        writer = open_when_read(fifo, found)
        found.send_signal(signal.SIGINT)
        # A signal that came a moment before the read would otherwise wait for its end.
        os.close(writer)
        out, err = found.communicate()
    assert (found.returncode, out, err) == (130, "", "interrupted\n")


def test_ctrl_c_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zoo, "read", interrupted)
    assert cnnspec("check", "lenet5") == Result(130, "", "interrupted\n")


def test_our_own_fault_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> None:
        raise RecursionError("too\ndeep")

    monkeypatch.setattr(zoo, "read", broken)
    found = cnnspec("check", "lenet5")
    assert found == Result(
        70,
        "",
        "error: cnnspec itself failed (RecursionError: too deep); please report it, with what "
        "CNNSPEC_TRACEBACK=1 shows\n",
    )
    with pytest.raises(RecursionError):
        cnnspec("check", "lenet5", env={"CNNSPEC_TRACEBACK": "1"})


def test_a_full_disk_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        found = subprocess.run(
            [sys.executable, "-m", "cnnspec", "report", "lenet5"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (found.returncode, found.stderr) == (1, "error: no space left on device\n")


def test_letters_that_the_terminal_lacks_do_no_harm() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    with process("explain", "conv", env=environment, encoding="latin-1") as found:
        out, err = found.communicate()
    assert (found.returncode, err) == (0, "")
    assert r"\u230a(n - kernel" in out


# ── completion ─────────────────────────────────────────────────────────────────────────────────


def completed(words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What bash is offered, as `type,value`."""
    from click.shell_completion import BashComplete

    parts = words.split(" ")
    complete = BashComplete(commands, {}, "cnnspec", "_CNNSPEC_COMPLETE")
    monkeypatch.setattr(complete, "get_completion_args", lambda: (parts[:-1], parts[-1]))
    return complete.complete().splitlines()


def test_commands_and_options_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("ex", monkeypatch) == ["plain,expand", "plain,explain"]
    assert completed("report --de", monkeypatch) == ["plain,--depth"]
    assert completed("explain kernel", monkeypatch) == ["plain,kernel-too-large"]


def test_files_and_specs_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lens.cnn", "lenses.txt", ".lent.cnn"):
        (tmp_path / name).touch()
    (tmp_path / "lent").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completed("check len", monkeypatch) == [
        "plain,lens.cnn",
        "plain,lent/",
        "plain,lenet5",
        "plain,lenet5_1998",
    ]
    # What no spec of the zoo is called after is left to the shell.
    assert completed("fmt lent/a", monkeypatch) == ["file,lent/a"]
