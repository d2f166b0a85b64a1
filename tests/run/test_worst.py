"""Are the worst examples the worst, whatever the batches?"""

import numpy as np
import pytest

from cnnspec.run.worst import Worst, confidence


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_they_are_the_same_whatever_the_batches(batch: int) -> None:
    draw = np.random.default_rng(0)
    badness = draw.integers(0, 20, 100).astype(float)
    worst = Worst(10)
    for k in range(0, 100, batch):
        places = np.arange(k, min(k + batch, 100))
        worst.add(places, badness[places], places % 3, places % 5)
    order = sorted(range(100), key=lambda k: (-badness[k], k))[:10]
    assert [bad.index for bad in worst.found] == order
    assert [(bad.said, bad.so) for bad in worst.found] == [(k % 3, k % 5) for k in order]


def test_what_is_no_number_is_worst() -> None:
    worst = Worst(2)
    worst.add(np.arange(3), np.array([1.0, np.nan, 2.0]))
    assert [bad.index for bad in worst.found] == [1, 2]
    assert worst.found[0].said is None


def test_how_sure_it_is() -> None:
    best = np.array([1])
    p = np.array([[0.2, 0.8]])
    assert confidence(p, "softmax", best) == pytest.approx([0.8])
    assert confidence(np.log(p), "logsoftmax", best) == pytest.approx([0.8])
    assert confidence(np.log(p) + 3, "fc", best) == pytest.approx([0.8])
    assert confidence(np.array([[0.3]]), "sigmoid", np.array([0])) == pytest.approx([0.7])
    assert confidence(np.array([[0.0]]), "fc", best) == pytest.approx([0.5])
    assert np.isnan(confidence(np.array([[np.inf, np.inf]]), "fc", best)).all()
