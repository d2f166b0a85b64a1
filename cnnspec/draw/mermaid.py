"""How is a network written as a Mermaid flowchart, which wikis and code hosts draw?

Every label stands in quotes, and whatever could mean something there (quotes, brackets, `<`, `#`,
`%%`, a backquote) is written as the number of its letter: `#35;`.
"""

import json
from collections.abc import Iterator, Sequence

from cnnspec.draw.fold import Box, Item, Plan, walk
from cnnspec.draw.graph import readable
from cnnspec.draw.graph_links import links, names
from cnnspec.draw.graph_words import card, foot_of, heading, said
from cnnspec.draw.theme import Role, colour
from cnnspec.model.graph import Graph
from cnnspec.text.excerpt import safe

_PLAIN = frozenset(" .,:=/+-_×·…→")


def mermaid(graph: Graph, depth: int | None = None) -> str:
    """A flowchart: boxes for layers, subgraphs for blocks. Without a depth, as in the figure."""
    made = readable(graph, depth)
    called = names(made)
    lines = [
        "---",
        f"title: {json.dumps(safe(graph.name), ensure_ascii=False)}",
        "---",
        "flowchart TB",
        *_items(made, made.items, called, 1),
        *(f"  {called[a]} --> {called[b]}" for a, b in links(made)),
        *_classes(made, called),
    ]
    return "\n".join(lines) + "\n"


def _items(made: Plan, items: Sequence[Item], called: dict[Item, str], level: int) -> Iterator[str]:
    pad = "  " * level
    for item in items:
        if isinstance(item, Box) or not item.items:
            box = card(made, item)
            text = "<br/>".join(_escaped(line) for line in (*said(box), foot_of(box)) if line)
            yield f'{pad}{called[item]}["{text}"]'
        else:
            yield f'{pad}subgraph {called[item]}["{_escaped(heading(made, item))}"]'
            yield from _items(made, item.items, called, level + 1)
            yield f"{pad}end"


def _classes(made: Plan, called: dict[Item, str]) -> Iterator[str]:
    """The colours of the figure."""
    found: dict[Role, list[str]] = {}
    for item in walk(made.items):
        if isinstance(item, Box) or not item.items:
            found.setdefault(card(made, item).role, []).append(called[item])
    line, ink = colour("line", "light"), colour("ink", "light")
    for family, members in found.items():
        fill = colour(family, "light")
        yield f"  classDef {family} fill:{fill},stroke:{line},color:{ink}"
        yield f"  class {','.join(members)} {family}"


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in safe(text))
