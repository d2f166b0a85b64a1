"""Do the pages for readers say what is so?"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cnnspec.cli import commands
from cnnspec.layers import KINDS
from cnnspec.settings.words import SETTINGS
from cnnspec.syntax.format import format_file
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source
from cnnspec.vocab.kind import Kind
from pages import check_page, fences
from reference import MARKED, regenerate

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "CHANGELOG.md",
        "docs/language.md",
        "docs/commands.md",
        "docs/convolve.md",
        "docs/figures.md",
        "docs/onnx.md",
        "docs/look.md",
        "docs/pages.md",
    )
]


MORE = [
    ROOT / "docs" / f"{name}.md" for name in ("engines", "results", "training", "training-step")
]
"""Pages whose examples other tests run, or that take too long to run."""


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_examples(page: Path, tmp_path: Path, bless: bool) -> None:
    """Every program, command and call in a page does what stands below it."""
    check_page(page, tmp_path, bless=bless)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_programs_are_in_the_canonical_form(page: Path) -> None:
    for fence in fences(page.read_text(encoding="utf-8")):
        if fence.kind == "cnn":
            assert format_file(parse(Source(page.name, fence.text), Sink())) == fence.text


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_generated_parts(page: Path, bless: bool) -> None:
    """The tables of a page are those that the code has; `--bless` writes them."""
    before = page.read_text(encoding="utf-8")
    assert before.count("<!-- generated: ") == len(MARKED.findall(before))
    now = regenerate(before)
    if bless and now != before:
        page.write_text(now, encoding="utf-8")
    else:
        assert now == before


def test_every_link_leads_somewhere() -> None:
    for page in [
        *PAGES,
        ROOT / "docs" / "architecture.md",
        ROOT / "docs" / "report-schema.md",
        *MORE,
    ]:
        text = page.read_text(encoding="utf-8")
        anchors = {_anchor(m[1]) for m in re.finditer(r"^#+ (.+)$", text, re.MULTILINE)}
        prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            file, _, anchor = target.partition("#")
            if file:
                assert (page.parent / file).is_file(), f"{page.name} links to {target}"
            else:
                assert anchor in anchors, f"{page.name} links to {target}"


def _anchor(heading: str) -> str:
    """How Markdown viewers call a heading in a link."""
    kept = "".join(c for c in heading.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def test_every_word_has_a_summary_of_one_line() -> None:
    """A summary is the first line of a docstring: cut off, the tables show half a sentence."""
    for kind in [*KINDS.values(), *_words_of_settings()]:
        assert kind.summary().endswith((".", ".)", "?", ")")), kind.__name__
        assert kind.summary().count("(") == kind.summary().count(")"), kind.__name__


def _words_of_settings() -> Iterator[type[Kind]]:
    for setting in SETTINGS.values():
        yield from setting.words.values()
        if setting.plain is not None:
            yield setting.plain


def test_every_variable_of_the_environment_is_told() -> None:
    told = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    asked: set[str] = set()
    for path in (ROOT / "cnnspec").rglob("*.py"):
        asked |= set(
            re.findall(r"""environ(?:\.get\(|\[)"(\w+)""", path.read_text(encoding="utf-8"))
        )
    assert asked
    assert {name for name in asked if f"`{name}`" not in told} == set()


def test_every_field_of_a_diagnostic_is_told() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    shown = json.loads(next(f.text for f in fences(page) if f.kind == "console").split("\n", 1)[1])
    fields = {*shown, *shown["diagnostics"][0]}
    assert {name for name in fields if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_as_told(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert f"_CNNSPEC_COMPLETE={shell}_source cnnspec" in page
    monkeypatch.setenv("_CNNSPEC_COMPLETE", f"{shell}_source")
    result = CliRunner().invoke(commands, prog_name="cnnspec")
    assert result.exit_code == 0
    assert "COMP_WORDS" in result.output
