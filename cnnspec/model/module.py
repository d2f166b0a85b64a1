"""What does a file define, and what does it take from other files?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import cast

from cnnspec.layers import KINDS
from cnnspec.model.evaluate import Site, Surroundings, evaluate, evaluate_closed
from cnnspec.model.scope import RESERVED, Definition, Scope
from cnnspec.syntax import tree
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Label, Sink, TooManyErrors
from cnnspec.text.record import record
from cnnspec.text.source import Source, Span
from cnnspec.text.suggest import did_you_mean
from cnnspec.vocab.value import UNKNOWN, show

Read = Callable[[str], Source]
"""Loads a file by its path; raises `OSError` or `UnicodeDecodeError`."""


MOST_FILES = 500
"""Files that each use the next one twice multiply."""


@record
class BlockDef:
    """A block and the file whose params and blocks it sees."""

    tree: tree.Block
    home: "Module"


@dataclass(slots=True, eq=False)
class Module:
    """A file, its names worked out."""

    file: tree.File
    scope: Scope = field(default_factory=Scope)
    params: dict[str, object] = field(default_factory=dict[str, object])
    blocks: dict[str, BlockDef] = field(default_factory=dict[str, BlockDef])
    network: "tuple[tree.Network, Module] | None" = None
    """The network of the file, or of a file that it uses, with the file that it stands in."""
    train: "tuple[tree.Train, Module] | None" = None
    expects: list[tree.Expect] = field(default_factory=list[tree.Expect])

    def site(self, sink: Sink) -> Surroundings:
        return Site(sink, None, self.lookup, self.names)

    def lookup(self, name: str) -> object | None:
        found = self.scope.find(name)
        return None if found is None else found.value

    def names(self) -> Iterable[str]:
        return self.scope.all_names()


@dataclass(slots=True, eq=False)
class Loader:
    """Works files out; remembers those under way, so that a file cannot use itself."""

    sink: Sink
    read: Read
    under_way: list[str] = field(default_factory=list[str])
    loaded: int = 0

    def load(self, file: tree.File, overrides: Mapping[str, object]) -> tuple[Module, set[str]]:
        """The file's module, and which of the overrides named a param of it."""
        module = Module(file)
        used: set[str] = set()
        self.under_way.append(normpath(file.source.name))
        for item in file.items:
            if isinstance(item, tree.Block):
                self._define_block(module, item)
        for item in file.items:
            self._item(module, item, overrides, used)
        self.under_way.pop()
        return module, used

    def _item(
        self,
        module: Module,
        item: tree.Item,
        overrides: Mapping[str, object],
        used: set[str],
    ) -> None:
        match item:
            case tree.Use():
                used |= self._use(module, item, overrides)
            case tree.Param():
                used |= self._param(module, item, overrides)
            case tree.Let():
                bind_let(item, module.scope, module.site(self.sink))
            case tree.Network():
                self._network(module, item)
            case tree.Train():
                self._train(module, item)
            case tree.Expect():
                module.expects.append(item)
            case tree.Block() | tree.Broken():
                pass

    def _param(self, module: Module, item: tree.Param, overrides: Mapping[str, object]) -> set[str]:
        name = item.name.name
        site = module.site(self.sink)
        value = evaluate(item.value, site)
        given = name in overrides
        if given:
            value = overrides[name]
        define(module.scope, name, Definition(value, "param", item.name.span), site)
        module.params[name] = value
        return {name} if given else set()

    def _define_block(self, module: Module, block: tree.Block) -> None:
        name = block.name.name
        other = module.blocks.get(name)
        if name in KINDS:
            self.sink.error(
                "duplicate-name",
                f"`{name}` is a kind of layer; a block needs another name",
                block.name.span,
            )
        elif other is not None:
            self.sink.error(
                "duplicate-name",
                f"there are two blocks called `{name}`",
                block.name.span,
                labels=[Label(other.tree.name.span, "the first is here")],
            )
        else:
            module.blocks[name] = BlockDef(block, module)
        seen: dict[str, tree.Formal] = {}
        for formal in block.formals:
            if formal.name in seen:
                self.sink.error(
                    "duplicate-name",
                    f"block `{name}` has two parameters called `{formal.name}`",
                    formal.span,
                    labels=[Label(seen[formal.name].span, "the first is here")],
                )
            seen.setdefault(formal.name, formal)

    def _network(self, module: Module, network: tree.Network) -> None:
        other = module.network
        if other is not None and other[1] is module:
            self.sink.error(
                "two-networks",
                "a file has one network; this is a second one",
                network.keyword_span,
                labels=[Label(other[0].keyword_span, "the first is here")],
                hint="a part that is used several times is a `block`",
            )
            return
        module.network = (network, module)

    def _train(self, module: Module, train: tree.Train) -> None:
        other = module.train
        if other is not None and other[1] is module:
            self.sink.error(
                "duplicate-setting",
                "a file has one `train` part; this is a second one",
                train.keyword_span,
                labels=[Label(other[0].keyword_span, "the first is here")],
            )
            return
        module.train = (train, module)

    def _use(self, module: Module, item: tree.Use, overrides: Mapping[str, object]) -> set[str]:
        """Take in another file: its blocks, and its network where this file has none."""
        source = self._read(module, item)
        if source is None:
            return set()
        given = self._settings(module, item)
        inner = {k: v for k, v in overrides.items() if k not in module.params} | {
            name: value for name, (value, _) in given.items()
        }
        other, used = self.load(parse(source, self.sink), inner)
        for name, (_, span) in given.items():
            if name not in used:
                self.sink.error(
                    "unknown-param",
                    f'"{item.path.text}" has no param `{name}`',
                    span,
                    hint=did_you_mean(name, other.params) or _list_params(other.params),
                )
        self._take_blocks(module, other, item)
        if module.network is None:
            module.network, module.train = other.network, module.train or other.train
            # What the file leaves open stays open to whoever uses this one.
            module.params |= {k: v for k, v in other.params.items() if k not in module.params}
        return {name for name in used if name not in given}

    def _read(self, module: Module, item: tree.Use) -> Source | None:
        path = normpath(join(dirname(module.file.source.name), item.path.text))
        if path in self.under_way:
            way = [*self.under_way[self.under_way.index(path) :], path]
            self.sink.error(
                "use-cycle",
                f'"{item.path.text}" is being read already: a file cannot use itself',
                item.path.span,
                notes=[" uses ".join(way)] if len(way) > 2 else [],
            )
            return None
        if len(self.under_way) > 32:
            self.sink.error(
                "nesting-too-deep", "files use each other more than 32 deep", item.path.span
            )
            return None
        self.loaded += 1
        if self.loaded > MOST_FILES:
            self.sink.error(
                "too-large",
                f"more than {MOST_FILES} files are read, one used twice counted twice",
                item.path.span,
            )
            raise TooManyErrors
        try:
            return self.read(path)
        except (OSError, UnicodeDecodeError, ValueError) as fault:
            self.sink.error(
                "unreadable-file", f"{path}: {explain_unreadable(fault)}", item.path.span
            )
            return None

    def _settings(self, module: Module, item: tree.Use) -> dict[str, tuple[object, Span]]:
        given: dict[str, tuple[object, Span]] = {}
        site = module.site(self.sink)
        for arg in item.args:
            if arg.name is None:
                self.sink.error(
                    "extra-argument",
                    "`use` takes a file and then params by name, as in `depth=50`",
                    arg.span,
                )
                continue
            if arg.name in given:
                self.sink.error("duplicate-argument", f"`{arg.name}` is given twice", arg.name_span)
            given[arg.name] = (evaluate(arg.value, site), arg.name_span)
        return given

    def _take_blocks(self, module: Module, other: Module, item: tree.Use) -> None:
        for name, block in other.blocks.items():
            own = module.blocks.setdefault(name, block)
            if own is not block and own.tree is not block.tree:
                self.sink.error(
                    "duplicate-name",
                    f'block `{name}` of "{item.path.text}" is also defined here',
                    item.path.span,
                    labels=[Label(own.tree.name.span, "the other is here")],
                )


def define(scope: Scope, name: str, definition: Definition, site: Surroundings) -> None:
    """Give a name its meaning; a name means one thing, so what is defined already stays."""
    if name in RESERVED:
        site.sink.error(
            "duplicate-name",
            f"`{name}` has a meaning of its own; the {definition.role} needs another name",
            definition.span,
            trail=site.trail,
        )
        return
    other = scope.find(name)
    if other is not None and other.span != definition.span:
        site.sink.error(
            "duplicate-name",
            f"`{name}` is defined already, as a {other.role}",
            definition.span,
            labels=[Label(other.span, "it is defined here")],
            trail=site.trail,
        )
        return
    scope.names[name] = definition


def bind_let(item: tree.Let, scope: Scope, site: Surroundings) -> None:
    """`let a = …` and `let (a, b) = …`."""
    value = evaluate_closed(item.value, site)
    bind_names(item.names, item.is_tuple, value, "let", item.value.span, scope, site)


def bind_names(
    names: Sequence[tree.Label],
    is_tuple: bool,
    value: object,
    role: str,
    span: Span,
    scope: Scope,
    site: Surroundings,
) -> None:
    """One name for the value, or a tuple of names for its items."""
    if not is_tuple:
        values: Sequence[object] = (value,)
    elif value is UNKNOWN:
        values = (UNKNOWN,) * len(names)
    else:
        values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    if len(values) != len(names):
        there = "one value" if len(values) == 1 else f"{len(values)} values"
        site.sink.error(
            "wrong-tuple",
            f"{len(names)} names are given {there}: {show(cast('object', value))}",
            span,
            trail=site.trail,
        )
        values = (UNKNOWN,) * len(names)
    for name, item in zip(names, values, strict=True):
        define(scope, name.name, Definition(item, role, name.span), site)


def explain_unreadable(fault: Exception) -> str:
    """Why a file cannot be read, as a short clause."""
    match fault:
        case UnicodeDecodeError():
            return f"byte {fault.start} is not UTF-8 text"
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "this is a folder"
        case PermissionError():
            return "reading it is not permitted"
        case OSError():
            return (fault.strerror or str(fault)).lower()
        case _:
            return str(fault)


def _list_params(params: Mapping[str, object]) -> str:
    return f"its params: {', '.join(params)}" if params else "it has no params"
