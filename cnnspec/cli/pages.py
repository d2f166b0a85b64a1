"""What do the pages say that `cnnspec explain` shows, and which are there?"""

import os
from collections.abc import Iterable, Iterator, Mapping
from textwrap import fill

from cnnspec.cli.options import cut
from cnnspec.layers import FAMILIES, KINDS
from cnnspec.resources import PACKAGE
from cnnspec.settings.base import Setting
from cnnspec.settings.words import SETTINGS
from cnnspec.vocab.bind import signature
from cnnspec.vocab.kind import Kind
from cnnspec.vocab.param import Param

CODES = os.path.join(PACKAGE, "explain")


def topics() -> list[str]:
    """All that has a page."""
    words = [word for setting in SETTINGS.values() for word in setting.words]
    return sorted({*KINDS, *SETTINGS, *words, *codes()})


def pages_of(topic: str, width: int) -> Iterator[str]:
    """The pages of a topic: `scale` is a layer and an augmentation."""
    page = page_of_code(topic)
    if page is not None:
        yield page
    if topic in KINDS:
        yield _page_of_kind(KINDS[topic], "", width)
    if topic in SETTINGS:
        yield _page_of_setting(SETTINGS[topic], width)
    for name, setting in SETTINGS.items():
        if topic in setting.words:
            yield _page_of_kind(setting.words[topic], f"{name} ", width)


def contents(width: int | None) -> str:
    """Every topic with what it is, in a line of at most some width."""
    lines: list[str] = []
    for family, kinds in FAMILIES.items():
        lines += _listed(f"Layers: {family}", {k.kind: k.summary() for k in kinds}, width)
    settings = {s.name: s.doc for s in SETTINGS.values()}
    lines += _listed("Settings of `train`", settings, width)
    for name, setting in SETTINGS.items():
        words = {word: kind.summary() for word, kind in setting.words.items()}
        lines += _listed(f"Words of `{name}`", words, width) if words else []
    lines += _listed("Messages", {code: _first_sentence(code) for code in codes()}, width)
    return "\n".join(lines[1:]) + "\n"


def _listed(title: str, summaries: Mapping[str, str], width: int | None) -> list[str]:
    longest = max(map(len, summaries))
    lines = [f"  {name:<{longest}}  {summary}" for name, summary in summaries.items()]
    return ["", title, *(cut(line, width) for line in lines)]


# ── messages ───────────────────────────────────────────────────────────────────────────────────


def codes() -> list[str]:
    """Every code that a message may have."""
    return sorted(f.removesuffix(".md") for f in os.listdir(CODES) if f.endswith(".md"))


def page_of_code(code: str) -> str | None:
    """The page of a code in Markdown, or none if there is no such code."""
    if code not in codes():
        return None
    with open(os.path.join(CODES, f"{code}.md"), encoding="utf-8") as file:
        return file.read()


def _first_sentence(code: str) -> str:
    page = page_of_code(code) or ""
    paragraph = " ".join(page.split("\n\n")[1].split())
    return paragraph.split(". ")[0].rstrip(".:") + "."


# ── layers and settings ────────────────────────────────────────────────────────────────────────


def _page_of_kind(kind: type[Kind], before: str, width: int) -> str:
    """How a word is called, its documentation, and its parameters."""
    blocks = [before + signature(kind), *_wrapped(kind.__doc__ or "", width)]
    if kind.params:
        blocks.append("\n".join(_parameters(kind.params.values(), width)))
    return "\n\n".join(blocks) + "\n"


def _page_of_setting(setting: Setting, width: int) -> str:
    """What a setting is for, and the words that may follow it."""
    if setting.plain is not None:
        return _page_of_kind(setting.plain, "", width)
    longest = max(len(signature(kind)) for kind in setting.words.values())
    words = "\n".join(
        _item(signature(kind), longest, kind.summary(), width) for kind in setting.words.values()
    )
    return "\n\n".join([f"{setting.name} …", setting.doc, words]) + "\n"


def _wrapped(text: str, width: int) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield fill(" ".join(paragraph.split()), width, break_on_hyphens=False)


def _parameters(params: Iterable[Param], width: int) -> Iterator[str]:
    longest = max(len(p.name) for p in params)
    margin = " " * (longest + 4)
    for p in params:
        yield _item(p.name, longest, p.doc, width)
        takes = f"takes {p.type.describe()}{_default(p)}"
        yield fill(
            takes,
            width,
            initial_indent=margin,
            subsequent_indent=margin + "  ",
            break_on_hyphens=False,
        )


def _item(name: str, longest: int, text: str, width: int) -> str:
    """A name, and beside it a text on as many lines as it needs."""
    return fill(
        text,
        width,
        initial_indent=f"  {name:<{longest}}  ",
        subsequent_indent=" " * (longest + 4),
        break_on_hyphens=False,
    )


def _default(param: Param) -> str:
    if param.is_required or param.default is None:
        return ""
    is_word = isinstance(param.default, str) and param.default in param.type.words
    return f"; {param.default if is_word else param.describe_default()} if not given"
