"""What do the lines of a `train` part come to, and what is said of those that are wrong?"""

import subprocess
import sys

import pytest
from reading import attempt, only, recipe

from cnnspec.settings.optimizer import Adam, Momentum
from cnnspec.settings.plain import ClipNorm
from cnnspec.settings.recipe import default_recipe
from cnnspec.settings.schedule import Constant, Cosine, MultiStep

LENET = """
data digits
loss cross_entropy
optimizer adam lr=1e-3
schedule cosine warmup=1
epochs 12
batch 64
augment shift 2 -> rotate 10
"""


def test_the_recipe_of_lenet() -> None:
    found = recipe(LENET)
    assert found.data is not None
    assert found.data.kind == "digits"
    assert [loss.kind for loss in found.losses] == ["cross_entropy"]
    assert isinstance(found.optimizer, Adam)
    assert (found.optimizer.lr, found.optimizer.beta2) == (1e-3, 0.999)
    assert isinstance(found.schedule, Cosine)
    assert found.schedule.warmup == 1
    assert (found.epochs, found.batch, found.accumulate, found.seed) == (12, 64, 1, 0)
    assert [word.text() for word in found.augment] == ["shift 2", "rotate 10"]
    assert [metric.kind for metric in found.metrics] == ["accuracy"]
    assert found.shuffle
    assert (found.clip, found.ema, found.early_stopping, found.freeze) == (None, None, None, ())


def test_what_is_not_said_is_what_a_user_expects() -> None:
    for found in (recipe(""), default_recipe()):
        assert found.lines == ()
        assert found.data is None
        assert [loss.text() for loss in found.losses] == ["cross_entropy"]
        assert isinstance(found.optimizer, Adam)
        assert isinstance(found.schedule, Constant)
        assert (found.epochs, found.batch) == (10, 64)
        assert not found.was_given("epochs")


@pytest.mark.parametrize(
    ("lines", "losses", "metrics"),
    [
        ("data digits", ["cross_entropy"], ["accuracy"]),
        ('data masks "images" "masks"', ["cross_entropy"], ["accuracy", "iou"]),
        ('data pairs "noisy" "clean"', ["mse"], ["psnr"]),
        ('data npz "flats.npz" targets=numbers', ["mse"], []),
        ('data npz "flats.npz"\nloss mse', ["mse"], []),
        ('data npz "flats.npz"\nloss hinge', ["hinge"], ["accuracy"]),
        ("data digits\nloss mse to=input", ["mse"], ["psnr"]),
    ],
)
def test_loss_and_metrics_follow_the_data(
    lines: str, losses: list[str], metrics: list[str]
) -> None:
    found = recipe(lines)
    assert [loss.kind for loss in found.losses] == losses
    assert [metric.kind for metric in found.metrics] == metrics


def test_losses_of_several_heads_add_up() -> None:
    found = recipe("loss cross_entropy\nloss cross_entropy on=aux1 weight=0.3\nloss mse on=a.box")
    assert [(loss.on, loss.weight) for loss in found.losses] == [
        (None, 1),
        ("aux1", 0.3),
        ("a.box", 1),
    ]


def test_a_param_may_hold_a_word_or_a_number() -> None:
    found = recipe("optimizer method lr=rate\nepochs n", method="momentum", rate=0.1, n=3)
    assert isinstance(found.optimizer, Momentum)
    assert (found.optimizer.lr, found.epochs) == (0.1, 3)
    # A word of the setting is that word, whatever else is called so.
    assert isinstance(recipe("optimizer adam", adam=3).optimizer, Adam)


EVERYTHING = [
    "data digits split=[8000, 1000, 1000] classes=[3, 5]",
    'data folder "a b/c" fit=crop',
    'data pairs "noisy" "clean" noise=0.1',
    "loss cross_entropy weight=0.5 from=logits smoothing=0.1",
    "loss mse on=b1.box weight=0.25 to=input",
    "optimizer adamw lr=0.0003 weight_decay=0.05 decay=weights",
    "schedule multistep [30, 60] warmup=2",
    "schedule multistep 30",
    "epochs 90",
    "augment crop 4 fill=mirror -> shift 2x4 -> flip height -> mixup",
    "metrics accuracy -> top 3 -> psnr on=box",
    "clip value 0.5",
    "accumulate 4",
    "ema",
    "ema 0.99",
    "early_stopping 10 watch=accuracy",
    "class_weights [1, 2.5, 1e-05]",
    "class_weights balanced",
    'freeze "stem*"',
    'freeze ["stem", "stage1.*"]',
    "shuffle no",
    "seed 7",
]


@pytest.mark.parametrize("line", EVERYTHING)
def test_a_canonical_line_stays_as_it_is(line: str) -> None:
    assert recipe(line).text() == [line]


def test_lines_written_and_read_again_make_the_same_recipe() -> None:
    found = recipe(LENET)
    again = recipe("\n".join(found.text()))
    assert again.text() == found.text()
    assert [type(word) for line in again.lines for word in line.words] == [
        type(word) for line in found.lines for word in line.words
    ]
    assert found.text()[2] == "optimizer adam lr=0.001"


def test_every_word_knows_its_place() -> None:
    found = recipe(LENET)
    place = found.places[found.optimizer]
    assert place.span.text == "adam"
    assert place.args["lr"].text == "1e-3"
    assert [found.places[word].span.text for word in found.augment] == ["shift", "rotate"]
    assert found.word("schedule") is found.schedule
    assert found.word("clip") is None
    assert all(metric not in found.places for metric in found.metrics)


def test_one_recipe_over_another() -> None:
    found = recipe(LENET).but(recipe("epochs 3\nschedule multistep [1, 2]\nclip norm 1"))
    assert isinstance(found.schedule, MultiStep)
    assert isinstance(found.clip, ClipNorm)
    assert (found.epochs, found.batch) == (3, 64)
    assert [line.setting for line in found.lines] == [
        "data", "loss", "optimizer", "schedule", "epochs", "batch", "augment", "clip",
    ]  # fmt: skip


# ── what is wrong ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "code", "message", "at", "hint"),
    [
        (
            "optimiser adam",
            "unknown-setting",
            "there is no setting `optimiser`",
            "optimiser",
            "did you mean `optimizer`?",
        ),
        (
            "optimizer adamm",
            "unknown-setting",
            "there is no optimizer `adamm`",
            "adamm",
            "did you mean `adam`?",
        ),
        (
            "data mnist_10k",
            "unknown-setting",
            "there is no data set `mnist_10k`",
            "mnist_10k",
            "here it is called `mnist10k`",
        ),
        (
            "loss cross_entropi",
            "unknown-setting",
            "there is no loss `cross_entropi`",
            "cross_entropi",
            "did you mean `cross_entropy`?",
        ),
        (
            "loss nothing_like_it",
            "unknown-setting",
            "there is no loss `nothing_like_it`",
            "nothing_like_it",
            "there are cross_entropy, binary_cross_entropy, mse, mae, huber, hinge and dice",
        ),
        (
            "augment flip -> rotat 3",
            "unknown-setting",
            "there is no augmentation `rotat`",
            "rotat",
            "did you mean `rotate`?",
        ),
        (
            "lr 0.1",
            "unknown-setting",
            "there is no setting `lr`",
            "lr",
            "it belongs to the optimizer, as in `optimizer adam lr=1e-3`",
        ),
        (
            "cutout 8",
            "unknown-setting",
            "there is no setting `cutout`",
            "cutout",
            "write `augment cutout`",
        ),
        (
            "optimizer sgd lr=-1",
            "wrong-argument",
            "`lr` of `sgd` takes a number above 0; here it is -1",
            "-1",
            None,
        ),
        (
            "optimizer sgd momentum=0.9",
            "unknown-parameter",
            "`sgd` has no parameter `momentum`",
            "momentum",
            "momentum is an optimizer: `optimizer momentum lr=0.01 momentum=0.9`",
        ),
        (
            "schedule step step_size=30",
            "unknown-parameter",
            "`step` has no parameter `step_size`",
            "step_size",
            "here it is called `every`",
        ),
        (
            "augment crop 4 padding=4",
            "unknown-parameter",
            "`crop` has no parameter `padding`",
            "padding",
            "here it is called `pad`",
        ),
        (
            "schedule step",
            "missing-argument",
            "`step` needs `every`: how many epochs lie between drops",
            "step",
            "the call is `step EVERY`",
        ),
        (
            "epochs",
            "missing-argument",
            "`epochs` needs `count`: how many times",
            "epochs",
            "the call is `epochs COUNT`",
        ),
        (
            "batch 0",
            "wrong-argument",
            "`size` of `batch` takes a whole number of at least 1; here it is 0",
            "0",
            None,
        ),
        (
            "class_weights balancd",
            "wrong-argument",
            "`weights` of `class_weights` takes balanced, or a list, each item a number of at "
            "least 0; here it is balancd",
            "balancd",
            "did you mean `balanced`?",
        ),
        (
            "data digits split=[0.9, 0.2]",
            "wrong-argument",
            "`split` of `digits` takes two or three parts, for training, validation and test: "
            "shares of at most 1 together, as in [0.8, 0.1, 0.1], or numbers of examples; here it "
            "is (0.9, 0.2)",
            "[0.9, 0.2]",
            None,
        ),
        (
            "clip 1",
            "wrong-setting",
            "`clip` begins with a word: norm or value; here it is 1",
            "1",
            "`clip norm 1` keeps the length of the whole gradient below that",
        ),
        (
            'data "pictures"',
            "wrong-setting",
            "`data` begins with a word: digits, mnist10k, italy_power_demand, mnist, "
            "fashion_mnist, cifar10, cifar100, folder, npz, csv, masks or pairs; here it is "
            '"pictures"',
            '"pictures"',
            'a folder of pictures is `data folder "pictures"`',
        ),
        (
            "schedule",
            "wrong-setting",
            "`schedule` begins with a word: constant, step, multistep, exponential, cosine, "
            "one_cycle, poly or plateau",
            "schedule",
            None,
        ),
        (
            "clip norm -1",
            "wrong-setting",
            "`norm -1` is a subtraction",
            "norm -1",
            "after a word, a negative number stands in brackets, as in `(-1)`",
        ),
        (
            "optimizer adam -> sgd",
            "wrong-setting",
            "`optimizer` takes one word; `->` joins those of `augment` and `metrics`",
            "sgd",
            None,
        ),
        (
            "epochs 3 as long",
            "wrong-setting",
            "a setting has no label",
            "long",
            None,
        ),
        (
            "augment flip { | crop 4 }",
            "wrong-setting",
            "a setting has no branches",
            "augment",
            None,
        ),
        (
            "let n = 3",
            "wrong-setting",
            "`train` holds settings, one a line, and nothing else",
            "let",
            "put `let` above `train`",
        ),
        (
            "repeat 3 { epochs 3 }",
            "wrong-setting",
            "`train` holds settings, one a line, and nothing else",
            "repeat",
            None,
        ),
    ],
)
def test_a_mistake_gives_one_message(
    line: str, code: str, message: str, at: str, hint: str | None
) -> None:
    said = only(line)
    assert (said.code, said.message, said.span.text, said.hint) == (code, message, at, hint)


def test_a_setting_is_made_once() -> None:
    said = only("epochs 3\nbatch 8\nepochs 5")
    assert (said.code, said.message) == ("duplicate-setting", "`epochs` is set twice")
    assert said.span.place() == "net.cnn:4:3"
    assert [(label.span.place(), label.text) for label in said.labels] == [
        ("net.cnn:2:3", "first set here")
    ]
    assert only("augment flip\naugment crop 4").hint == "join several with `->`: `augment … -> …`"


def test_five_mistakes_give_five_messages() -> None:
    found, said = attempt(
        """
        optimiser adam
        schedule cosine warmup=7
        epochs 5
        batch x
        loss bce
        augment rotate 400
        """
    )
    assert found is None
    assert [d.code for d in said] == [
        "unknown-setting",
        "wrong-setting",
        "unknown-name",
        "unknown-setting",
        "wrong-argument",
    ]


def test_what_is_unknown_already_is_not_mentioned_again() -> None:
    _, said = attempt("epochs 1/0\noptimizer adam lr=1/0\nschedule cosine warmup=20")
    assert [d.code for d in said] == ["division-by-zero", "division-by-zero"]


def test_a_recipe_loads_its_vocabulary_only_when_it_is_read() -> None:
    code = (
        "import sys; import cnnspec.settings.recipe;"
        "before = {m for m in sys.modules if m.startswith('cnnspec.settings')};"
        "cnnspec.settings.recipe.default_recipe();"
        "heavy = {'numpy', 'onnx', 'lark', 'pydantic'} & set(sys.modules);"
        "print(sorted(before), heavy or '')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['cnnspec.settings', 'cnnspec.settings.recipe']"
