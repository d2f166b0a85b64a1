"""Do other engines run what we export, and find what ONNX Runtime finds?"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from engines.engine import ENGINES, Aside, CannotLoad, Tensors
from engines.limits import LIMITS, Outcome
from engines.page import Cell, page, without_versions
from engines.zoo_nets import NETS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engines.md"
TOLERANCE = 1e-4
CELLS = [(e, n.spec, opset) for n in NETS.values() for opset in n.opsets for e in ENGINES]

Measure = Callable[[str, str, int], tuple[Outcome, str]]


@pytest.fixture(scope="module")
def asides() -> Iterator[dict[str, Aside]]:
    asides = {name: Aside(name) for name in ENGINES}
    yield asides
    for aside in asides.values():
        aside.close()


@pytest.fixture(scope="module")
def measure(asides: dict[str, Aside], tmp_path_factory: pytest.TempPathFactory) -> Measure:
    """What an engine does with a spec in an opset, and what it says or how far off it is."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def wanted(spec: str, opset: int) -> tuple[Path, list[tuple[Tensors, Tensors]]]:
        path = folder / f"{spec}-{opset}.onnx"
        NETS[spec].load().compile(opset=opset, seed=0).save(path)
        _draw_constants(path)
        return path, _reference(path)

    @cache
    def measured(engine: str, spec: str, opset: int) -> tuple[Outcome, str]:
        path, (one, two) = wanted(spec, opset)
        said = _compare(asides[engine], path, *one)
        if said is not None:
            return "fails", said
        said = _compare(asides[engine], path, *two)
        return ("agrees", "") if said is None else ("one at a time", said)

    return measured


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "spec", "opset"), CELLS)
def test_finds_what_onnx_runtime_finds(
    engine: str, spec: str, opset: int, measure: Measure
) -> None:
    _skip_without(engine)
    outcome, said = measure(engine, spec, opset)
    limit = LIMITS.get((engine, spec, opset))
    assert outcome == (limit.outcome if limit else "agrees"), said or (
        "it works: take it out of tests/engines/limits.py"
    )
    assert limit is None or limit.says in said


def test_limits_are_those_of_something_tried() -> None:
    assert set(LIMITS) <= set(CELLS)
    assert all(limit.outcome != "agrees" for limit in LIMITS.values())


def test_page_tells_what_is_measured(asides: dict[str, Aside], bless: bool) -> None:
    """Each cell has a test above, which finds it to be so."""
    for engine in ENGINES:
        _skip_without(engine)
    versions = {name: aside.version() for name, aside in asides.items()}
    limits = {cell: LIMITS.get(cell) for cell in CELLS}
    found: dict[Cell, Outcome] = {c: li.outcome if li else "agrees" for c, li in limits.items()}
    now = page(found, versions, onnxruntime.__version__)
    if bless:
        PAGE.write_text(now, encoding="utf-8", newline="\n")
    before = PAGE.read_text(encoding="utf-8")
    assert without_versions(now) == without_versions(before), (
        "docs/engines.md tells something else; `pytest --bless tests/engines` writes it"
    )


def _skip_without(engine: str) -> None:
    reason = ENGINES[engine].missing()
    if reason is not None:
        pytest.skip(reason)


def _draw_constants(path: Path) -> None:
    """Make every weight that starts out as one number many: zeros, ones, a scale of 1e-6."""
    model = onnx.load(path)
    random = np.random.default_rng(5)
    for tensor in model.graph.initializer:
        w = numpy_helper.to_array(tensor)
        if w.dtype == np.float32 and w.size > 1 and (w == w.flat[0]).all():
            drawn = w + random.uniform(0.02, 0.1, w.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(drawn, tensor.name))
    onnx.save(model, path)


def _reference(path: Path) -> list[tuple[Tensors, Tensors]]:
    """Inputs for a batch of one and of two, with what ONNX Runtime makes of them."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [y.name for y in session.get_outputs()]
    pairs: list[tuple[Tensors, Tensors]] = []
    for batch in (1, 2):
        random = np.random.default_rng(batch)
        inputs = {
            x.name: random.random((batch, *x.shape[1:]), dtype=np.float32)
            for x in session.get_inputs()
        }
        found = (np.asarray(y) for y in session.run(names, inputs))
        pairs.append((inputs, dict(zip(names, found, strict=True))))
    return pairs


def _compare(aside: Aside, path: Path, inputs: Tensors, wanted: Tensors) -> str | None:
    """What an engine says, or where it differs; None where it agrees."""
    try:
        found = aside.run(path, inputs)
    except CannotLoad as cannot:
        return str(cannot)
    for name, b in wanted.items():
        if name not in found:
            return f"it has no output {name}, only {', '.join(found)}"
        if found[name].shape != b.shape:
            return f"{name} has shape {found[name].shape} instead of {b.shape}"
        largest = float(np.abs(b).max())
        assert largest > 0, f"{name} of {path.stem} is 0, with which nothing can be compared"
        off = float(np.abs(found[name] - b).max()) / largest
        # Not `off > TOLERANCE`, which NaN is not.
        if not off <= TOLERANCE:
            return f"{name} differs by {off:.2g} of the largest number"
    return None
