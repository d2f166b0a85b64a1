# pyright: basic, reportMissingImports=false
"""Which gradients does another framework get for the same networks, weights and inputs?

Not run by the tests: it needs torch 2.13.0 beside cnnspec, of which it takes the names and shapes
of the weights. It computes in float64 and writes what it finds beside itself; it also tells how
far from that it comes in float32:

    PYTHONPATH=tests:tests/values python tests/train/record.py
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from first_step import SPECS, given, network_of, sampled
from torch import nn
from torch.nn import functional as fn

from values.record import fill, in_order_of_use
from values.torch_nets import Double, Inception, UNet, lenet5, resnet20
from values.weights import shapes_of

HERE = Path(__file__).resolve().parent


def main() -> None:
    torch.manual_seed(0)
    rows = {}
    for name in SPECS:
        exact, single = gradients(name, torch.float64), gradients(name, torch.float32)
        rows[name] = recorded(exact)
        there = {k: g for k, g in exact[1].items() if np.abs(g).max() > 1e-12}
        apart, worst = max((relative(single[1][k], g), k) for k, g in there.items())
        print(f"{name:10} loss {exact[0]:.5g}  float32 is off by {apart:.2g} at {worst}")
    (HERE / "first_step.json").write_text(written(rows))


def gradients(name: str, dtype: torch.dtype) -> tuple[float, dict[str, np.ndarray]]:
    network = network_of(name)
    x, y = given(name, network)
    model = NETS[name]().eval()
    tensors = in_order_of_use(model, x.shape)
    with torch.no_grad():
        fill(tensors, shapes_of(network))
    model.to(dtype).train()
    loss = fn.cross_entropy(model(torch.from_numpy(x).to(dtype)), torch.from_numpy(y))
    loss.backward()
    found = zip(shapes_of(network).items(), tensors, strict=True)
    return loss.item(), {
        path: t.grad.numpy().reshape(shape) for (path, shape), t in found if t.grad is not None
    }


def relative(found: np.ndarray, wanted: np.ndarray) -> float:
    a, b = sampled(found.astype(float)), sampled(wanted)
    of_norm = abs(np.linalg.norm(found) / np.linalg.norm(wanted) - 1)
    return float(max(np.linalg.norm(a - b) / np.linalg.norm(b), of_norm))


def recorded(found: tuple[float, dict[str, np.ndarray]]) -> dict[str, object]:
    loss, of_weights = found
    rows = {
        path: {"norm": short(float(np.linalg.norm(dw))), "values": [short(v) for v in sampled(dw)]}
        for path, dw in of_weights.items()
    }
    return {"loss": short(loss), "weights": rows}


def short(value: float) -> float:
    return float(f"{value:.8g}")


def written(rows: dict) -> str:
    """A weight in each line."""
    nets = []
    for name, row in rows.items():
        weights = ",\n".join(
            f"  {json.dumps(path)}: {json.dumps(w)}" for path, w in row["weights"].items()
        )
        nets.append(f'"{name}": {{"loss": {row["loss"]}, "weights": {{\n{weights}\n}}}}')
    return "{\n" + ",\n".join(nets) + "\n}\n"


# ── networks ───────────────────────────────────────────────────────────────────────────────────


def vgg() -> nn.Module:
    layers: list[nn.Module] = []
    before = 3
    for maps in (16, 32):
        layers += [nn.Conv2d(before, maps, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(maps, maps, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before = maps
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))


def inception() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0), Inception(16, 8, 12, 16, 4, 8, 8)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(40, 10)),
    )


def normal(before: int, maps: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, maps, kernel, stride, kernel // 2, groups=groups, bias=False)


class DenseUnit(nn.Sequential):
    def __init__(self, before: int) -> None:
        narrow = nn.BatchNorm2d(before), nn.ReLU(), normal(before, 32, 1)
        super().__init__(*narrow, nn.BatchNorm2d(32), nn.ReLU(), normal(32, 8, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, super().forward(x)], 1)


def dense() -> nn.Module:
    return nn.Sequential(
        *(normal(3, 16, 3), DenseUnit(16), DenseUnit(24), DenseUnit(32)),
        *(nn.BatchNorm2d(40), nn.ReLU(), normal(40, 20, 1), nn.AvgPool2d(2)),
        *(nn.BatchNorm2d(20), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10)),
    )


class Inverted(nn.Sequential):
    def __init__(self, before: int, maps: int, stride: int, expand: int) -> None:
        wide = expand * before
        layers: list[nn.Module] = []
        if expand > 1:
            layers += [normal(before, wide, 1), nn.BatchNorm2d(wide), nn.ReLU6()]
        layers += [normal(wide, wide, 3, stride, wide), nn.BatchNorm2d(wide), nn.ReLU6()]
        super().__init__(*layers, normal(wide, maps, 1), nn.BatchNorm2d(maps))
        self.skips = stride == 1 and before == maps and expand > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + super().forward(x) if self.skips else super().forward(x)


def mobile() -> nn.Module:
    return nn.Sequential(
        *(normal(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU6()),
        *(Inverted(8, 8, 1, 1), Inverted(8, 12, 2, 6), Inverted(12, 12, 1, 6)),
        *(normal(12, 32, 1), nn.BatchNorm2d(32), nn.ReLU6()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)),
    )


class SmallUNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = Double(1, 8), Double(8, 16), Double(16, 32)
        self.rise2, self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2), Double(32, 16)
        self.rise1, self.up1 = nn.ConvTranspose2d(16, 8, 2, stride=2), Double(16, 8)
        self.last = nn.Conv2d(8, 2, 1)

    forward = UNet.forward


def series() -> nn.Module:
    layers: list[nn.Module] = []
    for before, maps, kernel in ((1, 16, 5), (16, 20, 5), (20, 16, 3)):
        conv = nn.Conv1d(before, maps, kernel, padding=kernel // 2, bias=False)
        layers += [conv, nn.BatchNorm1d(maps), nn.ReLU()]
        if kernel == 5:
            layers.append(nn.MaxPool1d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 2))


NETS: dict[str, Callable[[], nn.Module]] = {
    "lenet5": lambda: lenet5()[:-1],  # pyright: ignore[reportIndexIssue]
    "vgg": vgg,
    "resnet20": resnet20,
    "inception": inception,
    "dense": dense,
    "mobile": mobile,
    "unet": SmallUNet,
    "series": series,
}


if __name__ == "__main__":
    main()
