"""Folding: blocks in one row each, and nothing lost."""

from cnnspec.report.facts import facts
from cnnspec.report.fold import fold
from nets import build, build_file


def test_blocks_of_the_body_become_rows() -> None:
    report = facts(build_file("tests/model/resnet50.cnn"))
    folded = fold(report, 0)
    assert [r.path for r in folded.rows if r.kind == "block"][:2] == [
        "bottleneck64",
        "bottleneck64_2",
    ]
    assert sum(r.kind == "block" for r in folded.rows) == 16
    row = next(r for r in folded.rows if r.path == "bottleneck64")
    assert row.call == "12 layers"
    assert row.shape == (256, 56, 56)
    assert row.receptive_field == (19, 19)


def test_nothing_is_lost() -> None:
    report = facts(build_file("tests/model/resnet50.cnn"))
    for depth in range(3):
        folded = fold(report, depth)
        assert folded.totals == report.totals
        assert sum(r.params for r in folded.rows) == report.totals.params
        assert sum(r.macs for r in folded.rows) == report.totals.macs
        assert sum(r.layers for r in folded.rows) == report.totals.layers


def test_depth_counts_the_blocks_around() -> None:
    report = facts(
        build(
            """\
            block inner(n) { fc n -> relu }
            block outer(n) { inner n\n fc 2 }
            network N { input 4\n outer 3\n fc 1 }
            """
        )
    )
    assert [r.path for r in fold(report, 0).rows] == ["input", "outer3", "fc1"]
    assert [r.path for r in fold(report, 1).rows] == ["input", "outer3.inner3", "outer3.fc2", "fc1"]
    assert fold(report, 2).rows == report.rows


def test_a_block_that_only_shares_says_with_whom() -> None:
    rows = fold(facts(build_file("tests/model/pair.cnn")), 0).rows
    assert [(r.path, r.shares) for r in rows if r.kind == "block"] == [("a", None), ("b", "a")]
