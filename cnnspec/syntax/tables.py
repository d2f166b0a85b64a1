# pyright: basic
"""Where do the parser's tables come from: the grammar, or the cache of an earlier start?

Working out the tables takes sixty milliseconds, a quarter of what `check` needs; reading them six.
They are kept like Python's own `.pyc` files: in the user's cache folder, under a name made of all
that they depend on. Where that folder cannot be written nothing is kept, and nothing else changes.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cnnspec.resources import folder

if TYPE_CHECKING:
    from lark import Lark

OPTIONS: dict[str, Any] = {"parser": "lalr", "lexer": "basic", "maybe_placeholders": False}


def parser_with(**hooks: Any) -> Lark:
    """A parser of the grammar, with the hooks that a cache cannot keep."""
    import lark

    with open(os.path.join(folder("grammars"), "cnn.lark"), encoding="utf-8") as file:
        grammar = file.read()
    known = "\n".join([grammar, lark.__version__, sys.version, repr(OPTIONS)])
    path = os.path.join(_cache(), f"grammar-{_digest(known.encode())}.bin")
    kept = _read(path)
    if kept is not None:
        data, memo = marshal.loads(kept)
        return lark.Lark._load_from_dict(data, memo, **hooks)
    parser = lark.Lark(grammar, **OPTIONS, **hooks)
    with suppress(OSError):
        _write(path, marshal.dumps(_tables(parser)))
    return parser


def _tables(parser: Lark) -> Any:
    from lark.grammar import Rule
    from lark.lexer import TerminalDef

    data, memo = parser.memo_serialize([TerminalDef, Rule])
    # The hooks are objects of this process; who reads the tables brings its own.
    data["options"] |= {"postlex": None, "transformer": None, "lexer_callbacks": {}}
    return data, memo


def _cache() -> str:
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return os.path.join(home or os.path.join(os.path.expanduser("~"), ".cache"), "cnnspec")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _read(path: str) -> bytes | None:
    """What was kept, if it is there and whole."""
    try:
        with open(path, "rb") as file:
            digest, data = file.read(32), file.read()
    except OSError:
        return None
    return data if digest == _digest(data).encode() else None


def _write(path: str, data: bytes) -> None:
    """Keep the tables: a reader sees all of them or none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(_digest(data).encode() + data)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
