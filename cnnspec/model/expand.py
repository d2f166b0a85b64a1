"""What is the flat spec of a network, after blocks, loops and conditions?"""

from collections.abc import Iterator

from cnnspec.model.graph import Graph, Node


def expand(graph: Graph) -> str:
    """A valid spec of the same network: every layer on a line of its own, under its own name."""
    # The name of one without a name is a word of the language.
    head = "network" if graph.name == "network" else f"network {graph.name}"
    lines = [f"{head} {{", *(f"  {line}" for line in _body(graph)), "}"]
    if graph.recipe is not None:
        lines += ["", "train {", *(f"  {line}" for line in graph.recipe.text()), "}"]
    return "\n".join(lines) + "\n"


def _body(graph: Graph) -> Iterator[str]:
    flow = -1
    heads = [o for o in graph.outputs if o.name != "output"]
    for node in graph.nodes:
        yield _line(node, graph, flow)
        flow = node.index
    main = next((o.node for o in graph.outputs if o.name == "output"), None)
    for head in heads:
        # The body only names the value: what leads to it stands above.
        yield f"head {head.name} {{ {graph.nodes[head.node].path} }}"
    if main is not None and (main != flow or heads):
        yield graph.nodes[main].path


def _line(node: Node, graph: Graph, flow: int) -> str:
    paths = [graph.nodes[i].path for i in node.inputs]
    text = node.layer.text()
    if node.is_sharing:
        text += f" weights={node.owner}"
    if node.frozen:
        text += " frozen=yes"
    if node.layer.is_merge:
        text += " { " + " ".join(f"| {path}" for path in paths) + " }"
    elif node.inputs and node.inputs[0] != flow:
        text = f"{paths[0]} -> {text}"
    return f"{text} as {node.path}"
