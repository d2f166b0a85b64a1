"""Which settings does a run have, those that nobody wrote among them?"""

from cnnspec.settings.recipe import Recipe


def settings(recipe: Recipe) -> list[tuple[str, str, bool]]:
    """Each setting, what it is, and whether it was written: what was not is a default."""
    known = {
        "data": recipe.data.text() if recipe.data is not None else "",
        "loss": ", ".join(loss.text() for loss in recipe.losses),
        "optimizer": recipe.optimizer.text(),
        "schedule": recipe.schedule.text(),
        "epochs": str(recipe.epochs),
        "batch": str(recipe.batch),
        "augment": " -> ".join(word.text() for word in recipe.augment),
        "metrics": ", ".join(word.text() for word in recipe.metrics),
        "shuffle": "yes" if recipe.shuffle else "no",
        "seed": str(recipe.seed),
    }
    for line in recipe.lines:
        if line.setting not in known:
            known[line.setting] = line.text().removeprefix(f"{line.setting} ")
    return [(name, text, recipe.was_given(name)) for name, text in known.items() if text]
