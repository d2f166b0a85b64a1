"""How is a network written for Graphviz?

In strings of DOT a quote and a backslash stand behind a backslash, `\\n` ends a line, and `&`
begins the name of a letter as in HTML.
"""

from collections.abc import Iterator, Sequence

from cnnspec.draw.fold import Box, Item, Plan
from cnnspec.draw.graph import readable
from cnnspec.draw.graph_links import links, names
from cnnspec.draw.graph_words import card, foot_of, heading, said
from cnnspec.draw.theme import colour
from cnnspec.model.graph import Graph
from cnnspec.text.excerpt import safe


def dot(graph: Graph, depth: int | None = None) -> str:
    """A digraph: boxes for layers, clusters for blocks. Without a depth, as in the figure."""
    made = readable(graph, depth)
    called = names(made)
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        "  rankdir=TB",
        f"  label={_quoted(graph.name)}",
        "  labelloc=t",
        '  node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=11]',
        "  edge [arrowsize=0.7]",
        *_items(made, made.items, called, 1),
        *(f"  {called[a]} -> {called[b]}" for a, b in links(made)),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _items(made: Plan, items: Sequence[Item], called: dict[Item, str], level: int) -> Iterator[str]:
    pad = "  " * level
    for item in items:
        if isinstance(item, Box) or not item.items:
            box = card(made, item)
            text = _quoted(*said(box), foot_of(box))
            fill = colour(box.role, "light")
            tip = _quoted(*box.tip.split("\n"))
            yield f'{pad}{called[item]} [label={text} fillcolor="{fill}" tooltip={tip}]'
        else:
            yield f"{pad}subgraph cluster_{called[item]} {{"
            yield f"{pad}  label={_quoted(heading(made, item))}"
            yield f'{pad}  style=rounded color="{colour("line", "light")}"'
            yield from _items(made, item.items, called, level + 1)
            yield f"{pad}}}"


def _quoted(*lines: str) -> str:
    """A string of one or more lines."""
    texts = [safe(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line]
    return '"' + "\\n".join(text.replace("&", "&amp;") for text in texts) + '"'
