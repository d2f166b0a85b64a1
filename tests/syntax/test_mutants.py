"""Does any text, however spoilt, get a tree or a message, and every place lie in its file?"""

import random
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from cnnspec.model.check import check_file
from cnnspec.syntax import tree
from cnnspec.syntax.format import format_file, same_program
from cnnspec.syntax.parse import parse
from cnnspec.text.diagnostic import Diagnostic, Sink, TooManyErrors
from cnnspec.text.render import render_all
from cnnspec.text.source import Source, Span

SPECS = sorted((Path(__file__).parents[2] / "specs").glob("*.cnn"))
MUTANTS = 300
TOKEN = re.compile(r'"[^"\n]*"|\w+|->|\n|[^\w\s]')
INTRUDERS = (
    *'{}()[]|=,.é"#-\n\x00',
    *("->", "**", "5x", "1e9", "as", "if", "else", "let", "in", "not", "head", "network"),
)


def mutant(text: str, dice: random.Random) -> str:
    """One to three spots of a text spoilt, or its end cut off."""
    for _ in range(dice.randint(1, 3)):
        spots = list(TOKEN.finditer(text))
        if not spots:
            break
        a, b = sorted((dice.choice(spots), dice.choice(spots)), key=lambda m: m.start())
        match dice.randrange(5):
            case 0:
                text = text[: a.start()] + text[a.end() :]
            case 1:
                text = f"{text[: a.end()]} {a[0]}{text[a.end() :]}"
            case 2 if a.end() <= b.start():
                between = text[a.end() : b.start()]
                text = text[: a.start()] + b[0] + between + a[0] + text[b.end() :]
            case 3:
                text = f"{text[: a.start()]} {dice.choice(INTRUDERS)} {text[a.start() :]}"
            case _:
                text = text[: a.start()]
    return text


def check_spans(node: object, source: Source) -> None:
    """Every place in a tree lies in its file and in the right order."""
    if isinstance(node, Span):
        assert node.source is source
        assert 0 <= node.start <= node.end <= len(source.text)
    elif isinstance(node, tuple):
        for item in node:
            check_spans(item, source)
    elif is_dataclass(node) and not isinstance(node, Source):
        for field in fields(node):
            check_spans(getattr(node, field.name), source)


def check_message(d: Diagnostic) -> None:
    for span in (d.span, *(label.span for label in d.labels)):
        assert 0 <= span.start <= span.end <= len(span.source.text), d.message
    assert d.message
    assert "Token" not in d.message
    assert "RBRACE" not in d.message


@pytest.mark.parametrize("part", range(6))
def test_mutants(part: int) -> None:
    dice = random.Random(f"mutants {part}")
    right = 0
    for _ in range(MUTANTS // 6):
        text = mutant(dice.choice(SPECS).read_text(encoding="utf-8"), dice)
        source = Source("mutant.cnn", text)
        sink = Sink()
        file = parse(source, sink)
        check_spans(file.items, source)
        if not sink.failed:
            right += 1
            check_format(file)
        check_all(file, sink)
        for d in sink.diagnostics:
            check_message(d)
        render_all(sink.ordered())
    assert right < MUTANTS // 6, "most mutants are wrong"


def check_format(file: tree.File) -> None:
    text = format_file(file)
    again = parse(Source("again.cnn", text), Sink())
    assert same_program(file, again)
    assert format_file(again) == text
    assert len(again.comments) <= len(file.comments)
    said = [c.span.text.strip() for c in file.comments]
    assert all(comment in text for comment in said)


def check_all(file: tree.File, sink: Sink) -> None:
    """What follows the parser meets the mutant too, and ends in a network or a message."""

    def read(path: str) -> Source:
        raise FileNotFoundError(path)

    try:
        graph = check_file(file, {}, sink, read)
    except TooManyErrors:
        graph = None
    assert (graph is None) == sink.failed


def test_noise() -> None:
    dice = random.Random("noise")
    letters = [*INTRUDERS, *"abc 123\n\n\n"]
    for _ in range(200):
        source = Source("noise.cnn", "".join(dice.choices(letters, k=dice.randrange(200))))
        sink = Sink()
        file = parse(source, sink)
        check_spans(file.items, source)
        for d in sink.diagnostics:
            check_message(d)
        assert sink.failed or file.items or not source.text.split("#")[0].strip()
