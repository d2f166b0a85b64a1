"""What can an engine not do, and why?

A test holds each line to be true: what is listed here and works is an error, as is the reverse.
"""

from dataclasses import dataclass
from typing import Literal

from engines.zoo_nets import OPSETS

Outcome = Literal["agrees", "one at a time", "fails"]
"""`one at a time`: a batch of one agrees with ONNX Runtime and a batch of two does not."""


@dataclass(frozen=True)
class Limit:
    outcome: Outcome
    reason: str
    says: str
    """A part of what the engine says, or of how it differs: the reason holds while it does."""


LIMITS: dict[tuple[str, str, int], Limit] = {}
"""By engine, spec and opset."""


def limit(specs: str, engine: str, outcome: Outcome, reason: str, says: str, *opsets: int) -> None:
    """Of one engine with some specs, in the opsets named or else in all."""
    for spec in specs.split():
        for opset in opsets or OPSETS:
            assert (engine, spec, opset) not in LIMITS
            LIMITS[engine, spec, opset] = Limit(outcome, reason, says)


NO_LP_POOL = "it has no `LpPool`"
limit("neocognitron", "opencv", "fails", NO_LP_POOL, "it reads no layer of the file")
limit("neocognitron", "tract", "fails", NO_LP_POOL, "Unimplemented(LpPool)")
limit("neocognitron", "ncnn", "fails", NO_LP_POOL, "LpPool")
limit(
    "lenet5_1998",
    "ncnn",
    "fails",
    "pnnx does not convert a `ReduceSumSquare` whose axes are an input, as from opset 18 on",
    "pnnx.Expression",
    21,
)
