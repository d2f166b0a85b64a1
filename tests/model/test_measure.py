"""Totals of networks whose numbers are published or can be counted on a page."""

import pytest

from cnnspec.model.measure import measure
from nets import build, build_file


def test_lenet() -> None:
    found = measure(build_file("tests/model/lenet5.cnn"))
    assert found.params == 61_706
    assert found.macs == 416_520
    assert found.flops == 833_040
    # Those of the convolutions and fully connected layers, and 4 per pooled number.
    assert found.connections >= 122_304 + 241_600 + 48_120 + 10_164 + 850
    assert found.receptive_field == 16
    assert found.layers == 13
    assert found.depth == 5


def test_resnet50() -> None:
    found = measure(build_file("tests/model/resnet50.cnn"))
    assert found.params == 25_557_032
    assert found.weights.buffers == 53_120
    assert found.macs == 4_089_184_256
    assert found.receptive_field == 427
    assert found.depth == 50


def test_shared_weights_are_counted_once_and_work_for_every_use() -> None:
    pair = measure(build_file("tests/model/pair.cnn"))
    one = measure(build("network N { input 1x8x8\n conv 4 3x3 pad=1 -> relu\n flatten\n fc 16 }"))
    assert pair.params == one.params + 16 + 1
    assert pair.macs == 2 * one.macs + 16


def test_frozen_parameters_are_parameters_that_are_not_trained() -> None:
    found = measure(build("network N { input 10\n fc 5 frozen=yes\n fc 2 }")).weights
    assert (found.trained, found.frozen, found.params) == (12, 55, 67)


def test_a_net_of_vectors() -> None:
    found = measure(build("network N { input 784\n fc 100 -> relu\n fc 10 }"))
    assert found.field == ()
    assert found.receptive_field == 1
    assert found.depth == 2


def test_the_receptive_field_holds_along_every_axis() -> None:
    found = measure(build("network N { input 1x9x9\n conv 2 1x7 pad=0x3 }"))
    assert found.field == (1, 7)
    assert found.receptive_field == 1


@pytest.mark.parametrize(
    ("spec", "depth"), [("resnet18", 18), ("resnet50", 50), ("vgg16", 16), ("densenet121", 121)]
)
def test_depth_is_the_number_in_the_name(spec: str, depth: int) -> None:
    assert measure(build_file(f"specs/{spec}.cnn")).depth == depth
