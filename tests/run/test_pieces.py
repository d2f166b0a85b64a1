"""Is memory used again, and never while somebody may still look at it?"""

from typing import Any

import numpy as np
import pytest

from cnnspec.run.memory import LARGEST, MOST, Memory

SHAPE = (4, 3, 8, 8)


def place(x: np.ndarray[Any, Any]) -> int:
    return x.__array_interface__["data"][0]


def test_memory_is_used_again_when_nothing_is_in_it() -> None:
    memory = Memory()
    x = memory.floats(SHAPE)
    assert (x.shape, x.dtype, x.flags.c_contiguous) == (SHAPE, np.float32, True)
    first = place(x)
    assert place(memory.floats(SHAPE)) != first
    del x
    kept = [memory.floats(SHAPE) for _ in range(2)]
    assert first in map(place, kept)
    assert place(memory.floats((5, 3, 8, 8))) not in map(place, kept)


VIEWS: dict[str, Any] = {
    "a part": lambda x: x[1:3],
    "a view of a view": lambda x: x[1:3].reshape(2, -1)[:, ::2].T,
    "other axes": lambda x: np.moveaxis(x, 1, -1),
    "other numbers": lambda x: x.view(np.uint8)[2],
    "no array": lambda x: memoryview(x[3]),
    "an iterator": iter,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=list(VIEWS))
def test_what_is_looked_at_is_not_written_over(view: Any) -> None:
    memory = Memory()
    x = memory.floats(SHAPE)
    first = place(x)
    seen = view(x)
    del x
    others = [memory.floats(SHAPE) for _ in range(5)]
    assert first not in map(place, others)
    del seen, others
    again = [memory.floats(SHAPE) for _ in range(MOST + 1)]
    assert first in map(place, again)


def test_little_waits_for_later_and_nothing_large() -> None:
    memory = Memory()
    x = [memory.floats((2,)) for _ in range(20)]
    x.clear()
    assert [len(free) for free in memory._free.values()] == [MOST]
    large = memory.floats((LARGEST // 4 + 1,))
    del large
    assert len(memory._free) == 1
    assert memory.floats((0, 3)).shape == (0, 3)
