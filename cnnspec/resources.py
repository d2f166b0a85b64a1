"""Where do the grammar and the zoo lie: inside an installed package, or beside it in a checkout?"""

import os

PACKAGE = os.path.dirname(os.path.abspath(__file__))


def folder(name: str) -> str:
    """`grammars` or `specs`, wherever this copy of the package keeps it."""
    inside = os.path.join(PACKAGE, name)
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(PACKAGE), name)
