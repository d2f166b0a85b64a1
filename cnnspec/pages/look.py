"""What does the page show of a network that looks at one input?"""

from collections.abc import Sequence

from markupsafe import Markup

from cnnspec.draw.ticks import short
from cnnspec.pages.look_figures import attacked, grid, inputs, kernels, reasons
from cnnspec.pages.page import render
from cnnspec.run.look import Look
from cnnspec.text.excerpt import safe
from cnnspec.text.record import record
from cnnspec.writing import PathLike, replacing


@record
class Looked:
    """What was found of an input, which a notebook shows; `found` has the numbers."""

    found: Look
    model: str

    def html(self) -> str:
        """The page as one text."""
        return look_page(self.found, self.model)

    def save(self, path: PathLike) -> None:
        """Write the page."""
        with replacing(path) as file:
            file.write(self.html().encode())

    def _repr_html_(self) -> str:
        # In a frame: a page within a page must not change how the latter looks.
        frame = '<iframe srcdoc="{}" sandbox width="100%" height="640"></iframe>'
        return Markup(frame).format(self.html())


LEADS = {
    "classes": "It says {label}{sure}.",
    "yes or no": "It says {label}{sure}.",
    "numbers": "It answers with numbers.",
    "masks": "It gives a class to each place; most get {label}.",
    "picture": "It answers with a picture or a map.",
}


def look_page(found: Look, model: str, notes: Sequence[str] = ()) -> str:
    """The page as one text; `model` is what the network is called."""
    return render(
        "look.html",
        name=found.name,
        lead=[model, _lead(found)],
        notes=[*notes, *found.notes],
        top=[
            (safe(c.label or str(c.index)), c.index, c.probability or 0.0, c.index == found.index)
            for c in found.top
        ],
        has_labels=bool(found.how.labels),
        is_of_numbers=found.how.gives == "numbers",
        inputs=list(inputs(found)),
        asked=safe(found.label),
        reasons=list(reasons(found)),
        attack=found.attack,
        attack_text=attack_text(found),
        attacked=list(attacked(found)),
        kernels=[kernels(k) for k in found.kernels],
        layers_shown=[grid(m) for m in found.maps],
        layer_count=found.layer_count,
    )


def _lead(found: Look) -> str:
    best = found.top[0] if found.top else None
    label = safe((best.label or str(best.index)) if best is not None else found.label)
    p = best.probability if best is not None else None
    said = LEADS[found.how.gives].format(label=label, sure="" if p is None else f", {p:.2%} sure")
    said += f" It is {safe(found.truth)}." if found.truth is not None else ""
    is_other = best is not None and best.index != found.index and found.how.gives == "classes"
    return f"{said} Asked about {safe(found.label)}." if is_other else said


def attack_text(found: Look) -> str:
    """What an attack came to, in a sentence or two."""
    a = found.attack
    if a is None:
        return ""
    (view,) = found.views.values()
    name = "FGSM, one step" if a.kind == "fgsm" else f"PGD, {a.steps} steps"
    if a.eps is None or a.after is None:
        reason = f": {a.why}" if a.why else ""
        return f"{name}: nothing up to ε = {short(a.most)} flips the answer{reason}; {view.units}"
    before, after = (found.how.label(k) for k in (a.before, a.after))
    sure = found.sure or (0.0, 0.0)
    return (
        f"{name}: ε = {a.eps:.4g} makes {before} ({sure[0]:.2%}) into {after} ({sure[1]:.2%}); "
        f"{view.units}"
    )
