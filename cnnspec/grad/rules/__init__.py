"""The gradient of each operator; `RULES` is the table of all."""

from collections.abc import Mapping

from cnnspec.grad.base import Rule, rules
from cnnspec.grad.rules import elementwise

RULES: Mapping[str, Rule] = rules(elementwise.RULES)
