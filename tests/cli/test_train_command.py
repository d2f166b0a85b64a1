"""What does `cnnspec train` show, leave, and say when something is wrong?"""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calls import Result, cnnspec
from cnnspec.cli.bar import line
from cnnspec.run.events import Stepped

SPEC = """\
param width = 4

network Tiny {
  input 1x8x8
  conv width 3x3 -> relu
  flatten -> fc 3
}
train {
  data npz "tiny.npz"
  batch 16
  epochs 2
}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.cnn").write_text(SPEC)
    draw = np.random.default_rng(0)
    y = draw.integers(0, 3, 200)
    np.savez("tiny.npz", x=draw.normal(size=(200, 1, 8, 8)).astype(np.float32), y=y)
    return tmp_path


def train(*args: str) -> Result:
    return cnnspec("train", *args, "--device", "cpu")


def test_a_line_for_each_epoch_and_one_for_the_end() -> None:
    done = train("net.cnn", "--out", "run")
    assert (done.status, done.err) == (0, "")
    first, second, last = done.out.splitlines()
    assert first.startswith("epoch 1/2 · loss ")
    assert " · accuracy " in first
    assert " · validation loss " in first
    assert first.endswith(" · best")
    assert second.startswith("epoch 2/2 · loss ")
    assert last.startswith("run: 2 epochs in ")
    assert " · test loss " in last


def test_the_spec_of_the_folder_stands_alone() -> None:
    Path("widths.cnn").write_text("let wide = 5\nblock B(n) { conv n 3x3 -> relu }\n")
    text = SPEC.replace("param", 'use "widths.cnn"\nparam').replace(
        "conv width 3x3 -> relu", "B width"
    )
    Path("net.cnn").write_text(text)
    train("net.cnn", "--set", "width=6", "--epochs", "1", "--seed", "3", "--out", "run")
    spec = Path("run/spec.cnn").read_text()
    assert "conv 6 3x3" in spec
    assert "epochs 1" in spec
    assert "seed 3" in spec
    assert "use" not in spec
    Path("net.cnn").unlink()
    Path("widths.cnn").unlink()
    more = train("--resume", "run", "--epochs", "2")
    assert (more.status, more.err) == (0, "")
    assert more.out.startswith("epoch 2/2 · ")
    assert json.loads(Path("run/run.json").read_text())["file"] == "net.cnn"


def test_a_run_without_a_folder_gets_one() -> None:
    for n in (1, 2):
        assert f"runs/Tiny-{n}: 2 epochs" in train("net.cnn").out


def test_other_data() -> None:
    os.rename("tiny.npz", "other.npz")
    done = train("net.cnn", "--data", 'npz "other.npz"', "--out", "run")
    assert done.status == 0
    assert 'data npz "other.npz"' in Path("run/spec.cnn").read_text()


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        ((), 2, "Missing argument 'FILE'."),
        (("net.cnn", "--resume", "run", "--out", "x"), 2, "--resume goes on in its folder"),
        (("--resume", "nothing"), 1, "nothing: there is no run to go on with: it has no spec.cnn"),
        (("net.cnn", "--out", "net.cnn"), 1, "net.cnn is a file; a run needs a folder"),
        (("net.cnn", "--data", "digots"), 1, "there is no data set `digots`"),
        (("net.cnn", "--data", "digits"), 1, "have 28x28 pixels, the input takes 8x8"),
        (("net.cnn", "--data", 'npz "no.npz"'), 1, "there is no file no.npz"),
        (("net.cnn", "--init", "no.npz"), 1, "no.npz: no such file or directory"),
        (("net.cnn", "--freeze", "*"), 1, "no weight is trained"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(args: tuple[str, ...], status: int, said: str) -> None:
    done = train(*args)
    assert done.status == status
    assert said in done.err
    assert "Traceback" not in done.err
    assert not Path("run").exists()


def test_it_says_what_auto_chose() -> None:
    done = cnnspec("train", "net.cnn", "--out", "run", "--device", "auto")
    chosen = json.loads(Path("run/run.json").read_text())["device"]
    assert done.err == f"computed on {'the CPU' if chosen == 'cpu' else 'the GPU, with CUDA'}\n"


def test_options_that_do_not_fit_are_diagnostics() -> None:
    done = train("net.cnn", "--out", "run", "--freeze", "cnv4_3x3")
    assert done.status == 1
    assert done.err == (
        "error[unfit-setting]: no layer is called `cnv4_3x3`: nothing is frozen by that\n"
        '  --> --freeze:1:1\n  |\n1 | freeze "cnv4_3x3"\n  | ^^^^^^^^^^^^^^^^^\n'
        "  = hint: did you mean `conv4_3x3`?\n\n1 error\n"
    )
    assert not Path("run").exists()
    assert train("net.cnn", "--data", "digits", "--out", "run").err.startswith(
        "error[unfit-setting]: the pictures of `digits` have 28x28 pixels, the input takes 8x8\n"
        "  --> --data:1:"
    )


def test_what_a_spec_is_not_trained_on_is_not_complained_of() -> None:
    Path("other.cnn").write_text(SPEC.replace('npz "tiny.npz"', "digits"))
    done = train("other.cnn", "--data", 'npz "tiny.npz"', "--out", "run", "--epochs", "1")
    assert (done.status, done.err) == (0, "")


def test_a_batch_that_is_never_full_is_told() -> None:
    Path("large.cnn").write_text(SPEC.replace("batch 16", "batch 500"))
    done = train("large.cnn", "--out", "run")
    said = "a batch of 500 is more than the 160 examples that `npz` trains on\n"
    assert (done.status, done.err) == (0, said)


def test_a_run_is_not_written_over() -> None:
    train("net.cnn", "--out", "run")
    done = train("net.cnn", "--out", "run")
    assert (done.status, done.out) == (1, "")
    assert done.err == "error: run: there is a run already; `--resume run` goes on with it\n"
    other = train("net.cnn", "--resume", "run", "--set", "width=5")
    assert other.status == 1
    assert "there it says `conv 4 3x3 as conv4_3x3`, here it says `conv 5 3x3" in other.err


# ── the bar ────────────────────────────────────────────────────────────────────────────────────

STEP = Stepped(1, 12, 50, 125, 1.61504, 0.4621, 1e-3, 12345.6, 75.2)


def test_the_bar_has_as_much_as_there_is_room_for() -> None:
    assert line(STEP, 120) == (
        "epoch 1/12 ━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌ · 50/125 · loss 1.6150 · 46.2% right · 12,346/s · "
        "1:15 left"
    )
    assert [line(STEP, n) for n in (40, 12, 1)] == [
        "epoch 1/12 · 50/125 · loss 1.6150 · 46.…",
        "epoch 1/12 …",
        "…",
    ]
    for width in range(1, 130):
        assert len(line(STEP, width)) <= width


def on_a_terminal(
    *args: str, columns: int = 60, act: Callable[["subprocess.Popen[bytes]", bytes], None]
) -> tuple[int, str]:
    """The exit status of a command and what its terminal saw."""
    import fcntl
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if k != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cnnspec", "train", *args, "--device", "cpu"],
        stdin=subprocess.DEVNULL,
        stdout=child,
        stderr=child,
        env=env,
        start_new_session=True,
    )
    os.close(child)
    seen = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        seen += part
        act(process, seen)
    os.close(parent)
    return process.wait(), seen.decode()


LONG = ("--data", 'npz "tiny.npz"', "--epochs", "100000", "--out", "run")


@pytest.mark.skipif(os.name == "nt", reason="it has no such terminals")
def test_on_a_terminal_a_bar_moves_and_ctrl_c_is_polite_once() -> None:
    sent: list[float] = []

    def interrupt(process: "subprocess.Popen[bytes]", seen: bytes) -> None:
        if not sent and b"left" in seen:
            sent.append(time.monotonic())
            process.send_signal(signal.SIGINT)

    status, seen = on_a_terminal("net.cnn", *LONG, columns=100, act=interrupt)
    assert status == 130
    assert "\r\x1b[2Kepoch " in seen
    assert "finishing the step; once more stops at once" in seen
    assert "`cnnspec train --resume run` goes on" in seen
    bars = [s for s in seen.split("\r\x1b[2K") if " left" in s]
    assert bars
    # The lines of finished epochs are as long as they are.
    assert max(len(bar.partition("\r\n")[0]) for bar in bars) <= 100
    before = Path("run/checkpoint.safetensors").read_bytes()
    assert before
    done = train("--resume", "run", "--epochs", "1")
    assert (done.status, done.err) == (0, "")


@pytest.mark.skipif(os.name == "nt", reason="it has no such terminals")
def test_ctrl_c_twice_stops_at_once() -> None:
    sent: list[float] = []

    def interrupt(process: "subprocess.Popen[bytes]", seen: bytes) -> None:
        if len(sent) < 2 and b"loss" in seen:
            sent.append(time.monotonic())
            process.send_signal(signal.SIGINT)

    status, seen = on_a_terminal("net.cnn", *LONG, columns=30, act=interrupt)
    assert status == 130
    assert "Traceback" not in seen


def test_colours_and_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    done = cnnspec("train", "net.cnn", "--out", "run", "--device", "cpu", env={"NO_COLOR": "1"})
    assert "\x1b" not in done.out + done.err
    dumb = cnnspec(
        *("train", "net.cnn", "--out", "dumb", "--device", "cpu"),
        env={"TERM": "dumb"},
        is_terminal=True,
    )
    assert "\x1b" not in dumb.out + dumb.err
    monkeypatch.setattr("cnnspec.cli.bar.SELDOM", 0.0)
    plain = cnnspec("train", "net.cnn", "--out", "plain", "--device", "cpu").err.splitlines()
    assert plain[0].startswith("epoch 1/2 · 1/10 · loss ")
    assert plain[-1].startswith("epoch 2/2 · 10/10 · loss ")


def test_what_is_left_out_stays_out() -> None:
    """--skip-bad holds for the run: when it goes on, and when it is measured."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for name in ("ant", "bee"):
        Path("pics", name).mkdir(parents=True)
        for k in range(20):
            pixels = draw.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(f"pics/{name}/{k:02}.png")
    for name in ("ant/07", "bee/01"):
        Path(f"pics/{name}.png").write_bytes(b"no picture")
    text = SPEC.replace('npz "tiny.npz"', 'folder "pics"').replace("fc 3", "fc 2")
    Path("pics.cnn").write_text(text)
    done = train("pics.cnn", "--out", "run")
    assert done.status == 1
    assert "2 of 40 examples cannot be used: pics/ant/07.png: " in done.err
    assert not Path("run").exists()
    done = train("pics.cnn", "--out", "run", "--skip-bad")
    assert done.status == 0
    assert "2 of 40 examples are left out: pics/ant/07.png: " in done.err
    done = train("--resume", "run", "--epochs", "3")
    assert (done.status, json.loads(Path("run/run.json").read_text())["skip_bad"]) == (0, True)
    assert cnnspec("eval", "run").status == 0
    assert cnnspec("eval", "run/model.onnx").status == 1
    assert cnnspec("eval", "run/model.onnx", "--skip-bad").status == 0


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_what_it_was_started_without_is_not_missed(closed: str) -> None:
    """As a timer of the system may start it."""
    number = {"stdout": 1, "stderr": 2}[closed]
    done = subprocess.run(
        [
            *("sh", "-c", f'exec "$0" "$@" {number}>&-', sys.executable, "-m", "cnnspec"),
            *("train", "net.cnn", "--out", "run", "--device", "cpu"),
        ],
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert Path("run/model.onnx").exists()
