"""How does a page come about?

Templates of Jinja2 in `templates/`, which escape whatever is put into them. A page is one file: its
style, its script and its pictures are within it, and its policy forbids it to fetch anything.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cnnspec.draw.svg import Figure
from cnnspec.text.excerpt import safe
from cnnspec.version import VERSION

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """The text of a page; `values` are what its template names."""
    style, script = _text("page.css"), _text("page.js")
    # Only this script may run, whatever else should find its way into the page.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _templates()
        .get_template(template)
        .render(
            style=Markup(style),
            script=Markup(script),
            script_hash=digest,
            version=VERSION,
            figure=figure,
            safe=safe,
            **values,
        )
    )


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def figure(drawn: Figure) -> Markup:
    """A figure within a page."""
    # Elements, whose texts were escaped as they were written.
    return Markup(drawn.svg())
