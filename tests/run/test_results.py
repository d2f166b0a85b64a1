"""Does training reach on real data what docs/results.md says?"""

from pathlib import Path

from cnnspec import load
from cnnspec.run.events import Finished


def test_the_series_are_told_apart(tmp_path: Path) -> None:
    """67 days to learn from, 1,029 to be judged by: the net of the zoo, as its spec says."""
    run = load("cnn1d").train(out=tmp_path / "run", device="cpu")
    (end,) = (event for event in run if isinstance(event, Finished))
    assert end.test["accuracy"] >= 0.96
