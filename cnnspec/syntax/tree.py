"""What does a spec's text say? Frozen nodes, each with its span; nothing is known of them yet."""

from cnnspec.text.record import record
from cnnspec.text.source import Source, Span

# ── expressions ────────────────────────────────────────────────────────────────────────────────


@record
class Number:
    """`6`, `1e-3`, `61_706`, `0.5M`, `10MB`: the text is kept for the canonical form."""

    span: Span
    text: str


@record
class Size:
    """`3x224x224`, shorthand for a tuple."""

    span: Span
    numbers: tuple[int, ...]


@record
class Text:
    span: Span
    text: str


@record
class Ref:
    """`classes`, `same`, `in.channels`, `e1.height`: the dotted name as written."""

    span: Span
    name: str


@record
class Paren:
    """`(a + b)`: kept, because the author thought it clearer."""

    span: Span
    inner: "Expr"


@record
class Tuple:
    """`(a, b)` or `[a, b]`."""

    span: Span
    items: "tuple[Expr, ...]"
    brackets: bool


@record
class Index:
    """`xs[i]`."""

    span: Span
    base: "Expr"
    index: "Expr"


@record
class Invoke:
    """`min(a, b)`: a function of the language."""

    span: Span
    name: str
    name_span: Span
    arguments: "tuple[Expr, ...]"


@record
class Sign:
    """`-x`."""

    span: Span
    inner: "Expr"


@record
class Not:
    span: Span
    inner: "Expr"


@record
class Chain:
    """Operators of one level, from left to right: `a + b - c`, `a and b`, `a * b / c`, `a ** b`.

    Kept flat, so that a sum of a hundred thousand terms is no deeper than one of two.
    """

    span: Span
    first: "Expr"
    rest: "tuple[tuple[str, Expr], ...]"


@record
class Compare:
    """`a == b`; comparisons do not chain."""

    span: Span
    left: "Expr"
    op: str
    right: "Expr"


Expr = Number | Size | Text | Ref | Paren | Tuple | Index | Invoke | Sign | Not | Chain | Compare

# ── calls ──────────────────────────────────────────────────────────────────────────────────────


@record
class Arg:
    """`64` by place, or `pad=1` by name."""

    span: Span
    name: str | None
    name_span: Span
    value: Expr


@record
class Label:
    """`as e1`: the dotted name as written."""

    span: Span
    name: str


@record
class Call:
    """A layer, a block, a training setting, or the bare name of a value (`in`, `e1`)."""

    span: Span
    name: str
    name_span: Span
    args: tuple[Arg, ...]
    branches: "tuple[Body, ...] | None"
    label: Label | None


# ── statements ─────────────────────────────────────────────────────────────────────────────────


@record
class Flow:
    """`a -> b -> c`: one value through several calls."""

    span: Span
    calls: tuple[Call, ...]


@record
class Let:
    """`let n = 3`, or `let (w, d) = pair`."""

    span: Span
    names: tuple[Label, ...]
    is_tuple: bool
    value: Expr


@record
class Repeat:
    span: Span
    count: Expr
    body: "Body"


@record
class For:
    span: Span
    names: tuple[Label, ...]
    is_tuple: bool
    items: Expr
    body: "Body"


@record
class If:
    """`if a { … } else if b { … } else { … }`."""

    span: Span
    arms: "tuple[tuple[Expr, Body], ...]"
    otherwise: "Body | None"


@record
class Expect:
    """`expect 16x5x5` here, or `expect params == 61_706, macs <= 0.5M` of the network."""

    span: Span
    claims: tuple[Expr, ...]


@record
class Head:
    """`head boxes { … }`: a side branch whose end is an output of the network."""

    span: Span
    name: Label
    body: "Body"


@record
class Broken:
    """Text that could not be read; already reported."""

    span: Span


Statement = Flow | Let | Repeat | For | If | Expect | Head | Broken


@record
class Body:
    """`{ … }`, or what follows a `|`: the span takes in the brace or the bar."""

    span: Span
    statements: tuple[Statement, ...]


# ── items of a file ────────────────────────────────────────────────────────────────────────────


@record
class Use:
    """`use "resnet.cnn" depth=50`: blocks of another file, and its network where this has none."""

    span: Span
    path: Text
    args: tuple[Arg, ...]


@record
class Param:
    """`param classes = 10`."""

    span: Span
    name: Label
    value: Expr


@record
class Formal:
    """A block's parameter, with its default if it has one."""

    span: Span
    name: str
    default: Expr | None


@record
class Block:
    span: Span
    name: Label
    formals: tuple[Formal, ...]
    body: Body


@record
class Network:
    span: Span
    keyword_span: Span
    name: Label | None
    body: Body


@record
class Train:
    """`train { … }`: settings, each a flow of calls."""

    span: Span
    keyword_span: Span
    body: Body


Item = Use | Param | Let | Block | Network | Train | Expect | Broken


@record
class Comment:
    """`# …`, kept beside the tree for the formatter."""

    span: Span


@record
class File:
    source: Source
    items: tuple[Item, ...]
    comments: tuple[Comment, ...]
