"""Of which networks are the gradients of the first step compared, and with what inputs?"""

from collections.abc import Mapping

import numpy as np

from cnnspec import Network, load
from values.weights import inputs_for

BATCH = 8
SAMPLES = 16

VGG = """
network Vgg {
  input 3x16x16
  for maps in [16, 32] {
    conv maps 3x3 pad=1 -> relu
    conv maps 3x3 pad=1 -> relu
    maxpool 2x2
  }
  flatten -> fc 64 -> relu
  fc 10
}
"""

INCEPTION = """
block unit(maps, kernel=1) { conv maps kernel pad=kernel//2 -> relu }

network Inception {
  input 3x16x16
  conv 16 3x3 pad=1 -> relu -> maxpool 3x3 stride=2 ceil=yes -> lrn
  concat {
    | unit 8
    | unit 12 -> unit 16 3
    | unit 4 -> unit 8 5
    | maxpool 3x3 stride=1 pad=1 -> unit 8
  }
  avgpool global -> flatten
  fc 10
}
"""

DENSE = """
param growth = 8

block dense {
  concat {
    | in
    | bn -> relu -> conv 4*growth 1x1 bias=no -> bn -> relu -> conv growth 3x3 pad=1 bias=no
  }
}

network Dense {
  input 3x16x16
  conv 2*growth 3x3 pad=1 bias=no
  repeat 3 { dense }
  bn -> relu -> conv here.channels//2 1x1 bias=no -> avgpool 2x2
  bn -> relu -> avgpool global -> flatten
  fc 10
}
"""

MOBILE = """
block inverted(out, stride, expand) {
  let wide = expand*in.channels
  if expand > 1 { conv wide 1x1 bias=no -> bn -> relu max=6 }
  conv wide 3x3 stride=stride pad=1 groups=wide bias=no -> bn -> relu max=6
  conv out 1x1 bias=no -> bn
}

network Mobile {
  input 3x32x32
  conv 8 3x3 stride=2 pad=1 bias=no -> bn -> relu max=6
  inverted 8 1 1
  inverted 12 2 6
  add { | in | inverted 12 1 6 }
  conv 32 1x1 bias=no -> bn -> relu max=6
  avgpool global -> flatten
  fc 10
}
"""

UNET = """
block double(c) { conv c 3x3 pad=same -> relu -> conv c 3x3 pad=same -> relu }

network UNet {
  input 1x16x16
  double 8 as e1
  maxpool 2x2 -> double 16 as e2
  maxpool 2x2 -> double 32
  deconv 16 2x2 stride=2
  concat { | in | e2 }
  double 16
  deconv 8 2x2 stride=2
  concat { | in | e1 }
  double 8
  conv 2 1x1
}

train { data masks "pictures" "masks" }
"""

SERIES = """
network Series {
  input 1x24
  conv 16 5 pad=same bias=no -> bn -> relu -> maxpool 2
  conv 20 5 pad=same bias=no -> bn -> relu -> maxpool 2
  conv 16 3 pad=same bias=no -> bn -> relu
  flatten -> fc 2
}
"""

SPECS: Mapping[str, str] = {
    "lenet5": "lenet5",
    "vgg": VGG,
    "resnet20": "resnet20",
    "inception": INCEPTION,
    "dense": DENSE,
    "mobile": MOBILE,
    "unet": UNET,
    "series": SERIES,
}


def network_of(name: str) -> Network:
    return load(SPECS[name])


def given(name: str, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and the classes that are right."""
    (source,) = network.graph.inputs
    assert source.shape is not None
    x = inputs_for(name, (BATCH, *source.shape))
    if name == "unet":
        return x, (x[:, 0] > 0).astype(np.int64)
    shape = network.layers[-1].shape
    assert shape is not None
    return x, 3 * np.arange(BATCH) % shape[0]


def sampled(gradient: np.ndarray) -> np.ndarray:
    at = np.unique(np.linspace(0, gradient.size - 1, SAMPLES).round().astype(int))
    return gradient.reshape(-1)[at]
