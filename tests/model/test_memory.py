"""Memory by liveness, against small networks worked out by hand and a count of what is alive."""

import random

from cnnspec.model.graph import Graph
from cnnspec.model.memory import inference, training
from cnnspec.model.tally import tally, value_bytes
from nets import build, build_file


def alive_at_worst(graph: Graph) -> int:
    """The definition, with no cleverness: for each layer, all values made and needed still."""
    sizes = value_bytes(graph)
    needs = {o.node for o in graph.outputs}
    worst = 0
    for now in graph.nodes:
        alive: set[int] = set()
        for made in graph.nodes[: now.index + 1]:
            later = [n for n in graph.nodes[now.index :] if made.index in n.inputs]
            if made is now or later or made.index in needs:
                alive.add(made.index)
        # What a view looks at is alive as long as the view.
        for i in sorted(alive, reverse=True):
            at = graph.nodes[i]
            while at.layer.is_view:
                at = graph.nodes[at.inputs[0]]
                alive.add(at.index)
        worst = max(worst, sum(sizes[i] for i in alive))
    return worst


def test_lenet_by_hand() -> None:
    # Most is alive while tanh makes 6x28x28 out of as many numbers: 2·4·6·28·28 bytes.
    found = inference(build_file("tests/model/lenet5.cnn"))
    assert found.weights == 4 * 61_706
    assert found.values == 2 * 4 * 6 * 28 * 28
    assert found.total == 284_456


def test_a_shortcut_keeps_its_value_alive() -> None:
    graph = build(
        """\
        network N {
          input 1x10x10
          conv 8 3x3 pad=1
          add { | relu -> relu | in }
        }
        """
    )
    # In the second relu: what entered the branches, the first relu's value and its own.
    assert inference(graph).values == 3 * 4 * 8 * 10 * 10


def test_a_view_takes_nothing_and_keeps_what_it_shows() -> None:
    graph = build("network N { input 4x5x5\n relu\n flatten\n relu }")
    assert value_bytes(graph) == [400, 400, 0, 400]
    assert inference(graph).values == 800


def test_values_grow_with_the_batch_and_weights_do_not() -> None:
    graph = build_file("tests/model/lenet5.cnn")
    one, many = inference(graph), inference(graph, 32)
    assert many.weights == one.weights
    assert many.values == 32 * one.values


def test_liveness_agrees_with_its_definition() -> None:
    for _ in range(20):
        body = "\n".join(f"  {piece()}" for _ in range(random.randint(1, 6)))
        graph = build(f"network N {{\n  input 2x8x8\n{body}\n  flatten\n  fc 3\n}}")
        assert inference(graph).values == alive_at_worst(graph), body


def piece() -> str:
    n = random.choice((2, 4, 8))
    return random.choice(
        (
            f"conv {n} 3x3 pad=1 -> relu",
            "relu",
            f"concat {{ | conv {n} 1x1 | in | conv 2 3x3 pad=1 -> tanh }}",
            "add { | relu -> tanh | in }",
        )
    )


def test_training_adds_up_what_it_says() -> None:
    graph = build_file("tests/model/lenet5.cnn")
    found = training(graph, 16)
    weights, sizes = tally(graph), value_bytes(graph)
    assert found.gradients == 4 * weights.trained
    assert found.state == 2 * found.gradients
    assert found.values == 16 * sum(sizes)
    assert found.total == (
        found.weights + found.gradients + found.state + found.values + found.value_gradients
    )


def test_the_optimizer_of_the_recipe_keeps_its_copies() -> None:
    def state(optimizer: str) -> float:
        recipe = f"train {{ data digits\n loss mse\n optimizer {optimizer} }}"
        found = training(build(f"network N {{ input 4\n fc 2 }}\n{recipe}"))
        return found.state / found.gradients

    assert [state(o) for o in ("sgd", "momentum", "adadelta", "adamw")] == [0, 1, 2, 2]
    assert [state(o) for o in ("rmsprop", "rmsprop momentum=0.9")] == [1, 2]


def test_gradients_of_values_by_hand() -> None:
    graph = build("network N { input 1x4x4\n conv 2 3x3 pad=1 -> relu\n flatten\n fc 5 }")
    # The largest pair is that of relu and conv: 2·4·2·4·4; the input needs no gradient.
    assert training(graph).value_gradients == 2 * 4 * 2 * 4 * 4


def test_what_depends_on_nothing_trained_needs_no_gradient() -> None:
    frozen = build("network N { input 1x4x4\n conv 8 3x3 frozen=yes\n relu\n flatten\n fc 5 }")
    found = training(frozen)
    assert found.gradients == 4 * (8 * 2 * 2 + 1) * 5
    assert found.value_gradients == 4 * 5


def test_resnet50_is_of_the_published_size() -> None:
    graph = build_file("tests/model/resnet50.cnn")
    found = inference(graph)
    # 25,557,032 parameters and 53,120 running statistics; the widest place is stage one.
    assert found.weights == 4 * (25_557_032 + 53_120)
    assert found.values == 3 * 4 * 256 * 56 * 56
