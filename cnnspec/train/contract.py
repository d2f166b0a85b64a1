"""What must a program know to drive a step: which output feeds which input, what else to give?"""

import json
from collections.abc import Mapping

from cnnspec.emit.lower import WeightSource
from cnnspec.emit.passes.spelled import spell_out
from cnnspec.model.graph import Graph
from cnnspec.onnxir.builder import CLOCK
from cnnspec.onnxir.graph import Model
from cnnspec.settings.recipe import Recipe
from cnnspec.train.step import APPLY, FIRST, RATE, SHARE, Step, build_step

KEY = "cnnspec.step"


def exported(
    graph: Graph, recipe: Recipe, weights: WeightSource, *, for_gpu: bool = False
) -> Model:
    """The step with what is kept before the first one among its outputs, and with its contract."""
    step = build_step(graph, recipe, weights, has_start=True, for_gpu=for_gpu)
    step.model.metadata[KEY] = json.dumps(contract(step, recipe))
    return spell_out(step.model) if for_gpu else step.model


def contract(step: Step, recipe: Recipe) -> Mapping[str, object]:
    """As JSON: names of inputs and outputs, and the recipe's schedule."""
    weighed = {head: value.name for head, value in step.class_weights.items()}
    gathered = {"batches": recipe.accumulate, "share": SHARE, "apply": APPLY}
    return {
        "inputs": list(step.inputs.values()),
        "targets": {head: value.name for head, value in step.targets.items()},
        **({"class_weights": weighed} if weighed else {}),
        "rate": RATE,
        "clock": CLOCK,
        **({"accumulate": gathered} if recipe.accumulate > 1 else {}),
        "kept": [
            {
                "input": k.name,
                "output": k.next,
                "first": FIRST + k.name,
                "shape": list(k.shape),
                "type": k.dtype,
            }
            for k in step.kept
        ],
        "tells": list(step.outputs),
        "trained": list(step.trained),
        "batch": recipe.batch,
        "epochs": recipe.epochs,
        "lr": recipe.optimizer.lr,
        "optimizer": recipe.optimizer.text(),
        "schedule": recipe.schedule.text(),
    }
