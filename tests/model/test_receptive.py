"""What a pixel sees, against numbers from the literature and against pixels counted one by one."""

import random
from math import floor

import pytest

from cnnspec.model.graph import Graph
from cnnspec.model.receptive import Field, fields, network_field
from nets import build, build_file


def by_path(graph: Graph) -> dict[str, Field]:
    return dict(zip((n.path for n in graph.nodes), fields(graph), strict=True))


def test_lenet_layer_by_layer() -> None:
    found = by_path(build_file("tests/model/lenet5.cnn"))
    assert [f.sizes[0] for f in found.values() if not f.is_global] == [1, 5, 5, 6, 14, 14, 16]
    assert [f.jumps[0] for f in found.values() if not f.is_global] == [1, 1, 1, 2, 2, 2, 4]
    assert found["conv16_5x5_avgpool"].starts == (-2, -2)
    assert found["conv16_5x5_flatten"].sizes == (32, 32)
    assert all(f.is_global for p, f in found.items() if p.startswith("fc"))


def test_resnet50_agrees_with_the_literature() -> None:
    # By hand: 7 (stem), 11 (pool), then each 3x3 adds 2·jump before it, and the block whose 3x3
    # has stride 2 adds 2·jump at the jump that enters: jumps 4, 8, 16, 32 in the four stages.
    # Stage 1: 3·2·4; stage 2: 2·4 + 3·2·8; stage 3: 2·8 + 5·2·16; stage 4: 2·16 + 2·2·32.
    stages = [3 * 2 * 4, 2 * 4 + 3 * 2 * 8, 2 * 8 + 5 * 2 * 16, 2 * 16 + 2 * 2 * 32]
    assert 11 + sum(stages[:3]) == 267
    assert 11 + sum(stages) == 427
    found = by_path(build_file("tests/model/resnet50.cnn"))
    assert found["bottleneck256_6.relu"].sizes == (267, 267)
    assert found["bottleneck512_3.relu"].sizes == (427, 427)
    assert found["bottleneck512_3.relu"].jumps == (32, 32)
    assert network_field(list(found.values())) == (427, 427)


def test_axes_go_their_own_ways() -> None:
    found = by_path(
        build("network N { input 1x9x9\n conv 2 1x7 pad=0x3\n conv 2 3x1 stride=2x1 pad=1x0 }")
    )
    last = found["conv2_3x1"]
    assert last.sizes == (3, 7)
    assert last.jumps == (2, 1)
    assert last.starts == (-1, -3)


def test_a_gate_is_left_aside() -> None:
    graph = build(
        """\
        network N {
          input 4x16x16
          conv 8 3x3 pad=1
          mul { | in | avgpool global -> conv 8 1x1 -> sigmoid }
          conv 8 3x3 pad=1
        }
        """
    )
    found = by_path(graph)
    assert found["conv8_3x3_avgpool"].is_global
    assert found["conv8_3x3_mul"].sizes == (3, 3)
    assert found["conv8_3x3_2"].sizes == (5, 5)
    assert not found["conv8_3x3_mul"].is_global


def test_a_pool_as_large_as_the_map_is_a_global_one() -> None:
    body = "network N {{ input 1x9x9\n conv 2 3x3\n {} -> flatten\n fc 2 }}"
    for pool in ("avgpool global", "avgpool 7x7", "avgpool to=1x1", "reduce mean axis=space"):
        found = fields(build(body.format(pool)))
        assert found[2].is_global
        assert found[2].sizes == (9, 9)
        assert network_field(found) == (3, 3)


def test_branches_that_look_elsewhere_see_what_either_sees() -> None:
    # One branch looks to the left of its pixel, the other to the right: together 5, not 3.
    graph = build(
        """\
        network N {
          input 1x32
          add {
            | conv 1 3 pad=(2, 0)
            | conv 1 3 pad=(0, 2)
          }
        }
        """
    )
    last = fields(graph)[-1]
    assert last.sizes == (5,)
    assert last.starts == (-2,)


def test_a_vector_has_no_axes_until_it_becomes_a_map() -> None:
    graph = build("network N { input 64\n fc 64\n reshape 1x8x8\n conv 2 3x3 }")
    found = fields(graph)
    assert found[0].axes == ()
    assert found[-1].is_global
    first = fields(build("network N { input 64\n reshape 1x8x8\n conv 2 3x3 }"))
    assert first[-1].sizes == (3, 3)
    assert network_field(first) == (3, 3)


def test_growing_maps_have_fractional_jumps() -> None:
    graph = build(
        "network N { input 1x32x32\n maxpool 2x2\n deconv 4 2x2 stride=2\n conv 4 3x3 pad=1 }"
    )
    found = by_path(graph)
    assert found["input_maxpool"].jumps == (2, 2)
    assert found["deconv4_2x2"].jumps == (1, 1)
    # Three pixels of the grown map lie over at most two cells of 2x2.
    assert found["conv4_3x3"].sizes == (4, 4)


Step = tuple[int, int, int, int]
"""Kernel, stride, padding, dilation."""


def seen(steps: list[Step], pixel: int) -> tuple[int, int]:
    """The first and the last input pixel that an output pixel reads, one layer after another."""
    pixels = {pixel}
    for kernel, stride, pad, dilation in reversed(steps):
        pixels = {o * stride - pad + k * dilation for o in pixels for k in range(kernel)}
    return min(pixels), max(pixels)


def test_random_stacks_agree_with_counting_pixels() -> None:
    for _ in range(60):
        steps = [
            (random.randint(1, 5), random.randint(1, 3), random.randint(0, 2), random.randint(1, 3))
            for _ in range(random.randint(1, 5))
        ]
        body = "\n".join(f"  conv 1 {k} stride={s} pad={p} dilation={d}" for k, s, p, d in steps)
        (reach,) = fields(build(f"network N {{\n  input 1x2000\n{body}\n}}"))[-1].axes
        for pixel in (0, 3):
            first, last = seen(steps, pixel)
            assert floor(reach.start + pixel * reach.jump) == first, steps
            assert last - first + 1 == reach.pixels, steps


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ("alexnet", 195),
        ("vgg", 212),
        ("mobilenet_v1", 315),
        ("densenet", 2071),
    ],
)
def test_the_zoo_agrees_with_published_fields(spec: str, size: int) -> None:
    # Araujo, Norris and Sim (2019), Computing receptive fields of convolutional neural networks.
    found = fields(build_file(f"specs/{spec}.cnn"))
    assert network_field(found) == (size, size)
