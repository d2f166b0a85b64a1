"""Is every message documented, and is its page true?"""

import re
from pathlib import Path

import pytest

from pages import check_page, fences

PACKAGE = Path(__file__).parent.parent / "cnnspec"
PAGES = sorted((PACKAGE / "explain").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_page(page: Path, tmp_path: Path, bless: bool) -> None:
    text = check_page(page, tmp_path, bless=bless)
    assert text.startswith(f"# {page.stem}\n")
    outputs = [f.text for f in fences(text) if f.kind == "text"]
    assert any(f"[{page.stem}]" in output for output in outputs), "no example of the message itself"
    assert outputs[-1] == "ok\n", "the last program is the right one"
    assert len(text.splitlines()) <= 90


def codes_in_source() -> set[str]:
    """Every code that some line of the package gives to a diagnostic."""
    found: set[str] = set()
    pattern = re.compile(
        r"""(?:Refusal|Fault|Complaint|GroupingFault|\.error|\.warning)\(\s*"([a-z]+(?:-[a-z]+)*)","""
    )
    for path in PACKAGE.rglob("*.py"):
        found |= set(pattern.findall(path.read_text(encoding="utf-8")))
    return found


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    pages = {page.stem for page in PAGES}
    # Two codes are chosen at run time between alternatives, so no single line names them.
    chosen = {"unknown-layer", "wrong-step", "missing-argument", "extra-argument"}
    assert codes_in_source() - pages == set()
    assert pages - codes_in_source() - chosen == set()
