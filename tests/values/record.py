# pyright: basic, reportMissingImports=false
"""Which numbers does another framework get for the same networks, weights and inputs?

Not run by the tests: it needs torch 2.13.0 and torchvision 0.28.0 beside cnnspec, of which it takes
the names and shapes of the weights. It computes in float64 and writes what it finds beside itself:

    python tests/values/record.py [NETWORK]...
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch_nets import OWN
from weights import inputs_for, shapes_of, weights_for

from cnnspec import load

HERE = Path(__file__).resolve().parent

# Two, so that one that leaks into the other shows.
BATCH = 2
SAMPLES = 64

# The name of torchvision's, by the name of the spec.
TORCHVISION = {
    "alexnet": "alexnet",
    "vgg11": "vgg11",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "googlenet_bn": "googlenet",
    "densenet121": "densenet121",
    "efficientnet_b0": "efficientnet_b0",
    "mobilenet_v2": "mobilenet_v2",
    "shufflenet_v2": "shufflenet_v2_x1_0",
    "squeezenet1_1": "squeezenet1_1",
    "convnext_tiny": "convnext_tiny",
}

FOREIGN = {
    "googlenet": {"aux_logits": False, "init_weights": False, "transform_input": False},
}


def main() -> None:
    torch.manual_seed(0)
    for name in sys.argv[1:] or (*OWN, *TORCHVISION):
        with torch.no_grad():
            row = recorded(name)
        lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in row.items())
        (HERE / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")
        print(f"{name:16} {row['output']}  norm {row['norm']:.4g}  differs {row['apart']:.2g}")


def recorded(name: str) -> dict:
    network = load(name)
    (source,) = network.graph.inputs
    assert source.shape is not None
    size = (BATCH, *source.shape)
    x = torch.from_numpy(inputs_for(name, size)).double()
    model = (OWN[name]() if name in OWN else torchvision_model(TORCHVISION[name])).eval()
    # Before the weights become float64, of which two copies of VGG's would be many.
    tensors = in_order_of_use(model, size)
    fill(tensors, shapes_of(network))
    y = model.double()(x).numpy()
    apart = np.linalg.norm(y[0] - y[1]) / np.linalg.norm(y)
    assert np.isfinite(y).all()
    assert apart > 0.01, f"{name} hardly looks at its input: {apart:.2g}"
    at = np.unique(np.linspace(0, y.size - 1, SAMPLES).round().astype(int))
    return {
        "input": list(size),
        "output": list(y.shape),
        "at": at.tolist(),
        "values": [float(f"{value:.9g}") for value in y.ravel()[at]],
        "mean": float(f"{y.mean():.9g}"),
        "norm": float(f"{np.linalg.norm(y):.9g}"),
        "largest": float(f"{np.abs(y).max():.9g}"),
        "apart": float(f"{apart:.3g}"),
        "torch": torch.__version__.partition("+")[0],
    }


def in_order_of_use(model: nn.Module, size: tuple[int, ...]) -> list[torch.Tensor]:
    """A module's weights come when its call ends; no network here calls one twice."""
    tensors: list[torch.Tensor] = []

    def note(module: nn.Module, *_: object) -> None:
        tensors.extend(module.parameters(recurse=False))
        tensors.extend(b for b in module.buffers(recurse=False) if b.is_floating_point())

    hooks = [module.register_forward_hook(note) for module in model.modules()]
    model(torch.zeros(size))
    for hook in hooks:
        hook.remove()
    assert len(tensors) == len(list(model.parameters())) + sum(
        b.is_floating_point() for b in model.buffers()
    )
    return tensors


def fill(tensors: list[torch.Tensor], shapes) -> None:
    for tensor, (path, shape) in zip(tensors, shapes.items(), strict=True):
        # Where one has 1x1 convolutions, the other may have matrices.
        alike = [n for n in tensor.shape if n > 1] == [n for n in shape if n > 1]
        assert alike, f"{path} is {shape} here and {tuple(tensor.shape)} there"
        tensor.copy_(torch.from_numpy(weights_for(path, shape)).reshape(tensor.shape))


def torchvision_model(name: str) -> nn.Module:
    """torchvision's, also where its compiled part, which they do not use, does not load."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    return getattr(torchvision.models, name)(weights=None, **FOREIGN.get(name, {}))


if __name__ == "__main__":
    main()
