"""How is an expression written in the canonical form?"""

from collections.abc import Sequence

from cnnspec.syntax import tree

TIGHT = frozenset({"*", "/", "//", "%", "**"})
"""Operators without blanks around them: `4*width`, `1/255`."""


def spell(expr: tree.Expr, *, is_argument: bool = False) -> str:
    """The canonical text. In an argument sums are written without blanks too, so that blanks only
    stand between arguments: `conv n+1 3x3`."""
    match expr:
        case tree.Number():
            return expr.text
        case tree.Size():
            return "x".join(str(n) for n in expr.numbers)
        case tree.Text():
            return f'"{expr.text}"'
        case tree.Ref():
            return expr.name
        case tree.Paren():
            return f"({spell(expr.inner)})"
        case tree.Tuple():
            return _tuple(expr)
        case tree.Index():
            return f"{spell(expr.base)}[{spell(expr.index)}]"
        case tree.Invoke():
            return f"{expr.name}({_listed(expr.arguments)})"
        case tree.Sign():
            return f"-{spell(expr.inner, is_argument=is_argument)}"
        case tree.Not():
            return f"not {spell(expr.inner)}"
        case tree.Compare():
            return f"{spell(expr.left)} {expr.op} {spell(expr.right)}"
        case tree.Chain():
            return _chain(expr, is_argument)


def spell_argument(arg: tree.Arg) -> str:
    value = spell(arg.value, is_argument=True)
    return value if arg.name is None else f"{arg.name}={value}"


def _chain(expr: tree.Chain, is_argument: bool) -> str:
    parts = [spell(expr.first, is_argument=is_argument)]
    for operator, operand in expr.rest:
        tight = operator in TIGHT or (is_argument and operator in "+-")
        shown = operator if tight else f" {operator} "
        parts += [shown, spell(operand, is_argument=is_argument)]
    return "".join(parts)


def _tuple(expr: tree.Tuple) -> str:
    if expr.brackets:
        return f"[{_listed(expr.items)}]"
    return f"({_listed(expr.items)}{',' if len(expr.items) == 1 else ''})"


def _listed(items: Sequence[tree.Expr]) -> str:
    return ", ".join(spell(item) for item in items)
