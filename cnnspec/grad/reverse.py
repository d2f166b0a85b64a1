"""How does a scalar change with each number that it was worked out from?

The graph is walked backwards once. Each operator's rule turns the gradient of its output into those
of its inputs; what several operators take gets the sum of what they answer.
"""

from collections.abc import Mapping, Sequence

from cnnspec.grad.base import Adjoint, Use
from cnnspec.grad.rules import RULES, SEVERAL
from cnnspec.grad.unfold import unfold
from cnnspec.onnxir.graph import Model, Node, Value

INEXACT = ("float", "float16", "double")


class NoGradient(ValueError):
    """An operator that nothing says how to differentiate, with the place in the spec."""

    def __init__(self, node: Node) -> None:
        self.node = node
        where = f" ({node.source})" if node.source else ""
        super().__init__(
            f"nothing says how to differentiate {node.op}, which `{node.name}`{where} needs"
        )


def gradients(
    model: Model, of: Value, by: Sequence[str], batch: int | str, *, for_gpu: bool = False
) -> Mapping[str, Value | None]:
    """Adds to the model the gradient of a scalar by each of these values; none where it does not
    hang on one. `for_gpu` is for how it is said, not for what. Raises `NoGradient`."""
    assert of.shape == (), f"`{of.name}` is no scalar: {of.shape}"
    _unfold_towards(model, of, by)
    return _Walk(model, by, Adjoint(model, batch, for_gpu=for_gpu)).back_from(of)


class _Walk:
    def __init__(self, model: Model, by: Sequence[str], g: Adjoint) -> None:
        self.g = g
        self.by = by
        self.values = model.known()
        self.tensors = dict(model.tensors)
        self.nodes = list(model.nodes)
        self.varying = _varying(self.nodes, self.values, by)
        self.answers: dict[str, list[Value]] = {}

    def back_from(self, of: Value) -> Mapping[str, Value | None]:
        with self.g.layer(f"{of.name}/grad", ""):
            self.answers[of.name] = [self.g.scalar("one", 1)]
        for node in reversed(self.nodes):
            if any(n in self.varying and n in self.answers for n in node.outputs):
                with self.g.layer(f"{node.name}/grad", node.source):
                    self._through(node)
        found: dict[str, Value | None] = {}
        for name in self.by:
            with self.g.layer(f"{name}/grad", ""):
                found[name] = self._total(name)
        return found

    def _through(self, node: Node) -> None:
        rule = RULES.get(node.op)
        if rule is None:
            raise NoGradient(node)
        use = Use(
            node,
            tuple(self.values[n] if n else None for n in node.inputs),
            tuple(self.values[n] for n in node.outputs),
            tuple(self._total(n) for n in node.outputs),
            self.tensors,
        )
        if node.op not in SEVERAL and any(dy is not None for dy in use.dy[1:]):
            raise NoGradient(node)
        dy = next(dy for dy in use.dy if dy is not None)
        answers = rule(self.g, dy, use)
        assert len(answers) <= len(node.inputs), f"{node.op} answers for inputs it has not"
        for x, dx in zip(use.x, answers, strict=False):
            if x is not None and dx is not None and x.name in self.varying:
                self.answers.setdefault(x.name, []).append(self._narrowed(dx, x))

    def _total(self, name: str) -> Value | None:
        """The sum of what all who take a value answered."""
        answers = self.answers.get(name)
        if not answers:
            return None
        if len(answers) > 1:
            op = "Add" if len(answers) == 2 else "Sum"
            self.answers[name] = [self.g.op(op, *answers, part="sum")]
        return self.answers[name][0]

    def _narrowed(self, dx: Value, x: Value) -> Value:
        """Broadcasting undone: what was stretched gets the sum over where it was stretched to."""
        if dx.shape == x.shape:
            return dx
        ahead = len(dx.shape) - len(x.shape)
        assert ahead >= 0, f"the gradient of `{x.name}` {x.shape} is {dx.shape}"
        pairs = list(zip(dx.shape[ahead:], x.shape, strict=True))
        assert all(b in (a, 1) for a, b in pairs), f"`{x.name}` {x.shape}, gradient {dx.shape}"
        stretched = [ahead + i for i, (a, b) in enumerate(pairs) if a != b]
        if stretched:
            dims = (*dx.shape[:ahead], *x.shape)
            dx = self.g.reduce("ReduceSum", dx, stretched, dims=dims, keepdims=1, part="narrowed")
        if ahead:
            axes = range(ahead)
            dx = self.g.reduce("ReduceSum", dx, axes, dims=x.shape, keepdims=0, part="lower")
        return dx


def _unfold_towards(model: Model, of: Value, by: Sequence[str]) -> None:
    """What has no rule and lies between these values and the scalar becomes what it is made of."""
    varying, wanted = _varying(model.nodes, model.known(), by), {of.name}
    nodes: list[Node] = []
    for node in reversed(model.nodes):
        steps = [node]
        if not wanted.isdisjoint(node.outputs):
            wanted.update(node.inputs)
            if not varying.isdisjoint(node.outputs):
                steps = unfold(model, node, RULES)
        nodes += reversed(steps)
    model.nodes[:] = reversed(nodes)


def _varying(nodes: Sequence[Node], values: Mapping[str, Value], by: Sequence[str]) -> set[str]:
    """What hangs on these values, number by number."""
    found = set(by)
    for node in nodes:
        if any(n in found for n in node.inputs):
            found |= {n for n in node.outputs if values[n].dtype in INEXACT}
    return found
