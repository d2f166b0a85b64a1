"""What is legal and probably wrong?"""

from collections.abc import Iterator

from cnnspec.layers.window import axis_names
from cnnspec.model.graph import Graph, Node
from cnnspec.model.module import Module
from cnnspec.syntax import tree
from cnnspec.syntax.walk import references
from cnnspec.text.diagnostic import Sink
from cnnspec.text.source import Span
from cnnspec.vocab.value import listing

SOFTMAXES = ("softmax", "logsoftmax")


def lint_graph(graph: Graph, sink: Sink) -> None:
    """Warnings about single layers and how they meet."""
    consumers = [0] * len(graph.nodes)
    for node in graph.nodes:
        for i in node.inputs:
            consumers[i] += 1
    for output in graph.outputs:
        consumers[output.node] += 1
    examined: dict[int, bool] = {}
    for node in graph.nodes:
        if examined.get(id(node.facts)) is not False:
            # Uses that share their facts share what is dropped: none there, none here.
            examined[id(node.facts)] = _windows(node, graph, sink)
        _neighbours(node, graph, consumers, sink)
        if not consumers[node.index] and not sink.failed:
            what = (
                "no layer takes this input" if not node.inputs else "nothing takes what this makes"
            )
            sink.warning(
                "unused-value",
                what,
                node.span,
                hint="a side branch whose end is an output is a `head`" if node.inputs else None,
                trail=node.trail,
            )


def _windows(node: Node, graph: Graph, sink: Sink) -> bool:
    """Does a window leave out pixels, or see only padding? True where something was said."""
    shapes = [graph.nodes[i].shape or () for i in node.inputs]
    if not shapes or len(shapes[0]) < 2:
        return False
    dropped = node.layer.dropped(*shapes)
    names = axis_names(len(shapes[0]) - 1)
    if any(dropped):
        where = listing(
            [
                f"{n} of {size} pixels of the {name}"
                for n, size, name in zip(dropped, shapes[0][1:], names, strict=True)
                if n
            ],
            "and",
        )
        sums = node.layer.sums(node.shape or (), *shapes)
        sink.warning(
            "dropped-pixels",
            f"the last {where} {'is' if sum(dropped) == 1 else 'are'} never read",
            node.span,
            notes=sums[:1],
            hint=node.layer.keep_hint(*shapes),
            trail=node.trail,
        )
    blind = node.layer.sees_only_padding(*shapes)
    if blind:
        sink.warning(
            "only-padding",
            "some windows lie wholly in the padding and see no pixel",
            node.arg_spans.get("pad", node.span),
            hint="a pad smaller than the kernel lets every window see the map",
            trail=node.trail,
        )
    return bool(any(dropped) or blind)


def _neighbours(node: Node, graph: Graph, consumers: list[int], sink: Sink) -> None:
    if len(node.inputs) != 1:
        return
    before = graph.nodes[node.inputs[0]]
    kind, kind_before = node.layer.kind, before.layer.kind
    if (
        kind == "bn"
        and kind_before in ("conv", "deconv", "fc", "local")
        and consumers[before.index] == 1
        and not before.layer.was_given("bias")
    ):
        sink.warning(
            "bias-before-bn",
            f"the normalisation that follows takes the bias of this `{kind_before}` away again",
            before.span,
            hint="write bias=no, or bias=yes to keep it on purpose",
            trail=before.trail,
        )
    if kind in SOFTMAXES and kind_before in SOFTMAXES:
        sink.warning(
            "softmax-twice",
            f"`{kind}` is applied to what `{kind_before}` has made probabilities already",
            node.span,
            trail=node.trail,
        )


def lint_names(module: Module, sink: Sink) -> None:
    """Names of this file that it never uses."""
    used = references(module.file)
    for name, role, span in _definitions(module.file):
        if name not in used and not name.startswith("_"):
            sink.warning(
                "unused-name",
                f"{role} `{name}` is never used",
                span,
                hint=None if role == "block" else "a name that begins with _ may be unused",
            )


def _definitions(file: tree.File) -> Iterator[tuple[str, str, Span]]:
    """Params, blocks, lets and blocks' parameters of a file."""
    has_network = any(isinstance(i, tree.Network) for i in file.items)
    for item in file.items:
        match item:
            case tree.Param():
                yield item.name.name, "param", item.name.span
            case tree.Let():
                yield from _lets(item)
            case tree.Block():
                # A file without a network is a library: its blocks are there for others.
                if has_network:
                    yield item.name.name, "block", item.name.span
                for formal in item.formals:
                    yield formal.name, "parameter", formal.span
                yield from _inside(item.body)
            case tree.Network():
                yield from _inside(item.body)
            case _:
                pass


def _lets(item: tree.Let) -> Iterator[tuple[str, str, Span]]:
    for name in item.names:
        yield name.name, "let", name.span


def _inside(body: tree.Body) -> Iterator[tuple[str, str, Span]]:
    for statement in body.statements:
        match statement:
            case tree.Let():
                yield from _lets(statement)
            case tree.Repeat() | tree.For() | tree.Head():
                yield from _inside(statement.body)
            case tree.If():
                for _, arm in statement.arms:
                    yield from _inside(arm)
                if statement.otherwise:
                    yield from _inside(statement.otherwise)
            case tree.Flow():
                for call in statement.calls:
                    for branch in call.branches or ():
                        yield from _inside(branch)
            case _:
                pass
