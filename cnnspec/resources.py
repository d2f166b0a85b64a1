"""Where do the grammar and the zoo lie: inside an installed package, or beside it in a checkout?"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """`grammars` or `specs`, wherever this copy of the package keeps it."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name
