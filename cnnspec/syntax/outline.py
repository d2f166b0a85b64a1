"""What does a tree look like as plain text?"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, cast

from cnnspec.syntax import tree
from cnnspec.text.source import Span


def outline(file: tree.File) -> str:
    """One node a line, indented; names and numbers behind the node's kind, and its place."""
    lines: list[str] = []
    for item in file.items:
        lines += _node(item, 0)
    return "".join(f"{line}\n" for line in lines)


def _node(node: Any, depth: int) -> Iterator[str]:
    """The lines of a node: the simple fields on its own, the nodes in it below."""
    span: Span = getattr(node, "span")  # noqa: B009 - every node has one, of whatever class
    line, column = span.source.position(span.start)
    words = [type(node).__name__.lower()]
    inner: list[Any] = []
    for name in (field.name for field in fields(node)):
        value = getattr(node, name)
        if name.endswith("span") or value is None:
            continue
        if is_dataclass(value):
            inner.append(value)
        elif isinstance(value, tuple):
            inner += _flat(cast("tuple[object, ...]", value), words)
        else:
            words.append(str(value))
    yield f"{'  ' * depth}{' '.join(words)}  {line}:{column}"
    for child in inner:
        yield from _node(child, depth + 1)


def _flat(items: tuple[object, ...], words: list[str]) -> Iterator[Any]:
    for item in items:
        if isinstance(item, tuple):
            yield from _flat(cast("tuple[object, ...]", item), words)
        elif is_dataclass(item):
            yield item
        else:
            words.append(str(item))
