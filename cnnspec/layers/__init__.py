"""The vocabulary of layers, one file for each kind or family; `KINDS` is the table of all."""

from collections.abc import Mapping

from cnnspec.layers.activation import (
    Abs,
    Affine,
    Clip,
    Elu,
    Exp,
    Gelu,
    HardSigmoid,
    HardSwish,
    Leaky,
    Log,
    LogSoftmax,
    Mish,
    Prelu,
    Relu,
    ScaledTanh,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Sqrt,
    Square,
    Tanh,
)
from cnnspec.layers.base import Layer
from cnnspec.layers.classic import Rbf, Subsampling
from cnnspec.layers.conv import Conv
from cnnspec.layers.deconv import Deconv
from cnnspec.layers.dense import Dense
from cnnspec.layers.dropout import Dropout, DropPath
from cnnspec.layers.frame import Crop, Pad, Slice
from cnnspec.layers.local import Local
from cnnspec.layers.merge import Add, Concat, Div, MatMul, Max, Mean, Min, Mul, Sub
from cnnspec.layers.norm import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    L2Norm,
    LayerNorm,
    LocalResponseNorm,
    Scale,
)
from cnnspec.layers.pool import AvgPool, LpPool, MaxPool
from cnnspec.layers.reduce import Reduce
from cnnspec.layers.reshaping import Flatten, Permute, Reshape
from cnnspec.layers.shuffle import ChannelShuffle, PixelShuffle, PixelUnshuffle
from cnnspec.layers.source import Input
from cnnspec.layers.upsample import Upsample

FAMILIES: Mapping[str, tuple[type[Layer], ...]] = {
    "input": (Input,),
    "with weights": (Conv, Deconv, Local, Dense),
    "pooling": (MaxPool, AvgPool, LpPool),
    "normalisation": (
        BatchNorm,
        LayerNorm,
        GroupNorm,
        InstanceNorm,
        LocalResponseNorm,
        L2Norm,
        Scale,
    ),
    "regularisation": (Dropout, DropPath),
    "activation": (
        Relu,
        Leaky,
        Prelu,
        Elu,
        Selu,
        Gelu,
        Silu,
        Mish,
        HardSwish,
        HardSigmoid,
        Softplus,
        Sigmoid,
        Tanh,
        ScaledTanh,
        Softmax,
        LogSoftmax,
    ),
    "arithmetic": (Abs, Square, Sqrt, Exp, Log, Affine, Clip, Reduce),
    "order and size": (
        Flatten,
        Reshape,
        Permute,
        Slice,
        ChannelShuffle,
        PixelShuffle,
        PixelUnshuffle,
        Upsample,
        Pad,
        Crop,
    ),
    "joining branches": (Add, Sub, Mul, Div, Max, Min, Mean, Concat, MatMul),
    "LeNet-5 of 1998": (Subsampling, Rbf),
}

KINDS: Mapping[str, type[Layer]] = {
    kind.kind: kind for family in FAMILIES.values() for kind in family
}
"""Every word for a layer."""
