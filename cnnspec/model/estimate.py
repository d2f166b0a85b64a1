"""At least how many layers will a body make? Known from the text alone, before anything runs."""

from dataclasses import dataclass, field

from cnnspec.model.evaluate import number
from cnnspec.model.module import Module
from cnnspec.syntax import tree

CEILING = 10**12
"""Counting further than this changes no answer."""


@dataclass(slots=True, eq=False)
class Estimate:
    """Counts calls, blocks' bodies included, each block once. Loops count as often as a plain
    number says; of the arms of an `if` the largest counts."""

    blocks: dict[int, int] = field(default_factory=dict[int, int])

    def of_body(self, body: tree.Body, module: Module, depth: int = 0) -> int:
        known = self.blocks.get(id(body))
        if known is not None:
            return known
        if depth > 100:
            return 1
        # A block inside itself counts nothing; elaboration refuses it.
        self.blocks[id(body)] = 0
        total = 0
        for statement in body.statements:
            total += self._of_statement(statement, module, depth + 1)
        self.blocks[id(body)] = total = min(total, CEILING)
        return total

    def _of_statement(self, statement: tree.Statement, module: Module, depth: int) -> int:
        match statement:
            case tree.Flow():
                return sum(self._of_call(call, module, depth) for call in statement.calls)
            case tree.Repeat():
                count = statement.count
                turns = number(count.text) if isinstance(count, tree.Number) else 1
                return int(min(turns, CEILING)) * self.of_body(statement.body, module, depth)
            case tree.For():
                items = statement.items
                turns = len(items.items) if isinstance(items, tree.Tuple) else 1
                return turns * self.of_body(statement.body, module, depth)
            case tree.If():
                bodies = [body for _, body in statement.arms]
                bodies += [statement.otherwise] if statement.otherwise else []
                return max(self.of_body(body, module, depth) for body in bodies)
            case tree.Head():
                return self.of_body(statement.body, module, depth)
            case _:
                return 0

    def _of_call(self, call: tree.Call, module: Module, depth: int) -> int:
        inside = sum(self.of_body(b, module, depth) for b in call.branches or ())
        block = module.blocks.get(call.name)
        if block is None:
            return 1 + inside
        return self.of_body(block.tree.body, block.home, depth)
