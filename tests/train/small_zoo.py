"""How small can a network of the zoo be and still be that network?

The spec's own text, with fewer maps, smaller pictures and shorter stages. Nothing is left out at
random, and the spec's counts and recipe, which are of the whole network, are not asked for. What
examples look like, and what is right for them, is drawn here too.
"""

import re
from collections.abc import Callable, Mapping
from math import log
from typing import Any, NamedTuple

import numpy as np

from cnnspec.model.graph import Graph
from nets import build, read

Array = np.ndarray[Any, Any]
Feeds = dict[str, Array]

N = 32
"""Examples, one batch, the same at every step."""

CLASSES = 10

NUMBERS = 'data npz "drawn.npz" targets=numbers'


# ── examples ───────────────────────────────────────────────────────────────────────────────────


def size(graph: Graph, node: int | None = None) -> tuple[int, ...]:
    """The shape of the first input, or of a node."""
    shape = (graph.inputs[0] if node is None else graph.nodes[node]).shape
    assert shape is not None
    return shape


def classes(graph: Graph, rng: np.random.Generator) -> Feeds:
    """Noise, to be learned by heart. All heads are asked the same."""
    (own,) = graph.inputs
    right = np.arange(N) % CLASSES
    heads = {f"target.{head.name}": right for head in graph.outputs}
    return {own.path: rng.normal(size=(N, *size(graph))), "target": right, **heads}


def days(graph: Graph, rng: np.random.Generator) -> Feeds:
    """Noise, of two classes."""
    return {"input": rng.normal(size=(N, 1, 24)), "target": np.arange(N) % 2}


def pairs(graph: Graph, rng: np.random.Generator) -> Feeds:
    """Noise beside noise; which of them belong together is to be learned by heart."""
    left, right = rng.normal(size=(2, N, *size(graph)))
    return {"left": left, "right": right, "target": np.arange(N) % 2}


def squares(graph: Graph, rng: np.random.Generator) -> Array:
    """Pictures of squares of 4x4 pixels, each 0 or 1."""
    maps, height, width = size(graph)
    coarse = rng.integers(0, 2, (N, maps, height // 4, width // 4))
    return np.kron(coarse, np.ones((4, 4)))


def clean_pictures(graph: Graph, rng: np.random.Generator) -> Feeds:
    clean = squares(graph, rng)
    return {"input": clean + rng.normal(0, 0.1, clean.shape), "target": clean}


def masks(graph: Graph, rng: np.random.Generator) -> Feeds:
    clean = squares(graph, rng)
    return {"input": clean + rng.normal(0, 0.1, clean.shape), "target": clean[:, 0]}


def fine_pictures(graph: Graph, rng: np.random.Generator) -> Feeds:
    """Pictures of long waves; the network is given every second pixel."""
    n = 2 * size(graph)[-1]
    place = np.arange(n) / n
    fine = np.zeros((N, 1, n, n))
    for down, across in np.ndindex(2, 2):
        phase = rng.uniform(0, 2 * np.pi, (N, 1, 1, 1))
        fine += np.cos(2 * np.pi * (down * place[:, None] + across * place) + phase) / 4
    return {"input": fine[:, :, ::2, ::2], "target": fine}


def anchors(graph: Graph, rng: np.random.Generator) -> Feeds:
    """Four scenes under a little noise. What is at a place, and where, is the scene's."""
    scene = np.arange(N) % 4
    x = rng.normal(size=(4, *size(graph)))[scene]
    feeds: Feeds = {"input": x + rng.normal(0, 0.1, x.shape)}
    seen, box = rng.integers(0, 2, (4, 18)), rng.normal(size=(4, 36))
    for head in graph.outputs:
        wanted = seen if head.name.endswith(".classes") else box
        each = np.broadcast_to(wanted[scene][:, :, None, None], (N, *size(graph, head.node)))
        feeds[f"target.{head.name}"] = each
    return feeds


# ── networks ───────────────────────────────────────────────────────────────────────────────────


class Small(NamedTuple):
    """A network made small, and how it is to learn."""

    spec: str
    changes: Mapping[str, str] = {}
    params: Mapping[str, object] = {}
    examples: Callable[[Graph, np.random.Generator], Feeds] = classes
    guess: float = log(CLASSES)
    """The loss of the best answer that is the same for all examples."""
    lines: tuple[str, ...] = ("loss cross_entropy",)
    lr: float = 0.01
    steps: int = 150
    """The most that it may need."""

    @property
    def name(self) -> str:
        return " ".join((self.spec, *(f"{k}={v}" for k, v in self.params.items())))

    def graph(self) -> Graph:
        text = read(f"specs/{self.spec}.cnn").text.partition("\ntrain {")[0]
        for old, new in self.changes.items():
            assert old in text, f"{self.spec} does not say `{old}`"
            text = text.replace(old, new)
        text = re.sub(r"dropout \w[\w.]*", "dropout 0", text)
        text = re.sub(r"^ *expect .*\n", "", text, flags=re.MULTILINE)
        return build(text, f"specs/{self.spec}.cnn", **self.params)


SMALL = "input 3x32x32"
LARGE = "input 3x224x224"
TEN = {"classes": CLASSES}

FEWER = {
    " -> inception 128 128 192 32 96 64 as i3b": "",
    " -> inception 384 192 384 48 128 128 as i5b": "",
}
"""Blocks of GoogLeNet that are there twice in a row."""

HEADS = [f"p{k}.{what}" for k in range(3, 8) for what in ("classes", "boxes")]

ZOO = (
    *(
        Small(
            "alexnet",
            {
                "227, 0, 2, (96, 256, 384, 384, 256)": "67, 0, 2, (8, 12, 16, 16, 16)",
                "224, 2, 1, (64, 192, 384, 256, 256)": "67, 2, 1, (8, 12, 16, 16, 16)",
                "fc 4096": "fc 64",
            },
            {"original": original, **TEN},
        )
        for original in (False, True)
    ),
    Small(
        "cifar10",
        {SMALL: "input 3x16x16", "conv 32 ": "conv 8 ", "conv 64 ": "conv 12 ", "fc 512": "fc 64"},
        lr=0.003,
    ),
    Small(
        "cifar10_residual",
        {SMALL: "input 3x16x16", "unit 32": "unit 8", "unit 64": "unit 12", "unit 128": "unit 16"},
    ),
    Small("cnn1d", examples=days, guess=log(2)),
    Small("conv3d", {"1x32x32x32": "1x14x14x14", "conv 32": "conv 8"}, TEN),
    Small(
        "convnext_tiny",
        {
            LARGE: SMALL,
            "conv 96": "conv 8",
            "(192, 3), (384, 9), (768, 3)": "(12, 1), (16, 2), (24, 1)",
            "repeat 3": "repeat 1",
        },
        TEN,
    ),
    Small(
        "deepface",
        {
            "152x152": "32x32",
            "11x11": "5x5",
            "9x9": "3x3",
            "7x7": "3x3",
            "5x5 as L6": "3x3 as L6",
            "4096": "64",
            "4030": "10",
        },
        lr=0.003,
    ),
    Small(
        "denoiser",
        examples=clean_pictures,
        guess=0.25,
        lines=(NUMBERS, "loss mse"),
    ),
    Small(
        "densenet",
        {LARGE: SMALL, "[6, 12, 24, 16]": "[2, 1, 1, 1]"},
        {"growth": 8, **TEN},
    ),
    Small(
        "efficientnet",
        {
            "(1.0, 1.0, 224, 0.2)": "(0.25, 1.0, 32, 0.2)",
            "(6, 3, 2, 80, 3), (6, 5, 1, 112, 3),": "",
            "(6, 5, 2, 192, 4), ": "",
        },
        TEN,
    ),
    Small("fashion", {"[32, 64]": "[8, 16]", "conv 96": "conv 16"}),
    Small(
        "googlenet",
        {
            LARGE: "input 3x48x48",
            "avgpool 5x5": "avgpool 3x3",
            "conv 64 ": "conv 8 ",
            "conv 192 ": "conv 16 ",
            "conv n1 ": "conv n1//16 ",
            "conv r3 ": "conv r3//16 ",
            "conv n3 ": "conv n3//16 ",
            "conv r5 ": "conv r5//8 ",
            "conv n5 ": "conv n5//16 ",
            "conv pool ": "conv pool//16 ",
            "conv 128 ": "conv 16 ",
            "fc 1024": "fc 32",
            **FEWER,
            "  inception 112 144 288 32 64 64 as i4d\n": "",
        },
        {"aux": True, **TEN},
        lines=(
            "loss cross_entropy",
            "loss cross_entropy on=aux1 weight=0.3",
            "loss cross_entropy on=aux2 weight=0.3",
        ),
        guess=1.6 * log(CLASSES),
        lr=0.003,
    ),
    Small(
        "googlenet_bn",
        {
            LARGE: "input 3x64x64",
            "unit 64": "unit 8",
            "unit 192": "unit 16",
            **FEWER,
            " -> inception 160 112 224 24 64 64 as i4b": "",
            " -> inception 112 144 288 32 64 64 as i4d": "",
            "unit n1": "unit n1//16",
            "unit r3": "unit r3//16",
            "unit n3": "unit n3//16",
            "unit r5": "unit r5//8",
            "unit n5": "unit n5//16",
            "unit pool": "unit pool//16",
        },
        TEN,
    ),
    Small("lenet5"),
    Small("lenet5_1998"),
    Small("mlp"),
    Small("mobilenet_v1", {LARGE: SMALL}, {"width": 0.125, **TEN}),
    Small(
        "mobilenet_v2",
        {
            LARGE: SMALL,
            "(6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),": "(6, 32, 2, 2),",
        },
        {"width": 0.25, **TEN},
    ),
    *(
        Small(
            "resnet",
            {
                LARGE: SMALL,
                "conv 64 ": "conv 8 ",
                "64*2**": "4*2**",
                "[2, 2, 2, 2]": "[1, 2, 1, 1]",
                "[3, 4, 6, 3]": "[1, 2, 1, 1]",
            },
            {"depth": depth, **TEN},
        )
        for depth in (18, 50)
    ),
    Small(
        "resnet20",
        {
            SMALL: "input 3x16x16",
            "conv 16 ": "conv 8 ",
            "(16, 1), (32, 2), (64, 2)": "(8, 1), (12, 2), (16, 2)",
        },
        {"n": 2},
    ),
    Small(
        "retinanet",
        {
            "input 3x512x512": "input 3x32x32",
            "conv 64 ": "conv 8 ",
            "stage 64 3 1": "stage 4 1 1",
            "stage 128 4 2": "stage 6 1 2",
            "stage 256 6 2": "stage 8 2 2",
            "stage 512 3 2": "stage 8 1 2",
            "conv 256 ": "conv 16 ",
            "repeat 4": "repeat 2",
        },
        {"classes": 2},
        anchors,
        lines=(
            NUMBERS,
            *(
                f"loss {'mse' if head.endswith('boxes') else 'binary_cross_entropy'} on={head}"
                for head in HEADS
            ),
        ),
        guess=5 * (log(2) + 1),
        lr=0.005,
    ),
    Small(
        "shufflenet_v2",
        {
            LARGE: SMALL,
            "(116, 4), (232, 8), (464, 4)": "(8, 2), (16, 3), (32, 2)",
            "conv 24 ": "conv 8 ",
            "conv 1024 ": "conv 64 ",
        },
        TEN,
    ),
    Small(
        "siamese",
        {
            "105x105": "50x50",
            "10x10": "3x3",
            "7x7": "3x3",
            "conv 64 ": "conv 4 ",
            "conv 128 ": "conv 8 ",
            "conv 256 ": "conv 16 ",
            "fc 4096": "fc 64",
        },
        examples=pairs,
        guess=log(2),
        lines=("loss binary_cross_entropy",),
        lr=0.005,
    ),
    Small(
        "squeezenet1_1",
        {
            LARGE: "input 3x48x48",
            "conv 64 ": "conv 8 ",
            "conv classes 1x1 -> relu": "conv classes 1x1",
            "conv squeeze": "conv squeeze//2",
            "conv expand": "conv expand//4",
        },
        TEN,
        lr=0.003,
    ),
    Small(
        "super_resolution",
        {"64x64": "12x12", "(1, 64*": "(1, 12*", "conv 64 ": "conv 16 ", "conv 32 ": "conv 16 "},
        {"factor": 2},
        fine_pictures,
        guess=0.125,
        lines=(NUMBERS, "loss mse"),
    ),
    Small(
        "unet",
        {
            "128x128": "16x16",
            "double 32": "double 8",
            "double 64": "double 12",
            "double 128": "double 16",
            "deconv 64": "deconv 12",
            "deconv 32": "deconv 8",
        },
        examples=masks,
        guess=log(2),
    ),
    *(
        Small(
            "vgg",
            {
                LARGE: SMALL,
                "(64, first), (128, first), (256": "(8, first), (8, first), (12",
                "(512, later)": "(16, later)",
                "fc 4096": "fc 64",
            },
            {"depth": 11, "batchnorm": norm, **TEN},
        )
        for norm in (False, True)
    ),
)

UNREACHED = {
    "neocognitron": "its S-cells fall silent under gradients, or their divisors, whose weights may "
    "be negative here as they may not in the paper, pass through 0",
}
"""Networks that do not get there, and why."""

FAMILIES = ("vgg", "resnet", "densenet", "efficientnet")
"""Files of which others choose one network each."""
