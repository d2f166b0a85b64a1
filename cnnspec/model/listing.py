"""What does a graph look like as plain text, one node a line?"""

from cnnspec.model.graph import Graph
from cnnspec.vocab.value import show_shape


def listing(graph: Graph) -> str:
    """Index, path, call, where its inputs come from, shape; then the outputs."""
    lines = [f"network {graph.name}"]
    for node in graph.nodes:
        inputs = " ".join(f"%{i}" for i in node.inputs)
        shared = f" weights of {node.owner}" if node.is_sharing else ""
        frozen = " frozen" if node.frozen else ""
        taken = f" of {inputs}" if inputs else ""
        lines.append(
            f"%{node.index} {node.path}: {node.layer.text()}{taken}"
            f" -> {show_shape(node.shape or ())}{shared}{frozen}"
        )
    lines += [f"output {o.name} is %{o.node}" for o in graph.outputs]
    return "\n".join(lines) + "\n"
