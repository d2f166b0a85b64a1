"""Has validation become better, and what follows where it has not?"""

from collections.abc import Mapping
from math import inf, isfinite
from sys import float_info

from cnnspec.run.checkpoint import Position
from cnnspec.settings.recipe import Recipe
from cnnspec.settings.schedule import Plateau

HIGHER = ("accuracy", "f1", "iou", "psnr")
"""Measures of which more is better."""


def is_best(position: Position, recipe: Recipe, values: Mapping[str, float]) -> bool:
    """Is it the best epoch so far? Also counts for how long nothing has become better."""
    word = recipe.early_stopping
    score = _score(values, word.watch if word is not None else "accuracy")
    _plateau(position, recipe, values)
    is_better = isfinite(score) and (
        position.mark is None or score > position.mark + (word.least if word is not None else 0.0)
    )
    position.waited = 0 if is_better else position.waited + 1
    if is_better:
        position.mark = score
    # On few examples many epochs get as many right: then the smaller loss is better.
    loss = values["loss"] if isfinite(values["loss"]) else float_info.max
    if not isfinite(score) or (position.best is not None and (score, -loss) <= _best(position)):
        return False
    position.best, position.best_loss, position.best_epoch = score, loss, position.epoch
    return True


def _best(position: Position) -> tuple[float | None, float]:
    # A run that an older version began does not know its loss: there the earlier epoch stays.
    loss = position.best_loss
    return position.best, inf if loss is None else -loss


def is_enough(position: Position, recipe: Recipe) -> bool:
    """Has nothing become better for as long as early stopping waits?"""
    word = recipe.early_stopping
    return word is not None and position.waited >= word.patience


def _score(values: Mapping[str, float], watch: str) -> float:
    """More is better; the loss stands in for a measure that is not taken."""
    if watch not in values:
        watch = "loss"
    return values[watch] if watch in HIGHER else -values[watch]


def _plateau(position: Position, recipe: Recipe, values: Mapping[str, float]) -> None:
    p, word = position, recipe.schedule
    if not isinstance(word, Plateau):
        return
    score = _score(values, word.watch)
    if isfinite(score) and (
        p.plateau_best is None or score > p.plateau_best + word.better * abs(p.plateau_best)
    ):
        p.plateau_best, p.plateau_waited = score, 0
        return
    p.plateau_waited += 1
    if p.plateau_waited >= word.patience:
        p.plateau_waited, p.lowered = 0, p.lowered + 1
