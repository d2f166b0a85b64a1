"""What does a network say of one input, in classes or numbers, and how sure is it?

The one place that knows for `look` how an output is read: what its scores are, which class they
mean, and what of them a picture of a class is made from.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnnspec.model.graph import Graph
from cnnspec.run.answers import Class, is_distribution, softmax
from cnnspec.run.look_attack import said
from cnnspec.settings.loss import DISTANCES
from cnnspec.text.record import record
from cnnspec.text.suggest import nearest

Floats = NDArray[np.float64]
Gives = Literal["classes", "yes or no", "numbers", "masks", "picture"]

YES_NO = ("no", "yes")


class NoClass(ValueError):
    """A class that the network does not tell apart."""


@record
class Reading:
    """How an output is read."""

    gives: Gives
    is_distance: bool
    """Does the smallest number win?"""
    is_sigmoid: bool
    """Is each number a probability by itself?"""
    labels: Sequence[str]
    count: int
    """How many classes, numbers or channels there are."""

    def label(self, k: int) -> str:
        if self.gives == "numbers":
            return f"output {k}"
        return self.labels[k] if k < len(self.labels) else str(k)

    def numbered(self, word: str | None, likeliest: int) -> int:
        """The class that a word means: its name, or its number. Raises `NoClass`."""
        if word is None:
            return likeliest
        n = 2 if self.gives == "yes or no" else self.count
        names = self.labels[:n]
        if word in names:
            return names.index(word)
        if word.isdecimal() and int(word) < n:
            return int(word)
        near = nearest(word, names)
        hint = f"; did you mean `{near}`?" if near else ""
        there = f"; they are {', '.join(names[:12])}{', …' if n > 12 else ''}" if names else ""
        numbers = f"numbered 0 to {n - 1}"
        raise NoClass(f"there is no class `{word}`: there are {n}, {numbers}{hint or there}")


def reading(
    y: NDArray[Any],
    op: str,
    metadata_kind: str,
    labels: Sequence[str] | None,
    graph: Graph | None,
) -> Reading:
    """`y` is the answer for one input, `op` the operator that it comes from."""
    is_vector = sum(n > 1 for n in y.shape) <= 1
    count = y.size if is_vector else y.shape[0]
    is_sigmoid = op == "Sigmoid" or metadata_kind == "sigmoid"
    known = list(labels or ())
    trained = _trained_for(graph)
    fits = len(known) == count
    gives: Gives
    if trained == "picture" and not is_vector:
        gives = "picture"
    elif not is_vector:
        is_map = y.shape[0] > 1 and (fits or op == "Softmax" or is_distribution(y) or trained)
        gives = "masks" if is_map and y.dtype.kind == "f" else "picture"
    elif trained == "numbers" or trained == "picture" or y.dtype.kind != "f":
        gives = "numbers"
    elif count == 1:
        gives = "yes or no" if is_sigmoid or trained == "classes" else "numbers"
    else:
        gives = "classes"
    names: Sequence[str] = known if fits else ()
    if gives == "yes or no":
        names = known if len(known) == 2 else YES_NO
    is_distance = metadata_kind == DISTANCES
    return Reading(gives, is_distance, is_sigmoid, names, count)


def _trained_for(graph: Graph | None) -> str:
    """What the network is trained to give, as far as its recipe says that."""
    recipe = graph.recipe if graph is not None else None
    if recipe is None or not recipe.losses:
        return ""
    loss = recipe.losses[0]
    if loss.is_of_input:
        return "picture"
    if "classes" in loss.compares and (loss.plain != "values" or recipe.labels):
        return "classes"
    is_of_numbers = recipe.data is not None and recipe.data.kind in ("table", "pairs", "npz")
    return "numbers" if "classes" not in loss.compares or is_of_numbers else "classes"


# ── scores ──────────────────────────────────────────────────────────────────────────────────────


def scores(z: NDArray[Any], how: Reading) -> Floats:
    """Numbers before a last softmax as scores: the largest wins. Of one input."""
    flat = z.astype(np.float64).reshape(-1)
    return -flat if how.is_distance else flat


def probabilities(y: NDArray[Any], how: Reading) -> Floats:
    """Of each class, from the answer for one input; of numbers, these themselves."""
    flat = y.astype(np.float64).reshape(-1)
    match how.gives:
        case "yes or no":
            p = float(flat[0])
            yes = p if how.is_sigmoid else 1 / (1 + np.exp(-np.clip(p, -500, 500)))
            return np.array([1 - yes, yes])
        case "classes":
            if how.is_sigmoid or (not how.is_distance and is_distribution(flat)):
                return flat
            if np.all(flat <= 0) and abs(float(np.exp(flat).sum()) - 1) < 1e-3:
                return np.exp(flat)
            return softmax(-flat if how.is_distance else flat)
        case _:
            return flat


def best(z: NDArray[Any], how: Reading) -> int:
    """The class that the network says; of maps, that of most places."""
    if how.gives == "masks":
        return int(np.bincount(where(z, how).reshape(-1)).argmax())
    return 0 if how.gives == "numbers" else said(scores(z, how))


def where(z: NDArray[Any], how: Reading) -> NDArray[np.int64]:
    """The class of each place, from scores of one input."""
    return (-z if how.is_distance else z).argmax(0)


def direction(shape: Sequence[int], z: NDArray[Any], k: int, how: Reading) -> NDArray[np.float32]:
    """What of the numbers before a last softmax speaks for a class.

    Of maps it is the mean over the places that have the class.
    """
    d = np.zeros(tuple(shape), np.float32)
    match how.gives:
        case "yes or no":
            d[...] = 1 if k == 1 else -1
        case "masks":
            has = where(z, how) == k
            d[:, k] = has / max(1, int(has.sum()))
        case _:
            assert prod(d.shape[1:]) == how.count, "a score for each class"
            d.reshape(len(d), -1)[:, k] = 1
    return d


def ranked(p: Floats, how: Reading, top: int) -> list[Class]:
    """The likeliest classes, or the first numbers."""
    order = range(len(p)) if how.gives == "numbers" else np.argsort(-p, kind="stable").tolist()
    return [
        Class(int(k), how.label(int(k)) if how.labels else None, float(p[k]))
        for k in list(order)[:top]
    ]
