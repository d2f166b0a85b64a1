"""Does the measure of letters on a figure find what it is there for?"""

import pytest

from draw.boxes import outside, overlaps, smallest, texts


def svg(inside: str) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100">{inside}</svg>'


def text(words: str, x: float, y: float, more: str = "") -> str:
    return f'<text x="{x}" y="{y}" font-size="10" {more}>{words}</text>'


def test_letters_on_letters() -> None:
    assert overlaps(svg(text("one", 10, 20) + text("two", 20, 24))) == [("one", "two")]
    # Side by side, and one line below the other.
    assert overlaps(svg(text("one", 10, 20) + text("two", 40, 20))) == []
    assert overlaps(svg(text("one", 10, 20) + text("two", 10, 30))) == []


@pytest.mark.parametrize(
    ("more", "left", "right"),
    [("", 100, 130), ('text-anchor="middle"', 85, 115), ('text-anchor="end"', 70, 100)],
)
def test_anchors(more: str, left: float, right: float) -> None:
    (box,) = texts(svg(text("HHHH", 100, 50, more)))
    assert (box.left, box.right) == (left, right)


def test_what_moves_and_turns_letters() -> None:
    moved = '<g transform="translate(50 10)"><g transform="scale(2)">%s</g></g>'
    (box,) = texts(svg(moved % text("a", 10, 20)))
    assert (box.left, box.size) == (70, 20)
    assert box.top == pytest.approx(50 - 0.76 * 20)
    (upright,) = texts(svg(text("along the axis", 10, 50, 'transform="rotate(-90 10 50)"')))
    assert upright.right - upright.left < upright.bottom - upright.top
    assert upright.bottom == pytest.approx(50)


def test_what_is_inherited() -> None:
    plain, bold = texts(
        svg(text("wide", 0, 50) + f'<g font-weight="bold">{text("wide", 0, 50)}</g>')
    )
    assert bold.right > plain.right


def test_letters_that_leave_the_figure() -> None:
    assert outside(svg(text("in", 10, 50) + text("out of it", 180, 50) + text("up", 10, 3))) == [
        "out of it",
        "up",
    ]


def test_how_small_letters_are_shown() -> None:
    assert smallest(svg(text("a", 10, 50))) == 10
    assert smallest(svg(text("a", 10, 50)), 100) == 5
