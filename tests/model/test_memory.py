"""Memory by liveness, against small networks worked out by hand and a count of what is alive."""

import random

from cnnspec.layers import KINDS
from cnnspec.model.backward import BESIDE, BY_OUTPUT, IN_PLACE, ONLY_BY_OUTPUT, PASSING, SHARING
from cnnspec.model.graph import Graph
from cnnspec.model.memory import Training, inference, training
from cnnspec.model.passes import passes
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
    weights = tally(graph)
    assert found.weights == 2 * weights.bytes
    assert found.state == 2 * 2 * 4 * weights.trained
    assert found.total == (
        found.weights
        + found.gradients
        + found.state
        + found.values
        + found.value_gradients
        + found.spare
    )


def test_the_optimizer_of_the_recipe_keeps_its_copies() -> None:
    def state(optimizer: str) -> float:
        recipe = f"train {{ data digits\n loss mse\n optimizer {optimizer} }}"
        found = training(build(f"network N {{ input 4\n fc 2 }}\n{recipe}"))
        return found.state / found.weights

    assert [state(o) for o in ("sgd", "momentum", "adadelta", "adamw")] == [0, 1, 2, 2]
    assert [state(o) for o in ("rmsprop", "rmsprop momentum=0.9")] == [1, 2]


def test_a_step_by_hand() -> None:
    graph = build("network N { input 1x4x4\n conv 2 3x3 pad=1 -> relu\n flatten\n fc 5 }")
    found = training(graph, 1)
    # The worst moment is fc's: its gradient and that gradient times the rate, 5·(32 + 1) each.
    assert found.gradients == 2 * 4 * 5 * 33
    # The input, which conv needs again, what relu made, in the place of what conv made, and the
    # output, of which the step tells how often it is right.
    assert found.values == 4 * (16 + 32 + 5)
    # What arrived at fc, and what it makes for relu.
    assert found.value_gradients == 4 * (5 + 32)
    # For conv's kernels all windows of 9 are copied out, the largest block of all.
    assert found.spare == 4 * 9 * 16


def test_a_large_batch_is_worst_elsewhere() -> None:
    graph = build("network N { input 1x4x4\n conv 2 3x3 pad=1 -> relu\n flatten\n fc 5 }")
    found = training(graph, 1000)
    # In conv: of the forward pass only the input and the output are left.
    assert found.values == 1000 * 4 * (16 + 5)
    # Its own gradient, all windows, and these in thirds before they are put together.
    assert found.value_gradients == 1000 * 4 * (32 + 9 * 16 + 3 * 16)
    assert found.gradients == 2 * 4 * (2 * 9 + 2)


def test_a_value_is_kept_as_long_as_a_gradient_needs_it() -> None:
    def kept(body: str) -> int:
        graph = build(f"network N {{ input 8x8x8\n conv 8 1x1\n {body}\n conv 8 1x1 }}")
        return max(m.values for m in passes(graph, value_bytes(graph)).moments) // (4 * 8**3)

    # The input, what the second conv takes, and what it made.
    assert kept("relu") == kept("tanh") == kept("affine mul=2") == 3
    # What the first made as well: silu asks its input, and keeps a sigmoid besides.
    assert kept("leaky") == 4
    assert kept("silu") == 5
    assert kept("add { | in | in }") == 3
    assert kept("mul { | relu | sigmoid }") == 5


def test_settings_that_keep_more_than_an_optimizer_does() -> None:
    def found(setting: str) -> tuple[Training, int]:
        network = "network N { input 8\n fc 40\n fc 40\n fc 40 }"
        recipe = f"train {{ loss mse\n optimizer sgd lr=0.1\n {setting} }}"
        graph = build(f"{network}\n{recipe}")
        return training(graph), 4 * tally(graph).trained

    plain, trained = found("epochs 1")
    assert plain.gradients < trained
    # The length of all gradients is known once all are there.
    assert found("clip norm 1")[0].gradients == trained
    assert found("clip value 1")[0].gradients == plain.gradients
    assert found("accumulate 4")[0].gradients == plain.gradients + 2 * trained
    assert found("ema 0.99")[0].weights == plain.weights + 2 * trained


def test_what_depends_on_nothing_trained_needs_no_gradient() -> None:
    frozen = build("network N { input 1x4x4\n conv 8 3x3 frozen=yes\n relu\n flatten\n fc 5 }")
    found, weights = training(frozen), tally(frozen)
    assert found.weights == 4 * (weights.frozen + 2 * weights.trained)
    assert found.gradients == 2 * 4 * (8 * 2 * 2 + 1) * 5
    assert found.value_gradients == 4 * 5


def test_the_tables_of_gradients_name_layers() -> None:
    named = {*PASSING, *BY_OUTPUT, *ONLY_BY_OUTPUT, *BESIDE, *IN_PLACE, *SHARING}
    assert named <= KINDS.keys()
    assert ONLY_BY_OUTPUT <= BY_OUTPUT
    assert SHARING <= PASSING
    assert not PASSING & BY_OUTPUT


def test_resnet50_is_of_the_published_size() -> None:
    graph = build_file("tests/model/resnet50.cnn")
    found = inference(graph)
    # 25,557,032 parameters and 53,120 running statistics; the widest place is stage one.
    assert found.weights == 4 * (25_557_032 + 53_120)
    assert found.values == 3 * 4 * 256 * 56 * 56
