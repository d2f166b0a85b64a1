"""What is a training setting: one line of `train { … }`?"""

from collections.abc import Mapping

from cnnspec.text.record import record
from cnnspec.vocab.kind import Kind


class Word(Kind):
    """Base of the words that follow a setting's name: `adam` in `optimizer adam lr=1e-3`."""


@record
class Setting:
    """A setting: its name, what it says, and the words that may follow; a setting without words of
    its
    own takes its arguments directly, as in `epochs 12`."""

    name: str
    doc: str
    words: Mapping[str, type[Kind]]
    plain: type[Kind] | None = None
    is_repeatable: bool = False
    """May it stand on several lines?"""
    is_chain: bool = False
    """May several words follow each other by `->`?"""


def table(*kinds: type[Kind]) -> Mapping[str, type[Kind]]:
    return {kind.kind: kind for kind in kinds}
