"""How does a run show itself in a notebook?"""

from html import escape

from cnnspec.pages import measured
from cnnspec.run.history import read_history
from cnnspec.run.loop import Training
from cnnspec.text.excerpt import safe

STYLE = (
    "display:flex;flex-wrap:wrap;gap:12px 20px;background:light-dark(#fff,#14181d);"
    "color-scheme:light dark"
)


def curves_html(training: Training) -> str:
    """How far it is, and its curves so far; without scripts, all that comes from a user escaped."""
    history = read_history(training.folder.path, training.graph)
    done, of = training.position.epoch, training.recipe.epochs
    head = f"<b>{escape(safe(training.graph.name))}</b> · {escape(safe(str(history.path)))}"
    state = f"{done} of {of} epochs"
    if history.epochs:
        last = history.epochs[-1]
        held = last.validation or last.train
        part = "validation" if last.validation else "training"
        said = [f"{part} {measured.called(n)} {measured.number(n, x)}" for n, x in held.items()]
        state = " · ".join([state, *said])
    drawn = "".join(f"<div>{f.svg()}</div>" for f in measured.curves(history.epochs, history.best))
    return f'<div><p>{head}<br>{escape(state)}</p><div style="{STYLE}">{drawn}</div></div>'
