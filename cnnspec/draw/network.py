"""How is a network drawn, in which manner?"""

from typing import Literal, assert_never

from cnnspec.draw.svg import Figure
from cnnspec.draw.theme import Theme
from cnnspec.model.graph import Graph

Style = Literal["volumes", "graph"]


def draw(
    graph: Graph,
    style: Style = "volumes",
    theme: Theme = "auto",
    depth: int | None = None,
) -> Figure:
    """A network whose every shape is known, blocks that lie in more than `depth` others folded; by
    default as many as it takes to fit a slide."""
    match style:
        case "volumes":
            from cnnspec.draw.volumes import volumes

            return volumes(graph, depth, theme)
        case "graph":
            from cnnspec.draw.graph import graph_figure

            return graph_figure(graph, depth=depth, theme=theme)
        case _:
            assert_never(style)
