"""How is a model in blocks of channels held against the same with its axes in order?"""

from collections import Counter

import numpy as np

from cnnspec.api import loads
from cnnspec.emit.passes.blocked import in_blocks
from cnnspec.emit.passes.blocks import DOMAIN
from cnnspec.onnxir.graph import Model
from cnnspec.run.blocks import block_size
from cnnspec.run.model import CompiledModel

B = block_size()
C = 2 * B


def blocked(model: Model) -> Model:
    return in_blocks(model, B)


def own(model: Model) -> Counter[str]:
    return Counter(node.op for node in model.nodes if node.domain == DOMAIN)


def compiled(text: str, opset: int = 17) -> Model:
    made = loads(text).compile(seed=1, opset=opset, fold_bn=False)._model
    assert isinstance(made, Model)
    return made


def told(model: Model, seed: int = 0, n: int = 3) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    sizes = {v.name: (n, *v.inner) for v in model.inputs}
    return CompiledModel(model).run(
        {name: draw.standard_normal(size, np.float32) for name, size in sizes.items()}
    )


def agree(plain: Model, *wanted: str) -> Counter[str]:
    """The values are the same, and the runtime's own operators are those, among others."""
    made = blocked(plain)
    expected, found = told(plain), told(made)
    for name, y in expected.items():
        np.testing.assert_allclose(found[name], y, rtol=1e-4, atol=1e-5)
    counts = own(made)
    assert not set(wanted) - set(counts), counts
    return counts
