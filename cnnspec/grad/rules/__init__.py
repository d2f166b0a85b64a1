"""The gradient of each operator; `RULES` is the table of all."""

from collections.abc import Mapping

from cnnspec.grad.base import Rule, rules
from cnnspec.grad.rules import conv, elementwise, matmul, maxpool, norm, pool, reduce, shaping

RULES: Mapping[str, Rule] = rules(
    conv.RULES,
    elementwise.RULES,
    matmul.RULES,
    maxpool.RULES,
    norm.RULES,
    pool.RULES,
    reduce.RULES,
    shaping.RULES,
)

SEVERAL = frozenset(("Split",))
"""Operators whose rule takes the gradients of all outputs (`use.dy`), not of the first alone."""
