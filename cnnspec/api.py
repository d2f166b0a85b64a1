"""How is cnnspec used from Python?"""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, cast

from cnnspec import zoo
from cnnspec.layers.base import count
from cnnspec.model.check import check
from cnnspec.model.expand import expand
from cnnspec.model.graph import Graph, Node
from cnnspec.onnxir.opset import DEFAULT
from cnnspec.text.diagnostic import Diagnostic, Sink, SpecError
from cnnspec.text.source import Source
from cnnspec.vocab.value import Word

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cnnspec.draw.network import Style
    from cnnspec.draw.svg import Figure
    from cnnspec.draw.theme import Theme
    from cnnspec.emit.lower import WeightSource
    from cnnspec.emit.options import Head
    from cnnspec.pages.look import Looked
    from cnnspec.report.facts import Report
    from cnnspec.run.events import Event
    from cnnspec.run.loop import Training
    from cnnspec.run.model import CompiledModel
    from cnnspec.run.session import Device
    from cnnspec.run.weights import Tensor

    Weights = Mapping[str, ArrayLike] | str | os.PathLike[str]


class Network:
    """A checked network: its layers with their shapes and counts.

    `print(network)` shows the table that `cnnspec report` shows, and so does a notebook.
    """

    def __init__(self, graph: Graph, warnings: Iterable[Diagnostic]) -> None:
        self.graph = graph
        """What all else is worked out from; its form may change between versions."""
        self.diagnostics: tuple[Diagnostic, ...] = tuple(warnings)
        """Warnings; a network with errors is not made."""

    @property
    def name(self) -> str:
        """As the spec has it: `network LeNet5 { … }`."""
        return self.graph.name

    @property
    def layers(self) -> tuple[Node, ...]:
        """Every use of a layer in the order of the text, inputs included.

        Each has `.path`, `.shape`, `.layer` and `.inputs`, the indices of those that it takes.
        """
        return tuple(self.graph.nodes)

    @property
    def params(self) -> Mapping[str, object]:
        """The params of the spec, with the values that they have here."""
        return dict(self.graph.params)

    def report(self, batch: int = 1, *, explain: bool = False) -> "Report":
        """Every shape, count and size as data, memory for a batch of images.

        `.totals.params` and its like are the numbers, `.model_dump()` gives all of them as plain
        objects. With `explain`, each row carries its arithmetic.
        """
        from cnnspec.report.facts import facts

        return facts(self.graph, batch, explain=explain)

    def draw(
        self,
        style: "Style" = "volumes",
        *,
        theme: "Theme" = "auto",
        depth: int | None = None,
    ) -> "Figure":
        """The network as a figure, which a notebook shows and `.save("net.svg")` writes; the
        arguments are the options of `cnnspec draw`."""
        from cnnspec.draw.network import draw

        return draw(self.graph, style, theme, depth)

    def compile(
        self,
        *,
        opset: int = DEFAULT,
        batch: int | None = None,
        dynamic_size: bool = False,
        seed: int | None = None,
        weights: "Weights | None" = None,
        weights_map: "str | os.PathLike[str] | None" = None,
        strict: bool = True,
        no_weights: bool = False,
        fold_bn: bool = True,
        until: str | None = None,
        add_outputs: Sequence[str] = (),
        head: "Head" = "as-is",
        labels: Sequence[str] = (),
        precision: Literal["fp32", "fp16", "int8"] = "fp32",
        calibrate: "ArrayLike | Mapping[str, ArrayLike] | str | os.PathLike[str] | None" = None,
    ) -> "CompiledModel":
        """The network as an ONNX model, to save and to run; the arguments are the options of
        `cnnspec compile`.

        Weights are drawn from the seed, unless `weights` has them: arrays by name, or the path of a
        safetensors, npz or ONNX file. For int8, `calibrate` has examples of what the network will
        be given: an array, one for each input by name, or a path. Raises `ValueError` with a
        sentence for what this network does not allow.

        >>> load("lenet5").compile(opset=13)
        <model LeNet5: 13 nodes>
        """
        from cnnspec.emit.compile import compile_graph
        from cnnspec.emit.options import Options
        from cnnspec.run.model import CompiledModel

        if seed is None:
            seed = self.graph.recipe.seed if self.graph.recipe is not None else 0
        options = Options(
            opset=opset,
            batch=batch,
            is_dynamic=dynamic_size,
            seed=seed,
            until=until,
            outputs=tuple(add_outputs),
            head=head,
            fold_bn=fold_bn,
            has_weights=not no_weights,
            is_half=precision == "fp16",
            labels=tuple(labels),
        )
        given = self._given(weights, weights_map, strict=strict)
        made = CompiledModel(compile_graph(self.graph, options, given))
        if precision != "int8":
            return made
        from cnnspec.run.quantise import quantised

        return quantised(made, calibrate)

    def training_step(
        self,
        *,
        for_gpu: bool = False,
        seed: int | None = None,
        weights: "Weights | None" = None,
        weights_map: "str | os.PathLike[str] | None" = None,
        strict: bool = True,
    ) -> "CompiledModel":
        """A whole step of training as an ONNX model: forward, loss, gradients and optimizer, as the
        spec's `train` part says. What is kept from step to step enters and leaves; which output
        feeds which input is in the metadata, under `cnnspec.step`. `for_gpu` has the same worked
        out in operators that suit ONNX Runtime's kernels for CUDA."""
        from cnnspec.run.model import CompiledModel
        from cnnspec.settings.recipe import default_recipe
        from cnnspec.train.contract import exported

        recipe = self.graph.recipe or default_recipe()
        source = self._source(seed, self._given(weights, weights_map, strict=strict))
        return CompiledModel(exported(self.graph, recipe, source, for_gpu=for_gpu))

    def train(
        self,
        data: str | None = None,
        *,
        epochs: int | None = None,
        seed: int | None = None,
        out: "str | os.PathLike[str] | None" = None,
        resume: "str | os.PathLike[str] | None" = None,
        init: "str | os.PathLike[str] | None" = None,
        freeze: str | Sequence[str] = (),
        data_dir: "str | os.PathLike[str] | None" = None,
        device: "Device" = "auto",
        threads: int | None = None,
        blocked: bool = False,
        skip_bad: bool = False,
        callbacks: "Sequence[Callable[[Event], object]]" = (),
        report: bool = True,
    ) -> "Training":
        """A run of training as the spec's `train` part says; the arguments are the options of
        `cnnspec train`, and `data` is written as in a spec.

        Iterating over it trains, and gives what happens: `Stepped`, `EpochDone`, `Finished`; each
        callback is told the same. `.model()` trains what is left and gives the model. The folder's
        `report.html`, unless `report` is false, shows how it goes; a notebook shows its curves.
        """
        from cnnspec.model.setting import with_settings, words
        from cnnspec.run.start import Wishes, start

        if resume is not None and (out is not None or init is not None):
            raise ValueError("`resume` goes on in its folder with its weights: no `out`, no `init`")
        for name, number, least in (
            ("epochs", epochs, 1),
            ("seed", seed, 0),
            ("threads", threads, 1),
        ):
            if number is not None and index(number) < least:
                raise ValueError(f"`{name}` is at least {least}; here it is {number}")
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"`device` is auto, cpu or cuda; here it is {device}")
        freeze = [freeze] if isinstance(freeze, str) else freeze
        sink = Sink()
        recipe = with_settings(
            self.graph,
            sink,
            data=data,
            words=words(epochs=epochs, seed=seed, freeze=freeze),
            is_training=True,
        )
        if recipe is None:
            diagnostics = sink.ordered()
            raise SpecError(diagnostics, lambda: _shown(diagnostics))
        file, notes = self.graph.span.source.name, [d.message for d in sink.ordered()]
        wishes = Wishes(
            file=file,
            # What is named here begins here, what the spec names where the spec is.
            base=Path() if data is not None else Path(os.path.dirname(file)),
            data_dir=Path(data_dir) if data_dir is not None else None,
            init=Path(init) if init is not None else None,
            epochs=epochs,
            device=device,
            threads=threads,
            blocked=blocked,
            skip_bad=skip_bad,
            callbacks=tuple(callbacks),
            note=notes.append,
        )
        training = start(replace(self.graph, recipe=recipe), out, resume, wishes)
        # Whoever trains from Python is told as Python tells, at the line that trains.
        for said in notes:
            warnings.warn(said, stacklevel=2)
        from cnnspec.pages.watching import show, watch

        show(training)
        if report:
            watch(training, lambda said: warnings.warn(said, stacklevel=2))
        return training

    def gradient(
        self,
        name: str = "input",
        *,
        opset: int = DEFAULT,
        seed: int | None = None,
        weights: "Weights | None" = None,
        weights_map: "str | os.PathLike[str] | None" = None,
        strict: bool = True,
    ) -> "CompiledModel":
        """The network with the gradient of a class's score by an input: given `target`, the number
        of a class for each example, it also answers with `input/gradient`."""
        from cnnspec.run.model import CompiledModel
        from cnnspec.train.saliency import with_gradient

        source = self._source(seed, self._given(weights, weights_map, strict=strict))
        return CompiledModel(with_gradient(self.graph, name, source, opset))

    def look(
        self,
        image: "ArrayLike | str | os.PathLike[str]",
        *,
        layers: Sequence[str] = (),
        label: str | None = None,
        occlude: Sequence[int] | None = None,
        attack: 'Literal["fgsm", "pgd"] | None' = None,
        eps: float | None = None,
        steps: int = 20,
        labels: Sequence[str] = (),
        seed: int | None = None,
        weights: "Weights | None" = None,
    ) -> "Looked":
        """What the network looks at in a file, or in an array as it takes it: maps, saliency,
        Grad-CAM, occlusion, and with `attack` how little flips its answer. The arguments are the
        options of `cnnspec look`; `.found` has the numbers, `.save("look.html")` writes the page,
        and a notebook shows it."""
        from cnnspec.pages.look import Looked
        from cnnspec.run.look import Wishes, look
        from cnnspec.run.look_given import given

        made = self.compile(seed=seed, weights=weights, labels=labels, fold_bn=False)
        wishes = Wishes(
            layers=layers, label=label, occlude=occlude, attack=attack, eps=eps, steps=steps
        )
        return Looked(look(given(made, self.graph, image), wishes), self.name)

    def _source(
        self, seed: int | None, given: "Mapping[str, Callable[[], NDArray[Any]]]"
    ) -> "WeightSource":
        from cnnspec.emit.compile import source_of

        if seed is None:
            seed = self.graph.recipe.seed if self.graph.recipe is not None else 0
        return source_of(given, seed)

    def _given(
        self, weights: "Weights | None", names: "str | os.PathLike[str] | None", *, strict: bool
    ) -> "Mapping[str, Callable[[], NDArray[Any]]]":
        """What reads each weight that is given."""
        if weights is None:
            return {}
        from cnnspec.emit.compile import wanted_weights
        from cnnspec.run.files import BadFile
        from cnnspec.run.folded import folded
        from cnnspec.run.weights import match, read_map, read_weights

        is_held = isinstance(weights, Mapping)
        found = _tensors(weights) if is_held else read_weights(Path(weights))
        renames = () if names is None else read_map(Path(names))
        matched = match(wanted_weights(self.graph), found, renames, strict=strict)
        if not is_held and not strict:
            said = folded(self.graph, weights, matched, is_renamed=bool(renames))
            if said is not None:
                raise BadFile(weights, f"{said}; a model compiled with --keep-bn has both")
        return {name: tensor.read for name, tensor in matched.items()}

    def expand(self) -> str:
        """The flat spec, after blocks, loops and conditions."""
        return expand(self.graph)

    def __repr__(self) -> str:
        layers = sum(1 for node in self.graph.nodes if node.inputs)
        return f"<network {self.name}: {count(layers, 'layer')}>"

    def __str__(self) -> str:
        from cnnspec.report.table import text

        return text(self.report())

    def _repr_html_(self) -> str:
        from cnnspec.report.notebook import html

        return html(self.report())


def _tensors(weights: "Mapping[str, ArrayLike]") -> "Mapping[str, Tensor]":
    """Arrays as what is read from a file."""
    import numpy as np

    from cnnspec.run.weights import Tensor

    arrays = {name: np.asarray(x, np.float32) for name, x in weights.items()}
    return {name: Tensor(name, x.shape, "float32", x.copy) for name, x in arrays.items()}


def load(spec: "str | os.PathLike[str]", /, **params: object) -> Network:
    """The network of a spec: a path, a name of the zoo, or the text itself.

    A string with a brace or a line end is text. Keyword arguments set the spec's params: numbers,
    yes and no, lists of these; a string stands for a word of the language. Raises `SpecError`,
    which prints what the command line prints, `OSError` for a file that cannot be read, and
    `ValueError` for one that is not UTF-8.

    >>> load("lenet5").report().totals.params
    61706
    >>> load("alexnet", classes=10).layers[-1].shape
    (10,)
    """
    if isinstance(spec, str) and ("\n" in spec or "{" in spec):
        return loads(spec, **params)
    return _network(zoo.read(zoo.resolve(os.fspath(spec))), params)


def loads(text: str, /, **params: object) -> Network:
    """The network of a spec's text; params and errors as for `load`.

    >>> loads("network { input 8 -> fc 2 }")
    <network network: one layer>
    """
    return _network(Source("<text>", text), params)


def _network(source: Source, params: Mapping[str, object]) -> Network:
    sink = Sink()
    graph = check(source, {k: _value(v) for k, v in params.items()}, sink, zoo.read)
    diagnostics = sink.ordered()
    if graph is None:
        raise SpecError(diagnostics, lambda: _shown(diagnostics))
    return Network(graph, diagnostics)


def _shown(diagnostics: Sequence[Diagnostic]) -> str:
    from cnnspec.text.render import render_all

    # A traceback ends in `SpecError: ` and this.
    return "\n" + render_all(diagnostics)


def _value(value: object) -> object:
    """A value of Python as one of the language."""
    match value:
        case bool():
            return value
        case str():
            return Word(value)
        case float():
            return float(value)
        case list() | tuple():
            return tuple(_value(v) for v in cast("Sequence[object]", value))
        case SupportsIndex():
            # Whole numbers of other libraries among them.
            return index(value)
        case _:
            raise TypeError(f"a param is a number, yes or no, a word or a list of these: {value!r}")
