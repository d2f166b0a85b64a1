"""Where are the pages that `cnnspec explain` shows, and what do they say?"""

from collections.abc import Iterator
from pathlib import Path

from cnnspec.layers import FAMILIES, KINDS
from cnnspec.resources import PACKAGE
from cnnspec.settings.words import SETTINGS
from cnnspec.vocab.bind import signature
from cnnspec.vocab.kind import Kind

CODES = Path(PACKAGE) / "explain"


def codes() -> list[str]:
    """Every code that a message may have."""
    return sorted(path.stem for path in CODES.glob("*.md"))


def page_of_code(code: str) -> str | None:
    path = CODES / f"{code}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def page_of_kind(kind: type[Kind], call: str = "") -> str:
    """A word's documentation and its parameters as a table in Markdown."""
    text = (kind.__doc__ or "").strip()
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
    lines = [f"# {call}{kind.kind}", "", f"    {call}{signature(kind)}", ""]
    lines += [line for p in paragraphs for line in (p, "")]
    if kind.params:
        lines += list(_table(kind))
    return "\n".join(lines).rstrip() + "\n"


def _table(kind: type[Kind]) -> Iterator[str]:
    yield "| parameter | takes | by default | |"
    yield "| --- | --- | --- | --- |"
    for name, param in kind.params.items():
        default = "needed" if param.is_required else param.describe_default()
        yield f"| {name} | {param.type.describe()} | {default} | {param.doc} |"


def page_of_setting(name: str) -> str:
    """A setting's words, or its own parameters."""
    setting = SETTINGS[name]
    if setting.plain is not None:
        return page_of_kind(setting.plain)
    lines = [f"# {name}", "", setting.doc, ""]
    lines += [f"- `{name} {signature(kind)}`: {kind.summary()}" for kind in setting.words.values()]
    return "\n".join(lines) + "\n"


def contents() -> str:
    """What can be explained."""
    lines = ["Layers:"]
    lines += [
        f"  {family}: {', '.join(kind.kind for kind in kinds)}"
        for family, kinds in FAMILIES.items()
    ]
    lines += ["", "Settings of train:", f"  {', '.join(SETTINGS)}"]
    lines += ["", "Messages:"]
    lines += [f"  {code}" for code in codes()]
    return "\n".join(lines) + "\n"


def topics() -> list[str]:
    words = [word for setting in SETTINGS.values() for word in setting.words]
    return sorted({*KINDS, *SETTINGS, *words, *codes()})
