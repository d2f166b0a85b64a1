"""How does a C# program run where there is no .NET SDK?

A runtime and a compiler come out of packages that `make csharp` installs, and with them the C#
sources of ONNX Runtime, which are compiled here too. The native library is that of Python's
onnxruntime.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TOOLS = Path(sys.prefix) / "csharp"
RUNTIME = TOOLS / "dnv" / "net" / "runtime" / ".net"
HOST = RUNTIME / "dotnet"
COMPILER = TOOLS / "roslyn"
BINDING = TOOLS / "binding"

CONFIG = "runtimeconfig.json"
SETTINGS = {
    "runtimeOptions": {
        "framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"},
        # Or the runtime asks for ICU, which a machine need not have.
        "configProperties": {"System.Globalization.Invariant": True},
    }
}


class DoesNotCompile(Exception):
    """What the compiler says: errors, and in our own programs warnings too."""


def missing() -> str | None:
    """What there is not, and how it comes."""
    for part in (TOOLS / "pythonnet", HOST, COMPILER, BINDING):
        if not part.exists():
            return f"C#: no {part.name} in {part.parent}; `make csharp` installs it"
    if _library() is None:
        return "C#: Python's onnxruntime holds no libonnxruntime.so on this platform"
    return None


def build(shared: Path, programs: Sequence[Path]) -> None:
    """Beside each program, what it makes with the file that they share, as `command` runs it."""
    folder = shared.parent
    library = _library()
    assert library is not None
    (folder / "libonnxruntime.so").symlink_to(library)
    (folder / CONFIG).write_text(json.dumps(SETTINGS), encoding="utf-8")
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "outside.compile_csharp", shared, *programs],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TOOLS), str(tests)))},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        raise DoesNotCompile(done.stdout + done.stderr)


def command(program: Path) -> list[str | Path]:
    """What runs it once it is built."""
    config = program.with_name(CONFIG)
    return [HOST, "exec", "--runtimeconfig", config, program.with_suffix(".dll")]


def _library() -> Path | None:
    spec = importlib.util.find_spec("onnxruntime")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("capi/libonnxruntime.so.*"), None)
