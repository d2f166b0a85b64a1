"""What holds for every word of the training vocabulary?"""

import re
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

import pytest

from cnnspec import settings
from cnnspec.settings.augment import AUGMENTATIONS
from cnnspec.settings.base import Plain, Setting, Word
from cnnspec.settings.data import Data
from cnnspec.settings.loss import LOSSES, BinaryCrossEntropy, CrossEntropy, Hinge, MeanSquared
from cnnspec.settings.metrics import METRICS
from cnnspec.settings.optimizer import COPIES, OPTIMIZERS, Optimizer, RmsProp
from cnnspec.settings.plain import WATCHED, Freeze
from cnnspec.settings.sets import Cifar100, Digits, ItalyPowerDemand, Masks, Mnist
from cnnspec.settings.words import ELSEWHERE, SETTINGS
from cnnspec.vocab.bind import signature
from cnnspec.vocab.param import Mismatch
from cnnspec.vocab.value import Word as Bare

WORDS: list[tuple[Setting, type[Word]]] = [
    (setting, kind)
    for setting in SETTINGS.values()
    for kind in (*setting.words.values(), *([setting.plain] if setting.plain else []))
]
every_word = pytest.mark.parametrize(
    ("setting", "kind"), WORDS, ids=[f"{s.name}-{k.kind}" for s, k in WORDS]
)


def test_the_table_names_every_word_of_every_file() -> None:
    found: set[type[Word]] = set()
    for path in Path(settings.__file__).parent.glob("*.py"):
        module = import_module(f"cnnspec.settings.{path.stem}")
        found |= {
            c for _, c in getmembers(module, isclass) if issubclass(c, Word) and "kind" in vars(c)
        }
    assert found == {kind for _, kind in WORDS}


@every_word
def test_it_is_documented(setting: Setting, kind: type[Word]) -> None:
    summary = kind.summary()
    assert re.search(r"[.:)]$", summary), summary
    for param in kind.params.values():
        assert len(param.doc) > 5, f"{param.name} has no documentation"
        assert not param.doc.endswith(".")
    assert set(kind.positional) <= set(kind.params)
    assert signature(kind).startswith(kind.kind)
    assert issubclass(kind, Plain) == (setting.plain is kind)


@every_word
def test_defaults_are_of_their_type(setting: Setting, kind: type[Word]) -> None:
    for param in kind.params.values():
        if param.is_required or param.default is None:
            continue
        value = Bare(param.default) if isinstance(param.default, str) else param.default
        assert param.type.read(value) == param.default, (setting.name, param.name)


@every_word
def test_what_it_needs_stands_by_place(setting: Setting, kind: type[Word]) -> None:
    needed = [p.name for p in kind.params.values() if p.is_required]
    assert needed == [n for n in kind.positional if n in needed], setting.name


@every_word
def test_no_parameter_hides_what_every_word_has(setting: Setting, kind: type[Word]) -> None:
    taken = set(kind.params) & ({*dir(Word), "given"} - {"params"})
    assert not taken, setting.name
    assert not {n for n in kind.params if n in ("as", "in", "if", "for", "repeat", "let")}


@every_word
def test_what_other_tools_call_otherwise_is_none_of_its_own(
    setting: Setting, kind: type[Word]
) -> None:
    for foreign, own in kind.elsewhere.items():
        # A subclass may have a parameter that its base only tells of.
        assert foreign not in kind.params or foreign == "momentum"
        assert own in kind.params or " " in own or own in _params_of_sisters(setting), own


def _params_of_sisters(setting: Setting) -> set[str]:
    return {name for kind in setting.words.values() for name in kind.params}


def test_hints_lead_to_words_that_exist() -> None:
    for setting in SETTINGS.values():
        for foreign, own in setting.elsewhere.items():
            assert foreign not in setting.words
            assert own in setting.words or own.startswith("write `")
    for foreign, own in ELSEWHERE.items():
        assert foreign not in SETTINGS
        assert own in SETTINGS or " " in own


# ── optimizers ─────────────────────────────────────────────────────────────────────────────────


def test_an_optimizer_knows_what_it_remembers() -> None:
    assert COPIES == {
        "sgd": 0, "momentum": 1, "nesterov": 1, "adagrad": 1,
        "adadelta": 2, "rmsprop": 1, "adam": 2, "adamw": 2,
    }  # fmt: skip
    assert RmsProp(momentum=0.9).copies == 2
    assert RmsProp(momentum=0.9, centered=True).copies == 3


def test_the_defaults_of_the_optimizers_are_the_published_ones() -> None:
    def lr(name: str) -> float:
        return OPTIMIZERS[name]().lr

    assert {name: lr(name) for name in OPTIMIZERS} == {
        "sgd": 0.01, "momentum": 0.01, "nesterov": 0.01, "adagrad": 0.01,
        "adadelta": 1, "rmsprop": 1e-3, "adam": 1e-3, "adamw": 1e-3,
    }  # fmt: skip
    assert all(issubclass(kind, Optimizer) for kind in OPTIMIZERS.values())
    assert OPTIMIZERS["adamw"]().weight_decay == 0.01
    assert OPTIMIZERS["adam"]().weight_decay == 0


# ── losses ─────────────────────────────────────────────────────────────────────────────────────


def test_a_loss_sees_what_the_network_ends_in() -> None:
    auto = CrossEntropy()
    assert [auto.reads(k) for k in ("softmax", "logsoftmax", "fc")] == [
        "probabilities",
        "log-probabilities",
        "logits",
    ]
    assert BinaryCrossEntropy().reads("sigmoid") == "probabilities"
    assert BinaryCrossEntropy().reads("softmax") == "logits"
    assert Hinge().reads("softmax") == "scores"
    assert MeanSquared().reads("softmax") == "values"


def test_a_loss_that_is_told_believes_it() -> None:
    assert CrossEntropy(**{"from": Bare("logits")}).reads("softmax") == "logits"
    assert CrossEntropy(**{"from": Bare("probabilities")}).reads("fc") == "probabilities"


def test_every_loss_and_metric_compares_with_something() -> None:
    assert all(kind.compares for kind in (*LOSSES.values(), *METRICS.values()))
    assert MeanSquared(to=Bare("input")).is_of_input
    assert not MeanSquared().is_of_input
    assert not CrossEntropy().is_of_input


def test_what_is_watched_is_the_loss_or_a_metric() -> None:
    assert set(WATCHED) - {"loss"} <= set(METRICS)


# ── data ───────────────────────────────────────────────────────────────────────────────────────


def test_named_sets_know_their_size() -> None:
    assert Digits().training_examples() == 8000
    assert Digits(split=(9000, 500, 500)).training_examples() == 9000
    assert Digits(limit=100).training_examples() == 100
    assert Digits(classes=(1, 7)).training_examples() is None
    assert ItalyPowerDemand().training_examples() == 53
    assert Mnist().training_examples() == 54_000
    assert Data().training_examples() is None


def test_named_sets_know_their_shape_and_classes() -> None:
    assert (Digits().shape, Digits().class_count()) == ((1, 28, 28), 10)
    assert (ItalyPowerDemand().shape, ItalyPowerDemand().class_count()) == ((1, 24), 2)
    assert Digits(classes=(1, 7, 9)).class_count() == 3
    assert [Cifar100(**v).class_count() for v in ({}, {"labels": Bare("coarse")})] == [100, 20]
    assert Masks(images="a", masks="b").class_count() is None
    assert Masks(images="a", masks="b", values=(0, 255)).class_count() == 2


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ((0.8, 0.1, 0.1), True),
        ((0.7, 0.2, 0.1), True),
        ((1, 0), True),
        ((8000, 1000, 1000), True),
        ((0.5, 0.2), True),
        ((0.9, 0.2), False),
        ((80.5, 19.5), False),
        ((0, 1), False),
        ((1.2, -0.2), False),
        ((0.8,), False),
        ((0.25, 0.25, 0.25, 0.25), False),
        ((True, False), False),
        (0.8, False),
        (("a", "b"), False),
    ],
)
def test_a_split_has_shares_or_numbers(value: object, fits: bool) -> None:
    split = Data.params["split"].type
    if fits:
        assert split.read(value) == value
    else:
        with pytest.raises(Mismatch):
            split.read(value)


# ── the others ─────────────────────────────────────────────────────────────────────────────────


def test_a_pattern_covers_a_layer_or_the_block_around_it() -> None:
    freeze = Freeze(layers=("stem", "stage*.conv*"))
    assert freeze.covers("stem") == "stem"
    assert freeze.covers("stem.conv64_7x7") == "stem"
    assert freeze.covers("stage2.conv64_3x3_bn") == "stage*.conv*"
    assert freeze.covers("stem2.conv64_7x7") is None
    assert freeze.covers("head.stem") is None


def test_what_only_pictures_can_do_is_known() -> None:
    assert {name: kind.least_rank for name, kind in AUGMENTATIONS.items()} == {
        "flip": 1, "crop": 1, "shift": 1, "rotate": 2, "scale": 1, "brightness": 0,
        "contrast": 0, "noise": 0, "cutout": 1, "mixup": 0,
    }  # fmt: skip
    assert {name for name, kind in AUGMENTATIONS.items() if kind.moves_pixels} == {
        "flip", "crop", "shift", "rotate", "scale",
    }  # fmt: skip
