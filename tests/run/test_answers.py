"""Is what a network's output says told truly?"""

import json

import numpy as np
import pytest

from cnnspec.run.answers import (
    LABELS,
    OUTPUTS,
    Decision,
    Number,
    Ranking,
    Summary,
    answer,
    kinds_of,
    labels_of,
    read_labels,
    sigmoids_of,
)

NAMES = ["cat", "dog", "fox"]


def test_probabilities_are_taken_as_they_are() -> None:
    found = answer(np.array([0.1, 0.7, 0.2], np.float16), NAMES, 2)
    assert isinstance(found, Ranking)
    assert not found.is_softmaxed
    assert [(c.index, c.label) for c in found.classes] == [(1, "dog"), (2, "fox")]
    assert found.classes[0].probability == pytest.approx(0.7, abs=1e-3)


def test_other_numbers_become_probabilities() -> None:
    found = answer(np.array([1.0, 1000.0, 999.0]), None, 5)
    assert isinstance(found, Ranking)
    assert found.is_softmaxed
    p = [c.probability for c in found.classes]
    assert p == pytest.approx([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1)), 0])
    assert found.as_json()["softmax"] is True


def test_of_distances_the_nearest_is_the_likeliest() -> None:
    found = answer(np.array([3.0, 1.0, 2.0]), NAMES, 5, is_distance=True)
    assert isinstance(found, Ranking)
    assert [c.label for c in found.classes] == ["dog", "fox", "cat"]
    e = np.exp([-1.0, -2.0, -3.0])
    assert [c.probability for c in found.classes] == pytest.approx((e / e.sum()).tolist())
    # Distances that happen to sum up to 1 are distances all the same.
    few = answer(np.array([0.7, 0.3]), None, 1, is_distance=True)
    assert isinstance(few, Ranking)
    assert few.classes[0].index == 1
    said = {OUTPUTS: '{"a": {"head": "", "kind": "rbf"}, "b": {"kind": "fc"}}'}
    assert kinds_of(said) == {"a": "rbf", "b": "fc"}


def test_after_a_sigmoid_each_is_by_itself() -> None:
    found = answer(np.array([0.9, 0.8]), None, 5, is_sigmoid=True)
    assert isinstance(found, Ranking)
    assert [c.probability for c in found.classes] == [0.9, 0.8]
    assert not found.is_softmaxed
    said = {OUTPUTS: '{"a": {"head": "", "kind": "sigmoid"}, "b": {"kind": "fc"}}'}
    assert sigmoids_of(said) == {"a"}
    assert sigmoids_of({}) == sigmoids_of({OUTPUTS: "[1]"}) == set()


def test_of_equals_the_first_is_the_first() -> None:
    found = answer(np.zeros(4), None, 4)
    assert isinstance(found, Ranking)
    assert [c.index for c in found.classes] == [0, 1, 2, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_no_probability(bad: float) -> None:
    found = answer(np.array([0, bad, 1]), NAMES, 5)
    assert isinstance(found, Ranking)
    assert {c.probability for c in found.classes} == {None}
    one = answer(np.array([bad]), None, 5)
    assert isinstance(one, Number)
    assert one.value is None
    some = answer(np.full((2, 2, 2), bad), None, 5)
    assert isinstance(some, Summary)
    for said in (found, one, some):
        json.dumps(said.as_json(), allow_nan=False)


def test_labels_that_are_not_as_many_as_classes() -> None:
    found = answer(np.zeros(4), NAMES, 4)
    assert isinstance(found, Ranking)
    assert {c.label for c in found.classes} == {None}


def test_whole_numbers_are_classes() -> None:
    for y in (np.int64(2), np.array([2]), np.array([[[2]]], np.int32)):
        found = answer(np.asarray(y), NAMES, 5)
        assert isinstance(found, Decision)
        assert [(c.index, c.label) for c in found.classes] == [(2, "fox")]
    beyond = answer(np.array([7]), NAMES, 5)
    assert isinstance(beyond, Decision)
    assert beyond.as_json() == {"classes": [{"label": None, "index": 7}]}


def test_one_number_is_itself() -> None:
    for y in (np.array([0.25]), np.float32(0.25), np.array([[[0.25]]])):
        found = answer(np.asarray(y), NAMES, 5)
        assert isinstance(found, Number)
        assert found.as_json() == {"value": 0.25}


def test_maps_of_one_pixel_are_a_vector() -> None:
    assert isinstance(answer(np.zeros((3, 1, 1)), NAMES, 5), Ranking)


def test_maps_are_summarised() -> None:
    y = np.arange(12.0).reshape(3, 2, 2)
    found = answer(y, None, 5)
    assert isinstance(found, Summary)
    assert found.as_json() == {"shape": [3, 2, 2], "min": 0, "mean": 5.5, "max": 11}
    # As many channels as labels: classes.
    shares = answer(y, NAMES, 5).as_json()["shares"]
    assert shares == [{"label": "fox", "index": 2, "share": 1.0}]


def test_maps_of_classes() -> None:
    p = np.zeros((2, 2, 2))
    p[1, 0, 0] = 1
    p[0] = 1 - p[1]
    found = answer(p, NAMES, 5)
    assert isinstance(found, Summary)
    assert [(c.index, c.label, c.probability) for c in found.shares] == [
        (0, None, 0.75),
        (1, None, 0.25),
    ]
    whole = answer(np.array([[0, 1], [1, 1]]), NAMES, 5)
    assert isinstance(whole, Summary)
    assert [(c.label, c.probability) for c in whole.shares] == [("dog", 0.75), ("cat", 0.25)]


def test_empty_outputs() -> None:
    found = answer(np.zeros((0, 4)), None, 5)
    assert found.as_json() == {"shape": [0, 4], "min": None, "mean": None, "max": None}


def test_labels() -> None:
    assert labels_of({LABELS: '["a", "b"]'}) == ["a", "b"]
    for said in ("", "{", '{"a": 1}', "[1]", "[" * 100_000):
        assert labels_of({LABELS: said}) is None
    assert labels_of({}) is None
    assert read_labels("cat\n\nfox\n\n") == ["cat", "", "fox"]
    assert read_labels('["cat", "fox"]') == ["cat", "fox"]
    with pytest.raises(ValueError, match="holds no labels"):
        read_labels("\n\n")
