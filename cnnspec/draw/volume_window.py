"""What of a map does the layer behind it see at once?"""

from dataclasses import dataclass
from typing import cast

from cnnspec.draw.volume_shapes import is_map
from cnnspec.draw.volume_stages import Stage
from cnnspec.layers.base import dims
from cnnspec.model.graph import Graph, Node
from cnnspec.model.tally import facts_of


@dataclass(frozen=True, slots=True)
class Window:
    """What a layer sees at once, as shares of the map's width and height."""

    across: float
    down: float
    words: str
    grows: bool
    """Does one place make a window, rather than a window one place?"""


def window(graph: Graph, stage: Stage) -> Window | None:
    """None where the layer has no window, or it cannot be drawn on the map that comes."""
    maker = stage.turns[0].maker if stage.turns else stage.maker
    if stage.block or stage.before or len(maker.inputs) != 1 or not _size(maker):
        return None
    x = facts_of(graph.nodes[maker.inputs[0]]).shape
    y = facts_of(maker).shape
    views = maker.layer.views(y, x)
    if not is_map(x) or len(views) != len(x) - 1:
        return None
    # Of a strip, all of its height.
    last, above = views[-1], views[-2] if len(views) > 1 else None
    if any(v.step < 1 for v in views):
        sizes = (y[-1] * last.step, y[-2] * above.step if above else 1)
        return Window(
            1 / max(sizes[0], 1), 1 / max(sizes[1], 1) if above else 1, _size(maker), True
        )
    down = min(1, above.extent / x[-2]) if above else 1
    return Window(min(1, last.extent / x[-1]), down, _size(maker), False)


def _size(maker: Node) -> str:
    """`5x5`, as in the call."""
    kernel: object = getattr(maker.layer, "kernel", None)
    rank = len(facts_of(maker).shape) - 1
    if isinstance(kernel, int):
        return dims((kernel,) * rank)
    if isinstance(kernel, tuple):
        return dims(cast("tuple[int, ...]", kernel))
    factor: object = getattr(maker.layer, "factor", None)
    return f"×{factor}" if isinstance(factor, int) else kernel if isinstance(kernel, str) else ""
