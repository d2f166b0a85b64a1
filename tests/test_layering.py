"""Do imports point downwards, does each third party stay in its place, are files short?

A module imports from lower ranks and from its own folder. Imports for type checking alone count for
the ranks, but not for third parties: they load nothing.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "cnnspec"
LONGEST = 500

LADDER = (
    ("version",),
    ("text", "resources", "writing"),
    ("syntax", "vocab", "onnxir"),
    ("layers", "settings"),
    ("model", "sliding"),
    ("emit", "grad", "zoo"),
    ("report", "train"),
    ("draw", "run"),
    ("pages",),
    ("api",),
    ("cli", "lsp"),
    ("__init__", "__main__"),
)
RANKS = {name: rank for rank, names in enumerate(LADDER, -1) for name in names}

# Who may import what is not ours, by the beginnings of paths.
THIRD_PARTIES = {
    "PIL": ("run/",),
    "click": ("cli/",),
    "google": ("run/",),  # onnx's protobuf, for what it raises
    "jinja2": ("pages/",),
    "lark": ("syntax/parse.py", "syntax/tables.py"),
    "markupsafe": ("pages/",),  # jinja2's texts that are already escaped
    "numpy": ("onnxir/", "emit/", "grad/", "train/", "run/", "pages/", "cli/", "api.py", "zoo.py"),
    "onnx": ("onnxir/", "grad/unfold.py", "run/"),
    "onnxruntime": ("run/",),
    "pydantic": ("report/", "train/", "run/"),
    "rich": ("report/table.py", "cli/"),
    "safetensors": ("run/",),
}


def faults(source: str, path: str) -> list[str]:
    """The rules that a module breaks, each with its place; `path` begins below `cnnspec/`."""
    tree = ast.parse(source)
    tests = [n for n in ast.walk(tree) if isinstance(n, ast.If) and _is_for_types(n.test)]
    idle = {inner for test in tests for part in test.body for inner in ast.walk(part)}
    return [
        f"cnnspec/{path}:{node.lineno}: {fault}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
        for fault in _faults_of(node, path, loads=node not in idle)
    ]


def _is_for_types(test: ast.expr) -> bool:
    return ast.unparse(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _faults_of(node: ast.AST, path: str, *, loads: bool) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(level=0, module="cnnspec", names=names):
            modules = [f"cnnspec.{alias.name}" for alias in names]
        case ast.ImportFrom(level=0, module=str(module)):
            modules = [module]
        case ast.ImportFrom():
            modules = []
            yield "a relative import hides the folder it crosses into"
        case ast.Call(func=ast.Name("print")) if not path.startswith("cli/"):
            modules = []
            yield "only cli/ prints"
        case _:
            modules = []
    for module in modules:
        if module.split(".")[0] == "cnnspec":
            yield from _rank_faults(module, path)
        elif loads:
            yield from _third_party_faults(module.split(".")[0], path)


def _rank_faults(module: str, path: str) -> Iterator[str]:
    own = path.split("/")[0].removesuffix(".py")
    # `from cnnspec import check` names no module: it asks for what `__init__` offers.
    other = next((part for part in module.split(".")[1:2] if part in RANKS), "__init__")
    if own not in RANKS:
        yield f"{own} has no rank; give it a place in LADDER"
    elif own != other and RANKS[own] <= RANKS[other]:
        yield f"{own} (rank {RANKS[own]}) imports {other} (rank {RANKS[other]}), which is not lower"


def _third_party_faults(name: str, path: str) -> Iterator[str]:
    places = THIRD_PARTIES.get(name, ())
    if name not in sys.stdlib_module_names and not path.startswith(places):
        yield f"only {', '.join(places) or 'nobody'} may import {name}"


def test_every_module_keeps_to_its_rank() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert paths
    found = [
        fault
        for path in paths
        for fault in faults(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix())
    ]
    assert not found, "\n" + "\n".join(found)


def test_no_file_is_too_long_to_read() -> None:
    files = [p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".md", ".lark", ".cnn")]
    lengths = {p.relative_to(PACKAGE).as_posix(): len(p.read_bytes().splitlines()) for p in files}
    assert {path: n for path, n in lengths.items() if n > LONGEST} == {}


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("model/a.py", "import cnnspec.report.facts", "model (rank 3) imports report (rank 5)"),
        ("model/a.py", "from cnnspec import run", "model (rank 3) imports run (rank 6)"),
        ("syntax/a.py", "from cnnspec.vocab.kind import Kind", "syntax (rank 1) imports vocab"),
        ("run/a.py", "from cnnspec.api import load", "run (rank 6) imports api (rank 8)"),
        ("cli/a.py", "from cnnspec import check", "cli (rank 9) imports __init__ (rank 10)"),
        ("cli/a.py", "import cnnspec", "cli (rank 9) imports __init__ (rank 10)"),
        ("odd/a.py", "from cnnspec.text.source import Span", "odd has no rank"),
        ("model/a.py", "from ..text import source", "a relative import"),
        ("model/a.py", "def f():\n    import cnnspec.cli", "a.py:2: model (rank 3) imports cli"),
        (
            "model/a.py",
            "if TYPE_CHECKING:\n    from cnnspec.cli import main",
            "a.py:2: model (rank 3) imports cli",
        ),
        ("emit/a.py", "import onnx.helper", "only onnxir/, grad/unfold.py, run/ may import onnx"),
        ("grad/walk.py", "from onnx import helper", "may import onnx"),
        ("train/a.py", "import onnxruntime as ort", "only run/ may import onnxruntime"),
        ("report/a.py", "from click import echo", "only cli/ may import click"),
        ("syntax/tree.py", "from lark import Token", "may import lark"),
        ("report/html.py", "from rich.console import Console", "may import rich"),
        ("layers/base.py", "from pydantic import BaseModel", "may import pydantic"),
        ("report/a.py", "import numpy as np", "may import numpy"),
        ("model/a.py", "if x:\n    pass\nelse:\n    import numpy", "a.py:4: only"),
        ("run/a.py", "import torch", "only nobody may import torch"),
        ("run/a.py", "def f():\n    print(1)", "a.py:2: only cli/ prints"),
    ],
)
def test_a_broken_rule_is_named_with_its_place(path: str, source: str, fault: str) -> None:
    (found,) = faults(source, path)
    assert found.startswith(f"cnnspec/{path}:")
    assert fault in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("model/a.py", "import math, cnnspec.model.graph\nfrom cnnspec.layers import KINDS"),
        ("model/a.py", "if TYPE_CHECKING:\n    import numpy"),
        ("grad/unfold.py", "import onnx"),
        ("cli/a.py", "from cnnspec import api\nimport click, rich\nprint(1)"),
        ("run/a.py", "console.print(1)"),
        ("__main__.py", "from cnnspec.cli import main"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    assert faults(source, path) == []
