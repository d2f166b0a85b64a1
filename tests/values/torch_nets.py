# pyright: basic, reportMissingImports=false
"""What are the networks that torchvision lacks, written with torch from their papers and specs?

Only record.py reads this; the tests need no torch.
"""

import torch
from torch import nn
from torch.nn import functional as fn


def lenet5() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
        nn.Softmax(dim=1),
    )


def cnn1d() -> nn.Module:
    layers: list[nn.Module] = []
    for before, maps, kernel in ((1, 16, 5), (16, 20, 5), (20, 16, 3)):
        conv = nn.Conv1d(before, maps, kernel, padding=kernel // 2, bias=False)
        layers += [conv, nn.BatchNorm1d(maps), nn.ReLU()]
        if kernel == 5:
            layers.append(nn.MaxPool1d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(), nn.Linear(96, 2))


# Table I of LeCun and others (1998): the maps of S2 that each map of C3 reads.
TABLE = (
    *((m, (m + 1) % 6, (m + 2) % 6) for m in range(6)),
    *((m, (m + 1) % 6, (m + 2) % 6, (m + 3) % 6) for m in range(6)),
    *((m, m + 1, (m + 3) % 6, (m + 4) % 6) for m in range(3)),
    tuple(range(6)),
)


class ScaledTanh(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sums = x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]
        return sums * self.coefficient[:, None, None] + self.bias[:, None, None]


class Connected(nn.Module):
    """A convolution of which each map reads the maps of its row, in rising order."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(sum(map(len, TABLE)), 5, 5))
        self.bias = nn.Parameter(torch.zeros(len(TABLE)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernels = self.weight.split([len(row) for row in TABLE])
        maps = [
            fn.conv2d(x[:, sorted(row)], kernel[None])
            for row, kernel in zip(TABLE, kernels, strict=True)
        ]
        return torch.cat(maps, 1) + self.bias[:, None, None]


class Rbf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.zeros(10, 84))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x[:, None] - self.codes) ** 2).sum(2)


def lenet5_1998() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), ScaledTanh(), Subsampling(6), ScaledTanh()),
        *(Connected(), ScaledTanh(), Subsampling(16), ScaledTanh()),
        *(nn.Conv2d(16, 120, 5), ScaledTanh(), nn.Flatten()),
        *(nn.Linear(120, 84), ScaledTanh(), Rbf()),
    )


class Double(nn.Sequential):
    def __init__(self, before: int, maps: int) -> None:
        first = nn.Conv2d(before, maps, 3, padding=1)
        super().__init__(first, nn.ReLU(), nn.Conv2d(maps, maps, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.middle = Double(1, 32), Double(32, 64), Double(64, 128)
        self.rise2, self.up2 = nn.ConvTranspose2d(128, 64, 2, stride=2), Double(128, 64)
        self.rise1, self.up1 = nn.ConvTranspose2d(64, 32, 2, stride=2), Double(64, 32)
        self.last = nn.Conv2d(32, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        e1 = self.down1(x)
        e2 = self.down2(fn.max_pool2d(e1, 2))
        x = self.middle(fn.max_pool2d(e2, 2))
        x = self.up2(torch.cat([self.rise2(x), e2], 1))
        x = self.up1(torch.cat([self.rise1(x), e1], 1))
        return self.last(x)


def unit(before: int, maps: int, stride: int, activation: type[nn.Module]) -> nn.Sequential:
    conv = nn.Conv2d(before, maps, 3, stride, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(maps), activation())


class Gated(nn.Module):
    """The residual block of specs/cifar10_residual.cnn."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = unit(maps, maps, 1, nn.SiLU)
        self.second = unit(maps, maps, 1, nn.Identity)
        self.squeeze = nn.Conv2d(maps, maps // 4, 1)
        self.excite = nn.Conv2d(maps // 4, maps, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.first(x))
        gate = self.excite(fn.silu(self.squeeze(y.mean((2, 3), keepdim=True))))
        return fn.silu(x + y * torch.sigmoid(gate))


def cifar10_residual() -> nn.Module:
    layers: list[nn.Module] = []
    for before, maps, stride in ((3, 32, 1), (32, 64, 2), (64, 128, 2)):
        layers += [unit(before, maps, stride, nn.SiLU), Gated(maps)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def cifar10() -> nn.Module:
    def stage(before: int, maps: int) -> list[nn.Module]:
        same, within = nn.Conv2d(before, maps, 3, padding=1), nn.Conv2d(maps, maps, 3)
        return [same, nn.ReLU(), within, nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25)]

    head = nn.Linear(2304, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10), nn.Softmax(1)
    return nn.Sequential(*stage(3, 32), *stage(32, 64), nn.Flatten(), *head)


class Basic(nn.Module):
    def __init__(self, before: int, maps: int, stride: int) -> None:
        super().__init__()
        self.first = unit(before, maps, stride, nn.ReLU)
        self.second = unit(maps, maps, 1, nn.Identity)
        self.shortcut = nn.Identity()
        if stride != 1 or before != maps:
            conv = nn.Conv2d(before, maps, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(maps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


def resnet20() -> nn.Module:
    layers: list[nn.Module] = [unit(3, 16, 1, nn.ReLU)]
    for before, maps, stride in ((16, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [Basic(before, maps, stride), Basic(maps, maps, 1), Basic(maps, maps, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Inception(nn.Module):
    """Figure 2(b) of Szegedy and others (2014); the sizes are a row of its table 1."""

    def __init__(self, before: int, n1: int, r3: int, n3: int, r5: int, n5: int, p: int) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.branches = nn.ModuleList(
            nn.Sequential(*layers)
            for layers in (
                [nn.Conv2d(before, n1, 1), nn.ReLU()],
                [nn.Conv2d(before, r3, 1), nn.ReLU(), nn.Conv2d(r3, n3, 3, padding=1), nn.ReLU()],
                [nn.Conv2d(before, r5, 1), nn.ReLU(), nn.Conv2d(r5, n5, 5, padding=2), nn.ReLU()],
                [pool, nn.Conv2d(before, p, 1), nn.ReLU()],
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


ROWS = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def googlenet() -> nn.Module:
    """Without the auxiliary classifiers; torchvision's, with normalisation, is googlenet_bn."""

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    def lrn() -> nn.Module:
        return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)

    layers: list[nn.Module] = [
        *(nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(), pool(), lrn()),
        *(nn.Conv2d(64, 64, 1), nn.ReLU(), nn.Conv2d(64, 192, 3, padding=1), nn.ReLU()),
        *(lrn(), pool()),
    ]
    before = 192
    for stage in ROWS:
        for row in stage:
            layers.append(Inception(before, *row))
            n1, _, n3, _, n5, p = row
            before = n1 + n3 + n5 + p
        if stage is not ROWS[-1]:
            layers.append(pool())
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(before, 1000)
    return nn.Sequential(*layers, *head)


OWN = {
    "lenet5": lenet5,
    "lenet5_1998": lenet5_1998,
    "cnn1d": cnn1d,
    "unet": UNet,
    "cifar10": cifar10,
    "cifar10_residual": cifar10_residual,
    "resnet20": resnet20,
    "googlenet": googlenet,
}
