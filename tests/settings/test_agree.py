"""What is said of settings that contradict each other, or leave each other no room?"""

import pytest
from reading import attempt, only, recipe

from cnnspec.settings.agree import agree
from cnnspec.text.diagnostic import Sink


@pytest.mark.parametrize(
    ("lines", "message", "at"),
    [
        (
            "schedule cosine warmup=5\nepochs 5",
            "a warm-up of 5 epochs leaves nothing of 5 epochs",
            "5",
        ),
        (
            "schedule one_cycle rise=0.2 warmup=1",
            "`warmup` and `rise` both say how long the rate of `one_cycle` rises",
            "0.2",
        ),
        (
            "schedule multistep [60, 30]",
            "`at` names epochs in rising order; 30 follows 60",
            "[60, 30]",
        ),
        (
            "data digits split=[1, 0]\nearly_stopping",
            "`early_stopping` watches validation, and `split` keeps no examples for it",
            "early_stopping",
        ),
        (
            'data pairs "noisy" "clean"\nloss cross_entropy',
            "`loss cross_entropy` compares with classes; `data pairs` gives pictures",
            "cross_entropy",
        ),
        (
            "data digits\nmetrics psnr",
            "`psnr` compares with pictures; `data digits` gives a class for each example",
            "psnr",
        ),
        (
            'data pairs "noisy" "clean"\nschedule plateau watch=accuracy',
            "`accuracy` compares with classes; `data pairs` gives pictures",
            "accuracy",
        ),
        (
            "data digits\nloss dice",
            "`loss dice` compares with a class for each pixel; "
            "`data digits` gives a class for each example",
            "dice",
        ),
        (
            "augment mixup -> flip",
            "`mixup` mixes finished examples, so it stands last",
            "mixup",
        ),
        (
            "loss hinge\naugment flip -> mixup",
            "`mixup` makes targets of several classes; `loss hinge` takes one class for each "
            "example",
            "hinge",
        ),
    ],
)
def test_a_contradiction_is_an_error(lines: str, message: str, at: str) -> None:
    said = only(lines)
    assert (said.code, said.message, said.span.text) == ("wrong-setting", message, at)
    assert said.severity == "error"


@pytest.mark.parametrize(
    ("lines", "message", "at"),
    [
        (
            "schedule step 30\nepochs 12",
            "the rate never drops: training ends after 12 epochs, the first drop comes after 30",
            "30",
        ),
        (
            "schedule multistep [30, 60, 90]\nepochs 60",
            "the rate does not drop after epoch 60: training ends after 60",
            "[30, 60, 90]",
        ),
        (
            "epochs 5\nearly_stopping 9",
            "a patience of 9 epochs never ends in training of 5 epochs",
            "9",
        ),
        (
            "loss mse\nclass_weights [1, 2]",
            "`class_weights` has no effect: no loss here tells classes apart",
            "class_weights",
        ),
        (
            "optimizer adam decay=weights",
            "`decay` has no effect: `weight_decay` is 0",
            "weights",
        ),
    ],
)
def test_what_has_no_effect_is_a_warning(lines: str, message: str, at: str) -> None:
    said = only(lines)
    assert (said.code, said.message, said.span.text) == ("idle-setting", message, at)
    assert said.severity == "warning"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "data digits\nbatch 8001",
            "a batch of 8,001 is more than the 8,000 examples that `digits` trains on",
        ),
        (
            "data italy_power_demand\nbatch 32\naccumulate 2",
            "a step of 2·32 = 64 examples is more than the 53 examples that "
            "`italy_power_demand` trains on",
        ),
        (
            "data mnist limit=100\nbatch 128",
            "a batch of 128 is more than the 100 examples that `mnist` trains on",
        ),
    ],
)
def test_a_step_larger_than_the_data_is_a_warning(lines: str, message: str) -> None:
    said = only(lines)
    assert (said.code, said.message) == ("large-batch", message)


def test_the_same_loss_of_the_same_output_stands_once() -> None:
    said = only("loss mse\nloss mse weight=2")
    assert said.code == "duplicate-setting"
    assert said.message == "`mse` of the main output is there twice"
    assert said.labels[0].span.place() == "net.cnn:2:8"
    assert only("metrics top 3 -> top 3").message == "`top` of the main output is there twice"
    assert only("loss mae on=b\nloss mae on=b").message == "`mae` of head `b` is there twice"


@pytest.mark.parametrize(
    "lines",
    [
        "loss mse\nloss mse on=b\nloss mse to=input\nloss cross_entropy",
        "metrics top 3 -> top 5 -> accuracy -> accuracy on=b",
        "data digits\nloss mse to=input\nmetrics psnr",
        "data digits\nloss mse",
        'data masks "a" "b"\nloss cross_entropy\nloss dice\nmetrics iou',
        'data npz "a"\nloss hinge\nmetrics psnr',
        "data digits\nbatch 8000",
        "data digits classes=[3, 5]\nbatch 9000",
        "data digits split=[9000, 1000]\nbatch 9000",
        "data italy_power_demand split=[1, 0]\nschedule cosine",
        # Their number may be chosen when training begins.
        "schedule step 30 warmup=20",
        "schedule plateau patience=100",
        "loss cross_entropy\nloss mse\nclass_weights balanced",
        "optimizer adamw decay=weights",
    ],
)
def test_what_fits_is_not_mentioned(lines: str) -> None:
    assert agree(recipe(lines), Sink())


def test_defaults_of_what_could_not_be_read_are_not_found_fault_with() -> None:
    for lines in (
        "data digits\nbatch 0\naccumulate 500",
        "data digits\nloss mse to=inputs\nmetrics psnr",
        "loss crossentropy\nclass_weights [1, 2]",
    ):
        _, said = attempt(lines)
        assert len(said) == 1, [d.message for d in said]
