"""How does docs/engines.md tell what was measured?"""

import re
from collections.abc import Iterable, Mapping

from engines.engine import ENGINES
from engines.limits import LIMITS, Outcome
from engines.zoo_nets import NETS

Cell = tuple[str, str, int]
"""An engine, a spec and an opset."""

HEAD = """\
# Other engines

What `cnnspec compile` writes is ONNX and nothing beside it. Nets of the zoo are loaded into these
engines, and what comes out is compared with what ONNX Runtime {version} makes of the same file on
the CPU: no number differs by more than 1e-4 of the largest. `pytest --bless tests/engines` measures
all of this and writes this page; the tests fail where it is no longer so.

"""

BETWEEN = """
Each file has a batch of any size, and is run with one input and with two. To save time the inputs
are smaller than the specs', nets for ImageNet have ten classes, layers of 4096 units have 256, and
{narrower} a quarter of their maps.
Weights that start out alike, such as biases of zero, are drawn anew: no engine agrees by leaving
them out.

A number is an opset that agrees; one struck out does not, for a reason given below.{alone}

"""

ALONE = " *One at a time* stands where a batch of two does not agree and a batch of one does."


def page(measured: Mapping[Cell, Outcome], versions: Mapping[str, str], version: str) -> str:
    about = [[engine.title, versions[engine.name], engine.how] for engine in ENGINES.values()]
    titles = [engine.title for engine in ENGINES.values()]
    results = [
        [f"`{net.spec}`", net.takes(), *(_cell(measured, name, net.spec) for name in ENGINES)]
        for net in NETS.values()
    ]
    return (
        HEAD.format(version=version)
        + _table(["engine", "version", "how"], about)
        + BETWEEN.format(
            narrower=_listed([f"`{net.spec}`" for net in NETS.values() if net.narrower]),
            alone=ALONE if "one at a time" in measured.values() else "",
        )
        + _table(["spec", "input", *titles], results)
        + _limits()
    )


def without_versions(text: str) -> str:
    """The page as it would be with any other version of the engines and of ONNX Runtime."""
    for engine in ENGINES.values():
        start = re.escape(f"| {engine.title} | ")
        text = re.sub(rf"^({start})[^|]+", r"\1… ", text, flags=re.MULTILINE)
    return re.sub(r"(ONNX Runtime )\d\S*", r"\1…", text)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(measured: Mapping[Cell, Outcome], engine: str, spec: str) -> str:
    marks = {"agrees": "{}", "one at a time": "{} *one at a time*", "fails": "~~{}~~"}
    return ", ".join(
        marks[measured[engine, spec, opset]].format(opset) for opset in NETS[spec].opsets
    )


def _limits() -> str:
    text = "\n## What an engine cannot do\n"
    for engine in ENGINES.values():
        text += f"\n### {engine.title}\n\n{_of_engine(engine.name)}"
    return text


def _of_engine(name: str) -> str:
    reasons: dict[str, dict[str, list[int]]] = {}
    for (engine, spec, opset), limit in sorted(LIMITS.items()):
        if engine == name:
            reasons.setdefault(limit.reason, {}).setdefault(spec, []).append(opset)
    if not reasons:
        return "Nothing that these nets need.\n"
    return "".join(f"- {_specs(specs)}: {reason}.\n" for reason, specs in sorted(reasons.items()))


def _specs(specs: Mapping[str, list[int]]) -> str:
    """Those that an engine cannot do, with the opsets where that holds for some only."""
    return ", ".join(
        f"`{spec}`"
        if tuple(opsets) == NETS[spec].opsets
        else f"`{spec}` in opset {', '.join(map(str, opsets))}"
        for spec, opsets in specs.items()
    )
