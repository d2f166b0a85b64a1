"""Do the brackets of a text match? Found by one quick pass, before anything is parsed."""

import re
from dataclasses import dataclass, field

from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Source, Span

DEEPEST = 100
"""How many brackets of all kinds may lie in each other."""

_BRACKETS = re.compile(r'#[^\n]*|"[^"\n]*"?|[(){}\[\]]')
_ITEMS_TOO = re.compile(_BRACKETS.pattern + r"|^(?:use|param|block|network|train)\b", re.MULTILINE)
"""With the words that stand outside of all braces."""


@dataclass(slots=True)
class Braces:
    """What must be done to a text so that its braces match."""

    extra: set[int] = field(default_factory=set[int])
    """Offsets of closing braces that close nothing."""
    missing: dict[int, int] = field(default_factory=dict[int, int])
    """Before which offset how many closing braces are missing."""
    is_too_deep: bool = False


def match_braces(source: Source, sink: Sink) -> Braces:
    """Match the braces; say what is unclosed, unopened or too deep.

    Round and square brackets end with their line and only count towards the depth here.
    """
    found = Braces()
    stack: list[int] = []
    depth_in_line = 0
    extra: list[int] = []
    for match in _BRACKETS.finditer(source.text):
        text = match.group()
        if text in ("(", "["):
            depth_in_line += 1
        elif text in (")", "]"):
            depth_in_line = max(0, depth_in_line - 1)
        elif text == "{":
            stack.append(match.start())
        elif text == "}":
            depth_in_line = 0
            if stack:
                stack.pop()
            else:
                extra.append(match.start())
        if len(stack) + depth_in_line > DEEPEST:
            sink.error(
                "nesting-too-deep",
                f"brackets lie in each other more than {DEEPEST} deep",
                Span(source, match.start(), match.end()),
            )
            found.is_too_deep = True
            return found
    if stack:
        _match_by_indentation(source, sink, found)
    else:
        for offset in extra:
            _unopened(source, sink, found, offset)
    return found


def _match_by_indentation(source: Source, sink: Sink, found: Braces) -> None:
    """Some brace is never closed; the indentation tells which.

    A closing brace at the beginning of a line that stands as far left as the line of an outer
    opener closes that one, and those inside it are unclosed. A `network` or `block` closes all.
    """
    stack: list[tuple[int, int]] = []
    for match in _ITEMS_TOO.finditer(source.text):
        text, at = match.group(), match.start()
        if text[0].isalpha():
            while stack:
                _unclosed(source, sink, found, stack.pop()[0], at)
        elif text == "{":
            stack.append((at, _indentation(source.text, at)))
        elif text == "}":
            column = _indentation(source.text, at) if _begins_line(source.text, at) else None
            columns = [indent for _, indent in stack]
            while stack and column is not None and columns[-1] > column and column in columns:
                _unclosed(source, sink, found, stack.pop()[0], at)
                columns.pop()
            if stack:
                stack.pop()
            else:
                _unopened(source, sink, found, at)
    for offset, _ in reversed(stack):
        _unclosed(source, sink, found, offset, len(source.text))


def _unclosed(source: Source, sink: Sink, found: Braces, opener: int, before: int) -> None:
    found.missing[before] = found.missing.get(before, 0) + 1
    sink.error(
        "unclosed",
        "this `{` is never closed",
        Span(source, opener, opener + 1),
        hint="a `}` is missing",
    )


def _unopened(source: Source, sink: Sink, found: Braces, offset: int) -> None:
    found.extra.add(offset)
    sink.error(
        "unopened", "this `}` closes nothing", Span(source, offset, offset + 1), hint="remove it"
    )


def _begins_line(text: str, offset: int) -> bool:
    return not text[text.rfind("\n", 0, offset) + 1 : offset].strip()


def _indentation(text: str, offset: int) -> int:
    """How far the line of an offset is indented."""
    start = text.rfind("\n", 0, offset) + 1
    end = start
    while end < len(text) and text[end] in " \t":
        end += 1
    return end - start
