"""What do all tests share: golden texts, seeds, and the markers for what may be missing?"""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chromium import Browser

TESTS = Path(__file__).resolve().parent

Golden = Callable[[str, str], None]
"""Compares a text with the file of that name beside the test; `--bless` writes the file."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bless",
        action="store_true",
        help="write what the tests produce into their golden files, to be read in the diff",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs an NVIDIA GPU; skipped, with a reason, without")
    config.addinivalue_line("markers", "slow: takes more than a second")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if marked and not _has_gpu():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="nvidia-smi finds no GPU on this machine"))


def _has_gpu() -> bool:
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return False
    found = subprocess.run([smi, "-L"], capture_output=True, text=True, check=False)
    return found.returncode == 0 and "GPU" in found.stdout


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers, whichever ran before it."""
    random.seed(20)
    numpy = sys.modules.get("numpy")
    # Tests that never load NumPy must not pay for it, nor see it in `sys.modules`.
    if numpy is not None:
        numpy.random.seed(20)


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--bless"))


@pytest.fixture
def golden(request: pytest.FixtureRequest, bless: bool) -> Golden:
    folder = Path(request.path).parent

    def compare(name: str, text: str) -> None:
        path = folder / name
        if bless:
            path.write_text(text, encoding="utf-8", newline="\n")
            return
        shown = path.relative_to(TESTS.parent)
        assert path.exists(), f"{shown} is missing; `pytest --bless` writes it"
        assert text == path.read_text(encoding="utf-8"), (
            f"the text differs from {shown}; where the new one is right, `pytest --bless` writes it"
        )

    return compare


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A browser that tests drive pages in; started once."""
    from chromium import Browser, why_not

    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with Browser() as running:
        yield running
