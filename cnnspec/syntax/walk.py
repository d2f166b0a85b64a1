"""Which names does a file mention?"""

from cnnspec.syntax import tree


def references(file: tree.File) -> set[str]:
    """Every name in an expression or in place of a call, and each beginning of a dotted one."""
    found: set[str] = set()
    for item in file.items:
        match item:
            case tree.Use():
                for arg in item.args:
                    _expr(arg.value, found)
            case tree.Param() | tree.Let():
                _expr(item.value, found)
            case tree.Block():
                for formal in item.formals:
                    if formal.default is not None:
                        _expr(formal.default, found)
                _body(item.body, found)
            case tree.Network() | tree.Train():
                _body(item.body, found)
            case tree.Expect():
                for claim in item.claims:
                    _expr(claim, found)
            case tree.Broken():
                pass
    return found


def _body(body: tree.Body, found: set[str]) -> None:
    for statement in body.statements:
        match statement:
            case tree.Flow():
                for call in statement.calls:
                    _call(call, found)
            case tree.Let():
                _expr(statement.value, found)
            case tree.Repeat():
                _expr(statement.count, found)
                _body(statement.body, found)
            case tree.For():
                _expr(statement.items, found)
                _body(statement.body, found)
            case tree.If():
                for condition, arm in statement.arms:
                    _expr(condition, found)
                    _body(arm, found)
                if statement.otherwise is not None:
                    _body(statement.otherwise, found)
            case tree.Expect():
                for claim in statement.claims:
                    _expr(claim, found)
            case tree.Head():
                _body(statement.body, found)
            case tree.Broken():
                pass


def _call(call: tree.Call, found: set[str]) -> None:
    found.add(call.name)
    for arg in call.args:
        _expr(arg.value, found)
    for branch in call.branches or ():
        _body(branch, found)


def _expr(expr: tree.Expr, found: set[str]) -> None:
    match expr:
        case tree.Ref():
            found.add(expr.name)
            base, dot, _ = expr.name.rpartition(".")
            if dot:
                found.add(base)
        case tree.Paren() | tree.Sign() | tree.Not():
            _expr(expr.inner, found)
        case tree.Tuple():
            for item in expr.items:
                _expr(item, found)
        case tree.Chain():
            _expr(expr.first, found)
            for _, right in expr.rest:
                _expr(right, found)
        case tree.Compare():
            _expr(expr.left, found)
            _expr(expr.right, found)
        case tree.Index():
            _expr(expr.base, found)
            _expr(expr.index, found)
        case tree.Invoke():
            for argument in expr.arguments:
                _expr(argument, found)
        case tree.Number() | tree.Size() | tree.Text():
            pass
