"""How is a layer named and called in a table, where every column counts?"""

from collections.abc import Sequence

from cnnspec.report.facts import Row

LONGEST_ARGUMENT = 24
"""A connection table or a list of means would push everything else off the page."""


def own_name(row: Row) -> str:
    """The path without the block around it."""
    return row.path[len(row.block) + 1 :] if row.block else row.path


def arguments(call: str) -> list[str]:
    """The words of a call, those shortened that are longer than a table can bear."""
    words: list[str] = []
    nested = 0
    for word in call.split(" "):
        if nested:
            words[-1] += f" {word}"
        else:
            words.append(word)
        nested += word.count("(") - word.count(")")
    return [_short(w) for w in words]


def beyond_name(name: str, words: Sequence[str]) -> list[str]:
    """What a call says that its name does not: `stride=2` of `conv64_3x3`."""
    kind, rest = words[0], list(words[1:])
    placed = [w for w in rest if "=" not in w]
    base = kind + "_".join(placed)
    if name == base or name.startswith(f"{base}_"):
        return rest[len(placed) :]
    # A repeated name ends in a number: `relu_2`.
    stem, _, number = name.rpartition("_")
    plain = stem if number.isdigit() else name
    return rest if plain == kind or plain.endswith(f"_{kind}") else list(words)


def filled(text: str, width: int) -> int:
    """How many lines of a width its words fill."""
    lines, at = 1, 0
    for word in text.split(" "):
        if at and at + 1 + len(word) > width:
            lines, at = lines + 1, 0
        at += len(word) + (at > 0)
    return lines


def _short(word: str) -> str:
    if len(word) <= LONGEST_ARGUMENT:
        return word
    name, equals, _ = word.partition("=")
    if equals and len(name) <= LONGEST_ARGUMENT - 2:
        return f"{name}=…"
    return f"{word[: LONGEST_ARGUMENT - 1]}…"
