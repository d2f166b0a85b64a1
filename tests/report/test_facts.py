"""The numbers of a report, row by row and as totals."""

import json

import pytest

from cnnspec.report.facts import Report, as_json, facts
from nets import build, build_file

LENET = "tests/model/lenet5.cnn"


def test_rows_add_up_to_the_totals() -> None:
    for path in (LENET, "tests/model/resnet50.cnn", "tests/model/pair.cnn"):
        report = facts(build_file(path))
        totals = report.totals
        assert sum(r.params for r in report.rows) == totals.params
        assert sum(r.frozen for r in report.rows) == totals.frozen
        assert sum(r.buffers for r in report.rows) == totals.buffers
        assert sum(r.macs for r in report.rows) == totals.macs
        assert sum(r.connections for r in report.rows) == totals.connections
        assert sum(r.layers for r in report.rows) == totals.layers
        assert totals.weight_bytes == 4 * (totals.params + totals.buffers)
        assert sum(s.params for s in report.shares) == totals.params
        assert sum(s.macs_share for s in report.shares) == pytest.approx(1)


def test_a_row_says_everything() -> None:
    row = facts(build_file(LENET), batch=2).rows[4]
    assert row.path == "conv16_5x5"
    assert row.kind == "conv"
    assert row.call == "conv 16 5x5"
    assert row.source == f"{LENET}:5:3"
    assert row.shape == (16, 10, 10)
    assert (row.params, row.frozen, row.buffers) == (2416, 0, 0)
    assert (row.macs, row.connections) == (240_000, 241_600)
    assert (row.receptive_field, row.jump, row.start) == ((14, 14), (2, 2), (-2, -2))
    assert row.activation_bytes == 2 * 4 * 16 * 10 * 10
    assert row.arithmetic == ()


def test_nothing_has_a_place_after_the_whole_map_was_seen() -> None:
    rows = facts(build_file(LENET)).rows
    assert next(r.path for r in rows if r.receptive_field is None) == "conv16_5x5_flatten"
    assert rows[-1].receptive_field is rows[-1].jump is None


def test_shared_and_frozen_weights_are_marked() -> None:
    rows = {r.path: r for r in facts(build_file("tests/model/pair.cnn")).rows}
    assert rows["b.conv4_3x3"].shares == "a.conv4_3x3"
    assert rows["b.conv4_3x3"].params == 0
    assert rows["b.conv4_3x3"].macs == rows["a.conv4_3x3"].macs
    frozen = facts(build("network N { input 10\n fc 5 frozen=yes\n fc 2 }"))
    assert frozen.rows[1].frozen == frozen.rows[1].params == 55
    assert frozen.rows[1].call.endswith("frozen=yes")


def test_the_arithmetic_is_that_of_a_slide() -> None:
    row = facts(build_file(LENET), explain=True).rows[1]
    assert [(s.of, s.text) for s in row.arithmetic] == [
        ("size", "(28 - 5 + 2·2)/1 + 1 = 28"),
        ("parameters", "(5·5·1 + 1)·6 = 156"),
        ("macs", "5·5·6·28·28 = 117,600"),
        ("receptive_field", "1 + (5 - 1)·1 = 5"),
    ]


def test_shares_show_where_the_parameters_are() -> None:
    shares = facts(build_file(LENET)).shares
    assert [s.kind for s in shares] == ["fc", "conv"]
    assert shares[0].params == 59_134
    assert shares[0].params_share == pytest.approx(59_134 / 61_706)


def test_the_json_reads_back_as_the_same_report() -> None:
    report = facts(build_file("tests/model/pair.cnn"), explain=True)
    text = as_json(report)
    assert json.loads(text)["schema"] == 1
    assert Report.model_validate_json(text) == report


def test_heads_are_outputs() -> None:
    report = facts(
        build(
            """\
            network Two {
              input 1x8x8
              conv 4 3x3
              head boxes { conv 2 1x1 }
              head classes { avgpool global -> flatten\n fc 3 }
            }
            """
        )
    )
    assert [(e.name, e.shape) for e in report.outputs] == [("boxes", (2, 6, 6)), ("classes", (3,))]


def test_training_memory_follows_the_recipe() -> None:
    plain = facts(build_file(LENET)).totals.training
    assert (plain.optimizer, plain.state) == ("adam", 2 * plain.weights)
    text = "network N { input 4\n fc 2 }\ntrain { data digits\n loss mse\n optimizer sgd }"
    assert facts(build(text)).totals.training.state == 0
