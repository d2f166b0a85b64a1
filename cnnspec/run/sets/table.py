"""How is a table of numbers read, an example in each row?"""

import csv
import math
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnspec.run.files import printable
from cnnspec.run.sets.part import MOST, BadData, Found, Held, digest_of
from cnnspec.run.wanted import Wanted, show_size
from cnnspec.settings.sets import Table
from cnnspec.text.record import record

SEPARATORS = ";\t,"
"""Of two that are there as often, the comma is in the decimals."""

Floats = NDArray[np.float32]


@record
class Rows:
    path: Path
    values: Floats
    targets: Sequence[str]


def read_table(data: Table, folder: Path, wanted: Wanted) -> Found:
    """The rows of a file, and those of a second one for test."""
    train = _rows(data, folder / Path(data.path).expanduser(), wanted)
    test = None
    if data.test is not None:
        test = _rows(data, folder / Path(data.test).expanduser(), wanted)
    digest = digest_of(
        *(p for r in (train, test) if r for p in (r.values, "\n".join(r.targets).encode()))
    )
    numbers = _numbers(train.targets)
    whole = numbers is not None and all(n.is_integer() for n in numbers)
    if data.targets == "numbers" or (data.targets == "auto" and numbers is not None and not whole):
        return Found(
            _of_numbers(train, wanted),
            "numbers",
            digest,
            test=_of_numbers(test, wanted) if test else None,
        )
    table, names = _classes(train.targets, numbers if whole else None)
    return Found(
        _of_classes(train, table, wanted),
        "classes",
        digest,
        names,
        test=_of_classes(test, table, wanted) if test else None,
    )


def _rows(data: Table, path: Path, wanted: Wanted) -> Rows:
    values = array("f")
    targets: list[str] = []
    width = math.prod(n or 0 for n in wanted.size)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
            file.seek(0)
            separator = max(SEPARATORS, key=first.count)
            if not any(s in first for s in SEPARATORS):
                separator = " "
            lines = csv.reader(file, delimiter=separator, skipinitialspace=True)
            # A spreadsheet may leave a line of separators alone.
            full = (row for row in lines if any(cell.strip() for cell in row))
            head = next(full, list[str]()) if data.header else list[str]()
            if data.header and not head:
                raise BadData(f"{path} has no rows")
            column = _column(data, path, head)
            for row in full:
                where = f"line {lines.line_num} of {path}"
                _wide_enough(row, wanted, column, where)
                targets.append(_target(row.pop(column), where))
                values.extend(_row(row, where, data, lines.line_num))
    except FileNotFoundError:
        raise BadData(f"there is no file {path}") from None
    except UnicodeDecodeError:
        raise BadData(f"{path} is no table: its text is not UTF-8") from None
    except csv.Error as fault:
        raise BadData(f"{path} is no table: {str(fault).lower()}") from None
    if not targets:
        raise BadData(f"{path} has no rows")
    return Rows(path, np.frombuffer(values, np.float32).reshape(-1, width), targets)


def _column(data: Table, path: Path, head: Sequence[str]) -> int:
    if isinstance(data.target, int):
        return data.target
    names = [name.strip() for name in head]
    if not names:
        raise BadData(f"`target={data.target}` is a name, which columns have with `header=yes`")
    if names.count(data.target) > 1:
        raise BadData(f"{path} has {names.count(data.target)} columns called `{data.target}`")
    if data.target not in names:
        shown = ", ".join(names[:8]) + (", …" if names[8:] else "")
        raise BadData(f"{path} has no column `{data.target}`; its columns: {shown}")
    return names.index(data.target)


def _wide_enough(row: Sequence[str], wanted: Wanted, column: int, where: str) -> None:
    width = math.prod(n or 0 for n in wanted.size) + 1
    there = "1 column" if len(row) == 1 else f"{len(row)} columns"
    if len(row) != width:
        raise BadData(
            f"{where} has {there}; the target and {show_size(wanted.size)} would be {width}"
        )
    if column >= len(row):
        raise BadData(f"{where} has {there}; none is number {column}")


def _target(text: str, where: str) -> str:
    target = text.strip()
    if not target:
        raise BadData(f"{where} has no target: its column is empty")
    number = _number(target)
    # `nan` stands for what is missing, and would make numbers of classes.
    if number is not None and not abs(number) <= MOST:
        raise BadData(f"{where} has the target `{printable(target, 40)}`, {_why(number)}")
    return target


def _why(number: float) -> str:
    if not math.isfinite(number):
        return "which is no finite number"
    return "more than single precision holds"


def _row(row: Sequence[str], where: str, data: Table, line: int) -> list[float]:
    try:
        found = [float(text) for text in row]
    except ValueError:
        bad = next(text for text in row if _number(text) is None)
        hint = ": decimals have a point" if _number(bad.replace(",", ".")) is not None else ""
        if not hint and line == 1 and not data.header:
            hint = "; `header=yes` if these are names"
        raise BadData(f"{where} has `{printable(bad, 40)}`, which is no number{hint}") from None
    bad = next((k for k, x in enumerate(found) if not abs(x) <= MOST), None)
    if bad is not None:
        raise BadData(f"{where} has `{printable(row[bad].strip(), 40)}`, {_why(found[bad])}")
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(texts: Sequence[str]) -> list[float] | None:
    try:
        return [float(text) for text in texts]
    except ValueError:
        return None


def _classes(
    texts: Sequence[str], numbers: Sequence[float] | None
) -> tuple[dict[str, int], tuple[str, ...] | None]:
    """What each text counts as, and the names of the classes.

    Whole numbers from 0 on stay; others (1 to n, or -1 and 1) are counted in their order.
    """
    if numbers is None:
        names = sorted(set(texts))
        return {name: i for i, name in enumerate(names)}, tuple(names)
    pairs = {text: int(n) for text, n in zip(texts, numbers, strict=True)}
    values = sorted(set(pairs.values()))
    if values[0] == 0:
        return pairs, None
    return {text: values.index(n) for text, n in pairs.items()}, tuple(map(str, values))


def _of_classes(rows: Rows, table: dict[str, int], wanted: Wanted) -> Held:
    new = next((t for t in rows.targets if t not in table), None)
    if new is not None and _number(new) is not None:
        # 1 and 1.0 are one class.
        same = {float(text): label for text, label in table.items() if _number(text) is not None}
        table = {**{t: same[n] for t in rows.targets if (n := _number(t)) in same}, **table}
        new = next((t for t in rows.targets if t not in table), None)
    if new is not None:
        raise BadData(f"{rows.path} has a class `{new}`, which has no examples for training")
    labels = np.array([table[t] for t in rows.targets])
    return Held({wanted.name: _shaped(rows, wanted)}, labels)


def _of_numbers(rows: Rows, wanted: Wanted) -> Held:
    numbers = _numbers(rows.targets)
    if numbers is None:
        bad = next(t for t in rows.targets if _number(t) is None)
        raise BadData(f"{rows.path} has the target `{bad}`, which is no number")
    y = np.array(numbers, np.float32)[:, None]
    return Held({wanted.name: _shaped(rows, wanted)}, y, are_classes=False)


def _shaped(rows: Rows, wanted: Wanted) -> Floats:
    return rows.values.reshape(len(rows.values), *(n or 0 for n in wanted.size))
