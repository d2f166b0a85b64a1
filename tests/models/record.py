# pyright: basic, reportMissingImports=false
"""What does another library say of the published networks, as a whole and layer by layer?

Not run by the tests: it needs torch 2.13.0 and torchvision 0.28.0. It counts torchvision's model
definitions, without weights and on no data, and writes what it finds beside itself:

    python tests/models/record.py
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).resolve().parent

SIZES = {f"efficientnet_b{b}": n for b, n in enumerate((224, 240, 288, 300, 380, 456, 528, 600))}

WHOLE = (
    "alexnet",
    *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    "googlenet",
    *(f"densenet{depth}" for depth in (121, 169, 201)),
    *SIZES,
    "mobilenet_v2",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "convnext_tiny",
)

IN_LAYERS = (
    "resnet50",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "mobilenet_v2",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
)

KINDS = {
    nn.Conv2d: "conv",
    nn.Linear: "fc",
    nn.BatchNorm2d: "bn",
    nn.MaxPool2d: "maxpool",
}


def main() -> None:
    models = load_torchvision()
    counts: dict[str, object] = {}
    for name in WHOLE:
        options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        model = getattr(models, name)(weights=None, **options).eval().to("meta")
        size = SIZES.get(name, 224)
        rows = layers(model, (3, size, size))
        counts[name] = {
            "params": sum(p.numel() for p in model.parameters()),
            "running": sum(b.numel() for n, b in model.named_buffers() if "running" in n),
            "macs": sum(row[3] for row in rows),
            "input": [3, size, size],
        }
        if name in IN_LAYERS:
            write(HERE / f"{name}.json", rows)
    # Its backbone and heads without what turns anchors into boxes, which has no weights.
    detector = retinanet(models).eval().to("meta")
    rows = layers(detector, (3, 512, 512))
    counts["retinanet"] = {
        "params": sum(p.numel() for p in detector.parameters()),
        "running": sum(b.numel() for n, b in detector.named_buffers() if "running" in n),
        "macs": sum(row[3] for row in rows),
        "input": [3, 512, 512],
    }
    text = ",\n".join(f" {json.dumps(name)}: {json.dumps(row)}" for name, row in counts.items())
    (HERE / "torchvision.json").write_text(f"{{\n{text}\n}}\n")


def load_torchvision():
    """torchvision's models, also where its compiled part, which they do not use, does not load."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision

    return torchvision.models


def retinanet(models) -> nn.Module:
    from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
    from torchvision.models.detection.retinanet import RetinaNetHead
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    # The level above the coarsest of ResNet's comes from that one itself, as in the paper.
    backbone = _resnet_fpn_extractor(
        models.resnet50(weights=None),
        5,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(2048, 256),
    )
    head = RetinaNetHead(256, 9, 80)

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = backbone, head

        def forward(self, x: torch.Tensor):
            return self.head(list(self.backbone(x).values()))

    return Detector()


def layers(model: nn.Module, size: tuple[int, ...]) -> list[tuple[str, str, int, int]]:
    """Kind, output size, parameters and multiply-accumulates of each layer, in the order of use."""
    rows: list[tuple[str, str, int, int]] = []

    def record(module: nn.Module, _: object, y: torch.Tensor) -> None:
        macs = 0
        if isinstance(module, nn.Conv2d | nn.Linear):
            macs = y.numel() * module.weight[0].numel()
        params = sum(p.numel() for p in module.parameters())
        rows.append((KINDS[type(module)], "x".join(map(str, y.shape[1:])), params, macs))

    for module in leaves(model):
        if type(module) in KINDS:
            module.register_forward_hook(record)
    model(torch.zeros(1, *size, device="meta"))
    return rows


def leaves(model: nn.Module) -> Iterator[nn.Module]:
    return (module for module in model.modules() if not list(module.children()))


def write(path: Path, rows: list[tuple[str, str, int, int]]) -> None:
    path.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n")


if __name__ == "__main__":
    main()
