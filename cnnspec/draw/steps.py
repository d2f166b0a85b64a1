"""How does an amount change from layer to layer, in the order in which they run?"""

from collections.abc import Callable, Sequence
from itertools import groupby

from cnnspec.draw.letters import fitted, width
from cnnspec.draw.svg import Element, Figure, node
from cnnspec.draw.theme import Role, Theme
from cnnspec.draw.ticks import linear
from cnnspec.text.record import record

SIZE, SMALL = 12.0, 11.5
WIDE, HIGH = 560.0, 290.0
TOP, BOTTOM, RIGHT = 44.0, 46.0, 14.0

MOST_TIPS = 300
"""Places with a tip; of more layers, several share one."""

MANY = 200
"""Layers, whose steps are drawn as thin lines."""

Box = tuple[float, float, float, float]


@record
class Course:
    """An amount for each layer."""

    name: str
    amounts: Sequence[float]
    role: Role
    is_filled: bool = False


@record
class Peg:
    """A layer that is pointed at, with what is said of it."""

    layer: int
    amount: float
    text: str


@record
class Words:
    """What a figure says beside its courses."""

    title: str
    description: str
    upwards: Callable[[float], str]
    """How an amount is written at the axis."""
    tips: Sequence[str]
    """What the pointer is told at each layer."""
    level: tuple[float, str] | None = None
    """An amount that all may be compared with."""
    ends: tuple[int, str] | None = None
    """The layer from which on there is no amount, and why."""


def steps(
    courses: Sequence[Course], words: Words, pegs: Sequence[Peg] = (), theme: Theme = "auto"
) -> Figure:
    """Every layer is as wide as every other; the courses' amounts stand side by side."""
    return _Steps(courses, words, pegs, theme).figure


class _Steps:
    def __init__(
        self, courses: Sequence[Course], words: Words, pegs: Sequence[Peg], theme: Theme
    ) -> None:
        self.words = words
        self.n = len(words.tips)
        self.figure = Figure(WIDE, HIGH, words.title, words.description, theme)
        highest = max((a for c in courses for a in c.amounts), default=0) or 1
        if words.level is not None:
            highest = max(highest, words.level[0])
        self.axis = linear(0, 1.06 * highest, 5)
        self.left = 14 + max(width(words.upwards(t), SMALL) for t in self.axis.ticks)
        self.taken: list[Box] = []
        self._frame()
        self._beyond()
        for course in courses:
            self._course(course)
        self._level()
        self._names(courses)
        for peg in pegs:
            self._peg(peg)
        self._tips()

    def x(self, layer: float) -> float:
        return self.left + (WIDE - RIGHT - self.left) * layer / max(1, self.n)

    def y(self, amount: float) -> float:
        return HIGH - BOTTOM - (HIGH - BOTTOM - TOP) * self.axis.share(amount)

    def _frame(self) -> None:
        f, words = self.figure, self.words
        f.add(f.text(words.title, 8, 18, size=13, bold=True))
        for tick in self.axis.ticks:
            y = self.y(tick)
            f.add(
                _line(f, self.left, y, WIDE - RIGHT, y, "faint"),
                f.text(
                    words.upwards(tick), self.left - 6, y + 4, size=SMALL, anchor="end", role="soft"
                ),
            )
        base = self.y(0)
        f.add(_line(f, self.left, base, WIDE - RIGHT, base, "line"))
        for tick in linear(0, self.n, 8, whole=True).ticks:
            x = self.x(tick)
            f.add(
                _line(f, x, base, x, base + 4, "line"),
                f.text(f"{tick:,.0f}", x, base + 17, size=SMALL, anchor="middle", role="soft"),
            )
        middle, said = (self.left + WIDE - RIGHT) / 2, "layers, in the order in which they run"
        f.add(f.text(said, middle, base + 35, size=SMALL, anchor="middle", role="soft"))

    def _course(self, course: Course) -> None:
        f = self.figure
        at, path, before = 0, "", self.y(0)
        for amount, run in groupby(course.amounts):
            y, end = self.y(amount), at + sum(1 for _ in run)
            path += f"{'M' if not at else 'L'}{self.x(at):.1f} {y:.1f}H{self.x(end):.1f}"
            self.taken.append((self.x(at), y - 1, self.x(end), y + 1))
            self.taken.append((self.x(at) - 1, min(before, y), self.x(at) + 1, max(before, y)))
            at, before = end, y
        if course.is_filled:
            base = self.y(0)
            area = f"{path}V{base:.1f}H{self.x(0):.1f}Z"
            f.add(node("path", d=area, fill_opacity=0.18, **f.paint(course.role)))
        f.add(
            node(
                "path",
                d=path,
                stroke_width=1.8 if self.n < MANY else 1,
                **f.paint(None, course.role),
            )
        )

    def _beyond(self) -> None:
        if self.words.ends is None:
            return
        f, (layer, why) = self.figure, self.words.ends
        left, right = self.x(layer), self.x(self.n)
        panel = f.paint("panel")
        f.add(node("rect", x=left, y=TOP, width=right - left, height=self.y(0) - TOP, **panel))
        words = fitted(why, right - left - 8, SMALL)
        if len(words) > 3:
            middle = (left + right) / 2
            self._said(words, middle, self.y(0) - 8, "middle", "soft")

    def _level(self) -> None:
        if self.words.level is None:
            return
        f, (amount, text) = self.figure, self.words.level
        y = self.y(amount)
        f.add(_line(f, self.left, y, WIDE - RIGHT, y, "mark", stroke_dasharray="5 4"))
        self._said(text, self.left + 6, y - 5, "start", "mark")

    def _names(self, courses: Sequence[Course]) -> None:
        """A legend at the top right, where there is more than one course."""
        f, x = self.figure, WIDE - 8
        wide = sum(34 + width(c.name, SMALL) for c in courses)
        line = 18 if 20 + width(self.words.title, 13, bold=True) + wide < WIDE else 34
        for course in reversed(courses if len(courses) > 1 else ()):
            x -= width(course.name, SMALL)
            f.add(
                f.text(course.name, x, line, size=SMALL, role="soft"),
                _line(f, x - 20, line - 4, x - 5, line - 4, course.role, stroke_width=2.5),
            )
            x -= 34

    def _peg(self, peg: Peg) -> None:
        """A name at a step: left of it and above, or where else there is room; else none."""
        f = self.figure
        x, y = self.x(peg.layer + 0.5), self.y(peg.amount)
        wide = width(peg.text, SMALL)
        within = min(max(x, self.left + wide / 2), WIDE - 6 - wide / 2)
        places = (
            (x - 5, y - 6, "end", -wide, 0.0),
            (x, y - 7, "middle", -wide / 2, wide / 2),
            (x + 5, y - 6, "start", 0.0, wide),
            (x + 6, y + 17, "start", 0.0, wide),
            (x - 6, y - 20, "end", -wide, 0.0),
            (within, y - 7, "middle", -wide / 2, wide / 2),
            (within, TOP - 2, "middle", -wide / 2, wide / 2),
        )
        for at, line, anchor, before, after in places:
            box = (at + before - 2, line - SMALL, at + after + 2, line + 4)
            if self._is_free(box):
                f.add(node("circle", cx=x, cy=y, r=3, **f.paint("ink")))
                self._said(peg.text, at, line, anchor, "ink")
                return

    def _said(self, text: str, x: float, y: float, anchor: str, role: Role) -> None:
        f, wide = self.figure, width(text, SMALL)
        before = {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        self.taken.append((x - before - 2, y - SMALL, x - before + wide + 2, y + 4))
        f.add(f.text(text, x, y, size=SMALL, anchor=anchor, role=role))

    def _is_free(self, box: Box) -> bool:
        left, top, right, bottom = box
        if left < self.left or right > WIDE - 4 or top < TOP - 16 or bottom > self.y(0):
            return False
        return not any(
            left < r and right > x and top < b and bottom > y for x, y, r, b in self.taken
        )

    def _tips(self) -> None:
        f, base = self.figure, self.y(0)
        together = -(-self.n // MOST_TIPS)
        for at in range(0, self.n, together):
            tip = node("title")
            tip.text = "\n".join(self.words.tips[at : at + together])
            left, right = self.x(at), self.x(min(at + together, self.n))
            box = {"x": left, "y": TOP, "width": right - left, "height": base - TOP}
            f.add(node("rect", tip, **box, class_="tip", fill="none", pointer_events="all"))


def _line(
    f: Figure, x1: float, y1: float, x2: float, y2: float, role: Role, **more: str | float
) -> Element:
    return node("line", x1=x1, y1=y1, x2=x2, y2=y2, **more, **f.paint(None, role))
