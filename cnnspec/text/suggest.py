"""Which known name did a misspelt one mean?"""

from collections.abc import Iterable

MOST = 2_000
"""Among more names than this a guess takes long and is worth little."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The closest known name, if it is close enough to be worth a sentence.

    Close enough: the same but for case, or at most a third of the letters changed
    (a swap of neighbours counts as one change), or a clear beginning.
    """
    low = name.lower()
    candidates = sorted(set(known))
    if len(candidates) > MOST:
        return None
    for other in candidates:
        if other.lower() == low:
            return other
    limit = max(1, len(name) // 3) if len(name) > 1 else 0
    scored = [(distance(low, other.lower(), limit), other) for other in candidates]
    scored = [pair for pair in scored if pair[0] <= limit]
    if scored:
        return min(scored)[1]
    starting = [o for o in candidates if len(low) >= 3 and o.lower().startswith(low)]
    return starting[0] if len(starting) == 1 else None


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The nearest known name as a hint, or none."""
    other = nearest(name, known)
    return None if other is None else f"did you mean `{other}`?"


def distance(a: str, b: str, limit: int) -> int:
    """Edits between two words, neighbours' swaps included; `limit + 1` for anything beyond."""
    if abs(len(a) - len(b)) > limit or len(a) > 64 or len(b) > 64:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, previous, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, previous[j - 2] + 1)
            row.append(cost)
    return row[-1]
