"""How are the boxes of a graph called in a text, and which are linked?"""

from cnnspec.draw.fold import Box, Item, Plan, walk


def names(made: Plan) -> dict[Item, str]:
    """Short names that no language of graphs reads otherwise: `n1`, and `g1` for a frame."""
    return {
        item: f"{'n' if isinstance(item, Box) or not item.items else 'g'}{k}"
        for k, item in enumerate(walk(made.items), 1)
    }


def links(made: Plan) -> list[tuple[Item, Item]]:
    """From which box to which values flow, each pair once."""
    where: dict[int, Item] = {}
    for item in walk(made.items):
        if isinstance(item, Box) or not item.items:
            where.update(dict.fromkeys(item.nodes, item))
    pairs = ((where[a], where[b]) for a, b in made.links())
    return list(dict.fromkeys(pair for pair in pairs if pair[0] is not pair[1]))
