"""Do models in half precision and in whole numbers say what those in single precision say?"""

import logging
import re
import tempfile
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper
from PIL import Image

from calls import cnnspec
from cnnspec import load
from cnnspec.run.compare import Comparison, accuracy, agreement, compare, deviation, latencies
from cnnspec.run.examples import Examples, as_examples, draw_examples, read_examples
from cnnspec.run.model import CompiledModel
from cnnspec.run.quantise import quantise
from cnnspec.run.wanted import wanted

CLASSES = 10

RIDGE = 0.001

HALVED = (
    *("cifar10_residual", "cnn1d", "convnext_tiny", "densenet121", "lenet5_1998", "resnet20"),
    *("shufflenet_v2", "unet"),
)


def two_for(model: CompiledModel) -> Examples:
    """Noise; of the sixteen that are drawn two, since some networks are slow."""
    drawn = draw_examples(wanted(model.session("cpu"))[0])
    return Examples(drawn.wants, lambda: islice(drawn.source(), 2), is_drawn=True)


def compared(a: CompiledModel, b: CompiledModel, examples: Examples) -> Comparison:
    return compare(a.session("cpu"), b.session("cpu"), examples)


def digits(shape: tuple[int, ...], n: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Items of ten classes: a colour and a coarse pattern for each, under noise."""
    rng = np.random.default_rng(7)
    channels, h, w = shape
    coarse = rng.random((CLASSES, channels, h // 4, w // 4)) < rng.random((CLASSES, channels, 1, 1))
    patterns = coarse.astype(np.float64).repeat(4, 2).repeat(4, 3)
    y = np.arange(n) % CLASSES
    x = np.clip(patterns[y] + 0.1 * rng.standard_normal((n, *shape)), 0, 1)
    return x.astype(np.float32), y


FEATURES = {"lenet5": "fc84_tanh", "resnet20": "basic64_3_flatten"}
"""What the last dense layer takes."""


@cache
def trained(name: str, opset: int = 17) -> tuple[CompiledModel, Examples]:
    """A network that tells the classes apart: its last layer is a least-squares fit.

    A class of a network without training is decided by differences that no precision keeps.
    """
    network, features = load(name), FEATURES[name]
    shape = network.layers[0].shape
    assert shape is not None
    x, y = digits(shape)
    last = next(n for n in reversed(network.layers) if n.layer.kind == "fc")
    f = network.compile(until=features).run(x, "cpu")[features].reshape(len(x), -1)
    mean = f.mean(0)
    covariance = (f - mean).T @ (f - mean)
    # Much of the trace on the diagonal: small differences of features are not made large ones.
    covariance += RIDGE * np.trace(covariance) * np.eye(len(mean))
    w = np.linalg.solve(covariance, (f - mean).T @ (np.eye(CLASSES)[y] - 1 / CLASSES)) * 10
    weights = {f"{last.path}.weight": w.T, f"{last.path}.bias": -mean @ w}
    model = network.compile(weights=weights, strict=False, opset=opset)
    return model, as_examples({"x": x, "y": y}, wanted(model.session("cpu"))[0])


@cache
def quantised(name: str, opset: int = 17) -> CompiledModel:
    return quantise(*trained(name, opset))


# ── half precision ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", HALVED)
def test_half_precision_keeps_three_digits(name: str) -> None:
    whole, half = load(name).compile(), load(name).compile(precision="fp16")
    onnx.checker.check_model(half.onnx, full_check=True)
    assert list(map(str, half.session("cpu").inputs)) == list(map(str, whole.session("cpu").inputs))
    found = compared(whole, half, two_for(whole))
    # Measured: at most 0.1 %, of which half precision's own rounding is 0.05 %.
    assert found.deviation.relative < 0.01


# ── whole numbers ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FEATURES)
def test_whole_numbers_leave_the_classes_as_they_are(name: str) -> None:
    model, examples = trained(name)
    found = compared(model, quantised(name), examples)
    assert found.count == 128
    assert found.accuracies is not None
    assert found.agreement is not None
    assert found.accuracies[0] > 0.98
    assert found.agreement >= 0.95
    assert found.accuracies[1] >= found.accuracies[0] - 0.05


@pytest.mark.parametrize(("name", "most"), [("lenet5", 0.15), ("resnet20", 0.05)])
def test_whole_numbers_are_near(name: str, most: float) -> None:
    model = load(name).compile()
    examples = two_for(model)
    # Measured: 10 % and 2 %. A byte has steps of 0.4 %, and some layers follow one another. LeNet-5
    # is at 3 % on processors that sum up products of bytes without cutting sums off at 16 bits.
    assert compared(model, quantise(model, examples), examples).deviation.relative < most


def test_weights_have_a_scale_for_each_channel() -> None:
    model = quantised("resnet20").onnx
    held = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    weights = {n: t for n, t in held.items() if n.endswith("weight/int8_quantized")}
    assert len(weights) == 22
    for name, w in weights.items():
        scales = held[name.replace("_quantized", "_scale")]
        assert w.dtype == np.int8
        assert scales.shape == w.shape[:1]
        assert len(set(scales.tolist())) > 1
        assert not held[name.replace("_quantized", "_zero_point")].any()
        # Each channel makes use of all of its range.
        assert (np.abs(w.reshape(len(w), -1).astype(int)).max(1) == 127).all()


@pytest.mark.parametrize("opset", [13, 17, 21])
def test_the_file_is_sound_at_every_opset(
    opset: int, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = quantised("lenet5", opset)
    onnx.checker.check_model(model.onnx, full_check=True)
    assert {(o.domain, o.version) for o in model.onnx.opset_import} == {("", opset)}
    ops = [n.op_type for n in model.onnx.graph.node]
    assert ops.count("QuantizeLinear") >= 5
    assert ops.count("DequantizeLinear") > ops.count("QuantizeLinear")
    # The softmax takes and gives single numbers.
    made = {o: n.op_type for n in model.onnx.graph.node for o in n.output}
    assert made["fc10_softmax"] == "Softmax"
    (path,) = model.save(tmp_path / "small.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 2
    onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    assert capfd.readouterr() == ("", "")


def test_names_and_metadata_stay() -> None:
    (whole, _), small = trained("lenet5"), quantised("lenet5")
    assert small.metadata == {**whole.metadata, "cnnspec.precision": "int8"}
    assert small.labels == whole.labels
    nodes = {n.name for n in small.onnx.graph.node}
    # What is behind a layer and does nothing to whole numbers is taken into it.
    assert {n.name for n in whole.onnx.graph.node} <= nodes
    edges = {o for n in small.onnx.graph.node for o in n.output}
    assert "fc10_softmax" in edges


def test_files_are_a_quarter_and_always_the_same() -> None:
    model, examples = trained("resnet20")
    data = quantised("resnet20").to_bytes()
    assert data == quantise(model, examples).to_bytes()
    assert len(data) <= 0.35 * len(model.to_bytes())


def test_nothing_is_said_and_nothing_is_left(
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    root = logging.getLogger()
    before = list(root.handlers), list(root.filters)
    quantise(*trained("lenet5"))
    assert (root.handlers, root.filters) == before
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert not list(tmp_path.iterdir())


def test_layers_may_be_called_as_the_quantiser_calls_its_own() -> None:
    spec = "network { input 3x8x8 -> conv 4 3x3 as a -> scale as a_scale -> flatten -> fc 2 }"
    model = load(spec).compile()
    examples = two_for(model)
    found = compared(model, quantise(model, examples), examples)
    assert found.deviation.relative < 0.15


def test_a_network_without_weights_stays_as_it_is() -> None:
    model = load("network { input 3x8x8 -> maxpool 2x2 }").compile()
    with pytest.raises(ValueError, match=r"^int8 needs the weights of a convolution or"):
        quantise(model, two_for(model))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_examples_that_have_no_range(value: float) -> None:
    with pytest.raises(ValueError, match=r"^int8 needs the range of every value, and on these"):
        load("lenet5").compile(precision="int8", calibrate=np.full((2, 1, 28, 28), value))


def test_two_inputs_and_a_fixed_batch() -> None:
    spec = """network {
      input 3x8x8 as a
      input 3x8x8 as b
      add { | a | b } -> conv 4 3x3 -> flatten -> fc 3
    }"""
    model = load(spec).compile(batch=4)
    rng = np.random.default_rng(0)
    given = {name: rng.random((6, 3, 8, 8)) for name in ("a", "b")}
    small = load(spec).compile(batch=4, precision="int8", calibrate=given)
    examples = as_examples(given, wanted(model.session("cpu"))[0])
    found = compared(model, small, examples)
    assert found.count == 6
    # 2 % where sums of products are not cut off.
    assert found.deviation.relative < 0.15


# ── from Python and from the command line ───────────────────────────────────────────────────────


def test_python_takes_an_array_or_a_path(tmp_path: Path) -> None:
    x, _ = digits((1, 28, 28), 20)
    np.save(tmp_path / "x.npy", x)
    network = load("lenet5")
    one = network.compile(precision="int8", calibrate=x)
    assert (
        one.to_bytes() == network.compile(precision="int8", calibrate=tmp_path / "x.npy").to_bytes()
    )
    with pytest.raises(ValueError, match=r"^int8 needs examples of what the network will be given"):
        network.compile(precision="int8")


def test_the_command_says_what_was_won(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = digits((1, 28, 28), 20)
    np.savez("d.npz", x=x, y=y)
    done = cnnspec("compile", "lenet5", "--precision", "int8", "--calibrate", "d.npz")
    assert (done.status, done.err) == (0, "")
    assert re.sub(r"\d+(\.\d+)?(e-\d+)?", "9", re.sub(" +", " ", done.out)) == (
        "lenet9.onnx: 9 nodes, opset 9, 9 MB\n"
        "\n"
        " fp9 int9\n"
        "size 9 MB 9 MB\n"
        "latency, cpu 9 ms 9 ms\n"
        "accuracy 9 % 9 %\n"
        "same class 9 %\n"
        "largest deviation 9\n"
        " of the largest output 9 %\n"
        "\n"
        "on 9 examples in d.npz\n"
    )
    assert CompiledModel(onnx.load("lenet5.onnx")).metadata["cnnspec.precision"] == "int8"


def test_the_command_measures_half_precision_on_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cnnspec("compile", "lenet5", "--precision", "fp16")
    assert done.status == 0
    assert done.out.endswith("\non 16 examples drawn at random\n")
    assert "accuracy" not in done.out


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--precision", "int8"], "--precision int8 needs examples: --calibrate PATH."),
        (["--calibrate", "x"], "--calibrate is for --precision fp16 and int8."),
    ],
)
def test_options_that_do_not_go_together(args: list[str], said: str) -> None:
    done = cnnspec("compile", "lenet5", *args)
    assert done.status == 2
    assert said in done.err


# ── examples ────────────────────────────────────────────────────────────────────────────────────


def test_folders_are_classes(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.new("L", (28, 28), 80 * i).save(tmp_path / name / f"{i}.png")
    wants, _ = wanted(load("lenet5").compile().session("cpu"))
    for classes, expected in [((), [0, 0, 0, 1, 1, 1]), (("dog", "cat"), [1, 1, 1, 0, 0, 0])]:
        examples = read_examples(tmp_path, wants, classes)
        ((feeds, count, labels),) = examples.batches(16)
        assert feeds["input"].shape == (6, 1, 28, 28)
        assert count == 6
        assert labels is not None
        assert labels.tolist() == expected
    assert [n for _, n, _ in examples.batches(4)] == [4, 2]


X = np.zeros((3, 1, 28, 28))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"a": X, "b": X}, "it has no array `input`; its arrays: `a`, `b`"),
        ({"x": X, "y": np.zeros(2, int)}, "it has 2 labels for 3 items"),
        ({"x": X, "y": np.zeros(3)}, "its `y` are float64; classes are whole numbers"),
        ({"x": X[:, :, :9]}, "its shape is 3x1x9x28, the network takes 1x28x28 or Nx1x28x28"),
        ({"x": X[:0]}, "it holds no items"),
    ],
)
def test_arrays_that_are_no_examples(given: dict[str, np.ndarray], said: str) -> None:
    wants, _ = wanted(load("lenet5").compile().session("cpu"))
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        as_examples(given, wants)


def test_files_that_are_no_examples(tmp_path: Path) -> None:
    wants, _ = wanted(load("lenet5").compile().session("cpu"))
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match=r"cut.npz: it cannot be unpacked: "):
        read_examples(tmp_path / "cut.npz", wants)
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match=r"text: "):
        read_examples(tmp_path / "text", wants)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: there is no picture or array$"):
        read_examples(tmp_path / "empty", wants)
    with pytest.raises(FileNotFoundError):
        read_examples(tmp_path / "none", wants)


# ── differences ─────────────────────────────────────────────────────────────────────────────────


def test_the_farthest_output_is_found() -> None:
    a = {"near": np.array([100.0, -4.0]), "far": np.array([0.0, -2.0])}
    b = {"near": np.array([101.0, -4.0]), "far": np.array([0.5, -2.0])}
    found = deviation(a, b)
    assert (found.output, found.absolute, found.relative) == ("far", 0.5, 0.25)


@pytest.mark.parametrize(
    ("a", "b", "gap"),
    [
        ([np.nan, np.inf, 2.0], [np.nan, np.inf, 1.0], 1.0),
        ([1.0], [np.nan], np.inf),
        ([np.inf], [-np.inf], np.inf),
        ([0.0], [0.0], 0.0),
    ],
)
def test_what_is_no_number_is_infinitely_far(a: list[float], b: list[float], gap: float) -> None:
    assert deviation({"y": np.array(a)}, {"y": np.array(b)}).absolute == gap


def test_classes_are_compared() -> None:
    a = np.array([[1.0, 2.0], [2.0, 1.0], [0.0, 3.0], [1.0, 0.0]])
    assert accuracy(a, np.array([1, 0, 0, 0])) == 0.75
    assert accuracy(a[:, :, None, None], np.array([1, 0, 0, 0])) == 0.75
    assert accuracy(np.array([1, 0]), np.array([1, 1])) == 0.5
    assert agreement(a, -a) == 0
    with pytest.raises(ValueError, match=r"^labels of shape 3 for 4 classes$"):
        accuracy(a, np.zeros(3, int))


def test_runs_take_turns() -> None:
    said: list[str] = []
    times = latencies([lambda: said.append("a"), lambda: said.append("b")], rounds=3)
    assert said == ["a", "b"] * 4
    assert len(times) == 2
