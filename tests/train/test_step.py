"""Does a step keep what it shall keep, and follow what it shall follow?"""

import json

import numpy as np
import pytest
from stepping import Array, Stepping, evaluated

from cnnspec.api import loads
from cnnspec.onnxir.builder import CLOCK
from cnnspec.train.step import NothingToTrain

RNG = np.random.default_rng(11)
X = RNG.normal(size=(6, 4))
Y = RNG.integers(0, 3, 6)
FEEDS = {"input": X, "target": Y}

TWO = "network {\n  input 4 -> fc 8 -> relu -> fc 3\n}\n"


def train(*lines: str) -> str:
    return "train {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def gradients(network: str, feeds: dict[str, Array], *lines: str) -> dict[str, Array]:
    """Those of the first step, which a momentum remembers as they are."""
    steps = Stepping(network + train("optimizer momentum", *lines))
    steps.do(feeds)
    return {name: steps.kept[f"{name}/velocity"].astype(float) for name in steps.trained}


# ── gradients that are kept small ──────────────────────────────────────────────────────────────


def test_clip_norm() -> None:
    plain = gradients(TWO, FEEDS)
    length = np.sqrt(sum((dw**2).sum() for dw in plain.values()))
    for limit in (length / 10, length / 2, 2 * length):
        share = min(1, limit / length)
        found = gradients(TWO, FEEDS, f"clip norm {limit}")
        for name, dw in plain.items():
            np.testing.assert_allclose(found[name], dw * share, rtol=1e-5, atol=1e-8)


def test_clip_value() -> None:
    plain = gradients(TWO, FEEDS)
    limit = float(np.median(np.abs(plain["fc3.weight"])))
    found = gradients(TWO, FEEDS, f"clip value {limit}")
    for name, dw in plain.items():
        np.testing.assert_allclose(found[name], np.clip(dw, -limit, limit), rtol=1e-6, atol=1e-9)


def test_weights_decay_unclipped() -> None:
    """What pulls weights to 0 is no part of what is clipped."""
    steps = Stepping(TWO + train("optimizer momentum weight_decay=3", "clip value 1e-6"))
    w = steps.kept["fc3.weight"]
    steps.do(FEEDS)
    np.testing.assert_allclose(steps.kept["fc3.weight/velocity"], 3 * w, rtol=1e-4, atol=2e-6)


# ── moving means of weights ────────────────────────────────────────────────────────────────────


def test_ema() -> None:
    steps = Stepping(TWO + train("optimizer sgd", "ema 0.7"))
    plain = Stepping(TWO + train("optimizer sgd"))
    mean = {name: steps.kept[name].astype(float) for name in steps.trained}
    for name in mean:
        assert (steps.kept[f"{name}/average"] == steps.kept[name]).all()
    for _ in range(5):
        steps.do(FEEDS, 0.5)
        plain.do(FEEDS, 0.5)
        for name in mean:
            mean[name] = 0.7 * mean[name] + 0.3 * steps.kept[name]
    assert set(steps.step.averaged) == set(steps.trained)
    for name, wanted in mean.items():
        assert (steps.kept[name] == plain.kept[name]).all()
        np.testing.assert_allclose(steps.kept[f"{name}/average"], wanted, rtol=0, atol=1e-6)


# ── several batches make a step ────────────────────────────────────────────────────────────────


def test_accumulated_batches_are_one_large_one() -> None:
    at_once = Stepping(TWO + train("optimizer adam"))
    gathered = Stepping(TWO + train("optimizer adam", "accumulate 3"))
    for _ in range(3):
        at_once.do(FEEDS)
        for first, last in ((0, 3), (3, 5), (5, 6)):
            part = {k: v[first:last] for k, v in FEEDS.items()}
            gathered.do({**part, "share": (last - first) / 6, "apply": last == 6})
        for name in at_once.trained:
            np.testing.assert_allclose(
                gathered.kept[name], at_once.kept[name], rtol=0, atol=2e-5, err_msg=name
            )


# ── frozen weights ─────────────────────────────────────────────────────────────────────────────

STEM = """
block begin { conv 4 3x3 bias=no -> bn -> relu }
network {
  input 2x6x6
  begin as stem
  conv 3 3x3WORD as second
  flatten -> fc 3
}
"""
IMAGES = {"input": RNG.normal(size=(5, 2, 6, 6)), "target": np.array([0, 1, 2, 1, 0])}


def of_stem(*lines: str, word: str = "") -> Stepping:
    return Stepping(STEM.replace("WORD", word) + train("optimizer adam", *lines))


def test_frozen_by_a_pattern() -> None:
    steps = of_stem('freeze ["stem", "fc*"]')
    assert set(steps.trained) == {"second.weight", "second.bias"}
    slots = {f"{name}/{slot}" for name in steps.trained for slot in ("mean", "square")}
    assert set(steps.kept) == {*steps.trained, *slots, CLOCK}


def test_frozen_by_its_own_word() -> None:
    steps = of_stem(word=" frozen=yes")
    assert not any(name.startswith("second.") for name in steps.kept)
    assert any(name.startswith("fc3.") for name in steps.trained)
    assert {"stem.conv4_3x3_bn.mean", "stem.conv4_3x3_bn.var"} <= set(steps.kept)
    assert not {"stem.conv4_3x3_bn.mean", "stem.conv4_3x3_bn.var"} & set(steps.trained)


def test_all_frozen() -> None:
    with pytest.raises(NothingToTrain, match="no weight is trained"):
        of_stem('freeze "*"')


def test_frozen_statistics_are_the_running_ones() -> None:
    """The loss of a network whose normalisation is frozen is that of its evaluation."""
    frozen = of_stem('freeze "stem"')
    told = frozen.do(IMAGES)["loss"]
    text = STEM.replace("WORD", "") + train("optimizer adam")
    assert told == pytest.approx(float(evaluated(text, IMAGES)["loss"]), rel=1e-5)
    # With statistics of the batch it is another.
    assert told != pytest.approx(of_stem().do(IMAGES)["loss"], rel=1e-3)


# ── shared weights ─────────────────────────────────────────────────────────────────────────────


def test_shared_weights_take_the_gradients_of_all_uses() -> None:
    network = "network {\n  input 3\n  fc 3 as a\n  tanh\n  fc 3 weights=WHOSE as b\n}\n"
    w, bias = RNG.normal(size=(3, 3)), RNG.normal(size=3)
    x, y = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    text = network.replace("WHOSE", "a") + train("optimizer momentum", "loss cross_entropy")
    steps = Stepping(text, {"a.weight": w, "a.bias": bias})
    assert set(steps.trained) == {"a.weight", "a.bias"}
    steps.do({"input": x, "target": y})

    h = np.tanh(x @ w.T + bias)
    z = h @ w.T + bias
    e = np.exp(z - z.max(1, keepdims=True))
    dz = (e / e.sum(1, keepdims=True) - np.eye(3)[y]) / len(x)
    dh = dz @ w * (1 - h**2)
    close(steps.kept["a.weight/velocity"], dz.T @ h + dh.T @ x)
    close(steps.kept["a.bias/velocity"], dz.sum(0) + dh.sum(0))


def close(found: Array, wanted: Array, within: float = 1e-5) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=within * np.abs(wanted).max())


# ── batch normalisation ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("momentum", [0.1, 0.6, 1])
def test_running_statistics(momentum: float) -> None:
    """The variance that is kept is that of a sample; five steps, the last with fewer examples."""
    text = f"network {{\n  input 3x4x2 -> bn momentum={momentum} -> flatten -> fc 2\n}}\n"
    steps = Stepping(text + train("optimizer sgd"))
    mean, var = np.zeros(3), np.ones(3)
    for n in (8, 8, 8, 8, 3):
        x = RNG.normal(2, 3, (n, 3, 4, 2))
        steps.do({"input": x, "target": np.zeros(n)})
        mean = (1 - momentum) * mean + momentum * x.mean((0, 2, 3))
        var = (1 - momentum) * var + momentum * x.var((0, 2, 3), ddof=1)
        close(steps.kept["input_bn.mean"], mean)
        close(steps.kept["input_bn.var"], var)


def test_normalised_by_the_batch() -> None:
    text = "network {\n  input 3x4x2 -> bn eps=1e-3\n}\n" + train("loss mse to=input")
    x = RNG.normal(2, 3, (5, 3, 4, 2))
    scale, bias = RNG.normal(size=(2, 3))
    steps = Stepping(text, {"input_bn.scale": scale, "input_bn.bias": bias})
    axes = (0, 2, 3)
    normal = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-3)
    y = normal * scale.reshape(3, 1, 1) + bias.reshape(3, 1, 1)
    told = steps.do({"input": x, "target": x})
    assert told["loss"] == pytest.approx(((y - x) ** 2).mean(), rel=1e-5)


def test_statistics_of_two_uses() -> None:
    """Both move the running ones, one after the other."""
    text = """
        block twin { bn -> relu }
        network {
          input 2x3x3 as left -> twin as a
          input 2x3x3 as right -> twin weights=a as b
          add { | a | b } -> flatten -> fc 2
        }
    """
    steps = Stepping(text + train("optimizer sgd"))
    left, right = RNG.normal(1, 2, (2, 4, 2, 3, 3))
    steps.do({"left": left, "right": right, "target": np.zeros(4)})
    mean, var = np.zeros(2), np.ones(2)
    for x in (left, right):
        mean = 0.9 * mean + 0.1 * x.mean((0, 2, 3))
        var = 0.9 * var + 0.1 * x.var((0, 2, 3), ddof=1)
    close(steps.kept["a.bn.mean"], mean)
    close(steps.kept["a.bn.var"], var)


def test_a_single_number_to_normalise() -> None:
    """It becomes the bias; its variance is 0, and all stays finite."""
    text = "network {\n  input 3x1x1 -> bn -> flatten -> fc 2\n}\n" + train("optimizer sgd")
    steps = Stepping(text)
    x = np.array([[[[2.0]], [[-1.0]], [[0.0]]]])
    steps.do({"input": x, "target": [1]})
    assert all(np.isfinite(value).all() for value in steps.kept.values())
    close(steps.kept["input_bn.mean"], 0.1 * x[0, :, 0, 0])
    close(steps.kept["input_bn.var"], np.full(3, 0.9))


# ── batches ────────────────────────────────────────────────────────────────────────────────────


def test_a_smaller_last_batch() -> None:
    text = (
        "network {\n  input 2x6x6 -> conv 4 3x3 -> bn -> relu -> dropout 0.3\n"
        "  flatten -> fc 3\n}\n" + train("optimizer adam")
    )
    steps = Stepping(text)
    for n in (5, 3, 1, 5):
        told = steps.do({k: v[:n] for k, v in IMAGES.items()})
        assert np.isfinite(told["loss"])
        assert 0 <= told["correct"] <= n
    assert int(steps.kept[CLOCK]) == 5


def test_a_loss_falls() -> None:
    steps = of_stem()
    losses = [steps.do(IMAGES, 0.01)["loss"] for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]


# ── names ──────────────────────────────────────────────────────────────────────────────────────


OWN_NAMES = [
    *("lr", "step", "target", "loss", "correct", "class_weights", "share", "apply", "steps"),
    *("mean_loss", "loss0", "class", "time", "first", "out", "batch"),
]
LINES = "accumulate 2\nclip norm 1\nclass_weights balanced\nema 0.9\noptimizer adam"


def after_two_steps(network: str, x: str, layer: str) -> dict[str, Array]:
    """What is kept then, for a network whose input and first layer are called like that."""
    draw = np.random.default_rng(1)
    own = {"weight": draw.normal(size=(5, 4)), "bias": np.zeros(5)}
    weights = {f"{layer}.{part}": w for part, w in own.items()}
    steps = Stepping(network, weights, lines=LINES)
    feeds = {steps.step.inputs[x]: X, "target": Y, "class_weights": [1, 2, 3], "share": 0.5}
    for apply in (False, True):
        assert steps.do({**feeds, "apply": apply}, 0.01).keys() == {"loss", "correct"}
    return {k.replace(f"{layer}.", "x."): v for k, v in steps.kept.items()}


@pytest.mark.parametrize("name", OWN_NAMES)
def test_layers_may_be_called_as_what_the_step_has(name: str) -> None:
    network = "network {{\n  input 4\n  fc 5 as {} -> relu -> dropout 0.0 -> fc 3 as y\n}}\n"
    found = after_two_steps(network.format(name), "input", name)
    wanted = after_two_steps(network.format("x"), "input", "x")
    assert found.keys() == wanted.keys()
    for key, w in wanted.items():
        np.testing.assert_array_equal(found[key], w)


@pytest.mark.parametrize("name", OWN_NAMES)
def test_inputs_may_be_called_as_what_the_step_has(name: str) -> None:
    network = "network {{\n  input 4 as {}\n  fc 5 as x -> relu -> fc 3 as y\n}}\n"
    found = after_two_steps(network.format(name), name, "x")
    for key, w in after_two_steps(network.format("z"), "z", "x").items():
        np.testing.assert_array_equal(found[key], w)


@pytest.mark.parametrize("name", OWN_NAMES)
def test_heads_may_be_called_as_what_the_step_has(name: str) -> None:
    body = f"input 4 -> fc 4 as h\n  head {name} {{ h -> fc 3 as {name} }}"
    told = evaluated(f"network {{\n  {body}\n}}\n", FEEDS)
    assert told.keys() == {"loss", "correct", f"out/{name}"}


# ── what drives a step ─────────────────────────────────────────────────────────────────────────


def test_the_contract_names_what_the_data_and_the_heads_need() -> None:
    text = (
        "network {\n  input 4 as target -> fc 8 as h\n"
        "  head a { h -> fc 3 }\n  head b { h -> fc 5 }\n}\n"
        + train("loss cross_entropy on=a", "loss cross_entropy on=b", "class_weights balanced")
    )
    model = loads(text).training_step()
    contract = json.loads(model.metadata["cnnspec.step"])
    assert contract["inputs"] == ["target/own"]
    assert contract["targets"] == {"a": "target.a", "b": "target.b"}
    assert contract["class_weights"] == {"a": "class_weights.a", "b": "class_weights.b"}
    ports = {port.name: port.shape for port in model.session("cpu").inputs}
    weighed = list(contract["class_weights"].values())
    assert [list(ports[name]) for name in weighed] == [[3], [5]]
    named = {*contract["inputs"], *contract["targets"].values(), *weighed}
    kept = {k["input"] for k in contract["kept"]}
    assert named | kept | {contract["rate"]} == set(ports)


def test_the_contract_is_silent_of_what_there_is_not() -> None:
    contract = json.loads(loads(TWO).training_step().metadata["cnnspec.step"])
    assert not {"class_weights", "accumulate"} & contract.keys()
