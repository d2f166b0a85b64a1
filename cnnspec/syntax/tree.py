"""What does a spec's text say? Frozen nodes, each with its span; nothing is known of them yet."""

from dataclasses import dataclass

from cnnspec.text.source import Source, Span

# ── expressions ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Number:
    """`6`, `1e-3`, `61_706`, `0.5M`, `10MB`: the text is kept for the canonical form."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Size:
    """`3x224x224`, shorthand for a tuple."""

    span: Span
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Ref:
    """`classes`, `same`, `in.channels`, `e1.height`: the dotted name as written."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Paren:
    """`(a + b)`: kept, because the author thought it clearer."""

    span: Span
    inner: "Expr"


@dataclass(frozen=True, slots=True)
class Tuple:
    """`(a, b)` or `[a, b]`."""

    span: Span
    items: "tuple[Expr, ...]"
    brackets: bool


@dataclass(frozen=True, slots=True)
class Index:
    """`xs[i]`."""

    span: Span
    base: "Expr"
    index: "Expr"


@dataclass(frozen=True, slots=True)
class Invoke:
    """`min(a, b)`: a function of the language."""

    span: Span
    name: str
    name_span: Span
    arguments: "tuple[Expr, ...]"


@dataclass(frozen=True, slots=True)
class Sign:
    """`-x`."""

    span: Span
    inner: "Expr"


@dataclass(frozen=True, slots=True)
class Not:
    span: Span
    inner: "Expr"


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one level, from left to right: `a + b - c`, `a and b`, `a * b / c`, `a ** b`.

    Kept flat, so that a sum of a hundred thousand terms is no deeper than one of two.
    """

    span: Span
    first: "Expr"
    rest: "tuple[tuple[str, Expr], ...]"


@dataclass(frozen=True, slots=True)
class Compare:
    """`a == b`; comparisons do not chain."""

    span: Span
    left: "Expr"
    op: str
    right: "Expr"


Expr = Number | Size | Text | Ref | Paren | Tuple | Index | Invoke | Sign | Not | Chain | Compare

# ── calls ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Arg:
    """`64` by place, or `pad=1` by name."""

    span: Span
    name: str | None
    name_span: Span
    value: Expr


@dataclass(frozen=True, slots=True)
class Label:
    """`as e1`: the dotted name as written."""

    span: Span
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A layer, a block, a training setting, or the bare name of a value (`in`, `e1`)."""

    span: Span
    name: str
    name_span: Span
    args: tuple[Arg, ...]
    branches: "tuple[Body, ...] | None"
    label: Label | None


# ── statements ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Flow:
    """`a -> b -> c`: one value through several calls."""

    span: Span
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """`let n = 3`, or `let (w, d) = pair`."""

    span: Span
    names: tuple[Label, ...]
    is_tuple: bool
    value: Expr


@dataclass(frozen=True, slots=True)
class Repeat:
    span: Span
    count: Expr
    body: "Body"


@dataclass(frozen=True, slots=True)
class For:
    span: Span
    names: tuple[Label, ...]
    is_tuple: bool
    items: Expr
    body: "Body"


@dataclass(frozen=True, slots=True)
class If:
    """`if a { … } else if b { … } else { … }`."""

    span: Span
    arms: "tuple[tuple[Expr, Body], ...]"
    otherwise: "Body | None"


@dataclass(frozen=True, slots=True)
class Expect:
    """`expect 16x5x5` here, or `expect params == 61_706, macs <= 0.5M` of the network."""

    span: Span
    claims: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """`head boxes { … }`: a side branch whose end is an output of the network."""

    span: Span
    name: Label
    body: "Body"


@dataclass(frozen=True, slots=True)
class Broken:
    """Text that could not be read; already reported."""

    span: Span


Statement = Flow | Let | Repeat | For | If | Expect | Head | Broken


@dataclass(frozen=True, slots=True)
class Body:
    """`{ … }`, or what follows a `|`: the span takes in the brace or the bar."""

    span: Span
    statements: tuple[Statement, ...]


# ── items of a file ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Use:
    """`use "resnet.cnn" depth=50`: blocks of another file, and its network where this has none."""

    span: Span
    path: Text
    args: tuple[Arg, ...]


@dataclass(frozen=True, slots=True)
class Param:
    """`param classes = 10`."""

    span: Span
    name: Label
    value: Expr


@dataclass(frozen=True, slots=True)
class Formal:
    """A block's parameter, with its default if it has one."""

    span: Span
    name: str
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Block:
    span: Span
    name: Label
    formals: tuple[Formal, ...]
    body: Body


@dataclass(frozen=True, slots=True)
class Network:
    span: Span
    keyword_span: Span
    name: Label | None
    body: Body


@dataclass(frozen=True, slots=True)
class Train:
    """`train { … }`: settings, each a flow of calls."""

    span: Span
    keyword_span: Span
    body: Body


Item = Use | Param | Let | Block | Network | Train | Expect | Broken


@dataclass(frozen=True, slots=True)
class Comment:
    """`# …`, kept beside the tree for the formatter."""

    span: Span


@dataclass(frozen=True, slots=True)
class File:
    source: Source
    items: tuple[Item, ...]
    comments: tuple[Comment, ...]
