"""Does the wheel work alone: in an environment of its own, far from the checkout?"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent

# PYTHONPATH could lead back to the checkout.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation the build takes hatchling from this environment and needs no network.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (built,) = folder.glob("cnnspec-*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which the wheel alone provides cnnspec."""
    home = tmp_path_factory.mktemp("env")
    venv.create(home, symlinks=os.name != "nt")
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel)
    _lend_dependencies(python)
    return python


def _lend_dependencies(python: Path) -> None:
    """Let the new environment find this one's packages: installing them again takes minutes.

    A .pth file appends folders to sys.path, so the new environment's own cnnspec stays first; and
    .pth files in those folders are not read, so an editable install of the checkout stays unseen.
    Done after pip, which would else count this environment's cnnspec as installed.
    """
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(python, "-c", script).strip())
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)) + "\n", encoding="utf-8")


def test_it_holds_every_grammar_and_spec(wheel: Path) -> None:
    files = [p for top in ("grammars", "specs") for p in (ROOT / top).rglob("*") if p.is_file()]
    assert files
    inside = set(ZipFile(wheel).namelist())
    assert {f"cnnspec/{p.relative_to(ROOT).as_posix()}" for p in files} <= inside


def test_it_is_what_the_new_environment_imports(python: Path, tmp_path: Path) -> None:
    found = run(python, "-c", "import cnnspec; print(cnnspec.__file__)", cwd=tmp_path)
    assert Path(found.strip()).is_relative_to(python.parent.parent)


def test_a_network_of_the_zoo_checks(python: Path, tmp_path: Path) -> None:
    run(python, "-m", "cnnspec", "check", "lenet5", cwd=tmp_path)


def test_resnet50_has_the_published_parameters(python: Path, tmp_path: Path) -> None:
    printed = run(python, "-m", "cnnspec", "report", "resnet50", "--format", "json", cwd=tmp_path)
    assert json.loads(printed)["totals"]["params"] == 25_557_032
