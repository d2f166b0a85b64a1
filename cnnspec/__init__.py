"""A language for convolutional networks: one page, checked, counted, compiled and trained."""

from typing import TYPE_CHECKING, Any

from cnnspec.version import VERSION

if TYPE_CHECKING:
    from cnnspec.api import Network, load, loads
    from cnnspec.text.diagnostic import Diagnostic, SpecError

__version__ = VERSION
__all__ = ["Diagnostic", "Network", "SpecError", "__version__", "load", "loads"]

_HOMES = {
    "load": "cnnspec.api",
    "loads": "cnnspec.api",
    "Network": "cnnspec.api",
    "Diagnostic": "cnnspec.text.diagnostic",
    "SpecError": "cnnspec.text.diagnostic",
}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that the command line starts at once.
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnspec' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
