"""How is a figure written as SVG?

A figure is built of elements and written by the standard library, which escapes whatever comes
from a spec. Sizes are pixels; numbers are rounded, so that the same figure is the same bytes
everywhere.
"""

from dataclasses import dataclass, field
from hashlib import blake2s
from xml.etree import ElementTree

from cnnspec.draw.letters import FONT, LINE, MONO, width
from cnnspec.draw.theme import Role, Theme, colour, rules
from cnnspec.text.excerpt import safe
from cnnspec.writing import PathLike, replacing

Element = ElementTree.Element
Number = float | int


def node(tag: str, *children: Element | None, **attributes: str | Number | None) -> Element:
    """An element. `_` stands for `-` in names of attributes and may end one that Python keeps for
    itself (`class_`); what is None is left out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), _written(value))
    made.extend([c for c in children if c is not None])
    return made


def _written(value: str | Number) -> str:
    if isinstance(value, str):
        return safe(value)
    short = f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else str(int(value))
    return "0" if short == "-0" else short


@dataclass
class Figure:
    """A figure of a size, with its elements in the order in which they are painted."""

    width: float
    height: float
    title: str
    """What it shows, in a few words, for those who cannot see it and for a tip."""
    description: str
    """What can be seen in it, in a sentence or more."""
    theme: Theme = "auto"
    children: list[Element] = field(default_factory=list[Element])

    def add(self, *elements: Element | None) -> None:
        self.children += [e for e in elements if e is not None]

    # ── what most figures are made of ──────────────────────────────────────────────────────────

    def paint(self, fill: Role | None = None, stroke: Role | None = None) -> dict[str, str]:
        """Attributes for `node`: `node("rect", …, **figure.paint("conv", "line"))`."""
        classes = [f"f-{fill}"] if fill else []
        classes += [f"s-{stroke}"] if stroke else []
        found = {"class_": " ".join(classes)} if classes else {}
        found["fill"] = colour(fill, self.theme) if fill else "none"
        if stroke:
            found["stroke"] = colour(stroke, self.theme)
        return found

    def text(
        self,
        words: str,
        x: float,
        y: float,
        *,
        size: float = 12,
        anchor: str = "start",
        role: Role = "ink",
        bold: bool = False,
        mono: bool = False,
        **attributes: str | Number | None,
    ) -> Element:
        """One line of letters that stands on `y`."""
        made = node(
            "text",
            x=x,
            y=y,
            font_size=size,
            text_anchor=None if anchor == "start" else anchor,
            font_weight="bold" if bold else None,
            font_family=MONO if mono else None,
            **{**self.paint(role), **attributes},
        )
        made.text = safe(words)
        return made

    def lines(
        self, lines: list[str], x: float, y: float, *, size: float = 12, **kinds: object
    ) -> Element:
        """Several lines below each other; the first stands on `y`."""
        return node(
            "g",
            *(
                self.text(words, x, y + i * LINE * size, size=size, **kinds)  # pyright: ignore[reportArgumentType]
                for i, words in enumerate(lines)
            ),
        )

    # ── what comes of it ───────────────────────────────────────────────────────────────────────

    def element(self) -> Element:
        """The figure whole, for a file or a page."""
        key = blake2s(f"{self.title}\n{self.description}".encode(), digest_size=4).hexdigest()
        title, description = node("title", id=f"t{key}"), node("desc", id=f"d{key}")
        title.text, description.text = safe(self.title), safe(self.description)
        style = node("style")
        style.text = rules(self.theme)
        return node(
            "svg",
            title,
            description,
            style if style.text else None,
            *self.children,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {_written(self.width)} {_written(self.height)}",
            width=self.width,
            height=self.height,
            role="img",
            aria_labelledby=f"t{key} d{key}",
            font_family=FONT,
        )

    def svg(self) -> str:
        """The text of a file, or of a figure within a page."""
        return ElementTree.tostring(self.element(), encoding="unicode")

    def save(self, path: PathLike) -> None:
        """Write it as an SVG file."""
        with replacing(path) as file:
            file.write(self.svg().encode())

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.svg()


def wide(lines: list[str], size: float, *, bold: bool = False) -> float:
    """What the longest of several lines takes."""
    return max((width(line, size, bold=bold) for line in lines), default=0.0)
