"""From tree to typed graph: expressions, blocks, shapes, names, warnings."""
